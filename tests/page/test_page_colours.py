"""What is written on a bin can be read (WCAG 2, 4.5 to 1), and the scale of values grows lighter all the way."""

import re
from importlib.resources import files

import pytest

TEXT = (files("mtjlab") / "page" / "colours.js").read_text(encoding="utf-8")
STYLE = (files("mtjlab") / "page" / "page.css").read_text(encoding="utf-8")


def luminance(red: float, green: float, blue: float) -> float:
    """Relative, of 8-bit sRGB (WCAG 2.2)."""
    linear = [c / 3294.6 if c <= 10.02 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    long = ["".join(2 * sign for sign in c[1:]) if len(c) == 4 else c[1:] for c in (one, other)]
    low, high = sorted(luminance(*bytes.fromhex(c)) for c in long)
    return (high + 0.05) / (low + 0.05)


def test_numbers_on_bins_can_be_read() -> None:
    pairs = re.findall(r'\["(#\w+)", "(#\w+)"\]', TEXT)
    assert len(pairs) == 7
    assert min(contrast(*pair) for pair in pairs) >= 4.5


@pytest.mark.parametrize("theme", [0, 1, 2])
@pytest.mark.parametrize("ground", ["page", "card"])
def test_words_can_be_read_in_light_and_dark(theme: int, ground: str) -> None:
    blocks = [block for block in re.findall(r"\{([^{}]*)\}", STYLE) if "--page" in block]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[theme]))
    for name in ("ink", "muted", "blue", "red"):
        assert contrast(colours[name], colours[ground]) >= 4.5, name
    for name in ("green", "amber", "red"):
        assert contrast(colours[name], colours[f"{name}-bg"]) >= 4.5, name


def test_the_scale_of_values_grows_lighter_all_the_way() -> None:
    steps = [tuple(map(int, c.split(","))) for c in re.findall(r"\[(\d+, \d+, \d+)\]", TEXT)]
    found = [luminance(*step) for step in steps]
    assert len(found) == 10 and found == sorted(found)
