"""From stored bytes to canonical objects, with a ledger of everything dropped on the way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from reclaim.dataset import CbioportalDataset, FileDataset
from reclaim.errors import AbsentData
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort, one_tumour_per_patient
from reclaim.retrieve.receipt import Receipt
from reclaim.selection import describe, select
from reclaim.sources.cbioportal import read_study_files
from reclaim.sources.local_maf import read_local_maf


def load_mutations(
    dataset: CbioportalDataset | FileDataset, receipt: Receipt, store: Path
) -> tuple[Cohort, Ledger]:
    """The cohort (one tumour per patient, validated) and its ledger; `store` is where the receipt's files lie.

    Data that their service does not have, or that do not match their description, give an empty cohort and a ledger with status `absent`.
    """
    dropped: Counter[str] = Counter()
    try:
        if receipt.status == "absent":
            raise AbsentData(receipt.reason)
        paths = receipt.open(store)
        if isinstance(dataset, FileDataset):
            cohort = read_local_maf(dataset, paths, dropped)
        else:
            cohort = read_study_files(dataset, paths, dropped)
        if dataset.expect and not select(cohort.clinical, dataset.expect).any():
            raise AbsentData(f"not the data that were expected: no sample with {describe(dataset.expect)}")
        cohort, flow = one_tumour_per_patient(cohort, dataset.samples)
    except AbsentData as reason:
        return Cohort.empty(), Ledger(status="absent", reason=str(reason), simulated=receipt.simulated)
    counts = {name: count for name, count in sorted(dropped.items()) if count}
    return cohort.validated(), Ledger(
        status="present", simulated=receipt.simulated, flow=flow, dropped=counts
    )
