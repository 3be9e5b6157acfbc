"""A cohort of simulated patients: tumours, mutations and copy-number calls.

Traps that real studies hold and this one too: patients without any mutation, several tumours of one
patient, other diagnoses in the cohort, silent mutations, hypermutators, tumours of low content, a
patient list longer than the sequenced list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reclaim.dataset import CbioportalDataset
from reclaim.errors import UserError
from reclaim.selection import Condition, Scalar, Selection, columns_of
from reclaim.simulate.truth import GeneTruth, Truth, conditional_shares

BACKGROUND_GENES = 400
OTHER_DIAGNOSES = 30
NEVER_SEQUENCED = 5
COHORT_SPREAD = 0.1
"""Standard deviation of a cohort's true shares on the logit scale."""
LOW_CONTENT_SEEN = {"exome": 0.12, "panel": 0.9}
"""Share of a low-content tumour's mutations that are called; panels are sequenced deeply."""
OTHER_VALUE = {"SAMPLE_TYPE": "Metastasis"}
"""What a sample outside the cohort holds, where cBioPortal has a usual word; OTHER elsewhere."""
MISSENSE = ["Missense_Mutation"] * 7 + ["In_Frame_Del"]
TRUNCATING = ["Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site"]
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


@dataclass(frozen=True)
class SimulatedCohort:
    """Tables of one study, in cBioPortal's columns."""

    samples: pd.DataFrame
    patients: pd.DataFrame
    mutations: pd.DataFrame
    copy_number: pd.DataFrame | None
    sequenced: list[str]


def simulate_cohort(
    name: str, dataset: CbioportalDataset, columns: Selection, truth: Truth, generator: np.random.Generator
) -> SimulatedCohort:
    """Draw one cohort. `columns` is all that selections ask of its sample table. Same generator
    state, same cohort."""
    panel = dataset.min_other_mutations < 5
    size = int(generator.integers(170, 260)) * (2 if panel else 1)
    stem = name.upper().replace("_", "")
    patients = [f"SIM-{stem}-{number:04d}" for number in range(size)]
    alterations = _draw_alterations(truth, size, generator)
    # More patients with another diagnosis, none of them altered in a tested gene.
    others = [f"SIM-{stem}-X{number:03d}" for number in range(OTHER_DIAGNOSES)]

    low_content = generator.random(size) < truth.low_content
    seen = np.where(low_content, LOW_CONTENT_SEEN["panel" if panel else "exome"], 1.0)
    burden = _burden(dataset.min_other_mutations, size + len(others), generator)

    rows: list[tuple[str, str, str, str]] = []  # sample, gene, classification, protein change
    calls: list[tuple[str, str, int]] = []
    sample_rows: list[dict[str, str]] = []
    genes = [f"SIMG{number:04d}" for number in range(BACKGROUND_GENES)]
    for i, patient in enumerate([*patients, *others]):
        eligible = i < size
        tumours = [f"{patient}-01"]
        altered = alterations[i] if eligible else []
        if eligible and (i % 12 == 0 or (truth.world == "confounded" and altered and i % 2)):
            tumours.append(f"{patient}-06")  # a metastasis sequenced as well
        visible = seen[i] if eligible else 1.0
        for tumour in tumours:
            primary = tumour.endswith("-01")
            sample_rows.append(
                {
                    "PATIENT_ID": patient,
                    "SAMPLE_ID": tumour,
                    **_attributes(columns, eligible, primary),
                }
            )
            for gene in generator.choice(genes, generator.binomial(burden[i], visible)):
                rows.append((tumour, str(gene), *_any_change(generator)))
            for gene in generator.choice(genes, generator.binomial(burden[i] // 4, visible)):
                rows.append((tumour, str(gene), "Silent", _protein_change(generator, "=")))
            for gene, classification, change in altered:
                if classification.startswith("CNA"):
                    calls.append((tumour, gene, int(classification.removeprefix("CNA"))))
                elif generator.random() < visible:
                    rows.append((tumour, gene, classification, change))
    never_sequenced = [f"SIM-{stem}-N{number:03d}" for number in range(NEVER_SEQUENCED)]
    for patient in never_sequenced:
        sample_rows.append(
            {"PATIENT_ID": patient, "SAMPLE_ID": f"{patient}-01", **_attributes(columns, True, True)}
        )
    samples = pd.DataFrame(sample_rows)
    patient_table = pd.DataFrame({"PATIENT_ID": samples["PATIENT_ID"].unique()})
    patient_table["SEX"] = generator.choice(["Male", "Female"], len(patient_table))
    patient_table["AGE"] = generator.integers(40, 85, len(patient_table))
    sequenced = [sample for sample in samples["SAMPLE_ID"] if "-N" not in sample]
    return SimulatedCohort(
        samples,
        patient_table,
        _maf(rows, generator),
        _copy_number(calls, [*truth.genes, *genes], sequenced, generator) if dataset.copy_number else None,
        sequenced,
    )


def _draw_alterations(
    truth: Truth, size: int, generator: np.random.Generator
) -> list[list[tuple[str, str, str]]]:
    """Per patient: gene, MAF class (or CNA call) and protein change of every tested gene's alteration."""
    altered: list[list[tuple[str, str, str]]] = [[] for _ in range(size)]
    carriers: dict[str, np.ndarray] = {}
    for gene, shares in truth.genes.items():
        logit = np.log(shares.altered / (1 - shares.altered)) + generator.normal(0, COHORT_SPREAD)
        share = 1 / (1 + np.exp(-logit))
        chance = np.full(size, share)
        pair = next((p for p in truth.pairs if p.second == gene and p.first in carriers), None)
        if pair:
            first = carriers[pair.first]
            without, with_first = conditional_shares(float(first.mean()), float(share), pair.odds_ratio)
            chance = np.where(first, with_first, without)
        carriers[gene] = generator.random(size) < chance
        for i in np.flatnonzero(carriers[gene]):
            altered[i].append((gene, *_alteration(shares, generator)))
    return altered


def _alteration(shares: GeneTruth, generator: np.random.Generator) -> tuple[str, str]:
    """One kind of alteration of a carrier: the named kinds by their shares, else another missense."""
    kinds = [("allele", change, share) for change, share in shares.alleles.items()]
    kinds += [
        ("truncating", "", shares.truncating),
        ("CNA-2", "", shares.deep_deletion),
        ("CNA2", "", shares.amplification),
    ]
    rest = shares.altered - sum(share for *_, share in kinds)
    weights = np.array([share for *_, share in kinds] + [max(rest, 0.0)])
    drawn = int(generator.choice(len(weights), p=weights / weights.sum()))
    if drawn == len(kinds):
        hot_spot = next((change[:-1] for change in shares.alleles), None)
        other = str(generator.choice(["D", "D", "V", "V", "R"]))
        return "Missense_Mutation", f"p.{hot_spot}{other}" if hot_spot else _protein_change(generator, other)
    kind, change, _ = kinds[drawn]
    if kind == "allele":
        return "Missense_Mutation", f"p.{change}"
    if kind == "truncating":
        return str(generator.choice(TRUNCATING)), _protein_change(generator, "*")
    return kind, ""


def _burden(minimum: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """Non-silent mutations per tumour, well above the gate; one in a hundred is a hypermutator."""
    burden = np.exp(generator.normal(np.log(3.5 * max(minimum, 1)), 0.3, size)).round().astype(int) + 1
    burden[generator.random(size) < 0.01] *= 12
    return burden


def _any_change(generator: np.random.Generator) -> tuple[str, str]:
    if generator.random() < 0.15:
        return str(generator.choice(TRUNCATING)), _protein_change(generator, "*")
    return str(generator.choice(MISSENSE)), _protein_change(
        generator, str(generator.choice(list(AMINO_ACIDS)))
    )


def _protein_change(generator: np.random.Generator, to: str) -> str:
    return f"p.{generator.choice(list(AMINO_ACIDS))}{generator.integers(2, 900)}{to}"


def _attributes(selection: Selection, eligible: bool, primary: bool) -> dict[str, str]:
    """Clinical columns that put a sample inside or outside the cohort. A metastasis is outside by
    SAMPLE_TYPE where the cohort names it."""
    values = {"ONCOTREE_CODE": "OTHER", "SAMPLE_TYPE": "Primary" if primary else "Metastasis"}
    for column, wanted in columns_of(selection):
        inside = eligible if column != "SAMPLE_TYPE" else primary
        values[column] = _value_inside(column, wanted) if inside else _value_outside(column, wanted)
    return values


def _value_outside(column: str, wanted: Scalar | list[Scalar] | Condition) -> str:
    refused = wanted.not_ if isinstance(wanted, Condition) else None
    if isinstance(refused, list):
        return str(refused[0])
    if isinstance(refused, Condition):
        return _value_inside(column, refused)
    return OTHER_VALUE.get(column, "OTHER") if refused is None else str(refused)


def _value_inside(column: str, wanted: Scalar | list[Scalar] | Condition) -> str:
    if isinstance(wanted, list):
        return str(wanted[0])
    if not isinstance(wanted, Condition):
        return str(wanted)
    if wanted.at_least is not None or wanted.at_most is not None:
        return f"{wanted.at_least if wanted.at_least is not None else wanted.at_most:g}"
    if wanted.not_ is not None and wanted.matches is None:
        return "INSIDE"
    raise UserError(
        f"the simulator cannot invent a value of {column!r} for the pattern {wanted.matches!r}; "
        "use a value or a list of values in `samples`"
    )


def _maf(rows: list[tuple[str, str, str, str]], generator: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample", "gene", "classification", "change"])
    position = generator.integers(1_000_000, 200_000_000, len(table))
    return pd.DataFrame(
        {
            "Hugo_Symbol": table["gene"],
            "Entrez_Gene_Id": "",
            "Center": "SIMULATED",
            "NCBI_Build": "GRCh37",
            "Chromosome": generator.integers(1, 23, len(table)),
            "Start_Position": position,
            "End_Position": position,
            "Strand": "+",
            "Variant_Classification": table["classification"],
            "Variant_Type": "SNP",
            "Reference_Allele": "C",
            "Tumor_Seq_Allele2": "T",
            "Tumor_Sample_Barcode": table["sample"],
            "HGVSp_Short": table["change"],
        }
    )


def _copy_number(
    calls: list[tuple[str, str, int]], genes: list[str], samples: list[str], generator: np.random.Generator
) -> pd.DataFrame:
    values = generator.choice([-1, 0, 0, 0, 0, 1], (len(genes), len(samples)))
    table = pd.DataFrame(values, index=pd.Index(genes, name="Hugo_Symbol"), columns=samples)
    for sample, gene, call in calls:
        table.loc[gene, sample] = call
    table.insert(0, "Entrez_Gene_Id", "")
    return table.reset_index()
