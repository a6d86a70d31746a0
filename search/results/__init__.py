"""Results of a search, read from its folder: records, fronts, tables, reproduction."""
