"""Jinja2 blocks, CSS and JavaScript of the report; data only."""
