"""An architecture drawn from its own structure, in characters and as SVG."""
