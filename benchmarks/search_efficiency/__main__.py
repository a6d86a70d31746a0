"""`python -m benchmarks.search_efficiency`."""

from benchmarks.search_efficiency.command import main

if __name__ == "__main__":
    main()
