"""Write the simulated store of one study in one world, and say what was planted."""

from pathlib import Path

from reclaim.errors import AbsentData, UserError
from reclaim.job import job, write_json
from reclaim.simulate.internet import simulate_study
from reclaim.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate(snakemake.params.study)
    try:
        manifest = simulate_study(
            study, snakemake.wildcards.world, snakemake.params.seed, Path(snakemake.params.store)
        )
    except AbsentData as lacking:
        raise UserError(
            f"study {study.id}: cannot be simulated: {lacking}; correct the column, or run it on public data"
        ) from None
    write_json(snakemake.output.manifest, manifest)
