"""The page of a report: markup, style and script, from the files beside this one; it may fetch nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
from markupsafe import Markup

from msarch.atomic_files import atomic_write
from search.results.results import Bundle
from search.show.drawing.svg_marks import drawing_style
from search.show.palette import ACCENT, BAND, DARK, FAINT, INK, MUTED, PAPER, RULE, TINT
from search.show.report.data import as_json, packed_figure

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' {{ scripts }};
 style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<link rel="icon" href="data:,">
<title>{{ title }} · msarch</title>
<style>{{ style }}</style>
{{ plotly }}
</head>
<body>
<main>
<header>
"""
"""Of every page: it takes a `title`, a `style`, and Plotly's code with the `scripts` that may run."""

_COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "rule": RULE,
    "faint": FAINT,
    "paper": PAPER,
    "band": BAND,
    "tint": TINT,
    "accent": ACCENT,
}


def page_template() -> str:
    """The report's markup, for Jinja."""
    return HEAD + _beside("page.html")


@cache
def style() -> str:
    """The rules of every page, on light paper and on dark."""
    light, dark = (_variables(mode) for mode in (False, True))
    return _beside("page.css").replace("{{ light }}", light).replace("{{ dark }}", dark) + drawing_style()


def page_script() -> Markup:
    """What makes a report answer."""
    return Markup("\n".join(map(_beside, ("trials.js", "plots.js", "table.js"))))


def figures_script() -> Markup:
    """What draws the figures of any page."""
    return Markup(_beside("figures.js"))


def dark_colours() -> Markup:
    """What that script replaces colours with on dark paper, as JSON."""
    return Markup(json.dumps(DARK))


def figures_on(figures: Mapping[str, go.Figure]) -> Markup:
    """Scripts that draw figures, by the id of their place, on a page without a script of its own."""
    packed = as_json({name: packed_figure(figure) for name, figure in figures.items()})
    script = """
const plots = JSON.parse(document.getElementById("figures").textContent);
for (const id of Object.keys(plots)) figures.show(id, () => plots[id]);
"""
    return Markup(
        '<script type="application/json" id="dark">{}</script><script type="application/json" id="figures">{}</script>'
        "<script>{}</script><script>{}</script>"
    ).format(dark_colours(), Markup(packed), figures_script(), Markup(script))


def plotly_tags(path: Path, bundle: Bundle) -> dict[str, Markup]:
    """What `HEAD` needs of Plotly for a page at `path`; writes its code beside the page where that is asked for."""
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    if bundle == "inside":
        return {"plotly": Markup("<script>{}</script>").format(Markup(get_plotlyjs())), "scripts": Markup("")}
    name = f"plotly-{get_plotlyjs_version()}.min.js"
    if not path.with_name(name).is_file():
        with atomic_write(path.with_name(name)) as temporary:
            temporary.write_text(get_plotlyjs(), encoding="utf-8")
    return {"plotly": Markup('<script src="{}"></script>').format(name), "scripts": Markup("'self' file:")}


def _variables(dark: bool) -> str:
    return " ".join(f"--{name}: {DARK[colour] if dark else colour};" for name, colour in _COLOURS.items())


@cache
def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
