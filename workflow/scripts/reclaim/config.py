"""What the configuration may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from reclaim.errors import UserError
from reclaim.model import Model, explain

World = Literal["as_claimed", "no_effect", "reversed", "confounded"]
WORLDS: tuple[World, ...] = ("as_claimed", "no_effect", "reversed", "confounded")
WebAddress = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
RunName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Data(Model):
    """Where data come from."""

    source: Literal["simulated", "public", "mirror"] = Field(
        "simulated",
        description="simulated: small data made on the spot, no network. public: the real services, into the "
        "folder `store`. mirror: the folder `store` as it is, no network.",
    )
    world: World = Field(
        "as_claimed", description="Of simulated data: every claim true, no effect, reversed, or confounded."
    )
    store: str = Field("store", description="Folder of public data: <store>/<host>/<path>.")
    mirrors: list[WebAddress] = Field(
        default_factory=list,
        description="Addresses of stores that are served over HTTP, asked in this order before the services.",
    )
    max_gb: float = Field(
        10, gt=0, description="A run that would download more (10^9 bytes) stops before it begins."
    )
    accept_changes: list[WebAddress] = Field(
        default_factory=list,
        description="Addresses, or beginnings of addresses that end in /, whose bytes may differ from the lock.",
    )
    retries: int = Field(5, ge=0, le=20, description="Further attempts at one address before it is given up.")
    timeout: float = Field(60, gt=0, description="Seconds without an answer, or with next to none.")


class Config(Model):
    """The whole configuration."""

    studies: Literal["all"] | Annotated[list[str], Field(min_length=1)] = Field(
        "all", description="Ids of studies in seeds/, or paths of study files; all: every file in seeds/."
    )
    panel: bool | None = Field(
        None,
        description="Whether control claims, whose answer is known, are tested beside the studies; null: with "
        "`studies: all`.",
    )
    data: Data = Field(default_factory=Data)
    run: RunName | None = Field(
        None, description="Name of the results folder; by default the world, or `public` for public data."
    )
    seed: int = Field(1, ge=0, description="The one seed of every random step.")

    @model_validator(mode="after")
    def _run_is_no_world(self) -> Config:
        if self.run in WORLDS:
            raise ValueError(f"run: {self.run} is the name of a simulated world; choose another name")
        return self

    @property
    def with_panel(self) -> bool:
        """Whether control claims are tested."""
        return self.studies == "all" if self.panel is None else self.panel

    @property
    def run_name(self) -> str:
        """Folder below results/. A simulated run is always named after its world."""
        if self.data.source == "simulated":
            return self.data.world
        return self.run or "public"


def check_config(values: Mapping[str, Any]) -> Config:
    """The validated configuration; raises UserError with one line per mistake."""

    def place(loc: Sequence[str | int]) -> str:
        return f"config: {'.'.join(map(str, loc))}" if loc else "config"

    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(explain(error, place)) from None
