"""Verbs on a Crossbar: readout, classify, write and verify, infer."""
