"""Real counts through the whole workflow, as a user runs a study on local files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import snakemake

from reclaim.simulate.hgnc import hgnc_complete_set

STUDY = """\
id: airway
title: Dexamethasone in airway smooth muscle
source: {{kind: other, document: airway, date: 2014-06-13}}
datasets:
  airway:
    source: file
    format: count_matrix
    path: {counts}
    sample_table: {{path: {samples}, sample: id, patient: celltype}}
    features: ensembl
    tier: {{disease: same, system: same, perturbation: same, readout: same, time: same}}
    independent: true
claims:
  - id: C1
    statement: Dexamethasone raises SPARCL1.
    where: page 1
    gap: none
    tests:
      - id: sparcl1
        role: primary
        analysis: differential_expression
        datasets: [airway]
        feature: {{gene: ENSG00000152583}}
        contrast: {{case: {{dex: treated}}, control: {{dex: control}}}}
        covariates: [celltype]
        expected: positive
    decision: {{rule: pooled}}
"""


@pytest.fixture(scope="module")
def run(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("airway")
    airway = realdata / "rnaseq_airway"
    (folder / "airway.yaml").write_text(
        STUDY.format(counts=airway / "airway_rawcounts.csv.gz", samples=airway / "airway_metadata.csv")
    )
    # A symbol table that knows none of these genes: they keep their Ensembl ids, as R's table has them.
    table = folder / "store/storage.googleapis.com/public-download-files/hgnc/tsv/tsv/hgnc_complete_set.txt"
    table.parent.mkdir(parents=True)
    table.write_bytes(hgnc_complete_set(["SIMG1"]))
    config = f"data={{source: mirror, store: '{folder / 'store'}'}}"
    done = snakemake(folder / "work", "--config", f"studies=[{folder / 'airway.yaml'}]", config, "run=own")
    assert done.returncode == 0, done.stdout
    assert "case (4): SRR1039509" in (folder / "work/logs/own/airway/differential_expression.log").read_text()
    return folder / "work" / "results" / "own"


def test_the_claim_has_the_numbers_of_r(run: Path) -> None:
    row = pd.read_csv(run / "evidence.tsv", sep="\t").iloc[0]
    assert row["effect"] == pytest.approx(4.574919, abs=1e-4)
    assert (row["data"], row["n"], row["outcome"]) == ("local", 8, "agrees")
    assert "dispersion trend 0.00952 + 3.6/mean, prior variance 0.529" in row["note"]
    claim = pd.read_csv(run / "claims.tsv", sep="\t").iloc[0]
    assert claim["verdict"] == "consistent"
    assert "a single cohort" in claim["reason"]


def test_all_genes_are_there_and_agree_with_r(run: Path, realdata: Path) -> None:
    ours = pd.read_parquet(run / "airway" / "sparcl1" / "airway.parquet").set_index("feature")
    theirs = pd.read_csv(
        realdata / "rnaseq_airway" / "LOCAL_R_DESeq2_1.38.3_rawcounts_celltype_dex.tsv.gz",
        sep="\t",
        index_col=0,
    )
    assert set(ours.index) == set(theirs.index)
    ours = ours.reindex(theirs.index)
    well = (theirs["baseMean"] >= 10).to_numpy()
    difference = (ours["effect"] - theirs["log2FoldChange"]).abs().to_numpy()[well]
    assert np.mean(difference < 1e-4) >= 0.99
    called, expected = (ours["q_value"] < 0.1).to_numpy(), (theirs["padj"] < 0.1).to_numpy()
    assert (called != expected).sum() <= 0.005 * expected.sum()
