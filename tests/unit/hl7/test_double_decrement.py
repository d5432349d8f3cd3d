"""One physical removal is one decrement: the truth table of `domain` §4 for a cabinet item, two tablets, as real messages."""

from __future__ import annotations

import itertools
import random

import pytest

from schemas.topics import OUTCOMES
from tests.unit.hl7.cabinet_messages import Cabinet, oms, zpm
from tests.unit.hl7.support import ORC, PID, PV1, body, events, header, segment

SENT = "20260601120000"
AMOX = "amox-1^Amoxicillin 250 mg tablet^L"
CABINET_PLACE = "ICU-CAB1"


def message(kind: str, *segments: str) -> bytes:
    return body(header(kind, sent=SENT), PID, PV1.replace("ICU^12^A^NORTH", CABINET_PLACE), *segments)


def rde() -> bytes:
    return message("RDE^O11", ORC, segment("RXE", {2: AMOX, 3: "2", 5: "TAB", 10: "2", 11: "TAB"}))


def vend(amount: str = "2", begin: str = "10", at: str = "20260601100000") -> bytes:
    return oms(zpm("V", amount, f8=begin, at=at))


def charge() -> bytes:
    ft1 = {1: "1", 2: "T1", 4: "20260601100000", 6: "CG", 7: "amox-1^Amoxicillin^NDC", 10: "2", 43: "2^TAB"}
    return message("DFT^P03", segment("FT1", ft1))


def rds() -> bytes:
    rxd = {1: "1", 2: AMOX, 3: "20260601100100", 4: "2", 5: "TAB", 7: "RX1", 26: CABINET_PLACE}
    return message("RDS^O13", ORC, segment("RXD", rxd))


def ras(amount: str = "2", status: str = "CP", action: str = "A") -> bytes:
    rxa = {1: "0", 2: "1", 3: "20260601101500", 5: AMOX, 6: amount, 7: "TAB", 11: CABINET_PLACE, 20: status, 21: action}
    return message("RAS^O17", ORC, segment("RXA", rxa))


def returned(amount: str) -> bytes:
    return oms(zpm("R", amount, f8="8", at="20260601103000"))


def wasted(amount: str) -> bytes:
    return oms(zpm("W", amount, f8="8", at="20260601103500", f12="N2"))


COUNT = oms(zpm("C", f9="10", at="20260601090000"))
TABLE = {
    "the whole chain: order, vend, charge, dispense, administration": ([rde(), vend(), charge(), rds(), ras()], 8),
    "refused, and brought back": ([rde(), vend(), ras(status="RE"), returned("2")], 10),
    "not administered, and brought back": ([rde(), vend(), ras(status="NA"), returned("2")], 10),
    "half given, half wasted": ([vend(), ras("1", "PA"), wasted("1")], 8),
    "administration corrected from two to one": ([vend(), ras(), ras("1", action="U")], 8),
    "administration taken back": ([vend(), ras(), ras(action="D")], 8),
    "override pull without an order": ([vend()], 8),
    "charge before the vend": ([charge(), vend()], 8),
    "order, charge and administration without a vend": ([rde(), charge(), ras()], 10),
}


def fold(messages: list[bytes]) -> Cabinet:
    cabinet = Cabinet()
    for one in [COUNT, *messages]:
        cabinet.take(one)
    return cabinet


@pytest.mark.parametrize("name", list(TABLE))
def test_in_every_order_and_doubled_the_pocket_ends_the_same(name: str) -> None:
    messages, expected = TABLE[name]
    assert fold(messages).on_hand() == expected
    for order in list(itertools.permutations(messages))[:24]:
        assert fold(list(order)).on_hand() == expected
    assert fold([*messages, *messages]).on_hand() == expected


def test_an_interface_that_was_down_for_six_hours_delivers_in_random_order() -> None:
    begin = 200
    day = [vend("1", str(begin - number), at=f"2026060110{number:02d}00") for number in range(60)]
    counted = oms(zpm("C", f9=str(begin), at="20260601090000"))
    expected = None
    for seed in range(5):
        shuffled = [*day, *day[:20]]
        random.Random(seed).shuffle(shuffled)
        cabinet = Cabinet()
        for one in [*shuffled[:40], counted, *shuffled[40:]]:
            cabinet.take(one)
        expected = expected or cabinet.on_hand()
        assert cabinet.on_hand() == expected == begin - 60


def test_every_message_says_why_it_moved_nothing() -> None:
    cabinet = fold([rde(), vend(), charge(), rds(), ras()])
    assert [(one.outcome, one.code) for one in cabinet.site.all(OUTCOMES)] == [
        ("accepted", "posted"), ("accepted", "no_movement"), ("accepted", "posted"), ("accepted", "not_authority"),
        ("accepted", "not_authority"), ("accepted", "not_authority"),
    ]  # fmt: skip


def test_an_order_never_moves_stock_however_often_it_comes() -> None:
    assert all(event.kind == "order" for event in events(rde()))


def reported(version: str = "2.5.1") -> tuple[bytes, bytes]:
    """One transaction twice: the cabinet's own message, and the charge that carries its ZPM."""
    zpm_segment = zpm("V", "2", f8="10", at="20260601100000")
    charge_segment = segment("FT1", {1: "1", 2: "T9", 4: "20260601100000", 6: "CHARGE", 7: "amox-1^Amoxicillin 250 mg", 10: "2"})
    return oms(zpm_segment, version=version), message("DFT^P03", charge_segment, zpm_segment)


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_transaction_as_zpm_and_as_charge_posts_once_whichever_comes_first(first: int) -> None:
    cabinet = Cabinet()
    cabinet.take(COUNT)
    both = list(zip(reported(), ("vista-oms", "vista-dft"), strict=True))
    for one, profile in (both[first], both[1 - first]):
        cabinet.take(one, profile)
    assert cabinet.on_hand() == 8
    assert [one.outcome for one in cabinet.site.all(OUTCOMES)] == ["accepted", "accepted", "duplicate"]
