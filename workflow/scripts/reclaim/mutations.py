"""Somatic mutations as the workflow keeps them, and which patients carry an alteration.

A cohort is four tables: mutations, copy-number calls, the samples that were assayed, and their
clinical columns. The denominator of every share is the sample table, never the mutation table:
a patient without any mutation was sequenced all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from reclaim.claim_tests import MutationFeature
from reclaim.errors import AbsentData
from reclaim.ledger import FlowStep
from reclaim.selection import Selection, describe, select

NON_SILENT = frozenset(
    {
        "Frame_Shift_Del",
        "Frame_Shift_Ins",
        "In_Frame_Del",
        "In_Frame_Ins",
        "Missense_Mutation",
        "Nonsense_Mutation",
        "Nonstop_Mutation",
        "Splice_Site",
        "Translation_Start_Site",
    }
)
"""MAF classes that change the protein: the non-synonymous classes of maftools (Mayakonda 2018,
doi 10.1101/gr.239244.118)."""

TRUNCATING = frozenset(
    {"Frame_Shift_Del", "Frame_Shift_Ins", "Nonsense_Mutation", "Splice_Site", "Translation_Start_Site"}
)
"""MAF classes that end or lose the protein."""

COPY_NUMBER_CALL = {"deep_deletion": -2, "amplification": 2}

MUTATIONS = pa.DataFrameSchema(
    {
        "sample": pa.Column(str),
        "gene": pa.Column(str),
        "classification": pa.Column(str),
        "protein_change": pa.Column(str, description="one-letter form without p., empty when not given"),
    },
    strict=True,
)
COPY_NUMBER = pa.DataFrameSchema(
    {
        "sample": pa.Column(str),
        "gene": pa.Column(str),
        "call": pa.Column("int8", pa.Check.isin([-2, -1, 1, 2]), description="neutral calls are not listed"),
    },
    strict=True,
)
SAMPLES = pa.DataFrameSchema(
    {
        "sample": pa.Column(str, unique=True),
        "patient": pa.Column(str),
        "sequenced": pa.Column(bool),
        "copy_number": pa.Column(bool, description="has discrete copy-number calls"),
    },
    strict=True,
)


@dataclass(frozen=True)
class Cohort:
    """One data set of mutations. `clinical` holds the source's own columns, indexed by sample."""

    mutations: pd.DataFrame
    copy_number: pd.DataFrame
    samples: pd.DataFrame
    clinical: pd.DataFrame

    @classmethod
    def empty(cls) -> Cohort:
        """A cohort without samples: what an absent data set is stored as."""
        mutations, copy_number, samples = (
            pd.DataFrame(
                {name: pd.Series(dtype=column.dtype.type) for name, column in schema.columns.items()}
            )
            for schema in (MUTATIONS, COPY_NUMBER, SAMPLES)
        )
        return cls(
            mutations, copy_number, samples, pd.DataFrame(index=pd.Index([], name="sample", dtype=str))
        )

    def validated(self) -> Cohort:
        """The same cohort; raises pandera's SchemaError when a table breaks its contract."""
        return Cohort(
            MUTATIONS.validate(self.mutations),
            COPY_NUMBER.validate(self.copy_number),
            SAMPLES.validate(self.samples),
            self.clinical,
        )

    @property
    def genes(self) -> frozenset[str]:
        """Every gene symbol that the mutation or copy-number table names."""
        return frozenset(self.mutations["gene"]) | frozenset(self.copy_number["gene"])


PARTS = ("mutations", "copy_number", "samples", "clinical")


def read_cohort(paths: dict[str, Path]) -> Cohort:
    """A cohort from its four parquet files, keyed as in PARTS."""
    return Cohort(**{part: pd.read_parquet(paths[part]) for part in PARTS})


def one_tumour_per_patient(cohort: Cohort, selection: Selection) -> tuple[Cohort, list[FlowStep]]:
    """Keep the sequenced samples that meet `selection`, and one of them per patient.

    Of several samples the first by name is kept: with TCGA barcodes the lowest vial and portion.
    Also returns the patient flow, one entry per step. Raises AbsentData when nothing is left.
    """
    steps: list[FlowStep] = []

    def step(name: str, table: pd.DataFrame) -> None:
        steps.append(FlowStep(step=name, samples=len(table), patients=int(table["patient"].nunique())))

    samples = cohort.samples
    step("listed", samples)
    samples = samples[samples["sequenced"]]
    step("sequenced", samples)
    if selection:
        chosen = cohort.clinical.index[select(cohort.clinical, selection)]
        samples = samples[samples["sample"].isin(chosen)]
        step(describe(selection), samples)
    if samples.empty:
        raise AbsentData(f"no sequenced sample meets: {describe(selection) or 'the sequenced case list'}")
    samples = samples.sort_values(["patient", "sample"]).drop_duplicates("patient").reset_index(drop=True)
    step("one tumour per patient", samples)
    names = set(samples["sample"])
    kept = Cohort(
        cohort.mutations[cohort.mutations["sample"].isin(names)].reset_index(drop=True),
        cohort.copy_number[cohort.copy_number["sample"].isin(names)].reset_index(drop=True),
        samples,
        cohort.clinical[cohort.clinical.index.isin(names)],
    )
    return kept, steps


def non_silent(cohort: Cohort) -> pd.DataFrame:
    """Mutations that change a protein."""
    return cohort.mutations[cohort.mutations["classification"].isin(NON_SILENT)]


def other_mutations(cohort: Cohort, genes: set[str]) -> pd.Series:
    """Non-silent mutations per sample outside `genes`, indexed like the sample table."""
    mutations = non_silent(cohort)
    counts = mutations.loc[~mutations["gene"].isin(genes), "sample"].value_counts()
    return counts.reindex(cohort.samples["sample"], fill_value=0).astype(int)


def depth_without_each_gene(
    cohort: Cohort, samples: pd.Series[str], left_out: set[str]
) -> tuple[pd.Series[int], pd.DataFrame]:
    """The call depth of `samples` for every gene at once, as in `other_mutations`.

    Returns the non-silent mutations per sample outside `left_out`, and, for each pair of a gene and a
    sample that carries a mutation of it (columns gene, sample), that number without the gene's own
    (others). Genes in `left_out` have no pairs."""
    mutations = non_silent(cohort)
    mutations = mutations[mutations["sample"].isin(samples) & ~mutations["gene"].isin(left_out)]
    total = mutations["sample"].value_counts().reindex(samples, fill_value=0).astype(int)
    own = mutations.groupby(["gene", "sample"]).size().rename("own").reset_index()
    own["others"] = own["sample"].map(total) - own["own"]
    return total, own[["gene", "sample", "others"]]


def assayed(cohort: Cohort, feature: MutationFeature) -> np.ndarray:
    """Samples (in sample-table order) in which the alteration could have been seen."""
    seen = cohort.samples["sequenced"].to_numpy(bool)
    return seen & cohort.samples["copy_number"].to_numpy(bool) if feature.copy_number else seen


def alterations(cohort: Cohort, feature: MutationFeature) -> pd.DataFrame:
    """Who carries this kind of alteration, for every gene: distinct pairs of sample and gene."""
    mutations = non_silent(cohort)
    parts = []
    if feature.protein_change:
        wanted = (
            [feature.protein_change] if isinstance(feature.protein_change, str) else feature.protein_change
        )
        changes = {change.removeprefix("p.") for change in wanted}
        parts.append(mutations[mutations["protein_change"].isin(changes)])
    if feature.consequence == "truncating":
        parts.append(mutations[mutations["classification"].isin(TRUNCATING)])
    if feature.copy_number:
        calls = cohort.copy_number
        parts.append(calls[calls["call"] == COPY_NUMBER_CALL[feature.copy_number]])
    if feature.consequence == "non_silent" or not parts:
        parts.append(mutations)
    return pd.concat([part[["sample", "gene"]] for part in parts]).drop_duplicates(ignore_index=True)


def altered(cohort: Cohort, feature: MutationFeature) -> np.ndarray:
    """Samples (in sample-table order) that carry the alteration."""
    pairs = alterations(cohort, feature)
    carriers = pairs.loc[pairs["gene"] == feature.gene, "sample"]
    return cohort.samples["sample"].isin(carriers).to_numpy(bool)
