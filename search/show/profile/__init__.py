"""A memory profile for people: tables, words, one HTML page."""
