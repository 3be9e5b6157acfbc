"""The simulated complete set reads as HGNC's, and springs each trap."""

from collections import Counter

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from reclaim.features import to_symbols
from reclaim.simulate.hgnc import (
    COLUMNS,
    RENAMED_FOR_SPREADSHEETS,
    SHARED_ALIAS,
    WITHDRAWN,
    hgnc_complete_set,
)
from reclaim.symbols import SymbolTable

GENES = ["STING1", "CGAS", "SEPTIN2", "SIMG0001"]


@pytest.fixture(params=[None, 1, 2], ids=["as given", "drawn", "drawn otherwise"])
def table(request, tmp_path) -> SymbolTable:
    generator = None if request.param is None else np.random.default_rng(request.param)
    path = tmp_path / "hgnc_complete_set.txt"
    path.write_bytes(hgnc_complete_set(GENES, generator))
    return SymbolTable.read(path)


def test_the_bytes_say_that_they_are_simulated_and_have_the_columns_of_hgnc():
    first, header, *rows = hgnc_complete_set(GENES).decode().splitlines()
    assert "SIMULATED" in first
    assert header.split("\t") == COLUMNS
    assert {len(row.split("\t")) for row in rows} == {len(COLUMNS)} == {54}
    assert any('\t"SIMOLD' in row for row in rows)  # lists stand in quotes
    assert any("\tSIMOLD0\t" in row for row in rows)  # single names do not


def test_same_generator_same_bytes():
    assert hgnc_complete_set(GENES, np.random.default_rng(3)) == hgnc_complete_set(
        GENES, np.random.default_rng(3)
    )
    assert hgnc_complete_set(GENES, np.random.default_rng(3)) != hgnc_complete_set(GENES)


def test_every_gene_is_approved_and_has_other_names(table):
    assert table.resolve(GENES)["how"].tolist() == ["approved"] * 4
    assert table.resolve([f"SIMOLD{number}" for number in range(4)])["symbol"].tolist() == GENES
    assert table.resolve([f"SIMALIAS{number}" for number in range(4)])["symbol"].tolist() == GENES


def test_the_traps(table):
    found = table.resolve([SHARED_ALIAS, WITHDRAWN, "STING1", "SEPT2", "2-Sep", "3-Mar", "1-Mar", "DEC1"])
    assert found[["symbol", "how"]].values.tolist() == [
        ["", "ambiguous"],
        ["", "withdrawn"],
        ["STING1", "approved"],
        ["SEPTIN2", "previous"],
        ["SEPTIN2", "date"],
        ["MARCHF3", "date"],
        ["", "ambiguous"],
        ["DELEC1", "previous"],
    ]
    aliases = table.names[table.names["level"] == "alias"]
    assert aliases.loc[aliases["name"] == "STING1", "symbol"].tolist() == ["SIMTRAP2"]
    assert set(RENAMED_FOR_SPREADSHEETS) <= set(table.genes["symbol"])


def test_each_id_leads_to_its_gene(table):
    assert (
        table.by_ensembl(table.genes["ensembl_gene_id"])["symbol"].tolist() == table.genes["symbol"].tolist()
    )
    assert table.by_entrez(table.genes["entrez_id"])["symbol"].tolist() == table.genes["symbol"].tolist()


def test_the_smallest_sets(tmp_path):
    path = tmp_path / "hgnc.txt"
    for genes in ([], ["SIMTRAP2"], ["A", "A"]):
        path.write_bytes(hgnc_complete_set(genes))
        assert set(genes) <= set(SymbolTable.read(path).genes["symbol"])


def test_a_matrix_under_old_names_comes_out_under_the_new(table):
    data = ad.AnnData(np.ones((2, 4), np.float32), uns={"unit": "counts"})
    data.var = pd.DataFrame(index=["SIMOLD0", "SIMALIAS0", "CGAS", SHARED_ALIAS])
    found = to_symbols(data, table, "symbol", Counter())
    assert found.to_df().iloc[0].to_dict() == {"STING1": 2, "CGAS": 1, SHARED_ALIAS: 1}
