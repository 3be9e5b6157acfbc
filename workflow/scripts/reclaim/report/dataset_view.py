"""One data set for the page: what it is, the bytes it rests on, and who was left on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from reclaim.claim_tests import antigens_of
from reclaim.dataset import (
    CbioportalDataset,
    CbioportalExpressionDataset,
    ChipAtlasDataset,
    Dataset,
    DepmapDataset,
    ExpressionKeys,
    FileDataset,
    GdcDataset,
    GeoDataset,
    MutationCalls,
    XenaDataset,
    kind_of,
)
from reclaim.decisions import Conjunction, Specific
from reclaim.experiments import Choice
from reclaim.expression_dataset import DerivedColumn
from reclaim.ledger import FlowStep, Ledger
from reclaim.report.chip_atlas_view import (
    ChoiceView,
    MissingView,
    choice_view,
    missing_views,
    q_limit,
    request_facts,
)
from reclaim.report.measures import endpoint_in_words
from reclaim.report.words import byte_size, count, listing, plural, sentence
from reclaim.retrieve.receipt import Receipt
from reclaim.selection import describe
from reclaim.study import Study


@dataclass(frozen=True)
class FileView:
    name: str
    url: str | None
    path: str
    bytes: int
    size: str
    exact_bytes: str
    sha256: str
    retrieved: str


@dataclass(frozen=True)
class DatasetView:
    id: str
    anchor: str
    title: str
    source: str
    tier: str
    checklist: str
    facts: list[tuple[str, str]]
    absent: str
    flow: list[FlowStep]
    dropped: list[tuple[str, str]]
    files: list[FileView]
    simulated: bool
    choice: ChoiceView | None = None
    missing: list[MissingView] = field(default_factory=list)


def dataset_view(
    study: Study,
    name: str,
    receipt: Receipt,
    ledger: Ledger,
    simulated: bool,
    choice: Choice | None = None,
) -> DatasetView:
    """Everything the page says of one data set. `simulated`: its bytes were made up; `choice` are the experiments of one
    of ChIP-Atlas."""
    dataset = study.datasets[name]
    local = isinstance(dataset, FileDataset)
    absent = ""
    if ledger.status != "present":
        absent = sentence(ledger.reason or ledger.status)
    return DatasetView(
        id=name,
        anchor=f"{study.id}-data-{name}",
        title=dataset.title or name,
        source=_source(dataset),
        tier=dataset.tier.name,
        checklist=", ".join(f"{item} {value}" for item, value in dataset.tier.model_dump().items()),
        facts=_facts(study, name, receipt),
        absent=absent,
        flow=ledger.flow,
        dropped=[(reason, count(number)) for reason, number in ledger.dropped.items()],
        files=file_views(receipt),
        simulated=simulated and not local,
        choice=None
        if choice is None
        else choice_view(choice, _named_antigens(study), receipt.missing, link=not simulated),
        missing=missing_views(dataset, receipt.missing, choice)
        if isinstance(dataset, ChipAtlasDataset)
        else [],
    )


def _named_antigens(study: Study) -> set[str]:
    """Antigens that a claim is about, relatives included."""
    named = {name for _, test in study.tests() for name in antigens_of(test)}
    for claim in study.claims:
        decisions = (
            claim.decision.parts.values() if isinstance(claim.decision, Conjunction) else [claim.decision]
        )
        named |= {name for one in decisions if isinstance(one, Specific) for name in one.family}
    return {name for name in named if name}


def file_views(receipt: Receipt) -> list[FileView]:
    """The files that a data set or reference rests on."""
    return [
        FileView(
            name=file.name,
            url=file.url,
            path=file.path,
            bytes=file.bytes,
            size=byte_size(file.bytes),
            exact_bytes=count(file.bytes),
            sha256=file.sha256,
            retrieved=", ".join(
                f"{word} {value}"
                for word, value in (
                    ("last modified", file.last_modified),
                    ("retrieved", file.retrieved_at),
                )
                if value
            ),
        )
        for file in receipt.files
    ]


def _source(dataset: Dataset) -> str:
    match dataset:
        case CbioportalDataset():
            return f"cBioPortal, study {dataset.study}"
        case CbioportalExpressionDataset():
            return f"cBioPortal, study {dataset.study}, {dataset.profile}"
        case GeoDataset():
            what = {
                "series_matrix": "series matrix",
                "ncbi_counts": "NCBI’s counts",
                "supplementary": "supplementary counts",
            }
            named = f", probes named by {dataset.annotation}" if dataset.annotation else ""
            return f"GEO, series {dataset.series}, {what[dataset.expression]}{named}"
        case XenaDataset():
            return f"UCSC Xena, {dataset.hub}, {dataset.matrix}"
        case GdcDataset():
            return f"Genomic Data Commons, STAR counts of {dataset.project}"
        case DepmapDataset():
            return f"DepMap {dataset.release}, gene effects of CRISPR knock-outs (Chronos)"
        case ChipAtlasDataset():
            return f"ChIP-Atlas, {dataset.genome}, peaks at q < {q_limit(dataset.threshold)}"
    return f"file {dataset.path} ({dataset.format})"


def _facts(study: Study, name: str, receipt: Receipt) -> list[tuple[str, str]]:
    """Labelled lines about a data set; those that have nothing to say are left out."""
    dataset = study.datasets[name]
    pool = dataset.patients
    sharing = [
        other for other, rest in study.datasets.items() if pool and other != name and rest.patients == pool
    ]
    if pool is None:
        patients = "no pool named; taken as shared with no other data set"
    elif sharing:
        patients = f"pool {pool}, shared with {listing(sharing)}; never pooled in one test"
    else:
        patients = f"pool {pool}, shared with no other data set of this study"
    mutations = isinstance(dataset, MutationCalls) and kind_of(dataset) == "mutations"
    minimum = dataset.min_other_mutations if isinstance(dataset, MutationCalls) else 0
    regions = kind_of(dataset) == "regions"
    facts = [
        ("Independent", "yes" if dataset.independent else "no: the data of the claim’s authors"),
        ("Patients", "" if regions and pool is None else patients),
        ("Samples", "" if regions else describe(dataset.samples) or "all"),
        *_regions(dataset),
        (
            "Call depth",
            f"a patient counts with at least {plural(minimum, 'non-silent mutation')} outside the tested genes"
            if minimum
            else "no gate"
            if mutations
            else "",
        ),
        (
            "Accession",
            "" if dataset.confirmed else "never opened by the project; checked against what is expected",
        ),
        ("Expected", describe(dataset.expect)),
        (
            "Sequenced, no mutation listed",
            listing(dataset.assayed_genes) if isinstance(dataset, MutationCalls) else "",
        ),
        ("Derived columns", _derived(dataset)),
        *_endpoints(dataset),
        ("Note", dataset.note or ""),
        ("Licence", receipt.licence or dataset.licence or ""),
        ("Citation", receipt.citation or dataset.citation or ""),
    ]
    return [(label, text) for label, text in facts if text]


def _regions(dataset: Dataset) -> list[tuple[str, str]]:
    """What was asked of ChIP-Atlas, or what a local file of regions holds."""
    if isinstance(dataset, ChipAtlasDataset):
        return request_facts(dataset)
    if not isinstance(dataset, FileDataset) or kind_of(dataset) != "regions":
        return []
    return [
        ("Antigen", dataset.antigen or "named by column 4 for each region"),
        ("Cells", dataset.cell or ""),
        ("Genome", dataset.genome or ""),
    ]


def _derived(dataset: Dataset) -> str:
    """Sample columns made from the words of others."""
    if not isinstance(dataset, ExpressionKeys):
        return ""
    return "; ".join(f"{column} from {rule.source}{_rule(rule)}" for column, rule in dataset.derive.items())


def _rule(rule: DerivedColumn) -> str:
    """How a column is made from another one."""
    if rule.shuffle:
        return ", dealt out anew"
    if not rule.values:
        return ", as it is"
    return ": " + ", ".join(
        f"{value} where it holds {words if isinstance(words, str) else ' or '.join(words)}"
        for value, words in rule.values.items()
    )


def _endpoints(dataset: Dataset) -> list[tuple[str, str]]:
    """How follow-up is read from columns, for tests that name it."""
    if not isinstance(dataset, ExpressionKeys):
        return []
    return [
        (f"Endpoint {name.replace('_', ' ')}", sentence(endpoint_in_words(endpoint)))
        for name, endpoint in dataset.endpoints.items()
    ]


def shared_pools(study: Study) -> list[str]:
    """Pools of patients that more than one data set draws from, in words."""
    pools = Counter(dataset.patients for dataset in study.datasets.values() if dataset.patients)
    return [
        f"{listing([name for name, dataset in study.datasets.items() if dataset.patients == pool])} "
        f"may share patients ({pool})"
        for pool, number in pools.items()
        if number > 1
    ]
