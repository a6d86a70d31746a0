"""Tries a tokenizer file in a process of its own before it is used.

The library behind `tokenizers` can stop the whole process on a file that it did not write, or ask for all memory.
Where that happens to the other process, this one refuses the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache

from msarch.errors import UserError

SECONDS = 60
MOST_MEMORY = 8 * 2**30
"""Bytes of address space in which a tokenizer file must open."""
LARGEST_VOCABULARY = 2**24

_TRY = """
import json, sys
memory, numbers, sys.path[:] = json.loads(sys.argv[1])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass  # no such limits on this system, or stricter ones are set
text = sys.stdin.buffer.read().decode(errors="replace")
import tokenizers
try:
    raw = tokenizers.Tokenizer.from_str(text)
    raw.no_padding()
    raw.no_truncation()
    raw.encode_special_tokens = True
    words = "The cat sat.\\n\\n  Gr\\u00f6\\u00dfe 1,024 \\u65e5\\u672c \\U0001f642 "
    raw.decode(raw.encode_batch_fast([words + "ab" * 500])[0].ids)
    raw.to_str()
    largest = max(raw.get_vocab(with_added_tokens=True).values(), default=-1)
except BaseException as error:  # a panic of the library is no Exception
    sys.stdout.buffer.write((str(error) or type(error).__name__)[:300].encode(errors="replace"))
    sys.exit(3)
if not 0 <= largest < numbers:
    sys.stdout.buffer.write(b"its token numbers reach %d" % largest if largest >= 0 else b"it has no tokens")
    sys.exit(3)
"""


@lru_cache(maxsize=64)
def check_tokenizer(content: bytes) -> None:
    """Raises UserError, without a key, unless the library can open, use and write what a tokenizer file holds."""
    # isolated, but with this process's path: a tokenizers.py in the working directory is not imported
    given = json.dumps([MOST_MEMORY, LARGEST_VOCABULARY, sys.path])
    command = [sys.executable, "-I", "-c", _TRY, given]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"the tokenizers library does not open it within {SECONDS} seconds") from None
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        raise UserError(said.splitlines()[0] if said else "it stops the tokenizers library")
