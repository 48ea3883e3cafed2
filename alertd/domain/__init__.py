"""Floor 1: pure values and rules. No clock, no I/O, no async, no randomness of its own."""
