"""The strategy that spends training where the front gains most: trials pause, and go on where that pays."""
