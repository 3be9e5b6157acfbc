"""Claims are fixed before data are seen: their digests in the lock, and what was changed since."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from reclaim.claim_tests import AnyTest
from reclaim.model import Model
from reclaim.retrieve.lock import LockContent, RegisteredClaim
from reclaim.study import Claim, LibrarySet, Study

DISCLOSURES = {"where", "central", "gap", "note", "values_known"}
"""Keys of a claim that tell the reader something and decide nothing: they may be mended at any time."""
DATASET_PROSE = {"title", "note", "licence", "citation"}


class Registration(Model):
    """What the lock of the store knows of one claim."""

    registered_at: str | None = Field(
        None, description="When the claim, as it is or was, came before the data; null: never."
    )
    post_hoc: str = Field("", description="How the claim departs from what was registered; empty: not.")


Registrations = dict[str, dict[str, Registration]]
"""By study and claim."""


def fingerprint(study: Study, claim: Claim) -> str:
    """SHA-256 of everything in the study file that decides the claim.

    Its sentence, tests and decision, the gates it borrows, and the selections of its data sets count;
    explanations do not. Defaults are left out, so that spelling one out changes nothing.
    """
    borrowed = [test for _, test in study.tests() if test.id in claim.gated_by]
    names = sorted({name for test in [*claim.tests, *borrowed] for name in _datasets(test)})
    block = {
        "claim": _plain(claim, DISCLOSURES),
        "gates": [_plain(test) for test in borrowed],
        "datasets": {name: _plain(study.datasets[name], DATASET_PROSE) for name in names},
        "gene_sets": {name: genes for name, genes in _sets(study).items() if _uses(claim, name)},
    }
    return sha256(json.dumps(block, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def register(
    content: LockContent, studies: Iterable[Study], unseen: Collection[str], now: str
) -> LockContent:
    """The lock with every study in it.

    What is registered is never replaced, except for `unseen` studies, none of whose data came so far.
    """
    new = {
        study.id: {
            claim.id: RegisteredClaim(sha256=fingerprint(study, claim), registered_at=now)
            for claim in study.claims
        }
        for study in studies
        if study.id not in content.claims or (study.id in unseen and _edited(content, study))
    }
    return content.model_copy(update={"claims": {**content.claims, **new}}) if new else content


def registrations(content: LockContent, studies: Iterable[Study]) -> Registrations:
    """How every claim compares with what the lock holds."""
    return {
        study.id: {claim.id: _compare(content.claims.get(study.id), study, claim) for claim in study.claims}
        for study in studies
    }


def _edited(content: LockContent, study: Study) -> bool:
    return any(found.post_hoc for found in registrations(content, [study])[study.id].values())


def read_registrations(paths: Sequence[str]) -> Registrations:
    """What `announce` wrote; nothing for a run without it, on simulated data."""
    return TypeAdapter(Registrations).validate_json(Path(paths[0]).read_bytes()) if paths else {}


def _compare(registered: Mapping[str, RegisteredClaim] | None, study: Study, claim: Claim) -> Registration:
    if not registered:
        return Registration()
    entry = registered.get(claim.id)
    if entry is None:
        first = min(other.registered_at for other in registered.values())
        return Registration(post_hoc=f"added after data for the study had been retrieved ({first})")
    if entry.sha256 != fingerprint(study, claim):
        return Registration(
            registered_at=entry.registered_at,
            post_hoc=f"edited after data for the study had been retrieved ({entry.registered_at})",
        )
    return Registration(registered_at=entry.registered_at)


def _datasets(test: AnyTest) -> list[str]:
    return [*test.datasets, *(name for name in test.with_.values() if isinstance(name, str))]


def _sets(study: Study) -> dict[str, Any]:
    """Gene sets in plain values; a set of a library with the library's definition."""
    plain: dict[str, Any] = {}
    for name, genes in study.gene_sets.items():
        if isinstance(genes, LibrarySet):
            plain[name] = [genes.set, _plain(study.libraries[genes.library], DATASET_PROSE)]
        else:
            plain[name] = genes
    return plain


def _uses(claim: Claim, gene_set: str) -> bool:
    features = [getattr(test, name, None) for test in claim.tests for name in ("feature", "gene_set")]
    features += [part for test in claim.tests for part in getattr(test, "features", [])]
    return any(gene_set == getattr(feature, "gene_set", feature) for feature in features)


def _plain(model: Model, without: set[str] | None = None) -> dict[str, Any]:
    return dict(model.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=without or None))
