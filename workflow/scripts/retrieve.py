"""Bring the bytes of one data set into the store where that is allowed, and write its receipt."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.config import check_config
from reclaim.dataset import Dataset
from reclaim.experiments import Choices
from reclaim.job import job, write_json
from reclaim.reference import Reference
from reclaim.retrieve.announcement import Announcement, Budget
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.sources.requests import further_requests, requests_for, requests_for_peaks

with job(snakemake.log[0]):
    described = snakemake.params.dataset
    dataset = TypeAdapter(Dataset | Reference).validate_python(described["dataset"])
    announced = requests_for(dataset, Path(described["beside"]))
    requests, nothing_chosen = list(announced), False
    if choices := snakemake.input.get("choices"):
        choice = Choices.model_validate_json(Path(choices).read_bytes()).datasets[described["name"]]
        requests += requests_for_peaks(dataset, choice.experiments)
        nothing_chosen = not choice.chosen
    # Read here and not from params: a new mirror or a higher limit is no reason to run anything again.
    data = check_config(snakemake.config).data
    store, budget = Path(snakemake.params.store), Budget()
    if downloads := snakemake.input.get("downloads"):
        urls = [request.url for request in announced if request.url]
        announcement = Announcement.model_validate_json(Path(downloads).read_bytes())
        budget = announcement.budget(urls, data.max_gb, open_ended=bool(choices))
    access = Access.of(snakemake.wildcards.run, store, data, budget)
    about = (dataset.licence, dataset.citation)
    receipt = make_receipt(described["name"], requests, access, *about)
    if receipt.status == "present" and (more := further_requests(dataset, receipt.open(access.store))):
        receipt = make_receipt(described["name"], [*requests, *more], access, *about)
    if nothing_chosen:
        reason = "no experiment of ChIP-Atlas meets what the study file asks for"
        receipt = receipt.model_copy(update={"status": "absent", "reason": reason})
    write_json(snakemake.output.receipt, receipt.model_dump(mode="json"))
