"""HGNC's complete set, SIMULATED: approved genes, their other names, and the traps that real names hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

COLUMNS = [
    "hgnc_id", "symbol", "name", "locus_group", "locus_type", "status", "location", "location_sortable",
    "alias_symbol", "alias_name", "prev_symbol", "prev_name", "gene_group", "gene_group_id",
    "date_approved_reserved", "date_symbol_changed", "date_name_changed", "date_modified", "entrez_id",
    "ensembl_gene_id", "vega_id", "ucsc_id", "ena", "refseq_accession", "ccds_id", "uniprot_ids",
    "pubmed_id", "mgd_id", "rgd_id", "lsdb", "cosmic", "omim_id", "mirbase", "homeodb", "snornadb",
    "bioparadigms_slc", "orphanet", "pseudogene.org", "horde_id", "merops", "imgt", "iuphar",
    "kznf_gene_catalog", "mamit-trnadb", "cd", "lncrnadb", "enzyme_id", "intermediate_filament_db",
    "rna_central_ids", "lncipedia", "gtrnadb", "agr", "mane_select", "gencc",
]  # fmt: skip
"""HGNC's columns, in its order."""

FIRST_ID = 90_000_000
"""Simulated HGNC and Entrez ids and Ensembl numbers start here, far above real ones."""

SHARED_ALIAS = "SIMSHARED"
WITHDRAWN = "SIMWITHDRAWN"

RENAMED_FOR_SPREADSHEETS = {
    **{f"SEPTIN{number}": f"SEPT{number}" for number in (*range(1, 13), 14)},
    **{f"MARCHF{number}": f"MARCH{number}" for number in range(1, 12)},
    **{f"MTARC{number}": f"MARC{number}" for number in (1, 2)},
    "DELEC1": "DEC1",
}
"""Approved symbol -> the previous one, which spreadsheets take for a date (Bruford 2020)."""


def previous_symbol(number: int) -> str:
    """What gene number i of the set was called before."""
    return f"SIMOLD{number}"


def alias(number: int) -> str:
    """What else gene number i of the set is called."""
    return f"SIMALIAS{number}"


def hgnc_complete_set(genes: Sequence[str], generator: np.random.Generator | None = None) -> bytes:
    """`hgnc_complete_set.txt` with every symbol of `genes` approved, its entries in the order that
    `generator` draws (without one: the given genes first).

    Gene number i also has the previous symbol `SIMOLD<i>` and the alias `SIMALIAS<i>`, as far as these are
    not approved themselves. The traps: SHARED_ALIAS is an alias of two genes; the first gene's symbol is
    an alias of another gene; WITHDRAWN was withdrawn; and RENAMED_FOR_SPREADSHEETS are there. Same
    arguments and generator state, same bytes.
    """
    approved = list(dict.fromkeys([*genes, "SIMTRAP1", "SIMTRAP2", *RENAMED_FOR_SPREADSHEETS]))
    entries = pd.DataFrame("", index=range(len(approved) + 1), columns=COLUMNS)
    entries["symbol"] = [*approved, WITHDRAWN]
    entries["status"] = ["Approved"] * len(approved) + ["Entry Withdrawn"]
    entries["locus_group"] = ["protein-coding gene"] * len(approved) + ["withdrawn"]
    entries["locus_type"] = ["gene with protein product"] * len(approved) + ["withdrawn"]
    entries["name"] = [f"SIMULATED gene {number}" for number in entries.index]
    entries["hgnc_id"] = [f"HGNC:{FIRST_ID + number}" for number in entries.index]
    entries["entrez_id"] = [str(FIRST_ID + number) for number in entries.index]
    entries["ensembl_gene_id"] = [f"ENSG{FIRST_ID + number:011d}" for number in entries.index]
    entries.loc[entries["symbol"] == WITHDRAWN, ["entrez_id", "ensembl_gene_id"]] = ""

    previous = {gene: [previous_symbol(number)] for number, gene in enumerate(approved)}
    aliases = {gene: [alias(number)] for number, gene in enumerate(approved)}
    for gene, symbol in RENAMED_FOR_SPREADSHEETS.items():
        previous[gene].append(symbol)
    for gene in ("SIMTRAP1", "SIMTRAP2"):
        aliases[gene].append(SHARED_ALIAS)
    aliases["SIMTRAP2"] += [gene for gene in approved[:1] if gene != "SIMTRAP2"]
    entries["prev_symbol"] = [_list(previous.get(symbol, [])) for symbol in entries["symbol"]]
    entries["alias_symbol"] = [_list(aliases.get(symbol, [])) for symbol in entries["symbol"]]

    if generator is not None:
        entries = entries.iloc[generator.permutation(len(entries))]
    lines = ["#SIMULATED by reclaim", *("\t".join(row) for row in [COLUMNS, *entries.to_numpy().tolist()])]
    return ("\n".join(lines) + "\n").encode()


def _list(names: list[str]) -> str:
    """HGNC puts quotes around a list of several."""
    return f'"{"|".join(names)}"' if len(names) > 1 else "".join(names)
