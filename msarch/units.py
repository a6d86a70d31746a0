"""Quantities as people write them: ``512 MiB``, ``5M``, ``10m``, ``1e-3``; and back."""

from __future__ import annotations

import math
import re

from msarch.errors import UserError, quoted

_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_COUNTS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WHOLE = r"(?:[1-9][0-9]{0,2}(?:[_,][0-9]{3})+|[0-9]+)"  # groups of three digits: in 1,5 and 0,500 the comma is a point
_QUANTITY = re.compile(rf"\s*({_WHOLE}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(value: object) -> int:
    """Bytes from ``512 MiB``, ``24GiB``, ``1.5 GB`` or a plain number of bytes. Raises UserError."""
    return _parse(value, {"": 1, **_BYTES}, "a size", "512 MiB, 24 GiB or 1.5 GB")


def parse_count(value: object) -> int:
    """A count from ``5M``, ``300k``, ``1.5B`` or a plain number. Raises UserError."""
    return _parse(value, _COUNTS, "a count", "5000, 300k, 5M or 1.5B")


def parse_seconds(value: object) -> int:
    """Seconds from ``90s``, ``10m``, ``2h``, ``1d`` or a plain number of seconds. Raises UserError."""
    return _parse(value, {"": 1, **_SECONDS}, "a duration", "90s, 10m, 2h or 1d")


def _parse(value: object, units: dict[str, int], what: str, examples: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UserError(f"{value!r} is not {what}; write it like {examples}")
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or match[2] not in units:
            raise UserError(f"{quoted(str(value))} is not {what}; write it like {examples}")
        number = float(re.sub("[_,]", "", match[1])) * units[match[2]]
    else:
        number = float(value)
    if not math.isfinite(number) or number < 0:
        raise UserError(f"{quoted(str(value))} is not {what}; write it like {examples}")
    return round(number)


def format_bytes(size: float) -> str:
    """``1.7 GiB``, ``80.3 MiB``, ``512 B``: three significant figures, binary units."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1000 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 100 else f"{size:.3g} {unit}"


def format_count(count: float) -> str:
    """``1.35M``, ``820k``, ``12``: three significant figures."""
    for unit in ("", "k", "M", "B", "T"):
        if abs(count) < 999.5 or unit == "T":
            break
        count /= 1000
    return f"{count:.3g}{unit}"


def format_rate(rate: float) -> str:
    """``0.0003``, ``100``: two significant figures, as a learning rate is written in a command."""
    return f"{float(f'{rate:.2g}'):g}"


def format_step_seconds(seconds: float) -> str:
    """``13.2 ms``, ``3.53 s``: three significant figures, for what takes about a second at most."""
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def format_seconds(seconds: float) -> str:
    """``42s``, ``3m05s``, ``2h10m``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
