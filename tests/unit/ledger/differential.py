"""Random histories of a small hospital: what happens, how it arrives, and the comparison of the hub with the plain ledger.

A history is a list of steps in order of arrival, made from a seed: facts (late, early, twice, with another content, taken back once
or twice, taken back before they come), recalls and ticks. Any step can be left out, so a disagreement can be made small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from schemas.codes import Code
from schemas.events import FoundLot, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed, LocationKind
from schemas.preparation import BeyondUsePolicy
from schemas.records import Case
from schemas.reference import RecallNotice
from schemas.topics import BALANCES, MOVEMENTS
from tests.support import world
from tests.support.facts import START, day, minutes, part, transform
from tests.support.facts import told as event
from tests.support.hub import SiteHub
from tests.support.plain_ledger import OPENINGS, UNKNOWN, Accounts, Notice, Place, PlainLedger, Told, comparable
from tests.support.world import BIN, ITEM, OTHER_POCKET, POCKET, SITE, STORE, WARD, ZONE

ISOLATED: Final = "main/isolated"
MORPHINE: Final = "morphine"
NDCS: Final = {"amox-hospira": world.NDC, "morphine-a": "0093-1111-01", "morphine-b": "0093-2222-01"}
PRODUCTS: Final = {ITEM: ("amox-hospira",), MORPHINE: ("morphine-a", "morphine-b")}
LOTS: Final[dict[str, tuple[tuple[str, str, int | None], ...]]] = {
    ITEM: (("amox-hospira", "A-1", None), ("amox-hospira", "A2", 2), ("amox-hospira", "a 3", 4)),
    MORPHINE: (("morphine-a", "M1", None), ("morphine-a", "M2", 3), ("morphine-b", "M3", None), ("morphine-b", "M1", 5)),
}
"""Product, number and the day after the start a lot is dated. M1 is a number of two products."""

PLACES: Final = {
    STORE: Place(Feed.DISPENSE), BIN: Place(Feed.SCAN), ISOLATED: Place(Feed.SCAN, quarantine=True), WARD: Place(Feed.ADMINISTRATION),
    POCKET: Place(Feed.CABINET, refill_from=STORE), OTHER_POCKET: Place(Feed.CABINET, refill_from=STORE),
}  # fmt: skip
_CABINET: Final = ("vend", "vend", "return", "waste", "refill", "load", "unload", "expire", "count", "count")
_STORE: Final = ("dispense", "receive", "receive", "put_away", "pick", "discard", "count", "return", "adjust_in", "adjust_out")
_KINDS: Final = {
    POCKET: _CABINET, OTHER_POCKET: _CABINET, STORE: _STORE, WARD: ("administer", "administer", "put_away", "count", "return", "vend"),
    BIN: ("put_away", "discard", "count"), ISOLATED: ("put_away", "discard", "receive"),
}  # fmt: skip
POLICIES: Final = {"open": timedelta(hours=6), "puncture": timedelta(days=2), "transform": timedelta(days=1)}
"""Beyond-use policies; for the other kinds only labels say something."""
BATCHES: Final = {ITEM: (("", "B1"), ("", "A2")), MORPHINE: (("", "B1"), ("", "B2"), ("morphine-a", "M1"))}
"""Product and number of lots of what is made; two of them have the numbers of lots that are bought."""
CONTAINERS: Final = ("c1", "c2", "c3")
_FEEDS: Final = {
    "vend": Feed.CABINET, "dispense": Feed.DISPENSE, "administer": Feed.ADMINISTRATION, "adjust_in": Feed.SUPPLY,
    "adjust_out": Feed.SUPPLY,
}  # fmt: skip
SPAN_MINUTES: Final = 6 * 24 * 60
END: Final = START + timedelta(days=30)


@dataclass(frozen=True)
class Tick:
    """Time passes."""

    at: datetime


Step = Told | Notice | Tick


def history(seed: int) -> list[Step]:
    """The steps of a seed, in order of arrival."""
    random = Random(f"differential {seed}")
    shuffled, calm = random.random() < 0.3, random.random() < 0.3
    arriving: list[tuple[int, int, Step]] = []

    def arrives(step: Step, happened: int) -> None:
        late = random.choice((0, 0, 0, 0, 1, 5, 5, 60, 400, 3_000))
        at = random.randrange(SPAN_MINUTES) if shuffled else happened + late
        arriving.append((at, len(arriving), step))

    facts = [_fact(random, number) for number in range(random.randint(2, 24))]
    for fact in facts:
        arrives(fact, _minute(fact))
    for follower in _followers(random, facts):
        arrives(follower, _minute(follower))
    for notice in _notices(random):
        at = random.randrange(SPAN_MINUTES)
        arriving.append((at, len(arriving), notice))
    steps: list[Step] = [Tick(START)]
    for at, _, step in sorted(arriving, key=lambda one: one[:2]):
        steps.append(step)
        if not calm and random.random() < 0.3:
            steps.append(Tick(minutes(at)))
    return [*steps, Tick(END), Tick(END + timedelta(days=1))]


def _minute(told: Told) -> int:
    return int((told.occurred - START).total_seconds()) // 60


def _fact(random: Random, number: int) -> Told:
    """Something that happens at a place."""
    chance = random.random()
    if chance < 0.12:
        return _transform(random, number)
    fact = _plain(random, number)
    if fact.kind == "count" and chance > 0.6:
        return _count_by_lot(random, fact)
    if chance < 0.28:
        until = random.choice((None, None, fact.occurred + timedelta(minutes=random.choice((0, 30, 2_000)))))
        fact = replace(fact, kind=random.choice(sorted(OPENINGS)), to=None, begin=None, feed=Feed.SCAN, until=until)
        return replace(fact, container=random.choice(CONTAINERS))
    return replace(fact, container=random.choice(CONTAINERS)) if random.random() < 0.2 and fact.kind != "load" else fact


def _transform(random: Random, number: int) -> Told:
    """Stock of any item becomes stock of any item, some of it a lot that is bought as well."""
    told = replace(_plain(random, number), kind="transform", to=None, begin=None, feed=Feed.SCAN, expiry=None, lot=None)
    told = replace(told, product="", quantity=0)
    lines = []
    for made in [False] * random.randint(1, 2) + [True] * random.randint(1, 2):
        line = replace(_plain(random, number), key=told.key, kind="transform", occurred=told.occurred, made=made, to=None, begin=None)
        place = random.choice((told.place, STORE, POCKET))
        line = replace(line, place=place, quantity=random.choice((1, 2, 5)), container=random.choice(("", "", *CONTAINERS)))
        if made:
            product, lot = random.choice(BATCHES[line.item])
            until = random.choice((None, told.occurred + timedelta(minutes=random.choice((30, 3_000)))))
            line = replace(line, lot=lot, product=product, expiry=None, until=until)
        lines.append(line)
    return replace(told, parts=tuple(lines))


def _count_by_lot(random: Random, fact: Told) -> Told:
    """A count of everything of an item at a place: of some lots with a product, of some without, of some nobody could read."""
    lines = []
    for _ in range(random.randint(1, 3)):
        product, lot, dated = random.choice((*LOTS[fact.item], ("", None, None)))
        expiry = None if dated is None or random.random() < 0.5 else day(dated)
        named = product if random.random() < 0.5 else ""
        lines.append(replace(fact, product=named, lot=lot, expiry=expiry, quantity=random.choice((0, 1, 3, 8)), begin=None))
    total = sum(line.quantity for line in lines)
    return replace(fact, product="", lot=None, expiry=None, quantity=total, begin=None, feed=Feed.SCAN, parts=tuple(lines))


def _plain(random: Random, number: int) -> Told:
    """Something that happens at a place to one lot, unopened."""
    place = random.choice((POCKET, POCKET, POCKET, OTHER_POCKET, STORE, STORE, WARD, BIN, ISOLATED))
    kind = random.choice(_KINDS[place])
    item = random.choice((ITEM, MORPHINE))
    told = Told(
        key=f"f{number:02}", kind=kind, occurred=minutes(30 * random.randrange(SPAN_MINUTES // 30)), item=item, place=place,
        quantity=random.choice((0, 0, 1, 2, 3, 5, 8, 13)), sequence=random.randrange(3), feed=_FEEDS.get(kind, Feed.SCAN),
        to=random.choice([one for one in PLACES if one != place] + [None] * (kind == "pick")) if kind in {"put_away", "pick"} else None,
        witness=random.choice((None, "nurse-1", "nurse-2")),
    )  # fmt: skip
    if place in {POCKET, OTHER_POCKET} and random.random() < 0.25:
        told = replace(told, begin=random.choice((0, 1, 4, 9)), begin_verified=random.random() < 0.6)
    if random.random() < 0.25:
        return replace(told, product=random.choice(("", *PRODUCTS[item])))
    product, lot, dated = random.choice(LOTS[item])
    expiry = None if dated is None or random.random() < 0.4 else day(dated + (random.random() < 0.05))
    spelled = random.choice((lot, lot.lower(), f"{lot} "))
    named = product if random.random() < 0.5 else ""
    return replace(told, product=named, lot=spelled, expiry=expiry)


def _followers(random: Random, facts: list[Told]) -> Iterator[Told]:
    """Resends, conflicts, reversals, second reversals, reversals of reversals, other versions."""
    for fact in facts:
        if random.random() < 0.15:
            yield fact
        if random.random() < 0.05 and fact.parts:
            first = replace(fact.parts[0], quantity=fact.parts[0].quantity + 1)
            yield replace(fact, parts=(first, *fact.parts[1:]))
        elif random.random() < 0.05 and not fact.parts:
            yield replace(fact, quantity=fact.quantity + 1)
        if fact.kind == "administer" and random.random() < 0.4:
            for version in range(1, random.randint(2, 3)):
                quantity, expiry = random.randrange(5), random.choice((None, fact.expiry))
                key = f"{fact.key}v{version}"
                yield replace(fact, key=key, quantity=quantity, expiry=expiry, replaces=fact.key, version=version)
        if random.random() < 0.2:
            later = fact.occurred + timedelta(minutes=random.choice((0, 30, 600, 3_000)))
            undo = Told(f"undo|{fact.key}", "reversal", later, place=fact.place, undoes=fact.key)
            yield undo
            if random.random() < 0.3:
                yield replace(undo, key=f"again|{fact.key}", occurred=later + timedelta(minutes=30))
            if random.random() < 0.3:
                yield replace(undo, key=f"undo|undo|{fact.key}", undoes=undo.key)
            if random.random() < 0.2:
                yield undo


def _notices(random: Random) -> Iterator[Notice]:
    """A recall, sometimes another version of it, sometimes its end."""
    if random.random() < 0.4:
        product, lot, _ = random.choice([one for lots in LOTS.values() for one in lots])
        notice = Notice("R1", random.choice(("I", "II", "III")), product, random.choice(((), (lot.lower(),))))
        yield notice
        if random.random() < 0.3:
            yield replace(notice, lots=(lot,))
        if random.random() < 0.3:
            yield replace(notice, released=True)


# ---- the hub and the plain ledger, side by side ------------------------------------------------------------------------


def new_ledger() -> PlainLedger:
    """The plain ledger of the hospital."""
    return PlainLedger(ZONE, PLACES, PRODUCTS, frozenset({MORPHINE}), POLICIES)


def new_hub() -> SiteHub:
    """The site processor with the hospital's reference data."""
    products = [
        world.product(id_, item=MORPHINE, ndc=NDCS[id_], gtin=None, labeler=id_) for id_ in PRODUCTS[MORPHINE]
    ]  # fmt: skip
    isolated = world.location(ISOLATED, LocationKind.QUARANTINE, codes=("ISO",), authority=Feed.SCAN)
    policies = [BeyondUsePolicy(site=SITE, event=kind, minutes=time // timedelta(minutes=1)) for kind, time in POLICIES.items()]
    return SiteHub(world.item(MORPHINE, schedule=2), *products, isolated, *policies)


def event_of(told: Told) -> StockEvent:
    """What a mapper would make of the message that says it."""
    if told.kind == "reversal":
        return event(EventKind.REVERSAL, at=told.occurred, key=told.key, reverses=told.undoes, codes=(), unit=None)
    code = _code(told)
    if told.kind == "count" and told.parts:
        lots = [FoundLot(codes=(_code(one),), quantity=Decimal(one.quantity), lot=one.lot, expiry=one.expiry) for one in told.parts]
        return event(
            "count", told.quantity, place=told.place, at=told.occurred, key=told.key, feed=told.feed, device_sequence=told.sequence,
            codes=tuple(dict.fromkeys(code for one in lots for code in one.codes)), found=tuple(lots), witness=told.witness,
        )  # fmt: skip
    if told.parts:
        lines = [
            part(
                line.quantity, made=line.made, codes=(_code(line),), place=line.place, lot=line.lot, expiry=line.expiry,
                container=line.container or None, beyond_use=line.until,
            )
            for line in told.parts
        ]  # fmt: skip
        return transform(*lines, place=told.place, at=told.occurred, key=told.key, device_sequence=told.sequence)
    return event(
        told.kind, told.quantity, place=told.place, to=told.to, at=told.occurred, key=told.key, codes=(code,), lot=told.lot,
        expiry=told.expiry, feed=told.feed, device_sequence=told.sequence, replaces=told.replaces, version=told.version,
        begin_count=None if told.begin is None else Decimal(told.begin), begin_count_verified=told.begin_verified, witness=told.witness,
        container=told.container or None, beyond_use=told.until,
    )  # fmt: skip


def _code(told: Told) -> Code:
    return Code(system="ndc", value=NDCS[told.product]) if told.product else Code(system="local", value=f"{told.item}-1")


def take(step: Step, hub: SiteHub, ledger: PlainLedger) -> None:
    """One step arrives at both."""
    if isinstance(step, Tick):
        ledger.tick(step.at)
        hub.tick(step.at)
    elif isinstance(step, Notice):
        ledger.learn(step)
        hub.learn(
            RecallNotice(
                id=step.id, classification=step.classification, products=(step.product,), lots=step.lots, all_lots=not step.lots,
                released="board of pharmacy" if step.released else None,
            )
        )  # fmt: skip
    else:
        ledger.hear(step)
        hub.tell(event_of(step))


class Disagreement(NamedTuple):
    """What hub and plain ledger do not agree on."""

    step: int
    about: str
    hub: Any
    ledger: Any


def disagreement(steps: list[Step], look: Callable[[int], bool] = lambda number: True) -> Disagreement | None:
    """Where hub and plain ledger differ first; None when they agree after every step `look` names, and after the last."""
    hub, ledger = new_hub(), new_ledger()
    for number, step in enumerate(steps):
        take(step, hub, ledger)
        if look(number) or number == len(steps) - 1:
            for name, found, expected in compared(hub, ledger, Random(number)):
                if found != expected:
                    return Disagreement(number, name, found, expected)
    return None


def smallest(steps: list[Step]) -> list[Step]:
    """The steps without all those that the first disagreement does not need."""
    about, number = getattr(disagreement(steps), "about", None), 0
    while number < len(steps):
        fewer = steps[:number] + steps[number + 1 :]
        if fewer and getattr(disagreement(fewer), "about", None) == about:
            steps = fewer
        else:
            number += 1
    return steps


def compared(hub: SiteHub, ledger: PlainLedger, random: Random) -> Iterator[tuple[str, Any, Any]]:
    """What is compared: a name, what the hub says, what the plain ledger says."""
    yield "accounts by item and lot", hub.moved(), _by_number(ledger.accounts(), "")
    containers = {key: quantity for key, quantity in _by_container(ledger.accounts()).items() if quantity}
    yield "accounts by item, lot and container", _moved_by_container(hub), containers
    yield "sum of all accounts", (hub.accounts_total(ITEM), hub.accounts_total(MORPHINE)), (0, 0)
    at = minutes(random.randrange(SPAN_MINUTES))
    yield "places and variance in between", _moved_by(hub, at), _by_number(ledger.accounts(at), "stock:", "variance")
    yield from _cases(hub, ledger)
    if all(told.occurred <= ledger.now for told in ledger.facts.values()):
        yield from _statuses(hub, ledger)


def _statuses(hub: SiteHub, ledger: PlainLedger) -> Iterator[tuple[str, Any, Any]]:
    """Balances by status, and what is usable: when the clock has passed all facts, since both are as of the clock."""
    balances: Counter[tuple[str, str, str, str]] = Counter()
    for one in hub.latest(BALANCES):
        lot = UNKNOWN if one.lot == UNKNOWN else comparable(one.lot)
        balances[one.location, one.item, lot, str(one.status)] += one.quantity
    expected = ledger.balances()
    yield "balances by place, item, lot and status", _nonzero(balances), _nonzero(expected)
    usable = ledger.usable()
    cards = [(place, item) for place in PLACES for item in PRODUCTS]
    yield "usable", _nonzero(Counter({card: hub.usable(*card) for card in cards})), {c: usable[c] for c in sorted(cards) if usable[c] > 0}


def _by_number(accounts: Accounts, *starts: str) -> dict[tuple[str, str, str], int]:
    """Accounts whose name starts so, by item and lot number."""
    found: Counter[tuple[str, str, str]] = Counter()
    for (account, item, lot), quantity in accounts.items():
        if account.startswith(starts):
            found[account, item, lot.number] += quantity
    return {key: quantity for key, quantity in found.items() if quantity}


def _by_container(accounts: Accounts) -> Counter[tuple[str, str, str, str]]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for (account, item, lot), quantity in accounts.items():
        found[account, item, lot.number, lot.container] += quantity
    return found


def _moved_by_container(hub: SiteHub) -> dict[tuple[str, str, str, str], int]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for one in hub.all(MOVEMENTS):
        lot = UNKNOWN if one.lot == UNKNOWN else comparable(one.lot)
        found[one.from_account, one.item, lot, one.container or ""] -= one.quantity
        found[one.to_account, one.item, lot, one.container or ""] += one.quantity
    return {key: quantity for key, quantity in found.items() if quantity}


def _moved_by(hub: SiteHub, at: datetime) -> dict[tuple[str, str, str], int]:
    """What the published movements that had occurred by an instant add up to at places and in variance."""
    found: Counter[tuple[str, str, str]] = Counter()
    for one in hub.all(MOVEMENTS):
        if one.occurred <= at:
            lot = UNKNOWN if one.lot == UNKNOWN else comparable(one.lot)
            found[one.from_account, one.item, lot] -= one.quantity
            found[one.to_account, one.item, lot] += one.quantity
    return {key: quantity for key, quantity in found.items() if quantity and key[0].startswith(("stock:", "variance"))}


def _nonzero(counted: Counter[Any]) -> dict[Any, int]:
    return {key: quantity for key, quantity in sorted(counted.items()) if quantity}


def _cases(hub: SiteHub, ledger: PlainLedger) -> Iterator[tuple[str, Any, Any]]:
    negative = {(one.location or "", one.item or "") for one in hub.open_cases("negative_stock")}
    yield "negative, not controlled", {one for one in negative if one[1] == ITEM}, {one for one in ledger.negative() if one[1] == ITEM}
    yield "negative, controlled, without a case", set(), {one for one in ledger.negative() if one[1] == MORPHINE} - negative
    yield "conflicting duplicates", len(hub.open_cases("conflicting_duplicate")), len(ledger.conflicts)
    yield "reversals of reversals", _events(hub.open_cases("reversal_of_reversal")), _ids(ledger.reversals_of_reversals())
    first = {derived_id("event", SITE, told.key): told.replaces or told.key for told in ledger.facts.values()}
    given = {first[one.event_id or ""] for one in hub.open_cases("unusable_given")}
    yield "expired and given, without a case", set(), ledger.expired_given() - given
    yield "expired and used, without a case", set(), _ids(ledger.expired_used()) - _events(hub.open_cases("unusable_used"))
    recalled = {one.item for kind in ("recall", "recall_trace") for one in hub.open_cases(kind)}
    yield "recalled, without a case", set(), ledger.recalled_items() - recalled
    inspect = {(one.location, one.item) for one in hub.open_cases("recall_inspect")}
    yield "unknown lots to inspect, without a case", set(), ledger.inspected - inspect
    over = {item for item, products in PRODUCTS.items() if not any(n.product in products for n in ledger.notices.values() if not n.released)}
    yield "inspections of recalls that are over, still open", {one for one in inspect if one[1] in over}, set()
    twice = {(item, lot.number) for (item, lot), dates in ledger.expiries().items() if len(dates) > 1}
    yield "lots of two dates", {one.item for one in hub.open_cases("expiry_conflict")}, {item for item, _ in twice}
    if ledger.is_calm and ledger.now > END:
        yield "discrepancies", _events(hub.open_cases("discrepancy")), _ids(set(ledger.differences()))
    unwitnessed, counting = _events(hub.open_cases("unwitnessed_waste")), {told.key for told in ledger.counting()}
    yield "unwitnessed, without a case", set(), _ids(ledger.unwitnessed() & counting) - unwitnessed
    yield "unwitnessed, with a case too many", set(), unwitnessed - _ids(ledger.unwitnessed())


def _events(cases: list[Case]) -> set[str | None]:
    return {one.event_id for one in cases}


def _ids(keys: set[str]) -> set[str | None]:
    return {derived_id("event", SITE, key) for key in keys}
