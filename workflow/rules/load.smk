"""Needs receipts; makes the canonical objects of every data set, and a ledger of what was dropped.

One rule per study and kind of data: names of data sets need not differ between studies.
"""

for STUDY in PLAN.studies:

    rule:
        """Mutations, copy-number calls, samples and clinical columns of a cohort, one tumour per patient."""
        name:
            f"load_mutations_{STUDY}"
        input:
            receipt=f"results/{{run}}/{STUDY}/receipts/{{dataset}}.json",
            code=CODE["load_mutations"],
        output:
            mutations=f"results/{{run}}/{STUDY}/data/{{dataset}}.mutations.parquet",
            copy_number=f"results/{{run}}/{STUDY}/data/{{dataset}}.copy_number.parquet",
            samples=f"results/{{run}}/{STUDY}/data/{{dataset}}.samples.parquet",
            clinical=f"results/{{run}}/{STUDY}/data/{{dataset}}.clinical.parquet",
            ledger=f"results/{{run}}/{STUDY}/data/{{dataset}}.ledger.json",
        log:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.log",
        benchmark:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.benchmark.tsv"
        wildcard_constraints:
            dataset="|".join(PLAN.names_of(STUDY, "mutations")) or "(?!)",
        conda:
            "../../envs/reclaim.yaml"
        resources:
            mem_mb=lambda wildcards, attempt: 2000 * attempt,
        params:
            dataset=lambda wildcards, study=STUDY: PLAN.dataset_slice(study, wildcards.dataset),
            store=lambda wildcards, study=STUDY: PLAN.store(wildcards.run, study),
        message:
            f"Loading {{wildcards.dataset}} of {STUDY} ({{wildcards.run}})"
        script:
            "../scripts/load_mutations.py"

    rule:
        """Regions that factors bind, the experiments they come from, and scores that ChIP-Atlas computed itself."""
        name:
            f"load_regions_{STUDY}"
        input:
            receipt=f"results/{{run}}/{STUDY}/receipts/{{dataset}}.json",
            choices=lambda wildcards, study=STUDY: PLAN.choices(wildcards.run, study, wildcards.dataset),
            genome=[f"results/{{run}}/{STUDY}/receipts/{name}.json" for name in ("chromosomes", "blacklist")],
            code=CODE["load_regions"],
        output:
            regions=f"results/{{run}}/{STUDY}/data/{{dataset}}.regions.parquet",
            experiments=f"results/{{run}}/{STUDY}/data/{{dataset}}.experiments.parquet",
            scores=f"results/{{run}}/{STUDY}/data/{{dataset}}.scores.parquet",
            ledger=f"results/{{run}}/{STUDY}/data/{{dataset}}.ledger.json",
        log:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.log",
        benchmark:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.benchmark.tsv"
        wildcard_constraints:
            dataset="|".join(PLAN.names_of(STUDY, "regions")) or "(?!)",
        conda:
            "../../envs/reclaim.yaml"
        resources:
            mem_mb=lambda wildcards, attempt: 4000 * attempt,
        params:
            dataset=lambda wildcards, study=STUDY: PLAN.dataset_slice(study, wildcards.dataset),
            store=lambda wildcards, study=STUDY: PLAN.store(wildcards.run, study),
        message:
            f"Loading {{wildcards.dataset}} of {STUDY} ({{wildcards.run}})"
        script:
            "../scripts/load_regions.py"

    rule:
        """Expression, or gene effects, of a data set under approved gene symbols, with its samples; or a clinical table."""
        name:
            f"load_expression_{STUDY}"
        input:
            receipt=f"results/{{run}}/{STUDY}/receipts/{{dataset}}.json",
            symbols=lambda wildcards, study=STUDY: [
                f"results/{wildcards.run}/{study}/receipts/hgnc.json"
                for name in PLAN.names_of(study, "expression") + PLAN.names_of(study, "dependency")
                if name == wildcards.dataset
            ],
            code=CODE["load_expression"],
        output:
            data=f"results/{{run}}/{STUDY}/data/{{dataset}}.h5ad",
            ledger=f"results/{{run}}/{STUDY}/data/{{dataset}}.ledger.json",
        log:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.log",
        benchmark:
            f"logs/{{run}}/{STUDY}/load/{{dataset}}.benchmark.tsv"
        wildcard_constraints:
            dataset="|".join(
                name
                for kind in ("expression", "dependency", "clinical")
                for name in PLAN.names_of(STUDY, kind)
            )
            or "(?!)",
        conda:
            "../../envs/reclaim.yaml"
        resources:
            mem_mb=lambda wildcards, attempt: 6000 * attempt,
        params:
            dataset=lambda wildcards, study=STUDY: PLAN.dataset_slice(study, wildcards.dataset),
            store=lambda wildcards, study=STUDY: PLAN.store(wildcards.run, study),
        message:
            f"Loading {{wildcards.dataset}} of {STUDY} ({{wildcards.run}})"
        script:
            "../scripts/load_expression.py"
