"""Look at chest radiographs and say what was seen."""

NOTICE = "Research software, not a medical device. Not for diagnosis or treatment decisions."
"""Stands wherever results are shown."""

MANUFACTURER = "cxrscan"
"""Manufacturer (0008,0070) of DICOM objects that are made here; by it they are known when they come back."""
