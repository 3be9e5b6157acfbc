"""From columns of a sample table to follow-up in years: who was seen for how long, and what ended it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.expression import PATIENT
from reclaim.sources.table_rows import MISSING

PER_YEAR = {"days": 365.25, "months": 12.0, "years": 1.0}
NOT_GIVEN = MISSING | {
    f"[{words}]"
    for words in (
        "Not Available",
        "Not Applicable",
        "Not Evaluated",
        "Not Reported",
        "Unknown",
        "Discrepancy",
        "Completed",
    )
}
"""How tables say that there is no value: those of TCGA in square brackets."""

REASONS = {
    "no_time": "without a time",
    "negative_time": "with a negative time",
    "no_status": "without a status",
    "unknown_status": "with an unknown status",
    "too_short": "followed up no longer than",
    "same_patient": "of a patient already counted",
}
"""Why a sample is left out, in the order in which it is asked; the first that fits counts."""

NAMED_VALUES = 12


@dataclass(frozen=True)
class FollowUp:
    """Follow-up of the samples of an endpoint.

    `table` is indexed by sample, with columns time (years, end of follow-up; > entry), event, competing
    (true or false, never both; neither is censored) and entry (years; at risk at t when entry < t <= time).
    `left_out` counts samples by the keys of REASONS that occur. `unknown` counts the statuses that left
    samples out, `censored` those that count as censored, by their spelling. `median_years` is the median
    follow-up: reverse Kaplan-Meier, before any horizon, infinite where it is not reached.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int]
    unknown: Mapping[str, int]
    censored: Mapping[str, int]
    median_years: float
    from_years: float

    def left_out_in_words(self) -> str:
        """Such as `Left out: 528 samples without a time, 1 with an unknown status (lost).`"""
        parts: list[str] = []
        for reason, number in self.left_out.items():
            words = REASONS[reason]
            if reason == "too_short":
                words += f" {self.from_years:g} years"
            if reason == "unknown_status":
                words += f" ({', '.join(list(self.unknown)[:NAMED_VALUES])})"
            samples = f"sample{'s' if number > 1 else ''} " if not parts else ""
            parts.append(f"{number:,} {samples}{words}")
        return f"Left out: {', '.join(parts)}." if parts else ""

    def censored_in_words(self) -> str:
        """Such as `Counted as censored: Living (837).`"""
        named = [f"{value} ({number:,})" for value, number in self.censored.items()]
        more = f" and {len(named) - NAMED_VALUES} more" if len(named) > NAMED_VALUES else ""
        return f"Counted as censored: {', '.join(named[:NAMED_VALUES])}{more}." if named else ""

    def median_in_words(self) -> str:
        """Such as `Median follow-up 9.7 years (reverse Kaplan-Meier).`"""
        if not np.isfinite(self.median_years):
            return "Median follow-up (reverse Kaplan-Meier) not reached."
        return f"Median follow-up {self.median_years:.1f} years (reverse Kaplan-Meier)."


def follow_up(
    test_endpoint: Endpoint,
    samples: pd.DataFrame,
    horizon_years: float | None = None,
    from_years: float = 0,
    chosen: np.ndarray | None = None,
) -> FollowUp:
    """Follow-up of the `chosen` samples (true or false; all of them where not given) of a sample table.

    Statuses are compared exactly, spaces around them apart. A time of 0 becomes half of the smallest positive
    one, so that it comes first, as in R. Follow-up is cut at `horizon_years`: what happens later did not
    happen, what happens then did. Only follow-up after `from_years` counts: samples whose time ended before or
    then are left out. Of a patient with several samples the first by name counts. Raises AbsentData for a
    column that is not there, a time that is no number, and event values of which none stands anywhere in the
    table, chosen or not; UserError for a horizon that is not after `from_years`.
    """
    if horizon_years is not None and horizon_years <= from_years:
        raise UserError(
            f"horizon_years {horizon_years:g} is not after from_years {from_years:g}; correct one"
        )
    status = _status(test_endpoint, samples)
    count = pd.Series(True if chosen is None else chosen, index=samples.index)
    status = status[count]
    years = _years(test_endpoint, samples[count])
    event = status.isin(_stripped(test_endpoint.event_values))
    competing = status.isin(_stripped(test_endpoint.competing_values)) & ~event
    known = status.notna()
    if test_endpoint.censored_values:
        known &= event | competing | status.isin(_stripped(test_endpoint.censored_values))
    reasons = {
        "no_time": years.isna(),
        "negative_time": years < 0,
        "no_status": status.isna(),
        "unknown_status": ~known,
    }
    left_out: dict[str, int] = {}
    kept = pd.Series(True, index=status.index)

    def leave_out(reason: str, those: pd.Series) -> None:
        nonlocal kept
        number = int((kept & those).sum())
        if number:
            left_out[reason] = number
        kept = kept & ~those

    for reason, those in reasons.items():
        leave_out(reason, those)
    years = _after_the_start(years, kept)
    leave_out("too_short", years <= from_years)
    leave_out("same_patient", _repeated_patients(samples[count], kept))
    table = pd.DataFrame({"time": years, "event": event, "competing": competing})[kept]
    table["entry"] = float(from_years)
    outcome = table["event"] | table["competing"]
    unknown = status.notna() & ~known & (years >= 0)
    return FollowUp(
        table if horizon_years is None else _cut(table, horizon_years),
        left_out,
        _counted(status[unknown]),
        _counted(status[kept][~outcome]),
        cumulative_incidence(table["time"], ~outcome, entry=table["entry"]).median,
        from_years,
    )


def named_endpoint(endpoint: Endpoint | str, named: Mapping[str, Endpoint]) -> Endpoint:
    """The endpoint itself, or the one of this name among a data set's. Raises AbsentData for none."""
    if isinstance(endpoint, Endpoint):
        return endpoint
    if endpoint not in named:
        known = f" (it has: {', '.join(named)})" if named else ""
        raise AbsentData(
            f"the data set has no endpoint {endpoint!r}{did_you_mean(endpoint, named)}{known}; "
            "describe it under endpoints"
        )
    return named[endpoint]


def stated(samples: pd.DataFrame, column: str) -> pd.Series:
    """A column as text without spaces around it; what says that there is no value is missing.

    Raises AbsentData for a column that is not there.
    """
    if column not in samples.columns:
        raise AbsentData(f"no column {column!r}{did_you_mean(column, map(str, samples.columns))}")
    text = samples[column].astype("string").str.strip()
    if pd.api.types.is_float_dtype(samples[column].dtype):
        text = text.str.removesuffix(".0")  # 0 and 1 beside missing values
    return text.mask(text.isin(NOT_GIVEN))


def _status(endpoint: Endpoint, samples: pd.DataFrame) -> pd.Series:
    """Of all samples; values of the endpoint's own lists are never missing, whatever they look like."""
    status = stated(samples, endpoint.event)
    listed = _stripped([*endpoint.event_values, *endpoint.competing_values, *endpoint.censored_values])
    text = samples[endpoint.event].astype("string").str.strip()
    status = status.mask(text.isin(listed & NOT_GIVEN), text)
    there = status.dropna()
    if len(there) and not there.isin(_stripped(endpoint.event_values)).any():
        found = list(_counted(there))
        more = ", ..." if len(found) > NAMED_VALUES else ""
        raise AbsentData(
            f"column {endpoint.event!r} holds none of the event values {', '.join(endpoint.event_values)}; "
            f"its values are: {', '.join(found[:NAMED_VALUES])}{more}"
        )
    return status


def _years(endpoint: Endpoint, samples: pd.DataFrame) -> pd.Series:
    text = stated(samples, endpoint.time)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = text.notna() & ~np.isfinite(numbers)
    if wrong.any():
        raise AbsentData(
            f"column {endpoint.time!r}: the time of sample {samples.index[wrong][0]} is {text[wrong].iloc[0]!r}; "
            f"expected a number of {endpoint.time_unit}"
        )
    return numbers / PER_YEAR[endpoint.time_unit]


def _after_the_start(years: pd.Series, kept: pd.Series) -> pd.Series:
    positive = years[kept & (years > 0)]
    smallest = float(positive.min()) if len(positive) else 1 / PER_YEAR["days"]
    return years.mask(years == 0, smallest / 2)


def _repeated_patients(samples: pd.DataFrame, kept: pd.Series) -> pd.Series:
    if PATIENT not in samples.columns:
        return pd.Series(False, index=samples.index)
    patients = stated(samples, PATIENT)[kept].dropna()
    return patients.sort_index(kind="stable").duplicated().reindex(samples.index, fill_value=False)


def _cut(table: pd.DataFrame, horizon_years: float) -> pd.DataFrame:
    later = table["time"] > horizon_years
    return table.assign(
        time=table["time"].clip(upper=horizon_years),
        event=table["event"] & ~later,
        competing=table["competing"] & ~later,
    )


def _stripped(values: list[str]) -> frozenset[str]:
    return frozenset(value.strip() for value in values)


def _counted(values: pd.Series) -> dict[str, int]:
    """Most frequent first; of equal ones by name."""
    counts = values.value_counts()
    return {
        str(value): int(counts[value]) for value in sorted(counts.index, key=lambda one: (-counts[one], one))
    }
