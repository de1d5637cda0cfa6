"""The table of films, in every format."""
