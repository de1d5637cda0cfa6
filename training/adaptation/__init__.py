"""From the films of one hospital to a bundle that holds there; numbers only, but for ``fine_tune``."""
