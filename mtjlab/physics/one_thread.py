"""Linear algebra on one BLAS thread: what this package solves is small, and several threads wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_THREADED = [
    library for library in ThreadpoolController().select(user_api="blas").lib_controllers if library.num_threads > 1
]


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it BLAS uses one thread; on a loaded machine that makes small solves hundreds of times faster."""
    before = [library.get_num_threads() for library in _THREADED]
    for library in _THREADED:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in zip(_THREADED, before, strict=True):
            library.set_num_threads(threads)
