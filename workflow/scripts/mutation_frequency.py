"""Run every mutation-frequency test of one study."""

from reclaim.analyses.mutation_frequency import every_feature, genes_of, mutation_frequency
from reclaim.analyses.mutation_job import run_mutation_job

run_mutation_job(snakemake, mutation_frequency, every_feature, genes_of)
