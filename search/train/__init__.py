"""One model trained in a folder of its own: from the beginning, or on from where a search left it."""
