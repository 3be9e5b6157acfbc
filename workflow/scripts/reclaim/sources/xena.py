"""UCSC Xena: genomic matrices, sample tables and probe maps, as its hubs serve them.

Formats: https://ucsc-xena.gitbook.io/project/how-do-i/how-do-i-format-my-data-files. A matrix is text, genes x
samples; what its values are stands only on the page of the data set, so the study file says it. Two kinds of rows
occur: Ensembl ids with version, which a probe map gives symbols to (Toil's recompute, Vivian 2017, doi
10.1038/nbt.3772), and symbols of the year in which the matrix was made (HiSeqV2 of the TCGA hub). The text itself is
read by `xena_matrix`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.text_table import open_bytes, read_table
from reclaim.sources.xena_matrix import VALUES, beginning, damage_told, read_rows, stacked

if TYPE_CHECKING:
    from anndata import AnnData

SAMPLE_COLUMNS = ("sample", "sampleID")
"""What Xena's tables call the sample: Toil's and the survival tables, and the clinical matrices."""

ENSEMBL = re.compile(r"ENSG([R\d]\d+)(\.\d+(?:_\d+)?)?(_PAR_Y)?")
PATIENT = re.compile(r"(TCGA-\w+-\w+|TARGET-\w+-\w+|GTEX-\w+)-.+")


def read_phenotype(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """A sample table: all columns as text under their own names (missing where empty), indexed by `sample`.

    Files that are not UTF-8 are Latin-1: Toil's phenotype holds byte 0xCA (a no-break space of Mac OS Roman,
    read as Ê) in `_primary_site`. Raises UserError without a column of samples, for a sample on two lines that
    differ, and for damage.
    """
    with damage_told(path), open_bytes(path) as handle:
        raw = handle.read()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = raw.decode("latin-1").encode()
    table, line = read_table(BytesIO(raw), str(path))
    key = next((column for column in table.columns if column in SAMPLE_COLUMNS), None)
    if key is None:
        raise UserError(
            f"{path}:{line}: no column {' or '.join(map(repr, SAMPLE_COLUMNS))} (it begins "
            f"{beginning(raw)!r}); expected a sample table of Xena: name another file, or fetch it again"
        )
    named = table[key].notna()
    ledger["sample lines without a sample"] += int((~named).sum())
    before = table[named]
    table = before.drop_duplicates()
    ledger["sample lines that repeat another"] += len(before) - len(table)
    twice = table[key][table[key].duplicated()]
    if len(twice):
        raise UserError(
            f"{path}: the sample {twice.iloc[0]} stands on lines that differ; fetch the file again"
        )
    return table.set_index(key).rename_axis("sample")


def read_probemap(path: Path) -> pd.DataFrame:
    """Columns gene (symbol), chrom, chromStart, chromEnd (from 1, both included) and strand, indexed by `id`.

    Raises UserError when a column or a number is missing.
    """
    columns = ["id", "gene", "chrom", "chromStart", "chromEnd", "strand"]
    with damage_told(path), open_bytes(path) as handle:
        table, line = read_table(handle, str(path), wanted=columns)
    for column in columns:
        if column not in table.columns:
            raise UserError(
                f"{path}:{line}: no column {column!r}{did_you_mean(column, table.attrs['header'])}; "
                "expected a probe map of Xena: name another file, or fetch it again"
            )
    try:
        return table.fillna("").astype({"chromStart": "int64", "chromEnd": "int64"}).set_index("id")
    except ValueError as error:
        raise UserError(f"{path}: a position that is no number ({error}); fetch the file again") from None


def patients(samples: pd.Index) -> pd.Index:
    """The patient or donor of each sample, by the barcodes of TCGA, TARGET and GTEx; else the sample itself.

    A cut at twelve characters would part the samples of a GTEx donor: GTEX-1117F-0226-..., GTEX-1117F-2926-...
    """
    return pd.Index([PATIENT.sub(r"\1", str(sample)) for sample in samples], dtype=object)


def tumour_normal_counts(phenotype: pd.DataFrame, min_normals: int) -> pd.DataFrame:
    """Columns tumours, normals and pairs for TCGA cancers with at least `min_normals` adjacent normals.

    Indexed by `detailed_category` as in the file (Toil's phenotype), most normals first. Tumours are
    primary tumours, pairs are patients with both.
    """
    tcga = phenotype[phenotype["_study"] == "TCGA"]
    tcga = tcga.assign(patient=patients(tcga.index))
    by_type = {
        name: tcga[tcga["_sample_type"] == kind]
        for name, kind in {"tumours": "Primary Tumor", "normals": "Solid Tissue Normal"}.items()
    }
    counts = pd.DataFrame({name: rows.groupby("detailed_category").size() for name, rows in by_type.items()})
    keys = ["detailed_category", "patient"]
    both = by_type["tumours"][keys].drop_duplicates().merge(by_type["normals"][keys].drop_duplicates())
    counts["pairs"] = both.groupby("detailed_category").size()
    counts = counts.fillna(0).astype(int)
    return counts[counts["normals"] >= min_normals].sort_values(
        ["normals", "tumours"], ascending=False, kind="stable"
    )


def read_matrix(
    path: Path,
    samples: pd.DataFrame,
    values: str,
    probemap: pd.DataFrame | None,
    ledger: Counter[str],
    genes: Collection[str] | None = None,
) -> AnnData:
    """Samples x genes of a matrix: the samples of the table (index: sample), in its order, with its columns.

    `values` is a key of VALUES. log2(expected_count + 1) becomes whole counts (int32, RSEM's fractions
    rounded); log2(tpm + 0.001) becomes log2(TPM + 1) (float32), the project's unit: an offset of 0.001
    makes noise near zero look like large changes; log2(norm_count + 1) stays (float32). `uns`: `unit`, and
    `source_unit` as Xena writes it.

    With a `probemap` rows are Ensembl genes: `var` is indexed by Ensembl id without version, with `symbol` from the
    probe map (empty when it has none). The Y copy of a pseudoautosomal gene (`_PAR_Y`, or `ENSGR...` before GENCODE
    25), and any two versions of one id, are added up on the linear scale: where the aligner had both copies, each
    has part of the gene's reads. Without one, rows are named by symbol: `var` is indexed by the names as they are,
    repeated ones included (`features.to_symbols` looks them up and merges).

    `genes`: names to keep (versions of Ensembl ids do not matter), all by default.

    X is stored gene by gene (Fortran order). Memory: X and half a gigabyte. Raises AbsentData when the matrix
    has none of the samples or genes; UserError, with file and line, for damage, for a sample or Ensembl gene that
    stands twice, a row of another length, a cell that is no number, and values that cannot be `values`.
    """
    import anndata

    meaning = VALUES[values]
    asked = {_parts(gene)[0] for gene in genes or ()}
    wanted = None if genes is None else lambda name: _parts(name)[0] in asked
    rows = read_rows(path, samples.index, meaning, ledger, wanted)
    if not rows.names:
        raise AbsentData(f"{path}: no row of genes{'' if genes is None else ' among those asked for'}")
    if probemap is None:
        names, place = rows.names, np.arange(len(rows.names))
    else:
        twice = [gene for gene, number in Counter(rows.names).items() if number > 1]
        if twice:
            raise UserError(f"{path}: the gene {twice[0]} stands twice; fetch the file again")
        names, place = strip_versions(rows.names, ledger)
    if genes is not None:
        ledger["genes asked for that the matrix lacks"] += len(asked - set(names))
    by_gene = stacked(rows.slabs, place, len(names), meaning)
    if meaning.unit == "counts" and genes is None:
        _refuse_tpm(by_gene, path)
    var = pd.DataFrame(index=pd.Index(names, dtype=object, name="gene"))
    if probemap is not None:
        symbol_of = dict(zip((_parts(gene)[0] for gene in probemap.index), probemap["gene"], strict=True))
        var["symbol"] = [symbol_of.get(name, "") for name in names]
        ledger["genes without a symbol in the probe map"] += int((var["symbol"] == "").sum())
    return anndata.AnnData(
        X=by_gene.T,
        obs=samples.loc[rows.samples],
        var=var,
        uns={"unit": meaning.unit, "source_unit": meaning.name},
    )


def strip_versions(ids: Sequence[str], ledger: Counter[str]) -> tuple[list[str], np.ndarray]:
    """Ensembl ids without version, each once, and for every given id its place among them.

    The Y copy of a pseudoautosomal gene takes the place of the gene on X. Other ids stay as they are.
    """
    parts = [_parts(gene) for gene in ids]
    ledger["Ensembl ids whose version was stripped"] += sum(version for _, version, _ in parts)
    ledger["Ensembl ids of the Y copy of a pseudoautosomal gene"] += sum(par_y for _, _, par_y in parts)
    place, names = pd.factorize(np.array([bare for bare, _, _ in parts], dtype=object))
    ledger["gene rows added to another of the same Ensembl id"] += len(ids) - len(names)
    return list(names), place


def _parts(gene: str) -> tuple[str, bool, bool]:
    """The id without version, whether it had one, and whether it is the Y copy."""
    match = ENSEMBL.fullmatch(gene)
    if match is None:
        return gene, False, False
    number, version, par_y = match.groups()
    return "ENSG" + number.replace("R", "0"), version is not None, par_y is not None or number[0] == "R"


def _refuse_tpm(by_gene: np.ndarray, path: Path) -> None:
    """Counts of real libraries differ in their sums; TPM add up to a million in each."""
    totals = by_gene.sum(axis=0, dtype=np.int64)
    if len(totals) > 1 and (np.abs(totals - 1_000_000) < 20_000).all():
        raise UserError(
            f"{path}: every sample adds up to a million, so these are TPM, not counts; give `values` that Xena's "
            "page of the data set names"
        )
