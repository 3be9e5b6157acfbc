"""Run every survival test of one study."""

from reclaim.analyses.expression_job import run_expression_job
from reclaim.analyses.survival import survival
from reclaim.analyses.survival_curves import curves
from reclaim.job import logger


def genes_of_set(test, inputs):
    """Genes of the tested set are those measured under the study's name of it."""
    named = test.feature.gene_set if test.feature else None
    return inputs.sets[named] if isinstance(named, str) else named or []


def endpoints(inputs):
    """Those of the data set, by name."""
    return getattr(inputs.dataset, "endpoints", {})


run_expression_job(
    snakemake,
    lambda test, inputs: survival(
        test, inputs.data, genes_of_set(test, inputs), logger.info, endpoints(inputs)
    ),
    lambda test: [test.feature.gene] if test.feature and test.feature.gene else [],
    lambda test, inputs: curves(test, inputs.data, genes_of_set(test, inputs), endpoints(inputs)),
)
