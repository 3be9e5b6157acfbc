"""Share of events that come after a time: how late a disease strikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.claim_tests import EventShare
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.evidence import Estimate, note_of
from reclaim.follow_up import follow_up, named_endpoint
from reclaim.proportions import clopper_pearson
from reclaim.selection import select

if TYPE_CHECKING:
    import anndata

METHOD = "share of the observed events that came later, Clopper-Pearson interval"
EFFECT = "share"


def event_share(
    test: EventShare,
    data: anndata.AnnData,
    log: Callable[[str], object] = lambda _: None,
    endpoints: Mapping[str, Endpoint] | None = None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """The share of events after `after_years` (n: events, n_events: late ones), and a table of this one row.

    Events that follow-up was too short to see are missing from the share, most of them late ones. The note
    therefore tells the cumulative incidence, with competing risks, at that time and at the end of follow-up,
    and which part of the latter is late. `endpoints` are those of the data set, by name. Without any event the
    estimate is invalid. Raises AbsentData as `follow_up` does.
    """
    endpoint = named_endpoint(test.endpoint, endpoints or {})
    chosen = np.asarray(select(data.obs, test.samples), bool) if test.samples else None
    found = follow_up(endpoint, data.obs, chosen=chosen)
    table, after = found.table, test.after_years
    n, k = int(table["event"].sum()), int((table["event"] & (table["time"] > after)).sum())
    log(
        f"{len(table):,} samples, {n:,} events, {k:,} of them after {after:g} years. {found.left_out_in_words()}"
    )
    label = f"{' or '.join(endpoint.event_values)} after {after:g} years"
    told = [found.median_in_words(), found.left_out_in_words()]
    if not endpoint.censored_values:
        told.append(found.censored_in_words())
    groups: dict[str, int | float | str] = {"samples": len(table), "competing": int(table["competing"].sum())}
    low, high = (float(end) for end in clopper_pearson(k, n))
    row = pd.DataFrame(
        {
            "feature": [label],
            "stratum": "all",
            "n": n,
            "n_events": k,
            "effect": k / n if n else np.nan,
            "ci_low": low,
            "ci_high": high,
        }
    )
    row.attrs = {"method": METHOD, "effect_name": EFFECT}
    if not n:
        told.insert(0, f"No event in {len(table):,} samples." if len(table) else "No sample is left.")
        note = note_of(*told)
        return [
            Estimate(METHOD, label, EFFECT, 0, 0, groups, flags=("not_estimable",), note=note, valid=False)
        ], row
    told.insert(0, _incidence_in_words(table, after, bool(endpoint.competing_values)))
    note = note_of(*told)
    return [
        Estimate(METHOD, label, EFFECT, n, k, groups, effect=k / n, ci_low=low, ci_high=high, note=note)
    ], row


def late_share(table: pd.DataFrame, after_years: float) -> tuple[float, float, float]:
    """Cumulative incidence of the event at `after_years` and at the end of follow-up, and which share of the
    latter lies between the two; NaN without events. `table` is that of a FollowUp."""
    one = cumulative_incidence(table["time"], table["event"], table["competing"], table["entry"])
    early, total = one.at(after_years), one.at(np.inf)
    return early, total, (total - early) / total if total else np.nan


def _incidence_in_words(table: pd.DataFrame, after_years: float, competing: bool) -> str:
    early, total, late = late_share(table, after_years)
    end = float(table["time"].max())
    risks = "with competing risks" if competing else "without competing risks"
    return (
        f"Cumulative incidence {risks}: {100 * early:.1f} % at {after_years:g} years, {100 * total:.1f} % at the end "
        f"of follow-up ({end:.1f} years), so that {100 * late:.1f} % of it is late."
    )
