"""Matrices of a few hundred rows are slower on several BLAS threads: many times slower where the machine is busy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _threaded() -> list[Any]:
    """NumPy's and SciPy's BLAS, those of them that use threads."""
    import scipy.linalg.cython_blas  # noqa: F401, loaded so that it is found
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in found if library.num_threads > 1]


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS runs on the calling thread alone inside."""
    libraries = _threaded()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in zip(libraries, before, strict=True):
            library.set_num_threads(threads)
