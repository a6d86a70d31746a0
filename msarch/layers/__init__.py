"""What every architecture is made of: attention, transformer layers, positions, and the ways between scales."""
