"""Hash every file of a store again and compare with its lock."""

from pathlib import Path

from reclaim.job import job, logger
from reclaim.retrieve.lock import DataLock
from reclaim.retrieve.verification import verify

with job(snakemake.log[0]):
    for line in verify(DataLock(Path(snakemake.params.store))):
        logger.info(line)
