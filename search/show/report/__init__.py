"""The report: one HTML page for a search."""
