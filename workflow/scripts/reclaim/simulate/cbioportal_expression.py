"""The archive of a cBioPortal study with expression, SIMULATED: profiles and clinical files, with METABRIC's traps.

Those of the profile: genes under old symbols, rows without a symbol or without any name, genes with several rows,
missing values, and z-scores in a file of almost the same name. Those of the clinical files: patients without
expression, and patients whose status nobody knows. The word SIMULATED stands in the case list, the first file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reclaim.dataset import CbioportalExpressionDataset
from reclaim.expression import PATIENT
from reclaim.retrieve.store import store_path
from reclaim.simulate.cbioportal import case_list_text, clinical_text, meta_text, packed_study, tsv
from reclaim.simulate.expression import SimulatedExpression, counts, normalised
from reclaim.simulate.hgnc import FIRST_ID
from reclaim.simulate.xena import with_old_names
from reclaim.sources.requests import DATAHUB_ARCHIVE

OF_PATIENTS = r"(OS|RFS)_.*|AGE.*|VITAL_STATUS"
"""Columns of the patient file; the sample file has the others."""
FOLLOW_UP = r"(OS|RFS)_.*|VITAL_STATUS"
WITHOUT_STATUS = 50
"""Of so many patients one has no follow-up."""
WITHOUT_EXPRESSION = 3
"""Clinical lines of patients without expression, who have no follow-up either."""
WITHOUT_SYMBOL = 100
"""Of so many rows one has its Entrez id only."""


def write_profiles(
    expression: SimulatedExpression,
    datasets: Sequence[CbioportalExpressionDataset],
    store: Path,
    generator: np.random.Generator,
) -> str:
    """Write the archive of the study, with the profiles that the data sets name, where its URL points. The URL."""
    study = datasets[0].study
    reads = counts(expression, generator)
    files = {"meta_study.txt": meta_text(study, type_of_cancer="mixed", name="SIMULATED study")}
    files |= _clinical_files(expression.samples, study)
    for profile, unit in {one.profile: one.values for one in datasets}.items():
        files |= _profile_files(reads, expression, study, profile, unit, generator)
    url = DATAHUB_ARCHIVE.format(study=study)
    path = store / store_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed_study(files, study))
    return url


def _clinical_files(samples: pd.DataFrame, study: str) -> Mapping[str, str]:
    names = samples.index.to_series()
    # One sample for each patient, as in METABRIC; a patient that has several here becomes as many.
    repeated = samples[PATIENT].duplicated(keep=False)
    patients = samples[PATIENT].where(~repeated, names)
    table = samples.drop(columns=[PATIENT])
    table.insert(0, "PATIENT_ID", patients)
    table.insert(0, "SAMPLE_ID", names)
    follow_up = [column for column in table.columns if pd.Series([column]).str.fullmatch(FOLLOW_UP)[0]]
    table.loc[np.arange(len(table)) % WITHOUT_STATUS == WITHOUT_STATUS // 2, follow_up] = ""
    more = table.iloc[:WITHOUT_EXPRESSION].copy()
    more["SAMPLE_ID"] = more["PATIENT_ID"] = [f"SIMX-{number:04d}" for number in range(len(more))]
    more[follow_up] = ""
    table = pd.concat([table, more])
    of_patients = list(table.columns[table.columns.str.fullmatch(OF_PATIENTS)])
    return {
        "case_lists/cases_all.txt": case_list_text(study, "all", list(table["SAMPLE_ID"])),
        "meta_clinical_patient.txt": meta_text(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="PATIENT_ATTRIBUTES",
            data_filename="data_clinical_patient.txt",
        ),
        "data_clinical_patient.txt": clinical_text(table[["PATIENT_ID", *of_patients]]),
        "meta_clinical_sample.txt": meta_text(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="SAMPLE_ATTRIBUTES",
            data_filename="data_clinical_sample.txt",
        ),
        "data_clinical_sample.txt": clinical_text(table.drop(columns=of_patients)),
    }


def _profile_files(
    reads: np.ndarray,
    expression: SimulatedExpression,
    study: str,
    profile: str,
    unit: str,
    generator: np.random.Generator,
) -> Mapping[str, str]:
    """The profile and its meta file, and both of its z-scores."""
    values, symbols = with_old_names(_linear(reads, unit).T, expression.genes, generator)
    entrez = [str(FIRST_ID + number) for number in range(len(expression.genes))]
    entrez += [""] * (len(symbols) - len(entrez))
    for number in range(7, len(expression.genes), WITHOUT_SYMBOL):
        symbols[number] = ""
    # A second, dimmer row under the same symbol, and a row that nothing names.
    values = np.concatenate([values, values[2:3] / 4 if unit != "counts" else values[2:3] // 4, values[:1]])
    symbols, entrez = [*symbols, symbols[2], ""], [*entrez, entrez[2], ""]
    if unit == "counts":
        cells = np.char.mod("%d", values.astype(int))
    else:
        cells = np.char.mod("%.4f", np.log2(1 + values))
        cells[len(expression.genes) - 1, :2] = ["NA", ""]
    table = pd.DataFrame(cells, columns=list(expression.samples.index))
    table.insert(0, "Entrez_Gene_Id", entrez)
    table.insert(0, "Hugo_Symbol", symbols)
    scores = profile.replace(".txt", "_zscores_ref_all_samples.txt")
    return {
        profile: tsv(table),
        _meta_name(profile): _profile_meta(study, profile, "CONTINUOUS", "SIMULATED mRNA expression"),
        scores: tsv(table.iloc[:5]),
        _meta_name(scores): _profile_meta(study, scores, "Z-SCORE", "SIMULATED z-scores"),
    }


def _linear(reads: np.ndarray, unit: str) -> np.ndarray:
    """Reads, samples x genes, as the unit has them before the logarithm."""
    as_xena = {"log2_tpm": "log2_tpm_plus_0.001", "log2_normalised_count": "log2_normalised_count_plus_1"}
    return normalised(reads, as_xena.get(unit, unit))


def _meta_name(profile: str) -> str:
    return f"meta_{profile.removeprefix('data_')}"


def _profile_meta(study: str, profile: str, datatype: str, name: str) -> str:
    return meta_text(
        study,
        genetic_alteration_type="MRNA_EXPRESSION",
        datatype=datatype,
        stable_id=profile.removeprefix("data_").removesuffix(".txt"),
        profile_name=name,
        data_filename=profile,
    )
