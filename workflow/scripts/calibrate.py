"""How often chance, or any other gene, would have passed the rule of each claim of one study."""

from functools import cache
from pathlib import Path

from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.evidence import read_evidence
from reclaim.gene_sets import study_sets
from reclaim.job import job, write_json
from reclaim.regions import PARTS, Binding
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.load_genome import load_genome
from reclaim.study import Study


def reader(names, paths, read):
    """A function from a name to what its file holds; each file is read when it is first asked for."""
    files = dict(zip(names, paths, strict=True))
    return cache(lambda name: read(files[name]))


with job(snakemake.log[0]):
    from anndata import read_h5ad
    from pandas import read_parquet

    inputs, parameters = snakemake.input, snakemake.params
    study = Study.model_validate(parameters.study)
    libraries = dict(zip(parameters.libraries, map(Path, inputs.libraries), strict=True))
    parts = iter(inputs.regions)  # the tables of each data set in turn
    regions = {name: [next(parts) for _ in PARTS] for name in parameters.regions}
    receipts = {
        name: Receipt.model_validate_json(Path(path).read_bytes())
        for name, path in zip(parameters.genome, inputs.genome, strict=True)
    }

    material = Material(
        study,
        reader(parameters.expression, inputs.expression, read_h5ad),
        reader(parameters.tables, inputs.tables, read_parquet),
        study_sets(parameters.study["gene_sets"], libraries, Path(parameters.store)),
        parameters.seed,
        cache(lambda name: Binding(*map(read_parquet, regions[name]))),
        cache(lambda: load_genome(receipts, Path(parameters.store))),
    )
    rows = [row for path in inputs.evidence for row in read_evidence(Path(path))]
    write_json(snakemake.output.calibration, calibrate_study(material, rows).model_dump(mode="json"))
