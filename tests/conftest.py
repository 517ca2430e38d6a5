"""Makes the parts importable from a bare checkout; does nothing where mtjlab is installed."""

import importlib.util
from pathlib import Path

import mtjlab

if importlib.util.find_spec("mtjlab.drivers") is None:
    mtjlab.__path__.append(str(Path(__file__).resolve().parent.parent))
