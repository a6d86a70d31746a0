"""A front trained again with further seeds: how sure its models and its claims are."""
