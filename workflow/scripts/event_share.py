"""Run every test of late events of one study."""

from reclaim.analyses.event_share import event_share
from reclaim.analyses.expression_job import run_expression_job
from reclaim.job import logger


def analyse(test, inputs):
    """A named endpoint is the data set's."""
    return event_share(test, inputs.data, logger.info, getattr(inputs.dataset, "endpoints", {}))


run_expression_job(snakemake, analyse, lambda test: [])
