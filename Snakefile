"""reclaim: retest published cancer claims on public omics data.

`snakemake --cores all` makes the report of the configured run, `snakemake worlds` those of all four
simulated worlds, `snakemake verify` compares a store of public data with its lock. Rules follow the data: simulate, retrieve, load, analyse, assess, report.
"""

import sys
from pathlib import Path

HERE = Path(workflow.basedir)
sys.path.insert(0, str(HERE / "workflow" / "scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from reclaim.closure import import_closure
from reclaim.config import WORLDS
from reclaim.errors import UserError
from reclaim.plan import check_writable, make_plan


configfile: HERE / "config" / "config.yaml"


try:
    check_writable(Path("results"))
    PLAN = make_plan(config, HERE / "seeds", HERE / "tests" / "panel" / "control_claims.yaml")
except UserError as error:
    raise WorkflowError(str(error)) from None

REPORT = Path(f"results/{PLAN.run}/report.html").absolute()
if workflow.is_main_process:
    # Said at the start too: onsuccess is silent when there is nothing to do.
    logger.info(f"The report of {PLAN.run} {'is' if REPORT.exists() else 'will be'} {REPORT}")

# Library modules a script imports are inputs of its rule: Snakemake itself notices only the script.
CODE = {path.stem: import_closure(path) for path in (HERE / "workflow" / "scripts").glob("*.py")}


wildcard_constraints:
    run="[a-z0-9_]+",
    world="|".join(WORLDS),
    study="[a-z0-9_]+",
    dataset="[a-z0-9_]+",


# Seconds of work, or the network, which compute nodes of a cluster often lack.
localrules:
    all,
    worlds,
    announce,
    retrieve,
    select_experiments,
    verify,


rule all:
    """The report of the configured run."""
    default_target: True
    input:
        f"results/{PLAN.run}/report.html",
    message:
        f"The report of {PLAN.run} is complete"


rule worlds:
    """The reports of all four simulated worlds."""
    input:
        expand("results/{run}/report.html", run=WORLDS),
    message:
        "The reports of all simulated worlds are complete"


include: "workflow/rules/simulate.smk"
include: "workflow/rules/retrieve.smk"
include: "workflow/rules/load.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/assess.smk"
include: "workflow/rules/report.smk"


onsuccess:
    if REPORT.exists():
        print(f"\nReport: {REPORT}")
