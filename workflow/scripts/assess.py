"""From the evidence of all studies of a run to one verdict per claim."""

from pathlib import Path

from reclaim.calibration.cap import Calibration
from reclaim.calibration.record import read_calibrations, with_percentiles
from reclaim.calibration.unswapped import study_without_nulls
from reclaim.claim_row import claims_table
from reclaim.comparators import read_comparators
from reclaim.evidence import read_evidence, rows_to_table, write_tsv
from reclaim.job import job, write_json, write_whole
from reclaim.retrieve.registration import read_registrations
from reclaim.study import Study
from reclaim.verdict import assess

with job(snakemake.log[0]):
    rows = [row for path in snakemake.input.evidence for row in read_evidence(Path(path))]
    registered = read_registrations(snakemake.input.registration)
    calibrated = read_calibrations(snakemake.input.calibrations)
    ranked = read_comparators(snakemake.params.comparators, snakemake.input.comparators)
    evidence, claims = [], []
    for described in snakemake.params.studies:
        study = Study.model_validate(described)
        own = [row for row in rows if row.study == study.id]
        post_hoc = {claim: one.post_hoc for claim, one in registered.get(study.id, {}).items()}
        nulls = calibrated.get(study.id) or study_without_nulls(study)
        own = with_percentiles(own, nulls.percentiles)
        calibration = {one.claim: Calibration.of(one) for one in nulls.claims}
        against = ranked.get(study.id, {})
        found = assess(
            study, own, snakemake.wildcards.run, snakemake.params.seed, calibration, post_hoc, against
        )
        evidence += found.evidence
        claims += found.claims
    write_whole(snakemake.output.evidence, lambda path: write_tsv(rows_to_table(evidence), path))
    write_whole(snakemake.output.claims, lambda path: write_tsv(claims_table(claims), path))
    write_json(snakemake.output.claims_json, [claim.model_dump(mode="json") for claim in claims])
