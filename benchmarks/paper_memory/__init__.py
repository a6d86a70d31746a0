"""The paper's statement on memory, allocation by allocation."""
