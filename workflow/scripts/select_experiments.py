"""Choose the experiments of ChIP-Atlas that a study's data sets rest on, and record the choice in the lock."""

from datetime import UTC, datetime
from pathlib import Path

from reclaim.config import check_config
from reclaim.dataset import ChipAtlasDataset
from reclaim.errors import AbsentData
from reclaim.experiments import Choice, Choices, choose_experiments
from reclaim.job import job, logger, write_json
from reclaim.retrieve.choices import record_choices, told_changes
from reclaim.retrieve.lock import DataLock
from reclaim.sources.experiment_list import read_experiments
from reclaim.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate(snakemake.params.study)
    chosen = {}
    for name, dataset in study.datasets.items():
        if isinstance(dataset, ChipAtlasDataset):
            try:
                listed = read_experiments(
                    Path(snakemake.input.index),
                    dataset.genome,
                    dataset.antigen_class,
                    dataset.antigens or None,
                )
            except AbsentData as reason:  # then nothing is chosen, and the data set is absent
                logger.warning("%s: %s", name, reason)
                chosen[name] = Choice(chosen=[], excluded=[])
                continue
            chosen[name] = choose_experiments(dataset, listed)
            logger.info(
                "%s: %d experiments chosen, %d left out",
                name,
                len(chosen[name].chosen),
                len(chosen[name].excluded),
            )
    choices = Choices(datasets=chosen)
    # Simulated stores have no lock, and a mirror is read and never written.
    source = check_config(snakemake.config).data.source
    if not snakemake.params.simulated:
        lock = DataLock(Path(snakemake.params.store))
        for change in told_changes(lock.read(), study.id, choices):
            logger.warning("%s", change)
        if source == "public":
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            lock.change(lambda old: record_choices(old, study.id, choices, now))
    write_json(snakemake.output.choices, choices.model_dump())
