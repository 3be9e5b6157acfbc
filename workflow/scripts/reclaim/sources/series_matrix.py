"""GEO's series matrix: what a series says about its samples, and the submitters' values.

Format: https://www.ncbi.nlm.nih.gov/geo/info/soft.html has the attributes. A line holds one attribute, a tab
between samples and quotes around texts; the table stands between `!series_matrix_table_begin` and `_end`, and is
empty for sequencing. Characteristics (`tag: value`) are ragged: a sample without a value moves its later ones to
earlier lines, so a line mixes tags.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reclaim.errors import UserError
from reclaim.sources.table_rows import MISSING, decoded_lines

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData

BEGIN, END = "!series_matrix_table_begin", "!series_matrix_table_end"
ACCESSION = "!Sample_geo_accession"
ATTRIBUTES = {
    "title": "!Sample_title",
    "source_name": "!Sample_source_name_ch1",
    "organism": "!Sample_organism_ch1",
    "platform": "!Sample_platform_id",
}
SECOND_CHANNEL = {
    "source_name (channel 2)": "!Sample_source_name_ch2",
    "organism (channel 2)": "!Sample_organism_ch2",
}
CHARACTERISTICS = {"!Sample_characteristics_ch1": "", "!Sample_characteristics_ch2": " (channel 2)"}
UNTAGGED = "characteristics"

Unit = Literal["log2_intensity", "intensity"]
Lines = Iterator[tuple[int, str]]
SampleLine = tuple[int, list[str]]


def read_series_matrix(path: Path, ledger: Counter[str]) -> AnnData:
    """Samples x probes: the submitters' values (float32, NaN where missing), 0 probes where the table is empty.

    obs: index GSM accession in the order of the file; text columns `title`, `source_name`, `organism`,
    `platform`, then one per tag of the characteristics, empty where a sample does not have it. Several values
    of one tag are joined by `; `. A tag that is called like one of the four is `<tag> (characteristic)`, tags
    of the second channel are `<tag> (channel 2)`, and characteristics without a tag are `characteristics`.
    var: index ID_REF. uns["unit"] as detect_unit says, or "none" where there are no values.

    The largest copies are a few times as large as the values: 33,000 probes x 1,000 samples need about 0.5 GB. Raises UserError for a truncated or damaged file.
    """
    import anndata as ad
    import numpy as np
    import pandas as pd

    lines: Lines = enumerate(decoded_lines(path, ledger), start=1)
    samples = _samples(path, lines)
    probes, values = _table(path, lines, list(samples.index), ledger)
    return ad.AnnData(
        values,
        obs=samples,
        var=pd.DataFrame(index=pd.Index(probes, dtype=object)),
        uns={"unit": "none" if np.isnan(values).all() else detect_unit(values)},
    )


def detect_unit(values: np.ndarray) -> Unit:
    """Whether array values (any shape, NaN where missing) are linear or log2 already, by GEO2R's rule.

    Linear, "intensity", when the 99th percentile exceeds 100, or when the range exceeds 50 and the lower
    quartile is positive (https://www.ncbi.nlm.nih.gov/geo/info/geo2r.html, the R script of any analysis).
    An older third clause of that script (quartiles between 0 and 1 and between 1 and 2) is left out, as in the
    present one: it took ratios and methylation for intensities. Raises ValueError without any value.
    """
    import numpy as np

    values = values[~np.isnan(values)]
    if not values.size:
        raise ValueError("no values")
    lowest, quartile, high, highest = np.quantile(values, [0, 0.25, 0.99, 1])
    linear = high > 100 or (highest - lowest > 50 and quartile > 0)
    return "intensity" if linear else "log2_intensity"


def _samples(path: Path, lines: Lines) -> pd.DataFrame:
    """The table of samples, from the lines above the table of values, which are consumed."""
    import pandas as pd

    wanted = {ACCESSION, *ATTRIBUTES.values(), *SECOND_CHANNEL.values(), *CHARACTERISTICS}
    found: dict[str, list[SampleLine]] = {name: [] for name in wanted}
    for number, line in lines:
        if line.startswith(BEGIN):
            break
        name, _, fields = line.partition("\t")
        if name in wanted:
            found[name].append((number, [_unquoted(text) for text in fields.split("\t")]))
    else:
        raise UserError(_truncated(path, BEGIN))
    if len(found[ACCESSION]) != 1:
        raise UserError(
            f"{path}: {len(found[ACCESSION])} lines {ACCESSION}; expected one, as in a GEO series matrix; "
            "delete the file and fetch it again"
        )
    accessions = found[ACCESSION][0][1]
    if repeated := [name for name, times in Counter(accessions).items() if times > 1]:
        raise UserError(
            f"{path}:{found[ACCESSION][0][0]}: the sample {repeated[0]!r} stands twice; fetch the file again"
        )
    for name, sample_lines in found.items():
        for number, texts in sample_lines:
            if len(texts) != len(accessions):
                raise UserError(
                    f"{path}:{number}: {len(texts)} values of {name} for {len(accessions)} samples: damaged; "
                    "delete the file and fetch it again"
                )
    columns = {column: _joined(found[name], len(accessions)) for column, name in ATTRIBUTES.items()}
    for column, name in SECOND_CHANNEL.items():
        if found[name]:
            columns[column] = _joined(found[name], len(accessions))
    for name, suffix in CHARACTERISTICS.items():
        for tag, values in _characteristics(found[name], len(accessions)).items():
            column = f"{tag}{suffix}"
            while column in columns:
                column += " (characteristic)"
            columns[column] = values
    return pd.DataFrame(columns, index=pd.Index(accessions, dtype=object), dtype=object)


def _joined(lines: Sequence[SampleLine], samples: int) -> list[str]:
    """One text per sample of an attribute that may stand in several lines; empty where it does not stand."""
    values: list[dict[str, None]] = [{} for _ in range(samples)]
    for _, texts in lines:
        for of_sample, text in zip(values, texts, strict=True):
            if text:
                of_sample[text] = None
    return ["; ".join(of_sample) for of_sample in values]


def _characteristics(lines: Sequence[SampleLine], samples: int) -> dict[str, list[str]]:
    """Tag -> value of every sample, tags in the order in which they first stand."""
    found: dict[str, list[dict[str, None]]] = {}
    for _, texts in lines:
        for sample, text in enumerate(texts):
            if text:
                tag, value = _tag(text)
                of_tag = found.setdefault(tag, [{} for _ in range(samples)])
                if value:
                    of_tag[sample][value] = None
    return {tag: ["; ".join(values) for values in of_tag] for tag, of_tag in found.items()}


def _tag(text: str) -> tuple[str, str]:
    """Tag and value. Tags may hold colons too, so the first colon with a space after it divides."""
    divider = ": " if ": " in text else ":"
    tag, colon, value = text.partition(divider)
    return (tag.strip(), value.strip()) if colon and tag.strip() else (UNTAGGED, text)


def _table(
    path: Path, lines: Lines, accessions: Sequence[str], ledger: Counter[str]
) -> tuple[list[str], np.ndarray]:
    """Probes, and samples x probes in the order of `accessions`."""
    import numpy as np

    number, line = next(lines, (0, END))
    header = [_unquoted(text) for text in line.split("\t")]
    if line.startswith(END):
        return [], np.empty((len(accessions), 0), np.float32)
    if header[0] != "ID_REF" or sorted(header[1:]) != sorted(accessions):
        raise UserError(
            f"{path}:{number}: the table is not of the samples that are described (begins {line[:60]!r}); expected "
            "ID_REF and the accessions; delete the file and fetch it again"
        )
    probes: dict[str, None] = {}
    values = array("f")
    for number, line in lines:
        if line.startswith(END):
            break
        first, _, rest = line.partition("\t")
        probe = _unquoted(first)
        if not probe or probe in probes:
            ledger["probes without a name" if not probe else "lines that repeat a probe"] += 1
            continue
        try:
            numbers = [float(text) for text in rest.split("\t")]
        except ValueError:
            numbers = _with_gaps(f"{path}:{number}", rest.split("\t"))
        if len(numbers) != len(accessions):
            raise UserError(
                f"{path}:{number}: {len(numbers)} values for {len(accessions)} samples: damaged; delete the file "
                "and fetch it again"
            )
        probes[probe] = None
        values.extend(numbers)
    else:
        raise UserError(_truncated(path, END))
    matrix = np.array(values, np.float32).reshape(len(probes), len(accessions))
    del values
    ledger["values that are infinite, taken as missing"] += int(np.isinf(matrix).sum())
    matrix[np.isinf(matrix)] = np.nan
    ledger["values that are missing"] += int(np.isnan(matrix).sum())
    order = {accession: column for column, accession in enumerate(header[1:])}
    return list(probes), np.ascontiguousarray(matrix.T[[order[accession] for accession in accessions]])


def _with_gaps(place: str, texts: Sequence[str]) -> list[float]:
    """A line of values of which some are quoted or missing."""
    numbers = []
    for text in map(_unquoted, texts):
        try:
            numbers.append(math.nan if text in MISSING else float(text))
        except ValueError:
            raise UserError(
                f"{place}: {text!r} where a value should stand: damaged; delete the file and fetch it again"
            ) from None
    return numbers


def _unquoted(text: str) -> str:
    """A field without the quotes around it; quotes inside are text."""
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == '"' else text


def _truncated(path: Path, missing: str) -> str:
    return f"{path}: no line {missing}: truncated or not a series matrix; delete it and fetch it again"
