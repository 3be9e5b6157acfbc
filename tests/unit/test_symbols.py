"""Which gene a name means, and features of one gene as one: real names in HGNC's own format."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from reclaim.errors import UserError
from reclaim.features import to_symbols
from reclaim.symbols import SymbolTable

HEADER = "hgnc_id\tsymbol\tname\tlocus_group\tlocus_type\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id"
CODING = "protein-coding gene\tgene with protein product\tApproved"
ENTRIES = f"""\
HGNC:27962\tSTING1\tstimulator of interferon response cGAMP interactor 1\t{CODING}\t"STING|MPYS|ERIS|FLJ38577|NET23|MITA"\tTMEM173\t340061\tENSG00000184584
HGNC:21367\tCGAS\tcyclic GMP-AMP synthase\t{CODING}\tcGAS\t"C6orf150|MB21D1"\t115004\tENSG00000164430
HGNC:7729\tSEPTIN2\tseptin 2\t{CODING}\t"KIAA0158|hNedd5|Pnutl3"\t"DIFF6|NEDD5|SEPT2"\t4735\tENSG00000168385
HGNC:15848\tSEPTIN6\tseptin 6\t{CODING}\t"KIAA0128|SEP2|MGC16619"\tSEPT6\t23157\tENSG00000125354
HGNC:2879\tSEPTIN1\tseptin 1\t{CODING}\tLARP\t"DIFF6B|SEPT1"\t1731\tENSG00000180096
HGNC:26077\tMARCHF1\tmembrane associated ring-CH-type finger 1\t{CODING}\t"MARCH-I|RNF171"\tMARCH1\t55016\tENSG00000145416
HGNC:28728\tMARCHF3\tmembrane associated ring-CH-type finger 3\t{CODING}\t"MARCH-III|RNF173"\tMARCH3\t115123\tENSG00000173926
HGNC:26189\tMTARC1\tmitochondrial amidoxime reducing component 1\t{CODING}\tFLJ22390\t"MOSC1|MARC1"\t64757\tENSG00000186205
HGNC:23658\tDELEC1\tdeleted in esophageal cancer 1\tother\tunknown\tApproved\tCTS9\tDEC1\t50514\tENSG00000173077
HGNC:1046\tBHLHE40\tbasic helix-loop-helix family member e40\t{CODING}\t"DEC1|SHARP2|Clast5"\t"STRA13|BHLHB2"\t8553\tENSG00000134107
HGNC:9212\tPOU2F1\tPOU class 2 homeobox 1\t{CODING}\t"OCT1|Oct-1"\tOTF1\t5451\tENSG00000143190
HGNC:10963\tSLC22A1\tsolute carrier family 22 member 1\t{CODING}\tOCT1\t\t6580\tENSG00000175003
HGNC:9221\tPOU5F1\tPOU class 5 homeobox 1\t{CODING}\t"MGC22487|OCT3|Oct4"\tOTF3\t5460\tENSG00000204531
HGNC:11998\tTP53\ttumor protein p53\t{CODING}\t"p53|LFS1"\t\t7157\tENSG00000141510
HGNC:25565\tC1orf112\tchromosome 1 open reading frame 112\t{CODING}\tFLJ10706\t\t55732\tENSG00000000460
HGNC:11364\tSTAT3\tsignal transducer and activator of transcription 3\t{CODING}\tAPRF\t\t6774\tENSG00000168610
HGNC:7897\tNPC1\tNPC intracellular cholesterol transporter 1\t{CODING}\tCAT\t\t4864\tENSG00000141458
HGNC:1516\tCAT\tcatalase\t{CODING}\t\t\t847\tENSG00000121691
HGNC:17083\tCD99\tCD99 molecule (Xg blood group)\t{CODING}\t\tMIC2\t4267\tENSG00000002586
HGNC:1\tA12M1~withdrawn\tsymbol withdrawn\twithdrawn\twithdrawn\tEntry Withdrawn\t\t\t\t
"""


def write(folder: Path, text: str = f"{HEADER}\n{ENTRIES}") -> Path:
    path = folder / "hgnc_complete_set.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> SymbolTable:
    return SymbolTable.read(write(tmp_path_factory.mktemp("hgnc")))


# Names


@pytest.mark.parametrize(
    ("name", "symbol", "how"),
    [
        ("STING1", "STING1", "approved"),
        ("TMEM173", "STING1", "previous"),
        ("MB21D1", "CGAS", "previous"),
        ("C6orf150", "CGAS", "previous"),
        ("MITA", "STING1", "alias"),
        ("CAT", "CAT", "approved"),  # also an alias of NPC1
        ("DEC1", "DELEC1", "previous"),  # also an alias of BHLHE40
        ("SEPT2", "SEPTIN2", "previous"),
        ("SEP2", "SEPTIN6", "alias"),
        ("OCT1", "", "ambiguous"),  # POU2F1 and SLC22A1
        ("Oct-1", "POU2F1", "alias"),
        ("A12M1", "", "withdrawn"),
        ("RP11-34P13.7", "", "unknown"),
        ("Y_RNA", "", "unknown"),
        # case and spaces
        ("C1orf112", "C1orf112", "approved"),
        ("C1ORF112", "C1orf112", "approved"),
        ("c6ORF150", "CGAS", "previous"),
        ("cGAS", "CGAS", "approved"),
        ("P53", "TP53", "alias"),
        (" TMEM173\u00a0", "STING1", "previous"),
        ("TMEM 173", "", "unknown"),
        ("TP53.1", "", "unknown"),  # not a version: R numbers repeated names like this
        # several genes of one probe
        ("TMEM173 /// STING1", "STING1", "previous"),
        ("TMEM173 /// TP53", "", "ambiguous"),
        ("TMEM173 /// LOC1", "", "ambiguous"),
        ("LOC1 /// LOC2", "", "unknown"),
        ("---", "", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_what_a_name_means(table, name, symbol, how):
    found = table.resolve([name]).iloc[0]
    assert (found["given"], found["symbol"], found["how"], found["date"]) == (name, symbol, how, False)


def test_the_candidates_of_an_ambiguous_name(table):
    assert table.resolve(["OCT1", "TMEM173 /// LOC1", "STING"])["candidates"].tolist() == [
        "POU2F1|SLC22A1",
        "STING1",
        "STING1",
    ]


def test_case_tells_names_of_one_level_apart(tmp_path):
    rows = f"HGNC:1\tX1\ta\t{CODING}\tAb\t\t\t\nHGNC:2\tX2\tb\t{CODING}\tAB\t\t\t\n"
    table = SymbolTable.read(write(tmp_path, f"{HEADER}\n{rows}"))
    assert table.resolve(["Ab", "AB", "ab"])["symbol"].tolist() == ["X1", "X2", ""]
    assert table.resolve(["ab"])["how"].tolist() == ["ambiguous"]


# 2001-03-01 is day 36951 and 2016-09-02 day 42615 of a spreadsheet that counts from 1899-12-30
@pytest.mark.parametrize(
    ("name", "symbol", "candidates"),
    [
        ("2-Sep", "SEPTIN2", "SEPTIN2"),  # SEP2 is only an alias: the previous symbol SEPT2 wins
        ("02-Sep", "SEPTIN2", "SEPTIN2"),
        ("Sep-02", "SEPTIN2", "SEPTIN2"),
        ("2-Sep-16", "SEPTIN2", "SEPTIN2"),
        ("02. Sep", "SEPTIN2", "SEPTIN2"),  # German
        ("6-SEP", "SEPTIN6", "SEPTIN6"),
        ("3-Mar", "MARCHF3", "MARCHF3"),
        ("1-Mar", "", "MARCHF1|MTARC1"),
        ("Mar-01", "", "MARCHF1|MTARC1"),
        ("1/Mar", "", "MARCHF1|MTARC1"),
        ("2001-03-01 00:00:00", "", "MARCHF1|MTARC1"),
        ("36951", "", "MARCHF1|MTARC1"),
        ("36951.0", "", "MARCHF1|MTARC1"),
        ("2016-09-02", "SEPTIN2", "SEPTIN2"),
        ("42615", "SEPTIN2", "SEPTIN2"),
        ("2016/09/02", "SEPTIN2", "SEPTIN2"),
        ("9/2/2016", "SEPTIN2", "SEPTIN2"),
        ("02.09.2016", "SEPTIN2", "SEPTIN2"),
        ("2002-09-01", "", "SEPTIN1|SEPTIN2"),  # SEPT1 in 2002, or SEPT2 as Sep-02 and read again
        ("2016-09-01", "SEPTIN1", "SEPTIN1"),  # there is no SEPT16
        ("1-Dec", "DELEC1", "DELEC1"),
        ("1-Oct", "", "POU2F1|SLC22A1"),
        ("4-Oct", "POU5F1", "POU5F1"),
        ("1-Jan", "", ""),
    ],
)
def test_dates_that_spreadsheets_made(table, name, symbol, candidates):
    found = table.resolve([name]).iloc[0]
    assert (found["symbol"], found["candidates"]) == (symbol, candidates)
    assert found["how"] == ("date" if symbol else "ambiguous" if candidates else "unknown")
    assert found["date"]


@pytest.mark.parametrize(
    "name", ["42616", "7157", "99999", "2016-13-40", "Foo-01", "31-Foo", "SEP-200", "2--Sep"]
)
def test_what_is_no_date(table, name):
    assert table.resolve([name])[["how", "date"]].values.tolist() == [["unknown", False]]


def test_cells_of_a_workbook_are_dates_already(table):
    cells = [datetime(2016, 9, 2), pd.Timestamp(2016, 9, 2), 42615, 42615.0, None, np.nan, pd.NA, pd.NaT]
    assert table.resolve(cells)["symbol"].tolist() == ["SEPTIN2"] * 4 + [""] * 4


def test_did_you_mean(table):
    assert table.nearest("TMEM137") == "STING1"
    assert table.nearest("STING-1") == "STING1"
    assert table.nearest("sting1") == "STING1"
    assert table.nearest("OCT1") is None  # two genes: none is suggested
    assert table.nearest("WWWWWWW") is None


# Ids


def test_ensembl_ids_lose_their_version(table):
    found = table.by_ensembl(
        [
            "ENSG00000184584",
            "ENSG00000184584.13",
            "ENSG00000184584.13_2",
            "ENSG00000002586.20_PAR_Y",
            "ENSGR0000002586.14",
            "ENSG00000299999.1",
            "ERCC-00002",
            None,
        ]
    )
    assert found[["name", "symbol", "how", "version", "par_y"]].values.tolist() == [
        ["ENSG00000184584", "STING1", "ensembl", False, False],
        ["ENSG00000184584", "STING1", "ensembl", True, False],
        ["ENSG00000184584", "STING1", "ensembl", True, False],
        ["ENSG00000002586", "CD99", "ensembl", True, True],
        ["ENSG00000002586", "CD99", "ensembl", True, True],
        ["ENSG00000299999", "", "unknown", True, False],
        ["ERCC-00002", "", "unknown", False, False],
        ["", "", "unknown", False, False],
    ]


@pytest.mark.parametrize("number", ["7157", " 7157", 7157, 7157.0, "7157.0", np.int64(7157)])
def test_entrez_ids_as_text_and_numbers(table, number):
    assert table.by_entrez([number])[["name", "symbol", "how"]].values.tolist() == [
        ["7157", "TP53", "entrez"]
    ]


def test_an_id_of_two_genes_is_ambiguous(tmp_path):
    rows = f"HGNC:1\tA1\ta\t{CODING}\t\t\t11\tENSG00000000001\nHGNC:2\tB1\tb\t{CODING}\t\t\t12\tENSG00000000001\n"
    found = SymbolTable.read(write(tmp_path, f"{HEADER}\n{rows}")).by_ensembl(["ENSG00000000001"])
    assert found[["symbol", "how", "candidates"]].values.tolist() == [["", "ambiguous", "A1|B1"]]


def test_nothing_asked_nothing_answered(table):
    for answer in (table.resolve([]), table.by_ensembl([]), table.by_entrez([])):
        assert len(answer) == 0
        assert {"given", "name", "symbol", "how", "candidates"} <= set(answer.columns)


# The file


def test_columns_are_found_by_name_and_gzip_is_unpacked(tmp_path, table):
    lines = [line.split("\t")[::-1] for line in f"{HEADER}\n{ENTRIES}".splitlines()]
    path = tmp_path / "hgnc.txt.gz"
    path.write_bytes(gzip.compress("\n".join("\t".join(line) for line in lines).encode()))
    pd.testing.assert_frame_equal(SymbolTable.read(path).names, table.names)


def test_the_genes_of_the_table(table):
    assert table.genes.set_index("symbol").loc["STING1"].to_dict() == {
        "hgnc_id": "HGNC:27962",
        "locus_group": "protein-coding gene",
        "locus_type": "gene with protein product",
        "entrez_id": "340061",
        "ensembl_gene_id": "ENSG00000184584",
    }
    assert "A12M1" not in set(table.genes["symbol"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"{HEADER}\n{ENTRIES}".replace("prev_symbol", "previous_symbol"),
            "no column 'prev_symbol'; did you",
        ),
        (f"{HEADER}\n", "no entry has the status Approved"),
        (f"{HEADER}\n{ENTRIES}{ENTRIES}", "the symbol STING1 is approved twice"),
        ("<html><body>Not found</body></html>\n", "no column 'symbol'"),
        ("", "empty"),
    ],
)
def test_a_file_that_is_not_the_complete_set(tmp_path, text, told):
    with pytest.raises(UserError, match=told) as error:
        SymbolTable.read(write(tmp_path, text))
    assert str(error.value).startswith("hgnc_complete_set.txt")
    assert "\n" not in str(error.value)


# Properties

letters = st.text("Aab", min_size=1, max_size=2)


@st.composite
def tables(draw) -> SymbolTable:
    """Small tables whose names collide often."""
    symbols = draw(st.lists(letters, min_size=1, max_size=6, unique=True))
    names = [(symbol, "approved", symbol) for symbol in symbols]
    for level in ("previous", "alias"):
        names += [(draw(letters), level, symbol) for symbol in symbols]
    genes = pd.DataFrame({"symbol": symbols, "entrez_id": "", "ensembl_gene_id": ""})
    return SymbolTable(genes, pd.DataFrame(names, columns=["name", "level", "symbol"]))


@given(tables(), letters)
def test_levels_decide_in_order_and_two_genes_are_never_one(table, name):
    found = table.resolve([name]).iloc[0]
    expected: tuple[str, str] = ("", "unknown")
    for level in ("approved", "previous", "alias"):
        names = table.names[table.names["level"] == level]
        exact = set(names["symbol"][names["name"] == name])
        genes = exact or set(names["symbol"][names["name"].str.upper() == name.upper()])
        if genes:
            expected = (genes.pop(), level) if len(genes) == 1 else ("", "ambiguous")
            break
    assert (found["symbol"], found["how"]) == expected


@given(tables(), st.lists(st.one_of(letters, st.text(max_size=12)), max_size=5))
def test_a_symbol_exactly_when_it_was_found_and_resolving_again_changes_nothing(table, names):
    found = table.resolve(names)
    assert found["given"].tolist() == names
    settled = found["how"].isin(["approved", "previous", "alias", "date"])
    assert ((found["symbol"] != "") == settled).all()
    again = table.resolve(found["symbol"][settled])
    assert again["symbol"].tolist() == found["symbol"][settled].tolist()
    assert (again["how"] == "approved").all()


# Features to genes


def matrix(unit: str, features: dict[str, list[float]], **columns: Any) -> ad.AnnData:
    samples = [f"S{number}" for number in range(len(next(iter(features.values()))))]
    return ad.AnnData(
        np.array(list(features.values()), np.float32).T,
        obs=pd.DataFrame({"group": "tumour"}, index=samples),
        var=pd.DataFrame(columns, index=list(features)),
        uns={"unit": unit},
    )


def genes(data: ad.AnnData) -> dict[str, list[float]]:
    values = data.X.toarray() if sparse.issparse(data.X) else data.X
    return {name: values[:, i].tolist() for i, name in enumerate(data.var_names)}


def counted(ledger: Counter[str]) -> dict[str, int]:
    return {what: number for what, number in ledger.items() if number}


def as_dense(values):
    return values


FORMS = [as_dense, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]
COUNTS = {
    "TMEM173": [1, 2, 3],
    "TP53": [5, 5, 5],
    "STING1": [10, 20, 30],
    "RP11-34P13.7": [7, 0, 7],
    "STING": [100, 0, 0],
}


@pytest.mark.parametrize("form", FORMS)
def test_counts_of_one_gene_are_summed(table, form):
    data = matrix("counts", COUNTS)
    data.X = form(data.X)
    ledger: Counter[str] = Counter()
    found = to_symbols(data, table, "symbol", ledger)
    assert genes(found) == {"STING1": [111, 22, 33], "TP53": [5, 5, 5], "RP11-34P13.7": [7, 0, 7]}
    assert found.X.dtype == np.float32
    assert found.var.to_dict("list") == {
        "feature": ["TMEM173", "TP53", "RP11-34P13.7"],
        "how": ["previous", "approved", "unknown"],
        "features": [3, 1, 1],
        "locus_group": ["protein-coding gene", "protein-coding gene", ""],
    }
    assert found.uns["features"]["fate"].tolist() == ["summed", "kept", "summed", "kept", "summed"]
    assert counted(ledger) == {
        "features renamed from a previous symbol": 1,
        "features renamed from an alias": 1,
        "features that HGNC does not know": 1,
        "features summed with another of the same gene": 2,
    }
    assert genes(data) == COUNTS


LOG = {
    "TMEM173": [1.0, 9.0, 1.0],  # mean 11/3
    "STING1": [4.0, 4.0, 4.0],  # mean 4: kept, though lower in one sample
    "TP53": [2.0, 2.0, 2.0],
    "STING": [4.0, 4.0, 4.0],  # as bright, later
}


@pytest.mark.parametrize("form", FORMS)
def test_of_log_values_the_brightest_feature_is_kept(table, form):
    data = matrix("log2_intensity", LOG)
    data.X = form(data.X)
    ledger: Counter[str] = Counter()
    found = to_symbols(data, table, "symbol", ledger)
    assert genes(found) == {"STING1": [4, 4, 4], "TP53": [2, 2, 2]}
    assert found.var["feature"].tolist() == ["STING1", "TP53"]
    assert found.uns["features"]["fate"].tolist() == ["left out", "kept", "kept", "left out"]
    assert ledger["features left out for a brighter one of the same gene"] == 2
    assert "features summed with another of the same gene" not in ledger


def test_missing_log_values_do_not_count_in_the_mean(table):
    nan = float("nan")
    data = matrix("log2_intensity", {"STING": [nan, nan], "TMEM173": [nan, 5.0], "STING1": [4.0, 4.0]})
    assert to_symbols(data, table, "symbol", Counter()).var["feature"].tolist() == ["TMEM173"]


def test_nothing_is_lost(table):
    names = {
        "TMEM173": [1],
        "OCT1": [2],
        "2-Sep": [3],
        "1-Mar": [4],
        "1-Jan": [5],
        "A12M1": [6],
        "": [7],
        " c1orf112": [8],
        "LOC9": [9],
    }
    ledger: Counter[str] = Counter()
    found = to_symbols(matrix("counts", names), table, "symbol", ledger)
    columns = ["feature", "given", "symbol", "how", "candidates", "row", "fate"]
    assert found.uns["features"][columns].values.tolist() == [
        ["TMEM173", "TMEM173", "STING1", "previous", "STING1", "STING1", "kept"],
        ["OCT1", "OCT1", "", "ambiguous", "POU2F1|SLC22A1", "OCT1", "kept"],
        ["2-Sep", "2-Sep", "SEPTIN2", "date", "SEPTIN2", "SEPTIN2", "kept"],
        ["1-Mar", "1-Mar", "", "ambiguous", "MARCHF1|MTARC1", "1-Mar", "kept"],
        ["1-Jan", "1-Jan", "", "unknown", "", "1-Jan", "kept"],
        ["A12M1", "A12M1", "", "withdrawn", "", "A12M1", "kept"],
        ["", "", "", "unknown", "", "", "dropped"],
        [" c1orf112", " c1orf112", "C1orf112", "approved", "C1orf112", "C1orf112", "kept"],
        ["LOC9", "LOC9", "", "unknown", "", "LOC9", "kept"],
    ]
    assert found.var_names.tolist() == [row for row in found.uns["features"]["row"] if row]
    assert counted(ledger) == {
        "features without a name, dropped": 1,
        "features renamed from a previous symbol": 1,
        "features renamed from a date that a spreadsheet made": 1,
        "features whose symbol is a date that fits several genes or none": 2,
        "features whose symbol is ambiguous": 1,
        "features whose symbol was withdrawn": 1,
        "features that HGNC does not know": 1,
        "features whose symbol was in another case or between spaces": 1,
    }


def test_unidentified_features_of_one_name_stay_apart(table):
    # MARCH1 and MARC1 are two genes, whatever the spreadsheet made of them.
    data = matrix("counts", {"a": [1], "b": [2], "c": [4], "d": [8]})
    data.var_names = ["1-Mar", "1-Mar", "1-Mar-2", "1-Mar"]
    ledger: Counter[str] = Counter()
    found = to_symbols(data, table, "symbol", ledger)
    assert genes(found) == {"1-Mar": [1], "1-Mar-3": [2], "1-Mar-2": [4], "1-Mar-4": [8]}
    assert ledger["features numbered because their unidentified name was taken"] == 2


def test_ensembl_features(table):
    data = matrix(
        "counts",
        {
            "ENSG00000002586.20": [1],
            "ENSG00000299999.1": [2],
            "ENSG00000002586.20_PAR_Y": [4],
            "ENSGR0000299999.1": [8],
        },
        given=["CD99", "NEW1", "CD99", "NEW1"],
        chromosome=["X", "X", "Y", "Y"],
    )
    ledger: Counter[str] = Counter()
    found = to_symbols(data, table, "ensembl", ledger)
    assert genes(found) == {"CD99": [5], "ENSG00000299999": [10]}
    assert found.var["chromosome"].tolist() == ["X", "X"]
    assert found.uns["features"]["given"].tolist() == ["CD99", "NEW1", "CD99", "NEW1"]
    assert counted(ledger) == {
        "features that HGNC does not know": 2,
        "Ensembl ids whose version was stripped": 4,
        "Ensembl ids of the Y copy of a pseudoautosomal gene": 2,
        "features summed with another of the same gene": 2,
    }


def test_entrez_features(table):
    found = to_symbols(matrix("counts", {"7157": [1], "1": [2]}), table, "entrez", Counter())
    assert genes(found) == {"TP53": [1], "1": [2]}
    assert found.var["how"].tolist() == ["entrez", "unknown"]


def test_probes_with_a_given_symbol(table):
    data = matrix(
        "log2_intensity",
        {"p1": [1], "p2": [2], "p3": [3], "p4": [4], "TP53": [5], "p6": [6]},
        given=["TMEM173", "STING1", None, "STAT3 /// TP53", "", "TP53"],
    )
    ledger: Counter[str] = Counter()
    found = to_symbols(data, table, "given", ledger)
    # The control that is called TP53 has no symbol: it must not pass for the gene.
    assert genes(found) == {"STING1": [2], "p3": [3], "p4": [4], "TP53-2": [5], "TP53": [6]}
    assert counted(ledger) == {
        "features renamed from a previous symbol": 1,
        "features without a symbol, under their own id": 2,
        "features whose symbol is ambiguous": 1,
        "features numbered because their unidentified name was taken": 1,
        "features left out for a brighter one of the same gene": 1,
    }


def test_samples_and_settings_are_taken_along_and_what_no_longer_fits_is_counted(table):
    data = matrix("counts", COUNTS)
    data.obsm["pca"] = np.arange(3.0)[:, None]
    data.layers["scaled"] = data.X
    data.raw = data
    ledger: Counter[str] = Counter()
    found = to_symbols(data[["S2", "S0"]], table, "symbol", ledger)  # a view, as after a selection
    assert genes(found)["STING1"] == [33, 111]
    assert found.obs_names.tolist() == ["S2", "S0"]
    assert found.obsm["pca"].tolist() == [[2.0], [0.0]]
    assert found.uns["unit"] == "counts"
    assert not found.layers
    assert ledger["layers and other matrices beside the values, left behind"] == 2
    assert genes(data) == COUNTS


def test_the_result_can_be_written_and_read(table, tmp_path):
    found = to_symbols(matrix("counts", COUNTS), table, "symbol", Counter())
    found.write_h5ad(tmp_path / "genes.h5ad")
    read = ad.read_h5ad(tmp_path / "genes.h5ad")
    assert genes(read) == genes(found)
    assert (
        read.uns["features"].astype(str).values.tolist() == found.uns["features"].astype(str).values.tolist()
    )


@pytest.mark.parametrize("names", [[], [""]])
def test_without_any_feature_the_samples_stay(table, names):
    data = ad.AnnData(
        np.ones((2, len(names)), np.float32), var=pd.DataFrame(index=names), uns={"unit": "counts"}
    )
    for unit in ("counts", "log2_tpm"):
        data.uns["unit"] = unit
        assert to_symbols(data, table, "symbol", Counter()).shape == (2, 0)


POOL = [
    "TMEM173",
    "STING1",
    "STING",
    "CGAS",
    "cGAS",
    "TP53",
    "p53",
    "OCT1",
    "1-Mar",
    "2-Sep",
    "SEPT2",
    "X9",
    "",
]


@given(
    st.lists(st.sampled_from(POOL), min_size=1, max_size=12),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(FORMS),
    st.integers(0, 2**32 - 1),
)
def test_sums_and_choices_agree_with_a_plain_loop(names, samples, form, seed):
    table = SymbolTable(*PLAIN)
    values = np.random.default_rng(seed).integers(0, 100, (samples, len(names))).astype(np.float32)
    data = ad.AnnData(form(values), var=pd.DataFrame(index=names), uns={"unit": "counts"})
    ledger: Counter[str] = Counter()
    summed = to_symbols(data, table, "symbol", ledger)
    data.uns["unit"] = "log2_intensity"
    brightest = to_symbols(data, table, "symbol", Counter())

    sums: dict[str, np.ndarray] = {}
    best: dict[str, np.ndarray] = {}
    for i, row in enumerate(summed.uns["features"]["row"]):
        if row:
            sums[row] = sums.get(row, 0) + values[:, i]
            if row not in best or values[:, i].mean() > best[row].mean():
                best[row] = values[:, i]
    assert genes(summed) == {row: column.tolist() for row, column in sums.items()}
    assert genes(brightest) == {row: column.tolist() for row, column in best.items()}
    # every feature is somewhere: in the result, merged into one of it, or dropped
    merged = ledger["features summed with another of the same gene"]
    assert len(names) == summed.n_vars + merged + ledger["features without a name, dropped"]
    assert summed.var["features"].sum() == len(names) - names.count("")


PLAIN = (
    pd.DataFrame(
        {
            "symbol": ["STING1", "CGAS", "TP53", "SEPTIN2"],
            "entrez_id": "",
            "ensembl_gene_id": "",
            "locus_group": "",
        }
    ),
    pd.DataFrame(
        [
            *((symbol, "approved", symbol) for symbol in ("STING1", "CGAS", "TP53", "SEPTIN2")),
            ("TMEM173", "previous", "STING1"),
            ("STING", "alias", "STING1"),
            ("p53", "alias", "TP53"),
            ("SEPT2", "previous", "SEPTIN2"),
            ("OCT1", "alias", "CGAS"),
            ("OCT1", "alias", "TP53"),
        ],
        columns=["name", "level", "symbol"],
    ),
)
