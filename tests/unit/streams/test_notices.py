"""Expected against arrived: what trading partners announced, and what is scanned (DSCSA; `domain` §3.9: suspect product)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import LocationKind
from schemas.notices import AnnouncedPackage, Notice, NoticeStep
from schemas.raw import RawRef
from schemas.topics import OUTCOMES
from streams.site.notices import to_verify
from tests.support.facts import START, minutes, reversal, told
from tests.support.world import GTIN, SITE, STORE, item, location
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

BIN = "main/quarantine"
SSCC, PALLET = "106141412345678908", "106141412345678915"
EXPIRY = date(2027, 5, 31)
_NUMBERS = count(1)


def hub(*more: Any, quarantine: bool = True) -> RecordedHub:
    return RecordedHub(*([location(BIN, LocationKind.QUARANTINE)] if quarantine else []), *more)


def notice(
    step: NoticeStep | str, *serials: str, key: str | None = None, at: datetime = START, **more: Any
) -> Notice:
    key = key or f"epcis|{step}|{serials}|{more.get('container')}"
    packages = tuple(AnnouncedPackage(gtin=GTIN, serial=one, lot=more.get("lot"), expiry=more.get("expiry")) for one in serials)
    return Notice(
        notice_id=derived_id("notice", SITE, key), notice_key=key, site=SITE, source="mck", raw=RawRef(partition=1, offset=next(_NUMBERS)),
        step=NoticeStep(step), at=at, received_at=at, packages=more.get("packages", packages), container=more.get("container"),
        containers=more.get("containers", ()), void=more.get("void", False), documents=("PO-7",),
    )  # fmt: skip


def made(*serials: str, lot: str = "L1", expiry: date | None = EXPIRY) -> Notice:
    return notice("commission", *serials, lot=lot, expiry=expiry, at=START - timedelta(days=9))


def shipped(*serials: str, **more: Any) -> Notice:
    return notice("ship", *serials, at=START - timedelta(days=1), **more)


def received(
    serial: str | None, key: str | None = None, *, lot: str | None = "L1", expiry: date | None = EXPIRY, **more: Any
) -> StockEvent:
    codes = (Code(system="gtin", value=GTIN),)
    return told("receive", 1, place=STORE, key=key, serial=serial, lot=lot, expiry=expiry, codes=codes, **more)


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == []


def test_what_was_announced_and_shipped_is_received_where_it_was_scanned() -> None:
    site = hub()
    site.say(made("S1", "S2"))
    site.say(shipped("S1", "S2"))
    site.hear(received("S1"), received("S2"))
    assert (site.usable(STORE), site.on_hand(BIN), site.open_cases()) == (2, 0, [])
    assert site.outcomes() == ["noted", "noted", "posted", "posted"]
    assert agrees(site)


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (received("S9"), f"GTIN {GTIN} serial number S9 was not announced by anybody"),
        (received("S2"), "serial number S2 was announced, but not as shipped here"),
        (received("S1", lot="L2"), "was announced with lot L1, and the package says L2"),
        (received("S1", expiry=date(2028, 1, 1)), "was announced with expiry 2027-05-31, and the package says 2028-01-01"),
        (received(None, lot="L7"), f"GTIN {GTIN} lot L7 was not announced by anybody"),
        (received(None, expiry=date(2028, 1, 1)), "was announced with expiry 2027-05-31"),
    ],
)
def test_what_was_not_announced_so_is_received_into_quarantine_with_a_case(scan: StockEvent, reason: str) -> None:
    site = hub()
    site.say(made("S1", "S2"))
    site.say(shipped("S1"))
    site.hear(scan)
    assert (site.on_hand(STORE), site.on_hand(BIN), site.usable(BIN)) == (0, 1, 0)
    (case,) = site.open_cases("dscsa_mismatch")
    assert reason in case.text
    assert f"it stands in {BIN}: put it there" in case.text
    assert reason in site.all(OUTCOMES)[-1].reason
    assert agrees(site)


@pytest.mark.parametrize("scan", [received("S1", lot=None, expiry=None), received(None, lot="l-1"), received(None, lot=None)])
def test_what_a_barcode_leaves_out_is_no_mismatch(scan: StockEvent) -> None:
    site = hub()
    site.say(made("S1"))
    site.say(shipped("S1"))
    site.hear(scan)
    assert site.on_hand(STORE) == 1
    assert agrees(site)


def test_a_product_that_nobody_ever_announced_is_not_expected_to_be() -> None:
    site = hub()
    site.hear(received("S1"))
    assert (site.on_hand(STORE), site.open_cases()) == (1, [])
    assert agrees(site)


def test_a_site_without_a_quarantine_place_says_so_and_the_stock_stands_where_it_was_scanned() -> None:
    site = hub(quarantine=False)
    site.say(made("S1"))
    site.hear(received("S1"))
    assert site.on_hand(STORE) == 1
    (case,) = site.open_cases("dscsa_mismatch")
    assert "the site has no quarantine place: it stands in main" in case.text
    assert agrees(site)


def test_a_container_that_is_shipped_ships_what_is_in_it() -> None:
    site = hub()
    site.say(made("S1", "S2", "S3"))
    site.say(notice("pack", "S1", "S2", "S3", container=SSCC))
    site.say(notice("pack", container=PALLET, containers=(SSCC,)))
    site.say(shipped(containers=(PALLET,), key="epcis|ship"))
    site.say(notice("unpack", "S3", container=SSCC, at=minutes(1)))
    site.hear(received("S1"), received("S2"), received("S3"))
    assert (site.on_hand(STORE), site.on_hand(BIN)) == (2, 1), "the third was taken out of the case"
    assert agrees(site)


def test_a_late_notice_explains_the_suspect_and_the_package_is_put_away() -> None:
    site = hub()
    site.say(made("S1"))
    site.hear(received("S1"))
    assert len(site.open_cases("dscsa_mismatch")) == 1
    site.say(shipped("S1"))
    assert site.open_cases() == []
    site.hear(told("put_away", 1, place=BIN, to=STORE, lot="L1", codes=(Code(system="gtin", value=GTIN),), at=minutes(9)))
    assert site.usable(STORE) == 1
    assert agrees(site)


def test_a_late_aggregation_explains_what_is_in_the_container() -> None:
    site = hub()
    site.say(made("S1"))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.hear(received("S1"))
    site.say(notice("pack", "S1", container=SSCC, at=START - timedelta(days=2)))
    assert site.open_cases() == []


def test_a_case_of_a_controlled_substance_does_not_close_itself() -> None:
    site = hub(item(schedule=2))
    site.say(made("S1"))
    site.hear(received("S1"))
    site.say(shipped("S1"))
    assert len(site.open_cases("dscsa_mismatch")) == 1


def test_notices_count_in_the_order_of_their_times_and_once() -> None:
    told_of = [
        made("S1"), shipped("S1"), notice("end", "S1", at=START - timedelta(hours=5)), notice("ship", "S1", key="epcis|again", at=START - timedelta(hours=1)),
    ]  # fmt: skip
    for order in permutations(range(4)):
        site = hub()
        for number in (*order, *order):
            site.say(replace(told_of[number], raw=RawRef(partition=1, offset=next(_NUMBERS))))
        site.hear(received("S1"))
        assert site.on_hand(STORE) == 1, order
        assert site.outcomes().count("duplicate") == 4
        assert agrees(site)


def test_shipping_that_was_taken_back_ships_nothing_whichever_comes_first() -> None:
    for order in permutations(range(3)):
        told_of = [made("S1"), shipped("S1"), shipped("S1", void=True)]
        site = hub()
        for number in order:
            site.say(told_of[number])
        site.hear(received("S1"))
        assert site.on_hand(BIN) == 1, order
        assert agrees(site)


def test_another_content_under_one_event_id_is_a_case_and_the_first_stands() -> None:
    site = hub()
    site.say(shipped("S1", key="epcis|x"))
    site.say(shipped("S2", key="epcis|x"))
    assert site.outcomes() == ["noted", "conflict"]
    assert len(site.open_cases("notice_conflict")) == 1
    site.hear(received("S2"))
    assert site.on_hand(BIN) == 1


def test_what_has_not_come_a_day_after_the_first_is_a_case_until_it_comes() -> None:
    site = hub()
    site.tick(START)
    site.say(made("S1", "S2", "S3"))
    site.say(notice("pack", "S2", "S3", container=SSCC))
    site.say(shipped("S1", containers=(SSCC,), key="epcis|ship"))
    site.hear(received("S1"))
    site.tick(minutes(60 * 23))
    assert site.open_cases() == []
    site.tick(minutes(60 * 24))
    (case,) = site.open_cases("delivery_short")
    assert f"of 3 packages shipped by epcis|ship, 2 have not come: GTIN {GTIN} serial S2, GTIN {GTIN} serial S3" in case.text
    site.hear(received("S2", at=minutes(60 * 25)))
    assert len(site.open_cases("delivery_short")) == 1
    site.hear(received("S3", at=minutes(60 * 26)))
    assert site.open_cases() == []
    assert agrees(site)


def test_a_whole_delivery_is_no_case() -> None:
    site = hub()
    site.tick(START)
    site.say(shipped("S1", "S2"))
    site.hear(received("S1", "a"), received("S2", "b"))
    site.tick(minutes(60 * 24 * 3))
    assert site.open_cases() == []


def test_a_receipt_that_was_taken_back_has_not_come() -> None:
    site = hub()
    site.tick(START)
    site.say(shipped("S1", "S2"))
    site.hear(received("S1", "a"), received("S2", "b"), reversal("b"))
    site.tick(minutes(60 * 24))
    (case,) = site.open_cases("delivery_short")
    assert "1 have not come" in case.text
    assert agrees(site)


@pytest.mark.parametrize(("packages", "verified"), [(50, 5), (20, 3), (2, 2), (1, 1), (3, 3), (31, 4), (0, 0)])
def test_of_suspect_packages_three_or_a_tenth_are_verified(packages: int, verified: int) -> None:
    """Domain §3.9: max(3, 10 %): 50 gives 5, 20 gives 3. Of fewer than three, all."""
    assert to_verify(packages) == verified


def test_the_case_of_a_suspect_says_how_many_of_its_delivery_to_verify() -> None:
    site = hub()
    serials = [f"S{number}" for number in range(50)]
    site.say(made(*serials, lot="OTHER"))
    site.say(shipped(*serials))
    site.hear(received("S7"))
    [case] = site.open_cases("dscsa_mismatch")
    assert "verify the identifiers of 5 of 50 packages" in case.text


def test_a_serial_number_that_comes_back_must_have_been_received_here() -> None:
    """Domain §3.9: a saleable return must match its serial number. The case closes when the receipt arrives late."""
    site = hub()
    site.say(made("S1", "S2"))
    site.say(shipped("S1", "S2"))
    site.hear(received("S1"))
    back = {"place": STORE, "codes": (Code(system="gtin", value=GTIN),)}
    site.hear(told("return", 1, serial="S1", at=minutes(5), **back), told("return", 1, serial="S2", at=minutes(6), **back))
    [case] = site.open_cases("return_unknown_serial")
    assert "serial number S2" in case.text
    site.hear(received("S2", "late"))
    assert site.open_cases("return_unknown_serial") == []
    assert agrees(site)
