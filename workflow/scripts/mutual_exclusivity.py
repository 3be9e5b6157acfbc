"""Run every mutual-exclusivity test of one study."""

from reclaim.analyses.mutation_job import run_mutation_job
from reclaim.analyses.mutual_exclusivity import every_partner, genes_of, mutual_exclusivity

run_mutation_job(snakemake, mutual_exclusivity, every_partner, genes_of)
