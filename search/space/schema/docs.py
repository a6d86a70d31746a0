"""Writes docs/space.md from the schema: ``python -m search.space.schema.docs > docs/space.md``, or ``--check`` it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from msarch.errors import UserError
from search.space.schema.corpus import CorpusSpec
from search.space.schema.fields import Spec
from search.space.schema.limits import LIMITS_SCHEMA
from search.space.schema.model import BRANCHES, MODEL_SCHEMA, TRAINING_SCHEMA, VARIANT_OPTIONS, VARIANTS_SCHEMA
from search.space.schema.resources import ResourcesSpec
from search.space.schema.search import SearchSettings
from search.space.schema.space import SpaceSpec
from search.space.values.constraints import NAMES

_INTRODUCTION = """\
# The space language

<!-- Written by `python -m search.space.schema.docs` from the models that validate a space. Do not edit by hand. -->

A search space is a YAML file: what may vary, what is fixed, limits and budget. This one is complete:

```yaml
corpus: {source: python-docs, tokenizer: {bpe: 1024}}
model:
  context: 128
  d_model: {min: 32, max: 96, step: 16}
  d_head: 16
  variant:                                   # one branch is chosen; what stands inside varies in it only
    vanilla:  {layers: "1..6@1"}
    top_down: {layers: ["1..6@4 1..3@1", "1..4@16 1..4@4 1..3@1"]}
training: {tokens: 500k, batch_size: 8, learning_rate: {min: 2e-3, max: 1e-2, log: true}}
limits: {memory: 32 MiB}
objectives: [perplexity, memory]
search: {sampler: tpe, pruner: pareto, trials: 24, seed: 0}
```

`msarch spaces` lists the spaces that ship, `msarch spaces SPACE` describes one, and
`msarch search SPACE --set training.tokens=1M` changes a key for one search; `--set corpus.validation=` leaves one out.

## Values
| written | means |
| --- | --- |
| `8`, `1e-3`, `fused` | a constant |
| `{values: [8, 16]}` | one of these |
| `{min: 32, max: 96, step: 16}` | 32, 48, 64, 80 or 96; whole numbers go by 1 where `step` is left out |
| `{min: 5e-4, max: 1e-2, log: true}` | any number in between, its logarithm uniform |
| `2M`, `300k`, `256 MiB`, `10m` | counts (k, M, B, T), sizes (kB, MB, GB; KiB, MiB, GiB), durations (s, m, h, d) |
| `"1 4 16"` or `[1, 4, 16]` | a list of numbers; `["1 4 16", "1 8"]` is one of two such lists |
| `"12@16 9@4 9@1"` | layers at each factor, in the order of computation; each factor divides the next larger |
| `"1..6@16 1..4@4 2@1"` | every allocation with 1 to 6 layers at factor 16, 1 to 4 at factor 4 and 2 at every token |
| `"{2,4,8}@4 2@1"` | 2, 4 or 8 layers at factor 4 |
| `"2+4ff@16 2@1"` | at factor 16 two layers, then four feed-forward ones, without attention; `4ff@16` is these alone |
| `"1..2+0..4ff@16 2@1"` | 1 or 2 layers, then none to 4 without attention: each combination is an allocation |
| `"4@16:192 2@1"` | the states of factor 16 are 192 wide; where no width is given they are `d_model` wide |
| `"4@16:{128,192} 2@1"`, `"4@16:96..192 2@1"` | 128 or 192 wide; 96 to 192 in steps of `d_head` |
| `["1..6@4 1..4@1", "1..8@16 1..4@1"]` | alternatives: one of these allocations |

A width is that of a whole scale, so it is written once. It must be a whole number of heads: `d_head`, which is
`d_model / n_heads`, is the same at every scale. At factor 1 states are `d_model` wide.

A key stands once. Quotes are needed only around `{`, `[`, `:`, `#`, `*` and leading or trailing blanks. A key
marked *varies* takes all of these forms; the others take a constant. Relative paths start at the directory in which
the command is run, as the shell's do. A mistake is told in one line with the file, its line and the key's path.
"""

_ANY_KEY = "Any key of `model` may stand here too, and then varies in this branch only."

_SECTIONS: tuple[tuple[str, type[Spec]], ...] = (
    ("The file", SpaceSpec),
    ("corpus", CorpusSpec),
    ("model", MODEL_SCHEMA),
    ("model.variant", VARIANTS_SCHEMA),
    ("training", TRAINING_SCHEMA),
    ("limits", LIMITS_SCHEMA),
    ("search", SearchSettings),
    ("search.resources", ResourcesSpec),
)


def space_docs() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION]
    for title, spec in _SECTIONS:
        parts.append(_section(title, spec))
        if spec is VARIANTS_SCHEMA:
            parts.extend(_section(f"model.variant.{name}", branch) for name, branch in BRANCHES.items())
    return "\n".join((*parts, _CLOSING))


def _section(title: str, spec: type[Spec]) -> str:
    name = title if title == "The file" else f"`{title}`"
    summary = " ".join((spec.__doc__ or "").split())
    rows = ["| key | value | default | meaning | example |", "| --- | --- | --- | --- | --- |"]
    keys = spec.model_fields
    if title.startswith("model.variant."):
        keys = {key: info for key, info in keys.items() if key == "layers" or key in VARIANT_OPTIONS}
        summary = f"{summary[:1].upper()}{summary[1:]}. {_ANY_KEY}"
    elif spec is MODEL_SCHEMA:
        keys = {key: info for key, info in keys.items() if key not in VARIANT_OPTIONS}
    rows += [_row(key, info) for key, info in keys.items()]
    return f"## {name}\n{summary}\n\n" + "\n".join(rows) + "\n"


def _row(key: str, info: Any) -> str:
    extra = info.json_schema_extra
    default = extra["default_text"] or ("required" if info.is_required() else "none")
    value = extra["value"] + (", *varies*" if extra["varies"] else "")
    cells = (f"`{key}`", value, default, info.description, f"`{extra['example']}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_CLOSING = f"""\
## `constraints`
Each is a comparison with `<=`, `>=` or `==` (`2 <= n_layers <= 12` works as well) of sums and products of numbers
and of {", ".join(f"`{name}`" for name in NAMES)}, `layers@FACTOR`, `ff_layers@FACTOR` and `width@FACTOR`: the layers
of one scale, those of them without attention, and the width of its states (0 where a model has no such scale). A
candidate that breaks one is never trained; by how much it does teaches the sampler.

## `points`
Each design is a mapping of keys of `model` and `training` to constants, with `variant` where the space has several
branches: `{{variant: top_down, layers: "4@4 2@1", d_model: 64, learning_rate: 3e-3}}`. It must lie within the space.
What it leaves out is drawn by the sampler, widths within `layers` included.

## What a search keeps equal
All candidates share the seed of their weights, the order of the data and the target tokens of validation (0.8 % of
the smallest budget, unless `validation_tokens` says otherwise). A space that varies the tokenizer is judged by
`bits_per_byte`, since perplexity compares within one vocabulary only. There `validation_tokens` counts tokens of the
smallest vocabulary. A larger one reads the same stretch of text in fewer tokens: it is judged on as many of them as
end nearest to where that stretch ends, and this number is in the trial's configuration.
"""


def main(arguments: list[str]) -> int:
    """Prints the page, or with ``--check FILE`` tells whether the file holds it."""
    if not arguments:
        sys.stdout.write(space_docs())
        return 0
    if arguments[0] != "--check" or len(arguments) != 2:
        raise UserError("usage: python -m search.space.schema.docs [--check docs/space.md]")
    current = Path(arguments[1]).read_text("utf-8") == space_docs()
    if not current:
        sys.stderr.write(f"{arguments[1]} is out of date; run: python -m search.space.schema.docs > {arguments[1]}\n")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
