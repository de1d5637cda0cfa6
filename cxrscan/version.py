"""The version, where the packages below can read it."""

__version__ = "0.1.0"
