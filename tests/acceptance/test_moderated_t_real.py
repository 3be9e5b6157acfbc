"""Moderated t on public arrays: the tables that R's limma made of the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reclaim.moderated_t import average_duplicates, moderated_t

LIMMA = {
    "effect": "logFC",
    "mean": "AveExpr",
    "statistic": "t",
    "p_value": "P.Value",
    "q_value": "adj.P.Val",
}


def assert_is_limma(found: pd.DataFrame, limma: pd.DataFrame) -> None:
    assert sorted(found.index) == sorted(limma.index)
    for column, name in LIMMA.items():
        np.testing.assert_allclose(
            found[column], limma[name].reindex(found.index), rtol=1e-6, atol=1e-9, err_msg=name
        )


# GSE42872: A375 melanoma cells, three with vehicle, then three with vemurafenib

VEMURAFENIB = np.column_stack([np.ones(6), np.repeat([0.0, 1.0], 3)])


@pytest.fixture(scope="module")
def gse42872(realdata: Path) -> pd.DataFrame:
    return pd.read_csv(realdata / "geo_GSE42872" / "GSE42872_limma_deg_R.csv.gz", index_col=0)


def vemurafenib_effect(genes: pd.DataFrame) -> pd.DataFrame:
    return moderated_t(genes.to_numpy(float).T, VEMURAFENIB, [0, 1]).set_axis(genes.index)


def test_gse42872_from_the_gene_level_matrix(realdata: Path, gse42872: pd.DataFrame) -> None:
    path = realdata / "geo_GSE42872" / "GSE42872_gene_level_matrix.tsv.gz"
    found = vemurafenib_effect(pd.read_csv(path, sep="\t", index_col=0))
    assert len(found) == 18_837
    assert_is_limma(found, gse42872)
    assert found["q_value"].idxmin() == "CD36"
    assert found.loc["CD36", "effect"] == pytest.approx(5.78017)
    assert found.loc["CD36", "statistic"] == pytest.approx(79.7213365049435, rel=1e-6)


def test_gse42872_from_the_series_matrix(realdata: Path, gse42872: pd.DataFrame) -> None:
    """Probes by the table of their genes. It lacks 118 ambiguous genes, which go into the prior of the
    others: these come from the gene-level matrix."""
    folder = realdata / "geo_GSE42872"
    probes = pd.read_csv(
        folder / "GSE42872_series_matrix.txt.gz", sep="\t", comment="!", index_col=0, dtype={"ID_REF": str}
    )
    symbols = pd.read_csv(
        folder / "DERIVED_GPL6244_probe_symbol_maxmedian.tsv.gz", sep="\t", dtype=str
    ).set_index("probe_id")["symbol"]
    by_symbol = probes.loc[symbols.index].set_axis(symbols.to_numpy())
    gene_level = pd.read_csv(folder / "GSE42872_gene_level_matrix.tsv.gz", sep="\t", index_col=0)
    ambiguous = gene_level.drop(index=by_symbol.index)
    assert len(ambiguous) == 118
    assert_is_limma(vemurafenib_effect(pd.concat([by_symbol, ambiguous])), gse42872)


# GSE19536: miRNA of 98 breast tumours, oestrogen receptor positive (case) against negative


def test_gse19536_with_duplicates_averaged(realdata: Path) -> None:
    folder = realdata / "mirna_GSE19536"
    measured = pd.read_csv(folder / "GSE19536_mirna.csv.gz", index_col=0)
    receptor = pd.read_csv(folder / "pheno_data.csv", index_col=0)["ER"].reindex(measured.columns)
    positive = (receptor == "case").to_numpy(float)
    assert (positive.sum(), len(positive)) == (62, 98)
    values, names = average_duplicates(measured.to_numpy(float).T, list(measured.index))
    assert (measured.shape[0], len(names)) == (463, 455)
    found = moderated_t(values, np.column_stack([np.ones(98), positive]), [0, 1]).set_axis(names)
    limma = pd.read_csv(folder / "LOCAL_R_limma_3.54.1_ERcase_vs_control.tsv.gz", sep="\t", index_col=0)
    assert_is_limma(found, limma)
    assert found.loc["hsa-miR-29c-5p", "effect"] == pytest.approx(1.242614, abs=1e-6)
    assert found.loc["hsa-miR-29c-5p", "statistic"] == pytest.approx(7.540741, abs=1e-6)
    assert found.loc["hsa-miR-23b-3p", "p_value"] == pytest.approx(0.0768, abs=5e-5)
