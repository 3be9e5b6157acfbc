"""Claims about correlation and survival plant their own test data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import claim, study_values
from builders import geo_dataset as geo
from scipy import stats

from reclaim.cox import cox_fit
from reclaim.expression import derive_columns
from reclaim.simulate.design import derived_columns, kind_of_design
from reclaim.simulate.expression import SimulatedExpression, simulate_expression
from reclaim.simulate.outcomes import LOG_HAZARD_OF_GROUP, LOG_HAZARD_PER_SD
from reclaim.simulate.pairs import RHO
from reclaim.study import Study

NEGATIVE = {"er": "Negative", "pr": "Negative"}
POSITIVE = {"any_of": [{"er": "Positive"}, {"pr": "Positive"}]}


def xena(**keys: Any) -> dict[str, Any]:
    values = geo(source="xena", hub="a-hub", matrix="m.gz", sample_table="p.gz", probe_map="probes", **keys)
    del values["series"], values["expression"]
    return {"values": "log2_tpm_plus_0.001", **values}


ENDPOINT = {
    "time": "OS.time",
    "time_unit": "days",
    "event": "OS",
    "event_values": ["1:DEAD"],
    "censored_values": ["0:ALIVE"],
}


def described(analysis: str, test_id: str, **keys: Any) -> dict[str, Any]:
    common = {
        "id": test_id,
        "role": "primary",
        "analysis": analysis,
        "datasets": ["a"],
        "expected": "positive",
    }
    return common | keys


def a_study(*tests: dict[str, Any], **keys: Any) -> Study:
    first, *others = tests
    roles = [first, *(test | {"role": "sensitivity"} for test in others)]
    derive = {"er": {"from": "ER_STATUS"}, "pr": {"from": "PR_STATUS"}}
    dataset = xena(derive=derive, endpoints={"overall": ENDPOINT})
    values = study_values(claim(*roles)) | {"datasets": {"a": dataset}}
    return Study.model_validate(values | {"gene_sets": {"myeloid": ["M1", "M2", "M3", "M4"]}} | keys)


def simulated(study: Study, world: Any, seed: int = 1) -> tuple[SimulatedExpression, Any]:
    found, _ = simulate_expression(study, ["a"], world, np.random.default_rng(seed))
    return found, derive_columns(found.samples, derived_columns([study.datasets["a"]]))


def values_of(found: SimulatedExpression, gene: str) -> np.ndarray:
    return np.asarray(found.log2_mean[:, found.genes.index(gene)])


PAIR = described("coexpression", "pair", features=[{"gene": "G1"}, {"gene": "G2"}], samples=NEGATIVE)
SECOND = described("coexpression", "second", features=[{"gene": "G1"}, {"gene": "G3"}], samples=NEGATIVE)
GIVEN = described(
    "coexpression", "given", features=[{"gene": "G1"}, {"gene": "G2"}], samples=NEGATIVE, adjust=["myeloid"]
)
GROUPS = described("survival", "groups", endpoint="overall", contrast={"case": NEGATIVE, "control": POSITIVE})
LIVES = described("survival", "lives", endpoint="overall", feature={"gene": "G1"}, samples=NEGATIVE)


def test_every_combination_of_receptors_is_there_and_the_case_group_is_the_largest() -> None:
    study = a_study(GROUPS, PAIR)
    found, table = simulated(study, "as_claimed")
    sizes = table.groupby(["er", "pr"]).size()
    assert len(sizes) == 4
    assert sizes["Negative", "Negative"] == sizes.max() == 120
    assert set(found.samples["ER_STATUS"]) == {"Positive", "Negative"}
    assert kind_of_design([study.datasets["a"]], [test for _, test in study.tests()]) == "cohort"  # type: ignore[misc]


@pytest.mark.parametrize("world", ["as_claimed", "no_effect", "reversed"])
def test_a_gene_can_go_with_several_partners(world: Any) -> None:
    found, _ = simulated(a_study(PAIR, SECOND), world)
    for partner in ("G2", "G3"):
        rho = stats.spearmanr(values_of(found, "G1"), values_of(found, partner)).statistic
        assert rho == pytest.approx(RHO[world], abs=0.17)


def test_in_the_confounded_world_only_the_cell_type_goes_with_both() -> None:
    found, _ = simulated(a_study(PAIR, GIVEN), "confounded")
    x, y = values_of(found, "G1"), values_of(found, "G2")
    score = np.mean([values_of(found, gene) for gene in ("M1", "M2", "M3", "M4")], axis=0)
    crude = stats.spearmanr(x, y).statistic
    xs, ys, zs = (stats.rankdata(values) for values in (x, y, score))
    rest = [v - np.polyval(np.polyfit(zs, v, 1), zs) for v in (xs, ys)]
    assert crude > 0.35
    assert abs(np.corrcoef(rest)[0, 1]) < crude / 2


@pytest.mark.parametrize("world", ["as_claimed", "no_effect", "reversed"])
def test_hazards_follow_the_group_and_the_gene(world: Any) -> None:
    effects = {"groups": [], "gene": []}
    for seed in range(6):
        found, table = simulated(a_study(GROUPS, LIVES), world, seed)
        time = found.samples["OS.time"].astype(float)
        event = found.samples["OS"] == "1:DEAD"
        assert set(found.samples["OS"]) == {"1:DEAD", "0:ALIVE"}
        triple = ((table["er"] == "Negative") & (table["pr"] == "Negative")).to_numpy()
        gene = cox_fit(values_of(found, "G1")[triple, None], time[triple], event[triple])
        effects["gene"].append(float(gene["effect"].iloc[0]))
        groups = cox_fit(triple[:, None].astype(float), time, event)
        effects["groups"].append(float(groups["effect"].iloc[0]) / np.std(triple, ddof=1))
    assert np.mean(effects["gene"]) == pytest.approx(LOG_HAZARD_PER_SD[world], abs=0.15)
    # The gene's own effect within the case group blurs that of the group somewhat.
    assert np.mean(effects["groups"]) == pytest.approx(LOG_HAZARD_OF_GROUP[world], abs=0.25)


def test_covariates_of_patients_are_drawn_and_scores_are_no_columns() -> None:
    aged = LIVES | {"covariates": ["age"]}
    found, _ = simulated(a_study(aged, GIVEN), "as_claimed")
    assert found.samples["age"].astype(float).between(30, 80).all()
    assert "myeloid" not in found.samples


def test_a_competing_event_comes_first_for_some() -> None:
    endpoint = ENDPOINT | {"competing_values": ["2:OTHER"]}
    found, _ = simulated(a_study(LIVES | {"endpoint": endpoint}), "as_claimed")
    assert found.samples["OS"].value_counts().min() > 10
    assert len(set(found.samples["OS"])) == 3
