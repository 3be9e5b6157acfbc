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


rule index_experiments:
    """ChIP-Atlas' list of all experiments as an index."""
    input:
        receipt="results/{run}/{study}/receipts/chip_atlas_experiments.json",
        code=CODE["index_experiments"],
    output:
        index="results/{run}/{study}/experiment_list.parquet",
    log:
        "logs/{run}/{study}/index_experiments.log",
    benchmark:
        "logs/{run}/{study}/index_experiments.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
    params:
        store=lambda wildcards: PLAN.store(wildcards.run, wildcards.study),
    message:
        "Indexing the experiments of ChIP-Atlas for {wildcards.study} ({wildcards.run})"
    script:
        "../scripts/index_experiments.py"


rule select_experiments:
    """The experiments that the study's data sets of ChIP-Atlas rest on, every candidate with its reason."""
    input:
        index="results/{run}/{study}/experiment_list.parquet",
        code=CODE["select_experiments"],
    output:
        choices="results/{run}/{study}/experiments.json",
    log:
        "logs/{run}/{study}/select_experiments.log",
    benchmark:
        "logs/{run}/{study}/select_experiments.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    params:
        study=lambda wildcards: PLAN.study_slice(wildcards.study),
        store=lambda wildcards: PLAN.store(wildcards.run, wildcards.study),
        simulated=lambda wildcards: PLAN.is_simulated(wildcards.run),
    message:
        "Choosing experiments of {wildcards.study} ({wildcards.run})"
    script:
        "../scripts/select_experiments.py"


for STUDY in PLAN.choosing():

    rule:
        """Bring the peaks of the chosen experiments into the store and identify them."""
        name:
            f"retrieve_peaks_{STUDY}"
        input:
            simulated=lambda wildcards, study=STUDY: (
                f"simulated/{wildcards.run}/{study}/simulation.json"
                if PLAN.is_simulated(wildcards.run)
                else []
            ),
            downloads=lambda wildcards: (
                [] if PLAN.is_simulated(wildcards.run) else ancient("results/{run}/downloads.json")
            ),
            choices=f"results/{{run}}/{STUDY}/experiments.json",
            code=CODE["retrieve"],
        output:
            receipt=f"results/{{run}}/{STUDY}/receipts/{{dataset}}.json",
        log:
            f"logs/{{run}}/{STUDY}/retrieve/{{dataset}}.log",
        benchmark:
            f"logs/{{run}}/{STUDY}/retrieve/{{dataset}}.benchmark.tsv"
        wildcard_constraints:
            dataset="|".join(PLAN.chosen_names(STUDY)),
        localrule: True
        conda:
            "../../envs/reclaim.yaml"
        resources:
            downloads=1,
        params:
            dataset=lambda wildcards, study=STUDY: PLAN.dataset_slice(study, wildcards.dataset),
            store=lambda wildcards, study=STUDY: PLAN.store(wildcards.run, study),
        message:
            f"Retrieving {{wildcards.dataset}} of {STUDY} ({{wildcards.run}})"
        script:
            "../scripts/retrieve.py"

    # Only here: data sets of other studies may have the same names.
    workflow.ruleorder(f"retrieve_peaks_{STUDY}", "retrieve")


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
