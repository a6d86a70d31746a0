"""How many trials run at a time on which machines, with cores and GPUs in fractions."""

from __future__ import annotations

import pytest

from msarch.errors import UserError
from search.run.room import WORKER_BYTES
from search.run.slots import Machine, Slots, choose_slots, local_slots
from search.space.schema.resources import ResourcesSpec

LAPTOP, BIG, GPUS = Machine(2), Machine(16), Machine(16, 2)


def taking(cpu: float | None = None, gpu: float | None = None) -> ResourcesSpec:
    return ResourcesSpec.model_validate({k: v for k, v in {"cpu": cpu, "gpu": gpu}.items() if v is not None})


@pytest.mark.parametrize(
    ("machines", "resources", "concurrent", "expected"),
    [
        ([LAPTOP], taking(), None, Slots(2, 1, 0)),
        ([LAPTOP], taking(), 1, Slots(1, 1, 0)),
        ([LAPTOP], taking(), 5, Slots(2, 1, 0, fitting=2)),
        ([LAPTOP], taking(cpu=0.5), None, Slots(4, 0.5, 0)),
        ([LAPTOP, Machine(3)], taking(cpu=2), None, Slots(2, 2, 0)),
        ([GPUS], taking(), None, Slots(2, 1, 1, gpus=2)),
        ([GPUS], taking(gpu=0.25), None, Slots(8, 1, 0.25, gpus=2)),
        ([GPUS], taking(gpu=0.4), None, Slots(4, 1, 0.4, gpus=2)),
        ([GPUS], taking(cpu=4, gpu=0.25), None, Slots(4, 4, 0.25, gpus=2)),
        ([GPUS], taking(gpu=0.25), 3, Slots(3, 1, 0.25, gpus=2)),
        ([GPUS], taking(gpu=2), None, Slots(1, 1, 2, gpus=2)),
        ([GPUS], taking(gpu=0), None, Slots(16, 1, 0, gpus=2)),
        ([LAPTOP, GPUS], taking(gpu=1), None, Slots(2, 1, 1, gpus=2)),
        ([Machine(0), BIG], taking(), None, Slots(16, 1, 0)),
    ],
)
def test_as_many_as_fit_or_as_were_asked_for(
    machines: list[Machine], resources: ResourcesSpec, concurrent: int | None, expected: Slots
) -> None:
    assert choose_slots(machines, resources, concurrent) == expected


@pytest.mark.parametrize(("trials", "share"), [(2, 1), (3, 0.5), (4, 0.5), (6, 0.3333), (5, 0.3333)])
def test_more_trials_than_gpus_share_them_so_that_all_run(trials: int, share: float) -> None:
    """Three trials on two GPUs: with two thirds of a GPU each, the third one would find no room."""
    slots = choose_slots([GPUS], taking(), trials)
    assert (slots.count, slots.gpu) == (trials, share)
    assert slots.device == "cuda" and slots.gpu_share == share


def test_on_this_machine_ray_counts_places_and_not_cores() -> None:
    """It starts a process for each core that it is told of; more trials than cores share them if that is asked for."""
    assert local_slots(taking(cpu=2), 5, cores=4, gpus=0) == Slots(5, 1, 0)
    assert local_slots(taking(cpu=2), None, cores=4, gpus=0) == Slots(2, 1, 0)
    assert local_slots(taking(cpu=0.5), None, cores=4, gpus=0) == Slots(8, 1, 0)
    assert local_slots(taking(cpu=4, gpu=0.5), None, cores=64, gpus=2) == Slots(4, 1, 0.5, gpus=2)


def test_no_more_processes_are_started_than_memory_has_room_for() -> None:
    """Each takes some memory before it has a model; a hundred thousand would end the machine."""
    free = 16 * WORKER_BYTES
    assert local_slots(taking(), 100_000, cores=4, gpus=0, free=free) == Slots(8, 1, 0, fitting=8)
    assert local_slots(taking(cpu=0.01), None, cores=4, gpus=0, free=free) == Slots(8, 1, 0)
    assert local_slots(taking(), 5, cores=4, gpus=0, free=free) == Slots(5, 1, 0)
    assert local_slots(taking(), None, cores=4, gpus=0, free=1).count == 1


@pytest.mark.parametrize(
    ("machines", "resources", "told"),
    [
        (
            [LAPTOP],
            taking(gpu=0.25),
            "search.resources.gpu: each trial asks for 0.25 GPU, and there is none; leave it",
        ),
        ([LAPTOP, Machine(4)], taking(cpu=8), "search.resources: no machine has the 8 CPU that one trial takes; there"),
        ([GPUS], taking(cpu=2, gpu=4), "no machine has the 2 CPU and 4 GPU that one trial takes; there are machines"),
        ([], taking(), "there are machines with nothing"),
    ],
)
def test_a_trial_that_fits_nowhere_is_told_in_one_line(
    machines: list[Machine], resources: ResourcesSpec, told: str
) -> None:
    with pytest.raises(UserError) as raised:
        choose_slots(machines, resources, None)
    assert told in str(raised.value)
