"""Which samples, cells or experiments count: structured filters, never expressions to evaluate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from reclaim.errors import AbsentData, did_you_mean
from reclaim.model import Model

if TYPE_CHECKING:
    import pandas as pd

Scalar = str | int | float


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression ({error}); correct it") from None
    return pattern


class Condition(Model):
    """What one column must hold. Keys given together must all hold."""

    matches: Annotated[str, AfterValidator(_regex)] | None = Field(
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


Selection = dict[str, Scalar | list[Scalar] | Condition]
"""Column name -> a value, a list of values, or a Condition; all columns must agree."""


def select(table: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    """Rows of `table` (any columns, values as text or numbers) that meet every condition.

    A missing value meets no condition but a `not`. Raises AbsentData for a column that is not there.
    """
    import pandas as pd

    keep = pd.Series(True, index=table.index)
    for column, wanted in selection.items():
        if column not in table.columns:
            raise AbsentData(
                f"no column {column!r}{did_you_mean(column, table.columns)} "
                f"(columns: {', '.join(map(str, table.columns[:12]))}{', ...' if len(table.columns) > 12 else ''})"
            )
        keep &= _meets(table[column], wanted)
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
        keep &= values.astype("string").str.contains(wanted.matches, regex=True).fillna(False).astype(bool)
    if wanted.at_least is not None:
        keep &= numbers >= wanted.at_least
    if wanted.at_most is not None:
        keep &= numbers <= wanted.at_most
    if wanted.not_ is not None:
        keep &= ~_meets(values, wanted.not_)
    return keep


def describe(selection: Selection) -> str:
    """The selection in words, for reports: `ONCOTREE_CODE is PAAD; AGE at least 20`."""
    return "; ".join(f"{column} {_words(wanted)}" for column, wanted in selection.items())


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
