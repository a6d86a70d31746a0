"""What a model computes, in which order and from what, traced on the model itself instead of its configuration.

The model runs once on fake tensors (shapes without data). Each stack of layers marks its output, and the result of
every operation carries the marks of all its inputs. So the places where streams meet are observed, for any variant and
any options.

A module may name in a word or two what it does to the streams that pass through it, ``drawn_as = "concat"``. With an
attribute ``layers`` it counts as that many layers of the scale that it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from msarch.config import ModelConfig
from msarch.layers.transformer_layer import Stack
from msarch.models.build import model_class

TOKENS = -1
"""The source of streams that come straight from the token embeddings instead of a run."""


@dataclass(frozen=True, slots=True)
class StreamInput:
    """One stream that a run reads.

    Attributes:
        source: the number of the run that it comes from, or TOKENS.
        labels: `drawn_as` of the modules that it passed, in order.
    """

    source: int
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """States of one scale that an attention reads: `blocks` of `factor` tokens each."""

    factor: int
    blocks: range


@dataclass(frozen=True, slots=True)
class Run:
    """`layers` layers that run on `states` states, each of `factor` tokens; 0 layers where streams only meet.

    Attributes:
        width: of each state.
        inputs: the streams that it reads, the earliest source first.
        keys: what the last state reads in every layer, the coarsest first; empty where it is all of the past.
        ff_layers: how many of the layers, the last ones, have no attention.
    """

    layers: int
    factor: int
    states: int
    width: int
    inputs: tuple[StreamInput, ...]
    keys: tuple[Keys, ...] = ()
    ff_layers: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """A model as runs of layers in the order of computation, and the streams that the logits are made of.

    Attributes:
        context: tokens of a sequence.
        width: of the states that the logits are read from, and of the embeddings.
        runs: in the order of computation.
        readout: the streams of the logits.
    """

    context: int
    width: int
    runs: tuple[Run, ...]
    readout: tuple[StreamInput, ...]

    @property
    def factors(self) -> tuple[int, ...]:
        """Every scale that something runs at, the coarsest first; tokens and logits are of scale 1."""
        return tuple(sorted({run.factor for run in self.runs} | {1}, reverse=True))


@runtime_checkable
class AttentionPattern(Protocol):
    """The `pattern` of an attention that does not read all of the past: what it reads instead."""

    @property
    def factors(self) -> tuple[int, ...]:
        """Of its keys, the finest first."""

    def blocks(self, queries: range) -> list[range]:
        """The blocks of each scale, the coarsest first, that any of these tokens reads."""


@lru_cache(maxsize=256)  # a report draws the same few models again and again
def trace_structure(config: ModelConfig) -> Structure:
    """The structure of the model that `config` describes. An empty stack counts only where streams meet in it."""
    coarsest = max(config.scales)
    length = config.context // coarsest * coarsest  # whole blocks alone: each scale's factor is exact then
    with FakeTensorMode(), torch.no_grad():
        model = model_class(config.variant)(config).eval()
        tokens = torch.zeros(1, length, dtype=torch.int64)
        trace = _Trace(tokens, config.context)
        trace.follow(model)
        with trace:
            features = model.features(tokens)
            readout = trace.inputs(features)
    return Structure(config.context, features.shape[2], tuple(trace.runs), readout)


class _Trace(TorchFunctionMode):
    """Follows every tensor of a forward pass, and notes the stacks that run in it."""

    def __init__(self, tokens_BT: Tensor, context: int) -> None:
        super().__init__()
        self.runs: list[Run] = []
        self._length, self._context = tokens_BT.shape[1], context
        self._begun: set[int] = set()  # runs begun by a module with layers of its own, which a stack may continue
        # By the id of a tensor. The tensor is held too: after it is freed, another one could get its id.
        self._marks: dict[int, tuple[Tensor, frozenset[StreamInput]]] = {}
        self._mark(tokens_BT, frozenset({StreamInput(TOKENS)}))

    def follow(self, model: nn.Module) -> None:
        """Note the model's stacks, and the modules that say what they do."""
        for module in model.modules():
            if isinstance(module, Stack):
                module.register_forward_hook(self._ran, with_kwargs=True)
            elif getattr(module, "drawn_as", ""):
                module.register_forward_hook(self._passed, with_kwargs=True)

    def inputs(self, values: object) -> tuple[StreamInput, ...]:
        """The streams that these tensors are made of, one for each source."""
        labels: dict[int, dict[str, None]] = {}
        for read in sorted(self._marks_of(values), key=lambda read: (read.source, read.labels)):
            labels.setdefault(read.source, {}).update(dict.fromkeys(read.labels))
        return tuple(StreamInput(source, tuple(words)) for source, words in labels.items())

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation on tensors: what it makes carries the marks of what it read."""
        result = func(*args, **(kwargs or {}))
        changed = args[0] if result is None and args else result  # x[...] = y changes x and returns None
        self._mark(changed, self._marks_of((args, kwargs)))
        return result

    def _ran(self, stack: Stack, args: object, kwargs: object, output: Tensor) -> None:
        inputs = self.inputs((args, kwargs))
        if not len(stack) and len(inputs) < 2:  # no layers, no meeting: the stream only passes
            return
        if len(inputs) == 1 and inputs[0].source in self._begun:
            number = inputs[0].source
            layers = self.runs[number].layers + len(stack)
            self.runs[number] = replace(self.runs[number], layers=layers, ff_layers=stack.ff_layers)
            self._mark(output, frozenset({StreamInput(number)}))
        else:
            self._run(len(stack), output, inputs)
            keys = _keys_of_last(stack, self._length)
            self.runs[-1] = replace(self.runs[-1], keys=keys, ff_layers=stack.ff_layers)

    def _run(self, layers: int, output: Tensor, inputs: tuple[StreamInput, ...]) -> None:
        factor = round(self._length / output.shape[1])
        self.runs.append(Run(layers, factor, self._context // factor, output.shape[2], inputs))
        self._mark(output, frozenset({StreamInput(len(self.runs) - 1)}))

    def _passed(self, module: nn.Module, args: object, kwargs: object, output: object) -> None:
        label = str(module.drawn_as)
        # A custom autograd function hides its operations, so its output has no marks: assume that it reads every input.
        passed = self._marks_of(output) or self._marks_of((args, kwargs))
        self._mark(output, frozenset(StreamInput(read.source, (*read.labels, label)) for read in passed))
        layers = getattr(module, "layers", 0)
        if layers and isinstance(output, Tensor):
            self._begun.add(len(self.runs))
            self._run(layers, output, self.inputs(output))

    def _marks_of(self, values: object) -> frozenset[StreamInput]:
        found = [self._marks[id(tensor)][1] for tensor in _tensors(values) if id(tensor) in self._marks]
        return frozenset().union(*found)

    def _mark(self, values: object, inputs: frozenset[StreamInput]) -> None:
        if inputs:
            self._marks.update({id(tensor): (tensor, inputs) for tensor in _tensors(values)})


def _tensors(values: object) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


def _keys_of_last(stack: Stack, length: int) -> tuple[Keys, ...]:
    patterns = (getattr(module, "pattern", None) for module in stack.modules())
    pattern = next((pattern for pattern in patterns if isinstance(pattern, AttentionPattern)), None)
    if pattern is None:
        return ()
    last = pattern.blocks(range(length - 1, length))
    return tuple(Keys(factor, blocks) for factor, blocks in zip(reversed(pattern.factors), last, strict=True))
