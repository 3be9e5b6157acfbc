"""Expression as the workflow keeps it: AnnData, samples x genes, under approved symbols.

`uns["unit"]` says what the values are: `counts` (whole reads per gene), `log2_intensity` (arrays), `log2_tpm`
(log2(TPM + 1)) or `log2_normalised_count` (log2(normalised count + 1)). `obs` is the sample table, all text. `var` is
indexed by symbol. A clinical table is the same without genes, and its unit is `none`. Gene effects of knock-outs, cell
lines x genes, are kept in the same form; their unit `gene_effect` is none of expression's.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, get_args

import numpy as np

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.expression_dataset import DerivedColumn, Unit
from reclaim.ledger import FlowStep
from reclaim.selection import Selection, describe, select, values_found

if TYPE_CHECKING:
    import anndata
    import pandas as pd

UNITS: tuple[str, ...] = get_args(Unit)
GENE_EFFECT = "gene_effect"
"""The unit of Chronos: 0 without an effect, -1 the median of common essential genes."""
NO_VALUES = "none"
"""The unit of samples without genes."""
PATIENT = "patient"
"""Sample column that names the patient, where the source has one."""


def empty() -> anndata.AnnData:
    """Expression without samples: what an absent data set is stored as."""
    import anndata as ad

    return ad.AnnData(np.zeros((0, 0), np.float32), uns={"unit": "counts"})


def validated(data: anndata.AnnData) -> anndata.AnnData:
    """The same object. Raises ValueError when it breaks the contract above."""
    unit = data.uns.get("unit")
    if unit not in (*UNITS, GENE_EFFECT) and (unit != NO_VALUES or data.n_vars):
        raise ValueError(f"unit {unit!r} is none of {', '.join((*UNITS, GENE_EFFECT))}")
    for axis, names in (("sample", data.obs_names), ("gene", data.var_names)):
        if names.has_duplicates:
            raise ValueError(f"{axis} {names[names.duplicated()][0]!r} stands twice")
    values = data.X.data if hasattr(data.X, "nnz") else np.asarray(data.X)
    if unit == "counts" and values.size and (values.min() < 0 or not _whole(values)):
        raise ValueError("counts must be whole and not negative")
    return data


def _whole(values: np.ndarray) -> bool:
    """Without a copy for integers, which most counts are."""
    return bool(np.issubdtype(values.dtype, np.integer)) or not (values % 1).any()


def derive_columns(samples: pd.DataFrame, derive: Mapping[str, DerivedColumn]) -> pd.DataFrame:
    """The sample table with its derived columns: the value whose text a sample's source column holds, or the
    source column shuffled or as it is.

    Raises AbsentData for a source column that is not there, UserError for a sample that fits two values.
    """
    found = samples.copy()
    for column, rule in derive.items():
        if rule.source not in found.columns:
            raise AbsentData(f"no column {rule.source!r}{did_you_mean(rule.source, found.columns)}")
        if rule.shuffle:
            found[column] = _shuffled(found[rule.source])
            continue
        if not rule.values:
            found[column] = found[rule.source]
            continue
        text = found[rule.source].astype("string").fillna("")
        fits = {
            value: np.logical_or.reduce([text.str.contains(mark, regex=False) for mark in _marks(marks)])
            for value, marks in rule.values.items()
        }
        number = np.sum(list(fits.values()), axis=0)
        if (number > 1).any():
            sample = found.index[number > 1][0]
            both = [value for value, there in fits.items() if there[number > 1][0]]
            raise UserError(
                f"derive: {column}: sample {sample} ({text[sample]!r}) is both {' and '.join(both)}; "
                "give texts that only one of them holds"
            )
        found[column] = None
        for value, there in fits.items():
            found.loc[np.asarray(there, bool), column] = value
    return found


def _shuffled(values: pd.Series) -> np.ndarray:
    """The values in the order of the digests of their samples' names: the same for the same samples, in
    whatever order they come."""
    names = np.array([sha256(str(name).encode()).hexdigest() for name in values.index])
    by_name = values.sort_index().to_numpy(object)
    found = np.empty(len(values), object)
    found[np.argsort(names, kind="stable")] = by_name
    return found


def _marks(marks: str | list[str]) -> list[str]:
    return [marks] if isinstance(marks, str) else marks


def select_samples(data: anndata.AnnData, selection: Selection) -> tuple[anndata.AnnData, list[FlowStep]]:
    """The samples of the data set, and how many are left after each step. Raises AbsentData for none."""
    flow = [_step("listed", data)]
    found = values_found(data.obs, selection)
    if selection:
        data = data[np.asarray(select(data.obs, selection), bool)]
        flow.append(_step(describe(selection), data))
    if data.n_obs == 0:
        raise AbsentData(f"no sample meets: {describe(selection) or 'the sample table'}{found}")
    return data, flow


def one_sample_per_patient(data: anndata.AnnData, flow: list[FlowStep]) -> anndata.AnnData:
    """Of several samples of a patient the first by name, in the order of `data`; adds a step to `flow`.

    The same choice as `mutations.one_tumour_per_patient`.
    """
    by_name = data.obs[PATIENT].iloc[np.argsort(data.obs_names.to_numpy(str), kind="stable")]
    chosen = by_name.index[~by_name.duplicated()]
    data = data[data.obs_names.isin(chosen)]
    flow.append(_step("one sample per patient", data))
    return data


def _step(name: str, data: anndata.AnnData) -> FlowStep:
    patients = data.obs[PATIENT].nunique() if PATIENT in data.obs else data.n_obs
    return FlowStep(step=name, samples=data.n_obs, patients=int(patients))
