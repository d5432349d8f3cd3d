"""Transfers between sites: the lines each site's own log tells, what notices told the other site, and whether the two agree.

A line is a send or an arrival. What a site's facts say of its lines must be what its notices say, and the accounts that two sites
have of each other must cancel out, but for what was told and is not folded yet. With the balances that is the conservation of
stock over the network: sent = received + given up + on its way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from topology.verify.ids import name_based_id
from topology.verify.report import Report
from topology.verify.words import Given, Told, microseconds

if TYPE_CHECKING:
    from topology.verify.cards import Fact

KINDS: Final = {"transfer_out": "sent", "transfer_in": "received"}
AFTER_DEVICES: Final = 2**62
_CASES: Final = ("transfer_unmatched", "transfer_over", "transfer_lots", "transfer_overdue")
_HOUR_US: Final = 3_600_000_000
_HOURS: Final = 72

Transfer = tuple[str, str, str, str]
"""From, to, number, item."""
Line = tuple[str, Transfer, str]
"""`sent` or `received`, transfer, event key."""


def way(to_site: str, shipment: str) -> str:
    """The place of what is on its way; the parts can't hold a `/`."""
    return "/".join(["transit", *(part.replace("%", "%25").replace("/", "%2F") for part in (to_site, shipment))])


class Transfers:
    """Of one partition of the site log, as far as it was read."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._own: list[tuple[Line, Fact, int]] = []
        self._folded: dict[Line, tuple[int, int]] = {}
        self._told: dict[Line, tuple[int, int]] = {}
        """Newest version and quantity of each line by notices: as folded, and as told by records before the cut."""
        self._decided: set[tuple[str, str]] = set()
        self._cases: dict[tuple[str, str], Transfer] = {}
        self.instants: list[int] = []
        """When the hub looks at transfers again, at the latest."""

    def own(self, event: Told, item: str, fact: Fact, quantity: int) -> None:
        """A site's own line."""
        which = KINDS[event.kind]
        ends = (event.site, event.partner or "") if which == "sent" else (event.partner or "", event.site)
        transfer = (*ends, event.shipment or "", item)
        self._own.append(((which, transfer, event.event_key), fact, quantity))
        self._know(event.site, transfer, microseconds(event.occurred))

    def hear(self, notice: Given) -> bool:
        """A notice was folded; whether it says something new of a line."""
        line = _line(notice)
        if line in self._folded and self._folded[line][0] >= notice.version:
            return False
        self._folded[line] = (notice.version, notice.quantity)
        self._know(notice.from_site if notice.step == "received" else notice.to_site, line[1], microseconds(notice.at))
        return True

    def tell(self, notice: Given) -> None:
        """A notice stands in the log, folded or not, because of a record before the cut."""
        line = _line(notice)
        if notice.step in KINDS.values() and self._told.get(line, (0, 0))[0] < notice.version:
            self._told[line] = (notice.version, notice.quantity)

    def _know(self, site: str, transfer: Transfer, us: int) -> None:
        self.instants += [us, us + _HOURS * _HOUR_US]
        if site == transfer[0]:
            self._cases |= {(site, name_based_id("case", kind, site, *transfer)): transfer for kind in _CASES}

    def given_up(self, site: str, target: str, decision: str) -> Transfer | None:
        """The transfer that a decision gives up, once a decision."""
        if (site, decision) in self._decided:
            return None
        self._decided.add((site, decision))
        return self._cases.get((site, target))

    def derived(self) -> Counter[tuple[str, Transfer]]:
        """What the site's own facts say was sent and received."""
        found: Counter[tuple[str, Transfer]] = Counter()
        for (which, transfer, _), fact, quantity in self._own:
            found[which, transfer] += 0 if fact.gone else quantity
        return found

    def told(self) -> Counter[tuple[str, Transfer]]:
        """What notices to sites of this partition say of the others' lines."""
        return _summed(self._told)

    def folded(self) -> Counter[tuple[str, Transfer]]:
        """The part of it that the hub has folded."""
        return _summed(self._folded)


def _line(notice: Given) -> Line:
    return notice.step, (notice.from_site, notice.to_site, notice.shipment, notice.item), notice.line


def _summed(lines: dict[Line, tuple[int, int]]) -> Counter[tuple[str, Transfer]]:
    found: Counter[tuple[str, Transfer]] = Counter()
    for (which, transfer, _), (_, quantity) in lines.items():
        found[which, transfer] += quantity
    return found


def check_transfers(
    partitions: Iterable[tuple[Transfers, dict[tuple[str, str, str], int]]], report: Report
) -> None:
    """Compare all partitions: their lines, and what was derived for their outside accounts (by site, item, account)."""
    derived: Counter[tuple[str, Transfer]] = Counter()
    told: Counter[tuple[str, Transfer]] = Counter()
    folded: Counter[tuple[str, Transfer]] = Counter()
    between: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for one, outside in partitions:
        derived.update(one.derived())
        told.update(one.told())
        folded.update(one.folded())
        for (site, item, account), quantity in outside.items():
            if account.startswith("site:"):
                pair = sorted((site, account.removeprefix("site:")))
                between[pair[0], pair[1], item] += quantity
    report.count("transfers", len({transfer for _, transfer in {*derived, *told}}))
    for key in sorted({*derived, *told}):
        which, (from_site, to_site, shipment, item) = key
        if derived[key] != told[key]:
            text = (
                f"transfer {shipment} of {item} from {from_site} to {to_site}: {derived[key]} {which} by its site's facts, "
                f"{told[key]} by the notices of it"
            )
            report.differ("transfer", text, site=from_site, item=item, published=told[key], derived=derived[key])
    for (which, (from_site, to_site, _, item)), quantity in (told - folded).items():
        if which == "received":
            pair = sorted((from_site, to_site))
            between[pair[0], pair[1], item] += quantity
    for (which, (from_site, to_site, _, item)), quantity in (folded - told).items():
        if which == "received":
            pair = sorted((from_site, to_site))
            between[pair[0], pair[1], item] -= quantity
    for (one_site, other, item), quantity in sorted(between.items()):
        if quantity:
            text = f"{item}: the accounts that {one_site} and {other} have of each other add up to {quantity}, not to 0"
            report.differ("transfer", text, site=one_site, item=item, derived=quantity)
