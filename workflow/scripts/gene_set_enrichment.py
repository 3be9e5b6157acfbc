"""Run every gene-set test of one study on the rankings of its other tests."""

from reclaim.analyses.expression_job import run_expression_job
from reclaim.analyses.gene_set_enrichment import gene_set_enrichment


def analyse(test, inputs):
    """The ranking is another test's on the same data set; its genes must not speak for themselves."""
    ranking = test.with_["ranking"].test
    subjects = snakemake.params.slice["subjects"].get(ranking, [])
    table = inputs.rankings[f"{ranking}/{inputs.name}"]
    return gene_set_enrichment(test, table, inputs.sets, subjects, snakemake.params.slice["seed"])


run_expression_job(snakemake, analyse, lambda test: [])
