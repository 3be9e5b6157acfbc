"""Run every test of peak co-localisation of one study."""

from reclaim.analyses.peak_colocalization import peak_colocalization
from reclaim.analyses.region_job import run_region_job
from reclaim.sources.load_genome import load_genome


def analyse(test, inputs):
    """The adjusted overlap of query and partner."""
    tier = inputs.tier([test.query, test.partner])
    return peak_colocalization(test, inputs.binding, inputs.genome, tier, inputs.seed)


run_region_job(snakemake, analyse, load_genome)
