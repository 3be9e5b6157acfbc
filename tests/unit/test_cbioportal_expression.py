"""Expression of a cBioPortal study with its clinical tables, with METABRIC's traps, real and simulated."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
from builders import claim, dataset, expression_test, study_values
from pydantic import TypeAdapter, ValidationError

from reclaim.dataset import CbioportalExpressionDataset, Dataset, kind_of
from reclaim.errors import UserError
from reclaim.ledger import Ledger
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.hgnc import FIRST_ID, hgnc_complete_set
from reclaim.simulate.internet import simulate_study
from reclaim.sources import cbioportal_expression
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for
from reclaim.study import Study
from reclaim.symbols import SymbolTable

URL = "https://datahub.assets.cbioportal.org/small.tar.gz"
PROFILE = "data_mrna_illumina_microarray.txt"
GENES = ["TREX1", "STING1", "CXCL10"]
ENTREZ = [str(FIRST_ID + number) for number in range(3)]


def comments(columns: str) -> str:
    return "".join(f"#{columns}\n" for _ in range(4))


SAMPLES = (
    comments("Sample\tPatient\tER\tCohort")
    + "SAMPLE_ID\tER_STATUS\tPATIENT_ID\tCOHORT\n"  # in another order than usual
    + "MB-0001\tPositive\tMB-0001\t1\nMB-0002\tNegative\tMB-0002\t\nMB-0003\tPositive\tMB-0003\t3\n"
    + "MB-0009\tPositive\tMB-0009\t9\n"  # no expression
)
PATIENTS = (
    comments("Patient\tER by IHC\tMonths\tStatus\tCohort")
    + "OS_STATUS\tPATIENT_ID\tER_IHC\tOS_MONTHS\tCOHORT\n"
    + "1:DECEASED\tMB-0001\tPositve\t140.5\tother\n\tMB-0002\tNegative\t\tother\n0:LIVING\tMB-0003\tPositve\t84.6\tother\n"
)
ROWS = [
    ["TREX1", ENTREZ[0], "8.5", "NA", "6.25", "5"],
    ["SIMOLD1", ENTREZ[1], "5", "5.5", "", "5"],  # STING1 under its previous symbol
    ["", ENTREZ[2], "7", "7.5", "8", "5"],  # CXCL10 by its Entrez id alone
    ["TREX1", ENTREZ[0], "3", "3", "3", "3"],  # a dimmer probe of the same gene
    [
        "",
        "40000",
        "1",
        "1",
        "1",
        "1",
    ],  # not HGNC's; as a symbol it would be the day 2009-07-06 of a spreadsheet
    ["", "", "2", "2", "2", "2"],
    ["LOC999", "-2", "4", "4", "4", "4"],
]


def profile(rows: list[list[str]] = ROWS, header: str = "Hugo_Symbol\tEntrez_Gene_Id") -> str:
    lines = [f"{header}\tMB-0001\tMB-0002\tMB-0003\tMB-0077"]  # the last without a clinical line
    return "\n".join([*lines, *("\t".join(row) for row in rows)]) + "\n"


META = (
    "cancer_study_identifier: small\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\n"
    "profile_name: mRNA expression (microarray)\ndata_filename: {}\n"
)
FILES = {
    "data_clinical_patient.txt": PATIENTS,
    "data_clinical_sample.txt": SAMPLES,
    PROFILE: profile(),
    "data_mrna_illumina_microarray_zscores_ref_diploid_samples.txt": profile(ROWS[:2]),
    "meta_mrna_illumina_microarray.txt": META.format(PROFILE),
    "meta_zscores.txt": META.format("data_mrna_illumina_microarray_zscores_ref_diploid_samples.txt").replace(
        "CONTINUOUS", "Z-SCORE"
    ),
    "data_methylation.txt": profile(ROWS[:2]),
    "meta_methylation.txt": META.format("data_methylation.txt").replace("MRNA_EXPRESSION", "METHYLATION"),
}


def described(**keys: Any) -> CbioportalExpressionDataset:
    values = {"source": "cbioportal_expression", "study": "small", "profile": PROFILE}
    values |= {"values": "log2_intensity"} | keys
    return TypeAdapter(Dataset).validate_python(dataset(**values))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def symbols(tmp_path_factory: pytest.TempPathFactory) -> SymbolTable:
    path = tmp_path_factory.mktemp("hgnc") / "hgnc.txt"
    path.write_bytes(hgnc_complete_set(GENES))
    return SymbolTable.read(path)


def written(store: Path, files: dict[str, str]) -> Path:
    path = store / store_path(URL)
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"small/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def load(
    store: Path, symbols: SymbolTable, files: dict[str, str] | None = None, **keys: Any
) -> tuple[anndata.AnnData, Ledger]:
    written(store, FILES | (files or {}))
    one = described(**keys)
    receipt = make_receipt("a", requests_for(one, store), Access(store))
    return load_expression(one, receipt, store, symbols)


def why_absent(*args: Any, **keys: Any) -> str:
    data, ledger = load(*args, **keys)
    assert (ledger.status, data.n_obs) == ("absent", 0)
    return ledger.reason


def test_the_archive_of_the_study_is_all_it_needs() -> None:
    one = described(study="brca_metabric")
    assert kind_of(one) == "expression"
    assert [(file.name, file.url) for file in requests_for(one, Path())] == [
        ("archive", "https://datahub.assets.cbioportal.org/brca_metabric.tar.gz")
    ]


def test_rows_come_under_approved_symbols(tmp_path: Path, symbols: SymbolTable) -> None:
    data, ledger = load(tmp_path, symbols)
    values = data.to_df()
    assert list(values.columns) == ["TREX1", "STING1", "CXCL10", "40000", "LOC999"]
    assert values["CXCL10"].tolist() == [7, 7.5, 8]
    assert values["TREX1"].fillna(-1).tolist() == [8.5, -1, 6.25]  # the brighter row, NA is missing
    assert values["STING1"].fillna(-1).tolist() == [5, 5.5, -1]  # empty is missing
    assert data.var.loc["CXCL10", "entrez"] == ENTREZ[2]
    assert (data.uns["unit"], data.uns["source_unit"]) == ("log2_intensity", "mRNA expression (microarray)")
    assert ledger.dropped == {
        "clinical lines of samples without expression": 1,
        "samples with expression and without a clinical line": 1,
        "values of expression that are missing": 2,
        "rows without a symbol, named by their Entrez id": 1,
        "features renamed from a previous symbol": 1,
        "features left out for a brighter one of the same gene": 1,
        "features without a symbol, under their own id": 1,  # 40000
        "features without a name, dropped": 1,
        "features that HGNC does not know": 1,
    }


def test_the_sample_table_joins_both_clinical_files(tmp_path: Path, symbols: SymbolTable) -> None:
    data, ledger = load(tmp_path, symbols)
    assert list(data.obs_names) == ["MB-0001", "MB-0002", "MB-0003"]
    assert {column: list(data.obs[column]) for column in data.obs} == {
        "ER_STATUS": ["Positive", "Negative", "Positive"],
        "PATIENT_ID": ["MB-0001", "MB-0002", "MB-0003"],
        "COHORT": ["1", "", "3"],  # the sample's, also where it is empty
        "OS_STATUS": ["1:DECEASED", "", "0:LIVING"],
        "ER_IHC": ["Positve", "Negative", "Positve"],  # as it is spelled there
        "OS_MONTHS": ["140.5", "", "84.6"],
        "patient": ["MB-0001", "MB-0002", "MB-0003"],
    }
    assert [(step.step, step.samples) for step in ledger.flow] == [
        ("listed", 3),
        ("one sample per patient", 3),
    ]


def test_of_several_samples_of_a_patient_the_first_by_name_of_the_cohort_counts(
    tmp_path: Path, symbols: SymbolTable
) -> None:
    one_patient = SAMPLES.replace("\tMB-0001\t1", "\tMB-0003\t1").replace("\tMB-0002\t", "\tMB-0003\t")
    data, ledger = load(
        tmp_path,
        symbols,
        {"data_clinical_sample.txt": one_patient},
        samples={"ER_STATUS": ["Negative", "Positive"], "COHORT": {"not": 1}},
    )
    assert list(data.obs_names) == ["MB-0002"]
    assert [(step.samples, step.patients) for step in ledger.flow] == [(3, 1), (2, 1), (1, 1)]


def test_clinical_lines_that_name_nobody_or_stand_twice_are_counted(
    tmp_path: Path, symbols: SymbolTable
) -> None:
    more = "\tPositive\tMB-0004\t1\nMB-0001\tNegative\tMB-0001\t1\n"
    patients = "1:DECEASED\tMB-0001\tNegative\t1\tother\n"
    files = {"data_clinical_sample.txt": SAMPLES + more, "data_clinical_patient.txt": PATIENTS + patients}
    data, ledger = load(tmp_path, symbols, files)
    assert data.obs.loc["MB-0001", ["ER_STATUS", "ER_IHC"]].tolist() == ["Positive", "Positve"]
    told = {name: count for name, count in ledger.dropped.items() if name.startswith("clinical lines ")}
    assert told == {
        "clinical lines without SAMPLE_ID or PATIENT_ID": 1,
        "clinical lines that repeat a SAMPLE_ID": 1,
        "clinical lines that repeat a PATIENT_ID": 1,
        "clinical lines of samples without expression": 1,
    }


def test_a_study_without_a_patient_file_has_its_sample_columns(tmp_path: Path, symbols: SymbolTable) -> None:
    files = {name: text for name, text in FILES.items() if name != "data_clinical_patient.txt"}
    written(tmp_path, files)
    one = described()
    receipt = make_receipt("a", requests_for(one, tmp_path), Access(tmp_path))
    data, _ = load_expression(one, receipt, tmp_path, symbols)
    assert list(data.obs.columns) == ["ER_STATUS", "PATIENT_ID", "COHORT", "patient"]


def test_a_profile_that_is_not_there_names_those_that_are(tmp_path: Path, symbols: SymbolTable) -> None:
    reason = why_absent(tmp_path, symbols, profile="data_mrna_ilumina_microarray.txt")
    assert reason == (
        f"no data_mrna_ilumina_microarray.txt in this study; did you mean {PROFILE}?; it has {PROFILE}, "
        "data_mrna_illumina_microarray_zscores_ref_diploid_samples.txt"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("data_mrna_illumina_microarray_zscores_ref_diploid_samples.txt", "holds z-scores"),
        ("data_methylation.txt", "holds METHYLATION, as its meta file says; expected MRNA_EXPRESSION"),
        ("data_clinical_sample.txt", "no column Hugo_Symbol or Entrez_Gene_Id"),
    ],
)
def test_what_is_no_profile_of_expression_is_absent(
    name: str, reason: str, tmp_path: Path, symbols: SymbolTable
) -> None:
    assert reason in why_absent(tmp_path, symbols, profile=name)


@pytest.mark.parametrize(
    ("unit", "value", "reason"),
    [
        ("log2_intensity", "65000", "holds 65000 (CXCL9); expected log2_intensity, which is at most 30"),
        ("log2_tpm", "-1.5", "holds -1.5 (CXCL9); expected log2_tpm"),
        ("counts", "1.5", "holds 1.5 (CXCL9); expected whole counts of reads"),
        ("counts", "-1", "holds -1 (CXCL9); expected whole counts of reads"),
        ("counts", "NA", "holds nan (CXCL9); expected whole counts of reads"),
        ("log2_intensity", "inf", "holds inf (CXCL9)"),
    ],
)
def test_values_that_cannot_be_of_the_unit_are_absent(
    unit: str, value: str, reason: str, tmp_path: Path, symbols: SymbolTable
) -> None:
    text = profile([["TREX1", "1", "8", "9", "8", "8"], ["CXCL9", "2", "8", value, "8", "8"]])
    assert reason in why_absent(tmp_path, symbols, {PROFILE: text}, values=unit)


def test_counts_are_whole_numbers_that_add_up(tmp_path: Path, symbols: SymbolTable) -> None:
    rows = [["TREX1", "1", "8", "9", "8.0", "8"], ["TREX1", "1", "1", "2", "3", "8"]]
    data, _ = load(tmp_path, symbols, {PROFILE: profile(rows)}, values="counts")
    assert data.to_df()["TREX1"].tolist() == [9, 11, 11]
    assert np.issubdtype(data.X.dtype, np.integer)


def test_a_profile_without_values_is_absent(tmp_path: Path, symbols: SymbolTable) -> None:
    for number, rows in enumerate(([], [["TREX1", "1", "NA", "NA", "", "5"]])):
        reason = why_absent(tmp_path / str(number), symbols, {PROFILE: profile(rows)})
        assert reason == f"{PROFILE} holds no values"


@pytest.mark.parametrize("keys", ["Hugo_Symbol", "Entrez_Gene_Id"])
def test_one_of_the_names_of_a_gene_is_enough(keys: str, tmp_path: Path, symbols: SymbolTable) -> None:
    name = "TREX1" if keys == "Hugo_Symbol" else ENTREZ[0]
    data, _ = load(tmp_path, symbols, {PROFILE: profile([[name, "1", "2", "3", "4"]], keys)})
    assert data.to_df()["TREX1"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["TREX1", "1", "8", "x", "8", "8"], "invalid value 'x'"),
        (["TREX1", "1", "8", "8"], "Expected 6 columns, got 4"),
        (["TREX1", "1", "8", "8", "8", "8", "8"], "Expected 6 columns, got 7"),
    ],
)
def test_a_damaged_line_is_told_with_its_file(
    row: list[str], told: str, tmp_path: Path, symbols: SymbolTable
) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, symbols, {PROFILE: profile([ROWS[0], row])})
    assert f"small.tar.gz!{PROFILE}:3: " in str(error.value)
    assert told in str(error.value)


def test_a_sample_that_stands_twice_in_a_profile_is_told(tmp_path: Path, symbols: SymbolTable) -> None:
    text = profile().replace("MB-0003", "MB-0001", 1)
    with pytest.raises(UserError, match=r":1: the column 'MB-0001' stands twice"):
        load(tmp_path, symbols, {PROFILE: text})


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_archive_is_told(share: float, tmp_path: Path, symbols: SymbolTable) -> None:
    noise = "\n".join(str(value) for value in np.random.default_rng(1).random(20_000))
    path = written(tmp_path, FILES | {"zz.txt": noise})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match="delete it and fetch it again"):
        cbioportal_expression.read_profile(described(), path, Counter())


def test_many_blocks_are_read_like_one(
    tmp_path: Path, symbols: SymbolTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[f"GENE{i}", str(i), *(f"{i % 7 + j / 10:.1f}" for j in range(4))] for i in range(3000)]
    whole, _ = load(tmp_path / "whole", symbols, {PROFILE: profile(rows)})
    monkeypatch.setattr(cbioportal_expression, "BLOCK_BYTES", 1000)
    blocks, _ = load(tmp_path / "blocks", symbols, {PROFILE: profile(rows)})
    assert whole.to_df().equals(blocks.to_df())
    assert whole.to_df()["GENE2999"].tolist() == pytest.approx([3.0, 3.1, 3.2])


def test_an_unknown_unit_or_a_path_is_refused() -> None:
    with pytest.raises(ValidationError):
        described(values="intensity")
    with pytest.raises(ValidationError):
        described(profile="brca_metabric/data_mrna.txt")


# Simulated


def metabric(**keys: Any) -> dict[str, Any]:
    values = {"source": "cbioportal_expression", "study": "brca_metabric", "profile": PROFILE}
    return dataset(**(values | {"values": "log2_intensity"} | keys))


CONTRAST = {"case": {"ER_STATUS": "Negative"}, "control": {"ER_STATUS": "Positive"}}


def simulated(store: Path, world: Any = "as_claimed", **datasets: Any) -> Study:
    datasets = datasets or {"a": metabric()}
    test = expression_test(datasets=list(datasets), contrast=CONTRAST, covariates=["AGE_AT_DIAGNOSIS"])
    study = Study.model_validate(study_values(claim(test)) | {"datasets": datasets})
    simulate_study(study, world, 1, store)
    return study


def reloaded(study: Study, name: str, store: Path) -> tuple[anndata.AnnData, Ledger]:
    hgnc = next(request.url for request in requests_for(study.references()["hgnc"], store))
    table = SymbolTable.read(store / store_path(str(hgnc)))
    one = study.datasets[name]
    receipt = make_receipt(name, requests_for(one, store), Access(store))
    return load_expression(one, receipt, store, table)  # type: ignore[arg-type]


@pytest.mark.parametrize(("world", "effect"), [("as_claimed", 1.6), ("no_effect", 0), ("reversed", -1.6)])
def test_a_simulated_archive_reads_back_with_its_traps(world: str, effect: float, tmp_path: Path) -> None:
    data, ledger = reloaded(simulated(tmp_path, world), "a", tmp_path)
    assert (ledger.status, ledger.reason, ledger.simulated) == ("present", "", True)
    assert data.n_obs == 150  # patients, as in every cohort
    assert (data.obs["patient"] == data.obs_names).sum() == 0
    values = data.to_df()["GENE1"]
    negative = data.obs["ER_STATUS"] == "Negative"
    assert values[negative].mean() - values[~negative].mean() == pytest.approx(effect, abs=0.6)
    dropped = ledger.dropped
    assert dropped["clinical lines of samples without expression"] == 3
    assert dropped["values of expression that are missing"] == 2
    assert dropped["rows without a symbol, named by their Entrez id"] > 10
    assert dropped["features renamed from a previous symbol"] > 100
    assert dropped["features without a name, dropped"] == 1
    assert dropped["features left out for a brighter one of the same gene"] == 2
    assert data.obs["AGE_AT_DIAGNOSIS"].str.fullmatch(r"\d\d\.\d").all()


def test_follow_up_stands_in_the_patient_file_and_some_have_none(tmp_path: Path) -> None:
    endpoint = {"time": "OS_MONTHS", "time_unit": "months", "event": "OS_STATUS", "event_values": ["1:DECEASED"],
                "censored_values": ["0:LIVING"]}  # fmt: skip
    survival = {"id": "os", "role": "supporting", "analysis": "survival", "datasets": ["a"], "expected": "positive",
                "feature": {"gene": "GENE1"}, "endpoint": endpoint}  # fmt: skip
    tests = [expression_test(datasets=["a"], contrast=CONTRAST), survival]
    study = Study.model_validate(study_values(claim(*tests)) | {"datasets": {"a": metabric()}})
    simulate_study(study, "as_claimed", 1, tmp_path)
    path = tmp_path / store_path("https://datahub.assets.cbioportal.org/brca_metabric.tar.gz")
    with tarfile.open(path) as tar:
        texts = {
            name: tar.extractfile(f"brca_metabric/data_clinical_{name}.txt").read().decode().splitlines()  # type: ignore[union-attr]
            for name in ("patient", "sample")
        }
    assert all(line.startswith("#") for text in texts.values() for line in text[:4])
    assert texts["patient"][4].split("\t") == ["PATIENT_ID", "OS_MONTHS", "OS_STATUS"]
    assert texts["sample"][4].split("\t")[:2] == ["SAMPLE_ID", "PATIENT_ID"]
    assert "ER_STATUS" in texts["sample"][4].split("\t")
    data, _ = reloaded(study, "a", tmp_path)
    assert (data.obs["OS_STATUS"] == "").sum() == data.n_obs // 50
    assert (data.obs["OS_MONTHS"] == "").equals(data.obs["OS_STATUS"] == "")


def test_two_profiles_of_a_study_lie_in_one_archive(tmp_path: Path) -> None:
    other = metabric(profile="data_mrna_seq_tpm.txt", values="log2_tpm")
    reads = metabric(profile="data_mrna_seq_counts.txt", values="counts")
    study = simulated(tmp_path, a=metabric(), b=other, c=reads)
    found = {name: reloaded(study, name, tmp_path)[0] for name in "abc"}
    assert {name: data.uns["unit"] for name, data in found.items()} == {
        "a": "log2_intensity", "b": "log2_tpm", "c": "counts"
    }  # fmt: skip
    assert found["a"].obs.equals(found["b"].obs)


def test_mutations_and_expression_of_one_study_cannot_be_simulated_together(tmp_path: Path) -> None:
    share = {"id": "share", "role": "primary", "analysis": "mutation_frequency", "datasets": ["m"],
             "feature": {"gene": "TP53"}}  # fmt: skip
    values = study_values(
        claim(expression_test(datasets=["a"], contrast=CONTRAST)),
        claim(share, claim_id="C2", decision={"rule": "bound", "bound": "rare"}),
    )
    values["datasets"] = {"a": metabric(), "m": dataset(study="brca_metabric")}
    with pytest.raises(UserError, match=r"datasets: m and a: .* brca_metabric cannot be simulated"):
        simulate_study(Study.model_validate(values), "as_claimed", 1, tmp_path)
    values["datasets"]["m"]["layout"] = "files"  # lies elsewhere
    simulate_study(Study.model_validate(values), "as_claimed", 1, tmp_path)
