"""Searches over many models."""
