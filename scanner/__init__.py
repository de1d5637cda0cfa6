"""Look at chest radiographs and say what was seen."""

from importlib.metadata import version

__version__ = version("cxrscan")

NOTICE = "Research software, not a medical device. Not for diagnosis or treatment decisions."
"""Stands wherever results are shown."""
