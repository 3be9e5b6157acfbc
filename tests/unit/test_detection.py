"""Share of samples in which a gene is measured."""

import numpy as np
import pytest
from builders import expression
from scipy import sparse, stats

from reclaim.analyses.detection import detection
from reclaim.claim_tests import Detection
from reclaim.errors import AbsentData


def share(data, gene="GENE1", at_least=10.0, **keys):
    test = Detection.model_validate(
        {"id": "seen", "role": "gate", "analysis": "detection", "datasets": ["a"], "feature": {"gene": gene},
         "at_least": at_least, "passes": {"at_least": 0.75}, **keys}
    )  # fmt: skip
    (found,), table = detection(test, data)
    return found, table.set_index("feature")


COUNTS = expression(
    {"GENE1": [9, 10, 11, 0], "GENE2": [0, 0, 0, 0]}, {"sex": ["F", "M", "F", "M"]}, unit="counts"
)


def test_the_limit_is_inclusive_and_the_interval_exact():
    found, table = share(COUNTS)
    assert (found.effect_name, found.n, found.n_events, found.effect) == ("share", 4, 2, 0.5)
    # Clopper and Pearson: quantiles of beta distributions.
    assert found.ci_low == pytest.approx(stats.beta.ppf(0.025, 2, 3))
    assert found.ci_high == pytest.approx(stats.beta.ppf(0.975, 3, 2))
    assert found.groups == {"limit": 10.0, "unit": "counts"}
    assert (found.valid, found.flags) == (True, ())
    assert table.loc["GENE1", ["n", "n_events", "effect"]].tolist() == [4, 2, 0.5]


def test_a_gene_without_reads_is_seen_nowhere():
    found, _ = share(COUNTS, "GENE2")
    assert (found.effect, found.n_events, found.valid, found.flags) == (0, 0, True, ())


def test_a_gene_that_the_data_set_does_not_list_was_not_looked_for():
    # Else a gate `at_most`, such as of a knock-out, would pass on it.
    found, _ = share(COUNTS, "GENE9")
    assert (found.valid, found.flags) == (False, ("not_on_platform",))
    assert found.note == "GENE9 is not among the 2 genes of this data set."


def test_only_selected_samples_count():
    found, _ = share(COUNTS, samples={"sex": "F"})
    assert (found.n, found.n_events) == (2, 1)  # 9 and 11


def test_without_any_sample_there_is_no_share():
    with pytest.raises(AbsentData, match="no sample meets: sex is X"):
        share(COUNTS, samples={"sex": "X"})


def test_missing_values_are_not_detected():
    data = expression({"GENE1": [np.nan, 8.0, 7.0]}, {"sex": ["F"] * 3})
    assert share(data, at_least=7.5)[0].n_events == 1


def test_sparse_counts_are_counted_alike():
    packed = COUNTS.copy()
    packed.X = sparse.csr_matrix(COUNTS.X)
    assert share(packed)[0] == share(COUNTS)[0]
