"""Needs verdicts, evidence, calibrations, receipts, ledgers and chosen experiments; makes the report page, and a figure per study."""

REPORT_DATASETS = [(study, name) for study in PLAN.studies for name in PLAN.studies[study].datasets]
REPORT_SCORES = [(study, name) for study in PLAN.studies for name in PLAN.chosen_names(study)]
REPORT_RANKINGS = [
    (job.study, result)
    for job in PLAN.analyses()
    if job.analysis == "peak_colocalization"
    for result in job.results
]
REPORT_REFERENCES = [(study, name) for study in PLAN.studies for name in PLAN.studies[study].references()]


report: "../report/workflow.rst"


rule report_page:
    """One self-contained page per run, and per study an overview of its tested claims."""
    input:
        claims="results/{run}/claims.json",
        evidence="results/{run}/evidence.tsv",
        receipts=[f"results/{{run}}/{study}/receipts/{name}.json" for study, name in REPORT_DATASETS],
        references=[f"results/{{run}}/{study}/receipts/{name}.json" for study, name in REPORT_REFERENCES],
        ledgers=[f"results/{{run}}/{study}/data/{name}.ledger.json" for study, name in REPORT_DATASETS],
        calibrations=[f"results/{{run}}/{job.study}/calibration.json" for job in PLAN.calibrations()],
        curves=[
            f"results/{{run}}/{job.study}/{curve}.curves.json"
            for job in PLAN.analyses()
            for curve in job.curves
        ],
        choices=[f"results/{{run}}/{study}/experiments.json" for study in PLAN.choosing()],
        scores=[f"results/{{run}}/{study}/data/{name}.scores.parquet" for study, name in REPORT_SCORES],
        rankings=[f"results/{{run}}/{study}/{result}.parquet" for study, result in REPORT_RANKINGS],
        registration=lambda wildcards: PLAN.registration(wildcards.run),
        templates=sorted(
            path
            for path in (HERE / "workflow/scripts/reclaim/report").iterdir()
            if path.suffix in (".jinja", ".css")
        ),
        code=CODE["report"],
    output:
        page=report(
            "results/{run}/report.html",
            caption="../report/page.rst",
            category="Verdicts",
            labels={"run": "{run}", "shows": "the whole report"},
        ),
        figures=[
            report(
                f"results/{{run}}/{study}/figures/claims.svg",
                caption="../report/figure.rst",
                category="Verdicts",
                labels={"run": "{run}", "shows": f"tested claims of {study}"},
            )
            for study in PLAN.studies
        ],
    log:
        "logs/{run}/report_page.log",
    benchmark:
        "logs/{run}/report_page.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
    params:
        studies=[PLAN.study_slice(study) for study in PLAN.studies],
        curves=[(job.study, curve) for job in PLAN.analyses() for curve in job.curves],
        choices=PLAN.choosing(),
        scores=REPORT_SCORES,
        rankings=REPORT_RANKINGS,
        seed=PLAN.config.seed,
        packages=[
            "numpy",
            "pandas",
            "scipy",
            "statsmodels",
            "matplotlib",
            "pydeseq2",
            "gseapy",
            "lifelines",
            "snakemake",
        ],
    message:
        "Writing the report page ({wildcards.run})"
    script:
        "../scripts/report.py"
