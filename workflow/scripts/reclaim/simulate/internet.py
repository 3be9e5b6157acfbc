"""All services of one study in one world, as a store in URL layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from reclaim.config import World
from reclaim.dataset import CbioportalDataset
from reclaim.simulate.cbioportal import write_study
from reclaim.simulate.cohort import simulate_cohort
from reclaim.simulate.truth import plant
from reclaim.study import Study


def simulate_study(study: Study, world: World, seed: int, store: Path) -> dict[str, Any]:
    """Write every public data set of the study into `store`; returns what was planted.

    Local files (`source: file`) are the user's own and are not simulated.
    """
    manifest: dict[str, Any] = {
        "SIMULATED": True,
        "study": study.id,
        "world": world,
        "seed": seed,
        "datasets": {},
    }
    for name, dataset in study.datasets.items():
        if isinstance(dataset, CbioportalDataset):
            truth = plant(study, name, world)
            generator = np.random.default_rng(
                [seed, crc32(world.encode()), crc32(f"{study.id}/{name}".encode())]
            )
            asked = {
                column: wanted
                for _, test in study.tests()
                if name in test.datasets
                for column, wanted in test.samples.items()
            }
            columns = {**dataset.expect, **asked, **dataset.samples}
            cohort = simulate_cohort(name, dataset, columns, truth, generator)
            manifest["datasets"][name] = {
                "urls": write_study(cohort, dataset, world, store),
                "shares": {gene: shares.altered for gene, shares in truth.genes.items()},
                "odds_ratios": {f"{pair.first} {pair.second}": pair.odds_ratio for pair in truth.pairs},
                "low_content": truth.low_content,
            }
    return manifest
