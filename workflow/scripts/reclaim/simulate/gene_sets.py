"""Gene-set libraries, SIMULATED, in GMT as Enrichr and MSigDB serve it."""

from __future__ import annotations

import numpy as np

from reclaim.claim_tests import DifferentialExpression
from reclaim.reference import EnrichrLibrary
from reclaim.simulate.effects import members, named_genes
from reclaim.simulate.expression import all_genes
from reclaim.study import LibrarySet, Study

OTHER_SETS, OTHER_SIZE = 20, 30


def gene_set_library(study: Study, library: str, generator: np.random.Generator) -> bytes:
    """The sets that the study takes from the library, with invented members, among others drawn at random.

    The gene whose test makes the ranking is a member of each of them: a trap, since it must not count for itself.
    """
    genes, tested = all_genes(study), named_genes(study)
    own = [test.feature.gene for _, test in study.tests() if isinstance(test, DifferentialExpression)]
    subject = [gene for gene in own if gene][:1]
    lines = []
    for name, one in study.gene_sets.items():
        if isinstance(one, LibrarySet) and one.library == library:
            lines.append((one.set, [*members(study, name), *subject]))
    background = [gene for gene in genes if gene not in tested]
    for number in range(OTHER_SETS):
        drawn = generator.choice(background, OTHER_SIZE, replace=False)
        lines.append((f"SIMULATED set {number:02d}", [str(gene) for gene in drawn]))
    # Enrichr leaves the second column empty.
    about = "" if isinstance(study.libraries[library], EnrichrLibrary) else "SIMULATED"
    lines.sort(key=lambda line: not line[0].startswith("SIMULATED"))
    return "".join("\t".join([name, about, *drawn]) + "\n" for name, drawn in lines).encode()
