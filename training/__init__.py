"""Make a model bundle that the scanner can trust."""
