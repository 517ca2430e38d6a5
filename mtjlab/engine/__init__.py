"""The engine: data sets, perceptrons of binary junctions, their training, and their placement on cells."""
