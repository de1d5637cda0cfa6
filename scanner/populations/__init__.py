"""What the films of a run are like together: ``portrait`` (for drift), ``reference`` (what a bundle keeps), ``pool``.

``cxrscan.scanner.evaluation`` compares and chooses; here stands what it is given, as arrays.
"""
