"""A sheet that boxes, lines and words are drawn on, as elements of SVG."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape


@dataclass
class Sheet:
    """What has been drawn so far; places in points, from the upper left corner.

    Attributes:
        parts: SVG elements, in the order in which they are painted; `kind` of each is its class in the style sheet.
    """

    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start", fill: str = "") -> None:
        """Words at a place."""
        style = f' style="fill:{fill}"' if fill else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}"{style}>{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box") -> None:
        """A rectangle with round corners."""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" class="{kind}"/>')

    def wire(self, kind: str, *points: tuple[float, float]) -> None:
        """A line through these points."""
        path = " ".join(f"{'L' if k else 'M'}{x:g} {y:g}" for k, (x, y) in enumerate(points))
        self.parts.append(f'<path d="{path}" class="w {kind}"/>')

    def hop(self, kind: str, x0: float, x1: float, y: float, over: float) -> None:
        """A line across that passes over one that runs down at `over`."""
        path = f"M{x0:g} {y:g} L{over - 5:g} {y:g} A5 5 0 0 1 {over + 5:g} {y:g} L{x1:g} {y:g}"
        self.parts.append(f'<path d="{path}" class="w {kind}"/>')

    def dot(self, x: float, y: float, radius: float = 3.4, kind: str = "dot") -> None:
        """A round mark."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{kind}"/>')
