"""Needs the evidence of all studies, and when their claims were registered; makes the tables of outcomes and verdicts."""


rule assess:
    """Judge every test and every claim of a run."""
    input:
        evidence=[f"results/{{run}}/{job.study}/evidence/{job.analysis}.tsv" for job in PLAN.analyses()],
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
        seed=PLAN.config.seed,
    message:
        "Judging every claim ({wildcards.run})"
    script:
        "../scripts/assess.py"
