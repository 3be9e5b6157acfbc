"""Needs a study; makes its simulated store in one world, in the wire formats of the public services.

The files of a store are no outputs of the rule (Snakemake would delete them when a job fails); the
manifest, which says what was planted, stands for them.
"""


rule simulate:
    """Plant the study's claims in one of the four worlds."""
    input:
        code=CODE["simulate"],
    output:
        manifest="simulated/{world}/{study}/simulation.json",
    log:
        "logs/simulate/{world}/{study}.log",
    benchmark:
        "logs/simulate/{world}/{study}.benchmark.tsv"
    conda:
        "../../envs/reclaim.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
    params:
        study=lambda wildcards: PLAN.study_slice(wildcards.study),
        seed=PLAN.config.seed,
        store=subpath(output.manifest, parent=True),
    message:
        "Simulating data of {wildcards.study} ({wildcards.world})"
    script:
        "../scripts/simulate.py"
