"""The version, where the packages below can read it."""

__version__ = "0.2.0"
