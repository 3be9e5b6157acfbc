"""Needs canonical data; makes evidence rows and full results, one job per study and kind of analysis."""

for JOB in PLAN.analyses():

    rule:
        """All tests of one study with one kind of analysis."""
        name:
            f"{JOB.analysis}_{JOB.study}"
        input:
            data=JOB.data,
            ledgers=JOB.ledgers,
            rankings=list(JOB.rankings.values()),
            libraries=list(JOB.libraries.values()),
            genome=list(JOB.genome.values()),
            code=CODE[JOB.analysis],
        output:
            evidence=f"results/{{run}}/{JOB.study}/evidence/{JOB.analysis}.tsv",
            results=[f"results/{{run}}/{JOB.study}/{result}.parquet" for result in JOB.results],
            curves=[f"results/{{run}}/{JOB.study}/{curve}.curves.json" for curve in JOB.curves],
        log:
            f"logs/{{run}}/{JOB.study}/{JOB.analysis}.log",
        benchmark:
            f"logs/{{run}}/{JOB.study}/{JOB.analysis}.benchmark.tsv"
        conda:
            "../../envs/reclaim.yaml"
        resources:
            # Canonical files are packed, at best to an eighth.
            mem_mb=lambda wildcards, input, attempt: max(2000, round(8 * input.size_mb)) * attempt,
        params:
            # The script's path is read from params: a name bound here would be the last of the loop.
            analysis=JOB.analysis,
            slice=JOB.slice,
            datasets=JOB.datasets,
            rankings=list(JOB.rankings),
            libraries=list(JOB.libraries),
            genome=list(JOB.genome),
            store=lambda wildcards, study=JOB.study: PLAN.store(wildcards.run, study),
            results=JOB.results,
        message:
            f"Running {JOB.analysis} tests of {JOB.study} ({{wildcards.run}})"
        script:
            "../scripts/{params.analysis}.py"
