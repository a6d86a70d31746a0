"""Why a trial that is trained again may have other figures."""

from __future__ import annotations

from search.cli.device import explanations


def test_on_a_gpu_small_differences_are_explained() -> None:
    changed = ["torch: 2.9 when recorded, 2.13 now"]
    expected = "on a GPU the gradients of attention are not deterministic: small differences are expected"
    assert explanations("cuda", changed) == [*changed, expected]
    assert explanations("cuda", []) == [expected]


def test_on_a_cpu_nothing_but_the_environment_explains_them() -> None:
    assert explanations("cpu", ["cpu: A when recorded, B now"]) == ["cpu: A when recorded, B now"]
    assert explanations("cpu", []) == ["the recorded environment is the same as this one"]
