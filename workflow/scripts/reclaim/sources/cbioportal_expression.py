"""Expression of a study of cBioPortal's data hub: a profile of its archive, with the clinical tables.

Format: https://docs.cbioportal.org/file-formats/#expression-data. A profile is a matrix of genes x samples behind
Hugo_Symbol, Entrez_Gene_Id or both. An archive holds several, z-scores of the same values among them.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.dataset import CbioportalExpressionDataset
from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.expression import PATIENT
from reclaim.sources.cbioportal import Archive, StudyFiles, read_clinical, read_meta
from reclaim.sources.text_table import read_slices

if TYPE_CHECKING:
    import anndata

    from reclaim.symbols import SymbolTable

SYMBOL, ENTREZ = "Hugo_Symbol", "Entrez_Gene_Id"
NOT_SAMPLES = (SYMBOL, ENTREZ, "Cytoband")
PROFILES = ("data_mrna", "data_expression")
"""How profiles of expression are called, today and in older releases."""

MISSING = ["", "NA", "NaN", "nan", "NAN", "null"]
BLOCK_BYTES = 2**25
CEILING = 30.0
"""No gene has an intensity or a count of 2^30: a value above this is no logarithm."""

BELOW_ZERO = -0.01
"""log2(x + 1) is not negative; rounding aside."""


def read_profile(
    dataset: CbioportalExpressionDataset, archive: Path, ledger: Counter[str]
) -> anndata.AnnData:
    """Samples x rows of the profile for the samples that have a clinical line, in the order of the profile.

    `obs`: the clinical columns of sample and patient, and `patient`. `var`: indexed by symbol as it stands (empty
    where the row has none), `entrez`. Values are float32, missing where empty or NA; of unit counts int32.
    Memory: the values twice. Raises AbsentData for a profile that is not there or does not hold what the study file
    says; UserError, with file and line, for damage.
    """
    import anndata as ad

    files = Archive(archive)
    _there(dataset.profile, files)
    meta = _meta_of(dataset.profile, files)
    _refuse_other_kinds(dataset.profile, meta)
    clinical, patient_of = read_clinical(files, ledger)
    names, entrez, samples, values = _matrix(files, dataset.profile, clinical.index, ledger)
    ledger["clinical lines of samples without expression"] += len(clinical) - len(samples)
    ledger["values of expression that are missing"] += int(np.isnan(values).sum())
    return ad.AnnData(
        _checked(values, dataset.values, names, dataset.profile).T,
        obs=clinical.loc[samples].assign(**{PATIENT: patient_of[samples]}),
        var=pd.DataFrame({"entrez": entrez}, index=pd.Index(names, dtype=object)),
        uns={"unit": dataset.values, "source_unit": meta.get("profile_name", "")},
    )


def name_by_entrez(data: anndata.AnnData, table: SymbolTable, ledger: Counter[str]) -> None:
    """For `to_symbols` with key `given`: rows without a symbol get that of their Entrez id, and the id as name."""
    symbol = data.var_names.to_series(index=range(data.n_vars)).str.strip()
    unnamed = (symbol == "").to_numpy(bool)
    found = table.by_entrez(data.var["entrez"])
    data.var["given"] = np.where(unnamed, found["symbol"], symbol)
    data.var_names = pd.Index(np.where(unnamed, found["name"], symbol), dtype=object)
    ledger["rows without a symbol, named by their Entrez id"] += int(
        (unnamed & (found["symbol"] != "").to_numpy()).sum()
    )


def _there(profile: str, files: StudyFiles) -> None:
    if profile not in files.names():
        known = [name for name in files.names() if name.startswith(PROFILES)]
        raise AbsentData(
            f"no {profile} in this study{did_you_mean(profile, known)}; it has "
            f"{', '.join(known) or f'no file that is called {PROFILES[0]}...'}"
        )


def _meta_of(profile: str, files: StudyFiles) -> dict[str, str]:
    """The meta file that names the profile, the one of the same name first; empty when there is none."""
    usual = f"meta_{profile.removeprefix('data_')}"
    metas = [name for name in files.names() if name.startswith("meta_")]
    for name in sorted(metas, key=lambda name: name != usual):
        meta = read_meta(files.open(name))
        if meta.get("data_filename") == profile:
            return meta
    return {}


def _refuse_other_kinds(profile: str, meta: dict[str, str]) -> None:
    kind, datatype = meta.get("genetic_alteration_type"), meta.get("datatype", "")
    if kind not in (None, "MRNA_EXPRESSION"):
        raise AbsentData(f"{profile} holds {kind}, as its meta file says; expected MRNA_EXPRESSION")
    if datatype.upper() == "Z-SCORE" or "zscore" in profile.lower():
        raise AbsentData(f"{profile} holds z-scores; name the profile of the values that they were made of")


def _matrix(
    files: StudyFiles, profile: str, wanted: pd.Index, ledger: Counter[str]
) -> tuple[list[str], list[str], list[str], np.ndarray]:
    """Symbols, Entrez ids, samples and values, rows x samples, of the wanted samples."""
    label, handle = files.label(profile), files.open(profile)
    header, line, _ = read_slices(handle, label)
    keys = [column for column in (SYMBOL, ENTREZ) if column in header]
    if not keys:
        raise AbsentData(f"{label}:{line}: no column {SYMBOL} or {ENTREZ}; expected a profile of genes")
    listed = [column for column in header if column not in NOT_SAMPLES]
    samples = [column for column in listed if column in wanted]
    ledger["samples with expression and without a clinical line"] += len(listed) - len(samples)
    if not samples:
        raise AbsentData(
            f"{label}:{line}: none of its samples (such as {', '.join(listed[:1])}) has a clinical line"
        )
    texts: dict[str, list[str]] = {SYMBOL: [], ENTREZ: []}
    slabs = _slabs(handle, label, header, line, keys, samples, texts)
    values = np.concatenate(slabs) if slabs else np.empty((0, len(samples)), np.float32)
    missing = [""] * len(values)
    return texts[SYMBOL] or missing, texts[ENTREZ] or missing, samples, values


def _slabs(
    handle: IO[bytes],
    label: str,
    header: list[str],
    line: int,
    keys: list[str],
    samples: list[str],
    texts: dict[str, list[str]],
) -> list[np.ndarray]:
    """The values block by block; `texts` takes up the keys."""
    import pyarrow as pa
    from pyarrow import csv

    types = {**dict.fromkeys(keys, pa.string()), **dict.fromkeys(samples, pa.float32())}
    slabs: list[np.ndarray] = []
    if not handle.peek(1):  # type: ignore[attr-defined]
        return slabs
    try:
        blocks = csv.open_csv(
            handle,
            csv.ReadOptions(column_names=header, block_size=BLOCK_BYTES, use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(
                include_columns=[*keys, *samples],
                column_types=types,
                null_values=MISSING,
                strings_can_be_null=True,
            ),
        )
        for block in blocks:
            for key in keys:
                texts[key] += [text or "" for text in block.column(key).to_pylist()]
            slabs.append(block.select(samples).to_tensor(null_to_nan=True, row_major=True).to_numpy())
    except pa.ArrowInvalid as error:
        told = str(error).splitlines()[0][:200]
        row = re.search(r"Row #(\d+): ", told)
        place = f"{label}:{line + int(row[1])}" if row else label
        raise UserError(f"{place}: {told}; delete it and fetch it again") from None
    return slabs


def _checked(values: np.ndarray, unit: str, names: list[str], profile: str) -> np.ndarray:
    """The values, of counts as whole numbers. Raises AbsentData where they cannot be of this unit."""
    known = np.isfinite(values)
    if not known.any():
        raise AbsentData(f"{profile} holds no values")
    if unit == "counts":
        wrong = ~known | (values < 0) | (values % 1 != 0)
        expected = "whole counts of reads"
    else:
        wrong = np.isinf(values) | (values > CEILING)
        if unit != "log2_intensity":
            wrong |= values < BELOW_ZERO
        expected = f"{unit}, which is at most {CEILING:g}"
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise AbsentData(
            f"{profile} holds {values[row, column]:g} ({names[row] or 'a row without a symbol'}); expected {expected}: "
            "give the `values` that its meta file says"
        )
    return np.rint(values).astype(np.int32) if unit == "counts" else values
