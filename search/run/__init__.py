"""A search as it runs: what is proposed, what is trained, what is written down."""
