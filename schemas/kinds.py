"""The closed vocabularies of the hub: event kinds, feeds, outcomes, statuses, states.

Every name is the field's standard term; a mapper that finds something else must say so rather than pick the nearest.
"""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What happened. The first block moves stock (when its feed has authority), the second never does."""

    VEND = "vend"  # removed from a cabinet pocket for a patient
    RETURN = "return"  # brought back unused
    WASTE = "waste"  # a removed dose (or part of it) was destroyed; nothing leaves a pocket
    REFILL = "refill"  # a pocket was topped up
    LOAD = "load"  # a pocket was assigned and filled: the quantity is its new total
    UNLOAD = "unload"  # a pocket was emptied and unassigned
    COUNT = "count"  # somebody counted: an absolute quantity
    EXPIRE = "expire"  # expired stock was taken out of its place
    DISPENSE = "dispense"  # the pharmacy handed out
    ADMINISTER = "administer"  # a patient received
    RECEIVE = "receive"  # goods arrived from a supplier
    PUT_AWAY = "put_away"  # moved between places of one site
    PICK = "pick"  # taken from a store for a cabinet, ward or site
    DISCARD = "discard"  # stock was destroyed where it stood
    REVERSAL = "reversal"  # an earlier event is taken back, whole
    ORDER = "order"  # a prescription was ordered, verified, changed or stopped
    SCHEDULE = "schedule"  # a give was scheduled
    CENSUS = "census"  # admission, transfer, discharge, merge
    NULL = "null"  # a device transaction without effect
    REQUEST = "request"  # a cabinet or another system asks to be refilled
    # Added later: the order of the vocabulary ranks events of one instant, and ranks stand in logs that are kept.
    ADJUST_IN = "adjust_in"  # a stock system says it holds more, and not where from
    ADJUST_OUT = "adjust_out"  # a stock system says it holds less, and not where to
    TRANSFER_OUT = "transfer_out"  # sent to another site: on its way until that site has received it
    TRANSFER_IN = "transfer_in"  # arrived from another site
    TRANSFER_RECEIVED = "transfer_received"  # at the sender: the other site's notice says that it arrived there
    TRANSFER_LOSS = "transfer_loss"  # at the sender: what was still on its way is given up, by a person's decision
    RETURN_SUPPLIER = "return_supplier"  # sent back to the supplier
    RETURN_DISTRIBUTOR = "return_distributor"  # sent to a reverse distributor
    OPENING = "opening"  # the first count of a pocket, lot by lot: what is there when the hub begins to count
    OPEN = "open"  # a container was opened: from here to TRANSFORM, each starts a beyond-use clock
    PUNCTURE = "puncture"  # the stopper of a vial was punctured
    THAW = "thaw"  # a frozen container began to thaw
    OUT_OF_FRIDGE = "out_of_fridge"  # a refrigerated container came to room temperature
    TRANSFORM = "transform"  # stock became other stock: compounded, repackaged, put into a kit or tray


STOCK_KINDS = frozenset(EventKind) - {
    EventKind.ORDER, EventKind.SCHEDULE, EventKind.CENSUS, EventKind.NULL, EventKind.REQUEST,
}  # fmt: skip
"""Kinds that may move stock. The others are accepted without movement."""


OPENING_KINDS = frozenset({EventKind.OPEN, EventKind.PUNCTURE, EventKind.THAW, EventKind.OUT_OF_FRIDGE})
"""Kinds that make a container a stock unit of its own, with a beyond-use instant."""


class Feed(StrEnum):
    """Which kind of feed says it; an item at a location has one feed that may decrement it (its authority)."""

    CABINET = "cabinet"
    DISPENSE = "dispense"
    ADMINISTRATION = "administration"
    CHARGE = "charge"
    SCAN = "scan"
    ORDER = "order"
    CENSUS = "census"
    ERP = "erp"
    SUPPLY = "supply"  # deliveries, supply requests and stock reports of other stock systems
    PAPER = "paper"  # what was written on paper in a downtime: it stands in for the feed with authority, which was away


class Outcome(StrEnum):
    """How one received item ended. Exactly one at a time; held → accepted later is a counted transfer."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    HELD = "held"
    QUARANTINED = "quarantined"


class BalanceStatus(StrEnum):
    """Status of a quantity on hand. Only `available` may be given to a patient."""

    AVAILABLE = "available"
    EXPIRED = "expired"
    QUARANTINED = "quarantined"
    RECALLED = "recalled"


class LocationKind(StrEnum):
    """What a place is for."""

    STORE = "store"
    CABINET = "cabinet"
    WARD = "ward"
    RETURN_BIN = "return_bin"
    QUARANTINE = "quarantine"
    TRANSIT = "transit"


class ConsumptionRuleKind(StrEnum):
    """How a dose becomes base units at a place."""

    WHOLE_CONTAINER = "whole_container"  # 50 mcg from a 100 mcg vial uses the vial
    SPLITTABLE = "splittable"  # a 500 mg dose of a 250 mg tablet is 2
    METERED = "metered"  # pens, inhalers, multi-dose vials: measured in the base unit
    PATIENT_SPECIFIC = "patient_specific"  # prepared for one patient: the container is used up as a whole


class CommandKind(StrEnum):
    """What a replenishment command asks for (design: commands)."""

    RESTOCK = "restock"
    TRANSFER = "transfer"
    PURCHASE = "purchase"
    EXPEDITE = "expedite"
    RETURN = "return"
    QUARANTINE = "quarantine"
    DESTROY = "destroy"
    COUNT = "count"


class CommandState(StrEnum):
    """Where a command is. `satisfied` and `cancelled` are final."""

    AWAITING_SUPPLIER = "awaiting_supplier"
    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_DOCUMENT = "awaiting_document"  # controlled: may not be executed before its document (DEA 222, CSOS) is named
    ISSUED = "issued"
    ACKNOWLEDGED = "acknowledged"
    IN_TRANSIT = "in_transit"
    REJECTED = "rejected"
    SATISFIED = "satisfied"
    CANCELLED = "cancelled"


CLOSED_COMMAND_STATES = frozenset({CommandState.SATISFIED, CommandState.CANCELLED})


class Urgency(StrEnum):
    """How soon. `critical` and `stock_out` look at usable stock alone, whatever is on order."""

    ROUTINE = "routine"
    CRITICAL = "critical"
    STOCK_OUT = "stock_out"
