"""Which acknowledgements a message gets: original and enhanced mode.

Source: HL7 v2.8.2 §2.9.2, §2.9.3, §2.14.9.15/16 (MSH-15, MSH-16), tables 0008 and 0155. In original mode (both empty) one answer
says AA, AE or AR. In enhanced mode MSH-15 asks for an accept acknowledgement (CA: the message is safe with us; CE, CR: it is
not), and MSH-16 for an application acknowledgement (AA, AE, AR); an empty one of the two asks for none.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from connectors.hl7.ack import AckCode


class Verdict(Enum):
    """What became of a message."""

    TAKEN = "taken"  # stored; nothing is known against it
    ERROR = "error"  # stored, but it can't be used, and its profile wants its sender told (AE)
    REJECTED = "rejected"  # stored, but the same with AR
    NOT_STORED = "not stored"  # refused for good: too large


_APPLICATION: Final[dict[Verdict, AckCode]] = {
    Verdict.TAKEN: "AA", Verdict.ERROR: "AE", Verdict.REJECTED: "AR", Verdict.NOT_STORED: "AR",
}  # fmt: skip
_WHEN: Final = {"AL": (True, True), "SU": (True, False), "ER": (False, True)}
"""Table 0155: whether to answer a success, and a failure. NE and anything else: never."""


def answers(accept: str, application: str, verdict: Verdict) -> list[AckCode]:
    """The codes to answer with, in order; `accept` is MSH-15, `application` MSH-16. Nothing at all is a legal answer."""
    accept, application = accept.strip().upper(), application.strip().upper()
    if not accept and not application:
        return [_APPLICATION[verdict]]
    found: list[AckCode] = []
    stored = verdict is not Verdict.NOT_STORED
    if _wanted(accept, success=stored):
        found.append("CA" if stored else "CR")
    if stored and _wanted(application, success=verdict is Verdict.TAKEN):
        found.append(_APPLICATION[verdict])
    return found


def _wanted(condition: str, *, success: bool) -> bool:
    on_success, on_failure = _WHEN.get(condition, (False, False))
    return on_success if success else on_failure
