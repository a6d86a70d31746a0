"""Search spaces that ship with msarch; `msarch search NAME` finds them by name."""
