"""Gene sets by the names a study gives them: own lists, and sets of published libraries in the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reclaim.errors import UserError, did_you_mean
from reclaim.retrieve.receipt import Receipt

Sets = dict[str, list[str]]


def study_sets(named: Mapping[str, Any], receipts: Mapping[str, Path], store: Path) -> Sets:
    """The study's sets by its own names; sets of libraries without a receipt here are left out.

    `named` is `gene_sets` of a study file in plain values. Raises UserError for a set that its library does
    not hold.
    """
    libraries = {name: read_library(path, store) for name, path in receipts.items()}
    found: Sets = {}
    for name, genes in named.items():
        if isinstance(genes, Mapping):
            library = libraries.get(genes["library"])
            if library is None:
                continue
            if genes["set"] not in library:
                raise UserError(
                    f"gene_sets: {name}: library {genes['library']!r} has no set {genes['set']!r}"
                    f"{did_you_mean(genes['set'], library)}; correct its name"
                )
            found[name] = library[genes["set"]]
        else:
            found[name] = list(genes)
    return found


def read_library(receipt: Path, store: Path) -> Sets:
    """All sets of a library, by its own names."""
    from reclaim.enrichment import read_gmt

    return read_gmt(Receipt.model_validate_json(receipt.read_bytes()).open(store)["gmt"])
