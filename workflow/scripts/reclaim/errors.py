"""Mistakes of a user, told in one line each: place, what was found, what was expected, the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can mend. Its text is one line, or one line per mistake."""

    def __init__(self, messages: str | Iterable[str]) -> None:
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


class AbsentData(Exception):
    """A data set does not match its description; its tests become invalid and the run goes on."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None when none is near."""
    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_case, n=1, cutoff=0.6)
    return by_case[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean X?' with the nearest known word, or an empty string."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""
