"""From verdicts, evidence, calibrations, receipts and ledgers to the report page and one figure per study."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

import reclaim
from reclaim.calibration.record import read_calibrations
from reclaim.calibration.unswapped import study_without_nulls
from reclaim.claim_row import ClaimRow
from reclaim.evidence import read_evidence
from reclaim.experiments import Choices
from reclaim.job import job, write_whole
from reclaim.ledger import Ledger
from reclaim.report.page import render_page
from reclaim.report.ranking_view import RANKED
from reclaim.report.study_view import StudyResults, study_view
from reclaim.retrieve.receipt import Receipt
from reclaim.retrieve.registration import read_registrations
from reclaim.study import Study


def read_results(kind, columns=None):
    """Tables, or else the text of JSON files, of the report's inputs of this kind, by study and then by name."""
    found = {}
    for (study, name), path in zip(snakemake.params[kind], snakemake.input[kind], strict=True):
        table = path.endswith(".parquet")
        read = pd.read_parquet(path, columns=columns) if table else json.loads(Path(path).read_bytes())
        found.setdefault(study, {})[name] = read
    return found


def read_each(model, names, paths):
    """One model per name, from the next files."""
    return {name: model.model_validate_json(Path(next(paths)).read_bytes()) for name in names}


with job(snakemake.log[0]):
    run, seed = snakemake.wildcards.run, snakemake.params.seed
    claims = [ClaimRow.model_validate(row) for row in json.loads(Path(snakemake.input.claims).read_bytes())]
    evidence = read_evidence(Path(snakemake.input.evidence))
    registered = read_registrations(snakemake.input.registration)
    calibrated = read_calibrations(snakemake.input.calibrations)
    receipts, references, ledgers = (
        iter(snakemake.input[kind]) for kind in ("receipts", "references", "ledgers")
    )
    curves, scores = read_results("curves"), read_results("scores")
    rankings = read_results("rankings", RANKED)
    choices = {
        study: Choices.model_validate_json(Path(path).read_bytes()).datasets
        for study, path in zip(snakemake.params.choices, snakemake.input.choices, strict=True)
    }
    views = []
    for described in snakemake.params.studies:
        study = Study.model_validate(described)
        results = StudyResults(
            study,
            [row for row in claims if row.study == study.id],
            [row for row in evidence if row.study == study.id],
            read_each(Receipt, study.datasets, receipts),
            read_each(Ledger, study.datasets, ledgers),
            registered.get(study.id, {}),
            read_each(Receipt, study.references(), references),
            calibrated.get(study.id) or study_without_nulls(study),
            curves.get(study.id, {}),
            rankings.get(study.id, {}),
            choices.get(study.id, {}),
            scores.get(study.id, {}),
        )
        views.append(study_view(results, run, seed))
    versions = {"reclaim": reclaim.__version__, "Python": platform.python_version()}
    versions |= {name: version(name) for name in snakemake.params.packages}
    page = render_page(run, seed, views, versions)
    write_whole(snakemake.output.page, lambda path: path.write_text(page, encoding="utf-8"))
    for view, figure in zip(views, snakemake.output.figures, strict=True):
        write_whole(figure, lambda path, view=view: path.write_text(view.figure, encoding="utf-8"))
