"""Nulls of whole claims: the same rule on permuted labels and on comparable genes, against plain loops."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import claim, expression_test, share_test, study_values
from builders import geo_dataset as geo

from reclaim.analyses.differential_expression import differential_expression
from reclaim.calibration.arrangements import PERMUTATIONS
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.markers import SCORES
from reclaim.calibration.matching import gene_properties
from reclaim.calibration.record import ClaimCalibration, StudyCalibration
from reclaim.claim_tests import DifferentialExpression
from reclaim.evidence import EvidenceRow, Setting
from reclaim.judging import judge_claim
from reclaim.study import Study

GENES = [f"G{number:04d}" for number in range(1300)]
MARKERS = [gene for genes in SCORES.values() for gene in genes]


def expression(seed: int, case: int = 12, control: int = 12, **moved: float) -> ad.AnnData:
    """Samples with GENE1, SET1 to SET3, markers and 1,300 others (log2 TPM); `moved` are effects by gene."""
    generator = np.random.default_rng(seed)
    names = ["GENE1", "SET1", "SET2", "SET3", *MARKERS, *GENES]
    level = np.concatenate([np.full(4, 6.0), generator.normal(6, 1.5, len(names) - 4)])
    values = level + generator.normal(0, 0.5, (case + control, len(names)))
    obs = pd.DataFrame({"group": ["case"] * case + ["control"] * control})
    obs.index = [f"s{i}" for i in range(len(obs))]
    for gene, effect in moved.items():
        values[:case, names.index(gene)] += effect
    return ad.AnnData(
        np.clip(values, 0, None),
        obs=obs,
        var=pd.DataFrame({"locus_group": "protein-coding gene"}, index=names),
        uns={"unit": "log2_tpm"},
    )


def nuisance(
    data: ad.AnnData, effect: float, share: float, seed: int = 9, within: float = 0, subject: str = "GENE1"
) -> ad.AnnData:
    """`effect` added to that share of the other genes in the case group, and to genes named like `subject`; `within` an
    arm it varies with so many times its size."""
    generator = np.random.default_rng(seed)
    columns = np.isin(data.var_names, GENES) & (generator.random(data.n_vars) < share)
    columns |= data.var_names.str.startswith(subject)
    exposure = (data.obs["group"] == "case").to_numpy() + within * generator.standard_normal(data.n_obs)
    values = np.array(data.X)
    values[:, columns] += effect * exposure[:, None]
    return ad.AnnData(values, obs=data.obs, var=data.var, uns=data.uns)


def analysed(study: Study, data: dict[str, ad.AnnData], seed: int = 1) -> tuple[Material, list[EvidenceRow]]:
    """What the analysis of the study leaves to its calibration."""
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    sets = {name: list(genes) for name, genes in study.gene_sets.items()}  # type: ignore[arg-type]
    for one, test in study.tests():
        if not isinstance(test, DifferentialExpression):
            continue
        named = test.feature.gene_set
        genes = sets[named] if isinstance(named, str) else named or []
        for name in test.datasets:
            found, table = differential_expression(test, data[name], genes)
            assert one.decision is not None
            setting = Setting(
                run="own", study=study.id, claim=one.id, test=test.id, role=test.role, rule=one.decision.rule,
                analysis=test.analysis, specification="", dataset=name, tier="matched", independent=True,
                data="local", expected=test.expected,
            )  # fmt: skip
            rows += [setting.row(estimate) for estimate in found]
            columns = {str(key): table[key] for key in table.columns}
            tables[f"{test.id}/{name}"] = setting.table(
                table.attrs["method"], table.attrs["effect_name"], columns
            )
    return Material(study, data.__getitem__, tables.__getitem__, sets, seed), rows


def calibrated(study: Study, data: dict[str, ad.AnnData], seed: int = 1) -> StudyCalibration:
    return calibrate_study(*analysed(study, data, seed))


def a_study(*tests: dict[str, Any], decision: dict[str, Any] | None = None, **keys: Any) -> Study:
    values = study_values(claim(*tests, decision=decision))
    values |= {"datasets": {"a": geo(), "b": geo(series="GSE2")}, **keys}
    used = {name for test in values["claims"][0]["tests"] for name in test["datasets"]}
    values["datasets"] = {name: one for name, one in values["datasets"].items() if name in used}
    return Study.model_validate(values)


def only(found: StudyCalibration) -> ClaimCalibration:
    (one,) = found.claims
    return one


TWO = {"a": expression(1, GENE1=1.5), "b": expression(2, GENE1=1.5)}


def test_a_real_effect_stands_out_from_both_nulls() -> None:
    one = only(calibrated(a_study(), TWO))
    assert one.subject == "GENE1"
    assert one.null_rate is not None
    assert one.null_rate.share == 0
    assert one.null_rate.n == PERMUTATIONS
    assert one.null_rate.ci_high < 0.01
    assert one.background_rate is not None
    assert one.background_rate.share < 0.01
    assert one.background_rate.n == 1000
    assert one.loadings == ["immune", "proliferation", "the difference between the arms"]
    assert one.loadings_gap == "these data have no score of purity"
    assert [item.name for item in one.balance][:3] == [
        "mean in the reference arm",
        "spread within groups",
        "detection",
    ]
    distribution = one.distribution
    assert distribution is not None
    assert sum(distribution.comparable) == sum(distribution.permuted) == 1000
    assert distribution.edges[0] < distribution.observed < distribution.edges[-1]
    # The observed effect lies beyond all but a few of the nulls.
    beyond = np.array(distribution.edges[1:]) > distribution.observed
    assert np.array(distribution.comparable)[beyond].sum() <= 5


def test_what_moves_a_third_of_all_genes_is_told() -> None:
    data = {name: nuisance(expression(seed), 1.5, 0.3) for name, seed in (("a", 1), ("b", 2))}
    one = only(calibrated(a_study(), data))
    assert one.background_rate is not None
    assert 0.25 < one.background_rate.share < 0.36
    assert one.background_rate.ci_low < 0.3 < one.background_rate.ci_high
    # Labels do carry this effect: permuting them takes it away.
    assert one.null_rate is not None
    assert one.null_rate.share < 0.01


@pytest.mark.parametrize(
    ("test", "decision"),
    [
        (expression_test(), {"rule": "pooled"}),
        (expression_test(expected="negative"), {"rule": "pooled"}),
        (expression_test(method="moderated_t"), {"rule": "pooled"}),
        (expression_test(feature={"gene_set": ["SET1", "SET2", "SET3"]}), {"rule": "pooled"}),
    ],
)
def test_vectorised_nulls_are_those_of_a_plain_loop(test: dict[str, Any], decision: dict[str, Any]) -> None:
    """Every twentieth comparable subject, put into the study file and analysed on its own."""
    data = {name: nuisance(expression(seed), 0.6, 0.5) for name, seed in (("a", 3), ("b", 4))}
    study = a_study(test, decision=decision)
    one = only(calibrated(study, data))
    names = nulls_of(study, data)
    passes = []
    for members in names[::20]:
        feature = {"gene": members[0]} if len(members) == 1 else {"gene_set": list(members)}
        other = a_study({**test, "feature": feature}, decision=decision)
        _, rows = analysed(other, data)
        judged = judge_claim(other.claims[0], rows, {}, 1, {})
        passes.append(str(judged.judgement.outcome[0]) == "agrees")
    assert passing(study, data)[::20].tolist() == passes
    assert one.matched is not None
    assert one.matched.share == pytest.approx(passing(study, data).mean())
    assert 0.02 < one.matched.share < 0.9 or test.get("expected") == "negative"


def nulls_of(study: Study, data: dict[str, ad.AnnData]) -> np.ndarray:
    return swapped(study, data).nulls.names


def passing(study: Study, data: dict[str, ad.AnnData]) -> np.ndarray:
    return np.asarray(swapped(study, data).judgement.outcome == "agrees")


def swapped(study: Study, data: dict[str, ad.AnnData]) -> Any:
    from reclaim.calibration.claims import _Calibration, _Part
    from reclaim.calibration.frames import frames_of

    material, rows = analysed(study, data)
    one = _Calibration(material, judge_claim(study.claims[0], rows, {}, 1, {}))
    test = study.claims[0].tests[0]
    assert isinstance(test, DifferentialExpression)
    valid = one._valid(test.id)
    part = _Part(test, valid, frames_of(material, test, valid))
    return one._swapped([part], one._swaps([part])[0], loadings=False)


@pytest.mark.parametrize("method", ["rank", "moderated_t"])
def test_permutations_keep_the_level_of_the_rule(method: str) -> None:
    """With no margin to speak of and no effect a two-sided 95 % interval excludes 0 on one side in 2.5 %."""
    study = a_study(
        expression_test(method=method, datasets=["a"]), decision={"rule": "pooled", "margin": 1e-9}
    )
    one = only(calibrated(study, {"a": expression(5, 15, 15)}))
    assert one.null_rate is not None
    assert one.null_rate.ci_low < 0.025 < one.null_rate.ci_high
    assert one.background_rate is not None
    assert 0.01 < one.background_rate.share < 0.05


def test_permuting_counts_keeps_the_level_of_the_rule() -> None:
    generator = np.random.default_rng(0)
    reads = generator.negative_binomial(10, 10 / (10 + 2.0 ** generator.normal(8, 1, (1, 1304))), (24, 1304))
    names = ["GENE1", "SET1", "SET2", "SET3", *GENES]
    obs = pd.DataFrame({"group": ["case", "control"] * 12}, index=[f"s{i}" for i in range(24)])
    data = ad.AnnData(reads.astype(np.int32), obs=obs, var=pd.DataFrame(index=names), uns={"unit": "counts"})
    study = a_study(expression_test(datasets=["a"]), decision={"rule": "pooled", "margin": 1e-9})
    one = only(calibrated(study, {"a": data}))
    assert one.null_rate is not None
    assert one.null_rate.ci_low < 0.035
    assert one.null_rate.ci_high > 0.02
    assert one.null_rate.ci_high < 0.075


def test_pairs_are_swapped_within() -> None:
    """Patients differ much more than their two samples: only within pairs the effect shows."""
    generator = np.random.default_rng(7)
    data = expression(6, 15, 15, GENE1=1.0)
    values = np.array(data.X)
    values += np.tile(generator.normal(0, 3, (15, values.shape[1])), (2, 1))
    obs = data.obs.assign(patient=[f"p{i}" for i in range(15)] * 2)
    paired = ad.AnnData(np.clip(values, 0, None), obs=obs, var=data.var, uns=data.uns)
    study = a_study(expression_test(datasets=["a"], pairs="patient"))
    one = only(calibrated(study, {"a": paired}))
    assert one.null_rate is not None
    assert one.null_rate.share < 0.05
    assert one.distribution is not None
    # Permuted across patients the effects would spread over about +-1; within, over about +-0.3.
    mids = (np.array(one.distribution.edges[1:]) + one.distribution.edges[:-1]) / 2
    weights = np.array(one.distribution.permuted)
    assert np.sqrt(np.average(mids**2, weights=weights)) < 0.5


@pytest.mark.parametrize(
    ("data", "gap"),
    [
        ({"a": expression(1), "b": expression(2, 4, 12)}, "4 samples in the smaller arm, 5 are needed (b)"),
        ({"a": expression(1), "b": expression(2, 12, 3)}, "3 samples in the smaller arm, 5 are needed (b)"),
    ],
)
def test_too_few_samples_to_permute(data: dict[str, ad.AnnData], gap: str) -> None:
    one = only(calibrated(a_study(), data))
    assert one.null_rate is None
    assert one.null_gap == gap
    assert one.background_rate is not None


def test_numeric_covariates_and_interactions_are_not_permuted() -> None:
    data = expression(1)
    data.obs["age"] = [str(40 + i) for i in range(24)]
    data.obs["line"] = ["x", "y"] * 12
    test = expression_test(datasets=["a"], covariates=["age"])
    assert "numeric covariate" in only(calibrated(a_study(test), {"a": data})).null_gap
    cells = {"case": {"line": "x"}, "control": {"line": "y"}}
    test = expression_test(datasets=["a"], interaction=cells)
    assert "interaction" in only(calibrated(a_study(test), {"a": data})).null_gap
    test = expression_test(datasets=["a"], covariates=["line"])
    assert only(calibrated(a_study(test), {"a": data})).null_rate is not None


def test_a_panel_of_few_genes_has_no_background() -> None:
    few = expression(1)[:, ["GENE1", *GENES[:300]]].copy()
    one = only(calibrated(a_study(expression_test(datasets=["a"])), {"a": few}))
    assert one.background_rate is None
    assert one.background_gap == "only 300 comparable genes are measured, 1,000 are needed"
    assert one.null_rate is not None


def test_genes_of_another_kind_are_not_comparable() -> None:
    data = expression(1)
    data.var.loc[GENES[:200], "locus_group"] = "pseudogene"
    study = a_study(expression_test(datasets=["a"]))
    assert not {gene for (gene,) in nulls_of(study, {"a": data})} & set(GENES[:200])
    data.var["locus_group"] = ["pseudogene"] * data.n_vars
    data.var.loc["GENE1", "locus_group"] = "protein-coding gene"
    assert "only 0 comparable genes" in only(calibrated(study, {"a": data})).background_gap


def test_nulls_are_like_the_subject_in_the_reference_arm() -> None:
    """The mean over both arms would carry the effect: with it, genes of a higher level would be taken."""
    data = {"a": expression(1, GENE1=4.0)}
    study = a_study(expression_test(datasets=["a"]))
    one = only(calibrated(study, data))
    level = next(item for item in one.balance if item.name == "mean in the reference arm")
    assert level.subject == pytest.approx(6, abs=0.5)
    assert level.middle == pytest.approx(6, abs=0.4)


def test_members_of_the_set_are_in_none_of_its_nulls_and_nulls_hold_no_gene_twice() -> None:
    study = a_study(expression_test(datasets=["a"], feature={"gene_set": ["SET1", "SET2", "SET3"]}))
    names = nulls_of(study, {"a": expression(1)})
    assert names.shape == (1000, 3)
    assert not set(names.ravel()) & {"SET1", "SET2", "SET3"}
    assert all(len(set(row)) == 3 for row in names)


def test_parts_of_a_conjunction_swap_the_same_subject_together() -> None:
    tests = [expression_test("one", datasets=["a"]), expression_test("two", datasets=["b"])]
    decision = {"rule": "conjunction", "parts": {"one": {"rule": "pooled"}, "two": {"rule": "pooled"}}}
    data = {name: nuisance(expression(seed), 1.5, 0.3) for name, seed in (("a", 1), ("b", 2))}
    one = only(calibrated(a_study(*tests, decision=decision), data))
    # The same genes move in both: 30 % pass, and not 9 % as with subjects drawn for each part.
    assert one.background_rate is not None
    assert 0.25 < one.background_rate.share < 0.36
    assert one.distribution is None


def test_subjects_of_a_conjunction_are_swapped_in_turn() -> None:
    """With both swapped at once 30 % of 30 % would pass, and hide that 30 % of all genes do."""
    tests = [
        expression_test("one", datasets=["a"]),
        expression_test("two", datasets=["a"], feature={"gene": "SET1"}),
    ]
    decision = {"rule": "conjunction", "parts": {"one": {"rule": "pooled"}, "two": {"rule": "pooled"}}}
    data = nuisance(expression(1, SET1=1.5), 1.5, 0.3)
    one = only(calibrated(a_study(*tests, decision=decision), {"a": data}))
    assert one.background_rate is not None
    assert 0.25 < one.background_rate.share < 0.36
    assert one.swapped in ("GENE1", "SET1")


def test_a_nuisance_that_moves_a_whole_set_shows_when_it_varies_within_the_arms() -> None:
    """Among random sets hardly any has all members moved; among sets of genes that follow what sets the arms apart
    most have."""
    study = a_study(expression_test(feature={"gene_set": ["SET1", "SET2", "SET3"]}))
    moved, real = (
        {
            name: nuisance(expression(seed, 40, 40, **real), 1.0, 0.2, within=0.15, subject=subject)
            for name, seed in (("a", 1), ("b", 2))
        }
        for subject, real in (("SET", {}), ("none", dict.fromkeys(["SET1", "SET2", "SET3"], 1.0)))
    )
    one, other = only(calibrated(study, moved)), only(calibrated(study, real))
    assert one.matched is not None
    assert one.matched_on_loadings is not None
    assert one.background_rate is not None
    assert one.matched.share < 0.2
    assert one.matched_on_loadings.share > 0.6
    assert one.background_rate == one.matched_on_loadings
    # A set that is truly higher does not vary with the nuisance, nor do those that it is compared with.
    assert other.background_rate is not None
    assert other.background_rate.share < 0.2


def test_the_loading_on_the_difference_between_the_arms_leaves_each_gene_out_of_its_own_score() -> None:
    data = nuisance(expression(1), 1.5, 0.3, within=0.4)
    case = (data.obs["group"] == "case").to_numpy()
    values = data.to_df()
    found = gene_properties(values, case, leave_out=["GENE1"])["loading on the difference between the arms"]
    within = values - values.groupby(case).transform("mean")
    spread = np.sqrt((within**2).sum() / (len(values) - 2))
    weight = (values[case].mean() - values[~case].mean()) / spread
    weight["GENE1"] = 0
    for gene in ("GENE1", "SET1", *GENES[:5]):
        others = [name for name in values.columns if name != gene]
        score = (within[others] / spread[others]) @ weight[others]
        assert found[gene] == pytest.approx(np.corrcoef(score, within[gene])[0, 1], abs=1e-9)


def test_the_loading_on_the_difference_needs_arms_and_twenty_degrees_of_freedom() -> None:
    name = "loading on the difference between the arms"
    for arm, there in ((10, False), (11, True)):
        data = expression(1, arm, arm)
        case = (data.obs["group"] == "case").to_numpy()
        assert (name in gene_properties(data.to_df(), case)) == there
        assert name not in gene_properties(data.to_df(), np.zeros(len(case), bool))


def test_prevalence_is_calibrated_over_its_strata() -> None:
    parts = [expression(seed, 10, 10, GENE1=1.5) for seed in range(6)]
    for number, part in enumerate(parts):
        part.obs["tissue"] = f"t{number}"
        part.obs_names = [f"{name}_{number}" for name in part.obs_names]
    data = ad.concat(parts)
    data.var, data.uns = parts[0].var, parts[0].uns
    test = expression_test(datasets=["a"], strata="tissue", min_per_group=10)
    found = calibrated(a_study(test, decision={"rule": "prevalence", "share": "most"}), {"a": data})
    one = only(found)
    assert one.background_rate is not None
    assert one.background_rate.share == 0
    assert one.null_rate is not None
    assert one.null_rate.share == 0
    assert one.distribution is not None
    assert one.distribution.effect_name == "share_of_strata"
    assert one.distribution.observed > 0.8
    assert {item.stratum for item in found.percentiles} == {f"t{i}" for i in range(6)}


def test_rules_with_fixed_limits_need_none() -> None:
    bound = Study.model_validate(
        study_values(claim(share_test(), decision={"rule": "bound", "bound": "rare"}))
    )
    material = Material(bound, {}.__getitem__, {}.__getitem__, {}, 1)
    one = only(calibrate_study(material, []))
    assert "fixed beforehand" in one.not_calibrated
    assert one.null_rate is None
    assert one.null_gap == ""


def test_percentiles_are_counted_on_the_statistic_in_the_claimed_direction() -> None:
    for expected, extreme in (("positive", True), ("negative", False)):
        study = a_study(expression_test(datasets=["a"], expected=expected))
        data = {"a": expression(1, GENE1=1.5)}
        (one,) = calibrated(study, data).percentiles
        table = analysed(study, data)[0].tables("up/a").set_index("feature")
        others = table.loc[list(nulls_of(study, data)[:, 0]), "statistic"].to_numpy(float)
        sign = 1 if expected == "positive" else -1
        own = float(table.loc["GENE1", "statistic"])  # type: ignore[arg-type]
        assert one.null_percentile == pytest.approx(
            (1 + (sign * others >= sign * own).sum()) / 1001, rel=1e-5
        )
        assert (one.null_percentile < 0.01) == extreme


def test_the_same_seed_gives_the_same_record_and_another_seed_other_permutations() -> None:
    study = a_study(expression_test(feature={"gene_set": ["SET1", "SET2", "SET3"]}))
    one, two, other = (calibrated(study, TWO, seed) for seed in (1, 1, 2))
    assert one == two
    assert one != other


# Pairs and follow-up


def pair_test(test_id: str = "together", **changes: Any) -> dict[str, Any]:
    return {
        "id": test_id,
        "role": "primary",
        "analysis": "coexpression",
        "datasets": ["a", "b"],
        "features": [{"gene": "GENE1"}, {"gene": "SET1"}],
        "expected": "positive",
        **changes,
    }


def survival_test(test_id: str = "lives", **changes: Any) -> dict[str, Any]:
    endpoint = {"time": "years", "time_unit": "years", "event": "dead", "event_values": ["1"]}
    return {
        "id": test_id,
        "role": "primary",
        "analysis": "survival",
        "datasets": ["a", "b"],
        "endpoint": endpoint,
        "feature": {"gene": "GENE1"},
        "expected": "positive",
        **changes,
    }


def coupled(seed: int, rho: float, others: float = 0.0, samples: int = 80) -> ad.AnnData:
    """SET1 follows GENE1; the `others` share of genes follows it as much."""
    data = expression(seed, samples // 2, samples // 2)
    generator = np.random.default_rng(seed + 100)
    values = np.array(data.X)
    leading = (values[:, 0] - values[:, 0].mean()) / values[:, 0].std()
    follows = (data.var_names == "SET1") | (generator.random(data.n_vars) < others)
    follows[0] = False
    noise = generator.normal(0, 1, (samples, int(follows.sum())))
    values[:, follows] = values[:, follows].mean(axis=0) + 0.5 * (
        rho * leading[:, None] + np.sqrt(1 - rho**2) * noise
    )
    return ad.AnnData(np.clip(values, 0, None), obs=data.obs, var=data.var, uns=data.uns)


def followed(seed: int, hazard: float, others: float = 0.0, samples: int = 120) -> ad.AnnData:
    """Hazards that rise with GENE1, and so with the `others` share of genes that follow it closely."""
    data = coupled(seed, 0.95, others, samples)
    generator = np.random.default_rng(seed + 200)
    x = np.asarray(data.X)[:, 0]
    time = generator.exponential(5 * np.exp(-hazard * (x - x.mean()) / x.std()))
    end = generator.uniform(1, 15, samples)
    data.obs["years"] = [f"{value:.4f}" for value in np.minimum(time, end)]
    data.obs["dead"] = np.where(time <= end, "1", "0")
    return data


def analysed_pairs(study: Study, data: dict[str, ad.AnnData]) -> StudyCalibration:
    from reclaim.analyses.coexpression import coexpression
    from reclaim.analyses.survival import survival

    sets = {name: list(genes) for name, genes in study.gene_sets.items()}  # type: ignore[arg-type]
    rows = []
    for one, test in study.tests():
        for name in test.datasets:
            if test.analysis == "coexpression":
                found, _ = coexpression(test, data[name], sets, 1)
            else:
                assert test.analysis == "survival"
                found, _ = survival(test, data[name], [])
            assert one.decision is not None
            setting = Setting(
                run="own", study=study.id, claim=one.id, test=test.id, role=test.role, rule=one.decision.rule,
                analysis=test.analysis, specification="", dataset=name, tier="matched", independent=True,
                data="local", expected=test.expected,
            )  # fmt: skip
            rows += [setting.row(estimate) for estimate in found]
    return calibrate_study(Material(study, data.__getitem__, {}.__getitem__, sets, 1), rows)


def test_a_pair_stands_out_when_few_genes_go_with_either_end() -> None:
    found = analysed_pairs(a_study(pair_test()), {"a": coupled(1, 0.7), "b": coupled(2, 0.7)})
    one = only(found)
    assert one.subject == "GENE1 and SET1"
    assert one.null_rate is not None
    assert one.null_rate.ci_high < 0.02
    assert one.background_rate is not None
    assert one.background_rate.share < 0.01
    assert all(item.null_percentile < 0.005 for item in found.percentiles)


def test_a_gene_that_goes_with_everything_is_told_by_swapping_its_partner() -> None:
    data = {"a": coupled(1, 0.7, 0.4), "b": coupled(2, 0.7, 0.4)}
    one = only(analysed_pairs(a_study(pair_test()), data))
    assert one.background_rate is not None
    # The genes that follow differ between a and b: only 16 % do so in both.
    assert 0.08 < one.background_rate.share < 0.6
    assert one.swapped in ("GENE1", "SET1")


def test_comparable_genes_of_a_pair_are_of_its_cell_type_and_in_no_score() -> None:
    adjusted = pair_test("adjusted", role="sensitivity", adjust=["myeloid"])
    data = {"a": coupled(1, 0.7), "b": coupled(2, 0.7)}
    study = a_study(pair_test(), adjusted, gene_sets={"myeloid": GENES[:5]})
    one = only(analysed_pairs(study, data))
    assert "cell type myeloid" in [item.name for item in one.balance]


def test_permuted_pairs_keep_the_level_given_covariates() -> None:
    """Both ends follow the covariate, and nothing beyond it."""
    data = coupled(3, 0.0)
    generator = np.random.default_rng(5)
    age = generator.normal(60, 10, data.n_obs)
    values = np.array(data.X)
    values[:, :2] += ((age - 60) / 10)[:, None]
    data = ad.AnnData(values, obs=data.obs.assign(age=[f"{x:.2f}" for x in age]), var=data.var, uns=data.uns)
    test = pair_test(datasets=["a"], adjust=["age"])
    one = only(analysed_pairs(a_study(test, decision={"rule": "pooled", "margin": 1e-9}), {"a": data}))
    assert one.null_rate is not None
    assert one.null_rate.ci_low < 0.03
    assert one.null_rate.ci_high > 0.02
    assert one.null_rate.ci_high < 0.06


def test_survival_of_a_gene_is_compared_with_that_of_others() -> None:
    alone = {"a": followed(1, 0.8), "b": followed(2, 0.8)}
    one = only(analysed_pairs(a_study(survival_test()), alone))
    assert one.background_rate is not None
    assert one.background_rate.share < 0.02
    assert one.null_rate is not None
    assert one.null_rate.share < 0.02
    crowd = {"a": followed(1, 0.8, 0.5), "b": followed(2, 0.8, 0.5)}
    many = only(analysed_pairs(a_study(survival_test()), crowd))
    assert many.background_rate is not None
    assert many.background_rate.share > 0.15
    assert many.uncorrelated is not None
    assert many.uncorrelated.share < many.background_rate.share  # those that pass go with the subject


def test_a_group_of_patients_has_no_genes_to_swap() -> None:
    data = {"a": followed(1, 0.8), "b": followed(2, 0.8)}
    contrast = {"case": {"group": "case"}, "control": {"group": "control"}}
    test = survival_test(contrast=contrast)
    del test["feature"]
    one = only(analysed_pairs(a_study(test), data))
    assert one.null_rate is not None
    assert one.null_rate.share < 0.03
    assert one.background_rate is None
    assert one.background_gap == ""
    assert "no gene to swap" in one.no_background


def test_permuted_survival_keeps_the_level() -> None:
    test = survival_test(datasets=["a"])
    decision = {"rule": "pooled", "margin": 1e-9}
    one = only(analysed_pairs(a_study(test, decision=decision), {"a": followed(7, 0.0)}))
    assert one.null_rate is not None
    assert one.null_rate.ci_low < 0.03
    assert one.null_rate.ci_high > 0.02
    assert one.null_rate.ci_high < 0.06
