"""Text from a trained model, token by token, each computed from what is kept of those before it."""

from msarch.generation.decoder import Decoder
from msarch.generation.generate import generate_tokens
from msarch.generation.sampling import Sampling, next_tokens
from msarch.generation.text_stream import TextStream
from msarch.generation.weights import arrange_weights

__all__ = ["Decoder", "Sampling", "TextStream", "arrange_weights", "generate_tokens", "next_tokens"]
