"""Predicted memory against real tensors."""
