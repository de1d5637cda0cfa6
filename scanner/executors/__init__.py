"""Executors run ``scan_chunk`` over chunks: in this process, or in a pool of processes."""
