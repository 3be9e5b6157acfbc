"""Fixtures that several kinds of test share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from public_internet import PublicInternet


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicInternet]:
    """The public services on this machine; this process and those it starts reach them by proxy."""
    with PublicInternet() as services:
        for name, value in services.environment.items():
            monkeypatch.setenv(name, value)
        yield services
