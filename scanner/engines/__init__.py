"""Engines run the network of a bundle: ``litert`` by default."""
