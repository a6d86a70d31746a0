"""What varies: ranges, layer allocations, branches, and the constraints between them."""
