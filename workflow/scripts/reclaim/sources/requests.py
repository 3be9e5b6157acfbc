"""Which files each kind of data set needs. Light imports only: no reader is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from string import Template

from reclaim.dataset import CbioportalDataset, FileDataset
from reclaim.errors import UserError
from reclaim.retrieve.receipt import Request

DATAHUB_ARCHIVE = "https://datahub.assets.cbioportal.org/{study}.tar.gz"
DATAHUB_FILE = "https://media.githubusercontent.com/media/cBioPortal/datahub/master/public/{study}/{file}"
DATAHUB_FILES = (
    "data_mutations.txt",
    "data_clinical_sample.txt",
    "data_clinical_patient.txt",
    "case_lists/cases_sequenced.txt",
)
DATAHUB_COPY_NUMBER_FILES = ("data_cna.txt", "case_lists/cases_cna.txt")


def requests_for(dataset: CbioportalDataset | FileDataset, beside: Path) -> list[Request]:
    """Every file of the data set; local paths are relative to the folder `beside`."""
    if isinstance(dataset, FileDataset):
        requests = [Request("data", path=expand_path(dataset.path, beside))]
        if dataset.sample_table:
            requests.append(Request("sample_table", path=expand_path(dataset.sample_table.path, beside)))
        return requests
    if dataset.layout == "archive":
        return [Request("archive", url=DATAHUB_ARCHIVE.format(study=dataset.study))]
    names = DATAHUB_FILES + (DATAHUB_COPY_NUMBER_FILES if dataset.copy_number else ())
    return [Request(name, url=DATAHUB_FILE.format(study=dataset.study, file=name)) for name in names]


def expand_path(text: str, beside: Path) -> Path:
    """A path of a study file: ${NAME} from the environment, relative paths beside the study file."""
    try:
        return beside / Template(text).substitute(os.environ)
    except KeyError as error:
        name = error.args[0]
        raise UserError(f"{text}: the environment variable {name} is not set; export {name}=...") from None
    except ValueError:
        raise UserError(
            f"{text}: a lone $; write ${{NAME}} for an environment variable, $$ for a dollar"
        ) from None
