"""The rim that scripts of mutation analyses share: read cohorts, run the tests, write the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reclaim.analyses.on_mutations import LoadedCohort, run_tests
from reclaim.evidence import rows_to_table, write_tsv
from reclaim.job import job, write_whole
from reclaim.ledger import Ledger
from reclaim.mutations import PARTS, read_cohort


def run_mutation_job(snakemake: Any, estimate: Any, every_feature: Any, genes_of: Any) -> None:
    """Everything between the `snakemake` object of a rule and its output files."""
    with job(snakemake.log[0]):
        slice_ = snakemake.params.slice
        files = iter(snakemake.input.data)  # the parts of each cohort in turn
        loaded = {
            name: LoadedCohort(
                read_cohort({part: Path(next(files)) for part in PARTS}),
                Ledger.model_validate_json(Path(ledger).read_bytes()),
            )
            for name, ledger in zip(snakemake.params.datasets, snakemake.input.ledgers, strict=True)
        }
        rows, tables = run_tests(slice_, snakemake.wildcards.run, loaded, estimate, every_feature, genes_of)
        for key, path in zip(snakemake.params.results, snakemake.output.results, strict=True):
            write_whole(path, tables[key].to_parquet)
        write_whole(snakemake.output.evidence, lambda path: write_tsv(rows_to_table(rows), path))
