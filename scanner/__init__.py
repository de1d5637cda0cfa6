"""Look at chest radiographs and say what was seen."""

from importlib.metadata import version

__version__ = version("cxrscan")
