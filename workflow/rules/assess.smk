"""Needs the evidence of all studies, and when their claims were registered; makes how often chance or any
other gene would have passed, and the tables of outcomes and verdicts."""

for JOB in PLAN.calibrations():

    rule:
        """Run the rule of every claim of one study on permuted labels and on comparable genes."""
        name:
            f"calibrate_{JOB.study}"
        input:
            evidence=JOB.evidence,
            expression=list(JOB.expression.values()),
            tables=list(JOB.tables.values()),
            libraries=list(JOB.libraries.values()),
            regions=JOB.regions,
            genome=list(JOB.genome.values()),
            code=CODE["calibrate"],
        output:
            calibration=f"results/{{run}}/{JOB.study}/calibration.json",
        log:
            f"logs/{{run}}/{JOB.study}/calibrate.log",
        benchmark:
            f"logs/{{run}}/{JOB.study}/calibrate.benchmark.tsv"
        conda:
            "../../envs/reclaim.yaml"
        resources:
            mem_mb=lambda wildcards, input, attempt: max(2000, round(8 * input.size_mb)) * attempt,
        params:
            study=PLAN.study_slice(JOB.study),
            expression=list(JOB.expression),
            tables=list(JOB.tables),
            libraries=list(JOB.libraries),
            regions=JOB.datasets,
            genome=list(JOB.genome),
            store=lambda wildcards, study=JOB.study: PLAN.store(wildcards.run, study),
            seed=PLAN.config.seed,
        message:
            f"Calibrating the claims of {JOB.study} ({{wildcards.run}})"
        script:
            "../scripts/calibrate.py"


rule assess:
    """Judge every test and every claim of a run."""
    input:
        evidence=[f"results/{{run}}/{job.study}/evidence/{job.analysis}.tsv" for job in PLAN.analyses()],
        calibrations=[f"results/{{run}}/{job.study}/calibration.json" for job in PLAN.calibrations()],
        comparators=list(PLAN.comparators().values()),
        registration=lambda wildcards: PLAN.registration(wildcards.run),
        code=CODE["assess"],
    output:
        evidence="results/{run}/evidence.tsv",
        claims=report(
            "results/{run}/claims.tsv",
            caption="../report/claims.rst",
            category="Verdicts",
            labels={"run": "{run}", "shows": "one row per claim"},
        ),
        claims_json="results/{run}/claims.json",
    log:
        "logs/{run}/assess.log",
    benchmark:
        "logs/{run}/assess.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
    params:
        studies=[PLAN.study_slice(study) for study in PLAN.studies],
        comparators=list(PLAN.comparators()),
        seed=PLAN.config.seed,
    message:
        "Judging every claim ({wildcards.run})"
    script:
        "../scripts/assess.py"
