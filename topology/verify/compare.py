"""Stock: derived balances against published ones, and against the sum of published movements."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from schemas.codes import normalise_lot
from schemas.keys import decode_key
from topology.verify.cards import UNKNOWN_LOT, CardLog, LotKey, Total, Turning, add_up
from topology.verify.derive import Derivation, levels_of
from topology.verify.lots import UNKNOWN, Facts
from topology.verify.published import Balances, Movements
from topology.verify.report import Report
from topology.verify.words import Card, Held, instant_of

Account = tuple[Card, LotKey]
_KEY_PARTS: Final = 6


class Ledger:
    """The cards of a partition, added up as of the hub's clock at the cut."""

    def __init__(self, derived: Derivation) -> None:
        """Adds every card up."""
        self.derived = derived
        self.totals: dict[Card, Total] = {card: self.total(card, log, derived.now) for card, log in derived.cards.items()}

    def total(self, card: Card, log: CardLog, now: int) -> Total:
        """One card, with what fell due up to `now`."""
        isolated = is_isolated(self.derived, card[0], card[1])
        facts: dict[LotKey, Facts | None] = {UNKNOWN_LOT: self.derived.lot_facts(card, UNKNOWN_LOT)}
        for entry in log.entries:
            for lot in entry.lots():
                if lot not in facts:
                    facts[lot] = self.derived.lot_facts(card, lot)
        turnings = [
            Turning(us, lot, usable=known.usable(us))
            for lot, known in facts.items()
            if known is not None
            for us in known.turns()
            if us <= now and known.usable(us) != known.usable(us - 1) and not isolated
        ]

        def usable_at(lot: LotKey, us: int) -> bool:
            known = facts.get(lot)
            return not isolated and (known is None or known.usable(us))

        return add_up(log, turnings, usable_at, levels_of(self.derived.known.policy(card)))


def accounts_of(ledger: Ledger) -> dict[Account, int]:
    """Derived balances that are not zero."""
    return {
        (card, lot): quantity for card, total in ledger.totals.items() for lot, quantity in total.lots.items() if quantity
    }


def outside_of(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    """What was derived for the outside accounts, by site, item and account."""
    found: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for (site, _, item), total in ledger.totals.items():
        for account, quantity in total.accounts.items():
            found[site, item, account] += quantity
    for (site, _), fact in ledger.derived.facts.items():
        if fact.outside and not fact.gone:
            found[site, fact.item, "patient"] -= fact.outside
            found[site, fact.item, "waste"] += fact.outside
    return found


def check_balances(ledger: Ledger, latest: Balances, report: Report, site: str | None, settled: int) -> None:
    """Each balance: quantity, expiry and status."""
    derived = accounts_of(ledger)
    moved_on = {account for key in latest.moved_on if (account := _account(key, site)) is not None}
    published: dict[Account, tuple[Held, int | None]] = {}
    for key, (held, cause) in latest.records.items():
        account = _account(key, site)
        if account is not None and held is not None:
            published[account] = (held, cause)
    report.count("moved_on", len(moved_on))
    for account in sorted({*derived, *published}):
        if account in moved_on:
            continue
        report.count("balances")
        shown, cause = published.get(account, (None, None))
        _compare(ledger.derived, account, shown, derived.get(account, 0), report)
        if shown is not None and account in derived:
            _check_lot(ledger.derived, account, shown, _clock(ledger.derived, cause, settled), report)


def _compare(derived: Derivation, account: Account, held: Held | None, quantity: int, report: Report) -> None:
    (site, location, item), (product, number, container) = account
    shown = held.quantity if held is not None else 0
    where = f"{site} {location} {item} lot {number}" + (f" ({product})" if product else "")
    about = {"product": product, "lot": number, **({"container": container} if container else {})}
    if shown != quantity:
        unit = found.base_unit if (found := derived.known.item(item)) is not None else ""
        report.differ(
            "balance", f"{where}: published {shown}, derived {quantity} {unit}".rstrip(), site=site, location=location, item=item,
            published=shown, derived=quantity, about=about,
        )  # fmt: skip
    if held is not None and _stated(held) != account:
        text = f"{where}: the balance stands under this key and speaks of another ({'/'.join(_stated(held)[0])} lot {held.lot})"
        report.differ("balance_key", text, site=site, location=location, item=item, about=about)


def _check_lot(derived: Derivation, account: Account, held: Held, clock: tuple[int, ...], report: Report) -> None:
    """Expiry as the earliest that was stated; status as of the tick the balance was published at."""
    (site, location, item), (product, number, container) = account
    facts = derived.lot_facts((site, location, item), account[1]) or Facts()
    where = f"{site} {location} {item} lot {number}"
    expiry = None if facts.expiry is None else facts.expiry.isoformat()
    about = {"product": product, "lot": number}
    if held.expiry != expiry:
        text = f"{where}: published expiry {held.expiry or 'none'}, derived {expiry or 'none'}"
        report.differ(
            "expiry", text, site=site, location=location, item=item, published=held.expiry, derived=expiry, about=about
        )  # fmt: skip
    beyond = None if facts.beyond is None else instant_of(facts.beyond)
    if held.beyond_use != beyond:
        text = f"{where} container {container}: published beyond use at {held.beyond_use}, derived {beyond}"
        report.differ("beyond_use", text, site=site, location=location, item=item, about={**about, "container": container})
    isolated = is_isolated(derived, site, location)
    wrong = [status for at in clock if (status := _status(facts, at, isolated=isolated)) != held.status]
    if wrong:
        text = f"{where}: published as {held.status}, derived {wrong[-1]}"
        report.differ(
            "status", text, site=site, location=location, item=item, published=held.status, derived=wrong[-1], about=about
        )  # fmt: skip


def is_isolated(derived: Derivation, site: str, place: str) -> bool:
    """Whether a place is for quarantine: what lies there may not be used."""
    governing = derived.known.governing(site, place)
    return governing is not None and governing.kind == "quarantine"


def _status(facts: Facts, us: int, *, isolated: bool) -> str:
    """A recall is said first, then the quarantine of the place, then expiry."""
    found = facts.status(us)
    return "quarantined" if isolated and found != "recalled" else found


def _clock(derived: Derivation, cause: int | None, settled: int) -> tuple[int, ...]:
    """Instants as of which a balance must be right: when it was published, and what has surely fallen due since."""
    if cause is None:
        return ()
    at = bisect_right(derived.ticks, (cause, 1 << 63))
    then = derived.ticks[at - 1][1] if at else 0
    return (then,) if settled <= then else (then, settled)


def check_movements(ledger: Ledger, moved: Movements, report: Report) -> None:
    """Movements of each stock account add up to its balance, those of each outside account to what was derived.

    With that, all accounts of an item together are zero: every movement has two ends, and both sides were compared.
    """
    derived = accounts_of(ledger)
    for account in sorted(_differing(derived, moved.stock)):
        (site, location, item), (product, number, _) = account
        total, wanted = moved.stock.get(account, 0), derived.get(account, 0)
        text = f"{site} {location} {item} lot {number}: movements add up to {total}, derived {wanted}"
        report.differ(
            "movements", text, site=site, location=location, item=item, published=total, derived=wanted,
            about={"product": product, "lot": number},
        )  # fmt: skip
    outside = outside_of(ledger)
    report.count("accounts", len({*derived, *outside}))
    for site, item, name in sorted(_differing(outside, moved.outside)):
        total, wanted = moved.outside.get((site, item, name), 0), outside.get((site, item, name), 0)
        text = f"{site} {item}: movements of account {name} add up to {total}, derived {wanted}"
        report.differ(
            "movements", text, site=site, item=item, published=total, derived=wanted, about={"account": name}
        )  # fmt: skip


def _differing(one: dict[Any, int], other: dict[Any, int]) -> Iterable[Any]:
    return {key for key in {*one, *other} if one.get(key, 0) != other.get(key, 0)}


def _account(key: bytes, site: str | None) -> Account | None:
    """The account of a balance's key; None for other sites."""
    parts = tuple(str(part) for part in decode_key(key))
    if len(parts) != _KEY_PARTS or (site is not None and parts[0] != site):
        return None
    return (parts[0], parts[1], parts[2]), (parts[3], parts[4], parts[5])


def _stated(held: Held) -> Account:
    """The account that a balance speaks of."""
    number = held.lot if held.lot == UNKNOWN else normalise_lot(held.lot)
    return (held.site, held.location, held.item), (held.product, number, held.container or "")
