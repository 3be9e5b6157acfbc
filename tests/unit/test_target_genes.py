"""Named genes against comparable ones, on a genome in which it is known what is bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from reclaim.analyses.target_genes import target_genes
from reclaim.claim_tests import TargetGenes
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate
from reclaim.matched_genes import blocks_of, comparable_blocks, neighbours, outcome_distribution, standardised
from reclaim.regions import SCORES, Binding, as_regions, no_rows

GENES = [f"G{number:03d}" for number in range(400)]
"""1 Mb apart on two chromosomes: nobody's neighbours."""
PEAKS = ["chrom", "start", "end"]


def annotation(symbols: Sequence[str] = GENES, spacing: int = 1_000_000, **biotypes: str) -> pd.DataFrame:
    number = np.arange(len(symbols))
    return pd.DataFrame(
        {
            "chrom": np.where(number % 2, "chr2", "chr1"),
            "tss": 1_000_000 + spacing * (number // 2),
            "strand": "+",
            "gene_id": [f"ID{name}" for name in symbols],
            "symbol": list(symbols),
            "biotype": [biotypes.get(name, "protein_coding") for name in symbols],
            "transcript_id": [f"T{name}" for name in symbols],
        }
    )


def binding_of(
    genome: pd.DataFrame,
    bound: Mapping[str, Mapping[str, Sequence[int]]],
    cells: Mapping[str, str] | None = None,
) -> Binding:
    """Antigen -> gene -> how far from its start the peaks (of 100 bases) begin."""
    at = genome.drop_duplicates("symbol").set_index("symbol")
    rows = [
        (at.loc[gene, "chrom"], at.loc[gene, "tss"] + offset, at.loc[gene, "tss"] + offset + 100, antigen)
        for antigen, genes in bound.items()
        for gene, offsets in genes.items()
        for offset in offsets
    ]
    regions = as_regions(pd.DataFrame(rows, columns=[*PEAKS, "experiment"]).astype({"chrom": "category"}))
    experiments = pd.DataFrame(
        {
            "experiment": list(bound),
            "antigen": list(bound),
            "cell": "cells",
            "cells": [(cells or {}).get(name, "first") for name in bound],
            "system": "same",
            "peaks": [sum(map(len, genes.values())) for genes in bound.values()],
        }
    )
    return Binding(regions, experiments, no_rows(SCORES)).validated()


def target_test(genes: Sequence[str], **changes: Any) -> TargetGenes:
    values = {
        "id": "bound",
        "role": "primary",
        "analysis": "target_genes",
        "datasets": ["peaks"],
        "query": "TFA",
        "genes": list(genes),
        **changes,
    }
    return TypeAdapter(TargetGenes).validate_python(values)


def found_by(
    test: TargetGenes, binding: Binding, genome: pd.DataFrame, expression: ad.AnnData | None = None
) -> tuple[Estimate, pd.DataFrame]:
    (estimate,), table = target_genes(test, binding, genome, expression, "matched")
    return estimate, table


def every(step: int, names: Sequence[str] = GENES, first: int = 0) -> dict[str, list[int]]:
    """Each `step`-th gene has a peak 300 bases after its start."""
    return {name: [300] for name in names[first::step]}


# Found, and not found


def test_targets_that_were_planted_are_found() -> None:
    genome = annotation()
    named = ["G001", "G002", "G003", "G004"]
    bound = {"TFA": every(10) | {name: [300] for name in named}, "TFB": every(1)}
    estimate, table = found_by(target_test(named), binding_of(genome, bound), genome)
    # All genes are equal, so that those that stand for each are the first 200 of the others: G000, G010 ... G200 are
    # bound, that is 21 of G000, G005 ... G203.
    rate = (21 + 0.5) / 201
    assert (estimate.n, estimate.n_events, estimate.flags, estimate.tier) == (4, 4, (), "matched")
    assert estimate.p_value == pytest.approx(rate**4)
    assert estimate.groups == {"comparable_blocks": 200, "expected": round(4 * rate, 2)}
    low = stats.binomtest(4, 4).proportion_ci(0.95, "exact").low
    assert estimate.ci_low == pytest.approx(np.log(low / (1 - low)) - np.log(rate / (1 - rate)))
    assert estimate.ci_high is None
    assert estimate.effect is not None
    assert estimate.effect > estimate.ci_low > 0
    assert estimate.feature == "G001, G002, G003, G004"
    assert (
        "G001: 1 peak within 5 kb, nearest 300 bp, 0 distal, regulatory potential 0.6, above 90 % of genes"
        in (estimate.note)
    )
    row = table.set_index("feature").loc["G001"]
    assert (row["stratum"], row["n"], row["n_events"]) == ("target", 1, 0)
    assert row["effect"] == pytest.approx(np.exp(-0.5 - 4 * 350 / 100_000))
    assert (table["stratum"] == "target").sum() == 44
    assert len(table) == len(GENES)
    assert table.attrs["effect_name"] == "regulatory_potential"


def test_genes_that_are_bound_as_often_as_comparable_ones_are_not_found() -> None:
    genome = annotation()
    named = GENES[:20]
    estimate, _ = found_by(target_test(named), binding_of(genome, {"TFA": every(4), "TFB": every(1)}), genome)
    assert (estimate.n, estimate.n_events) == (20, 5)
    assert estimate.ci_low is not None
    assert estimate.ci_high is not None
    assert estimate.ci_low < 0 < estimate.ci_high
    assert abs(estimate.effect or 9) < 0.1
    assert estimate.p_value == pytest.approx(stats.binom.sf(4, 20, 0.25), abs=0.02)


def test_genes_that_are_said_not_to_be_bound() -> None:
    genome = annotation()
    named = GENES[1:9:2]
    bound = {"TFA": every(2) | every(4, first=1), "TFB": every(1)}
    for name in named:
        bound["TFA"].pop(name, None)
    estimate, _ = found_by(target_test(named, expected="negative"), binding_of(genome, bound), genome)
    assert (estimate.n_events, estimate.ci_low) == (0, None)
    assert estimate.ci_high is not None
    assert estimate.ci_high < 0
    assert estimate.p_value is not None
    assert estimate.p_value == pytest.approx(0.25**4, abs=0.002)


def test_genes_are_compared_with_those_in_surroundings_as_busy() -> None:
    """Half of the genes are open: there TFB has three peaks, and TFA binds nearly all; elsewhere it binds none."""
    genome = annotation()
    open_genes = GENES[:200]
    bound = {
        "TFA": {name: [300] for name in open_genes[:190]},
        "TFB": {name: [0, 500, 900] for name in open_genes},
    }
    estimate, _ = found_by(target_test(GENES[:3]), binding_of(genome, bound), genome)
    assert estimate.flags == ("underpowered",)
    assert estimate.effect is None
    # 187 of the 197 others that are as open, and three of those that are not.
    assert estimate.groups["expected"] == pytest.approx(3 * 187 / 200, abs=0.01)
    assert "all of 3 would be no surprise" in estimate.note
    assert estimate.note.startswith("93 % of comparable genes have such a peak")


def expression_of(
    values: Mapping[str, Sequence[float]], unit: str = "log2_tpm", **columns: list[str]
) -> ad.AnnData:
    table = pd.DataFrame(values)
    data = ad.AnnData(table.to_numpy(float), uns={"unit": unit})
    data.var_names = list(table.columns)
    data.obs_names = [f"S{number}" for number in range(len(table))]
    for name, column in columns.items():
        data.obs[name] = column
    return data


def test_genes_are_compared_with_those_of_like_expression() -> None:
    """Highly expressed genes are bound: a highly expressed one that is bound is no finding, a silent one is."""
    genome = annotation()
    high = GENES[:200]
    bound = {"TFA": {name: [300] for name in [*high, "G399", "G398"]}, "TFB": every(1)}
    expression = expression_of({name: [9.0, 9.2] if name in high else [0.0, 0.2] for name in GENES})
    binding = binding_of(genome, bound)

    def test_of(*genes: str) -> TargetGenes:
        return target_test(genes, **{"with": {"expression": "rna"}})

    common, _ = found_by(test_of("G001", "G002"), binding, genome, expression)
    silent, _ = found_by(test_of("G399", "G398"), binding, genome, expression)
    assert common.flags == ("underpowered",)
    assert silent.p_value == pytest.approx(
        ((2 + 0.5) / 201) ** 2
    )  # the nearest 198, and two of those that are bound


def test_only_samples_that_the_test_asks_for_count() -> None:
    genome = annotation()
    values = {name: [float(number), 0.0] for number, name in enumerate(GENES)}
    expression = expression_of(values, line=["a", "b"])
    binding = binding_of(genome, {"TFA": every(4, GENES[:200]) | {"G399": [1]}, "TFB": every(1)})
    tests = [
        target_test(["G399"], samples={"line": line}, **{"with": {"expression": "rna"}}) for line in "ab"
    ]
    by_value, by_symbol = (found_by(test, binding, genome, expression)[0] for test in tests)
    # In a the genes nearest to G399 are the last 200, in b all are equal and the first 200 are taken.
    assert by_value.p_value == pytest.approx(0.5 / 201)
    assert by_symbol.groups["expected"] == pytest.approx(50.5 / 201, abs=0.005)
    with pytest.raises(AbsentData, match="no sample meets"):
        found_by(
            target_test(["G399"], samples={"line": "c"}, **{"with": {"expression": "rna"}}),
            binding,
            genome,
            expression,
        )


def test_only_genes_of_the_same_biotypes_are_comparable() -> None:
    genome = annotation(**dict.fromkeys(GENES[::2], "lncRNA"))
    binding = binding_of(genome, {"TFA": every(10) | {"G001": [1]}, "TFB": every(1)})
    _, table = found_by(target_test(["G001"]), binding, genome)
    assert set(table["feature"]) == set(GENES[1::2])
    _, table = found_by(target_test(["G001", "G002"]), binding, genome)
    assert len(table) == len(GENES)


def test_the_window_decides_and_distal_peaks_are_told() -> None:
    genome = annotation()
    bound = {"TFA": {"G001": [6_000, -50_000]} | every(10), "TFB": every(1)}
    binding = binding_of(genome, bound)
    near, _ = found_by(target_test(["G001"]), binding, genome)
    wide, _ = found_by(target_test(["G001"], window_bp=6_500), binding, genome)
    assert (near.n_events, wide.n_events) == (0, 1)
    assert "G001: 0 peaks within 5 kb, nearest 6,000 bp, 1 distal" in near.note
    assert "G001: 1 peak within 6,500 bp" in wide.note
    widest, _ = found_by(target_test(["G001"], window_bp=200_000), binding, genome)
    assert "G001: 2 peaks within 200 kb" in widest.note


# Neighbours


def pairs_genome() -> pd.DataFrame:
    """Genes in pairs: A000 and B000 30 kb apart, A001 and B001 ...; the pairs are 1 Mb apart."""
    first = annotation([f"A{number:03d}" for number in range(200)])
    second = first.assign(tss=first["tss"] + 30_000, symbol=[f"B{number:03d}" for number in range(200)])
    second["gene_id"] = "ID" + second["symbol"]
    return pd.concat([first, second], ignore_index=True)


def test_neighbours_are_held_against_neighbours() -> None:
    """Peaks come in pairs, at both genes of a tenth of the pairs. Two neighbours with a peak are one finding of a
    tenth, not two; two genes of different pairs are two."""
    genome = pairs_genome()
    both = [f"{letter}{number:03d}" for number in range(0, 200, 10) for letter in "AB"]
    binding = binding_of(
        genome, {"TFA": {name: [300] for name in both}, "TFB": {n: [300] for n in genome["symbol"]}}
    )
    together, _ = found_by(target_test(["A010", "B010"]), binding, genome)
    assert together.flags == ("underpowered",)
    # 19 of the other 199 pairs, and a third of the observation that is added.
    assert together.groups["comparable_blocks"] == 199
    assert together.groups["expected"] == pytest.approx((2 * (19 + 1 / 3) + 1 / 3) / 200, abs=0.006)
    apart, _ = found_by(target_test(["A010", "B020"]), binding, genome)
    assert apart.flags == ()
    assert apart.p_value == pytest.approx(0.1**2, abs=0.002)


def test_blocks_are_chains_of_neighbours() -> None:
    starts = pd.DataFrame(
        [("A", "chr1", 0), ("B", "chr1", 100_000), ("C", "chr1", 200_001), ("D", "chr2", 0), ("E", "chr1", 900_000),
         ("E", "chr1", 300_001), ("F", "chr1", 910_000)],
        columns=["symbol", "chrom", "tss"],
    )  # fmt: skip
    symbols = pd.Index(list("ABCDEF"))
    near = neighbours(symbols, starts)
    pairs = {(symbols[i], symbols[j]) for i, j in zip(*near.nonzero(), strict=True)}
    # B and C are 100,001 bases apart; E has two starts, one beside C and one beside F.
    assert pairs == {("A", "B"), ("B", "A"), ("C", "E"), ("E", "C"), ("E", "F"), ("F", "E")}
    named = symbols.get_indexer(pd.Index(["F", "D", "C", "A", "B", "E"]))
    blocks = [list(symbols[block]) for block in blocks_of(named, near)]
    assert blocks == [["F", "C", "E"], ["D"], ["A", "B"]]
    without = symbols.get_indexer(pd.Index(["F", "C"]))
    assert len(blocks_of(without, near)) == 2  # what links them was not named


def test_of_neighbours_those_that_are_nearest_in_properties_are_taken() -> None:
    """The named block is 0 (property 1) and 1 (property 5). From 2 (1.5) the nearest neighbour in place of 1 is 4 (4.0)
    and not 3 (9.0); 5 has no neighbour; 6 is not allowed. The block that begins with 4 goes by 2 or 3, to which 3 is nearer:
    |4 - 1| + |9 - 5|."""
    properties = np.array([[1.0], [5.0], [1.5], [9.0], [4.0], [1.0], [5.0]])
    starts = pd.DataFrame(
        {
            "symbol": list("ABCDEFG"),
            "chrom": "chr1",
            "tss": [0, 10, 1_000_000, 1_000_010, 1_000_020, 9_000_000, 1_000_030],
        }
    )
    near = neighbours(pd.Index(list("ABCDEFG")), starts)
    allowed = np.array([False, False, True, True, True, True, False])
    found = comparable_blocks(np.array([0, 1]), properties, allowed, near)
    # From 3: 4 in the second place (8 + 1). The sums are 1.5 for 2 and 4, 3 + 3.5 for 4 and 2, which is the same pair.
    assert found.tolist() == [[2, 4], [3, 4]]


def test_a_single_gene_has_the_nearest_ones_ties_by_position() -> None:
    properties = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.1]])
    near = neighbours(pd.Index([]), pd.DataFrame({"symbol": [], "chrom": [], "tss": []}))
    allowed = np.array([False, True, True, True, True])
    assert comparable_blocks(np.array([0]), properties, allowed, near)[:, 0].tolist() == [4, 2, 3, 1]


def test_properties_are_in_standard_deviations_of_the_comparable() -> None:
    properties = np.array([[0.0, 1.0], [2.0, 1.0], [100.0, 7.0]])
    found = standardised(properties, np.array([True, True, False]))
    assert found.tolist() == [[0, 0], [2, 0], [100, 0]]  # the SD of 0 and 2 is 1; the second does not vary


def test_one_observation_is_spread_over_the_outcomes() -> None:
    assert outcome_distribution(np.array([0, 0, 2]), 2) * 4 == pytest.approx([2 + 1 / 3, 1 / 3, 1 + 1 / 3])


# A partner


def with_partner() -> tuple[pd.DataFrame, Binding]:
    """TFA binds the first 200 genes, TFP beside it every tenth of these and the first five; elsewhere alone."""
    genome = annotation()
    shared = {**every(10, GENES[:200]), **{name: [300] for name in GENES[:5]}, **every(3, GENES[200:])}
    return genome, binding_of(
        genome, {"TFA": {name: [250] for name in GENES[:200]}, "TFP": shared, "TFQ": {}}
    )


def test_with_a_partner_targets_are_compared_with_targets() -> None:
    genome, binding = with_partner()
    test = target_test(GENES[1:5], partner=["TFP", "TFQ"])
    estimate, table = found_by(test, binding, genome)
    # 20 of the other 196 targets: G000, G010 ... G190.
    assert estimate.p_value == pytest.approx(((20 + 0.5) / 197) ** 4)
    assert estimate.feature == "TFA with TFP or TFQ at G001, G002, G003, G004"
    assert "G001: 1 peak within 5 kb, 1 of them with TFP or TFQ, nearest 250 bp" in estimate.note
    assert len(table) == 200
    assert (table["stratum"] == "target").sum() == 24


def test_a_peak_beside_the_partner_does_not_count() -> None:
    """TFP begins where the peak of TFA ends."""
    genome = annotation()
    bound = {"TFA": {name: [0] for name in GENES}, "TFP": {"G001": [100], "G002": [99]}}
    estimate, table = found_by(
        target_test(["G001", "G002"], partner=["TFP"]), binding_of(genome, bound), genome
    )
    assert (estimate.n, estimate.n_events) == (2, 1)
    assert table.set_index("feature").loc[["G001", "G002"], "n"].to_list() == [0, 1]


def test_a_named_gene_that_the_query_does_not_bind_counts_against_the_claim() -> None:
    genome, binding = with_partner()
    estimate, table = found_by(target_test(["G001", "G002", "G203"], partner=["TFP"]), binding, genome)
    assert (estimate.n, estimate.n_events) == (3, 2)
    assert "G203: 0 peaks within 5 kb, 0 of them with TFP, none within 100 kb" in estimate.note
    assert len(table) == 201
    assert table.set_index("feature").loc["G203", "stratum"] == "no target"


def test_other_cells_are_told() -> None:
    genome, binding = with_partner()
    binding.experiments.loc[binding.experiments["antigen"] == "TFP", "cells"] = "second"
    estimate, _ = found_by(target_test(GENES[1:5], partner=["TFQ", "TFP"]), binding, genome)
    assert estimate.flags == ("other_cells",)
    assert estimate.effect is not None


# Guards


def test_an_antigen_without_an_experiment_is_absent() -> None:
    genome, binding = with_partner()
    with pytest.raises(AbsentData, match=r"no experiment of TFX was chosen; did you mean TF\w\?"):
        found_by(target_test(["G001"], partner=["TFX"]), binding, genome)
    with pytest.raises(AbsentData, match="no experiment of OTHER was chosen"):
        found_by(target_test(["G001"], query="OTHER"), binding, genome)


def test_genes_that_cannot_be_looked_at_are_left_out_and_named() -> None:
    genome = annotation()
    twice = genome.iloc[[7]].assign(gene_id="another", chrom="chr9")
    genome = pd.concat([genome, twice], ignore_index=True)
    binding = binding_of(genome, {"TFA": every(10) | {name: [1] for name in GENES[1:4]}, "TFB": every(1)})
    expression = expression_of({name: [1.0] for name in GENES if name != "G008"} | {"G009": [np.nan]})
    test = target_test(
        ["G001", "G002", "G003", "G007", "G008", "G009", "G0099"], **{"with": {"expression": "rna"}}
    )
    estimate, _ = found_by(test, binding, genome, expression)
    assert (estimate.n, estimate.n_events, estimate.flags) == (3, 3, ("genes_left_out",))
    assert estimate.effect is not None
    assert "G007: several genes of the annotation bear this symbol" in estimate.note
    assert "G008: not measured; did you mean G" in estimate.note
    assert "G009: not measured" in estimate.note
    assert "G0099: not in the annotation; did you mean G" in estimate.note
    assert estimate.feature == "G001, G002, G003"
    with pytest.raises(
        AbsentData, match="none of the named genes can be looked at: ZZZ: not in the annotation"
    ):
        found_by(target_test(["ZZZ"]), binding, genome)


@pytest.mark.parametrize(("others", "enough"), [(19, False), (20, True)])
def test_twenty_comparable_genes_are_needed(others: int, enough: bool) -> None:
    genome = annotation(GENES[: 2 + others])
    binding = binding_of(genome, {"TFA": {"G000": [1], "G001": [1]}, "TFB": every(1, GENES[: 2 + others])})
    estimate, _ = found_by(target_test(["G000", "G001"]), binding, genome)
    assert estimate.flags == (() if enough else ("few_comparable",))
    assert (estimate.effect is not None) == enough
    if not enough:
        assert estimate.note.startswith("only 19 comparable with G000, 20 are needed; G000: 1 peak")
        assert estimate.valid


def test_a_query_without_peaks_says_nothing_wrong() -> None:
    genome = annotation()
    binding = binding_of(genome, {"TFA": {}, "TFB": every(1)})
    estimate, table = found_by(target_test(["G001", "G002"]), binding, genome)
    assert (estimate.n_events, estimate.effect, estimate.p_value) == (0, 0, pytest.approx(1))
    assert set(table["stratum"]) == {"no target"}


def test_the_order_of_genes_and_rows_does_not_matter() -> None:
    genome, binding = pairs_genome(), None
    bound = {"TFA": {f"A{number:03d}": [300] for number in range(0, 200, 7)}, "TFB": {"A003": [1]}}
    binding = binding_of(genome, bound)
    named = ["A007", "B007", "A014", "A100"]
    first, _ = found_by(target_test(named), binding, genome)
    second, _ = found_by(target_test(named[::-1]), binding, genome.sample(frac=1, random_state=1))
    assert first.effect == pytest.approx(second.effect)
    assert first.p_value == pytest.approx(second.p_value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partner": ["TFB", "TFA"]}, "TFA is its own partner"),
        ({"samples": {"line": "a"}}, "samples are those of the expression"),
        ({"genes": ["G1", "G1"]}, "a gene stands twice"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        target_test(**({"genes": ["G001"]} | changes))
