"""cBioPortal studies as archives and as single files, with the traps real ones hold."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from reclaim.claim_tests import MutationFeature
from reclaim.dataset import CbioportalDataset
from reclaim.errors import AbsentData, UserError
from reclaim.mutations import Cohort, altered
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.sources.cbioportal import read_study_files
from reclaim.sources.load_mutations import load_mutations
from reclaim.sources.requests import requests_for

FILES = {
    "meta_study.txt": "cancer_study_identifier: small\n",
    "meta_mutations.txt": (
        "cancer_study_identifier: small\ngenetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\n"
        "stable_id: mutations\ndata_filename: data_calls.txt\n"
    ),
    "meta_log2.txt": "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: LOG2-VALUE\ndata_filename: data_log2.txt\n",
    "data_log2.txt": "Hugo_Symbol\tA-01\nRB1\t-2\n",
    "meta_cna.txt": (
        "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE\nstable_id: gistic\n"
        "data_filename: data_discrete.txt\n"
    ),
    "data_discrete.txt": (
        "Hugo_Symbol\tEntrez_Gene_Id\tA-01\tB-01\tC-01\nRB1\t5925\t-2\t0\tNA\nTP53\t7157\t1\t-1.5\t2\n"
    ),
    "data_clinical_sample.txt": (
        "#Patient\tSample\tCode\n#Patient\tSample\tCode\n#STRING\tSTRING\tSTRING\n#1\t1\t1\n"
        "PATIENT_ID\tSAMPLE_ID\tONCOTREE_CODE\nA\tA-01\tPAAD\nA\tA-06\tPAAD\nB\tB-01\tPAAD\nC\tC-01\tNET\nD\tD-01\tPAAD\n"
    ),
    "data_clinical_patient.txt": "#Patient\tSex\n#x\tx\n#STRING\tSTRING\n#1\t1\nPATIENT_ID\tSEX\nA\tMale\nB\tFemale\n",
    "data_calls.txt": (
        "#sequenced_samples: A-01 B-01\nHugo_Symbol\tChromosome\tStart_Position\tVariant_Classification\t"
        "Tumor_Sample_Barcode\tHGVSp_Short\n"
        "KRAS\t12\t1\tMissense_Mutation\tA-01\tp.G12D\n"
        "KRAS\t12\t1\tMissense_Mutation\tA-01\tp.G12D\n"  # repeats the line before
        "TP53\t17\t2\tSilent\tB-01\tp.P72=\n"
        "KRAS\t12\t1\tMissense_Mutation\tZ-01\tp.G12V\n"  # not in the case list
        "\t12\t1\tMissense_Mutation\tB-01\tp.G12V\n"  # no gene
    ),
    "case_lists/cases_sequenced.txt": (
        "cancer_study_identifier: small\nstable_id: small_sequenced\ncase_list_name: x: y\n"
        "case_list_ids: A-01\tA-06\tB-01\tC-01\tY-01\n"
    ),
    "case_lists/cases_cna.txt": "stable_id: small_cna\ncase_list_ids: A-01\tB-01\n",
}  # fmt: skip


def dataset(**keys: Any) -> CbioportalDataset:
    return TypeAdapter(CbioportalDataset).validate_python(
        {
            "source": "cbioportal",
            "study": "small",
            "independent": True,
            "tier": dict.fromkeys(("disease", "system", "perturbation", "readout", "time"), "same"),
            **keys,
        }
    )


def archive(store: Path, files: dict[str, str]) -> Path:
    path = store / store_path("https://datahub.assets.cbioportal.org/small.tar.gz")
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"small/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def read(store: Path, spec: CbioportalDataset) -> tuple[Cohort, Counter[str]]:
    ledger: Counter[str] = Counter()
    receipt = make_receipt("small", requests_for(spec, Path()), Access(store))
    return read_study_files(spec, receipt.open(store), ledger), ledger


@pytest.fixture
def cohort(tmp_path: Path) -> tuple[Cohort, Counter[str]]:
    archive(tmp_path, FILES)
    return read(tmp_path, dataset())


def test_meta_files_say_which_file_holds_what(cohort: tuple[Cohort, Counter[str]]) -> None:
    """The discrete copy-number file is taken, not the log2 one, whatever the files are called."""
    found = cohort[0]
    assert list(found.mutations["gene"]) == ["KRAS", "TP53"]
    assert found.copy_number.to_dict("records") == [
        {"sample": "A-01", "gene": "RB1", "call": -2},
        {"sample": "A-01", "gene": "TP53", "call": 1},
        {"sample": "C-01", "gene": "TP53", "call": 2},
    ]


def test_the_case_list_says_who_was_sequenced(cohort: tuple[Cohort, Counter[str]]) -> None:
    samples = cohort[0].samples.set_index("sample")
    assert samples["sequenced"].to_dict() == {
        "A-01": True,
        "A-06": True,
        "B-01": True,
        "C-01": True,
        "D-01": False,
    }
    assert samples["copy_number"].to_dict() == {
        "A-01": True,
        "A-06": False,
        "B-01": True,
        "C-01": False,
        "D-01": False,
    }
    assert samples["patient"].to_dict()["A-06"] == "A"


def test_everything_dropped_is_counted(cohort: tuple[Cohort, Counter[str]]) -> None:
    assert {name: count for name, count in cohort[1].items() if count} == {
        "sequenced samples without a clinical line": 1,
        "mutation lines that repeat another": 1,
        "mutation lines without gene or sample": 1,
        "mutations of samples outside the sequenced case list": 1,
        "copy-number calls that are missing": 1,
        "copy-number calls other than -2, -1, 0, 1, 2": 1,
    }


def test_patient_columns_stand_beside_sample_columns(cohort: tuple[Cohort, Counter[str]]) -> None:
    clinical = cohort[0].clinical
    assert list(clinical.columns) == ["PATIENT_ID", "ONCOTREE_CODE", "SEX"]
    assert clinical.loc["A-06", "SEX"] == "Male"


def test_single_files_read_like_the_archive(tmp_path: Path, cohort: tuple[Cohort, Counter[str]]) -> None:
    names = {"data_calls.txt": "data_mutations.txt", "data_discrete.txt": "data_cna.txt"}
    base = "https://media.githubusercontent.com/media/cBioPortal/datahub/master/public/small/"
    for name, text in FILES.items():
        path = tmp_path / "files" / store_path(base + names.get(name, name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found, ledger = read(tmp_path / "files", dataset(layout="files"))
    for part in ("mutations", "copy_number", "samples", "clinical"):
        pd.testing.assert_frame_equal(getattr(found, part), getattr(cohort[0], part))
    assert ledger == cohort[1]


def test_loading_keeps_one_tumour_of_each_patient_of_the_cohort(tmp_path: Path) -> None:
    archive(tmp_path, FILES)
    spec = dataset(samples={"ONCOTREE_CODE": "PAAD"})
    found, ledger = load_mutations(
        spec, make_receipt("small", requests_for(spec, Path()), Access(tmp_path)), tmp_path
    )
    assert list(found.samples["sample"]) == ["A-01", "B-01"]
    assert [(step.step, step.samples, step.patients) for step in ledger.flow] == [
        ("listed", 5, 4),
        ("sequenced", 4, 3),
        ("ONCOTREE_CODE is PAAD", 3, 2),
        ("one tumour per patient", 2, 2),
    ]
    assert list(altered(found, MutationFeature(gene="KRAS"))) == [True, False]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"samples": {"ONCOTREE": "PAAD"}}, "no column 'ONCOTREE'"),
        ({"samples": {"ONCOTREE_CODE": "LUAD"}}, "no sequenced sample meets: ONCOTREE_CODE is LUAD"),
        ({"confirmed": False, "expect": {"SEX": "female"}}, "not the data that were expected"),
    ],
)
def test_data_that_do_not_match_their_description_are_absent(
    tmp_path: Path, keys: dict[str, Any], reason: str
) -> None:
    archive(tmp_path, FILES)
    spec = dataset(**keys)
    found, ledger = load_mutations(
        spec, make_receipt("small", requests_for(spec, Path()), Access(tmp_path)), tmp_path
    )
    assert found.samples.empty
    assert ledger.status == "absent"
    assert reason in ledger.reason


@pytest.mark.parametrize(
    "name", ["meta_mutations.txt", "case_lists/cases_sequenced.txt", "data_clinical_sample.txt"]
)
def test_a_study_without_a_needed_part_is_absent(tmp_path: Path, name: str) -> None:
    archive(tmp_path, {key: text for key, text in FILES.items() if key != name})
    with pytest.raises(AbsentData):
        read(tmp_path, dataset())


def test_a_study_without_copy_number_reads(tmp_path: Path) -> None:
    archive(tmp_path, {key: text for key, text in FILES.items() if "cna" not in key})
    found, _ = read(tmp_path, dataset())
    assert found.copy_number.empty
    assert not found.samples["copy_number"].any()


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_archive_is_an_error_that_names_it(tmp_path: Path, share: float) -> None:
    generator = np.random.default_rng(1)
    noise = "\n".join(str(value) for value in generator.random(20_000))
    path = archive(tmp_path, {**FILES, "zz_other.txt": noise})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match="delete it and fetch it again"):
        read(tmp_path, dataset())


def test_all_missing_files_are_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        make_receipt("small", requests_for(dataset(layout="files"), Path()), Access(tmp_path))
    assert len(caught.value.messages) == 6
    assert all(
        "copy it there from https://media.githubusercontent.com/" in line for line in caught.value.messages
    )


def test_a_receipt_identifies_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / store_path("https://datahub.assets.cbioportal.org/small.tar.gz")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x1f\x8babc")
    file = make_receipt("small", requests_for(dataset(), Path()), Access(tmp_path)).files[0]
    assert (file.bytes, file.media_type) == (5, "application/gzip")
    # printf '\x1f\x8babc' | sha256sum
    assert file.sha256 == "49d07e32b9cecb2ae7f8c77f8d75b400d00a9d671f74e13455c0a8cbb9d627a6"
