"""The language of search spaces: from YAML to candidates."""
