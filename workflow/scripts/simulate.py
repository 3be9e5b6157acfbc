"""Write the simulated store of one study in one world, and say what was planted."""

from pathlib import Path

from reclaim.job import job, write_json
from reclaim.simulate.internet import simulate_study
from reclaim.study import Study

with job(snakemake.log[0]):
    manifest = simulate_study(
        Study.model_validate(snakemake.params.study),
        snakemake.wildcards.world,
        snakemake.params.seed,
        Path(snakemake.params.store),
    )
    write_json(snakemake.output.manifest, manifest)
