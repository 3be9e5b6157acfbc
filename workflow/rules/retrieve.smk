"""Needs a store (simulated or public) or local files; makes one receipt per data set."""


rule retrieve:
    """Identify the bytes of a data set: path, size, sha256, URL."""
    input:
        simulated=lambda wildcards: (
            "simulated/{run}/{study}/simulation.json" if PLAN.is_simulated(wildcards.run) else []
        ),
        code=CODE["retrieve"],
    output:
        receipt="results/{run}/{study}/receipts/{dataset}.json",
    log:
        "logs/{run}/{study}/retrieve/{dataset}.log",
    benchmark:
        "logs/{run}/{study}/retrieve/{dataset}.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        downloads=1,
    params:
        dataset=lambda wildcards: PLAN.dataset_slice(wildcards.study, wildcards.dataset),
        store=lambda wildcards: PLAN.store(wildcards.run, wildcards.study),
    message:
        "Identifying {wildcards.dataset} of {wildcards.study} ({wildcards.run})"
    script:
        "../scripts/retrieve.py"
