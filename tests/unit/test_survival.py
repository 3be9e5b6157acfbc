"""Log hazard ratios of genes, sets and groups: lifelines as oracle, and what must not be estimated."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import expression
from lifelines import CoxPHFitter
from scipy import stats

from reclaim.analyses.differential_expression import log2_values
from reclaim.analyses.survival import CAUSE_SPECIFIC, METHODS, TABLE_COLUMNS, survival
from reclaim.analyses.survival_curves import curves, kaplan_meier
from reclaim.claim_tests import Survival
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData
from reclaim.evidence import FLAGS
from reclaim.follow_up import follow_up
from reclaim.margins import MARGIN

ENDPOINT = {"time": "years", "time_unit": "years", "event": "status", "event_values": ["dead"]}
GROUPS = {"contrast": {"case": {"group": "case"}, "control": {"group": "control"}}}
GENE = {"feature": {"gene": "GENE1"}}
SAMPLES = 160


def survival_test(*parts, **keys):
    values = {"id": "os", "role": "primary", "analysis": "survival", "datasets": ["a"], "endpoint": ENDPOINT,
              "expected": "positive"}  # fmt: skip
    for part in parts:
        values |= part
    return Survival.model_validate(values | keys)


def run(data, *parts, genes=(), endpoints=None, **keys):
    (found,), table = survival(survival_test(*parts, **keys), data, list(genes), endpoints=endpoints)
    assert set(found.flags) <= set(FLAGS)
    json.dumps(found.groups)
    return found, table.set_index("feature")


def patients(seed: int = 3) -> pd.DataFrame:
    """Follow-up to 12 years in tenths of a year; the case group and the old die sooner."""
    generator = np.random.default_rng(seed)
    case, age = generator.random(SAMPLES) < 0.4, generator.normal(60, 10, SAMPLES).round()
    stage = generator.choice(["I", "II", "III"], SAMPLES)
    hazard = np.exp(0.6 * case + 0.03 * (age - 60) + 0.4 * (stage == "III")) / 8
    death, end = generator.exponential(1 / hazard), generator.uniform(2, 12, SAMPLES)
    return pd.DataFrame(
        {
            "years": np.ceil(np.minimum(death, end) * 10) / 10,
            "status": np.where(death < end, generator.choice(["dead", "dead", "other"], SAMPLES), "alive"),
            "group": np.where(case, "case", "control"),
            "age": age,
            "stage": stage,
            "sex": "F",
        },
        index=[f"S{i}" for i in range(SAMPLES)],
    )


def as_data(table: pd.DataFrame, unit: str = "log2_intensity", **genes) -> ad.AnnData:
    return expression(genes, {name: table[name].astype(str).tolist() for name in table}, unit)


PATIENTS = patients()
GENE1 = np.random.default_rng(5).normal(7, 1.5, SAMPLES) - 0.2 * PATIENTS["years"].to_numpy()
NOISE = {f"OTHER{i}": np.random.default_rng(i).normal(8, 2, SAMPLES) for i in range(5)}
DATA = as_data(PATIENTS, GENE1=GENE1, **NOISE)
CLINICAL = ad.AnnData(obs=DATA.obs, uns={"unit": "none"})


def by_lifelines(value, table=PATIENTS, event=("dead",), **covariates):
    """The last coefficient, of `value`, with stopping rules below lifelines' own."""
    model = pd.DataFrame({"time": table["years"], "event": table["status"].isin(event), **covariates})
    fit = CoxPHFitter().fit(
        model.assign(value=value), "time", "event", fit_options={"precision": 1e-12, "r_precision": 1e-14}
    )
    return fit.summary.loc["value"]


def agrees(found, expected):
    assert found.effect == pytest.approx(expected["coef"], rel=1e-6)
    assert found.se == pytest.approx(expected["se(coef)"], rel=1e-6)
    assert found.ci_low == pytest.approx(expected["coef lower 95%"], rel=1e-5)
    assert found.ci_high == pytest.approx(expected["coef upper 95%"], rel=1e-5)
    assert found.statistic == pytest.approx(expected["z"], rel=1e-6)


def per_sd(values):
    return (values - np.mean(values)) / np.std(values, ddof=1)


# Estimates


def test_a_contrast_is_the_hazard_of_case_over_control():
    found, table = run(CLINICAL, GROUPS)
    case = PATIENTS["group"] == "case"
    dead = PATIENTS["status"] == "dead"
    agrees(found, by_lifelines(case.astype(float)))
    assert found.effect_name == "log_hazard_ratio_groups"
    assert found.method == METHODS["contrast"]
    assert (found.n, found.n_events) == (SAMPLES, dead.sum())
    assert found.groups == {
        "case": case.sum(),
        "control": (~case).sum(),
        "case_events": (dead & case).sum(),
        "control_events": (dead & ~case).sum(),
    }
    assert found.feature == "group is case against group is control"
    assert (found.valid, found.q_value) == (True, None)
    assert table["effect"].tolist() == [found.effect]
    assert table["stratum"].tolist() == ["all"]
    assert table.attrs == {"method": found.method, "effect_name": found.effect_name}


def test_a_gene_counts_in_standard_deviations():
    found, table = run(DATA, GENE)
    agrees(found, by_lifelines(per_sd(GENE1)))
    assert (found.effect_name, found.feature, found.method) == ("log_hazard_ratio", "GENE1", METHODS["gene"])
    assert found.groups == {}
    row = table.loc["GENE1"]
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(found.statistic)))
    assert found.q_value == row["q_value"]
    assert len(table) == 6
    assert [table.index.name, *table.columns] == list(TABLE_COLUMNS)


def test_effect_names_have_margins():
    assert {run(DATA, GENE)[0].effect_name, run(DATA, GROUPS)[0].effect_name} <= set(MARGIN)


@pytest.mark.parametrize("expected", ["positive", "negative"])
def test_p_values_are_one_sided_as_claimed(expected):
    found, _ = run(DATA, GENE, expected=expected)
    z = found.statistic if expected == "positive" else -found.statistic
    assert found.p_value == pytest.approx(stats.norm.sf(z))


def test_covariates_are_numbers_or_categories():
    stage = PATIENTS["stage"]
    covariates = {
        "age": PATIENTS["age"],
        "second": (stage == "II").astype(float),
        "third": (stage == "III").astype(float),
    }
    found, table = run(DATA, GENE, covariates=["age", "stage"])
    agrees(found, by_lifelines(per_sd(GENE1), **covariates))
    contrast, _ = run(DATA, GROUPS, covariates=["age", "stage"])
    agrees(contrast, by_lifelines((PATIENTS["group"] == "case").astype(float), **covariates))
    other = by_lifelines(per_sd(NOISE["OTHER3"]), **covariates)
    assert table["effect"]["OTHER3"] == pytest.approx(other["coef"], rel=1e-6)


def test_samples_without_a_covariate_are_left_out_and_counted():
    table = PATIENTS.assign(age=PATIENTS["age"].astype(str))
    table.loc[["S3", "S4", "S5"], "age"] = ["", "NA", "[Not Available]"]
    found, _ = run(as_data(table, GENE1=GENE1), GENE, covariates=["age"])
    kept = ~PATIENTS.index.isin(["S3", "S4", "S5"])
    expected = by_lifelines(per_sd(GENE1[kept]), PATIENTS[kept], age=PATIENTS["age"][kept])
    agrees(found, expected)
    assert found.n == SAMPLES - 3
    assert "Left out for want of a covariate: 3 samples." in found.note


def test_a_covariate_with_one_value_is_not_in_the_model():
    found, _ = run(DATA, GENE, covariates=["sex", "age"])
    without, _ = run(DATA, GENE, covariates=["age"])
    assert found.effect == without.effect
    assert "Not in the model, with one value in all samples: sex." in found.note


def test_a_horizon_is_hand_cut_data():
    cut = PATIENTS.assign(
        years=PATIENTS["years"].clip(upper=5),
        status=PATIENTS["status"].where(PATIENTS["years"] <= 5, "alive"),
    )
    found, _ = run(DATA, GENE, horizon_years=5)
    agrees(found, by_lifelines(per_sd(GENE1), cut))
    assert found.n_events == (cut["status"] == "dead").sum()
    assert found.note.startswith("Follow-up to 5 years.")


def test_a_late_start_is_hand_cut_data():
    later = PATIENTS["years"] > 3
    found, _ = run(DATA, GENE, from_years=3)
    agrees(found, by_lifelines(per_sd(GENE1[later]), PATIENTS[later]))
    assert found.n == later.sum()
    assert found.note.startswith("Follow-up from 3 years on.")
    assert f"{(~later).sum()} samples followed up no longer than 3 years" in found.note


def test_a_window_is_hand_cut_data():
    later = PATIENTS["years"] > 1
    cut = PATIENTS[later].assign(
        status=PATIENTS["status"][later].where(PATIENTS["years"] <= 4, "alive"),
        years=PATIENTS["years"][later].clip(upper=4),
    )
    found, _ = run(CLINICAL, GROUPS, from_years=1, horizon_years=4)
    agrees(found, by_lifelines((cut["group"] == "case").astype(float), cut))
    assert found.note.startswith("Follow-up from 1 to 4 years.")


def test_counts_are_compared_on_the_log2_scale():
    counts = np.random.default_rng(1).poisson(np.exp(np.random.default_rng(2).normal(4, 1, (3, SAMPLES))))
    data = as_data(PATIENTS, "counts", GENE1=counts[0], OTHER1=counts[1], OTHER2=counts[2])
    found, _ = run(data, GENE)
    agrees(found, by_lifelines(per_sd(log2_values(data)[:, 0])))


def test_a_set_is_the_mean_of_its_measured_members():
    genes = ["GENE1", "OTHER1", "OTHER2", "ABSENT"]
    found, table = run(DATA, {"feature": {"gene_set": "lam"}}, genes=genes)
    mean = (GENE1 + NOISE["OTHER1"] + NOISE["OTHER2"]) / 3
    agrees(found, by_lifelines(per_sd(mean)))
    assert (found.feature, found.effect_name, found.method) == ("lam", "log_hazard_ratio", METHODS["set"])
    assert found.groups == {"members": 4, "measured": 3}
    assert found.q_value is None
    assert len(table) == 6
    assert table.attrs["method"] == METHODS["gene"]


def test_a_set_of_which_most_is_missing_is_not_that_set():
    found, table = run(DATA, {"feature": {"gene_set": ["GENE1", "X1", "X2"]}}, genes=["GENE1", "X1", "X2"])
    assert (found.valid, found.flags, found.feature) == (False, ("not_on_platform",), "GENE1, X1, X2")
    assert found.note.startswith("Only 1 of 3 members of the set are measured.")
    assert table["effect"].notna().all()


def test_a_gene_is_compared_in_the_samples_that_have_it():
    values = GENE1.copy()
    values[:20] = np.nan
    found, table = run(as_data(PATIENTS, GENE1=values, **NOISE), GENE)
    agrees(found, by_lifelines(per_sd(values[20:]), PATIENTS[20:]))
    assert (found.n, table["n"]["OTHER1"]) == (SAMPLES - 20, SAMPLES)


def test_only_selected_samples_count():
    found, _ = run(DATA, GENE, samples={"stage": "III"})
    third = (PATIENTS["stage"] == "III").to_numpy()
    agrees(found, by_lifelines(per_sd(GENE1[third]), PATIENTS[third]))


def test_samples_in_neither_group_do_not_count():
    contrast = {"case": {"stage": "III"}, "control": {"stage": "I"}}
    found, _ = run(CLINICAL, contrast=contrast)
    compared = PATIENTS[PATIENTS["stage"] != "II"]
    agrees(found, by_lifelines((compared["stage"] == "III").astype(float), compared))
    assert found.n == found.groups["case"] + found.groups["control"] == len(compared)
    drawn = curves(survival_test(contrast=contrast), CLINICAL, [])
    assert sum(curve["n"] for curve in drawn) == len(compared)


def test_a_named_endpoint_is_that_of_the_data_set():
    named = {"overall": Endpoint.model_validate(ENDPOINT)}
    found, _ = run(DATA, GENE, endpoint="overall", endpoints=named)
    assert found == run(DATA, GENE)[0]
    with pytest.raises(AbsentData, match="no endpoint 'overall'"):
        run(DATA, GENE, endpoint="overall")


# What is told beside the estimate


def test_the_note_tells_power_and_follow_up():
    found, _ = run(DATA, GENE)
    reach = np.exp(2.8 * found.se)
    assert f"Minimum detectable hazard ratio: {reach:.2f}, or {1 / reach:.2f}." in found.note
    assert follow_up(survival_test(GENE).endpoint, DATA.obs).median_in_words() in found.note
    assert "Counted as censored: alive" in found.note
    listed, _ = run(DATA, GENE, endpoint=ENDPOINT | {"censored_values": ["alive", "other"]})
    assert "Counted as censored" not in listed.note


def test_hazards_that_cross_are_flagged():
    generator = np.random.default_rng(1)
    case = np.arange(400) < 200
    early = generator.exponential(np.where(case, 2, 6))
    years = np.where(early < 3, early, 3 + generator.exponential(np.where(case, 9, 3)))
    table = pd.DataFrame(
        {
            "years": np.minimum(years, 10),
            "status": np.where(years < 10, "dead", "alive"),
            "group": np.where(case, "case", "control"),
        }
    )
    assert "not_proportional" in run(as_data(table, GENE1=np.zeros(400)), GROUPS)[0].flags
    assert "not_proportional" not in run(CLINICAL, GROUPS)[0].flags


def test_hazards_are_looked_at_where_a_covariate_varies_only_without_the_gene():
    table = PATIENTS.assign(sex=["M"] * 20 + ["F"] * (SAMPLES - 20))
    values = GENE1.copy()
    values[:20] = np.nan
    found, _ = run(as_data(table, GENE1=values), GENE, covariates=["sex"])
    agrees(found, by_lifelines(per_sd(values[20:]), PATIENTS[20:]))
    assert "Proportional hazards: p = " in found.note


def test_competing_events_are_censored_and_their_incidence_told():
    test = {"endpoint": ENDPOINT | {"competing_values": ["other"]}}
    found, table = run(CLINICAL, GROUPS, test, horizon_years=5)
    plain, _ = run(CLINICAL, GROUPS, horizon_years=5)
    assert (found.effect, found.n_events) == (plain.effect, plain.n_events)
    assert found.method == table.attrs["method"] == METHODS["contrast"] + CAUSE_SPECIFIC
    shares = []
    for arm in ("case", "control"):
        part = PATIENTS[PATIENTS["group"] == arm]
        one = cumulative_incidence(part["years"], part["status"] == "dead", part["status"] == "other")
        shares.append(f"{arm} {100 * one.at(5):.1f} %")
    number = ((PATIENTS["status"] == "other") & (PATIENTS["years"] <= 5)).sum()
    assert f"{number} competing events count as censored. " in found.note
    assert f"Cumulative incidence at 5 years: {', '.join(shares)}." in found.note


def test_the_incidence_of_a_feature_is_told_by_halves():
    found, _ = run(DATA, GENE, endpoint=ENDPOINT | {"competing_values": ["other"]}, from_years=1)
    assert "Cumulative incidence from 1 to " in found.note
    assert "GENE1 above its median " in found.note


def test_the_log_names_who_is_compared():
    told = []
    survival(survival_test(GROUPS), CLINICAL, [], told.append)
    cases = (PATIENTS["group"] == "case").sum()
    assert told[0].startswith(f"{SAMPLES} samples, ")
    assert f"case ({cases}): S" in told[0]


# What cannot be estimated


def few(events: int, arms=("case", "control"), **columns) -> ad.AnnData:
    """Twenty patients, the first of whom die; the groups take turns."""
    years = np.arange(1.0, 21)
    table = pd.DataFrame({"years": years, "status": np.where(years <= events, "dead", "alive"), **columns})
    table["group"] = np.resize(arms, 20)
    return as_data(table, GENE1=np.random.default_rng(0).normal(size=20))


def test_few_events_are_flagged():
    found, _ = run(few(9), GROUPS)
    assert (found.valid, found.flags) == (True, ("few_events",))
    assert "Few events: 9 for 1 coefficient." in found.note
    assert run(few(10), GROUPS)[0].flags == ()
    age = np.random.default_rng(1).normal(60, 9, 20)
    found, _ = run(few(19, age=age), GENE, covariates=["age"])
    assert "few_events" in found.flags
    assert "Few events: 19 for 2 coefficients." in found.note


@pytest.mark.parametrize("about", [GENE, GROUPS])
def test_fewer_events_than_coefficients_are_no_model(about):
    ages = np.random.default_rng(1).normal(60, 9, (2, 20))
    data = few(2, age=ages[0], height=ages[1])
    found, table = run(data, about, covariates=["age", "height"])
    assert (found.valid, found.flags, found.effect) == (False, ("not_estimable",), None)
    assert found.note.startswith("2 events cannot carry a model of 3 coefficients.")
    assert (found.n, found.n_events) == (20, 2)
    assert table["effect"].isna().all()


@pytest.mark.parametrize("about", [GENE, GROUPS])
def test_without_an_event_nothing_is_estimated(about):
    found, table = run(few(5), about, from_years=6)
    assert (found.valid, found.flags, found.effect, found.se) == (False, ("not_estimable",), None, None)
    assert found.note.startswith("No event in 14 samples.")
    assert (found.n, found.n_events) == (14, 0)
    assert table[["n", "n_events"]].values.tolist() == [[14, 0]]
    assert curves(survival_test(about, from_years=6), few(5), [])[0]["share"] == [1.0, 1.0]


@pytest.mark.parametrize("about", [GENE, GROUPS])
def test_without_a_sample_nothing_is_estimated(about):
    found, table = run(few(5), about, from_years=30)
    assert (found.valid, found.flags, found.n) == (False, ("not_estimable",), 0)
    assert found.note.startswith("No sample is left. Left out: 20 samples followed up no longer than 30")
    assert len(table) == 1
    assert curves(survival_test(about, from_years=30), few(5), []) == []


@pytest.mark.parametrize(("arm", "there"), [("case", "control"), ("control", "case")])
def test_an_empty_arm_is_told(arm, there):
    found, table = run(few(8, (there, there)), GROUPS)
    assert (found.valid, found.flags) == (False, ("not_estimable",))
    assert found.note.startswith(f"No sample is in the {arm} group: group is {arm}.")
    assert found.groups[arm] == 0
    assert table["effect"].isna().all()


def test_an_arm_without_events_has_no_finite_hazard_ratio():
    data = few(8, ("case", "case", "case", "case", "case", "case", "case", "case", "control", "control"))
    data.obs.loc[data.obs["years"].astype(float) > 10, "group"] = "control"
    found, _ = run(data, GROUPS)
    assert (found.valid, found.flags) == (False, ("not_estimable",))
    assert found.note.startswith("No event in the control group: the hazard ratio has no finite estimate.")


def test_a_variable_that_orders_the_events_has_no_finite_hazard_ratio():
    years = np.arange(1.0, 21)
    table = pd.DataFrame({"years": years, "status": "dead"})
    found, _ = run(as_data(table, GENE1=-years), GENE)
    assert (found.valid, found.flags) == (False, ("not_estimable",))
    assert "orders the events perfectly" in found.note


@pytest.mark.parametrize("values", [[0.0] * SAMPLES, [np.nan] * SAMPLES])
def test_a_silent_gene_is_not_detected(values):
    data = as_data(PATIENTS, GENE1=values, **NOISE)
    found, _ = run(data, GENE)
    assert (found.valid, found.flags) == (False, ("not_detected",))
    assert found.note.startswith("GENE1 has no reads, no values, or the same in all of these samples.")


def test_a_gene_that_is_not_there_is_told():
    found, table = run(DATA, {"feature": {"gene": "GENE9"}})
    assert (found.valid, found.flags, found.n) == (False, ("not_on_platform",), SAMPLES)
    assert found.note.startswith("GENE9 is not among the 6 genes of this data set.")
    assert len(table) == 6
    assert curves(survival_test(feature={"gene": "GENE9"}), DATA, []) == []


def test_a_feature_needs_genes():
    with pytest.raises(AbsentData, match="holds no genes"):
        run(CLINICAL, GENE)


def test_a_sample_in_both_groups_is_refused():
    with pytest.raises(AbsentData, match="S0 is both case and control"):
        run(CLINICAL, contrast={"case": {"sex": "F"}, "control": {"sex": "F"}})


def test_a_covariate_that_is_not_there_is_told():
    with pytest.raises(AbsentData, match=r"no column 'agee'; did you mean age\?"):
        run(CLINICAL, GROUPS, covariates=["agee"])


# Curves


def test_curves_are_those_of_kaplan_and_meier():
    # Five patients: 4/5 at 1, then 4/5 x 2/3 at 3 (one censored at 2), then 0 at 5.
    table = pd.DataFrame(
        {"time": [1.0, 2, 3, 4, 5], "event": [True, False, True, False, True], "competing": False, "entry": 0.0},
        index=list("abcde"),
    )  # fmt: skip
    (curve,) = kaplan_meier(table, pd.Series("all", table.index))
    assert (curve.label, curve.quantity, curve.n, curve.events) == ("all", "survival", 5, 3)
    assert curve.times == [0, 1, 3, 5]
    assert curve.share == pytest.approx([1, 4 / 5, 8 / 15, 0], abs=1e-6)
    assert curve.at_risk == [5, 5, 4, 3, 2, 1]


def test_the_curves_of_a_contrast_are_json():
    drawn = json.loads(json.dumps(curves(survival_test(GROUPS, horizon_years=5), CLINICAL, [])))
    assert [curve["label"] for curve in drawn] == ["case", "control"]
    assert {curve["quantity"] for curve in drawn} == {"survival"}
    assert sum(curve["n"] for curve in drawn) == SAMPLES
    for curve in drawn:
        assert len(curve["times"]) == len(curve["share"])
        assert curve["times"][-1] == 5
        assert len(curve["at_risk"]) == 6
        assert curve["at_risk"][0] == curve["n"]
        assert curve["share"] == sorted(curve["share"], reverse=True)


def test_the_curves_of_a_late_start_begin_there():
    case, control = curves(survival_test(GROUPS, from_years=3), CLINICAL, [])
    assert (case["times"][0], case["share"][0]) == (3, 1)
    assert case["at_risk"][:4] == [0, 0, 0, case["n"]]
    assert control["n"] + case["n"] == (PATIENTS["years"] > 3).sum()


def test_a_feature_is_drawn_by_halves():
    above, below = curves(survival_test(GENE), DATA, [])
    assert above["label"] == "GENE1 above its median"
    assert below["label"] == "GENE1 up to its median"
    assert (above["n"], below["n"]) == (SAMPLES // 2, SAMPLES // 2)
    odd = DATA[: SAMPLES - 1]
    assert [curve["n"] for curve in curves(survival_test(GENE), odd, [])] == [SAMPLES // 2 - 1, SAMPLES // 2]


def test_with_competing_events_cumulative_incidences_are_drawn():
    case, _ = curves(survival_test(GROUPS, endpoint=ENDPOINT | {"competing_values": ["other"]}), CLINICAL, [])
    assert case["quantity"] == "cumulative_incidence"
    part = PATIENTS[PATIENTS["group"] == "case"]
    one = cumulative_incidence(part["years"], part["status"] == "dead", part["status"] == "other")
    assert case["share"][0] == 0
    assert case["share"] == sorted(case["share"])
    for time, share in zip(case["times"], case["share"], strict=True):
        assert share == pytest.approx(one.at(time), abs=1e-6)
