"""Run every test of gene effects of one study."""

from reclaim.analyses.dependency import dependency
from reclaim.analyses.expression_job import run_expression_job
from reclaim.job import logger


def analyse(test, inputs):
    """Groups are told in the log by their lines."""
    return dependency(test, inputs.data, inputs.source_column, logger.info)


run_expression_job(snakemake, analyse, lambda test: [test.feature.gene])
