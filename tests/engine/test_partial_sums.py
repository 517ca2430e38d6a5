"""Sums of limited parts: as computed by hand, no gradient beyond the limit, and a short that cannot drown a sum."""
# ruff: noqa: E402, for PyTorch is optional

import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine.partial_sums import PartialSums
from mtjlab.engine.straight_through import plus_less_minus
from mtjlab.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def by_hand(x: list[float], weights: list[list[float]], inputs: int, limit: float) -> list[float]:
    sums = []
    for column in range(len(weights[0])):
        total = 0.0
        for first in range(0, len(x), inputs):
            part = sum(x[i] * weights[i][column] for i in range(first, min(first + inputs, len(x))))
            total += max(-limit, min(limit, part))
        sums.append(total)
    return sums


@pytest.mark.parametrize(("inputs", "limit"), [(1, 0.3), (3, 0.5), (4, 1.0), (7, 0.4), (20, 0.9)])
def test_it_is_the_sum_of_parts_cut_by_hand(inputs: int, limit: float) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.rand((2, 5, 7), generator=random, dtype=torch.float64)
    weights = torch.randn((2, 7, 3), generator=random, dtype=torch.float64)
    found = PartialSums(inputs, limit).of(x, weights)
    wanted = [[by_hand(x[c, n].tolist(), weights[c].tolist(), inputs, limit) for n in range(5)] for c in range(2)]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    assert not torch.allclose(found, x @ weights)  # the limit was met


def test_a_limit_that_no_part_meets_changes_nothing_and_copies_broadcast() -> None:
    random = torch.Generator().manual_seed(1)
    x, weights = torch.rand((1, 4, 30), generator=random), torch.randn((3, 30, 6), generator=random)
    torch.testing.assert_close(PartialSums(8, 1e6).of(x, weights), x @ weights)
    torch.testing.assert_close(
        PartialSums(8, 1e6).of(x.expand(3, 4, 30), weights[:1]), x.expand(3, 4, 30) @ weights[:1]
    )


def test_there_is_no_gradient_beyond_the_limit() -> None:
    x = torch.ones(1, 1, 4)
    weights = torch.tensor([[[0.2], [0.3], [5.0], [-0.5]]], requires_grad=True)
    PartialSums(2, 1.0).of(x, weights).sum().backward()
    assert weights.grad is not None
    assert weights.grad.ravel().tolist() == [1.0, 1.0, 0.0, 0.0]


def test_a_short_moves_a_sum_by_no_more_than_the_limits_of_its_part() -> None:
    random = torch.Generator().manual_seed(2)
    lines = (torch.rand((1, 50, 8), generator=random) > 0.5).double()
    shorted = lines.clone()
    shorted[0, 7, 2] = 40.0
    x = torch.rand((1, 64, 50), generator=random, dtype=torch.float64)
    before, after = (PartialSums(25, 1.5).of(x, plus_less_minus(each)) for each in (lines, shorted))
    assert float((after - before).abs().max()) <= 3.0 + 1e-12
    plain = x @ (plus_less_minus(shorted) - plus_less_minus(lines))
    assert float(plain.abs().max()) > 30.0
    torch.testing.assert_close(after[..., [0, 2, 3]], before[..., [0, 2, 3]])


@pytest.mark.parametrize(("inputs", "limit"), [(0, 1.0), (25, 0.0), (25, -1.0), (25, float("nan"))])
def test_parts_that_make_no_sense_are_refused(inputs: int, limit: float) -> None:
    with pytest.raises(InputError, match="parts need at least one input and a limit above 0"):
        PartialSums(inputs, limit)
