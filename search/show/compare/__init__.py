"""Several searches side by side, as tables and as a page."""
