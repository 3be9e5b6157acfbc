"""Find the bytes of one data set and write its receipt."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.job import job, write_json
from reclaim.retrieve import make_receipt
from reclaim.sources.requests import requests_for

with job(snakemake.log[0]):
    described = snakemake.params.dataset
    dataset = TypeAdapter(Dataset).validate_python(described["dataset"])
    receipt = make_receipt(
        described["name"],
        requests_for(dataset, Path(described["beside"])),
        Path(snakemake.params.store),
        dataset.licence,
        dataset.citation,
    )
    write_json(snakemake.output.receipt, receipt.model_dump(mode="json"))
