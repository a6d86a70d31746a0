"""One model and how it is trained, as frozen dataclasses. No torch is imported."""

from msarch.config.model import CHOICES, DEFAULT_RUNGS, MODEL_CHOICES, NEEDS, ModelConfig, TrainingConfig

__all__ = ["CHOICES", "DEFAULT_RUNGS", "MODEL_CHOICES", "NEEDS", "ModelConfig", "TrainingConfig"]
