"""TCGA-LAML co-occurrence: maftools' somaticInteractions, Fisher's exact test, all 193 barcodes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from reclaim.claim_tests import MutationFeature
from reclaim.dataset import MafColumns
from reclaim.mutations import Cohort, altered
from reclaim.odds_ratios import fisher_pair
from reclaim.sources.maf import read_maf
from reclaim.sources.text_table import open_bytes


@pytest.fixture(scope="module")
def cohort(realdata: Path) -> Cohort:
    path = realdata / "mutations_maftools" / "tcga_laml.maf.gz"
    with open_bytes(path) as handle:
        calls = read_maf(handle, str(path), MafColumns(protein_change="Protein_Change"), Counter())
    samples = pd.DataFrame({"sample": sorted(set(calls["sample"]))})
    samples["patient"] = samples["sample"]
    samples["sequenced"], samples["copy_number"] = True, False
    return Cohort(calls, Cohort.empty().copy_number, samples, Cohort.empty().clinical)


def test_every_barcode_counts(cohort: Cohort) -> None:
    assert len(cohort.samples) == 193


@pytest.mark.parametrize(
    ("first", "second", "p_value", "odds_ratio", "counts"),
    [
        ("ASXL1", "RUNX1", 0.0001541586, 55.215541, (176, 4, 12, 1)),
        ("IDH2", "RUNX1", 0.0002809928, 9.590877, (164, 7, 9, 13)),
        ("IDH2", "ASXL1", 0.0004030636, 41.077327, (172, 4, 1, 16)),
        ("FLT3", "NPM1", 0.0009929836, 3.763161, (125, 17, 16, 35)),
        ("SMC3", "DNMT3A", 0.0010451985, 20.177713, (144, 6, 42, 1)),
    ],
)
def test_pair(
    cohort: Cohort, first: str, second: str, p_value: float, odds_ratio: float, counts: tuple[int, ...]
) -> None:
    pair = fisher_pair(
        altered(cohort, MutationFeature(gene=first)), altered(cohort, MutationFeature(gene=second))
    )
    neither, both, only_second, only_first = counts
    assert (pair.neither, pair.both) == (neither, both)
    assert {pair.only_first, pair.only_second} == {only_first, only_second}
    assert pair.p_value == pytest.approx(p_value, rel=1e-6)
    # R's fisher.test finds the inverse odds ratio by uniroot to .Machine$double.eps^0.25 = 1.2e-4.
    assert 1 / pair.odds_ratio == pytest.approx(1 / odds_ratio, abs=1.2e-4)
