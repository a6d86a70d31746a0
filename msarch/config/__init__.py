"""One model and how it is trained, as frozen dataclasses. No torch is imported."""

from msarch.config.model import MODEL_CHOICES, NEEDS, ModelConfig
from msarch.config.training import DEFAULT_RUNGS, TRAINING_CHOICES, TrainingConfig

__all__ = ["DEFAULT_RUNGS", "MODEL_CHOICES", "NEEDS", "TRAINING_CHOICES", "ModelConfig", "TrainingConfig"]
