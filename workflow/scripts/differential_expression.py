"""Run every differential-expression test of one study."""

from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.expression_job import run_expression_job
from reclaim.job import logger


def analyse(test, inputs):
    """Genes of the tested set are those measured under the study's name of it."""
    named = test.feature.gene_set
    genes = inputs.sets[named] if isinstance(named, str) else named or []
    return differential_expression(test, inputs.data, genes, inputs.source_column, logger.info)


run_expression_job(snakemake, analyse, lambda test: [test.feature.gene] if test.feature.gene else [])
