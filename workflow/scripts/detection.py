"""Run every detection gate of one study."""

from reclaim.analyses.detection import detection
from reclaim.analyses.expression_job import run_expression_job

run_expression_job(
    snakemake, lambda test, inputs: detection(test, inputs.data), lambda test: [test.feature.gene]
)
