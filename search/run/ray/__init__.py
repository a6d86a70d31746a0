"""Ray: its session, its processes, and the thin searcher and scheduler that pass on to the coordinator."""
