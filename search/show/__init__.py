"""What a search shows: fronts, tables, pictures, the report, the live display."""
