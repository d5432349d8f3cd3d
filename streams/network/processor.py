"""Network, first cut: it knows the stores' positions and what suppliers sell, and answers purchase needs with a supplier.

Options are weighed in a stated order (rank, then lead time, price, reliability, id) and all of them are reported with why each
was or was not taken; surplus at other sites is listed as an option a person can choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from schemas import events, records
from schemas.codec import encode
from schemas.events import Proposal
from schemas.keys import encode_key
from schemas.log import LogRecord, Output
from schemas.records import Command, Position
from schemas.topics import NETWORK_LOG, SITE_LOG
from streams.catalog import CATALOG_TABLES, Catalog
from streams.state import State, Table, TableSpec

POSITIONS_SEEN: Final = TableSpec("positions", Position)
SURPLUS_OPTIONS_MAX: Final = 5


class NetworkProcessor:
    """Folds `network.log` into proposals."""

    name = "network"
    input_topic = NETWORK_LOG
    tables = (*CATALOG_TABLES, POSITIONS_SEEN)

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
        match dict(record.headers).get("ce_type"):
            case "ReferenceChange":
                change = events.REFERENCE_CHANGE.decode(record.value or b"")
                if change.kind != "par_policy":
                    self._catalog.apply(change)
                return ()
            case "Position":
                position = records.POSITION.decode(record.value or b"")
                self._positions.put((position.item, position.site, position.location), position)
                return ()
            case "Command":
                return self._need(records.COMMAND.decode(record.value or b""))
            case _:
                return ()

    def _need(self, command: Command) -> list[Output]:
        """Answer a purchase need."""
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
        """Other sites that hold more than par of the item: a transfer a person could choose."""
        options: list[dict[str, Any]] = []
        for _, position in self._positions.scan((command.item,)):
            over = position.usable - (position.par or 0)
            if position.site != command.site and over >= command.quantity:
                options.append(
                    {
                        "kind": "transfer", "from_site": position.site, "from_location": position.location, "surplus": over,
                        "taken": False, "why": "a transfer between sites is a person's decision",
                    }
                )  # fmt: skip
            if len(options) == SURPLUS_OPTIONS_MAX:
                break
        return options
