"""A URL is a path: where its bytes lie in a store."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaim.errors import UserError
from reclaim.retrieve.store import store_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://datahub.assets.cbioportal.org/x.tar.gz", "datahub.assets.cbioportal.org/x.tar.gz"),
        (
            "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap%2FHiSeqV2.gz",
            "tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap/HiSeqV2.gz",
        ),
        ("https://example.org/a%2520b", "example.org/a%20b"),  # decoded once, not twice
        ("https://EXAMPLE.org/A", "example.org/A"),
        ("http://localhost:8080/a", "localhost:8080/a"),
        ("https://ftp.ncbi.nlm.nih.gov/geo/series/suppl/", "ftp.ncbi.nlm.nih.gov/geo/series/suppl/@index"),
        ("https://example.org", "example.org/@index"),
    ],
)
def test_mapping(url: str, path: str) -> None:
    assert str(store_path(url)) == path


def test_a_query_is_stored_by_its_digest() -> None:
    query = "type=rnaseq_counts&acc=GSE1&format=file"
    found = store_path(f"https://www.ncbi.nlm.nih.gov/geo/download/?{query}")
    assert str(found) == f"www.ncbi.nlm.nih.gov/geo/download/@{sha256(query.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/a", "/a/b", "https:///a", "https://example.org/%2e%2e/a", "https://example.org/../a",
     "https://example.org/@index", "https://example.org/a%00b"],
)  # fmt: skip
def test_refused(url: str) -> None:
    with pytest.raises(UserError):
        store_path(url)


@given(st.text(min_size=1))
def test_no_path_leaves_the_store(text: str) -> None:
    try:
        path = store_path(f"https://example.org/{text}")
    except (UserError, UnicodeDecodeError, ValueError):
        return
    assert path.parts[0] == "example.org"
    assert ".." not in path.parts
    assert not path.is_absolute()
