"""A search as it runs: what is proposed, what is trained, what is written down.

The way of one trial:

1. `run_search` checks the request (`request`), reads the text (`text`), opens the ledger (`open_search`).
2. `ray.executor` starts Ray Tune, whose searcher (`ray.adapters`) asks the `coordinator` for a trial.
3. The `proposer` asks the sampler for a candidate and measures it against the limits.
4. On a worker, `ray.trainable` runs `ray.worker`, which trains from rung to rung and reports.
5. The scheduler (`ray.adapters`) hands each report to the coordinator, which asks the pruner and writes the ledger.
6. `outputs` makes tables and report from the ledger; a `watcher` gets every event.

`plan` answers beforehand how long that takes, with `timing` and `estimate`; `environment` records where it ran.
"""
