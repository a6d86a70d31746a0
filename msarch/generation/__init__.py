"""Text from a trained model, token by token, each computed from what is kept of those before it."""

from msarch.generation.decoder import Decoder

__all__ = ["Decoder"]
