"""Spearman correlation of two genes or scores over samples, plain or given covariates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.differential_expression import MIN_SET_SHARE, log2_values, measured_members, one_sided
from reclaim.analyses.groups import column_of, covariate_of
from reclaim.claim_tests import Coexpression, GeneFeature
from reclaim.correlation import bootstrap_spearman, partial_spearman
from reclaim.errors import AbsentData, did_you_mean
from reclaim.evidence import Estimate
from reclaim.selection import describe, select

if TYPE_CHECKING:
    import anndata

Floats = NDArray[np.float64]
Sets = Mapping[str, Sequence[str]]

EFFECT = "spearman_rho"
MIN_SAMPLES = 10
"""Fewer tell nothing: the interval of rho = 0 would reach from -0.64 to 0.64."""
DETECTED = 1e-6
"""Logs that are taken back leave so much of nothing; one read is far more."""

TABLE_COLUMNS = (
    "feature", "stratum", "n", "effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value",
)  # fmt: skip
"""Of the table of all genes; p-values two-sided, se on the scale of Fisher's z."""


@dataclass(frozen=True)
class PairValues:
    """The two ends of a test in one stratum, and what their correlation is given.

    `samples` are those that have all values; `x` and `y` (the first and the second feature) have one value
    per sample on the log2 scale, `covariates` is samples x k. Nothing is missing.
    """

    samples: pd.Index
    x: Floats
    y: Floats
    covariates: Floats


def coexpression(
    test: Coexpression,
    data: anndata.AnnData,
    sets: Sets,
    seed: int,
    log: Callable[[str], object] = lambda _: None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of rho per stratum, and the table of every gene against the first feature.

    `sets` are the study's gene sets by name. An estimate's interval is that of the percentile bootstrap, its se
    belongs to Fisher's z. The table has TABLE_COLUMNS, with Fisher's interval, and the adjustment of the
    estimate; the first feature, or the genes of its score, are left out. Genes of an adjusting set stand in it,
    though adjusted for themselves. `log` is told what is compared. Raises AbsentData when no sample is left,
    and for a covariate that is neither a sample column nor a set.
    """
    strata, left_out = samples_by_stratum(test, data)
    too_few = f"Fewer than {MIN_SAMPLES} samples in {', '.join(left_out)}." if left_out else ""
    method = _method(test, sets)
    flags = ("tissue_mixture",) if _open_to_mixture(test, sets) else ()
    estimates, tables = [], []
    for stratum, part in strata.items():
        variables = _Variables.of(test, part, sets)
        x, y = variables.ends
        base = Estimate(
            f"{method}; bootstrap percentile interval",
            f"{x.label} and {y.label}",
            EFFECT,
            stratum=stratum,
            flags=(*flags, *(["circular_members"] if variables.circular else [])),
        )
        table = _table(variables, stratum)
        found = _estimate(test, base, variables, table, crc32(f"{seed} {stratum}".encode()))
        found = replace(found, note=_joined(found.note, *variables.told, too_few))
        log(f"{stratum}: {found.feature} in {found.n} samples; {method}")
        estimates.append(found)
        tables.append(table)
    filled = [table for table in tables if len(table)]
    every = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(TABLE_COLUMNS))
    every.attrs = {"method": f"{method}; interval by Fisher's z", "effect_name": EFFECT}
    return estimates, every


def samples_by_stratum(
    test: Coexpression, data: anndata.AnnData
) -> tuple[dict[str, anndata.AnnData], list[str]]:
    """The samples that meet the test's filter, by stratum (`all` for a test without strata); and strata left out
    because they have fewer than MIN_SAMPLES, with their numbers.

    Raises AbsentData when nothing is left, and for a column that is not there.
    """
    chosen = _chosen(test, data)
    column = test.strata
    if column is None:
        return {"all": chosen}, []
    stratum = column_of(chosen.obs, column)
    found, left_out = {}, []
    for name, number in stratum.value_counts().sort_index().items():
        if number < MIN_SAMPLES:
            left_out.append(f"{name} ({number})")
        else:
            found[str(name)] = chosen[(stratum == name).fillna(False).to_numpy(bool)]
    if not found:
        raise AbsentData(f"no stratum of {column} has {MIN_SAMPLES} samples")
    return found, left_out


def pair_values(test: Coexpression, data: anndata.AnnData, sets: Sets) -> PairValues:
    """What `coexpression` correlates, of one stratum: `data` holds the samples of that stratum, as from
    `samples_by_stratum`; the test's own filter is applied (once more).

    `partial_spearman(pair.y[:, None], pair.x, pair.covariates)` is the estimate. Covariates are the sample
    columns (categories as 0/1 columns), then the scores of gene sets. Raises AbsentData, with the reason, where
    an end or the score of an adjusting set is not measured.
    """
    variables = _Variables.of(test, _chosen(test, data), sets)
    if variables.unmeasured:
        raise AbsentData(variables.unmeasured.told)
    return variables.pair()


@dataclass(frozen=True)
class _Member:
    """An end of the test or a set that it adjusts for: its genes, and those that were taken out of it."""

    label: str
    is_set: bool
    genes: Sequence[str]
    removed: Sequence[str]


@dataclass(frozen=True)
class _Variable:
    """One value per sample; NaN, with the flag and the words of why, where there is none at all. `genes` are
    those it is made of."""

    label: str
    is_set: bool
    genes: Sequence[str]
    values: Floats
    flag: str = ""
    told: str = ""


@dataclass(frozen=True)
class _Variables:
    """All that a test looks at in one stratum. `values` (samples x `genes`, log2) and all else is of the samples
    that have all covariates; `told` are sentences about what was left out."""

    samples: pd.Index
    genes: pd.Index
    values: Floats
    unit: str
    ends: Sequence[_Variable]
    scores: Sequence[_Variable]
    columns: Floats
    circular: bool
    told: Sequence[str]

    @classmethod
    def of(cls, test: Coexpression, data: anndata.AnnData, sets: Sets) -> _Variables:
        """Of the samples of one stratum."""
        given = _column_covariates(test, data.obs, sets)
        complete = given.notna().all(axis=1).to_numpy(bool)
        genes, values = data.var_names, _values(data[complete])
        read = ~np.asarray(np.isnan(values).all(axis=1), np.bool_)
        values = values if read.all() else values[read]
        columns, constant = _as_numbers(given.loc[complete].loc[read])
        ends, adjusting = _members(test, sets)
        x, y, *scores = (
            _score(one, genes, values) if one.is_set else _gene(one.label, genes, values)
            for one in (*ends, *adjusting)
        )
        both = ~np.isnan(x.values) & ~np.isnan(y.values)
        measured = not (x.flag or y.flag)
        circular = [one for one in (*ends, *adjusting) if one.removed]
        told = [
            *(
                f"Removed from {one.label} (part of what is tested): {', '.join(one.removed)}."
                for one in circular
            ),
            *(_silent(one, genes, values) for one in (x, y, *scores)),
            f"Left out, being the same in all samples: {', '.join(constant)}." if constant else "",
            _left_out(int((~complete).sum()), "without a covariate"),
            _left_out(int((~read).sum()), "without any value"),
            _left_out(int((~both).sum()), f"without a value of {x.label} or {y.label}") if measured else "",
        ]
        samples, unit = data.obs_names[complete][read], data.uns["unit"]
        return cls(samples, genes, values, unit, (x, y), scores, columns, bool(circular), told)

    @property
    def unmeasured(self) -> _Variable | None:
        """The first end or score without any value."""
        return next((one for one in (*self.ends, *self.scores) if one.flag), None)

    @property
    def covariates(self) -> Floats:
        return np.column_stack([self.columns, *(score.values for score in self.scores)])

    def pair(self) -> PairValues:
        """Both ends, in the samples where they have values."""
        x, y = (end.values for end in self.ends)
        both = ~np.isnan(x) & ~np.isnan(y)
        return PairValues(self.samples[both], x[both], y[both], self.covariates[both])


def _estimate(
    test: Coexpression, base: Estimate, variables: _Variables, table: pd.DataFrame, seed: int
) -> Estimate:
    x, y = variables.ends
    pair = variables.pair()
    base = replace(base, n=len(variables.samples if variables.unmeasured else pair.samples))
    why_not = _why_not(variables, pair)
    if why_not:
        flag, told, valid = why_not
        return replace(base, flags=(*base.flags, flag), note=told, valid=valid)
    partner = table[table["feature"] == y.label] if not y.is_set else table.iloc[:0]
    found = partner if len(partner) else partial_spearman(pair.y[:, None], pair.x, pair.covariates)
    numbers = {name: float(found[name].iloc[0]) for name in ("effect", "se", "statistic", "p_value")}
    if np.isnan(numbers["effect"]):
        told = f"The covariates leave nothing of {x.label} or {y.label}, or are too many for the samples."
        return replace(base, flags=(*base.flags, "not_estimable"), note=told)
    low, high = bootstrap_spearman(pair.x, pair.y, seed, covariates=pair.covariates)
    numbers |= {"ci_low": low, "ci_high": high}
    rank = ""
    if len(partner):
        numbers["q_value"] = float(partner["q_value"].iloc[0])
        rank = _rank(test, x.label, y.label, numbers["effect"], table["effect"])
    seen = [_detected(end, values, variables.unit) for end, values in ((x, pair.x), (y, pair.y))]
    p_value = one_sided(numbers["p_value"], numbers["effect"], test.expected)
    return replace(base, note=_joined(rank, *seen)).with_numbers(numbers, p_value)


def _why_not(variables: _Variables, pair: PairValues) -> tuple[str, str, bool] | None:
    """Flag, words and whether the test is valid all the same, when it has no rho."""
    x, y = variables.ends
    if variables.unmeasured:
        return variables.unmeasured.flag, variables.unmeasured.told, False
    if list(x.genes) == list(y.genes):
        return "not_estimable", f"{x.label} is not compared with itself.", False
    if len(pair.samples) < MIN_SAMPLES:
        told = f"All values are there in {len(pair.samples)} samples; {MIN_SAMPLES} are needed."
        return "not_estimable", told, True
    for end, values in ((x, pair.x), (y, pair.y)):
        if not _varies(values):
            return "not_detected", f"{end.label} has no reads, or one value only, in these samples.", False
    return None


def _table(variables: _Variables, stratum: str) -> pd.DataFrame:
    """Every gene against the first feature; empty where that, or an adjusting score, has no values, and for too
    few samples."""
    first = variables.ends[0]
    unmeasured = any(one.flag for one in (first, *variables.scores))
    if unmeasured or len(variables.samples) < MIN_SAMPLES:
        return pd.DataFrame(columns=list(TABLE_COLUMNS))
    others = ~variables.genes.isin(list(first.genes))
    found = partial_spearman(variables.values[:, others], first.values, variables.covariates)
    found = found.assign(feature=variables.genes[others].to_numpy(object), stratum=stratum)
    return found[list(TABLE_COLUMNS)]


# Genes and scores


def _members(test: Coexpression, sets: Sets) -> tuple[list[_Member], list[_Member]]:
    """The ends, and the adjusting sets. Genes of one end are taken out of the other end's set, and out of
    adjusting sets: they would be compared with, or adjusted for, themselves."""
    first, second = (_genes_of(feature, sets) for feature in test.features)
    ends = [
        _without(_label(feature), feature.gene is None, genes, others if feature.gene is None else [])
        for feature, genes, others in zip(test.features, (first, second), (second, first), strict=True)
    ]
    names = dict.fromkeys(name for name in test.adjust if name in sets)
    return ends, [_without(name, True, sets[name], [*first, *second]) for name in names]


def _without(label: str, is_set: bool, genes: Sequence[str], others: Sequence[str]) -> _Member:
    every = dict.fromkeys(genes)
    return _Member(
        label, is_set, [gene for gene in every if gene not in others], [g for g in every if g in others]
    )


def _genes_of(feature: GeneFeature, sets: Sets) -> Sequence[str]:
    if feature.gene is not None:
        return [feature.gene]
    named = feature.gene_set or []
    if isinstance(named, str) and named not in sets:
        raise AbsentData(f"no gene set {named!r}{did_you_mean(named, sets)}")
    return sets[named] if isinstance(named, str) else named


def _label(feature: GeneFeature) -> str:
    if feature.gene is not None:
        return feature.gene
    return feature.gene_set if isinstance(feature.gene_set, str) else ", ".join(feature.gene_set or [])


def _values(data: anndata.AnnData) -> Floats:
    """Samples x genes on the log2 scale; NaN for what is no number."""
    values: Floats = log2_values(data) if data.n_obs else np.empty(data.shape)
    strange = np.isinf(values)
    return np.where(strange, np.nan, values) if strange.any() else values


def _gene(gene: str, genes: pd.Index, values: Floats) -> _Variable:
    """`values` is samples x `genes`."""
    place = genes.get_indexer(pd.Index([gene]))[0]
    own: Floats = values[:, place] if place >= 0 else np.full(len(values), np.nan)
    flag, told = "", ""
    if place < 0:
        flag, told = "not_on_platform", f"{gene} is not among the {len(genes):,} genes of this data set."
    elif len(own) and np.isnan(own).all():
        flag, told = "not_detected", f"{gene} has no values in these samples."
    return _Variable(gene, False, [gene], own, flag, told)


def _score(member: _Member, genes: pd.Index, values: Floats) -> _Variable:
    """The mean of the measured members, each scaled to standard deviation 1 over the samples; those without
    variation add nothing."""
    label, wanted = member.label, member.genes
    measured = measured_members(wanted, genes, values)
    if not measured or len(measured) < MIN_SET_SHARE * len(wanted):
        told = f"Only {len(measured)} of {len(wanted)} members of {label} are measured."
        told = told if wanted else f"No member of {label} is left."
        return _Variable(label, True, measured, np.full(len(values), np.nan), "not_on_platform", told)
    own = values[:, genes.get_indexer(pd.Index(measured))]
    own = own[:, _varies(own)]
    score = (own / own.std(axis=0)).mean(axis=1) if own.shape[1] else np.zeros(len(own))
    return _Variable(label, True, measured, np.asarray(score, np.float64))


def _silent(score: _Variable, genes: pd.Index, values: Floats) -> str:
    """Members that are measured and tell nothing."""
    if not score.is_set or score.flag or len(values) < MIN_SAMPLES:
        return ""
    varies = _varies(values[:, genes.get_indexer(pd.Index(score.genes))])
    if varies.all():
        return ""
    return (
        f"{(~varies).sum()} of {len(varies)} measured members of {score.label} are the same in all samples."
    )


def _varies(values: Floats) -> NDArray[np.bool_]:
    """Whether the values (of each column) differ; none is missing."""
    return np.asarray((values != values[:1]).any(axis=0))


# Covariates


def _column_covariates(test: Coexpression, samples: pd.DataFrame, sets: Sets) -> pd.DataFrame:
    """Samples x adjusting columns, as numbers or as text; a name that is also a set's means the set."""
    found = pd.DataFrame(index=samples.index)
    for name in test.adjust:
        if name in sets:
            continue
        if name not in samples.columns:
            near = did_you_mean(name, [*map(str, samples.columns), *sets])
            raise AbsentData(f"adjust: {name!r} is neither a sample column nor a gene set of the study{near}")
        values = covariate_of(samples, name)
        if pd.api.types.is_float_dtype(values):
            values = values.where(np.isfinite(values))
        found[name] = values
    return found


def _as_numbers(covariates: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Samples x k: numbers as they are, categories as one 0/1 column per level but the first; and the names of
    covariates that are the same in all samples and left out."""
    columns: list[Floats] = []
    constant = []
    for name, values in covariates.items():
        if values.nunique() < 2:
            constant += [str(name)] if len(values) else []
        elif pd.api.types.is_float_dtype(values):
            columns.append(values.to_numpy(float))
        else:
            text = values.to_numpy(object)
            columns += [(text == level).astype(float) for level in sorted(set(text))[1:]]
    shape = (len(covariates), len(columns))
    return (np.column_stack(columns) if columns else np.empty(shape)), constant


# Words


def _method(test: Coexpression, sets: Sets) -> str:
    if not test.adjust:
        return "Spearman's rank correlation"
    given = [f"the score of {name}" if name in sets else name for name in test.adjust]
    return f"partial Spearman correlation given {' and '.join(given)}"


def _open_to_mixture(test: Coexpression, sets: Sets) -> bool:
    """Genes of one cell type rise together with its share of a tissue; purity does not tell which cells the
    rest are."""
    return (
        test.pseudobulk is None
        and test.expected == "positive"
        and not any(name in sets for name in test.adjust)
    )


def _rank(test: Coexpression, first: str, partner: str, rho: float, others: pd.Series[float]) -> str:
    """Where the partner stands among all genes that have a rho, itself among them."""
    negative = test.expected == "negative"
    beyond = int((others < rho).sum() if negative else (others > rho).sum())
    order = ", lowest first" if negative else ""
    known = int(others.notna().sum())
    return f"{partner} ranks {_ordinal(beyond + 1)} of {known:,} genes by rho with {first}{order}."


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _detected(end: _Variable, values: Floats, unit: str) -> str:
    """Said of a gene that most samples have none of; arrays always show some intensity."""
    seen = int((values > DETECTED).sum())
    if end.is_set or unit == "log2_intensity" or 2 * seen >= len(values):
        return ""
    return f"{end.label} is detected in {seen} of {len(values)} samples."


def _left_out(number: int, why: str) -> str:
    return f"Left out: {number} sample{'s' if number > 1 else ''} {why}." if number else ""


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _chosen(test: Coexpression, data: anndata.AnnData) -> anndata.AnnData:
    if not test.samples:
        return data
    keep = np.asarray(select(data.obs, test.samples), bool)
    if not keep.any():
        raise AbsentData(f"no sample meets: {describe(test.samples)}")
    return data[keep]
