"""How many trials run at a time, and what each takes of the cores and GPUs of a machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msarch.errors import UserError
from search.run.room import most_processes
from search.space.schema.resources import ResourcesSpec

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores and GPUs of one machine."""

    cpus: float
    gpus: int = 0

    def fits(self, cpu: float, gpu: float) -> int:
        """How many trials fit that take so much each; a share of a GPU is all of one GPU."""
        by_cpu = math.floor(self.cpus / cpu + _ROUNDING)
        if gpu == 0:
            return by_cpu
        by_gpu = self.gpus * math.floor(1 / gpu + _ROUNDING) if gpu <= 1 else self.gpus // round(gpu)
        return min(by_cpu, by_gpu)


@dataclass(frozen=True, slots=True)
class Slots:
    """Places for trials.

    Attributes:
        count: trials at a time.
        cpu: cores of each.
        gpu: GPUs of each; below 1 a share of one.
        fitting: how many would fit, where that is fewer than were asked for; else None.
        gpus: of all machines together.
    """

    count: int
    cpu: float
    gpu: float
    fitting: int | None = None
    gpus: int = 0

    @property
    def device(self) -> str:
        """The device on which a trial trains."""
        return "cuda" if self.gpu else "cpu"

    @property
    def gpu_share(self) -> float:
        """The share of a GPU's memory that a trial may take."""
        return min(1.0, self.gpu or 1.0)


def choose_slots(machines: Sequence[Machine], resources: ResourcesSpec, concurrent: int | None) -> Slots:
    """Places on these machines: `concurrent` of them, or as many as fit.

    Raises:
        UserError: no machine has room for a single trial.
    """
    cpu, gpus = resources.cpu or 1, sum(machine.gpus for machine in machines)
    if resources.gpu is not None:
        gpu = resources.gpu
    elif gpus:
        cores = sum(machine.fits(cpu, 0) for machine in machines)
        gpu = _share(min(concurrent or gpus, max(1, cores)), gpus)
    else:
        gpu = 0
    fitting = sum(machine.fits(cpu, gpu) for machine in machines)
    if not fitting:
        raise _too_large(cpu, gpu, machines)
    wanted = concurrent or fitting
    return Slots(min(wanted, fitting), cpu, gpu, fitting if wanted > fitting else None, gpus)


def local_slots(
    resources: ResourcesSpec, concurrent: int | None, cores: int, gpus: int, free: int | None = None
) -> Slots:
    """Places on this machine, where more trials at a time than cores share them. Raises UserError as above.

    Ray is told of as many cores as there are places, one for each, since it starts a process for every core. More
    processes than the `free` bytes of memory have room for would bring the machine down.
    """
    room = Machine(max(cores, math.ceil((concurrent or 0) * (resources.cpu or 1))), gpus)
    slots = replace(choose_slots([room], resources, concurrent), cpu=1)
    most = slots.count if free is None else most_processes(free)
    if slots.count <= most:
        return slots
    return replace(slots, count=most, fitting=most if concurrent else None)


def _share(trials: int, gpus: int) -> float:
    """Of a GPU, where so many trials share so many; Ray counts in steps of a ten-thousandth."""
    return math.floor(10_000 / math.ceil(trials / gpus)) / 10_000


def _too_large(cpu: float, gpu: float, machines: Sequence[Machine]) -> UserError:
    if gpu and not any(machine.gpus for machine in machines):
        return UserError(
            f"each trial asks for {gpu:g} GPU, and there is none; leave it out, or write 0, to train on CPUs",
            key="search.resources.gpu",
        )
    there = "; ".join(sorted({_words(machine.cpus, machine.gpus) for machine in machines})) or "nothing"
    return UserError(
        f"no machine has the {_words(cpu, gpu)} that one trial takes; there are machines with {there}",
        key="search.resources",
    )


def _words(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU{f' and {gpus:g} GPU' if gpus else ''}"
