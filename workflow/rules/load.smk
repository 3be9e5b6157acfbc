"""Needs receipts; makes the canonical tables of every data set, and a ledger of what was dropped."""


rule load_mutations:
    """Mutations, copy-number calls, samples and clinical columns of one cohort, one tumour per patient."""
    input:
        receipt="results/{run}/{study}/receipts/{dataset}.json",
        code=CODE["load_mutations"],
    output:
        mutations="results/{run}/{study}/data/{dataset}.mutations.parquet",
        copy_number="results/{run}/{study}/data/{dataset}.copy_number.parquet",
        samples="results/{run}/{study}/data/{dataset}.samples.parquet",
        clinical="results/{run}/{study}/data/{dataset}.clinical.parquet",
        ledger="results/{run}/{study}/data/{dataset}.ledger.json",
    log:
        "logs/{run}/{study}/load_mutations/{dataset}.log",
    benchmark:
        "logs/{run}/{study}/load_mutations/{dataset}.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        dataset=lambda wildcards: PLAN.dataset_slice(wildcards.study, wildcards.dataset),
        store=lambda wildcards: PLAN.store(wildcards.run, wildcards.study),
    message:
        "Loading {wildcards.dataset} of {wildcards.study} ({wildcards.run})"
    script:
        "../scripts/load_mutations.py"
