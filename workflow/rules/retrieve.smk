"""Needs a store (simulated, public or a mirror) or local files; makes one receipt per data set.

Files of a store are no outputs (Snakemake would delete them when a job fails); receipts stand for them.
"""


rule announce:
    """Before any byte is fetched: register the claims in the lock, and say what will be downloaded."""
    input:
        code=CODE["announce"],
    output:
        registration="results/{run}/registration.json",
        downloads="results/{run}/downloads.json",
    log:
        "logs/{run}/announce.log",
    benchmark:
        "logs/{run}/announce.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    params:
        studies=[PLAN.study_slice(study) for study in PLAN.studies],
        beside=[PLAN.beside(study) for study in PLAN.studies],
        store=PLAN.config.data.store,
    message:
        "Registering claims and sizing up downloads ({wildcards.run})"
    script:
        "../scripts/announce.py"


rule retrieve:
    """Bring the bytes of a data set into the store and identify them: URL, path, size, sha256."""
    input:
        simulated=lambda wildcards: (
            "simulated/{run}/{study}/simulation.json" if PLAN.is_simulated(wildcards.run) else []
        ),
        # A new announcement is no reason to look at bytes again that have a receipt.
        downloads=lambda wildcards: (
            [] if PLAN.is_simulated(wildcards.run) else ancient("results/{run}/downloads.json")
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
        "Retrieving {wildcards.dataset} of {wildcards.study} ({wildcards.run})"
    script:
        "../scripts/retrieve.py"


rule verify:
    """Hash every file of the store again and compare with its lock."""
    input:
        code=CODE["verify"],
    log:
        "logs/verify.log",
    conda:
        "../../envs/reclaim.yaml"
    params:
        store=PLAN.config.data.store,
    message:
        "Comparing the store with its lock"
    script:
        "../scripts/verify.py"
