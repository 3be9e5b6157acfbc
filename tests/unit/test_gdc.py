"""STAR counts of the GDC: what is asked, which aliquot is taken, how the tables are joined."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from reclaim.errors import AbsentData, UserError
from reclaim.retrieve.content import identify
from reclaim.simulate.gdc import files_answer, star_counts_tsv
from reclaim.sources.gdc import (
    COLUMNS,
    data_url,
    files_query_url,
    join_star_counts,
    one_aliquot_per_sample,
    read_files_answer,
    read_star_counts,
)

# The format as GDC writes it (release 32 on), gene lines of a real file.
STAR = (
    "# gene-model: GENCODE v36\n"
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\t"
    "fpkm_uq_unstranded\n"
    "N_unmapped\t\t\t2000\t2000\t2000\t\t\t\n"
    "N_multimapping\t\t\t1000\t1000\t1000\t\t\t\n"
    "N_noFeature\t\t\t500\t9000\t9000\t\t\t\n"
    "N_ambiguous\t\t\t300\t100\t100\t\t\t\n"
    "ENSG00000000003.15\tTSPAN6\tprotein_coding\t3231\t1634\t1597\t44.6685\t16.8557\t23.8956\n"
    "ENSG00000182378.15\tPLCXD1\tprotein_coding\t40\t20\t20\t1.0\t0.5\t0.7\n"
    "ENSG00000182378.15_PAR_Y\tPLCXD1\tprotein_coding\t2\t1\t1\t0.0\t0.0\t0.0\n"
)


def files(*aliquots: str, **keys: Any) -> pd.DataFrame:
    """Rows for TCGA aliquots; sample type by the sample's code."""
    kinds = {"01": "Primary Tumor", "11": "Solid Tissue Normal"}
    rows = [
        (f"file-{number}", aliquot, aliquot[:16], aliquot[:12], kinds[aliquot[13:15]], "")
        for number, aliquot in enumerate(aliquots)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(**keys)


def chosen(table: pd.DataFrame) -> list[str]:
    return list(one_aliquot_per_sample(table, Counter())["aliquot"])


def test_the_query_is_a_get_of_open_star_counts_of_one_project() -> None:
    url = urlsplit(files_query_url("TCGA-KICH"))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://api.gdc.cancer.gov/files"
    filters = json.loads(query["filters"])
    assert filters["op"] == "and"
    assert {one["content"]["field"]: one["content"]["value"] for one in filters["content"]} == {
        "cases.project.project_id": ["TCGA-KICH"],
        "data_type": ["Gene Expression Quantification"],
        "analysis.workflow_type": ["STAR - Counts"],
        "access": ["open"],
    }
    assert "cases.samples.portions.analytes.aliquots.submitter_id" in query["fields"].split(",")
    assert (query["format"], query["sort"]) == ("JSON", "file_id:asc")
    assert int(query["size"]) > 11_000  # as many as all of TCGA
    assert not set(' "{}[]') & set(url.query)
    assert data_url("abc-1") == "https://api.gdc.cancer.gov/data/abc-1"


def test_an_answer_gives_a_row_for_each_file(tmp_path: Path) -> None:
    """The shape as the API documents it, hits in any order."""
    sample = {
        "sample_type": "Primary Tumor",
        "submitter_id": "TCGA-A7-A0DB-01C",
        "preservation_method": "FFPE",
        "portions": [{"analytes": [{"aliquots": [{"submitter_id": "TCGA-A7-A0DB-01C-02R-A277-07"}]}]}],
    }
    several = {
        "submitter_id": "B-01A",
        "portions": [
            {"analytes": [{"aliquots": [{"submitter_id": "B-01A-1"}, {"submitter_id": "B-01A-2"}]}]}
        ],
    }
    hits = [
        {
            "id": "f2",
            "file_id": "f2",
            "cases": [
                {
                    "submitter_id": "C",
                    "samples": [{**several, "portions": several["portions"], "sample_type": "x"}],
                }
            ],
        },
        {
            "id": "f3",
            "file_id": "f3",
            "cases": [{"submitter_id": "D", "samples": [{"submitter_id": "D-01A"}]}],
        },
        {"id": "f1", "file_id": "f1", "cases": [{"submitter_id": "TCGA-A7-A0DB", "samples": [sample]}]},
    ]
    path = tmp_path / "files"
    path.write_text(
        json.dumps({"data": {"hits": hits, "pagination": {"count": 3, "total": 3}}, "warnings": {}})
    )
    ledger: Counter[str] = Counter()
    assert read_files_answer(path, ledger).to_dict("records") == [
        {
            "file_id": "f1",
            "aliquot": "TCGA-A7-A0DB-01C-02R-A277-07",
            "sample": "TCGA-A7-A0DB-01C",
            "patient": "TCGA-A7-A0DB",
            "sample_type": "Primary Tumor",
            "preservation": "FFPE",
        }
    ]
    assert ledger == {"files of several aliquots or of none": 2}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"data": {"hits": [', UserError, "not an answer of GDC's files endpoint"),
        ('{"message": "internal server error"}', UserError, "not an answer"),
        ("<html></html>", UserError, "not an answer"),
        ('{"data": {"hits": [], "pagination": {"total": 3}}}', UserError, "0 of 3 files"),
        ('{"data": {"hits": [], "pagination": {"total": 0}}}', AbsentData, "lists no open file"),
    ],
)
def test_bad_answers(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / "files").write_text(text)
    with pytest.raises(error, match=message):
        read_files_answer(tmp_path / "files", Counter())


@pytest.mark.parametrize(
    ("aliquots", "taken"),
    [
        # T is left for R and H, H wins over R, whatever the plate
        (["TCGA-55-7913-01B-11T-2237-01", "TCGA-55-7913-01B-11R-2200-01"], "TCGA-55-7913-01B-11R-2200-01"),
        (["TCGA-55-7913-01B-11H-2200-01", "TCGA-55-7913-01B-11R-2237-01"], "TCGA-55-7913-01B-11H-2200-01"),
        # the later plate, although the other's portion and vial are later
        (["TCGA-21-1076-01A-02R-0692-07", "TCGA-21-1076-01B-03R-0600-07"], "TCGA-21-1076-01A-02R-0692-07"),
        (["TCGA-A7-A0DC-01A-11R-A00Z-07", "TCGA-A7-A0DC-01A-11R-0900-07"], "TCGA-A7-A0DC-01A-11R-A00Z-07"),
        # all else equal, the barcode that sorts last: the higher portion
        (["TCGA-44-2656-01A-02R-0946-07", "TCGA-44-2656-01A-03R-0946-07"], "TCGA-44-2656-01A-03R-0946-07"),
    ],
)
def test_broads_rule_for_replicates(aliquots: list[str], taken: str) -> None:
    for order in (aliquots, aliquots[::-1]):
        ledger: Counter[str] = Counter()
        assert list(one_aliquot_per_sample(files(*order), ledger)["aliquot"]) == [taken]
        assert ledger == {"aliquots passed over for another of the same patient and sample type": 1}


def test_formalin_fixed_samples_come_last() -> None:
    """TCGA sequenced some tumours again from FFPE, on later plates."""
    both = files("TCGA-A7-A0DB-01A-11R-A00Z-07", "TCGA-A7-A0DB-01C-02R-A277-07", preservation=["OCT", "FFPE"])
    assert chosen(both) == ["TCGA-A7-A0DB-01A-11R-A00Z-07"]
    assert chosen(both.iloc[1:]) == ["TCGA-A7-A0DB-01C-02R-A277-07"]


def test_tumour_and_normal_of_a_patient_both_stay() -> None:
    table = files("TCGA-KL-8324-11A-01R-2315-07", "TCGA-KL-8324-01A-11R-2315-07")
    assert chosen(table) == ["TCGA-KL-8324-01A-11R-2315-07", "TCGA-KL-8324-11A-01R-2315-07"]


def test_a_table_of_star_counts(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    path.write_text(STAR)
    found = read_star_counts(path)
    assert found.counts.to_dict() == {
        "ENSG00000000003.15": 3231,
        "ENSG00000182378.15": 40,
        "ENSG00000182378.15_PAR_Y": 2,
    }
    assert found.counts.dtype == "int64"
    assert found.summary.to_dict() == {
        "N_unmapped": 2000,
        "N_multimapping": 1000,
        "N_noFeature": 500,
        "N_ambiguous": 300,
    }
    assert list(found.symbols) == ["TSPAN6", "PLCXD1", "PLCXD1"]
    assert found.gene_model == "GENCODE v36"
    assert read_star_counts(path, "stranded_first").counts.iloc[0] == 1634
    path.write_bytes(gzip.compress(STAR.encode()))
    assert read_star_counts(path).counts.equals(found.counts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (STAR.replace("unstranded\tstranded_first", "x\tstranded_first"), ":2: no column 'unstranded'"),
        ("<html>\n", ":1: no column 'gene_id'"),
        ("", ":1: no column 'gene_id'"),
        (STAR.replace("3231", "3231.5"), "not whole counts"),
        (STAR.replace("\t40\t", "\t-40\t"), "missing or negative"),
        (STAR.replace("\t40\t", "\t\t"), "missing or negative"),
        (STAR[:-20], "not whole counts in rows of one length"),
        (STAR.replace("_PAR_Y", ""), "a gene twice"),
    ],
)
def test_bad_tables_of_star_counts(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "counts"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_star_counts(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_joined_counts(tmp_path: Path) -> None:
    table = files("TCGA-KL-8324-11A-01R-2315-07", "TCGA-KL-8324-01A-11R-2315-07")
    texts = [STAR, STAR.replace("3231", "7").replace("300", "0")]
    paths = {}
    for file_id, text in zip(table["file_id"], texts, strict=True):
        paths[file_id] = tmp_path / file_id
        paths[file_id].write_text(text)
    ledger: Counter[str] = Counter()
    data = join_star_counts(table, {"files": tmp_path / "answer", **paths}, ledger)
    assert list(data.obs_names) == ["TCGA-KL-8324-11A", "TCGA-KL-8324-01A"]
    assert list(data.obs["sample_type"]) == ["Solid Tissue Normal", "Primary Tumor"]
    assert list(data.obs["patient"]) == ["TCGA-KL-8324"] * 2
    assert list(data.var_names) == ["ENSG00000000003", "ENSG00000182378"]
    assert list(data.var["symbol"]) == ["TSPAN6", "PLCXD1"]
    assert data.X.tolist() == [[3231, 42], [7, 42]]
    assert (data.uns["unit"], data.uns["gene_model"]) == ("counts", "GENCODE v36")
    # 300 of 2000 + 1000 + 500 + 300 + 3273 = 7073 reads are 4.24 %, the other sample has none: median 2.1 %.
    assert "reads that fit several genes (2.1% of all" in data.uns["note"]
    assert ledger == {
        "STAR's summary rows (N_...)": 8,
        "Ensembl ids whose version was stripped": 3,
        "Ensembl ids of the Y copy of a pseudoautosomal gene": 1,
        "gene rows added to another of the same Ensembl id": 1,
    }


def test_tables_of_different_gene_models_are_not_joined(tmp_path: Path) -> None:
    table = files("TCGA-KL-8324-11A-01R-2315-07", "TCGA-KL-8324-01A-11R-2315-07")
    paths = {file_id: tmp_path / file_id for file_id in table["file_id"]}
    paths["file-0"].write_text(STAR)
    paths["file-1"].write_text(STAR.replace("v36", "v22").replace("0003.15", "0003.13"))
    with pytest.raises(
        UserError, match=r"file-1: its genes \(GENCODE v22\) are not those of .*file-0 \(GENCODE v36\)"
    ):
        join_star_counts(table, paths, Counter())


def test_simulated_files_say_so_and_read_back(tmp_path: Path) -> None:
    table = files("TCGA-KL-8324-01A-11R-2315-07", "TCGA-KL-8324-11A-01R-2315-07", preservation=["OCT", ""])
    answer = tmp_path / "answer"
    answer.write_bytes(files_answer(table))
    assert identify(answer).simulated
    pd.testing.assert_frame_equal(read_files_answer(answer, Counter()), table)
    counts = tmp_path / "counts"
    counts.write_bytes(
        star_counts_tsv([9, 0], ["ENSG00000000003.15", "ENSG00000000005.6"], ["A", "B"], (1, 2, 3, 4))
    )
    assert identify(counts).simulated
    found = read_star_counts(counts)
    assert list(found.counts) == [9, 0]
    assert list(found.summary) == [1, 2, 3, 4]
    assert found.gene_model.startswith("GENCODE v36")
    assert read_star_counts(counts, "stranded_second").counts.tolist() == [5, 0]
