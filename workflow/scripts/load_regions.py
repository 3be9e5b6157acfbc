"""Read one data set of regions into its canonical tables."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.experiments import Choices
from reclaim.job import job, write_json, write_whole
from reclaim.regions import PARTS
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.load_regions import load_regions

with job(snakemake.log[0]):
    store = Path(snakemake.params.store)
    receipt, *references = (
        Receipt.model_validate_json(Path(path).read_bytes())
        for path in (snakemake.input.receipt, *snakemake.input.genome)
    )
    genome = {name: path for one in references for name, path in one.open(store).items()}
    described = snakemake.params.dataset
    choice = None
    if snakemake.input.choices:
        choices = Choices.model_validate_json(Path(snakemake.input.choices[0]).read_bytes())
        choice = choices.datasets[described["name"]]
    binding, ledger = load_regions(
        TypeAdapter(Dataset).validate_python(described["dataset"]), receipt, store, genome, choice
    )
    for part in PARTS:
        write_whole(snakemake.output[part], getattr(binding, part).to_parquet)
    write_json(snakemake.output.ledger, ledger.model_dump())
