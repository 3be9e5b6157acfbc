"""Whether a store still holds the bytes that its lock names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reclaim.errors import UserError
from reclaim.retrieve.content import NotTheData, identify
from reclaim.retrieve.lock import LOCK_NAME, DataLock
from reclaim.retrieve.store import is_listing, own_folder, store_path


def verify(lock: DataLock) -> list[str]:
    """Hash every locked file of the store; returns what there is to say of an intact one.

    Raises UserError that lists the files whose bytes are not the locked ones. Files that are locked and
    not there are no damage: they are fetched when a run needs them.
    """
    if not lock.exists:
        raise UserError(
            f"{lock.path}: there is no lock, so nothing to compare with; set data.store to a store that "
            "data.source: public has filled"
        )
    files = {url: entry for url, entry in lock.read().files.items() if entry.sha256}
    changed, there = [], 0
    for url, entry in files.items():
        path = lock.store / store_path(url)
        if not path.is_file():
            continue
        there += 1
        try:
            found = identify(path, listing=is_listing(url)).sha256
        except NotTheData as stand_in:
            found = str(stand_in)
        if found != entry.sha256:
            changed.append(
                f"{path}: not the locked bytes (sha256 {str(entry.sha256)[:12]}... locked, {found[:12]}... found); "
                f"delete it and run again to have it from {url}"
            )
    if changed:
        raise UserError(changed)
    away = len(files) - there
    said = [
        f"{lock.store}: {there} {'file holds' if there == 1 else 'files hold'} the locked bytes, "
        f"{away} {'is' if away == 1 else 'are'} locked and not here"
    ]
    known = {lock.store / store_path(url) for url in files}
    said += [f"{path}: not in the lock" for path in _files(lock.store) if path not in known]
    return said


def _files(store: Path) -> Iterator[Path]:
    """Every data file of a store, sorted."""
    own = own_folder(store)
    for folder, folders, names in os.walk(store):
        folders[:] = sorted(name for name in folders if Path(folder, name) != own)
        yield from (Path(folder, name) for name in sorted(names) if name != LOCK_NAME)
