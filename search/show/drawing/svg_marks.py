"""The few marks that a drawing is made of, as SVG elements, and their colours on light and on dark paper.

Every drawing brings its own paper, light or dark as the reader's system asks, so that it reads on any page. All rules
are for elements inside ``.msarch-drawing``: a drawing can stand inside a page without changing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from search.show.palette import BAND, DARK, INK, MUTED, PAPER, RULE

_LIGHT = {"ink": INK, "muted": MUTED, "rule": RULE, "paper": PAPER, "band": BAND}
_DARK = {name: DARK[colour] for name, colour in _LIGHT.items()}
_FONTS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_CORNER = 8.0

Point = tuple[float, float]


def svg_document(width: float, height: float, title: str, marks: Iterable[str], *, styled: bool = True) -> str:
    """A whole SVG document on paper of its own; where it is not `styled` its page holds `drawing_style`."""
    paper = f'<rect class="paper" x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="10"/>'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="msarch-drawing" role="img" width="{_n(width)}" '
            f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">',
            f"<title>{escape(title)}</title>",
            *([f"<style>\n{drawing_style()}\n</style>"] if styled else []),
            paper,
            *marks,
            "</svg>\n",
        )
    )


def drawing_style() -> str:
    """The rules of every drawing, once for a page that holds many."""
    inside = ".msarch-drawing"
    rules = [f"{inside} text {{ font: 12px {_FONTS}; fill: var(--ink); }}"]
    rules += [
        f"{inside} .{name} {{ {what} }}"
        for name, what in (
            ("paper", "fill: var(--paper); stroke: var(--rule);"),
            ("band", "fill: var(--band);"),
            ("line", "fill: none; stroke: var(--muted); stroke-width: 1.6;"),
            ("tip", "fill: var(--muted);"),
            ("dot", "fill: var(--ink); stroke: var(--paper); stroke-width: 1.5;"),
            ("name", "font-weight: 650; font-size: 15px;"),
            ("strong", "font-weight: 650;"),
            ("small", "font-size: 11px; fill: var(--muted);"),
            ("code", "font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: var(--muted);"),
        )
    ]
    rules.append(f"{inside} {{ {_variables(_LIGHT)} }}")
    rules.append(f"@media (prefers-color-scheme: dark) {{ {inside} {{ {_variables(_DARK)} }} }}")
    return "\n".join(rules)


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words with their baseline at `y`; `kind` is name, strong, small or code, or several of them."""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{_n(x)}" y="{_n(y)}"{_class(kind)}{side}>{escape(words)}</text>'


def title(x: float, y: float, name: str, allocation: str) -> str:
    """The name of a model, and beside it its layers."""
    beside = f'<tspan class="code" dx="12">{escape(allocation)}</tspan>'
    return f'<text x="{_n(x)}" y="{_n(y)}"><tspan class="name">{escape(name)}</tspan>{beside}</text>'


def bar(
    x: float,
    y: float,
    width: float,
    height: float,
    colour: str = "",
    kind: str = "",
    round_: float = 1.5,
    opacity: float = 1.0,
) -> str:
    """A filled rectangle, of a colour or of a kind."""
    fill = f' fill="{colour}"' if colour else ""
    fill += f' fill-opacity="{opacity}"' if opacity < 1 else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(min(round_, width / 2))}"{fill}{_class(kind)}/>'
    )


def line(points: Sequence[Point]) -> str:
    """Straight lines from point to point, joined by round corners."""
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        (x, y), (u, v) = _towards(corner, before), _towards(corner, after)
        path += f" L{_n(x)} {_n(y)} Q{_n(corner[0])} {_n(corner[1])} {_n(u)} {_n(v)}"
    return f'<path class="line" d="{path} L{_n(points[-1][0])} {_n(points[-1][1])}"/>'


def _towards(corner: Point, other: Point) -> Point:
    """The point where the round of a corner begins, at most halfway to its neighbour."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share


def tip(x: float, y: float) -> str:
    """The head of an arrow that ends at (x, y), pointing right."""
    return f'<path class="tip" d="M{_n(x)} {_n(y)} l-8 -4.5 v9 z"/>'


def dot(x: float, y: float) -> str:
    """Where streams meet."""
    return f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="4.5"/>'


def width_of(words: str, size: float = 11.0) -> float:
    """About how wide words are, in pixels: fonts differ, so a little more than most need."""
    return 0.58 * size * len(words)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
