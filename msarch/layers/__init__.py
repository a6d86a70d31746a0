"""What every architecture is made of: attention, blocks, positions, and the ways between scales."""
