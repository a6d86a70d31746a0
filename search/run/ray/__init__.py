"""Ray: its session, its processes, and the thin searcher and scheduler that forward to the coordinator."""
