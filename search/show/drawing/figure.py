"""A drawn model as a Plotly figure, for notebooks: the SVG drawing, as large as it is."""

from __future__ import annotations

import base64
import re

import plotly.graph_objects as go

from msarch.config import ModelConfig
from search.show.drawing.svg import draw_svg


def architecture_figure(model: ModelConfig) -> go.Figure:
    """The drawing of `model` in a figure of the same size in pixels."""
    drawing = draw_svg(model)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', drawing)
    assert size is not None
    width, height = map(float, size.groups())
    encoded = base64.b64encode(drawing.encode()).decode()
    figure = go.Figure()
    figure.add_layout_image(
        source=f"data:image/svg+xml;base64,{encoded}", xref="paper", yref="paper", x=0, y=1, sizex=1, sizey=1
    )
    figure.update_layout(
        template="none",
        width=round(width),
        height=round(height),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"visible": False, "fixedrange": True},
        yaxis={"visible": False, "fixedrange": True},
    )
    return figure
