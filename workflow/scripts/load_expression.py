"""Read one data set of expression, or one clinical table, into its canonical object."""

from pathlib import Path

from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.job import job, write_json, write_whole
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.load_expression import load_expression
from reclaim.symbols import SymbolTable

with job(snakemake.log[0]):
    store = Path(snakemake.params.store)
    receipt, *references = (
        Receipt.model_validate_json(Path(path).read_bytes())
        for path in (snakemake.input.receipt, *snakemake.input.symbols)
    )
    tables = [SymbolTable.read(symbols.open(store)["symbols"]) for symbols in references]
    data, ledger = load_expression(
        TypeAdapter(Dataset).validate_python(snakemake.params.dataset["dataset"]),
        receipt,
        store,
        tables[0] if tables else None,
    )
    write_whole(snakemake.output.data, lambda path: data.write_h5ad(path, compression="gzip"))
    write_json(snakemake.output.ledger, ledger.model_dump())
