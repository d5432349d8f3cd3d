"""Network, first cut: it knows the stores' positions and what suppliers sell, and answers purchase needs with a supplier.

Options are weighed in a stated order (rank, then lead time, price, reliability, id) and all of them are reported with why each
was or was not taken; surplus at other sites is listed as an option a person can choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from schemas import events, records
from schemas.codec import encode
from schemas.events import Proposal, ReferenceChange
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.log import LogRecord, Output
from schemas.master import Finding, MasterChange, MasterState
from schemas.records import Case, Command, Position
from schemas.topics import CASES, NETWORK_LOG, SITE_LOG
from schemas.transfers import TRANSFER_NOTICE, TransferNotice, TransferStep
from streams.catalog import CATALOG_TABLES, Catalog
from streams.state import State, Table, TableSpec

CONFLICTS: Final = TableSpec("conflicts", Case)
_NOT_NEEDED: Final = frozenset({"par_policy", "master_record", "pocket_count", "comparison"})
_UNSETTLED: Final = frozenset({MasterState.PROPOSED, MasterState.BLOCKED})
POSITIONS_SEEN: Final = TableSpec("positions", Position)
SURPLUS_OPTIONS_MAX: Final = 5


class NetworkProcessor:
    """Folds `network.log` into proposals."""

    name = "network"
    input_topic = NETWORK_LOG
    tables = (*CATALOG_TABLES, POSITIONS_SEEN, CONFLICTS)

    def __init__(self) -> None:
        """Holds no state of its own."""
        self._state: State | None = None

    def forget(self) -> None:
        """Bind anew with the next record."""
        self._state = None

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        """Fold one record of the network log."""
        if self._state is not state:
            self._state = state
            self._catalog = Catalog(state)
            self._positions: Table[Position] = state.table(POSITIONS_SEEN)
            self._cases: Table[Case] = state.table(CONFLICTS)
        match dict(record.headers).get("ce_type"):
            case "ReferenceChange":
                change = events.REFERENCE_CHANGE.decode(record.value or b"")
                if change.kind == "master_change":
                    return self._governance(change)
                if change.kind not in _NOT_NEEDED:
                    self._catalog.apply(change)
                return ()
            case "Position":
                position = records.POSITION.decode(record.value or b"")
                self._positions.put((position.item, position.site, position.location), position)
                return ()
            case "TransferNotice":
                return self._asked(TRANSFER_NOTICE.decode(record.value or b""))
            case "Command":
                return self._need(records.COMMAND.decode(record.value or b""))
            case _:
                return ()

    def _governance(self, change: ReferenceChange) -> list[Output]:
        """A proposed change of the item master that would give one code two items is a case until it is settled."""
        newer = self._catalog.apply(change)
        held: MasterChange | None = self._catalog.record(change)
        if not newer or held is None:
            return []
        at = held.decided_at or held.proposed_at
        case_id = derived_id("case", "code_conflict", held.id)
        conflicts = [found for found in held.findings if found.code == "code_conflict"]
        is_open = bool(conflicts) and held.state in _UNSETTLED
        opened = self._cases.get((case_id,))
        if not is_open and opened is None:
            return []
        text = f"change {held.id} of the item master ({held.title}) would give one code two items: {_first(conflicts)}"
        case = Case(
            case_id=case_id, site="", kind="code_conflict", state="open" if is_open else "closed",
            text=text if opened is None else opened.text, opened_at=held.proposed_at, updated_at=at,
            closed_by=None if is_open else held.decided_by or held.proposer, facts={"change": held.id},
        )  # fmt: skip
        self._cases.put((case_id,), case)
        return [
            Output(CASES, encode_key(("", case_id)), encode(case), "Case", "", subject="", source="network", time=at)
        ]  # fmt: skip

    def _need(self, command: Command) -> list[Output]:
        """Answer a purchase need of a live site."""
        if not self._catalog.is_live(command.site):
            return []
        offers = self._offers(command.item)
        chosen = offers[0]["supplier"] if offers else None
        for offer in offers:
            offer["taken"] = offer["supplier"] == chosen
            offer["why"] = (
                "best by rank, lead time, price and reliability" if offer["taken"] else f"ranks behind {chosen}"
            )
        proposal = Proposal(
            site=command.site, command_id=command.command_id, location=command.location, item=command.item, supplier=chosen,
            options=(*offers, *self._surplus(command)), at=command.updated_at,
        )  # fmt: skip
        return [
            Output(
                SITE_LOG, encode_key((command.site,)), encode(proposal), "Proposal", command.site, subject=command.site,
                source="network", time=command.updated_at,
            )
        ]  # fmt: skip

    def _asked(self, notice: TransferNotice) -> list[Output]:
        """A site asks for stock of another one: that one hears of it, which reserves it or refuses."""
        held = self._positions.get((notice.item, notice.from_site, notice.location or ""))
        if held is None:
            why = f"the network knows of no stock of {notice.item} at {notice.from_site} {notice.location or ''}".rstrip()
            notice = replace(notice, step=TransferStep.REFUSED, reason=why)
        return [
            Output(
                SITE_LOG, encode_key((notice.site,)), encode(notice), "TransferNotice", notice.site, subject=notice.site,
                source="network", time=notice.at,
            )
        ]  # fmt: skip

    def _offers(self, item: str) -> list[dict[str, Any]]:
        """Who sells the item, best first."""
        found = []
        for offer in self._catalog.supplier_items():
            supplier = self._catalog.supplier(offer.supplier)
            if offer.item == item and supplier is not None:
                order = (offer.rank, offer.lead_time_days, offer.price, -supplier.reliability, offer.supplier)
                found.append((order, offer))
        return [
            {
                "kind": "purchase", "supplier": offer.supplier, "price": str(offer.price), "pack": offer.pack,
                "lead_time_days": offer.lead_time_days, "rank": offer.rank,
            }
            for _, offer in sorted(found, key=lambda pair: pair[0])
        ]  # fmt: skip

    def _surplus(self, command: Command) -> list[dict[str, Any]]:
        """Other live sites that hold more than par of the item: a transfer a person could choose."""
        options: list[dict[str, Any]] = []
        for _, position in self._positions.scan((command.item,)):
            over = position.usable - (position.par or 0)
            if position.site != command.site and over >= command.quantity and self._catalog.is_live(position.site):
                options.append(
                    {
                        "kind": "transfer", "from_site": position.site, "from_location": position.location, "surplus": over,
                        "taken": False, "why": "a transfer between sites is a person's decision",
                    }
                )  # fmt: skip
            if len(options) == SURPLUS_OPTIONS_MAX:
                break
        return options


def _first(conflicts: list[Finding]) -> str:
    """The first conflict, and how many more there are."""
    if not conflicts:
        return ""
    more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
    return f"{conflicts[0].record}: {conflicts[0].reason}{more}"
