"""The row that every claim ends in, results/<run>/claims.tsv, and what its verdicts mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from reclaim.dataset import TierName
from reclaim.evidence import DataKind
from reclaim.model import Model

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal[
    "supported",
    "consistent",
    "inconclusive",
    "not_supported",
    "contradicted",
    "no_public_data",
    "not_testable",
]
VERDICTS: tuple[str, ...] = get_args(Verdict)

MEANING = {
    "supported": "The rule agrees on matched, replicated, independent data, and chance would rarely do so.",
    "consistent": "The rule agrees, but on weaker ground than `supported` needs; the reason says which.",
    "inconclusive": "The data cannot decide: see the interval and the smallest effect they could detect.",
    "not_supported": "The data are precise enough, and the claimed effect is not there.",
    "contradicted": "The data show the opposite, matched and replicated.",
    "no_public_data": "Testable in principle; the reason names the data that would do.",
    "not_testable": "Not a question that omics data answer.",
}


class ClaimRow(Model):
    """One row of claims.tsv."""

    run: str
    data: DataKind | None = Field(description="what the verdict rests on; empty when nothing was tested")
    study: str
    claim: str
    statement: str
    verdict: Verdict
    tier: TierName | None
    rule: str | None
    effect: float | None = Field(description="natural sign and scale; a share for bound and prevalence")
    ci_low: float | None
    ci_high: float | None
    p_value: float | None = Field(description="one-sided, in the claimed direction")
    n_tests: int = Field(description="primary tests: one per data set and stratum")
    n_agrees: int
    n_opposite: int
    n_unclear: int = Field(description="unclear or negligible")
    null_rate: float | None
    background_rate: float | None
    post_hoc: bool = Field(description="the claim was edited or added after public data were first retrieved")
    reason: str


def claims_table(claims: Sequence[ClaimRow]) -> pd.DataFrame:
    """The table of claims.tsv, columns in contract order."""
    import pandas as pd

    return pd.DataFrame([claim.model_dump() for claim in claims], columns=list(ClaimRow.model_fields))
