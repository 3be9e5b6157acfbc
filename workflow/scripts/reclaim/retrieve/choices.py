"""Experiments chosen from a list: recorded in the lock, and loud when the choice is another one than before."""

from __future__ import annotations

from collections.abc import Iterator

from reclaim.experiments import Choices
from reclaim.retrieve.lock import LockContent, LockedChoice


def record_choices(old: LockContent, study: str, choices: Choices, now: str) -> LockContent:
    """The lock with the study's choices; those that are as they were keep their date."""
    before = old.experiments.get(study, {})
    recorded = {}
    for name, choice in choices.datasets.items():
        same = name in before and before[name].experiments == choice.experiments
        recorded[name] = before[name] if same else LockedChoice(experiments=choice.experiments, chosen_at=now)
    others = {key: value for key, value in old.experiments.items() if key != study}
    return old.model_copy(update={"experiments": {**others, **({study: recorded} if recorded else {})}})


def told_changes(old: LockContent, study: str, choices: Choices) -> Iterator[str]:
    """A line for every data set whose experiments are not those of the lock."""
    for name, choice in choices.datasets.items():
        before = old.experiments.get(study, {}).get(name)
        if before is None or before.experiments == choice.experiments:
            continue
        gone = [one for one in before.experiments if one not in choice.experiments]
        new = [one for one in choice.experiments if one not in before.experiments]
        yield (
            f"{study}: {name}: other experiments than those chosen on {before.chosen_at}: "
            f"{', '.join(gone) or 'none'} left out, {', '.join(new) or 'none'} added. The study file asks for others, "
            "or an accepted list names others: results rest on other data than before"
        )
