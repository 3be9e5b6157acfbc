"""Share of events that come late."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reclaim.analyses.event_share import event_share, late_share
from reclaim.claim_tests import EventShare
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData

DISEASE, OTHER = "Died of Disease", "Died of Other Causes"
ENDPOINT = {
    "time": "months",
    "time_unit": "months",
    "event": "status",
    "event_values": [DISEASE],
    "competing_values": [OTHER],
}
# Ten patients: deaths at 1, 2, 5 (three; the last not after 5 years), 6 and 8 years.
MONTHS = ["12", "24", "36", "48", "60", "72", "72", "84", "96", "120"]
STATUS = [DISEASE, DISEASE, OTHER, "Living", DISEASE, DISEASE, "Living", OTHER, DISEASE, "Living"]


def data(**columns) -> ad.AnnData:
    table = {"months": MONTHS, "status": STATUS, "er": ["+", "-"] * 5} | columns
    names = [f"S{i}" for i in range(len(table["months"]))]
    return ad.AnnData(obs=pd.DataFrame(table, index=names, dtype=object), uns={"unit": "none"})


def run(values, endpoints=None, log=lambda _: None, **keys):
    test = EventShare.model_validate(
        {"id": "late", "role": "primary", "analysis": "event_share", "datasets": ["a"], "endpoint": ENDPOINT,
         "after_years": 5, **keys}
    )  # fmt: skip
    (found,), table = event_share(test, values, log, endpoints)
    return found, table


def test_an_event_at_that_time_is_not_late_and_the_interval_is_exact():
    found, table = run(data())
    assert (found.effect_name, found.n, found.n_events, found.effect) == ("share", 5, 2, 0.4)
    # Clopper and Pearson: quantiles of beta distributions.
    assert found.ci_low == pytest.approx(stats.beta.ppf(0.025, 2, 4))
    assert found.ci_high == pytest.approx(stats.beta.ppf(0.975, 3, 3))
    assert found.groups == {"samples": 10, "competing": 2}
    assert found.feature == "Died of Disease after 5 years"
    assert (found.valid, found.flags, found.se) == (True, (), None)
    assert table[["feature", "stratum", "n", "n_events", "effect"]].values.tolist() == [
        [found.feature, "all", 5, 2, 0.4]
    ]
    assert table.attrs == {"method": found.method, "effect_name": "share"}


def test_the_note_tells_the_cumulative_incidence_with_competing_risks():
    # By hand: 1/10 at 1, 1/10 at 2; free 0.8, 0.7 after the other death; 0.7/6 at 5; 0.7 x 5/6 / 5 at 6;
    # free 0.7 x 4/6; at 7 years another other death of 3; 0.7 x 4/6 x 2/3 / 2 at 8.
    early = 0.2 + 0.7 / 6
    total = early + 0.7 / 6 + 0.7 * 4 / 6 * 2 / 3 / 2
    found, _ = run(data())
    assert found.note.startswith(
        f"Cumulative incidence with competing risks: {100 * early:.1f} % at 5 years, {100 * total:.1f} % at the "
        f"end of follow-up (10.0 years), so that {100 * (total - early) / total:.1f} % of it is late."
    )
    assert "Median follow-up" in found.note
    assert "Counted as censored: Living (3)." in found.note


def test_without_competing_values_it_is_the_complement_of_kaplan_and_meier():
    plain = {key: value for key, value in ENDPOINT.items() if key != "competing_values"}
    found, _ = run(data(), endpoint=plain)
    early = 1 - 9 / 10 * 8 / 9 * 5 / 6
    assert found.note.startswith(
        f"Cumulative incidence without competing risks: {100 * early:.1f} % at 5 years"
    )


def test_only_selected_samples_count():
    found, _ = run(data(), samples={"er": "+"})
    assert (found.n, found.n_events) == (3, 1)


def test_who_is_left_out_is_told():
    told = []
    found, _ = run(data(months=[None, *MONTHS[1:]]), log=told.append)
    assert found.n == 4
    assert "Left out: 1 sample without a time." in found.note
    assert told == ["9 samples, 4 events, 2 of them after 5 years. Left out: 1 sample without a time."]


def test_all_or_none_may_be_late():
    found, _ = run(data(), after_years=20)
    assert (found.effect, found.ci_low) == (0, 0)
    found, _ = run(data(), after_years=0.5)
    assert (found.effect, found.ci_high) == (1, 1)


def test_without_events_there_is_no_share():
    found, table = run(data(), samples={"status": "Living"})
    assert (found.valid, found.flags, found.effect, found.n) == (False, ("not_estimable",), None, 0)
    assert found.note.startswith("No event in 3 samples.")
    assert table["effect"].isna().all()


def test_a_misspelt_event_is_told_with_what_is_there():
    wrong = ENDPOINT | {"event_values": ["Died of disease"]}
    with pytest.raises(AbsentData, match="its values are: Died of Disease, Living, Died of Other Causes"):
        run(data(), endpoint=wrong)


def test_a_named_endpoint_is_that_of_the_data_set():
    named = {"disease_specific": Endpoint.model_validate(ENDPOINT)}
    assert run(data(), named, endpoint="disease_specific")[0] == run(data())[0]


def test_late_share_without_events_is_not_defined():
    table = pd.DataFrame({"time": [1.0], "event": [False], "competing": [False], "entry": [0.0]})
    assert late_share(table, 5) == (0, 0, pytest.approx(np.nan, nan_ok=True))
