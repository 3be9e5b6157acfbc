"""Marker genes of what varies most between tumours: immune cells, and how many cells divide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SCORES: Mapping[str, Sequence[str]] = {
    # Danaher 2017, doi 10.1186/s40425-017-0215-8: CD45, T cells, B cells, cytotoxic cells.
    "immune": (
        "PTPRC", "CD3D", "CD3E", "CD3G", "CD6", "SH2D1A", "TRAT1", "CD19", "MS4A1", "CTSW", "GZMA", "GZMB",
        "GZMH", "KLRB1", "KLRD1", "KLRK1", "NKG7", "PRF1",
    ),
    # Nielsen 2010, doi 10.1158/1078-0432.CCR-10-1282: the eleven proliferation genes of PAM50.
    "proliferation": (
        "BIRC5", "CCNB1", "CDC20", "NUF2", "CEP55", "NDC80", "MKI67", "PTTG1", "RRM2", "TYMS", "UBE2C",
    ),
}  # fmt: skip
"""A score is the mean of its genes, each scaled to standard deviation 1."""

MIN_MARKERS = 3
PURITY = "purity"
ARMS = "the difference between the arms"
"""How much more like a case than like a control a sample is among those of its own arm."""
