"""Mistakes of a study file that no single part shows: names that nothing bears, or two things do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reclaim.claim_tests import BESIDE, NEEDS, ClaimTest, ResultOf
from reclaim.dataset import kind_of
from reclaim.errors import did_you_mean
from reclaim.marked_yaml import Step
from reclaim.study import LibrarySet, Study

RESERVED_IDS = {"data", "receipts", "evidence", "figures"}
"""Folders of results/<run>/<study>/ that a test's own folder must not hide."""

Mistake = tuple[list[Step], str]
"""The path of the entry that is wrong, and what is wrong with it."""


def mistakes_of(study: Study) -> Iterator[Mistake]:
    """Mistakes that only the whole file shows."""
    yield from _repeated(study)
    yield from _of_tests(study)
    yield from _of_gene_sets(study)
    yield from _of_references(study)
    yield from _of_results(study)
    yield from _unknown_gates(study)
    yield from _unused_datasets(study)


def _repeated(study: Study) -> Iterator[Mistake]:
    seen: set[str] = set()
    tests_seen: set[str] = set()
    for i, claim in enumerate(study.claims):
        if claim.id in seen:
            yield ["claims", i, "id"], f"the claim id {claim.id!r} stands twice; give each claim its own id"
        seen.add(claim.id)
        for j, test in enumerate(claim.tests):
            if test.id in tests_seen:
                yield (
                    ["claims", i, "tests", j, "id"],
                    f"the test id {test.id!r} stands twice; give each test of the study its own id",
                )
            tests_seen.add(test.id)


def _of_tests(study: Study) -> Iterator[Mistake]:
    """Sets and data sets that a test names, and its own name."""
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            where: list[Step] = ["claims", i, "tests", j]
            yield from _unknown_sets(study, test, where)
            if test.id in RESERVED_IDS:
                yield [*where, "id"], f"the test id {test.id!r} is reserved; choose another"
            for name in _named_datasets(test):
                if name not in study.datasets:
                    yield (
                        [*where, "datasets"],
                        f"unknown data set {name!r}{did_you_mean(name, study.datasets)}; "
                        f"expected one of: {', '.join(study.datasets) or 'none is listed'}",
                    )
            for name in test.datasets:
                if name in study.datasets and kind_of(study.datasets[name]) not in NEEDS[test.analysis]:
                    yield (
                        [*where, "datasets"],
                        f"{test.analysis} runs on {' or '.join(sorted(NEEDS[test.analysis]))}, but data set {name!r} "
                        f"holds {kind_of(study.datasets[name])}; name another data set",
                    )
            for role, beside in test.with_.items():
                known = role in BESIDE and isinstance(beside, str) and beside in study.datasets
                if known and (kind := kind_of(study.datasets[str(beside)])) != BESIDE[role]:
                    yield (
                        [*where, "with"],
                        f"{role} are {BESIDE[role]}, but data set {beside!r} holds {kind}; name another data set",
                    )
            pools = Counter(
                study.datasets[name].patients
                for name in set(test.datasets)
                if name in study.datasets and study.datasets[name].patients
            )
            for pool, count in pools.items():
                if count > 1:
                    yield (
                        [*where, "datasets"],
                        f"{count} data sets share the patients {pool!r} and must not be pooled; keep one of them",
                    )


def _named_datasets(test: ClaimTest) -> list[str]:
    """Data sets that the test runs on, and those that it takes in beside them."""
    return [*test.datasets, *(name for name in test.with_.values() if isinstance(name, str))]


def _unknown_sets(study: Study, test: ClaimTest, where: list[Step]) -> Iterator[Mistake]:
    """Names of gene sets that the study does not list."""
    features = [getattr(test, "feature", None), *getattr(test, "features", [])]
    names = [getattr(feature, "gene_set", None) for feature in features] + [getattr(test, "gene_set", None)]
    for name in names:
        if isinstance(name, str) and name not in study.gene_sets:
            yield (
                [*where, "gene_set"],
                f"unknown gene set {name!r}{did_you_mean(name, study.gene_sets)}; "
                f"expected one of: {', '.join(study.gene_sets) or 'none is listed under gene_sets'}",
            )
        if isinstance(name, list) and not name:
            yield [*where, "feature"], "the gene set is empty; list its genes"
    if test.analysis in ("detection", "dependency") and test.feature.gene is None:
        yield [*where, "feature"], f"{test.analysis} looks at one gene; name it under gene"


def _of_gene_sets(study: Study) -> Iterator[Mistake]:
    for name, gene_set in study.gene_sets.items():
        if not gene_set:
            yield ["gene_sets", name], f"the gene set {name!r} is empty; list its genes, or take it out"
        if isinstance(gene_set, LibrarySet) and gene_set.library not in study.libraries:
            yield (
                ["gene_sets", name],
                f"unknown library {gene_set.library!r}{did_you_mean(gene_set.library, study.libraries)}; "
                f"expected one of: {', '.join(study.libraries) or 'none is listed under libraries'}",
            )


def _of_references(study: Study) -> Iterator[Mistake]:
    """Names that stand for two things, and libraries that nothing is taken from."""
    for name in study.references():
        if name in study.datasets:
            yield (
                ["datasets", name],
                f"{name!r} is also the name of a library or of a table that the study needs; choose another",
            )
    named = {part.library for part in study.gene_sets.values() if isinstance(part, LibrarySet)}
    for name in study.libraries:
        if name not in named:
            yield ["libraries", name], f"no gene set is taken from library {name!r}; use it or take it out"


def _of_results(study: Study) -> Iterator[Mistake]:
    """Tests that take another test's result."""
    known = {test.id: test for _, test in study.tests()}
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            for role, value in test.with_.items():
                if isinstance(value, ResultOf) and value.test not in known:
                    yield (
                        ["claims", i, "tests", j, "with"],
                        f"no test {value.test!r}{did_you_mean(value.test, known)}; name a test of this study",
                    )
                elif isinstance(value, ResultOf) and role == "ranking":
                    yield from _unfit_ranking(test, known[value.test], ["claims", i, "tests", j, "with"])


def _unfit_ranking(test: ClaimTest, ranking: ClaimTest, where: list[Step]) -> Iterator[Mistake]:
    """A ranking is of all genes, and on the same data set."""
    if ranking.analysis != "differential_expression":
        yield (
            where,
            f"test {ranking.id!r} is {ranking.analysis} and ranks no genes; name a differential_expression test",
        )
        return
    lacking = [name for name in test.datasets if name not in ranking.datasets]
    if lacking:
        yield (
            where,
            f"test {ranking.id!r} does not run on {', '.join(lacking)}; add that to its data sets, or take it out of this test's",
        )


def _unknown_gates(study: Study) -> Iterator[Mistake]:
    gates = {test.id for _, test in study.tests() if test.role == "gate"}
    for i, claim in enumerate(study.claims):
        for name in claim.gated_by:
            if name not in gates:
                yield (
                    ["claims", i, "gated_by"],
                    f"{name!r} is not a gate of this study{did_you_mean(name, gates)}; "
                    f"expected one of: {', '.join(sorted(gates)) or 'no gate is defined'}",
                )


def _unused_datasets(study: Study) -> Iterator[Mistake]:
    used = {name for _, test in study.tests() for name in _named_datasets(test)}
    for name in study.datasets:
        if name not in used:
            yield (
                ["datasets", name],
                f"no test uses data set {name!r}; use it, or move it to `rejected` with the reason",
            )
