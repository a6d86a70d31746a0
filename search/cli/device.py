"""Where a trial is trained again, and what differs from the machine of the search."""

from __future__ import annotations

from search.results.reproduce import differences
from search.results.results import Results


def training_environment(results: Results) -> tuple[str, list[str]]:
    """The device to train on, as the search did where it can, and what else differs."""
    import torch

    from search.run.environment import describe_environment

    had_gpu = bool(results.environment.get("gpus"))
    device = "cuda" if had_gpu and torch.cuda.is_available() else "cpu"
    return device, differences(results.environment, describe_environment())


def explanations(device: str, changed: list[str]) -> list[str]:
    """A line for each reason why figures may differ, or one that says that there is none."""
    on_gpu = ["on a GPU the gradients of attention are not deterministic: small differences are expected"]
    reasons = [*changed, *(on_gpu if device == "cuda" else [])]
    return reasons or ["the recorded environment is the same as this one"]
