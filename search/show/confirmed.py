"""What further seeds say of a front, as tables for the terminal and for the report."""

from __future__ import annotations

from msarch.perplexity import format_perplexity, perplexity
from search.results.confirm.confirmation import Claim, Confirmation, Confirmed
from search.show.compare.tables import TextTable, percent
from search.show.terminal.front_table import MISSING, format_figure

MODELS, CLAIMS = "How sure the front is", "Against vanilla"
_MODELS = (
    "Each model of the front, and each vanilla model it is held against, trained again with further seeds: "
    "{} on the {} split, mean and standard deviation{}. On the front: the probability that none of the others here "
    "that costs no more is truly better. A failed training has no figure; a model with one has no probability."
)
_CLAIMS = (
    "Each multi-scale model of the front against the best vanilla model that costs no more, by how much it is better, "
    "with the 95 % interval, over the seeds with which neither training failed. Within the noise: the interval holds 0."
)


def confirmed_sections(confirmed: Confirmation) -> list[tuple[str, str, TextTable]]:
    """Title, caption and table of each part."""
    quality = confirmed.quality.replace("_", " ")
    note = " (of the loss, in nats)" if confirmed.quality == "perplexity" else ""
    sections = [(MODELS, _MODELS.format(quality, confirmed.split, note), models_table(confirmed))]
    return [*sections, (CLAIMS, _CLAIMS, claims_table(confirmed))] if confirmed.claims else sections


def trust(confirmed: Confirmation, best: int) -> str:
    """What a headline says of the noise between seeds, and of the best model against vanilla; `best` is its number."""
    unit = "nats" if confirmed.quality == "perplexity" else "bits per byte"
    again = "The front was trained again with further seeds (see below)."
    if confirmed.noise is not None:
        again += f" Between two models trained once, differences below {confirmed.noise:.2g} {unit} are noise."
    failed = next((each.failed for each in confirmed.models if each.record.number == best), 0)
    if failed:
        again += f" {failed} of the best model's trainings failed; the figures leave them out."
    claim = next((each for each in confirmed.claims if each.point == best and each.rival is not None), None)
    if claim is None or claim.gain is None or claim.verdict == "unknown":
        return again
    word = "better" if claim.gain >= 0 else "worse"
    noise = ", which is within the noise" if claim.verdict == "within the noise" else ""
    held = f"trial {claim.rival}, the best vanilla model that costs no more"
    return f"{again} With new seeds, the best model is {abs(claim.gain):.2g} {unit} {word} than {held}{noise}."


def models_table(confirmed: Confirmation) -> TextTable:
    """One row a model, the cheapest first."""
    quality = confirmed.quality.replace("_", " ")
    headings = [
        "trial",
        "variant",
        "layers",
        "memory",
        f"{confirmed.split} {quality}",
        "spread",
        "seeds",
        "on the front",
    ]
    return TextTable(headings, [_model_row(each, confirmed.quality) for each in confirmed.models], texts=3)


def _model_row(each: Confirmed, quality: str) -> list[str]:
    model = each.record.candidate.model
    return [
        str(each.record.number),
        model.variant,
        model.layers,
        format_figure(each.record, "memory_bytes"),
        _level(each.mean, quality),
        MISSING if each.spread is None else f"{each.spread:.4f}",
        _seeds(len(each.levels), each.failed),
        MISSING if each.on_front is None else _chance(each.on_front),
    ]


def _level(mean: float | None, quality: str) -> str:
    if mean is None:
        return MISSING
    return format_perplexity(perplexity(mean)) if quality == "perplexity" else f"{mean:.4f}"


def _seeds(trained: int, failed: int) -> str:
    return f"{trained}, {failed} failed" if failed else str(trained)


def _chance(share: float) -> str:
    """Nothing that was drawn at random is certain."""
    return "over 99 %" if share > 0.99 else "under 1 %" if share < 0.01 else percent(share)


def claims_table(confirmed: Confirmation) -> TextTable:
    """One row a multi-scale model of the front."""
    unit = "nats" if confirmed.quality == "perplexity" else "bits"
    headings = ["trial", "vanilla trial", f"better by, {unit}", "95 % interval", "seeds", "verdict"]
    return TextTable(headings, [_claim_row(claim) for claim in confirmed.claims])


def _claim_row(claim: Claim) -> list[str]:
    if claim.rival is None:
        return [str(claim.point), MISSING, MISSING, MISSING, MISSING, "no complete vanilla model costs so little"]
    gain = MISSING if claim.gain is None else f"{claim.gain:+.4f}"
    known = claim.low is not None and claim.high is not None
    interval = f"{claim.low:+.4f} to {claim.high:+.4f}" if known else MISSING
    verdict = "unknown: fewer than two seeds" if claim.verdict == "unknown" else claim.verdict
    return [str(claim.point), str(claim.rival), gain, interval, _seeds(claim.seeds, claim.failed), verdict]
