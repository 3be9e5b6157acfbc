"""What loading a data set kept and dropped: written beside its tables, read by every later stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reclaim.model import Model


class FlowStep(Model):
    """How many samples and patients are left after one step of the selection."""

    step: str
    samples: int
    patients: int


class Ledger(Model):
    """`absent` with its reason, or `present` with the patient flow and counts of what was dropped."""

    status: Literal["present", "absent"]
    reason: str = ""
    simulated: bool = Field(False, description="the bytes say that the simulator made them")
    flow: list[FlowStep] = Field(default_factory=list)
    dropped: dict[str, int] = Field(default_factory=dict)
