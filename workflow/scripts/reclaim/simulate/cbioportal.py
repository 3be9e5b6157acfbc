"""cBioPortal's wire format: the files of a study, SIMULATED, where its URLs point.

Also here: comment lines, clinical files with four `#` lines, case lists, and a continuous
copy-number file beside the discrete one.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from reclaim.dataset import CbioportalDataset
from reclaim.retrieve.store import store_path
from reclaim.simulate.cohort import SimulatedCohort
from reclaim.sources.requests import DATAHUB_ARCHIVE, DATAHUB_FILE


def write_study(cohort: SimulatedCohort, dataset: CbioportalDataset, world: str, store: Path) -> list[str]:
    """Write the study's files where its URLs point, and return the URLs."""
    files = study_files(cohort, dataset.study, world)
    if dataset.layout == "archive":
        url = DATAHUB_ARCHIVE.format(study=dataset.study)
        _write(store, url, packed_study(files, dataset.study))
        return [url]
    urls = []
    for name, text in files.items():
        urls.append(DATAHUB_FILE.format(study=dataset.study, file=name))
        _write(store, urls[-1], text.encode())
    return urls


def study_files(cohort: SimulatedCohort, study: str, world: str) -> dict[str, str]:
    """File name -> text of every file of the study."""
    files = {
        "meta_study.txt": meta_text(
            study,
            type_of_cancer="mixed",
            name=f"SIMULATED study, world {world}",
            description="SIMULATED by reclaim: no patient is behind these data.",
        ),
        "meta_clinical_patient.txt": meta_text(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="PATIENT_ATTRIBUTES",
            data_filename="data_clinical_patient.txt",
        ),
        "data_clinical_patient.txt": clinical_text(cohort.patients),
        "meta_clinical_sample.txt": meta_text(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="SAMPLE_ATTRIBUTES",
            data_filename="data_clinical_sample.txt",
        ),
        "data_clinical_sample.txt": clinical_text(cohort.samples),
        "meta_mutations.txt": meta_text(
            study,
            genetic_alteration_type="MUTATION_EXTENDED",
            datatype="MAF",
            stable_id="mutations",
            show_profile_in_analysis_tab="true",
            profile_name="SIMULATED mutations",
            data_filename="data_mutations.txt",
        ),
        "data_mutations.txt": f"#SIMULATED by reclaim, world {world}\n" + tsv(cohort.mutations),
        "case_lists/cases_sequenced.txt": case_list_text(study, "sequenced", cohort.sequenced),
    }
    if cohort.copy_number is not None:
        files["meta_cna.txt"] = meta_text(
            study,
            genetic_alteration_type="COPY_NUMBER_ALTERATION",
            datatype="DISCRETE",
            stable_id="gistic",
            profile_name="SIMULATED discrete copy number",
            data_filename="data_cna.txt",
        )
        files["data_cna.txt"] = tsv(cohort.copy_number)
        files["meta_log2_cna.txt"] = meta_text(
            study,
            genetic_alteration_type="COPY_NUMBER_ALTERATION",
            datatype="LOG2-VALUE",
            stable_id="log2CNA",
            profile_name="SIMULATED log2 copy number",
            data_filename="data_log2_cna.txt",
        )
        files["data_log2_cna.txt"] = tsv(cohort.copy_number.iloc[:5])
        files["case_lists/cases_cna.txt"] = case_list_text(study, "cna", cohort.sequenced)
    return files


def meta_text(study: str, **entries: str) -> str:
    """A meta file, or a case list: `key: value` lines."""
    return "".join(
        f"{key}: {value}\n" for key, value in {"cancer_study_identifier": study, **entries}.items()
    )


def case_list_text(study: str, kind: str, samples: Sequence[str]) -> str:
    """The list of the samples of one kind."""
    return meta_text(
        study,
        stable_id=f"{study}_{kind}",
        case_list_name=f"SIMULATED samples ({kind})",
        case_list_description=f"SIMULATED samples ({len(samples)} samples)",
        case_list_ids="\t".join(samples),
    )


def clinical_text(table: pd.DataFrame) -> str:
    """A clinical file: four lines with `#` before the header."""
    names = "\t".join(table.columns)
    kinds = "\t".join("STRING" for _ in table.columns)
    ones = "\t".join("1" for _ in table.columns)
    return f"#{names}\n#{names}\n#{kinds}\n#{ones}\n" + tsv(table)


def tsv(table: pd.DataFrame) -> str:
    """The table without its index."""
    return str(table.to_csv(sep="\t", index=False, lineterminator="\n"))


def packed_study(files: Mapping[str, str], folder: str) -> bytes:
    """The .tar.gz of a study, the same bytes at every call: no time stamps, one owner."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(f"{folder}/{name}")
            content = files[name].encode()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _write(store: Path, url: str, content: bytes) -> None:
    path = store / store_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
