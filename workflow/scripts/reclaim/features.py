"""From the features of a source (probes, Ensembl or Entrez ids, old symbols) to approved gene symbols.

Features of one gene become one. Counts are summed: reads of a gene add up, as when transcripts are summed
to genes (tximport, Soneson 2015, doi 10.12688/f1000research.7563.2). Of log values the feature with the
highest mean over all samples is kept, whole: a sum of logs has no meaning, an average mixes good probes
with dead ones, and the brightest probe is the least ruled by background (MaxMean of collapseRows, Miller
2011, doi 10.1186/1471-2105-12-322). The choice looks at no group of samples, so it favours no result.

What no symbol is found for stays under its own id. Two features with the same unidentified name stay
apart, for they may be two genes: MARCH1 and MARC1 both come out of a spreadsheet as 1-Mar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from reclaim.symbols import SymbolTable, as_text

if TYPE_CHECKING:
    import anndata

Key = Literal["symbol", "ensembl", "entrez", "given"]

BLOCK_BYTES = 2**26
"""How much of a matrix is worked on at once."""


def to_symbols(data: anndata.AnnData, table: SymbolTable, key: Key, ledger: Counter[str]) -> anndata.AnnData:
    """One feature per approved symbol, and one per feature that no symbol is found for.

    `data`: samples x features, `X` dense or sparse, its unit in `uns["unit"]`: `counts` are summed, of any
    other unit one feature per gene is kept. `key` says what identifies a feature: its name (in
    `var_names`) is a `symbol`, an `ensembl` or an `entrez` id; or its symbol is `given` in the column of
    that name in `var`, beside probe names.

    Returns a new object with the same samples; `data` is not changed. Features come in the order of each
    gene's first feature. `var` is named by symbol, or by the feature's own id (Ensembl ids without version;
    `-2` is put behind a name that was taken), and keeps the columns of the feature that was kept (of
    counts: the first) beside

    - `feature`: that feature's name in `data`,
    - `how`: how its symbol was found (`symbols.How`),
    - `features`: how many features of `data` it stands for,
    - `locus_group`: HGNC's kind of gene, such as `protein-coding gene`; empty without a symbol.

    `uns["features"]` tells what became of every feature of `data`, in its order: feature, given (the symbol
    it came with), name (what was looked up), symbol, how, candidates, row (its name in the result), fate
    (`kept`, `summed`, `left out` for a brighter one, `dropped` for want of a name). `ledger` counts them.

    Memory: the result and about 100 MB, beside `data`, for dense `X`. Sums have the type of `X`: float32
    counts are exact below 2^24. Layers, varm, varp and raw are left behind (and counted): they would no longer
    fit. Raises KeyError without a unit or the column `given`.
    """
    import anndata

    counts = data.uns["unit"] == "counts"
    matrix = np.asarray(data.X) if isinstance(data.X, np.ndarray) else data.X
    mapping = map_features(data.var, table, key)
    # The row of the result that each feature belongs to, -1 for none; and how many share its row.
    place, rows = pd.factorize(mapping["row"].where(mapping["row"] != ""))
    members = np.bincount(place[place >= 0], minlength=len(rows))
    sharing = np.append(members, 0)[place]
    brightness = np.zeros(len(place)) if counts else _means(matrix, np.flatnonzero(sharing > 1))
    chosen = _first_by_place(place, brightness)

    kept = sharing == 1
    if not counts:
        kept[chosen] = True
    mapping["fate"] = np.select([place < 0, kept], ["dropped", "kept"], "summed" if counts else "left out")
    _count(mapping, ledger)
    merged = "summed with another" if counts else "left out for a brighter one"
    ledger[f"features {merged} of the same gene"] += int((members - 1).sum())
    behind = len(data.layers) + len(data.varm) + len(data.varp) + (data.raw is not None)
    ledger["layers and other matrices beside the values, left behind"] += behind

    var = data.var.iloc[chosen].assign(
        feature=mapping["feature"].to_numpy()[chosen],
        how=mapping["how"].to_numpy()[chosen],
        features=members,
        locus_group=table.genes.set_index("symbol")["locus_group"].reindex(rows).fillna("").to_numpy(object),
    )
    var.index = pd.Index(rows, dtype=object)
    recorded = ["feature", "given", "name", "symbol", "how", "candidates", "row", "fate"]
    return anndata.AnnData(
        X=_summed(matrix, place, chosen) if counts else _columns(matrix, chosen),
        obs=data.obs.copy(),
        var=var,
        obsm=dict(data.obsm),
        obsp=dict(data.obsp),
        uns={**data.uns, "features": mapping[recorded]},
    )


def map_features(var: pd.DataFrame, table: SymbolTable, key: Key) -> pd.DataFrame:
    """What each feature is, in the order of `var`, with a plain index: columns feature, given, name,
    symbol, how, candidates, date, version, par_y, row (its name in a result; empty without a name) and
    numbered (a number was put behind that name)."""
    features = as_text(var.index)
    if key == "ensembl":
        found = table.by_ensembl(features)
    elif key == "entrez":
        found = table.by_entrez(features)
    else:
        found = table.resolve(var["given"] if key == "given" else features)
    mapping = found.assign(
        feature=features,
        given=found["given"]
        if key in ("symbol", "given")
        else as_text(var["given"])
        if "given" in var
        else "",
        **{flag: False for flag in ("date", "version", "par_y") if flag not in found},
    )
    own = pd.Series(features, dtype=object).str.strip() if key == "given" else mapping["name"]
    row = mapping["symbol"].where(mapping["symbol"] != "", own)
    mapping["row"] = row
    if key in ("symbol", "given"):
        unidentified = (mapping["symbol"] == "") & (own != "")
        mapping.loc[unidentified, "row"] = _untaken(own[unidentified], set(mapping["symbol"]))
    mapping["numbered"] = mapping["row"] != row
    return mapping


def _untaken(names: pd.Series[str], taken: set[str]) -> list[str]:
    """The names, with `-2`, `-3` ... behind those that stood before."""
    reserved, seen, unique = set(names) | taken, Counter(taken), []
    for name in names:
        seen[name] += 1
        numbered = name
        while seen[name] > 1 and (numbered := f"{name}-{seen[name]}") in reserved:
            seen[name] += 1
        reserved.add(numbered)
        unique.append(numbered)
    return unique


def _count(mapping: pd.DataFrame, ledger: Counter[str]) -> None:
    how, date, named = mapping["how"], mapping["date"], mapping["row"] != ""
    for what, found in {
        "features without a name, dropped": ~named,
        "features renamed from a previous symbol": how == "previous",
        "features renamed from an alias": how == "alias",
        "features renamed from a date that a spreadsheet made": how == "date",
        "features whose symbol is a date that fits several genes or none": date & (how != "date"),
        "features whose symbol is ambiguous": (how == "ambiguous") & ~date,
        "features whose symbol was withdrawn": how == "withdrawn",
        "features without a symbol, under their own id": named & (mapping["name"] == ""),
        "features that HGNC does not know": (how == "unknown") & ~date & (mapping["name"] != ""),
        "features whose symbol was in another case or between spaces": (how == "approved")
        & (mapping["given"] != mapping["symbol"]),
        "features numbered because their unidentified name was taken": mapping["numbered"],
        "Ensembl ids whose version was stripped": mapping["version"],
        "Ensembl ids of the Y copy of a pseudoautosomal gene": mapping["par_y"],
    }.items():
        ledger[what] += int(found.sum())


def _first_by_place(place: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """For each row of the result the brightest of its features, of equals the first."""
    order = np.lexsort((-brightness, place))
    order = order[place[order] >= 0]
    return order[np.flatnonzero(np.diff(place[order], prepend=-1))]


def _means(matrix: Any, columns: np.ndarray) -> np.ndarray:
    """Mean over the samples that have a value, in `columns`; 0 elsewhere, -inf without any value."""
    totals, numbers = np.zeros(len(columns)), np.zeros(len(columns))
    for block in _blocks(matrix, len(columns)):
        part = _columns(matrix[block], columns)
        part = part if isinstance(part, np.ndarray) else part.toarray()
        there = ~np.isnan(part)
        totals += part.sum(axis=0, dtype=float, where=there)
        numbers += there.sum(axis=0)
    means = np.zeros(matrix.shape[1])
    means[columns] = np.divide(totals, numbers, out=np.full(len(columns), -np.inf), where=numbers > 0)
    return means


def _summed(matrix: Any, place: np.ndarray, chosen: np.ndarray) -> Any:
    """The sum of the features of each row of the result."""
    there = np.flatnonzero(place >= 0)
    if not isinstance(matrix, np.ndarray):
        from scipy import sparse

        ones = np.ones(len(there), matrix.dtype)
        return matrix @ sparse.csr_matrix((ones, (there, place[there])), (len(place), len(chosen)))
    result = _columns(matrix, chosen)
    others = np.setdiff1d(there, chosen)
    # One round per further feature of a gene: no row stands twice in a round.
    rank = pd.Series(place[others]).groupby(place[others]).cumcount().to_numpy()
    for turn in range(int(rank.max(initial=-1)) + 1):
        added = others[rank == turn]
        for block in _blocks(matrix, len(added)):
            result[block, place[added]] += _columns(matrix[block], added)
    return result


def _columns(matrix: Any, columns: np.ndarray) -> Any:
    """A copy of these columns; dense ones in the memory order of the matrix."""
    if not isinstance(matrix, np.ndarray):
        return matrix[:, columns]
    if matrix.strides[0] < matrix.strides[1]:
        return matrix.T[columns].T
    return np.take(matrix, columns, axis=1)


def _blocks(matrix: Any, columns: int) -> Iterator[slice]:
    """Slices of rows that keep `columns` columns within BLOCK_BYTES."""
    rows = max(1, BLOCK_BYTES // (8 * max(1, columns)))
    return (slice(start, start + rows) for start in range(0, matrix.shape[0], rows))
