"""Gene symbols: which approved gene a name, an Ensembl id or an Entrez id means, and how sure that is.

Source: the complete set of the HUGO Gene Nomenclature Committee (https://www.genenames.org/download/).

A name is looked up among approved symbols, then previous symbols, then aliases, then withdrawn entries;
the first level that knows it decides. So an approved symbol wins over another gene's alias, and two genes
at the deciding level are ambiguous: none is ever guessed. Spaces around a name do not count. Case counts
only between names of one level: `C1ORF112` is C1orf112 unless a symbol of that spelling exists.

Spreadsheets turn symbols such as SEPT2 into dates (Ziemann 2016, doi 10.1186/s13059-016-1044-7), for which
HGNC renamed these genes (Bruford 2020, doi 10.1038/s41588-020-0669-3). A name that no level knows is read
as a date, and every symbol that a spreadsheet could have made that date from is looked up at once, by the
same levels: 2-Sep can only have been SEPT2, 1-Mar was MARCH1 or MARC1 and stays ambiguous. A year may hold
the number, because `Sep-02` is often read again as 2002-09-01: the first of a month is tried as both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import pandas as pd

from reclaim.errors import UserError, did_you_mean
from reclaim.errors import nearest as nearest_word
from reclaim.sources.text_table import open_bytes, read_table

Level = Literal["approved", "previous", "alias", "withdrawn"]
How = Literal[Level, "date", "ensembl", "entrez", "ambiguous", "unknown"]
"""How a feature was found. Ambiguous, withdrawn and unknown ones have no approved symbol."""

GENE_COLUMNS = ("symbol", "hgnc_id", "locus_group", "locus_type", "entrez_id", "ensembl_gene_id")
NEEDED = (*GENE_COLUMNS, "status", "alias_symbol", "prev_symbol")
WITHDRAWN_MARK = "~withdrawn"
SEVERAL_GENES = "///"
"""Between the genes of one probe in Affymetrix annotation."""

MONTHS = {
    "JANUARY": ("JAN",),
    "FEBRUARY": ("FEB",),
    "MARCH": ("MAR", "MARC"),
    "APRIL": ("APR",),
    "MAY": (),
    "JUNE": ("JUN",),
    "JULY": ("JUL",),
    "AUGUST": ("AUG",),
    "SEPTEMBER": ("SEP", "SEPT"),
    "OCTOBER": ("OCT",),
    "NOVEMBER": ("NOV",),
    "DECEMBER": ("DEC",),
}
"""What spreadsheets take for a month, January first: its name and these short forms."""

SERIAL_EPOCH = date(1899, 12, 30)
SERIALS = range(32874, 54789)
"""Day numbers of spreadsheets from 1990 to 2049; other numbers are no dates."""


class Found(NamedTuple):
    """The answer to one name; `candidates` are the genes it could mean."""

    symbol: str
    how: How
    candidates: tuple[str, ...] = ()
    date: bool = False


UNKNOWN = Found("", "unknown")


class _Name(NamedTuple):
    level: int
    spelling: str
    symbol: str


@dataclass(frozen=True)
class SymbolTable:
    """`genes`: one row per approved gene, columns GENE_COLUMNS, empty text where HGNC has none.

    `names`: every name a gene has or had, columns name, level (Level) and symbol; a withdrawn entry
    has no symbol.
    """

    genes: pd.DataFrame
    names: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> SymbolTable:
        """From `hgnc_complete_set.txt`, plain or gzip; columns are found by name.

        Raises UserError when a column is missing, no gene is approved, or a symbol is approved twice.
        """
        with open_bytes(path) as handle:
            entries, line = read_table(handle, path.name, wanted=NEEDED)
        for column in NEEDED:
            if column not in entries.columns:
                raise UserError(
                    f"{path.name}:{line}: no column {column!r}{did_you_mean(column, entries.attrs['header'])}; "
                    "expected HGNC's hgnc_complete_set.txt: fetch it again"
                )
        entries = entries.fillna("").apply(lambda column: column.str.strip().str.strip('"'))
        approved = entries["status"] == "Approved"
        genes = entries.loc[approved & (entries["symbol"] != ""), list(GENE_COLUMNS)].reset_index(drop=True)
        if genes.empty:
            raise UserError(
                f"{path.name}:{line}: no entry has the status Approved; expected HGNC's "
                "hgnc_complete_set.txt: fetch it again"
            )
        twice = genes["symbol"][genes["symbol"].duplicated()]
        if len(twice):
            raise UserError(
                f"{path.name}: the symbol {twice.iloc[0]} is approved twice; the file is damaged or joined "
                "from two: fetch it again"
            )
        withdrawn = entries.loc[~approved, "symbol"].str.removesuffix(WITHDRAWN_MARK)
        names = pd.concat(
            [
                pd.DataFrame({"name": genes["symbol"], "level": "approved", "symbol": genes["symbol"]}),
                _names(entries[approved], "prev_symbol", "previous"),
                _names(entries[approved], "alias_symbol", "alias"),
                pd.DataFrame({"name": withdrawn, "level": "withdrawn", "symbol": ""}),
            ]
        )
        return cls(genes, names[names["name"] != ""].drop_duplicates(ignore_index=True))

    def resolve(self, symbols: Iterable[object]) -> pd.DataFrame:
        """One row per symbol, in order: given, name (as looked up), symbol (empty when not found),
        how, candidates (`A|B`), date (reads as a date that a spreadsheet made).

        Missing values are unknown names. `A /// B` is found when both mean one gene, otherwise
        ambiguous.
        """
        given = as_text(symbols)
        found = {text: self._find(text.strip()) for text in set(given)}
        return pd.DataFrame(
            {
                "given": given,
                "name": [text.strip() for text in given],
                "symbol": [found[text].symbol for text in given],
                "how": [found[text].how for text in given],
                "candidates": ["|".join(found[text].candidates) for text in given],
                "date": [found[text].date for text in given],
            }
        ).astype({"date": bool})

    def by_ensembl(self, ids: Iterable[object]) -> pd.DataFrame:
        """One row per Ensembl gene id: given, name (the bare id), symbol, how, candidates, version
        (a version was stripped), par_y (GENCODE's copy of a pseudoautosomal gene on chromosome Y).

        The Y copy is written `ENSG00000182378.15_PAR_Y`, in older releases `ENSGR0000182378.9`;
        both are the gene on X. `.5_2`, a version lifted to GRCh37, is stripped whole.
        """
        given = pd.Series(as_text(ids), dtype=object)
        parts = given.str.strip().str.extract(r"^ENSG([R\d]\d+)(\.\d+(?:_\d+)?)?(_PAR_Y)?$")
        bare = ("ENSG" + parts[0].str.replace("R", "0")).fillna(given.str.strip())
        table = _of_ids(given, bare, self._by_ensembl, "ensembl")
        table["version"] = parts[1].notna()
        table["par_y"] = parts[2].notna() | parts[0].str.startswith("R").eq(True)
        return table

    def by_entrez(self, ids: Iterable[object]) -> pd.DataFrame:
        """One row per Entrez Gene id: given, name (the bare number), symbol, how, candidates.

        Numbers may be text or numeric; `7157.0`, which pandas makes of a column with gaps, is 7157.
        """
        given = pd.Series(as_text(ids), dtype=object)
        bare = given.str.strip().str.replace(r"^(\d+)\.0$", r"\1", regex=True)
        return _of_ids(given, bare, self._by_entrez, "entrez")

    def nearest(self, symbol: str) -> str | None:
        """The approved symbol that `symbol` means or is most like ("did you mean"), or None."""
        found = self._find(symbol.strip())
        if found.symbol or len(found.candidates) > 1:
            return found.symbol or None
        near = nearest_word(symbol.strip(), self.names["name"])
        return self._find(near).symbol or None if near else None

    def _find(self, name: str) -> Found:
        found = self._named([name], exact=name)
        if found.how != "unknown":
            return found
        if SEVERAL_GENES in name:
            return self._one_gene([part.strip() for part in name.split(SEVERAL_GENES)])
        spellings = dated_symbols(name)
        dated = self._named(spellings)
        if dated.candidates:
            return dated._replace(how="date" if dated.symbol else dated.how, date=True)
        # A number is only taken for a date when it leads to a gene: it may be anything else.
        return UNKNOWN._replace(date=bool(spellings) and not name.replace(".", "").isdecimal())

    def _named(self, spellings: Collection[str], exact: str = "") -> Found:
        """The genes of the first level that knows one of the spellings."""
        names = [name for spelling in spellings for name in self._by_name.get(spelling.casefold(), ())]
        if not names:
            return UNKNOWN
        level = min(name.level for name in names)
        names = [name for name in names if name.level == level]
        names = [name for name in names if name.spelling == exact] or names
        genes = tuple(sorted({name.symbol for name in names if name.symbol}))
        if not genes:
            return Found("", "withdrawn")
        return Found(genes[0], get_args(Level)[level], genes) if len(genes) == 1 else _ambiguous(genes)

    def _one_gene(self, names: list[str]) -> Found:
        found = [self._find(name) for name in names]
        genes = tuple(sorted({gene for each in found for gene in each.candidates}))
        if not genes:
            return UNKNOWN
        return found[0] if len(genes) == 1 and all(each.symbol for each in found) else _ambiguous(genes)

    @cached_property
    def _by_name(self) -> Mapping[str, list[_Name]]:
        levels = {level: rank for rank, level in enumerate(get_args(Level))}
        index: defaultdict[str, list[_Name]] = defaultdict(list)
        for name, level, symbol in self.names.itertuples(index=False):
            index[name.casefold()].append(_Name(levels[level], name, symbol))
        return dict(index)

    @cached_property
    def _by_ensembl(self) -> Mapping[str, tuple[str, ...]]:
        return _index(self.genes, "ensembl_gene_id")

    @cached_property
    def _by_entrez(self) -> Mapping[str, tuple[str, ...]]:
        return _index(self.genes, "entrez_id")


def as_text(values: Iterable[object]) -> list[str]:
    """Every value as text, missing ones as empty text."""
    return ["" if value is None or value is pd.NA or value != value else str(value) for value in values]


def dated_symbols(text: str) -> list[str]:
    """The symbols that a spreadsheet may have turned into this date; none when it is no date."""
    return [
        f"{month}{hyphen}{number}"
        for month_number, number in sorted(_readings(text))
        for month in (list(MONTHS)[month_number - 1], *MONTHS[list(MONTHS)[month_number - 1]])
        for hyphen in ("", "-")
    ]


def _readings(text: str) -> set[tuple[int, int]]:
    """Pairs of month (1 to 12) and the number that stood behind the month's name."""
    word, year, apart = r"([A-Za-z]{3,9})", r"(\d{4}|\d{2})", r"(?:[-/ ]|\. ?)"
    if match := re.fullmatch(rf"(\d{{1,2}}){apart}{word}(?:{apart}{year})?", text):  # 2-Sep, 2-Sep-16
        return _numbered(_month(match[2]), int(match[1]), match[3])
    if match := re.fullmatch(rf"{word}{apart}(\d{{1,2}})", text):  # Sep-02: a day or a year
        return _numbered(_month(match[1]), int(match[2]), None)
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T][\d:.]+)?", text):  # 2016-09-02
        return _numbered(int(match[2]), int(match[3]), match[1])
    if match := re.fullmatch(rf"(\d{{1,2}})([/.])(\d{{1,2}})\2{year}", text):  # 9/2/2016, 2.9.2016
        first, second = int(match[1]), int(match[3])
        return _numbered(first, second, match[4]) | _numbered(second, first, match[4])
    if (match := re.fullmatch(r"(\d{5})(?:\.0)?", text)) and int(match[1]) in SERIALS:
        day = SERIAL_EPOCH + timedelta(days=int(match[1]))
        return _numbered(day.month, day.day, str(day.year))
    return set()


def _numbered(month: int, day: int, year: str | None) -> set[tuple[int, int]]:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return set()
    return {(month, day)} | ({(month, int(year[-2:]))} if year and day == 1 else set())


def _month(word: str) -> int:
    """January is 1; 0 for other words."""
    for number, (name, short) in enumerate(MONTHS.items(), start=1):
        if word.upper() in (name, *short):
            return number
    return 0


def _ambiguous(genes: tuple[str, ...]) -> Found:
    return Found("", "ambiguous", genes)


def _names(entries: pd.DataFrame, column: str, level: Level) -> pd.DataFrame:
    """The names in a `A|B` column, one per row."""
    lists = entries[["symbol"]].assign(name=entries[column].str.split("|"), level=level).explode("name")
    lists["name"] = lists["name"].str.strip().str.strip('"')
    return lists[["name", "level", "symbol"]]


def _index(genes: pd.DataFrame, column: str) -> Mapping[str, tuple[str, ...]]:
    known = genes[genes[column] != ""]
    return {str(key): tuple(sorted(symbols)) for key, symbols in known.groupby(column)["symbol"]}


def _of_ids(
    given: pd.Series[str], bare: pd.Series[str], known: Mapping[str, tuple[str, ...]], how: How
) -> pd.DataFrame:
    genes = [known.get(name, ()) for name in bare]
    found = [
        Found(each[0], how, each) if len(each) == 1 else _ambiguous(each) if each else UNKNOWN
        for each in genes
    ]
    return pd.DataFrame(
        {
            "given": given,
            "name": bare,
            "symbol": [each.symbol for each in found],
            "how": [each.how for each in found],
            "candidates": ["|".join(each.candidates) for each in found],
        }
    )
