"""The scan of a shipping container receives what its notices say is in it, each package once."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.kinds import LocationKind
from schemas.notices import AnnouncedPackage
from schemas.reference import CodeLink
from schemas.topics import HOLDS
from tests.support.facts import minutes, told
from tests.support.world import GTIN, ITEM, STORE, location
from tests.unit.streams.test_notices import BIN, EXPIRY, PALLET, SSCC, agrees, hub, made, notice, received, shipped
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

OTHER = "00304094714028"


def container(sscc: str = SSCC, key: str | None = None, **more: Any) -> StockEvent:
    codes = (Code(system="sscc", value=sscc),)
    return told("receive", 1, place=STORE, key=key, codes=codes, unit="{package}", **more)


def packed(*serials: str, sscc: str = SSCC, **more: Any) -> Any:
    return notice("pack", *serials, container=sscc, key=f"epcis|pack|{sscc}|{serials}", **more)


def announced(site: RecordedHub) -> None:
    site.say(made("S1", "S2"))
    site.say(packed("S1", "S2"))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))


def test_a_container_is_received_package_by_package_with_lot_and_expiry() -> None:
    site = hub()
    announced(site)
    site.hear(container())
    assert site.on_hand(STORE) == 50
    assert site.lots(STORE) == {"L1": 50}
    assert site.outcomes()[-1] == "posted"
    assert site.open_cases() == []
    assert agrees(site)


def test_scanned_again_or_package_by_package_it_counts_once() -> None:
    for order in permutations(range(3)):
        site = hub()
        announced(site)
        scans = [container(key="a"), container(key="b", at=minutes(2)), received("S1", "c", at=minutes(3))]
        site.hear(*(scans[number] for number in order))
        # Scanned by itself a package is one of 1 tablet here; whichever comes first counts.
        assert site.on_hand(STORE) in (50, 26)
        assert site.open_cases("delivery_short") == []
        assert agrees(site)


def test_it_waits_until_a_notice_says_what_is_in_it() -> None:
    site = hub()
    site.say(made("S1", "S2"))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.hear(container())
    assert site.outcomes()[-1] == "unknown_container"
    assert f"no notice says what is in container {SSCC}" in site.latest(HOLDS)[0].reason
    site.say(packed("S1", "S2"))
    assert (site.on_hand(STORE), site.latest(HOLDS)) == (50, [])
    assert agrees(site)


def test_it_waits_until_lot_and_expiry_of_each_package_are_said() -> None:
    """DSCSA section 581(14): both are part of what identifies a package. A recall of the lot would miss the stock without it."""
    site = hub()
    site.say(made("S1"))
    site.say(packed("S1", "S2"))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.hear(container())
    assert (site.on_hand(STORE), site.outcomes()[-1]) == (0, "incomplete_container")
    assert "lot and expiry of 1 of 2 packages" in site.latest(HOLDS)[0].reason
    assert f"(GTIN {GTIN} serial number S2)" in site.latest(HOLDS)[0].reason
    site.say(notice("commission", "S2", lot="L2", key="no expiry"))
    assert site.on_hand(STORE) == 0
    site.say(made("S2", lot="L2"))
    assert (site.lots(STORE), site.latest(HOLDS)) == ({"L1": 25, "L2": 25}, [])
    assert agrees(site)


def test_a_pallet_waits_for_what_is_in_its_cases() -> None:
    site = hub()
    site.say(made("S1"))
    site.say(packed(sscc=PALLET, containers=(SSCC,)))
    site.say(shipped(containers=(PALLET,), key="epcis|ship"))
    site.hear(container(PALLET))
    assert site.outcomes()[-1] == "unknown_container"
    site.say(packed("S1"))
    assert site.on_hand(STORE) == 25
    assert agrees(site)


def test_a_package_that_the_item_master_does_not_know_holds_the_whole_container() -> None:
    site = hub()
    site.say(made("S1"))
    other = AnnouncedPackage(gtin=OTHER, serial="T1", lot="L9", expiry=EXPIRY)
    site.say(packed("S1", packages=(AnnouncedPackage(gtin=GTIN, serial="S1"), other)))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.hear(container())
    assert (site.on_hand(STORE), site.outcomes()[-1]) == (0, "unknown_code")
    site.learn(CodeLink(system="gtin", value=OTHER, item=ITEM, product="amox-hospira"))
    site.learn(CodeLink(system="local", value="later", item=ITEM))
    assert site.outcomes()[-1] in ("posted", "unknown_package")
    assert agrees(site)


def test_what_was_taken_out_is_not_received_and_what_is_in_a_pallet_is() -> None:
    site = hub()
    site.say(made("S1", "S2", "S3"))
    site.say(packed("S1", "S2"))
    site.say(notice("unpack", "S2", container=SSCC, at=minutes(1)))
    site.say(packed("S3", sscc=PALLET, containers=(SSCC,)))
    site.say(shipped(containers=(PALLET,), key="epcis|ship"))
    site.hear(container(PALLET))
    assert site.on_hand(STORE) == 50, "S1 in its case, and S3"
    assert agrees(site)


def test_lots_without_serial_numbers_are_received_by_their_quantity() -> None:
    site = hub()
    lot = AnnouncedPackage(gtin=GTIN, lot="L7", expiry=EXPIRY, quantity=4)
    site.say(packed(packages=(lot,)))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.hear(container(), container(at=minutes(4)))
    assert site.lots(STORE) == {"L7": 100}
    assert agrees(site)


def test_a_container_that_was_not_shipped_here_goes_to_quarantine() -> None:
    site = hub()
    site.say(made("S1", "S2"))
    site.say(packed("S1", "S2"))
    site.hear(container())
    assert (site.on_hand(STORE), site.on_hand(BIN), site.usable(BIN)) == (0, 50, 0)
    assert len(site.open_cases("dscsa_mismatch")) == 2
    assert agrees(site)


@pytest.mark.parametrize("kind", [LocationKind.STORE])
def test_a_place_that_is_not_known_holds_it(kind: LocationKind) -> None:
    site = hub()
    announced(site)
    site.hear(told("receive", 1, place="DOCK", codes=(Code(system="sscc", value=SSCC),), unit="{package}"))
    assert site.outcomes()[-1] == "unknown_location"
    site.learn(location("dock", kind, codes=("DOCK",)))
    assert site.on_hand("dock") == 50
    assert agrees(site)


@pytest.mark.parametrize("seed", range(100))
def test_verify_agrees_on_any_history_of_notices_and_receipts(seed: int) -> None:
    """Two programs that share nothing: whatever is announced, packed, taken back, scanned and in whichever order."""
    random = Random(seed)
    site = hub(quarantine=random.random() < 0.8)
    serials, containers = ("S1", "S2", "S3"), (SSCC, PALLET)
    for number in range(40):
        some = tuple(random.sample(serials, random.randint(1, 3)))
        at = minutes(random.randint(-600, 600))
        key = f"epcis|{random.randint(0, 25)}"
        maybe = random.choice([EXPIRY, EXPIRY, EXPIRY, None])
        match random.randint(0, 8):
            case 0:
                said: Any = notice("commission", *some, lot=random.choice(["L1", "L2"]), expiry=maybe, key=key, at=at)
            case 1:
                said = notice("ship", *some, key=key, at=at, void=random.random() < 0.3)
            case 2:
                said = notice("ship", containers=(random.choice(containers),), key=key, at=at, void=random.random() < 0.2)
            case 3:
                said = notice("pack", *some, container=random.choice(containers), key=key, at=at, void=random.random() < 0.2)
            case 4:
                said = notice(random.choice(["unpack", "end"]), *some, container=random.choice(containers), key=key, at=at)
            case 5:
                lots = (AnnouncedPackage(gtin=GTIN, lot=random.choice(["L1", "L7"]), expiry=maybe, quantity=random.randint(1, 3)),)
                said = notice("pack", packages=lots, container=SSCC, key=key, at=at)
            case 6:
                step = random.choice(["pack", "pack", "unpack"])
                said = notice(step, container=PALLET, containers=(SSCC,) if step == "pack" else (), key=key, at=at)
            case 7:
                site.hear(received(random.choice([*serials, None]), f"r{number}", lot=random.choice(["L1", "L2", None]), at=at))
                continue
            case _:
                site.hear(container(random.choice(containers), f"c{number}", at=at))
                continue
        site.say(said)
    assert verify(site.logs()).differences == []
    assert site.accounts_total() == 0


def lot_in(sscc: str, quantity: int, key: str, lot: str = "L7", step: str = "pack") -> Any:
    return notice(step, container=sscc, packages=(AnnouncedPackage(gtin=GTIN, lot=lot, expiry=EXPIRY, quantity=quantity),), key=key)


def test_one_lot_in_two_containers_is_in_both_and_what_is_packed_adds_up() -> None:
    site = hub()
    site.say(lot_in(SSCC, 3, "a"))
    site.say(lot_in(PALLET, 2, "b"))
    site.say(lot_in(SSCC, 4, "c"))
    site.say(lot_in(SSCC, 1, "d", step="unpack"))
    site.hear(container(SSCC), container(PALLET, at=minutes(1)))
    assert site.on_hand(STORE) == (3 + 4 - 1 + 2) * 25
    assert agrees(site)


def test_a_container_that_is_said_to_be_in_itself_is_opened_once() -> None:
    site = hub()
    site.say(lot_in(SSCC, 3, "a"))
    site.say(notice("pack", container=PALLET, containers=(SSCC,), key="b"))
    site.say(notice("pack", container=SSCC, containers=(PALLET, SSCC), key="c", at=minutes(1)))
    site.hear(container(SSCC))
    assert site.on_hand(STORE) == 75
    assert agrees(site)


def test_a_serial_number_that_reads_like_a_lot_hides_neither() -> None:
    site = hub()
    both = (AnnouncedPackage(gtin=GTIN, serial="L7"), AnnouncedPackage(gtin=GTIN, lot="L7", expiry=EXPIRY, quantity=2))
    site.say(made("L7"))
    site.say(notice("ship", "L7"))
    site.say(notice("pack", container=SSCC, packages=both, key="a"))
    site.hear(container(SSCC))
    assert site.on_hand(STORE) == 75
    assert agrees(site)


@pytest.mark.parametrize("text", ["A|B", "100%", "%7C", "|"])
def test_any_serial_number_and_lot_posts(text: str) -> None:
    site = hub()
    site.say(notice("commission", text, lot=text, expiry=EXPIRY))
    site.say(notice("ship", text))
    site.say(notice("pack", text, container=SSCC))
    site.hear(container(SSCC), received(None, lot=text, at=minutes(2)), received("other|one", lot="x|y|z", at=minutes(3)))
    assert site.on_hand(STORE) == 26
    assert site.on_hand(BIN) == 1
    assert site.outcomes()[-3:] == ["posted"] * 3
    assert agrees(site)


def test_a_container_that_was_unpacked_as_a_whole_holds_nothing_until_it_is_packed_again() -> None:
    site = hub()
    site.say(made("S1", "S2"))
    site.say(packed("S1", "S2"))
    site.say(lot_in(SSCC, 3, "a"))
    site.say(shipped(containers=(SSCC,), key="epcis|ship"))
    site.say(notice("unpack", container=SSCC, key="b", at=minutes(5)))
    site.hear(container(), received("S1", at=minutes(6)))
    assert site.outcomes()[-2] == "unknown_container"
    assert site.on_hand(BIN) == 1, "S1 is in no container that was shipped"
    site.say(notice("pack", "S2", container=SSCC, key="c", at=minutes(7)))
    assert site.on_hand(STORE) == 25
    assert agrees(site)
