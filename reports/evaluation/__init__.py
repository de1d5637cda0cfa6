"""What ``cxrscan evaluate`` and ``compare`` write and print."""
