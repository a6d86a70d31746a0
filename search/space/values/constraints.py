"""Constraints between parameters, such as ``n_layers <= 12``: a tiny language, parsed by `ast`, never run as Python.

A candidate that breaks a constraint is infeasible by a known amount, from which the sampler learns more than from a
refusal.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from msarch.config.candidate import Candidate
from msarch.errors import UserError, quoted, unknown

NAMES: dict[str, Callable[[Candidate], float]] = {
    "n_layers": lambda candidate: candidate.model.n_layers,
    "d_model": lambda candidate: candidate.model.d_model,
    "n_heads": lambda candidate: candidate.model.n_heads,
    "d_head": lambda candidate: candidate.model.d_head,
    "context": lambda candidate: candidate.model.context,
    "vocab_size": lambda candidate: candidate.model.vocab_size,
    "batch_size": lambda candidate: candidate.training.batch_size,
}
"""The names that a constraint may use, beside those of `AT_FACTOR`."""


def _layers_at(candidate: Candidate, factor: int) -> int:
    return sum(stage.layers for stage in candidate.model.stages if stage.factor == factor)


def _ff_layers_at(candidate: Candidate, factor: int) -> int:
    return sum(stage.ff_layers for stage in candidate.model.stages if stage.factor == factor)


def _width_at(candidate: Candidate, factor: int) -> int:
    return candidate.model.width_at(factor) if factor in candidate.model.scales else 0


AT_FACTOR: dict[str, Callable[[Candidate, int], int]] = {
    "layers": _layers_at,
    "ff_layers": _ff_layers_at,
    "width": _width_at,
}
"""The names that stand before ``@FACTOR``: figures of one scale, 0 where a model has no such scale."""

_LEGAL = (*NAMES, *(f"{name}@FACTOR" for name in AT_FACTOR))
_SCALED = re.compile(rf"\b({'|'.join(AT_FACTOR)})\s*@\s*([0-9]{{1,9}})\b")
_SCALED_NAME = re.compile(rf"({'|'.join(AT_FACTOR)})_at_([0-9]+)")
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


@dataclass(frozen=True)
class Constraint:
    """One constraint.

    Attributes:
        text: as it was written.
        tree: its comparison, with only the nodes that this module knows.
    """

    text: str
    tree: ast.Compare = field(compare=False, repr=False)

    def violation(self, candidate: Candidate) -> float:
        """By how much `candidate` breaks the constraint; 0 or less where it does not."""
        sides = [_value(node, candidate) for node in (self.tree.left, *self.tree.comparators)]
        gaps = []
        for operator, left, right in zip(self.tree.ops, sides, sides[1:], strict=False):
            gap = left - right
            gaps.append(gap if isinstance(operator, ast.LtE) else -gap if isinstance(operator, ast.GtE) else abs(gap))
        return max(gaps)


def parse_constraint(text: object) -> Constraint:
    """The constraint in `text`. Raises UserError."""
    if not isinstance(text, str) or not text.strip() or len(text) > 500:
        raise UserError(f"must be a constraint such as 'n_layers <= 12', got {quoted(text)}")
    try:
        tree = ast.parse(_SCALED.sub(r"\1_at_\2", text.strip()), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise UserError(f"{quoted(text)} is not a constraint; write one such as 'n_layers <= 12'") from None
    if not isinstance(tree, ast.Compare):
        raise UserError(f"{quoted(text)} compares nothing; write a constraint such as 'n_layers <= 12'")
    for operator in tree.ops:
        if not isinstance(operator, ast.LtE | ast.GtE | ast.Eq):
            raise UserError(f"{quoted(text)}: constraints are written with <=, >= or ==")
    for side in (tree.left, *tree.comparators):
        _check(side, text)
    if not any(isinstance(node, ast.Name) for node in ast.walk(tree)):
        raise UserError(f"{quoted(text)} names no parameter; legal: {', '.join(_LEGAL)}")
    return Constraint(text.strip(), tree)


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            pass
        case ast.Name(id=name):
            if name not in NAMES and not _SCALED_NAME.fullmatch(name):
                raise UserError(f"{unknown('name', name, _LEGAL)}, in {quoted(text)}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATIONS:
            if isinstance(operator, ast.Div) and not (isinstance(right, ast.Constant) and right.value):
                raise UserError(f"{quoted(text)}: divide by a number that is not 0 only")
            _check(left, text)
            _check(right, text)
        case _:
            raise UserError(f"{quoted(text)}: only names, numbers, + - * / and <= >= == are understood")


def _value(node: ast.expr, candidate: Candidate) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name](candidate)
        case ast.Name(id=name):
            figure, _, factor = name.partition("_at_")
            return AT_FACTOR[figure](candidate, int(factor))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, candidate)
        case ast.BinOp(left=left, op=operator, right=right):
            return _OPERATIONS[type(operator)](_value(left, candidate), _value(right, candidate))
    raise AssertionError(ast.dump(node))
