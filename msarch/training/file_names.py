"""The names of a training's checkpoints, for those who need no more of it: torch is not loaded."""

from __future__ import annotations

FILE = "checkpoint.safetensors"
BEFORE_DECAY = "before-decay.safetensors"
"""The checkpoint from which a wsd run can be continued to a larger budget."""
