"""cBioPortal's data hub: studies as archives or single files.

Format: https://docs.cbioportal.org/file-formats/. Meta files say which data file holds what; the
case lists say who was sequenced; clinical files open with four `#` lines.
"""

from __future__ import annotations

import tarfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import pandas as pd

from reclaim.dataset import CbioportalDataset, MafColumns
from reclaim.errors import AbsentData, UserError
from reclaim.mutations import Cohort
from reclaim.sources.maf import read_maf
from reclaim.sources.text_table import open_bytes, read_slices, read_table

ROWS_AT_A_TIME = 2000
"""Copy-number matrices are read in slices: 25,000 genes x 2,300 samples as text would be 3 GB."""


class StudyFiles(Protocol):
    """The files of one study by their name inside it."""

    def names(self) -> list[str]: ...
    def open(self, name: str) -> IO[bytes]: ...
    def label(self, name: str) -> str: ...


class Archive:
    """A study's .tar.gz; everything lies in one folder inside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r:*")
            members = [member for member in self._tar.getmembers() if member.isfile()]
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise UserError(
                f"{path}: truncated or not a tar archive ({error}); delete it and fetch it again"
            ) from None
        self._members = {member.name.split("/", 1)[-1]: member for member in members}

    def names(self) -> list[str]:
        return sorted(self._members)

    def open(self, name: str) -> IO[bytes]:
        handle = self._tar.extractfile(self._members[name])
        assert handle is not None
        return handle

    def label(self, name: str) -> str:
        return f"{self.path}!{name}"


class SingleFiles:
    """Files fetched one by one."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def names(self) -> list[str]:
        return sorted(self._paths)

    def open(self, name: str) -> IO[bytes]:
        return open_bytes(self._paths[name])

    def label(self, name: str) -> str:
        return str(self._paths[name])


def read_study_files(dataset: CbioportalDataset, paths: Mapping[str, Path], ledger: Counter[str]) -> Cohort:
    """The cohort of one study, before any selection of samples.

    Raises AbsentData when the study does not hold mutations or the case list of sequenced samples.
    """
    files: StudyFiles
    if dataset.layout == "archive":
        files = Archive(paths["archive"])
        mutations_file = _data_file(files, "MUTATION_EXTENDED", "MAF", prefer="mutations")
        copy_number_file = _data_file(files, "COPY_NUMBER_ALTERATION", "DISCRETE", prefer="gistic")
    else:
        files = SingleFiles(paths)
        mutations_file = "data_mutations.txt"
        copy_number_file = "data_cna.txt" if dataset.copy_number else None
    if mutations_file is None or mutations_file not in files.names():
        raise AbsentData("no mutation file (a meta file with MUTATION_EXTENDED / MAF) in this study")
    sequenced = _case_list(files, dataset.study, "sequenced")
    if sequenced is None:
        raise AbsentData("no case list of sequenced samples (case_lists/cases_sequenced.txt) in this study")
    clinical, patient_of = read_clinical(files, ledger)
    unknown = sequenced - set(patient_of.index)
    ledger["sequenced samples without a clinical line"] += len(unknown)

    mutations = read_maf(files.open(mutations_file), files.label(mutations_file), MafColumns(), ledger)
    listed = mutations["sample"].isin(sequenced - unknown)
    ledger["mutations of samples outside the sequenced case list"] += int((~listed).sum())

    if copy_number_file and copy_number_file in files.names():
        calls, profiled = _copy_number(files.open(copy_number_file), files.label(copy_number_file), ledger)
        profiled &= _case_list(files, dataset.study, "cna") or profiled
    else:
        calls, profiled = Cohort.empty().copy_number, set()

    samples = pd.DataFrame({"sample": patient_of.index, "patient": patient_of.to_numpy()})
    samples["sequenced"] = samples["sample"].isin(sequenced)
    samples["copy_number"] = samples["sample"].isin(profiled)
    return Cohort(
        mutations[listed].reset_index(drop=True),
        calls[calls["sample"].isin(samples["sample"])].reset_index(drop=True),
        samples,
        clinical,
    )


def read_meta(handle: IO[bytes]) -> dict[str, str]:
    """The `key: value` lines of a meta or case-list file."""
    lines = handle.read().decode("utf-8", "replace").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _data_file(files: StudyFiles, alteration: str, datatype: str, prefer: str) -> str | None:
    """Name of the data file whose meta file declares this type; `prefer` picks among several."""
    found: dict[str, str] = {}
    for name in files.names():
        if name.startswith("meta_"):
            meta = read_meta(files.open(name))
            if (meta.get("genetic_alteration_type"), meta.get("datatype")) == (alteration, datatype):
                found[meta.get("stable_id", name)] = meta.get("data_filename", "")
    return found.get(prefer) or next((found[key] for key in sorted(found)), None)


def _case_list(files: StudyFiles, study: str, suffix: str) -> set[str] | None:
    """Sample names of the list `<study>_<suffix>`, or None when the study has no such list."""
    for name in files.names():
        if name.startswith("case_lists/"):
            listing = read_meta(files.open(name))
            if listing.get("stable_id") == f"{study}_{suffix}":
                return set(listing.get("case_list_ids", "").split())
    return None


def read_clinical(files: StudyFiles, ledger: Counter[str]) -> tuple[pd.DataFrame, pd.Series]:
    """Sample columns, with the patient's columns beside them, indexed by sample, and the patient of every sample.

    A column of both tables is that of the sample. Raises AbsentData without data_clinical_sample.txt.
    """
    sample_table = _clinical_table(files, "data_clinical_sample.txt", ["SAMPLE_ID", "PATIENT_ID"], ledger)
    sample_table = sample_table.set_index("SAMPLE_ID").rename_axis("sample")
    clinical = sample_table
    if "data_clinical_patient.txt" in files.names():
        patients = _clinical_table(files, "data_clinical_patient.txt", ["PATIENT_ID"], ledger)
        patients = patients.set_index("PATIENT_ID")
        new = patients[[column for column in patients.columns if column not in sample_table.columns]]
        clinical = sample_table.join(new, on="PATIENT_ID")
    return clinical, sample_table["PATIENT_ID"]


def _clinical_table(files: StudyFiles, name: str, keys: list[str], ledger: Counter[str]) -> pd.DataFrame:
    """One line for each value of the first key."""
    if name not in files.names():
        raise AbsentData(f"no {name} in this study")
    table, line = read_table(files.open(name), files.label(name))
    for key in keys:
        if key not in table.columns:
            raise UserError(
                f"{files.label(name)}:{line}: no column {key!r}; expected cBioPortal's clinical format"
            )
    named = table[keys].notna().all(axis=1)
    ledger[f"clinical lines without {' or '.join(keys)}"] += int((~named).sum())
    repeated = named & table[keys[0]].duplicated()
    ledger[f"clinical lines that repeat a {keys[0]}"] += int(repeated.sum())
    return table[named & ~repeated]


def _copy_number(handle: IO[bytes], name: str, ledger: Counter[str]) -> tuple[pd.DataFrame, set[str]]:
    """Non-neutral calls in long form, and the samples of the matrix."""
    header, line, slices = read_slices(handle, name, rows=ROWS_AT_A_TIME)
    if "Hugo_Symbol" not in header:
        raise UserError(
            f"{name}:{line}: no column 'Hugo_Symbol'; expected cBioPortal's discrete copy-number format"
        )
    samples = [column for column in header if column not in ("Hugo_Symbol", "Entrez_Gene_Id", "Cytoband")]
    parts = [Cohort.empty().copy_number]
    for part in slices:
        values = part[samples].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
        ledger["copy-number calls that are missing"] += int(np.isnan(values).sum())
        whole = np.isin(values, [-2, -1, 0, 1, 2])
        ledger["copy-number calls other than -2, -1, 0, 1, 2"] += int((~whole & ~np.isnan(values)).sum())
        rows, columns = np.nonzero(whole & (values != 0))
        parts.append(
            pd.DataFrame(
                {
                    "sample": np.asarray(samples, dtype=object)[columns],
                    "gene": part["Hugo_Symbol"].fillna("").to_numpy(object)[rows],
                    "call": values[rows, columns].astype("int8"),
                }
            )
        )
    return pd.concat(parts, ignore_index=True), set(samples)
