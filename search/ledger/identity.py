"""Whether a results folder holds the search of this space; if not, which keys changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config import ModelConfig
from msarch.config.candidate import ABSENT_MEANS
from msarch.config.corpus import SPLITS
from msarch.errors import UserError

if TYPE_CHECKING:
    import optuna

IDENTITY = "identity"
DEFAULTS = "defaults"
"""What the space left open and models had when the search began: later defaults are not for it."""

ONE_STRETCH = "one_stretch"
"""All vocabularies are judged on the same stretch of text. Without it, as before: on the same number of tokens."""
EQUAL_COUNTS = (
    "was begun by an earlier version, which judged each vocabulary on as many tokens, a small one on less of the text; "
    "its later trials are judged in the same way. Search into another folder to judge all on the same text"
)
"""Of a search whose vocabulary varies and that lacks `ONE_STRETCH`: what to know when it is continued."""

_TEXT = (*SPLITS, "content")
"""Keys of the corpus that say where the text is, and the one that says which text it is."""

_LATER = [item for item in fields(ModelConfig) if item.name in ABSENT_MEANS["model"]]


def check_identity(attributes: Mapping[str, Any], identity: Mapping[str, Any], folder: Path) -> None:
    """Check that a space is the one that was recorded, if one was; its text may have moved.

    Args:
        attributes: of the search study.

    Raises:
        UserError: the space or its text differs; the keys that changed are named.
    """
    recorded, now = attributes.get(IDENTITY), _as_recorded(identity)
    if recorded is None or recorded == now:
        return
    before, after = _content(recorded), _content(now)
    if before and before == after:  # the same text, wherever it is
        recorded, now = _without(recorded, SPLITS), _without(now, SPLITS)
    elif before and _without(recorded, _TEXT) == _without(now, _TEXT):
        raise UserError(
            f"{folder} holds the search of another text: its content was {before}, and is {after} now; search into "
            "another folder with --out, or " + _put_back(now)
        )
    if recorded != now:
        raise UserError(
            f"{folder} holds the search of another space; search into another folder with --out, or put back "
            + changes(recorded, now)
        )


def _content(identity: Mapping[str, Any]) -> str:
    content: str = identity.get("corpus", {}).get("content", "")
    return content


def _without(identity: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    corpus = identity.get("corpus", {})
    return {**identity, "corpus": {key: value for key, value in corpus.items() if key not in keys}}


def _put_back(identity: Mapping[str, Any]) -> str:
    if "train" not in identity["corpus"]:  # nothing to name: the embedded text follows the version of Python
        return "put back the text that was searched"
    return "name the text that was searched with --set corpus.train=... (and corpus.validation=...)"


def record_identity(study: optuna.Study, identity: Mapping[str, Any]) -> None:
    """Record what the space is and today's defaults, where that is not recorded yet."""
    if IDENTITY not in study.user_attrs:
        # The defaults first: a search that has an identity and no defaults began before these were recorded.
        study.set_user_attr(DEFAULTS, {item.name: item.default for item in _LATER})
        study.set_user_attr(IDENTITY, _as_recorded(identity))


def defaults_of(study: optuna.Study) -> dict[str, Any]:
    """What models of this search have where the space does not say, of all fields that came after version 0.1."""
    return {**ABSENT_MEANS["model"], **study.user_attrs.get(DEFAULTS, {})}


def text_names_of(study: optuna.Study) -> dict[str, tuple[str, ...]]:
    """The files or splits by which a search knows its text: those that it began with, wherever the text is now."""
    corpus = study.user_attrs.get(IDENTITY, {}).get("corpus", {})
    return {key: tuple(corpus.get(key, ())) for key in SPLITS}


def begin_with_one_stretch(study: optuna.Study) -> bool:
    """Record the rule of `ONE_STRETCH`, unless trials were proposed without it: these stay comparable.

    Returns:
        whether the search has it.
    """
    if ONE_STRETCH not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(ONE_STRETCH, True)
    return has_one_stretch(study)


def has_one_stretch(study: optuna.Study) -> bool:
    """Whether candidates are judged on the same stretch of text, whatever their vocabulary."""
    return bool(study.user_attrs.get(ONE_STRETCH, False))


def _as_recorded(identity: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(identity))


def changes(before: Any, after: Any, *, at_most: int = 4) -> str:
    """The keys in which two nested mappings differ, with both values: ``model.context: 64, now 128``."""
    found = list(_changes(before, after, ""))
    more = f", and {len(found) - at_most} more" if len(found) > at_most else ""
    return "; ".join(found[:at_most]) + more


def _changes(before: Any, after: Any, key: str) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(name), after.get(name), f"{key}.{name}" if key else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (mine, theirs) in enumerate(zip(before, after, strict=True)):
            yield from _changes(mine, theirs, f"{key}[{index}]")
    else:
        yield f"{key}: {_brief(before)}, now {_brief(after)}"


def _brief(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
