"""Quantities as people write them: a comma or an underscore groups thousands, and is never a decimal point."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from msarch.errors import UserError
from msarch.units import parse_bytes, parse_count, parse_seconds

Parser = Callable[[object], int]


@pytest.mark.parametrize(
    ("parse", "written", "meant"),
    [
        (parse_count, "1,500", 1500),
        (parse_count, "12,345,678", 12_345_678),
        (parse_count, "1_000_000", 1_000_000),
        (parse_count, "1,500.5k", 1_500_500),
        (parse_count, "5M", 5_000_000),
        (parse_count, "1000000", 1_000_000),
        (parse_count, "1e6", 1_000_000),
        (parse_bytes, "1.5 GiB", 3 * 2**29),
        (parse_bytes, "1,024 MiB", 2**30),
        (parse_bytes, " 24GiB ", 24 * 2**30),
        (parse_seconds, "2.5h", 9000),
        (parse_seconds, "3,600", 3600),
        (parse_seconds, 90, 90),
    ],
)
def test_quantities_are_read_as_they_are_meant(parse: Parser, written: object, meant: int) -> None:
    assert parse(written) == meant


@pytest.mark.parametrize(
    ("parse", "written", "said"),
    [
        (parse_bytes, "1,5 GiB", "'1,5 GiB' is not a size; write it like 512 MiB, 24 GiB or 1.5 GB"),
        (parse_bytes, "0,500 GiB", "'0,500 GiB' is not a size"),
        (parse_bytes, "1_5 GiB", "'1_5 GiB' is not a size"),
        (parse_count, "1,5M", "'1,5M' is not a count"),
        (parse_count, "1,50", "'1,50' is not a count"),
        (parse_count, "1500,000", "'1500,000' is not a count"),
        (parse_count, "1,0000", "'1,0000' is not a count"),
        (parse_count, "1,000,00", "'1,000,00' is not a count"),
        (parse_count, "1.5,000", "'1.5,000' is not a count"),
        (parse_seconds, "2,5h", "'2,5h' is not a duration"),
    ],
)
def test_a_decimal_comma_is_refused(parse: Parser, written: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(written)
    assert raised.value.message.startswith(said)
