"""Which samples, cells or experiments count: structured filters, never expressions to evaluate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from reclaim.errors import AbsentData, did_you_mean
from reclaim.model import Model

if TYPE_CHECKING:
    import pandas as pd

Scalar = str | int | float


def regular_expression(pattern: str) -> str:
    """The pattern itself; ValueError when it cannot be compiled."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression ({error}); correct it") from None
    return pattern


class Condition(Model):
    """What one column must hold. Keys given together must all hold."""

    matches: Annotated[str, AfterValidator(regular_expression)] | None = Field(
        None, description="A regular expression found anywhere in the value (case matters)."
    )
    at_least: float | None = Field(None, description="The value is a number of at least this.")
    at_most: float | None = Field(None, description="The value is a number of at most this.")
    not_: Scalar | list[Scalar] | Condition | None = Field(
        None, alias="not", description="The value is none of these, or does not meet this condition."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if self.matches is None and self.at_least is None and self.at_most is None and self.not_ is None:
            raise ValueError("an empty condition; give matches, at_least, at_most or not")
        return self


Wanted = Scalar | list[Scalar] | Condition
ANY_OF = "any_of"


def _alternatives_in_place(selection: dict[str, Any]) -> dict[str, Any]:
    for column, wanted in selection.items():
        nested = isinstance(wanted, list) and any(isinstance(one, dict) for one in wanted)
        if nested != (column == ANY_OF):
            raise ValueError(
                f"{column}: a list of selections, and only that, stands under any_of: "
                "any_of: [{er: Positive}, {pr: Positive}]"
            )
    return selection


Selection = Annotated[dict[str, Wanted | list[dict[str, Wanted]]], AfterValidator(_alternatives_in_place)]
"""Column name -> a value, a list of values, or a Condition; all columns must agree. Under `any_of` stands a list of
selections, of which one is enough."""


def columns_of(selection: Selection) -> list[tuple[str, Wanted]]:
    """Every column that a selection names with what it wants, alternatives among them."""
    found: list[tuple[str, Wanted]] = []
    for column, wanted in selection.items():
        for name, one in (
            [pair for option in alternatives(wanted) for pair in option.items()]
            if column == ANY_OF
            else [(column, wanted)]
        ):
            found.append((name, one))  # type: ignore[arg-type]
    return found


def alternatives(wanted: object) -> list[dict[str, Wanted]]:
    """What stands under `any_of`."""
    assert isinstance(wanted, list)
    return wanted


def select(table: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    """Rows of `table` (any columns, values as text or numbers) that meet every condition.

    A missing value meets no condition but a `not`. Raises AbsentData for a column that is not there.
    """
    import pandas as pd

    keep = pd.Series(True, index=table.index)
    for column, wanted in selection.items():
        if column == ANY_OF:
            options = [select(table, dict(option)) for option in alternatives(wanted)]
            keep &= pd.concat(options, axis=1).any(axis=1)
            continue
        if column not in table.columns:
            raise AbsentData(
                f"no column {column!r}{did_you_mean(column, table.columns)} "
                f"(columns: {', '.join(map(str, table.columns[:12]))}{', ...' if len(table.columns) > 12 else ''})"
            )
        keep &= _meets(table[column], wanted)  # type: ignore[arg-type]
    return keep


def _meets(values: pd.Series, wanted: Scalar | list[Scalar] | Condition) -> pd.Series[bool]:
    import pandas as pd

    if isinstance(wanted, list):
        return pd.concat([_meets(values, one) for one in wanted], axis=1).any(axis=1)
    if isinstance(wanted, str):
        return (values.astype("string") == wanted).fillna(False).astype(bool)
    numbers = pd.to_numeric(values, errors="coerce")
    if not isinstance(wanted, Condition):
        return numbers == wanted
    keep = pd.Series(True, index=values.index)
    if wanted.matches is not None:
        found = re.compile(wanted.matches).search
        keep &= values.map(lambda value: not pd.isna(value) and found(str(value)) is not None).astype(bool)
    if wanted.at_least is not None:
        keep &= numbers >= wanted.at_least
    if wanted.at_most is not None:
        keep &= numbers <= wanted.at_most
    if wanted.not_ is not None:
        keep &= ~_meets(values, wanted.not_)
    return keep


def describe(selection: Selection) -> str:
    """The selection in words, for reports: `ONCOTREE_CODE is PAAD; AGE at least 20`."""
    return "; ".join(
        " or ".join(describe(dict(option)) for option in alternatives(wanted))
        if column == ANY_OF
        else f"{column} {_words(wanted)}"  # type: ignore[arg-type]
        for column, wanted in selection.items()
    )


LISTED_VALUES, SHOWN_VALUES = 200, 20
"""A column with no more values is told whole; of others some are shown."""


def values_found(table: pd.DataFrame, selection: Selection) -> str:
    """What the columns of a selection hold instead, in brackets for the end of a message: ` (drug holds: A, B)`.
    Empty for a selection of nothing."""
    told = []
    for column in dict.fromkeys(name for name, _ in columns_of(selection)):
        if column not in table.columns:
            continue
        texts = table[column].dropna().astype(str)
        values = sorted(set(texts[texts.str.strip() != ""]))
        shown = values if len(values) <= LISTED_VALUES else values[:SHOWN_VALUES]
        more = f" and {len(values) - len(shown):,} more" if len(shown) < len(values) else ""
        told.append(f"{column} holds: {', '.join(shown) or 'nothing'}{more}")
    return f" ({'; '.join(told)})" if told else ""


def _words(wanted: Scalar | list[Scalar] | Condition) -> str:
    if isinstance(wanted, list):
        return "is one of " + ", ".join(map(str, wanted))
    if not isinstance(wanted, Condition):
        return f"is {wanted}"
    parts = []
    if wanted.matches is not None:
        parts.append(f"matches /{wanted.matches}/")
    if wanted.at_least is not None:
        parts.append(f"at least {wanted.at_least:g}")
    if wanted.at_most is not None:
        parts.append(f"at most {wanted.at_most:g}")
    if wanted.not_ is not None:
        parts.append("not: " + _words(wanted.not_))
    return " and ".join(parts)
