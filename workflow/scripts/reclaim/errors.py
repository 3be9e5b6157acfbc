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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean X or Y?' with the nearest known words, or an empty string."""
    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_case, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(by_case[n] for n in near)}?" if near else ""
