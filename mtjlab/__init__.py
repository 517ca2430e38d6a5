"""mtjlab: instrument control and measurement for magnetic tunnel junction arrays."""

__version__ = "0.1.0"
