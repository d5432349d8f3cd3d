"""What a resource's status means for stock, in one vocabulary for all resource types."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Status:
    """The meaning of one status code.

    `key_suffix`: a state before the fact has a key of its own, so that the completed resource that follows is the fact itself and
    no conflicting version of it. A state that ends the resource shares the fact's key: if the fact was posted before, the
    contradiction opens a case.
    """

    no_effect: str | None = None
    key_suffix: str = ""
    is_error: bool = False

    def why_nothing_moves(self, quantity: Decimal | None) -> str | None:
        """Why this status and amount have no effect, else None. A mistake is taken back whatever amount it states."""
        if self.no_effect is None and not self.is_error and quantity is not None and quantity == 0:
            return "the amount is 0"
        return self.no_effect


POSTS: Final = Status()
"""The fact took place."""
TAKES_BACK: Final = Status(is_error=True)
"""The record was a mistake: whatever it moved is moved back."""


def before(code: str, reason: str) -> Status:
    """Nothing took place yet."""
    return Status(no_effect=reason, key_suffix=f"|{code}")


def ends(reason: str) -> Status:
    """It will not take place (any more)."""
    return Status(no_effect=reason)
