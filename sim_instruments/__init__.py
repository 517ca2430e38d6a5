"""The simulated bench: one world (dies, lines, clock) behind simulated instruments that answer over PyVISA."""
