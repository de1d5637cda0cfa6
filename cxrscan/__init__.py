"""Scan folders of chest X-rays for pneumonia."""

__version__ = "0.1.0"
