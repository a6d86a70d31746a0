"""How much training do search strategies need to find a front? See `benchmarks.search_efficiency.command`."""
