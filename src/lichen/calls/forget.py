"""Forget: what is to be erased, and whether a piece of what lichen holds is that.

    Forget(tenant="9f8a…")            all that was kept for one credential
    Forget(contains="Jane Doe")       all texts that hold these words, in any case of letters
    Forget(before=moment)             all that is older than a moment

Where more than one is given, all must hold. Nothing given would mean everything, so it is refused.
A tenant is the hash of a credential, as the ledger's column `tenant` has it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.ledger.window import microseconds

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Forget:
    """What is to be erased: of a tenant, with a text in it, older than a moment.

    Raises:
        InputError: nothing is given.
        NaiveTime: the moment has no time zone.
    """

    tenant: str = ""
    contains: str = ""
    before: datetime | None = None

    def __post_init__(self) -> None:
        """Everything is never meant by saying nothing."""
        if not (self.tenant or self.contains or self.before):
            raise InputError(
                "nothing says what is to be forgotten: give a tenant, a text or a moment"
            )
        if self.before is not None:
            microseconds(self.before)

    @property
    def before_us(self) -> int:
        """The moment in µs since 1970; later than all where none is given."""
        return 2**63 - 1 if self.before is None else microseconds(self.before)

    @property
    def _forms(self) -> set[str]:
        return {form.casefold() for form in (self.contains, *_escaped(self.contains))}

    @property
    def reach(self) -> int:
        """The most that the words take in a text, in any case of letters and in UTF-8. [byte]"""
        return 4 * max(map(len, self._forms))

    def covers(self, *, tenant: str, at_us: int, texts: tuple[str | bytes, ...] = ()) -> bool:
        """Whether something kept at a time [µs since 1970] for a tenant, with its texts, is meant.

        What does not say whose it is may be anyone's, so that it is meant, too.
        """
        if self.tenant and tenant not in ("", self.tenant):
            return False
        return at_us < self.before_us and (not self.contains or self.is_in(*texts))

    def is_in(self, *texts: str | bytes) -> bool:
        """Whether one of the texts holds the words, as they are or as JSON escapes them."""
        if not self.contains:
            return False
        wanted = self._forms
        for text in texts:
            plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            folded = plain.casefold()
            if any(form in folded for form in wanted):
                return True
        return False


def _escaped(text: str) -> tuple[str, str]:
    r"""The text as JSON has it, whether it keeps to ASCII (é as \u00e9) or not."""
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
