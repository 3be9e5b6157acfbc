"""From stored bytes of expression, of gene effects or of a clinical table, to the canonical object, with a ledger of
what was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reclaim.dataset import ExpressionDataset, FileDataset
from reclaim.errors import AbsentData, UserError
from reclaim.expression import (
    PATIENT,
    derive_columns,
    empty,
    one_sample_per_patient,
    select_samples,
    validated,
)
from reclaim.expression_dataset import (
    CbioportalExpressionDataset,
    DepmapDataset,
    GdcDataset,
    GeoDataset,
    SupplementaryTable,
    XenaDataset,
)
from reclaim.features import Key, to_symbols
from reclaim.ledger import Ledger
from reclaim.retrieve.receipt import Receipt
from reclaim.selection import describe, select, values_found
from reclaim.symbols import SymbolTable

if TYPE_CHECKING:
    import anndata
    import pandas as pd

HUMAN = "Homo sapiens"


def load_expression(
    dataset: ExpressionDataset, receipt: Receipt, store: Path, symbols: SymbolTable | None
) -> tuple[anndata.AnnData, Ledger]:
    """The samples of the data set under approved symbols (validated), and the ledger of its loading. A clinical
    table has no genes and needs no `symbols`.

    Data that their service does not have, or that do not match their description, give an empty object and a
    ledger with status `absent`.
    """
    dropped: Counter[str] = Counter()
    try:
        if receipt.status == "absent":
            raise AbsentData(receipt.reason)
        data, key = _read(dataset, receipt.open(store), symbols, dropped)
        if not isinstance(dataset, XenaDataset):  # Xena's choice of columns to read rests on them already
            data.obs = _derived(dataset, data.obs)
        if dataset.expect and not select(data.obs, dataset.expect).any():
            raise AbsentData(
                f"not the data that were expected: no sample with {describe(dataset.expect)}"
                f"{values_found(data.obs, dataset.expect)}"
            )
        data, flow = select_samples(data, dataset.samples)
        if isinstance(dataset, CbioportalExpressionDataset):
            data = one_sample_per_patient(data, flow)
    except AbsentData as reason:
        return empty(), Ledger(status="absent", reason=str(reason), simulated=receipt.simulated)
    if key is not None:
        assert symbols is not None
        data = to_symbols(data, symbols, key, dropped)
    counts = {name: count for name, count in sorted(dropped.items()) if count}
    return validated(_plain(data)), Ledger(
        status="present", simulated=receipt.simulated, flow=flow, dropped=counts
    )


def _derived(dataset: ExpressionDataset, samples: pd.DataFrame) -> pd.DataFrame:
    """With the derived columns. Of data that nobody has opened yet, texts that fit two values are no mistake of the
    study file: they are not the data that were expected."""
    try:
        return derive_columns(samples, dataset.derive)
    except UserError as ambiguous:
        if dataset.confirmed:
            raise
        raise AbsentData(f"not the data that were expected: {ambiguous}") from None


def _read(
    dataset: ExpressionDataset, files: Mapping[str, Path], symbols: SymbolTable | None, dropped: Counter[str]
) -> tuple[anndata.AnnData, Key | None]:
    """Samples x features with the source's own names, and what names the features; None of a clinical table."""
    if isinstance(dataset, XenaDataset):
        return _xena(dataset, files, dropped), dataset.features
    if isinstance(dataset, GdcDataset):
        return _gdc(files, dropped), "ensembl"
    if isinstance(dataset, CbioportalExpressionDataset):
        assert symbols is not None
        return _cbioportal(dataset, files, symbols, dropped), "given"
    if isinstance(dataset, DepmapDataset):
        return _depmap(files, dropped), "entrez"
    if isinstance(dataset, GeoDataset):
        return _geo(dataset, files, symbols, dropped)
    if dataset.format == "clinical_table":
        return _clinical(dataset, files, dropped), None
    return _local(dataset, files, dropped)


def _xena(dataset: XenaDataset, files: Mapping[str, Path], dropped: Counter[str]) -> anndata.AnnData:
    from reclaim.sources.further_tables import check_found, with_further_tables
    from reclaim.sources.xena import patients, read_matrix, read_phenotype, read_probemap

    table = read_phenotype(files["sample_table"], dropped)
    table[PATIENT] = patients(table.index)
    table, found = with_further_tables(table, dataset.further_tables, files, dropped)
    table = derive_columns(table, dataset.derive)
    wanted = table[np.asarray(select(table, dataset.samples), bool)] if dataset.samples else table
    # A selection may rest on these columns, and then leave nothing of a table that fits no sample.
    check_found(found.loc[wanted.index] if len(wanted) else found, dataset.further_tables, dropped)
    probemap = read_probemap(files["probe_map"]) if dataset.probe_map else None
    return read_matrix(files["matrix"], wanted, dataset.values, probemap, dropped)


def _gdc(files: Mapping[str, Path], dropped: Counter[str]) -> anndata.AnnData:
    from reclaim.sources.gdc import join_star_counts, one_aliquot_per_sample, read_files_answer

    chosen = one_aliquot_per_sample(read_files_answer(files["files"], dropped), dropped)
    return join_star_counts(chosen, files, dropped)


def _cbioportal(
    dataset: CbioportalExpressionDataset,
    files: Mapping[str, Path],
    symbols: SymbolTable,
    dropped: Counter[str],
) -> anndata.AnnData:
    from reclaim.sources.cbioportal_expression import name_by_entrez, read_profile

    data = read_profile(dataset, files["archive"], dropped)
    name_by_entrez(data, symbols, dropped)
    return data


def _depmap(files: Mapping[str, Path], dropped: Counter[str]) -> anndata.AnnData:
    from reclaim.sources.depmap import read_gene_effects, read_models

    models = read_models(files["models"], dropped)
    return read_gene_effects(files["gene_effect"], models, dropped)


def _clinical(dataset: FileDataset, files: Mapping[str, Path], dropped: Counter[str]) -> anndata.AnnData:
    from reclaim.sources.clinical_table import read_clinical_table

    return read_clinical_table(dataset, files["data"], dropped)


def _geo(
    dataset: GeoDataset, files: Mapping[str, Path], symbols: SymbolTable | None, dropped: Counter[str]
) -> tuple[anndata.AnnData, Key]:
    from reclaim.sources.geo_counts import join_samples, read_ncbi_counts
    from reclaim.sources.series_matrix import read_series_matrix

    key: Key = "given" if dataset.features == "probe" else dataset.features
    if dataset.expression == "supplementary":
        tables = [_supplementary(table, files, dropped) for table in dataset.supplementary]
        return join_samples(tables, dropped), key
    matrix = read_series_matrix(files["series_matrix"], dropped)
    others = sorted(set(matrix.obs["organism"]) - {HUMAN})
    if others:
        raise AbsentData(f"organism: {', '.join(others)}; expected {HUMAN}")
    if dataset.expression == "series_matrix":
        values = _logged(matrix)
        if dataset.annotation is None:
            return values, key
        assert symbols is not None
        return _of_probes(values, dataset.annotation, files["annotation"], symbols, dropped), key
    counts = read_ncbi_counts(files["counts"], files["annotation"], dropped)
    return _with_samples(counts, matrix.obs, dropped), "entrez"


def _of_probes(
    values: anndata.AnnData, platform: str, path: Path, symbols: SymbolTable, dropped: Counter[str]
) -> anndata.AnnData:
    """The probes that the platform's annotation names one gene of, or none. Raises AbsentData for samples of another
    platform, whose probes may have the same names and mean other genes."""
    from reclaim.sources.platform_annotation import read_platform_annotation, with_genes

    others = sorted(set(values.obs["platform"]) - {platform})
    if others:
        raise AbsentData(
            f"platform: {', '.join(one or 'none named' for one in others)}; expected {platform}, whose annotation "
            "names the probes"
        )
    annotation = read_platform_annotation(path, dropped)
    if annotation.attrs["platform"] not in ("", platform):
        raise UserError(
            f"{path}: the annotation of {annotation.attrs['platform']}; expected that of {platform}: delete it and "
            "fetch it again"
        )
    return with_genes(values, annotation, symbols, dropped)


def _supplementary(
    table: SupplementaryTable, files: Mapping[str, Path], dropped: Counter[str]
) -> anndata.AnnData:
    from reclaim.sources.geo_counts import read_count_table

    return read_count_table(files[table.file], table.feature, table.columns_of, table.sheet, dropped)


def _logged(data: anndata.AnnData) -> anndata.AnnData:
    """Linear intensities on the log2 scale; values of 0 and below are missing. Raises AbsentData without
    values, as series of sequencing have none."""
    if data.uns["unit"] == "none":
        raise AbsentData("the series matrix holds no values; expected those of an array")
    if data.uns["unit"] == "intensity":
        with np.errstate(divide="ignore", invalid="ignore"):
            data.X = np.where(data.X > 0, np.log2(data.X), np.nan).astype(np.float32)
        data.uns["unit"] = "log2_intensity"
    return data


def _with_samples(data: anndata.AnnData, samples: pd.DataFrame, dropped: Counter[str]) -> anndata.AnnData:
    """The sample table for the samples that have values. Raises AbsentData when none has."""
    known = data.obs_names.isin(samples.index)
    dropped["samples with counts and without a line in the sample table"] += int((~known).sum())
    dropped["samples in the sample table and without counts"] += len(samples) - int(known.sum())
    if not known.any():
        raise AbsentData("none of the samples with counts is in the sample table")
    data = data[known].copy()
    data.obs = samples.loc[data.obs_names]
    return data


def _local(
    dataset: FileDataset, files: Mapping[str, Path], dropped: Counter[str]
) -> tuple[anndata.AnnData, Key]:
    from reclaim.sources.local_expression import read_count_matrix, read_h5ad_file
    from reclaim.sources.series_matrix import read_series_matrix

    if dataset.format == "series_matrix":
        return _logged(read_series_matrix(files["data"], dropped)), dataset.features
    if dataset.format == "h5ad":
        return read_h5ad_file(files["data"]), dataset.features
    data, samples = read_count_matrix(dataset, files, dropped)
    return _with_samples(data, samples, dropped), dataset.features


def _plain(data: anndata.AnnData) -> anndata.AnnData:
    """Text as text, so that the same object gives the same file, and names that the file format allows."""
    data.obs = data.obs.rename(columns=lambda name: str(name).replace("/", " or "))
    for table in (data.obs, data.var):
        for column in table.columns:
            if table[column].dtype == object or str(table[column].dtype) == "category":
                table[column] = table[column].astype("string").fillna("").astype(object)
    return data
