"""Runs the trials of a coordinator on Ray Tune, until all are done or the signal stops them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msarch.machine import free_memory
from search.run.coordinator import Coordinator
from search.run.deadlines import Deadlines
from search.run.interrupts import on_interrupt
from search.run.ray.adapters import CoordinatedSearcher, RungScheduler, SignalStopper, Workplace
from search.run.ray.stopping import StopSignal
from search.run.room import room_of
from search.run.slots import Machine, Slots, choose_slots
from search.run.watcher import Watcher
from search.space.schema.resources import ResourcesSpec

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

LOST_PROCESSES = 3
"""How often a trial is started again after its process, or its machine, died, or was killed since it hung."""


def execute(
    coordinator: Coordinator,
    stop: StopSignal,
    watcher: Watcher,
    *,
    folder: Path,
    base: Path,
    scratch: Path,
    slots: Slots,
    shares_memory: bool,
    text_bytes: int,
    trial_timeout: int | None = None,
    keeps: bool = False,
) -> None:
    """Run trials in an open Ray session.

    Args:
        slots: how many trials run at a time, and what each takes.
        shares_memory: whether all trials run on this machine, and so share the memory that is free now.
        text_bytes: of the corpus, which each other machine encodes before its first trial.
        trial_timeout: seconds from one report of a trial to the next after which its process is killed; by default
            this is learnt from the trials so far.
        keeps: whether trials write the checkpoint from before their decay.

    Raises:
        Exception: what the coordinator raised, unchanged.
    """
    from ray import tune

    from search.run.ray.trainable import TrialTrainable

    coordinator.set_concurrent(slots.count)
    free = free_memory() if shares_memory and slots.device == "cpu" else None
    if free is not None:
        coordinator.set_room(room_of(free, slots.count))
    watcher.phase(f"starting {slots.count} workers" if slots.count > 1 else "starting a worker")
    deadlines = Deadlines(trial_timeout, encodes=0 if shares_memory else text_bytes)
    scheduler = RungScheduler(coordinator, stop, watcher, deadlines)
    workplace = Workplace(
        folder=folder.resolve(),
        base=base,
        scratch=scratch,
        slots=slots,
        trial_timeout=trial_timeout,
        keeps=keeps,
    )
    tuner = tune.Tuner(
        tune.with_resources(TrialTrainable, {"cpu": slots.cpu, "gpu": slots.gpu}),
        tune_config=tune.TuneConfig(
            search_alg=CoordinatedSearcher(coordinator, stop, workplace, deadlines),
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=slots.count,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            stop=SignalStopper(stop, scheduler.kill_overdue),
            # Ours are in the results folder; Ray would add one at the end of each trial, and pickle it.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=LOST_PROCESSES),
        ),
    )
    with on_interrupt(stop.interrupt):  # again: Ray takes the signals to itself as it starts
        tuner.fit()
    if stop.failure is not None:
        raise stop.failure


def slots_of_cluster(resources: ResourcesSpec, concurrent: int | None) -> Slots:
    """Places for trials on the machines of the open Ray session. Raises UserError where a trial fits nowhere."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    machines = [Machine(node.get("CPU", 0), int(node.get("GPU", 0))) for node in nodes]
    return choose_slots(machines, resources, concurrent)


def _name(trial: Trial) -> str:
    return str(trial.trial_id)
