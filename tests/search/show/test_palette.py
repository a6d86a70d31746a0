"""How things look: every variant can be told from every other, in colour and without; figures are written in units."""

from __future__ import annotations

from msarch.config.variants import VARIANTS
from search.show.palette import formatter, look


def test_each_variant_has_a_colour_a_symbol_and_a_marker_of_its_own() -> None:
    looks = [look(variant) for variant in (*VARIANTS, "no longer registered")]
    for part in ("colour", "symbol", "marker"):
        assert len({getattr(each, part) for each in looks}) == len(looks), part


def test_times_of_steps_are_written_in_the_unit_that_suits_them() -> None:
    shown = [formatter("step_time")(seconds) for seconds in (0.0132, 0.9994, 0.9996, 3.527, 61)]
    assert shown == ["13.2 ms", "999 ms", "1 s", "3.53 s", "61 s"]
