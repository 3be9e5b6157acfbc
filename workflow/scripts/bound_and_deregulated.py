"""Run every test of bound genes that respond, of one study."""

from reclaim.analyses.baseline import baselines
from reclaim.analyses.bound_and_deregulated import bound_and_deregulated
from reclaim.analyses.region_job import run_region_job
from reclaim.sources.load_genome import load_genome


def analyse(test, inputs):
    """Peaks of another data set, beside a ranking of the test's own."""
    expressed = baselines(inputs.ranked_by, inputs.measured, inputs.source_column)
    tier = inputs.tier([test.query])
    return bound_and_deregulated(
        test, inputs.binding, inputs.ranking, expressed, inputs.genome["genes"], tier, inputs.seed
    )


run_region_job(snakemake, analyse, load_genome)
