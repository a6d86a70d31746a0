"""From text to batches of tokens. Nothing here knows of models."""
