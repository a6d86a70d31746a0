"""The architectures, one file each, and what is read off them: structure, causality."""
