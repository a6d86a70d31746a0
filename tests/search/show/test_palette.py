"""Every variant can be told from every other, in colour and without."""

from __future__ import annotations

from msarch.config.variants import VARIANTS
from search.show.palette import look


def test_each_variant_has_a_colour_a_symbol_and_a_marker_of_its_own() -> None:
    looks = [look(variant) for variant in (*VARIANTS, "no longer registered")]
    for part in ("colour", "symbol", "marker"):
        assert len({getattr(each, part) for each in looks}) == len(looks), part
