"""Turn ChIP-Atlas' list of experiments into an index from which one genome is read fast."""

from pathlib import Path

from reclaim.job import job, logger, write_whole
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.experiment_list import index_experiments

with job(snakemake.log[0]):
    receipt = Receipt.model_validate_json(Path(snakemake.input.receipt).read_bytes())
    text = receipt.open(Path(snakemake.params.store))["experiments"]

    def write(index: Path) -> None:
        """The index, and what its list held."""
        found = index_experiments(text, index)
        logger.info("%d experiments", found.rows)
        for what, number in sorted(found.ledger.items()):
            if number:
                logger.info("%d %s", number, what)

    write_whole(snakemake.output.index, write)
