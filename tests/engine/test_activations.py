"""The fast tanh is tanh, and so is its gradient."""
# ruff: noqa: E402, for PyTorch is optional

import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine.activations import FastTanh


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2.5e-7), (torch.float64, 5e-16)])
def test_it_is_tanh_to_rounding_with_its_gradient(dtype: torch.dtype, rounding: float) -> None:
    values = torch.linspace(-30, 30, 4001, dtype=dtype)
    ours, exact = (values.clone().requires_grad_() for _ in range(2))
    found, wanted = FastTanh()(ours), torch.tanh(exact)
    assert (found - wanted).abs().max() <= rounding
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert (ours.grad - exact.grad).abs().max() <= 4 * rounding
    extremes = FastTanh()(torch.tensor([float("inf"), -float("inf"), 0.0, 1e30], dtype=dtype))
    assert extremes.tolist() == [1.0, -1.0, 0.0, 1.0] and FastTanh()(torch.tensor(float("nan"))).isnan()
