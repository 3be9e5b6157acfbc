"""What a study file may say about follow-up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reclaim.model import Model


class Endpoint(Model):
    """Follow-up time and event, by columns of the sample table."""

    time: str
    time_unit: Literal["days", "months", "years"]
    event: str
    event_values: list[str] = Field(min_length=1, description="Values that mean the event happened.")
    competing_values: list[str] = Field(
        default_factory=list, description="Values that mean something happened that rules the event out."
    )
    censored_values: list[str] = Field(
        default_factory=list,
        description="Values that mean nothing happened so far. When given, samples with any other value are left "
        "out and counted; else every other value counts as censored, and is named.",
    )
