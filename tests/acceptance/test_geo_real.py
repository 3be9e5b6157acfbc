"""GSE42872 (vemurafenib on A375 melanoma cells, GPL6244) as GEO serves it; counts of airway cells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from reclaim.sources.geo_counts import read_count_table
from reclaim.sources.series_matrix import read_series_matrix


@pytest.fixture(scope="module")
def series(realdata: Path) -> AnnData:
    ledger: Counter[str] = Counter()
    data = read_series_matrix(realdata / "geo_GSE42872" / "GSE42872_series_matrix.txt.gz", ledger)
    assert not +ledger
    return data


def test_shape_and_unit(series: AnnData) -> None:
    assert series.shape == (6, 33_297)
    assert list(series.obs_names) == [f"GSM{number}" for number in range(1052615, 1052621)]
    assert series.uns["unit"] == "log2_intensity"
    assert not np.isnan(series.X).any()


def test_sample_table(series: AnnData) -> None:
    assert list(series.obs["title"]) == [
        f"A375 cells 24h {arm} rep{number}" for arm in ("Control", "Vemurafenib") for number in (1, 2, 3)
    ]
    assert set(series.obs["cell type"]) == {"Melanoma cell line"}
    assert set(series.obs["cell line"]) == {"A375"}
    assert set(series.obs["platform"]) == {"GPL6244"}
    assert set(series.obs["organism"]) == {"Homo sapiens"}
    assert "vehicle (0.1% DMSO)" in series.obs.loc["GSM1052616", "source_name"]


def test_values_are_those_of_the_gene_level_matrix_made_with_r(series: AnnData, realdata: Path) -> None:
    folder = realdata / "geo_GSE42872"
    genes = pd.read_csv(folder / "GSE42872_gene_level_matrix.tsv.gz", sep="\t", index_col="symbol")
    probes = pd.read_csv(
        folder / "DERIVED_GPL6244_probe_symbol_maxmedian.tsv.gz", sep="\t", dtype=str, keep_default_na=False
    )
    assert len(probes) > 18_000
    found = series[genes.columns, probes["probe_id"]].X.T
    np.testing.assert_array_equal(found, genes.loc[probes["symbol"]].to_numpy(np.float32))


def test_a_table_of_counts(realdata: Path) -> None:
    path = realdata / "rnaseq_airway" / "airway_rawcounts.csv.gz"
    expected = pd.read_csv(path, index_col=0)
    name = expected.index.name or ""
    data = read_count_table(path, name, r"SRR\d+", None, Counter())
    assert data.shape == (8, 64_102)
    np.testing.assert_array_equal(data.X, expected.to_numpy().T)
    assert list(data.var_names) == list(expected.index)
