"""Before any byte is fetched: register the claims in the lock, and say what will be downloaded."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from reclaim.config import check_config
from reclaim.dataset import ChipAtlasDataset
from reclaim.job import job, write_json
from reclaim.retrieve.announcement import Announcement, announce
from reclaim.retrieve.fetch import Fetcher
from reclaim.retrieve.lock import DataLock
from reclaim.retrieve.registration import Registrations, register, registrations
from reclaim.retrieve.store import store_path
from reclaim.sources.requests import requests_for
from reclaim.study import Study

with job(snakemake.log[0]):
    data = check_config(snakemake.config).data
    store = Path(snakemake.params.store)
    studies = [Study.model_validate(described) for described in snakemake.params.studies]
    urls, references = (
        {
            study.id: [
                request.url
                for one in parts(study).values()
                for request in requests_for(one, Path(beside))
                if request.url
            ]
            for study, beside in zip(studies, snakemake.params.beside, strict=True)
        }
        for parts in (lambda study: study.datasets, Study.references)
    )
    lock, announcement = DataLock(store), Announcement()
    content = lock.read()
    if data.source == "public":
        wanted = [url for part in (urls, references) for own in part.values() for url in own]
        fetcher = Fetcher(store, data.mirrors, data.retries, data.timeout)
        open_ended = sum(
            isinstance(one, ChipAtlasDataset) for study in studies for one in study.datasets.values()
        )
        announcement = announce(wanted, store, fetcher, data.max_gb, open_ended)
        came = {*content.files, *(url for url in wanted if (store / store_path(url)).is_file())}
        unseen = [study for study, own in urls.items() if not came.intersection(own)]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = lock.change(lambda old: register(old, studies, unseen, now))
    write_json(
        snakemake.output.registration,
        TypeAdapter(Registrations).dump_python(registrations(content, studies)),
    )
    write_json(snakemake.output.downloads, announcement.model_dump())
