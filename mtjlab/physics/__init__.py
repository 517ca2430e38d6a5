"""Pure functions on arrays: junctions, exact crossbar networks."""
