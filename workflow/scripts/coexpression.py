"""Run every coexpression test of one study."""

from reclaim.analyses.coexpression import coexpression
from reclaim.analyses.expression_job import run_expression_job
from reclaim.job import logger

run_expression_job(
    snakemake,
    lambda test, inputs: coexpression(test, inputs.data, inputs.sets, inputs.seed, logger.info),
    lambda test: [feature.gene for feature in test.features if feature.gene],
)
