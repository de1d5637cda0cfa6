"""The statistical model behind the films of ``cxrscan demo``."""
