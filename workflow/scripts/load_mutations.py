"""Read one data set of somatic mutations into its canonical tables."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.job import job, write_json, write_whole
from reclaim.mutations import PARTS
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.load_mutations import load_mutations

with job(snakemake.log[0]):
    receipt = Receipt.model_validate_json(Path(snakemake.input.receipt).read_bytes())
    dataset = TypeAdapter(Dataset).validate_python(snakemake.params.dataset["dataset"])
    cohort, ledger = load_mutations(dataset, receipt, Path(snakemake.params.store))
    for part in PARTS:
        write_whole(snakemake.output[part], getattr(cohort, part).to_parquet)
    write_json(snakemake.output.ledger, ledger.model_dump())
