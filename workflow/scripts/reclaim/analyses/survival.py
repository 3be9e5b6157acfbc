"""Log hazard ratio of every gene, or between two groups of samples, and the curves of a figure."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from reclaim.analyses.differential_expression import (
    MIN_SET_SHARE,
    log2_values,
    measured_members,
    one_sided,
)
from reclaim.analyses.groups import CASE, CONTROL, Comparison, assign_groups
from reclaim.claim_tests import Survival
from reclaim.cox import cox_fit
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData
from reclaim.evidence import MDE_FACTOR, Estimate
from reclaim.follow_up import FollowUp, follow_up, named_endpoint, stated
from reclaim.selection import describe, select

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


@dataclass(frozen=True)
class Cohort:
    """The samples that enter a test's model.

    `table` is the follow-up of those with all covariates; `group` (case or control) and `covariates` (numbers,
    one column per coefficient) have its rows. `told` says what was left out.
    """

    endpoint: Endpoint
    follow_up: FollowUp
    table: pd.DataFrame
    group: pd.Series | None
    covariates: pd.DataFrame
    told: str

    @property
    def events(self) -> int:
        return int(self.table["event"].sum())

    def among(self, samples: np.ndarray) -> Cohort:
        """Of these rows (true or false)."""
        group = None if self.group is None else self.group[samples]
        return replace(self, table=self.table[samples], group=group, covariates=self.covariates[samples])


@dataclass(frozen=True)
class Curve:
    """One line of a figure, a step function of time.

    `share` of the patients is, from each of `times` (years) on, still without any event (`survival`), or has
    had the event with nothing else before it (`cumulative_incidence`). `at_risk` counts patients under
    observation at 0, 1, 2 ... years.
    """

    label: str
    quantity: Literal["survival", "cumulative_incidence"]
    times: list[float]
    share: list[float]
    at_risk: list[int]
    n: int
    events: int


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
    log(_in_words(cohort))
    found, table = _of_contrast(test, cohort) if test.contrast else _of_feature(test, cohort, data, genes)
    table = table.assign(stratum="all")[list(TABLE_COLUMNS)]
    method = found.method if test.contrast else _method("gene", cohort)
    table.attrs = {"method": method, "effect_name": found.effect_name}
    return [found], table


def curves(
    test: Survival,
    data: anndata.AnnData,
    genes: Sequence[str],
    endpoints: Mapping[str, Endpoint] | None = None,
) -> list[dict[str, Any]]:
    """The curves of a test's figure, ready for JSON: one per group that has samples.

    Case and control of a contrast; of a feature the halves at the median, which no estimate rests on. With
    competing events cumulative incidences, else Kaplan and Meier's curves. Empty for a feature without
    values. Raises what `survival` does.
    """
    cohort = cohort_of(test, data, endpoints or {})
    groups = cohort.group
    if groups is None:
        tested = _tested(test, data[cohort.table.index], genes)
        if tested.missing:
            return []
        groups = _halves(tested, cohort)
    draw = incidence_curves if cohort.endpoint.competing_values else kaplan_meier
    return [asdict(curve) for curve in draw(cohort.table, groups)]


def kaplan_meier(table: pd.DataFrame, groups: pd.Series) -> list[Curve]:
    """Kaplan and Meier's curve of each group; competing events are censored.

    `table` is that of a FollowUp; `groups` has a label per sample, missing for those in none. Groups come in
    the order of their categories, else by name.
    """
    from lifelines import KaplanMeierFitter  # type: ignore[import-untyped, unused-ignore]

    found = []
    for label, part in _parts(table, groups):
        fitted = KaplanMeierFitter().fit(part["time"], part["event"], entry=part["entry"])
        share = fitted.survival_function_.iloc[:, 0]
        found.append(_curve(label, "survival", share[fitted.event_table["observed"] > 0], part))
    return found


def incidence_curves(table: pd.DataFrame, groups: pd.Series) -> list[Curve]:
    """Aalen and Johansen's cumulative incidence of each group; arguments as of `kaplan_meier`."""
    found = []
    for label, part in _parts(table, groups):
        one = cumulative_incidence(part["time"], part["event"], part["competing"], part["entry"])
        rises = np.diff(one.event, prepend=0) > 0
        found.append(
            _curve(label, "cumulative_incidence", pd.Series(one.event[rises], one.times[rises]), part)
        )
    return found


# Who counts


def cohort_of(test: Survival, data: anndata.AnnData, endpoints: Mapping[str, Endpoint]) -> Cohort:
    """The samples of a data set that enter a test's model. Raises what `survival` does."""
    samples = data.obs
    chosen = np.asarray(select(samples, test.samples), bool) if test.samples else np.ones(len(samples), bool)
    arms = np.full(len(samples), None, object)
    if test.contrast:
        arms[chosen] = assign_groups(test.contrast, samples[chosen], "contrast")
        chosen &= pd.notna(arms)
    elif data.n_vars == 0:
        raise AbsentData("the data set holds no genes; expected values of the tested feature")
    endpoint = named_endpoint(test.endpoint, endpoints)
    found = follow_up(endpoint, samples, test.horizon_years, test.from_years, chosen)
    followed = samples.loc[found.table.index]
    columns = pd.DataFrame({name: _covariate(followed, name) for name in test.covariates}, followed.index)
    complete = columns.notna().all(axis=1).to_numpy()
    columns = columns[complete]
    constant = [name for name in test.covariates if len(columns) and columns[name].nunique() < 2]
    told = [found.left_out_in_words()]
    if not endpoint.censored_values:
        told.append(found.censored_in_words())
    if not complete.all():
        number = int((~complete).sum())
        told.append(f"Left out for want of a covariate: {number:,} sample{'s' * (number > 1)}.")
    if constant:
        told.append(f"Not in the model, with one value in all samples: {', '.join(constant)}.")
    table = found.table[complete]
    group = pd.Series(arms, samples.index)[table.index].astype(pd.CategoricalDtype([CASE, CONTROL]))
    return Cohort(
        endpoint,
        found,
        table,
        group if test.contrast else None,
        _coefficients(columns.drop(columns=constant)),
        _joined(*told),
    )


def _covariate(samples: pd.DataFrame, name: str) -> pd.Series:
    """As numbers where every value is one, else as categories."""
    values = stated(samples, name)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers if numbers.notna().equals(values.notna()) else values


def _coefficients(columns: pd.DataFrame) -> pd.DataFrame:
    """A category has a column for each of its values but the first."""
    parts = [
        columns[[name]]
        if pd.api.types.is_float_dtype(columns[name].dtype)
        else pd.get_dummies(columns[name].astype(object), prefix=name, prefix_sep="=", drop_first=True)
        for name in map(str, columns)
    ]
    return pd.concat(parts, axis=1).astype(float) if parts else columns.astype(float)


def _in_words(cohort: Cohort) -> str:
    words = f"{len(cohort.table):,} samples, {cohort.events:,} events"
    if cohort.group is not None:
        words += f"; {Comparison('all', pd.DataFrame({'group': cohort.group}), '').in_words()}"
    return _joined(f"{words}.", cohort.told)


# Estimates


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
    tested = _tested(test, part, genes)
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
    return _estimate(test, measured, base, numbers, tested.one[there], _halves(tested, cohort)), table


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
    found = replace(base, flags=tuple(flags), note=_joined(*told))
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
    return replace(base, flags=(flag,), note=_joined(why, cohort.told), valid=False)


def _method(kind: str, cohort: Cohort) -> str:
    return METHODS[kind] + (CAUSE_SPECIFIC if cohort.endpoint.competing_values else "")


def _window(test: Survival) -> str:
    if test.horizon_years is None:
        return f"Follow-up from {test.from_years:g} years on." if test.from_years else ""
    start = f"from {test.from_years:g} " if test.from_years else ""
    return f"Follow-up {start}to {test.horizon_years:g} years."


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


# The tested feature


@dataclass(frozen=True)
class _Tested:
    """`values` is samples x genes, `one` the tested variable of each sample (NaN where missing). `missing`
    says why there is none; `counts` the members of a set."""

    label: str
    values: np.ndarray
    one: np.ndarray
    counts: dict[str, int | float | str]
    missing: str = ""


def _tested(test: Survival, part: anndata.AnnData, genes: Sequence[str]) -> _Tested:
    assert test.feature is not None
    values = log2_values(part) if part.n_obs else np.zeros(part.shape)
    nothing = np.full(part.n_obs, np.nan)
    if not genes:
        gene = str(test.feature.gene)
        if gene not in part.var_names:
            missing = f"{gene} is not among the {part.n_vars:,} genes of this data set."
            return _Tested(gene, values, nothing, {}, missing)
        return _Tested(gene, values, values[:, part.var_names.get_loc(gene)], {})
    measured = measured_members(genes, part.var_names, values)
    label = test.feature.gene_set if isinstance(test.feature.gene_set, str) else ", ".join(genes)
    counts: dict[str, int | float | str] = {"members": len(genes), "measured": len(measured)}
    if len(measured) < MIN_SET_SHARE * len(genes):
        missing = f"Only {len(measured)} of {len(genes)} members of the set are measured."
        return _Tested(label, values, nothing, counts, missing)
    return _Tested(label, values, values[:, part.var_names.get_indexer(measured)].mean(axis=1), counts)


def _halves(tested: _Tested, cohort: Cohort) -> pd.Series:
    """A label per sample: whether its value is above the median. Missing without a value."""
    labels = [f"{tested.label} above its median", f"{tested.label} up to its median"]
    half = np.full(len(tested.one), None, object)
    there = ~np.isnan(tested.one)
    if there.any():
        half[there] = np.where(tested.one[there] > np.median(tested.one[there]), *labels)
    return pd.Series(half, cohort.table.index).astype(pd.CategoricalDtype(labels))


# What is told beside the estimate


def proportionality(value: np.ndarray, table: pd.DataFrame, covariates: pd.DataFrame) -> float | None:
    """p-value that the log hazard ratio of `value` is the same at all times; None where no model is found.

    Grambsch & Therneau (1994, doi 10.1093/biomet/81.3.515): scaled Schoenfeld residuals against 1 - Kaplan
    and Meier's curve, as R's cox.zph did before survival 3.0; the score test it has become gives nearly the
    same. `table` is that of a FollowUp, in which all samples enter at once: late entry changes no risk set.
    """
    from lifelines import CoxPHFitter  # type: ignore[import-untyped, unused-ignore]
    from lifelines.exceptions import ConvergenceError  # type: ignore[import-untyped, unused-ignore]
    from lifelines.statistics import proportional_hazard_test  # type: ignore[import-untyped, unused-ignore]

    columns = np.column_stack([covariates.to_numpy(float), value])
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    model = pd.DataFrame((columns - columns.mean(axis=0)) / columns.std(axis=0, ddof=1))
    model["time"], model["event"] = table["time"].to_numpy(), table["event"].to_numpy()
    precise = {"precision": 1e-12, "r_precision": 1e-14}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fitted = CoxPHFitter().fit(model, "time", "event", fit_options=precise)
            found = proportional_hazard_test(fitted, model, time_transform="km")
        except (ConvergenceError, ValueError, np.linalg.LinAlgError):
            return None
    p_value = float(np.ravel(found.p_value)[-1])
    return p_value if np.isfinite(p_value) else None


def _incidence_in_words(test: Survival, cohort: Cohort, groups: pd.Series) -> str:
    number, parts = int(cohort.table["competing"].sum()), _parts(cohort.table, groups)
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


# Curves


def _parts(table: pd.DataFrame, groups: pd.Series) -> list[tuple[str, pd.DataFrame]]:
    """Label and follow-up of each group that has samples."""
    grouped = table.groupby(groups.reindex(table.index), observed=True)
    return [(str(label), part) for label, part in grouped]


def _curve(
    label: str,
    quantity: Literal["survival", "cumulative_incidence"],
    steps: pd.Series,
    part: pd.DataFrame,
) -> Curve:
    """`steps` are heights by time, where they change."""
    begin, end = float(part["entry"].min()), float(part["time"].max())
    heights = pd.concat([pd.Series({begin: 1.0 if quantity == "survival" else 0.0}), steps])
    if heights.index[-1] < end:
        heights[end] = heights.iloc[-1]
    years = np.arange(int(end) + 1)
    seen = (part["entry"].to_numpy()[:, None] <= years) & (part["time"].to_numpy()[:, None] >= years)
    return Curve(
        label,
        quantity,
        [round(float(time), 6) for time in heights.index],
        [round(float(height), 6) for height in heights],
        seen.sum(axis=0).tolist(),
        len(part),
        int(part["event"].sum()),
    )
