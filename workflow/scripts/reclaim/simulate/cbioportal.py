"""A cBioPortal study, SIMULATED: patients, their tumours, and the files of the data hub.

Traps that real studies hold and this one too: patients without any mutation, several tumours of one
patient, other diagnoses in the cohort, silent mutations, hypermutators, tumours of low content, a
patient list longer than the sequenced list, comment lines, a continuous copy-number file beside the
discrete one.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reclaim.dataset import CbioportalDataset
from reclaim.errors import UserError
from reclaim.selection import Condition, Scalar, Selection
from reclaim.simulate.truth import GeneTruth, Truth, conditional_shares
from reclaim.sources.requests import DATAHUB_ARCHIVE, DATAHUB_FILE
from reclaim.store import store_path

BACKGROUND_GENES = 400
COHORT_SPREAD = 0.1
"""Standard deviation of a cohort's true shares on the logit scale."""
OTHER_VALUE = {"SAMPLE_TYPE": "Metastasis"}
"""What a sample outside the cohort holds, where cBioPortal has a usual word; OTHER elsewhere."""
MISSENSE = ["Missense_Mutation"] * 7 + ["In_Frame_Del"]
TRUNCATING = ["Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site"]
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


@dataclass(frozen=True)
class SimulatedCohort:
    """Wire-format tables of one study."""

    samples: pd.DataFrame
    patients: pd.DataFrame
    mutations: pd.DataFrame
    copy_number: pd.DataFrame | None
    sequenced: list[str]


def simulate_cohort(
    name: str, dataset: CbioportalDataset, truth: Truth, generator: np.random.Generator
) -> SimulatedCohort:
    """Draw one cohort. Same generator state, same cohort."""
    panel = dataset.min_other_mutations < 5
    size = int(generator.integers(170, 260)) * (2 if panel else 1)
    stem = name.upper().replace("_", "")
    patients = [f"SIM-{stem}-{number:04d}" for number in range(size)]
    alterations = _draw_alterations(truth, size, generator)
    # 30 more patients with another diagnosis, none of them altered in a tested gene.
    others = [f"SIM-{stem}-X{number:03d}" for number in range(30)]

    low_content = generator.random(size) < truth.low_content
    seen = np.where(low_content, 0.9 if panel else 0.12, 1.0)
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
                    **_attributes(dataset.samples, eligible, primary),
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
    never_sequenced = [f"SIM-{stem}-N{number:03d}" for number in range(5)]
    for patient in never_sequenced:
        sample_rows.append(
            {"PATIENT_ID": patient, "SAMPLE_ID": f"{patient}-01", **_attributes(dataset.samples, True, True)}
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
        return "Missense_Mutation", "p.G12" + str(generator.choice(["D", "D", "V", "V", "R"]))
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
    for column, wanted in selection.items():
        inside = eligible if column != "SAMPLE_TYPE" else primary
        values[column] = _value_inside(column, wanted) if inside else OTHER_VALUE.get(column, "OTHER")
    return values


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


def write_study(cohort: SimulatedCohort, dataset: CbioportalDataset, world: str, store: Path) -> list[str]:
    """Write the study's files where its URLs point, and return the URLs."""
    files = study_files(cohort, dataset.study, world)
    if dataset.layout == "archive":
        url = DATAHUB_ARCHIVE.format(study=dataset.study)
        _write(store, url, _tar_gz(files, dataset.study))
        return [url]
    urls = []
    for name, text in files.items():
        urls.append(DATAHUB_FILE.format(study=dataset.study, file=name))
        _write(store, urls[-1], text.encode())
    return urls


def study_files(cohort: SimulatedCohort, study: str, world: str) -> dict[str, str]:
    """File name -> text of every file of the study."""
    files = {
        "meta_study.txt": _meta(
            study,
            type_of_cancer="mixed",
            name=f"SIMULATED study, world {world}",
            description="SIMULATED by reclaim: no patient is behind these data.",
        ),
        "meta_clinical_patient.txt": _meta(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="PATIENT_ATTRIBUTES",
            data_filename="data_clinical_patient.txt",
        ),
        "data_clinical_patient.txt": _clinical(cohort.patients),
        "meta_clinical_sample.txt": _meta(
            study,
            genetic_alteration_type="CLINICAL",
            datatype="SAMPLE_ATTRIBUTES",
            data_filename="data_clinical_sample.txt",
        ),
        "data_clinical_sample.txt": _clinical(cohort.samples),
        "meta_mutations.txt": _meta(
            study,
            genetic_alteration_type="MUTATION_EXTENDED",
            datatype="MAF",
            stable_id="mutations",
            show_profile_in_analysis_tab="true",
            profile_name="SIMULATED mutations",
            data_filename="data_mutations.txt",
        ),
        "data_mutations.txt": f"#SIMULATED by reclaim, world {world}\n" + _tsv(cohort.mutations),
        "case_lists/cases_sequenced.txt": _case_list(study, "sequenced", cohort.sequenced),
    }
    if cohort.copy_number is not None:
        files["meta_cna.txt"] = _meta(
            study,
            genetic_alteration_type="COPY_NUMBER_ALTERATION",
            datatype="DISCRETE",
            stable_id="gistic",
            profile_name="SIMULATED discrete copy number",
            data_filename="data_cna.txt",
        )
        files["data_cna.txt"] = _tsv(cohort.copy_number)
        files["meta_log2_cna.txt"] = _meta(
            study,
            genetic_alteration_type="COPY_NUMBER_ALTERATION",
            datatype="LOG2-VALUE",
            stable_id="log2CNA",
            profile_name="SIMULATED log2 copy number",
            data_filename="data_log2_cna.txt",
        )
        files["data_log2_cna.txt"] = _tsv(cohort.copy_number.iloc[:5])
        files["case_lists/cases_cna.txt"] = _case_list(study, "cna", cohort.sequenced)
    return files


def _meta(study: str, **entries: str) -> str:
    return "".join(
        f"{key}: {value}\n" for key, value in {"cancer_study_identifier": study, **entries}.items()
    )


def _case_list(study: str, kind: str, samples: list[str]) -> str:
    return _meta(
        study,
        stable_id=f"{study}_{kind}",
        case_list_name=f"SIMULATED samples ({kind})",
        case_list_description=f"SIMULATED samples ({len(samples)} samples)",
        case_list_ids="\t".join(samples),
    )


def _clinical(table: pd.DataFrame) -> str:
    names = "\t".join(table.columns)
    kinds = "\t".join("STRING" for _ in table.columns)
    ones = "\t".join("1" for _ in table.columns)
    return f"#{names}\n#{names}\n#{kinds}\n#{ones}\n" + _tsv(table)


def _tsv(table: pd.DataFrame) -> str:
    return str(table.to_csv(sep="\t", index=False, lineterminator="\n"))


def _tar_gz(files: Mapping[str, str], folder: str) -> bytes:
    """The same bytes at every call: no time stamps, one owner."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(f"{folder}/{name}")
            content = files[name].encode()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _write(store: Path, url: str, content: bytes) -> None:
    path = store / store_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
