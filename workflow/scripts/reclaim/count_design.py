"""Counts, design matrix and contrast of a count model, and what must hold before it can be fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.errors import did_you_mean

Floats = NDArray[np.float64]

ONLY_A_DIRECTION = "only a direction can be given"
NEGLIGIBLE = 1e-8


@dataclass(frozen=True)
class CountDesign:
    """`matrix` is samples x coefficients, `contrast` has one weight per coefficient. `two_groups` says
    that the formula has one variable only, with two levels."""

    matrix: pd.DataFrame
    contrast: Floats
    two_groups: bool

    @property
    def residual_df(self) -> int:
        return len(self.matrix) - self.matrix.shape[1]

    @property
    def coefficient(self) -> int | None:
        """Position of the one coefficient that the contrast is, if it is one."""
        used = np.flatnonzero(self.contrast)
        return int(used[0]) if len(used) == 1 and self.contrast[used[0]] == 1 else None


def count_design(samples: pd.DataFrame, formula: str, contrast: Sequence[str] | Floats) -> CountDesign:
    """The design of `formula` over `samples` (one row each) and the weights of `contrast`.

    `contrast` is (column, level, reference), or one weight per column of the design matrix, in the order
    of formulaic.model_matrix(formula, samples). Text and categories are groups, numbers are covariates;
    the column of a named contrast is always a group.

    Raises ValueError, with what is wrong, for a formula that cannot be read or names unknown columns;
    missing values; unknown levels; a named contrast whose column takes part in an interaction; columns
    that depend on each other, by name; and when no residual degrees of freedom are left, or the contrast
    rests on a sample without replicate.
    """
    if isinstance(contrast, np.ndarray):
        matrix, variables = _matrix(samples, formula)
        _check_rank(matrix)
        weights = _weights(matrix, contrast)
    else:
        column, level, reference = _names(samples, contrast)
        samples = samples.assign(**{column: _groups(samples[column], reference)})
        matrix, variables = _matrix(samples, formula)
        if column not in variables:
            raise ValueError(f"the contrast's column {column} is not in the design {formula}")
        _check_rank(matrix)
        weights = _difference(matrix, samples, column, level, reference)
    found = CountDesign(matrix.astype(float), weights, _two_groups(samples, variables))
    _check_replicates(found)
    return found


def checked_counts(counts: pd.DataFrame) -> NDArray[np.int64]:
    """The counts (samples x genes) as whole numbers.

    Raises ValueError, with the first place, for values that are not whole numbers from 0 on, names that
    stand twice, a sample without any count, and when every gene is 0 in some sample: then R's size factors,
    medians of ratios to the geometric mean, do not exist.
    """
    for what, names in (("sample", counts.index), ("gene", counts.columns)):
        if not names.is_unique:
            raise ValueError(f"{what} {names[names.duplicated()][0]} stands twice in the counts")
    try:
        values = counts.to_numpy(dtype=float)
    except (TypeError, ValueError) as reason:
        raise ValueError(f"counts must be numbers: {reason}") from reason
    for wrong, what in (
        (~np.isfinite(values), "missing or infinite"),
        (values < 0, "negative"),
        (values != np.floor(values), "not whole: give counts, neither TPM nor log values"),
    ):
        if wrong.any():
            sample, gene = np.argwhere(wrong)[0]
            place = f"{counts.columns[gene]} of {counts.index[sample]} is {values[sample, gene]:g}"
            raise ValueError(f"{wrong.sum():,} counts are {what} ({place})")
    silent = counts.index[(values == 0).all(axis=1)]
    if len(silent):
        raise ValueError(f"sample {silent[0]} has no count at all")
    if (values == 0).any(axis=0).all():
        raise ValueError("every gene is 0 in some sample, so size factors cannot be estimated")
    return values.astype(np.int64)


def matching_samples(samples: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    """The rows that describe the samples `names`, in that order. Raises ValueError for a missing or a
    double one."""
    if not samples.index.is_unique:
        raise ValueError(f"sample {samples.index[samples.index.duplicated()][0]} is described twice")
    unknown = names.difference(samples.index)
    if len(unknown):
        raise ValueError(f"{len(unknown)} samples with counts are not described, such as {unknown[0]}")
    return samples.loc[names]


def _names(samples: pd.DataFrame, contrast: Sequence[str]) -> tuple[str, str, str]:
    if isinstance(contrast, str) or len(contrast) != 3:
        raise ValueError(f"a contrast is (column, level, reference) or an array of weights, not {contrast!r}")
    column, level, reference = contrast
    if column not in samples:
        raise ValueError(f"there is no column {column}{did_you_mean(column, map(str, samples))}")
    present = list(samples[column].dropna().unique())
    for name in (level, reference):
        if name not in present:
            near = did_you_mean(str(name), map(str, present))
            raise ValueError(f"no sample has {column} {name}{near}")
    if level == reference:
        raise ValueError(f"the contrast compares {column} {level} with itself")
    return column, level, reference


def _groups(values: pd.Series, reference: str) -> pd.Categorical:
    """Categories with the reference first, so that the contrast is a coefficient of its own."""
    order = list(pd.Categorical(values).remove_unused_categories().categories)
    order.remove(reference)
    return pd.Categorical(values, categories=[reference, *order])


def _matrix(samples: pd.DataFrame, formula: str) -> tuple[pd.DataFrame, set[str]]:
    from formulaic import Formula, model_matrix  # type: ignore[import-untyped, unused-ignore]
    from formulaic.errors import FormulaicError  # type: ignore[import-untyped, unused-ignore]

    try:
        variables = {str(name) for name in Formula(formula).required_variables}
        unknown = sorted(variables - set(samples.columns))
        if unknown:
            near = did_you_mean(unknown[0], map(str, samples))
            raise ValueError(f"the design {formula} names {', '.join(unknown)}, which the samples lack{near}")
        for name in sorted(variables):
            missing = samples.index[samples[name].isna()]
            if len(missing):
                told = ", ".join(map(str, missing[:5]))
                raise ValueError(f"{name} is missing for {len(missing)} of {len(samples)} samples: {told}")
        matrix: pd.DataFrame = model_matrix(formula, samples, na_action="raise")
    except FormulaicError as reason:
        raise ValueError(f"the design {formula} cannot be read: {reason}") from reason
    return matrix, variables


def _check_rank(matrix: pd.DataFrame) -> None:
    """Goes through the columns from left to right and names those that say nothing new."""
    values, names = matrix.to_numpy(float), list(matrix.columns)
    empty = [name for name, column in zip(names, values.T, strict=True) if not column.any()]
    if empty:
        raise ValueError(f"no sample has {' or '.join(empty)}: take it out of the design")
    scaled = values / np.linalg.norm(values, axis=0)
    kept: list[int] = []
    for position in range(len(names)):
        if np.linalg.matrix_rank(scaled[:, [*kept, position]]) > len(kept):
            kept.append(position)
            continue
        weights = np.linalg.lstsq(scaled[:, kept], scaled[:, position], rcond=None)[0]
        partners = [kept[i] for i in np.flatnonzero(np.abs(weights) > NEGLIGIBLE)]
        confounded = [names[i] for i in [*partners, position]]
        raise ValueError(
            f"the design is rank-deficient: {', '.join(confounded[:-1])} and {confounded[-1]} are confounded"
        )


def _difference(
    matrix: pd.DataFrame, samples: pd.DataFrame, column: str, level: str, reference: str
) -> Floats:
    """What changes in a sample's row of the design when it moves from the reference to the level."""
    categories = samples[column].cat.categories

    def rows(value: str) -> Floats:
        moved = samples.assign(**{column: pd.Categorical([value] * len(samples), categories=categories)})
        return np.asarray(matrix.model_spec.get_model_matrix(moved), dtype=float)

    change = rows(level) - rows(reference)
    if np.ptp(change, axis=0).max() > NEGLIGIBLE:
        raise ValueError(
            f"{column} takes part in an interaction, so {level} against {reference} is not one number: "
            f"give a weight for each of {', '.join(matrix.columns)}"
        )
    return np.asarray(change[0])


def _weights(matrix: pd.DataFrame, contrast: Floats) -> Floats:
    if contrast.shape != (matrix.shape[1],) or not np.isfinite(contrast).all() or not contrast.any():
        raise ValueError(
            f"a contrast of this design has {matrix.shape[1]} weights, not all 0, for "
            f"{', '.join(matrix.columns)}; found {contrast.tolist()}"
        )
    return contrast


def _two_groups(samples: pd.DataFrame, variables: set[str]) -> bool:
    if len(variables) != 1:
        return False
    values = samples[next(iter(variables))]
    return not pd.api.types.is_numeric_dtype(values) and values.nunique() == 2


def _check_replicates(design: CountDesign) -> None:
    matrix, names = design.matrix.to_numpy(), design.matrix.index
    n_samples, n_coefficients = matrix.shape
    if design.residual_df < 1:
        raise ValueError(
            f"{n_samples} samples for {n_coefficients} coefficients leave no residual degrees of freedom: "
            f"{ONLY_A_DIRECTION}"
        )
    pseudo_inverse = np.linalg.pinv(matrix)
    leverage = np.einsum("sp,ps->s", matrix, pseudo_inverse)
    share = design.contrast @ pseudo_inverse
    alone = names[(leverage > 1 - NEGLIGIBLE) & (np.abs(share) > NEGLIGIBLE)]
    if len(alone):
        raise ValueError(
            f"the contrast rests on {', '.join(map(str, alone))} without a replicate: {ONLY_A_DIRECTION}"
        )
