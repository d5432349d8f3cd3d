"""Messages of a dispensing cabinet, as the shipped profile `vista-oms` reads them, folded by a whole site."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.topics import BALANCES
from tests.support.hub import SiteHub
from tests.unit.hl7.support import ORC, PID, PV1, body, events, header, segment

SENT = "20260601101500"


def zpm(code: str, amount: str = "", *, at: str = "20260601100000", **fields: str) -> str:
    """A ZPM segment of layout 2.5: `f8="10"` sets ZPM-8."""
    stated = {
        1: code, 2: "SYS1", 3: "ICU-CAB1", 4: "d1", 5: "p1", 6: "amox-1^Amoxicillin 250 mg", 10: amount,
        11: "N1^NURSE^ANN", 19: at, 34: "TAB",
    }  # fmt: skip
    return segment("ZPM", {**stated, **{int(name[1:]): text for name, text in fields.items()}})


def oms(*segments: str, control: str = "C1", version: str = "2.5.1", patient: bool = True) -> bytes:
    """An OMS^O05 round cabinet segments."""
    head = header("OMS^O05^OMS_O05", control=control, sent=SENT).removesuffix("2.5.1") + version
    return body(head, *([PID, PV1, ORC] if patient else []), *segments)


def note(text: str = "", kind: str = "") -> str:
    """A comment: NTE-3 the text, NTE-4 its type."""
    return segment("NTE", {1: "1", 3: text, 4: kind})


class Cabinet:
    """A site that folds what a cabinet sends."""

    def __init__(self) -> None:
        self.site = SiteHub()

    def take(self, message: bytes, profile: str = "vista-oms") -> None:
        """One message arrives."""
        for event in events(message, profile=profile):
            self.site.tell(event)

    def on_hand(self, place: str = "icu/cab1/d1/p1") -> int:
        """What the ledger says stands in a pocket, all lots and statuses."""
        return sum(int(one.quantity) for one in self.site.latest(BALANCES) if one.location == place)

    def after(self, messages: Iterable[bytes]) -> list[int]:
        """The pocket's stock after each message."""
        found = []
        for message in messages:
            self.take(message)
            found.append(self.on_hand())
        return found
