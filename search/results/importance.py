"""Which options decide whether a trial reaches the front: PED-ANOVA (arXiv 2304.10255), as Optuna computes it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.ledger.metrics import objective_values
from search.ledger.records import TrialRecord
from search.ledger.studies import quiet_optuna
from search.results.columns import COLUMNS
from search.results.layer_options import layer_options
from search.results.tables import independent_options, trial_row

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 12
"""Complete trials below which importances are chance alone."""
LOG_SCALE = ("learning_rate",)
_FEWEST_GOOD = 4
_DTYPES = {int: "Int64", float: "Float64"}


def option_importance(records: Sequence[TrialRecord], objectives: Sequence[str]) -> dict[str, float]:
    """Shares that add up to 1, the largest first, by option; empty with fewer than `FEWEST` complete trials.

    The layers are judged by their numbers, the widest and the coarsest scale. A share says how much the trials closest
    to the front (the best tenth, but at least four) differ in an option from all complete trials.
    """
    judged = [record for record in records if record.state == "complete" and objective_values(record, (*objectives,))]
    if len(judged) < FEWEST:
        return {}
    import optuna

    varying = independent_options(judged)
    options = [_options(record, varying) for record in judged]
    ranges = {name: _distribution(name, [each[name] for each in options if name in each]) for name in _names(options)}
    if not ranges:
        return {}
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental: said in the page that shows it
        study = optuna.create_study(directions=["minimize"] * len(objectives))
        for record, chosen in zip(judged, options, strict=True):
            values = objective_values(record, (*objectives,))
            params = {name: value for name, value in chosen.items() if name in ranges}
            used = {name: ranges[name] for name in params}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=used, values=values))
        quantile = max(0.1, _FEWEST_GOOD / len(judged))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total > 0 else {}


def _options(record: TrialRecord, varying: Sequence[str]) -> dict[str, Any]:
    """What was chosen for a trial, the layers by what they amount to."""
    row = trial_row(record)
    chosen = {name: row[name] for name in varying if name != "layers" and row[name] is not None}
    model = record.candidate.model
    return {**layer_options(model), "coarsest scale": str(max(model.scales)), **chosen}


def _names(options: Sequence[dict[str, Any]]) -> list[str]:
    """What differs between trials, or is there in some of them only."""
    names = dict.fromkeys(name for chosen in options for name in chosen)
    return [name for name in names if len({chosen.get(name) for chosen in options}) > 1]


def _distribution(name: str, values: Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    dtype = COLUMNS[name].dtype if name in COLUMNS else _DTYPES.get(type(values[0]))
    if dtype == "Float64":
        low, high = min(values), max(values)
        return FloatDistribution(low, high, log=name in LOG_SCALE and low > 0)
    if dtype == "Int64":
        return IntDistribution(min(values), max(values))
    return CategoricalDistribution(sorted(set(values), key=str))
