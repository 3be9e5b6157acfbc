"""Bring the bytes of one data set into the store where that is allowed, and write its receipt."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.config import check_config
from reclaim.dataset import Dataset
from reclaim.job import job, write_json
from reclaim.reference import Reference
from reclaim.retrieve.announcement import Announcement
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.sources.requests import further_requests, requests_for

with job(snakemake.log[0]):
    described = snakemake.params.dataset
    dataset = TypeAdapter(Dataset | Reference).validate_python(described["dataset"])
    downloads = snakemake.input.get("downloads")
    # Read here and not from params: a new mirror or a higher limit is no reason to run anything again.
    access = Access.of(
        snakemake.wildcards.run,
        Path(snakemake.params.store),
        check_config(snakemake.config).data,
        Announcement.model_validate_json(Path(downloads).read_bytes()) if downloads else Announcement(),
    )
    requests = requests_for(dataset, Path(described["beside"]))
    about = (dataset.licence, dataset.citation)
    receipt = make_receipt(described["name"], requests, access, *about)
    if receipt.status == "present" and (more := further_requests(dataset, receipt.open(access.store))):
        receipt = make_receipt(described["name"], [*requests, *more], access, *about)
    write_json(snakemake.output.receipt, receipt.model_dump(mode="json"))
