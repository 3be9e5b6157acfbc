"""DepMap: which files of a release, whose bytes they must be, and how they are read."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dataset
from faults_of_the_web import Status
from public_internet import PublicInternet
from pydantic import TypeAdapter, ValidationError

from reclaim.dataset import Dataset, DepmapDataset, kind_of
from reclaim.errors import AbsentData, UserError
from reclaim.retrieve.announcement import announce
from reclaim.retrieve.fetch import Fetcher
from reclaim.retrieve.lock import DataLock
from reclaim.retrieve.receipt import Receipt, Request
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.hgnc import FIRST_ID, hgnc_complete_set
from reclaim.sources.depmap import read_gene_effects, read_models
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for
from reclaim.symbols import SymbolTable

MODELS = """\
CellLineName,Note,OncotreePrimaryDisease,ModelID
A,"one, two",Plasma Cell Myeloma,ACH-000001
B,,Melanoma,ACH-000002
C,x,Melanoma,ACH-000003
C,again,Melanoma,ACH-000003
D,no id,Melanoma,
"""
EFFECTS = f"""\
,IRF4 ({FIRST_ID}),NEW ({FIRST_ID + 1}),SIMOLD1 ({FIRST_ID + 1}),NOGENE (7),comment
ACH-000002,-0.1,-1.0,-0.5,0.25,1
ACH-000009,9,9,9,9,9
ACH-000001,-1.5,,-0.25,0,1
"""


def described(**keys: Any) -> DepmapDataset:
    values = dataset(source="depmap", release="24Q4", **keys)
    del values["study"]
    found = TypeAdapter(Dataset).validate_python(values)
    assert isinstance(found, DepmapDataset)
    return found


def written(folder: Path, effects: str = EFFECTS, models: str = MODELS) -> dict[str, Path]:
    paths = {"gene_effect": folder / "CRISPRGeneEffect.csv", "models": folder / "Model.csv"}
    for path, text in zip(paths.values(), (effects, models), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def read(folder: Path, effects: str = EFFECTS, models: str = MODELS) -> tuple[Any, Counter[str]]:
    ledger: Counter[str] = Counter()
    paths = written(folder, effects, models)
    return read_gene_effects(paths["gene_effect"], read_models(paths["models"], ledger), ledger), ledger


def load(folder: Path, effects: str = EFFECTS, **keys: Any) -> tuple[Any, Any]:
    """As the workflow does, of a store."""
    one = described(**keys)
    paths = written(folder, effects)
    for request in requests_for(one, folder):
        path = folder / "store" / store_path(str(request.url))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(paths[request.name].read_bytes())
    receipt = make_receipt("a", requests_for(one, folder), Access(folder / "store"))
    (folder / "hgnc.txt").write_bytes(hgnc_complete_set(["IRF4", "NEW"]))
    return load_expression(one, receipt, folder / "store", SymbolTable.read(folder / "hgnc.txt"))


# What a study file says


def test_a_release_is_two_files_with_the_digests_that_were_published() -> None:
    assert [(one.name, one.url, one.md5) for one in requests_for(described(), Path())] == [
        (
            "gene_effect",
            "https://ndownloader.figshare.com/files/51064667",
            "6edf7ade09b9b34199210b559d4745d3",
        ),
        ("models", "https://ndownloader.figshare.com/files/51065297", "675210d17675f3517b0ce39a3c274f16"),
    ]
    assert kind_of(described()) == "dependency"
    assert "10.25452/figshare.plus.27993248.v1" in str(described().citation)


def test_another_release_is_not_known() -> None:
    with pytest.raises(ValidationError, match="24Q4"):
        DepmapDataset.model_validate({**described().model_dump(by_alias=True), "release": "23Q4"})


# Reading


def test_columns_are_found_by_name_and_lines_keep_the_order_of_the_matrix(tmp_path: Path) -> None:
    data, ledger = read(tmp_path)
    assert list(data.obs_names) == ["ACH-000002", "ACH-000001"]
    assert data.obs["OncotreePrimaryDisease"].tolist() == ["Melanoma", "Plasma Cell Myeloma"]
    assert data.obs["Note"].tolist()[1] == "one, two"
    assert list(data.var_names) == [str(FIRST_ID), str(FIRST_ID + 1), str(FIRST_ID + 1), "7"]
    assert data.var["given"].tolist() == ["IRF4", "NEW", "SIMOLD1", "NOGENE"]
    np.testing.assert_array_equal(
        data.X, np.array([[-0.1, -1.0, -0.5, 0.25], [-1.5, np.nan, -0.25, 0]], np.float32)
    )
    assert data.uns["unit"] == "gene_effect"
    assert {name: count for name, count in ledger.items() if count} == {
        "lines of models without an id": 1,
        "lines of models that repeat another": 1,
        "lines of gene effects without a model": 1,
        "models without gene effects": 1,
        "columns that name no gene, SYMBOL (ENTREZ)": 1,
        "gene effects that are missing": 1,
    }


def test_the_column_of_models_may_have_any_name(tmp_path: Path) -> None:
    assert read(tmp_path, effects=f"ModelID{EFFECTS}")[0].shape == (2, 4)
    assert read(tmp_path, effects=f'"a, b"{EFFECTS}')[0].shape == (2, 4)


@pytest.mark.parametrize(
    ("effects", "models", "reason"),
    [
        (EFFECTS, MODELS.replace("ModelID", "Model"), "Model.csv:1: no column 'ModelID'"),
        (EFFECTS.replace("ACH-0", "ACH-1"), MODELS, "none of its lines .such as ACH-100002. is a model"),
        ("gene,A,B\nx,1,2\n", MODELS, "expected a column of models, then genes as SYMBOL .ENTREZ."),
        ("IRF4 (1),A (2)\n1,2\n", MODELS, "expected a column of models, then genes"),
    ],
)
def test_other_tables_are_absent(tmp_path: Path, effects: str, models: str, reason: str) -> None:
    with pytest.raises(AbsentData, match=reason):
        read(tmp_path, effects, models)


@pytest.mark.parametrize(
    ("effects", "told"),
    [
        ("", r"CRISPRGeneEffect.csv:1: empty"),
        (EFFECTS.replace(",0.25,1", ",high,1"), r"CRISPRGeneEffect.csv:2: .*'high'"),
        (EFFECTS.replace(",0.25,1", ",0.25"), r"CRISPRGeneEffect.csv:2: .*columns"),
        (EFFECTS.replace("-1.5", "-inf"), r"CRISPRGeneEffect.csv:4: an infinite gene effect of IRF4"),
        (EFFECTS.replace("ACH-000009", "ACH-000002"), r"CRISPRGeneEffect.csv:3: .*'ACH-000002' stands twice"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, effects: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        read(tmp_path, effects)
    assert "\n" not in str(caught.value)


def test_genes_get_approved_symbols_by_entrez_id(tmp_path: Path) -> None:
    data, ledger = load(tmp_path)
    assert list(data.var_names) == ["IRF4", "NEW", "7"]
    # NEW has two columns: means -1.0 and -0.375, the latter is kept.
    assert data.to_df()["NEW"].tolist() == [-0.5, -0.25]
    assert data.uns["features"]["given"].tolist() == ["IRF4", "NEW", "SIMOLD1", "NOGENE"]
    assert ledger.dropped["features left out for a brighter one of the same gene"] == 1
    assert ledger.dropped["features that HGNC does not know"] == 1
    data.write_h5ad(tmp_path / "a.h5ad")


def test_samples_expect_and_derive_work_as_for_expression(tmp_path: Path) -> None:
    data, ledger = load(
        tmp_path,
        derive={"kind": {"from": "OncotreePrimaryDisease", "values": {"myeloma": "Myeloma", "skin": "Mela"}}},
        samples={"kind": "myeloma"},
        expect={"OncotreePrimaryDisease": {"matches": "[Mm]yeloma"}},
    )
    assert list(data.obs_names) == ["ACH-000001"]
    assert [step.samples for step in ledger.flow] == [2, 1]


@pytest.mark.parametrize("key", ["samples", "expect"])
def test_a_selection_without_a_line_says_what_there_is(tmp_path: Path, key: str) -> None:
    _, ledger = load(tmp_path, **{key: {"OncotreePrimaryDisease": {"matches": "Multiple Myeloma"}}})
    assert ledger.status == "absent"
    assert ledger.reason.endswith("(OncotreePrimaryDisease holds: Melanoma, Plasma Cell Myeloma)")


# Bytes

CONTENT = EFFECTS.encode()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
URL = "https://ndownloader.figshare.com/files/51064667"


def retrieved(store: Path, md5: str, *accepted: str, fetched: bool = True) -> Receipt:
    fetcher = Fetcher(store, (), 0, 2) if fetched else None
    access = Access(store, DataLock(store), fetcher, accepted)
    return make_receipt("a", [Request("gene_effect", URL, md5=md5)], access)


def test_a_server_that_refuses_head_is_no_hindrance(internet: PublicInternet, tmp_path: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Status(403), times=float("inf"), method="HEAD")
    found = announce([URL], tmp_path, Fetcher(tmp_path, (), 0, 2), 1)
    assert found.files == {URL: len(CONTENT)}
    (file,) = retrieved(tmp_path, MD5).files
    assert (tmp_path / file.path).read_bytes() == CONTENT


def test_other_bytes_than_the_published_ones_are_neither_kept_nor_locked(
    internet: PublicInternet, tmp_path: Path
) -> None:
    internet.put(URL, CONTENT + b"more")
    with pytest.raises(UserError, match=f"{URL}: changed since it was published: .* md5 {MD5} was") as caught:
        retrieved(tmp_path, MD5)
    assert "accept_changes" in str(caught.value)
    assert not (tmp_path / store_path(URL)).exists()
    assert DataLock(tmp_path).file(URL) is None
    # When the publisher's file is back, the next run takes it.
    internet.put(URL, CONTENT)
    assert retrieved(tmp_path, MD5).status == "present"


def test_other_bytes_are_taken_when_the_user_says_so(
    internet: PublicInternet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    internet.put(URL, CONTENT)
    assert retrieved(tmp_path, "0" * 32, URL).status == "present"
    assert "accepted other bytes than published" in caplog.text
    assert retrieved(tmp_path, "0" * 32).status == "present"  # they are locked now


def test_a_copied_file_is_held_to_the_publisher_too(tmp_path: Path) -> None:
    path = tmp_path / store_path(URL)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert retrieved(tmp_path, MD5, fetched=False).status == "present"
    with pytest.raises(UserError, match="not the bytes that were published at"):
        retrieved(tmp_path, "0" * 32, fetched=False)
    path.write_bytes(b"SIMULATED" + CONTENT)
    assert retrieved(tmp_path, "0" * 32, fetched=False).simulated
