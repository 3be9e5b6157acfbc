"""Log hazard ratio of every gene, or between two groups of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.analyses.differential_expression import one_sided
from reclaim.analyses.groups import CASE, CONTROL
from reclaim.analyses.survival_cohort import Cohort, by_group, cohort_of, in_words
from reclaim.analyses.survival_feature import halves, tested_feature
from reclaim.claim_tests import Survival
from reclaim.cox import cox_fit
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.evidence import MDE_FACTOR, Estimate, note_of
from reclaim.proportionality import proportionality
from reclaim.selection import describe

if TYPE_CHECKING:
    import anndata

PER_SD, BETWEEN_GROUPS = "log_hazard_ratio", "log_hazard_ratio_groups"
COX = "Cox's proportional hazards (Efron's ties), Wald interval"
METHODS = {
    "gene": f"{COX}: log2 value in standard deviations",
    "set": f"{COX}: mean log2 value of the set in standard deviations",
    "contrast": f"{COX}: case against control",
}
CAUSE_SPECIFIC = ", cause-specific (competing events censored)"
EVENTS_PER_COEFFICIENT = 10
"""Below this a hazard ratio and its interval are unstable (Peduzzi 1995, doi 10.1016/0895-4356(95)00048-8)."""
NOT_PROPORTIONAL = 0.01

FITTED = ("effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value")
TABLE_COLUMNS = ("feature", "stratum", "n", "n_events", *FITTED)
"""Of the table of everything comparable; p-values two-sided."""


def survival(
    test: Survival,
    data: anndata.AnnData,
    genes: Sequence[str],
    log: Callable[[str], object] = lambda _: None,
    endpoints: Mapping[str, Endpoint] | None = None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of the test's feature or contrast, and the table of everything comparable.

    The effect is a log hazard ratio: per standard deviation of the feature's log2 value, or case against
    control. `genes` are the members of the tested set; empty for a gene or a contrast, which needs no genes in
    `data`. `endpoints` are those of the data set, by name. The table has TABLE_COLUMNS: all genes with the same
    covariates, or the contrast alone. `log` is told who is compared. What the data cannot estimate is invalid,
    with the reason as note. Raises AbsentData for columns, times and statuses that are not as described, for a
    sample in both groups, and for a feature where the data set holds no genes.
    """
    cohort = cohort_of(test, data, endpoints or {})
    log(in_words(cohort))
    found, table = _of_contrast(test, cohort) if test.contrast else _of_feature(test, cohort, data, genes)
    table = table.assign(stratum="all")[list(TABLE_COLUMNS)]
    method = found.method if test.contrast else _method("gene", cohort)
    table.attrs = {"method": method, "effect_name": found.effect_name}
    return [found], table


def _of_contrast(test: Survival, cohort: Cohort) -> tuple[Estimate, pd.DataFrame]:
    assert test.contrast is not None
    assert cohort.group is not None
    is_case, event = (cohort.group == CASE).to_numpy(), cohort.table["event"].to_numpy()
    sizes = {CASE: int(is_case.sum()), CONTROL: int((~is_case).sum())}
    events = {CASE: int(event[is_case].sum()), CONTROL: int(event[~is_case].sum())}
    fitted = fit_cohort(is_case[:, None].astype(float), cohort)
    # From the hazard ratio per standard deviation of the indicator to that between its two values.
    spread = float(np.std(is_case, ddof=1)) if min(sizes.values()) else np.nan
    scaled = ["effect", "se", "ci_low", "ci_high"]
    fitted[scaled] = fitted[scaled] / spread
    why = ""
    for arm in (CONTROL, CASE):
        if not events[arm]:
            why = f"No event in the {arm} group: the hazard ratio has no finite estimate."
    for arm in (CONTROL, CASE):
        if not sizes[arm]:
            why = f"No sample is in the {arm} group: {describe(getattr(test.contrast, arm))}."
    base = Estimate(
        _method("contrast", cohort),
        f"{describe(test.contrast.case)} against {describe(test.contrast.control)}",
        BETWEEN_GROUPS,
        groups={**sizes, **{f"{arm}_events": number for arm, number in events.items()}},
    )
    numbers = _numbers(fitted, 0) | {"q_value": np.nan}
    found = _estimate(test, cohort, base, numbers, is_case.astype(float), cohort.group, why)
    return found, fitted.assign(feature=base.feature)


def _of_feature(
    test: Survival, cohort: Cohort, data: anndata.AnnData, genes: Sequence[str]
) -> tuple[Estimate, pd.DataFrame]:
    part = data[cohort.table.index]
    tested = tested_feature(test, part, genes)
    fitted = fit_cohort(tested.values, cohort)
    table = fitted.assign(feature=data.var_names)
    base = Estimate(
        _method("set" if genes else "gene", cohort),
        tested.label,
        PER_SD,
        n=len(cohort.table),
        n_events=cohort.events,
        groups=tested.counts,
    )
    if tested.missing:
        return _invalid(base, "not_on_platform", tested.missing, cohort), table
    there = ~np.isnan(tested.one)
    if len(there) and (not there.any() or np.ptp(tested.one[there]) == 0):
        why = f"{tested.label} has no reads, no values, or the same in all of these samples."
        return _invalid(base, "not_detected", why, cohort), table
    if genes:
        numbers = _numbers(fit_cohort(tested.one[:, None], cohort), 0) | {"q_value": np.nan}
    else:
        numbers = _numbers(fitted, int(data.var_names.get_indexer([tested.label])[0]))
    measured = cohort.among(there)
    return _estimate(test, measured, base, numbers, tested.one[there], halves(tested, cohort)), table


def fit_cohort(values: np.ndarray, cohort: Cohort) -> pd.DataFrame:
    """`cox_fit` of samples (those of the cohort) x features; without numbers where no event is left."""
    if cohort.events:
        time, event, entry = (cohort.table[name] for name in ("time", "event", "entry"))
        return cox_fit(values, time, event, cohort.covariates, entry)
    empty = pd.DataFrame(np.nan, range(values.shape[1]), list(FITTED))
    return empty.assign(n=(~np.isnan(values)).sum(axis=0), n_events=0)


def _numbers(fitted: pd.DataFrame, position: int) -> dict[str, float]:
    return {name: float(fitted[name].iloc[position]) for name in FITTED}


def _estimate(
    test: Survival,
    cohort: Cohort,
    base: Estimate,
    numbers: Mapping[str, float],
    value: np.ndarray,
    groups: pd.Series,
    why: str = "",
) -> Estimate:
    """From the fitted `numbers`; `value` is the tested variable of the samples of `cohort`, `groups` are those
    whose cumulative incidence is told, `why` is what is known to stand against an estimate."""
    base = replace(base, n=len(cohort.table), n_events=cohort.events)
    coefficients = cohort.covariates.shape[1] + 1
    if not np.isfinite(numbers["effect"]):
        return _invalid(base, "not_estimable", _why_not(cohort, coefficients, why), cohort)
    flags, told = [], [_window(test)]
    if cohort.events < EVENTS_PER_COEFFICIENT * coefficients:
        flags.append("few_events")
        told.append(f"Few events: {cohort.events} for {coefficients} coefficient{'s' * (coefficients > 1)}.")
    reach = MDE_FACTOR * numbers["se"]
    told.append(f"Minimum detectable hazard ratio: {np.exp(reach):.2f}, or {np.exp(-reach):.2f}.")
    p_value = proportionality(value, cohort.table, cohort.covariates)
    if p_value is None:
        told.append("Whether the hazards are proportional could not be tested.")
    else:
        told.append(f"Proportional hazards: p = {p_value:.2g} (scaled Schoenfeld residuals).")
    if p_value is not None and p_value < NOT_PROPORTIONAL:
        flags.append("not_proportional")
    told += [cohort.follow_up.median_in_words(), _incidence_in_words(test, cohort, groups), cohort.told]
    found = replace(base, flags=tuple(flags), note=note_of(*told))
    return found.with_numbers(numbers, one_sided(numbers["p_value"], numbers["effect"], test.expected))


def _why_not(cohort: Cohort, coefficients: int, why: str) -> str:
    if not len(cohort.table):
        return "No sample is left."
    if not cohort.events and not why.startswith("No sample"):
        return f"No event in {len(cohort.table):,} samples."
    if why:
        return why
    if cohort.events < coefficients:
        return f"{cohort.events} events cannot carry a model of {coefficients} coefficients."
    return (
        "The likelihood has no maximum that could be found: the variable orders the events perfectly, or goes "
        "together with the covariates."
    )


def _invalid(base: Estimate, flag: str, why: str, cohort: Cohort) -> Estimate:
    return replace(base, flags=(flag,), note=note_of(why, cohort.told), valid=False)


def _method(kind: str, cohort: Cohort) -> str:
    return METHODS[kind] + (CAUSE_SPECIFIC if cohort.endpoint.competing_values else "")


def _window(test: Survival) -> str:
    if test.horizon_years is None:
        return f"Follow-up from {test.from_years:g} years on." if test.from_years else ""
    start = f"from {test.from_years:g} " if test.from_years else ""
    return f"Follow-up {start}to {test.horizon_years:g} years."


def _incidence_in_words(test: Survival, cohort: Cohort, groups: pd.Series) -> str:
    number, parts = int(cohort.table["competing"].sum()), by_group(cohort.table, groups)
    if not number or not parts:
        return ""
    end = test.horizon_years or min(part["time"].max() for _, part in parts)
    shares = []
    for label, part in parts:
        one = cumulative_incidence(part["time"], part["event"], part["competing"], part["entry"])
        shares.append(f"{label} {100 * one.at(end):.1f} %")
    when = f"from {test.from_years:g} to {end:.3g}" if test.from_years else f"at {end:.3g}"
    return (
        f"{number:,} competing event{'s count' if number > 1 else ' counts'} as censored. "
        f"Cumulative incidence {when} years: {', '.join(shares)}."
    )
