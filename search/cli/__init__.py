"""The command line: one file a group of commands, nothing but parsing and printing."""
