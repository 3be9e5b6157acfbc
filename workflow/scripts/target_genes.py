"""Run every test of target genes of one study."""

from reclaim.analyses.region_job import run_region_job
from reclaim.analyses.target_genes import target_genes
from reclaim.sources.load_genome import load_genome


def analyse(test, inputs):
    """Peaks near the named genes, against comparable ones."""
    tier = inputs.tier([test.query, *test.partner])
    return target_genes(test, inputs.binding, inputs.genome["genes"], inputs.expression, tier)


run_region_job(snakemake, analyse, load_genome)
