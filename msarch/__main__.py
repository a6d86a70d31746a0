"""`python -m msarch` is the command `msarch`."""

from msarch.search_package import load_search

if __name__ == "__main__":
    load_search()  # before anything imports it: the current directory comes first on the path here
    from search.cli.app import main

    main()
