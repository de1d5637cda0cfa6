"""Films that arrive: received from the network or found in a folder, scanned, answered and sent on, for months."""
