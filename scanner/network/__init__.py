"""The network as code; needs the extra ``train``."""
