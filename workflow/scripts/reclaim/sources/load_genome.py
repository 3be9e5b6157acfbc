"""Tables of the genome that analyses of regions need, from the files of their receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reclaim.reference import ELEMENTS, GENES
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.genome_annotation import read_ccres, read_tss

READERS = {GENES: read_tss, ELEMENTS: read_ccres}


def load_genome(receipts: Mapping[str, Receipt], store: Path) -> dict[str, pd.DataFrame]:
    """Transcription start sites and candidate elements by the name of their reference, as far as there are receipts."""
    return {
        name: READERS[name](receipt.open(store)[name], None, Counter()) for name, receipt in receipts.items()
    }
