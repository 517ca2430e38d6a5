"""Figures anyone can print: `python -m benchmarks` lists them, `python -m benchmarks NAME [--quick]` runs one."""
