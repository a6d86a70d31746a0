"""What a space's YAML may say: its keys, their types, their documentation, and the reader that knows lines."""
