"""What tests of the engine share."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: its tensors are small here, and the tests run beside each other."""
    from mtjlab.engine.single_thread import single_thread

    with single_thread():
        yield
