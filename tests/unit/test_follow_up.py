"""From columns of a sample table to follow-up: units, spellings, horizons, and who is left out."""

import numpy as np
import pandas as pd
import pytest

from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData, UserError
from reclaim.follow_up import follow_up, named_endpoint, stated


def endpoint(event_values=("dead",), time_unit="years", **keys):
    return Endpoint.model_validate(
        {
            "time": "time",
            "time_unit": time_unit,
            "event": "status",
            "event_values": list(event_values),
            **keys,
        }
    )


def samples(time, status, **columns):
    """S0, S1, ...; all text, as sample tables are kept."""
    names = [f"S{i}" for i in range(len(time))]
    return pd.DataFrame({"time": time, "status": status, **columns}, index=names, dtype=object)


def rows(found):
    """time, event, competing of each sample."""
    return {name: tuple(row[:3]) for name, *row in found.table.itertuples()}


# Units and times


@pytest.mark.parametrize(
    ("unit", "time", "years"), [("days", "730.5", 2), ("months", "30", 2.5), ("years", "1.5", 1.5)]
)
def test_time_is_told_in_years(unit, time, years):
    found = follow_up(endpoint(time_unit=unit), samples([time], ["dead"]))
    assert found.table["time"].tolist() == [years]
    assert found.table["entry"].tolist() == [0]


def test_a_time_of_zero_comes_before_all_others():
    # As in R, where a death at 0 has everyone at risk.
    found = follow_up(endpoint(), samples(["0", "3", "0.5", "0"], ["dead", "dead", "alive", "alive"]))
    assert found.table["time"].tolist() == [0.25, 3, 0.5, 0.25]
    assert found.table["event"].tolist() == [True, True, False, False]


def test_times_that_are_all_zero_are_half_a_day():
    found = follow_up(endpoint(), samples(["0", "0"], ["dead", "alive"]))
    assert found.table["time"].tolist() == [0.5 / 365.25] * 2


def test_what_cannot_be_followed_is_left_out_and_counted_once():
    table = samples(
        ["1", None, "NA", "-2", "2", "3", "4", "5", ""],
        ["dead", "dead", "NA", None, None, "[Not Available]", "lost", "alive", "lost"],
    )
    found = follow_up(endpoint(censored_values=["alive"]), table)
    assert rows(found) == {"S0": (1, True, False), "S7": (5, False, False)}
    assert found.left_out == {"no_time": 3, "negative_time": 1, "no_status": 2, "unknown_status": 1}
    assert found.unknown == {"lost": 1}
    assert found.censored == {"alive": 1}
    assert found.left_out_in_words() == (
        "Left out: 3 samples without a time, 1 with a negative time, 2 without a status, "
        "1 with an unknown status (lost)."
    )


def test_a_time_that_is_no_number_is_named():
    table = samples(["1", "2", "3 years", "unknown"], ["dead"] * 4)
    with pytest.raises(
        AbsentData, match="'time': the time of sample S2 is '3 years'; expected a number of days"
    ):
        follow_up(endpoint(time_unit="days"), table)
    assert len(follow_up(endpoint(), table, chosen=np.array([True, True, False, False])).table) == 2


@pytest.mark.parametrize("time", ["inf", "1,5"])
def test_infinity_and_a_decimal_comma_are_no_numbers(time):
    with pytest.raises(AbsentData, match="expected a number of years"):
        follow_up(endpoint(), samples([time], ["dead"]))


# Statuses


@pytest.mark.parametrize(
    ("dead", "alive"),
    [
        ("1:DECEASED", "0:LIVING"),
        ("DECEASED", "LIVING"),
        ("1:Recurred", "0:Not Recurred"),
        ("Died of Disease", "Living"),
        ("1", "0"),
        ("TRUE", "FALSE"),
        ("NA", "alive"),  # what the endpoint lists is never missing
    ],
)
def test_statuses_are_compared_as_they_are_spelled(dead, alive):
    found = follow_up(endpoint([dead]), samples(["1", "2", "3"], [dead, alive, f" {dead} "]))
    assert found.table["event"].tolist() == [True, False, True]
    assert found.censored == {alive: 1}
    assert found.censored_in_words() == f"Counted as censored: {alive} (1)."


def test_statuses_may_be_numbers_beside_missing_values():
    table = pd.DataFrame({"time": [1.5, 2.0, np.nan, 3], "status": [1, 0, 1, np.nan]}, index=list("abcd"))
    found = follow_up(endpoint(["1"]), table)
    assert rows(found) == {"a": (1.5, True, False), "b": (2, False, False)}


def test_statuses_may_be_categories():
    table = samples(["1", "2"], ["dead", "alive"]).astype("category")
    assert follow_up(endpoint(), table).table["event"].tolist() == [True, False]


def test_the_spelling_of_a_status_is_exact():
    with pytest.raises(AbsentData) as error:
        follow_up(endpoint(["deceased"]), samples(["1"] * 3, ["0:LIVING", "1:DECEASED", "0:LIVING"]))
    assert str(error.value) == (
        "column 'status' holds none of the event values deceased; its values are: 0:LIVING, 1:DECEASED"
    )


def test_one_spelling_of_several_is_enough():
    found = follow_up(endpoint(["DECEASED", "1:DECEASED"]), samples(["1", "2"], ["DECEASED", "LIVING"]))
    assert found.table["event"].tolist() == [True, False]


def test_chosen_samples_without_an_event_are_no_misspelling():
    table = samples(["1", "2"], ["dead", "alive"])
    found = follow_up(endpoint(), table, chosen=np.array([False, True]))
    assert rows(found) == {"S1": (2, False, False)}


def test_a_column_without_any_status_leaves_everyone_out():
    found = follow_up(endpoint(), samples(["1", "2"], [None, ""]))
    assert found.left_out == {"no_status": 2}
    assert len(found.table) == 0
    assert found.median_in_words() == "Median follow-up (reverse Kaplan-Meier) not reached."


def test_competing_events_are_neither_events_nor_censored():
    table = samples(["1", "2", "3"], ["Died of Disease", "Died of Other Causes", "Living"])
    found = follow_up(endpoint(["Died of Disease"], competing_values=["Died of Other Causes"]), table)
    assert rows(found) == {"S0": (1, True, False), "S1": (2, False, True), "S2": (3, False, False)}
    assert found.censored == {"Living": 1}


def test_a_status_in_two_lists_is_the_event():
    found = follow_up(endpoint(competing_values=["dead"]), samples(["1"], ["dead"]))
    assert rows(found) == {"S0": (1, True, False)}


def test_every_other_status_is_censored_and_named_when_no_censored_values_are_given():
    found = follow_up(endpoint(), samples(["1"] * 5, ["dead", "alive", "lost", "alive", "NA"]))
    assert found.censored == {"alive": 2, "lost": 1}
    assert found.left_out == {"no_status": 1}
    assert found.censored_in_words() == "Counted as censored: alive (2), lost (1)."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time": "tme"}, "no column 'tme'; did you mean time?"),
        ({"event": "Status"}, "no column 'Status'; did you mean status?"),
    ],
)
def test_a_missing_column_is_named_with_the_nearest(changes, said):
    wrong = endpoint().model_copy(update=changes)
    with pytest.raises(AbsentData) as error:
        follow_up(wrong, samples(["1"], ["dead"]))
    assert str(error.value) == said


# Horizon and late start

TIMES = ["1", "2", "5", "6", "9", "9"]
STATUSES = ["dead", "alive", "dead", "dead", "other", "alive"]


def test_follow_up_is_cut_at_the_horizon():
    found = follow_up(endpoint(competing_values=["other"]), samples(TIMES, STATUSES), horizon_years=5)
    assert found.table["time"].tolist() == [1, 2, 5, 5, 5, 5]
    assert found.table["event"].tolist() == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]  # at the horizon it counts
    assert not found.table["competing"].any()


def test_only_follow_up_after_the_start_counts():
    found = follow_up(endpoint(competing_values=["other"]), samples(TIMES, STATUSES), from_years=5)
    assert rows(found) == {"S3": (6, True, False), "S4": (9, False, True), "S5": (9, False, False)}
    assert set(found.table["entry"]) == {5}
    assert found.left_out == {"too_short": 3}
    assert found.left_out_in_words() == "Left out: 3 samples followed up no longer than 5 years."


def test_a_horizon_before_the_start_is_a_mistake_of_the_study_file():
    with pytest.raises(UserError, match="horizon_years 5 is not after from_years 5"):
        follow_up(endpoint(), samples(["1"], ["dead"]), 5, 5)


def test_of_a_patient_the_first_sample_by_name_counts():
    table = samples(["", "4", "4", "2"], ["dead", "dead", "dead", "alive"], patient=["P", "P", "P", None])
    table.index = ["P-01", "P-11", "P-06", "Q"]
    found = follow_up(endpoint(), table)
    assert list(found.table.index) == ["P-06", "Q"]  # P-01 has no time
    assert found.left_out == {"no_time": 1, "same_patient": 1}
    assert found.left_out_in_words() == "Left out: 1 sample without a time, 1 of a patient already counted."


def test_median_follow_up_is_that_of_the_censored_before_any_horizon():
    table = samples(["1", "2", "3", "4", "8", "9"], ["dead", "alive", "dead", "alive", "alive", "alive"])
    found = follow_up(endpoint(), table, horizon_years=3)
    # At risk 5, 3, 2, 1 when one each is censored: 4/5, 8/15, 4/15.
    assert found.median_years == 8
    assert found.median_in_words() == "Median follow-up 8.0 years (reverse Kaplan-Meier)."


# Endpoints by name, text


def test_an_endpoint_may_be_named_by_the_data_set():
    one = endpoint()
    assert named_endpoint(one, {}) is one
    assert named_endpoint("overall", {"overall": one}) is one
    with pytest.raises(
        AbsentData, match=r"no endpoint 'overal'; did you mean overall\? \(it has: overall, relapse\)"
    ):
        named_endpoint("overal", {"overall": one, "relapse": one})
    with pytest.raises(AbsentData, match="no endpoint 'overall'; describe it under endpoints"):
        named_endpoint("overall", {})


def test_text_is_stripped_and_what_says_there_is_none_is_missing():
    table = pd.DataFrame({"x": [" a ", "NA", "[Unknown]", "", None, "1.0"]})
    assert stated(table, "x").fillna("-").tolist() == ["a", "-", "-", "-", "-", "1.0"]


# Cumulative incidence, worked by hand


def test_cumulative_incidence_by_hand():
    # Times 1 (event), 2 (event and competing), 3 (censored), 4 (event); five samples.
    found = cumulative_incidence([1, 2, 2, 3, 4], [1, 1, 0, 0, 1], [0, 0, 1, 0, 0])
    assert found.times.tolist() == [1, 2, 4]
    assert found.at_risk.tolist() == [5, 4, 1]
    assert found.free.tolist() == pytest.approx([4 / 5, 2 / 5, 0])
    assert found.event.tolist() == pytest.approx([1 / 5, 2 / 5, 4 / 5])
    assert found.competing.tolist() == pytest.approx([0, 1 / 5, 1 / 5])
    assert [found.at(t) for t in (0.5, 1, 3.9, 4, 100)] == pytest.approx([0, 0.2, 0.4, 0.8, 0.8])
    assert found.median == 2


def test_late_entry_changes_who_is_at_risk():
    found = cumulative_incidence([1, 2, 3], [True] * 3, entry=[0, 1, 0])
    assert found.at_risk.tolist() == [2, 2, 1]  # the second enters at 1, after the first event
    assert found.event.tolist() == pytest.approx([1 / 2, 3 / 4, 1])


def test_without_events_nothing_happens():
    found = cumulative_incidence([1.0, 2.0], [False, False])
    assert (found.at(5), found.median) == (0, np.inf)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1], [True], [True]), "either the event or a competing one"),
        (([1, 2], [True]), "one time, event, competing event and entry each"),
        (([1], [True], None, [1]), "enter before their time ends"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        cumulative_incidence(*arguments)
