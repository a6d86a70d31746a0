"""Accidents that befall a file: cuts, flipped bits and bytes, altered figures, lines lost, doubled or swapped."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Damage = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, random_: random.Random) -> bytes:
    return content[: random_.randrange(len(content))]


def cut_at_a_line(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: random_.randrange(len(lines))])


def empty(content: bytes, random_: random.Random) -> bytes:
    return b""


def flip_a_bit(content: bytes, random_: random.Random) -> bytes:
    at = random_.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << random_.randrange(8))]) + content[at + 1 :]


def flip_a_byte(content: bytes, random_: random.Random) -> bytes:
    at = random_.randrange(len(content))
    return content[:at] + bytes([content[at] ^ random_.randrange(1, 256)]) + content[at + 1 :]


def alter_a_digit(content: bytes, random_: random.Random) -> bytes:
    at = random_.choice([found.start() for found in re.finditer(rb"[0-9]", content)])
    digit = random_.choice([b"%d" % value for value in range(10) if b"%d" % value != content[at : at + 1]])
    return content[:at] + digit + content[at + 1 :]


def alter_a_letter(content: bytes, random_: random.Random) -> bytes:
    at = random_.choice([found.start() for found in re.finditer(rb"[a-y]", content)])
    return content[:at] + bytes([content[at] + 1]) + content[at + 1 :]


def replace_a_number(content: bytes, random_: random.Random) -> bytes:
    found = random_.choice(list(re.finditer(rb"-?[0-9]+(\.[0-9]+)?", content)))
    other = random_.choice([b"NaN", b"-1", b"1e999", b"null", b'"x"', b"[]", b"99999999999999999999", b"{}", b"0"])
    return content[: found.start()] + other + content[found.end() :]


def lose_a_line(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[random_.randrange(len(lines))]
    return b"".join(lines)


def double_a_line(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = random_.randrange(len(lines) - 1)
    return b"".join([*lines[: at + 1], *lines[at:]])


def swap_two_lines(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    one, other = random_.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def zero_a_stretch(content: bytes, random_: random.Random) -> bytes:
    at = random_.randrange(len(content))
    length = min(random_.randrange(1, 600), len(content) - at)
    return content[:at] + bytes(length) + content[at + length :]


def nest_deeply(content: bytes, random_: random.Random) -> bytes:
    """A line that no parser finishes, before the last one: after that it would be what a crash leaves, no damage."""
    last = content.rindex(b"\n", 0, len(content) - 1)
    at = content.index(b"\n", random_.randrange(last)) + 1
    return content[:at] + b"[" * 200_000 + b"\n" + content[at:]


def replace_a_line(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    other = [b"[]\n", b"null\n", b"{}\n", b'{"op_code":77}\n', b'{"op_code":8,"trial_id":0}\n', b"\xff\xfe\n", b"7\n"]
    lines[random_.randrange(len(lines))] = random_.choice(other)
    return b"".join(lines)


DAMAGES: list[Damage] = [
    cut,
    cut_at_a_line,
    empty,
    flip_a_bit,
    flip_a_byte,
    alter_a_digit,
    alter_a_letter,
    replace_a_number,
    lose_a_line,
    double_a_line,
    swap_two_lines,
    zero_a_stretch,
    nest_deeply,
    replace_a_line,
]
