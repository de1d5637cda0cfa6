"""Bundles of others: where they come from, and how they are kept and found by name."""
