"""A search as it runs: what is proposed, what is trained, what is written down.

The way of one trial:

1. `run_search` checks the request (`request`), reads the text (`text`), opens the ledger (`open_search`).
2. `ray.executor` starts Ray Tune, whose searcher (`ray.adapters`) asks the `coordinator` for a trial.
3. A source says which trial it is. In the strategy "prune" that is `sampling`: the `proposer` asks the sampler for a
   candidate. In the strategy "front" it is the `allocator`, which resumes a paused trial or starts a design from the
   `pool`. `trials` measures a proposal against the limits, and records what becomes of it.
4. On a worker, `ray.trainable` runs `ray.worker`, which trains from rung to rung and reports.
5. The scheduler (`ray.adapters`) hands each report to the coordinator. The `judge` asks the source whether the trial
   continues, and writes the ledger.
6. `outputs` makes tables and report from the ledger; a `watcher` gets every event.

`plan` answers beforehand how long that takes, with `timing` and `estimate`; `environment` records where it ran.
"""
