"""Stage returns: unused stock that comes back, and stock that goes back to a supplier or a reverse distributor, with its credit.

A return into a place where the site's policy wants none posts and is a case: the return bin comes first, where a pharmacist looks
at it (ISMP: no return to the original pocket; `domain` §3.12). Of what goes out the credit that is expected and what is received
of it are kept by shipment. Money is exact decimal; stock does not wait for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas.events import Decision, OrderAnswer, StockEvent
from schemas.ids import derived_id
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, EventKind, LocationKind, Urgency
from schemas.records import Command, SuggestedLot
from schemas.reference import Item
from streams.ledger.model import CardKey
from streams.site import orders
from streams.site.desk import Desk, no_exponent
from streams.site.tables import ReturnedLine
from streams.site.work import Work
from streams.times import iso_date

GOES_BACK: Final = frozenset({EventKind.RETURN_SUPPLIER, EventKind.RETURN_DISTRIBUTOR})
_MAY_RETURN: Final = frozenset({"pharmacist", "buyer"})


def posted(desk: Desk, work: Work) -> None:
    """A return was posted: one that came back, or one that goes out."""
    event = work.event
    if event.kind is EventKind.RETURN and work.quantity:
        _against_policy(desk, event, work.item, work.location)
    if event.kind in GOES_BACK and work.quantity:
        shipment = event.shipment or event.order_id or event.event_key
        line = ReturnedLine(work.item.id, work.quantity, no_exponent(event.amount))
        desk.returned.put((event.site, shipment, event.event_key), line)
        desk.transfer_facts.put((event.site, event.event_key), ("", event.partner or "", shipment, work.item.id, "returned"))
        _look(desk, event.site, shipment)


def taken_back(desk: Desk, site: str, event_key: str) -> None:
    """A fact counts no longer: where it was a return that went out, look at its shipment again."""
    named = desk.transfer_facts.get((site, event_key))
    if named is not None and named[4] == "returned":
        _look(desk, site, named[2])


def _against_policy(desk: Desk, event: StockEvent, item: Item, place: str) -> None:
    """A return into a place that is no return bin, where returns go to one."""
    location, site = desk.catalog.location(event.site, place), desk.catalog.site(event.site)
    stated = location.return_policy if location is not None else None
    policy = stated or (site.return_policy if site is not None else "any")
    if policy == "any" or (location is not None and location.kind is LocationKind.RETURN_BIN):
        return
    text = f"{item.name} was returned into {place}; returns go to the return bin first: take it out and have it looked at"
    case_id = derived_id("case", "return_policy", event.site, event.event_key)
    desk.case_open(
        case_id, event.site, "return_policy", text, location=place, item=item.id, event_id=event.event_id, raw=event.raw
    )  # fmt: skip
    desk.count(event.site, "returns_against_policy")


# ---- credit --------------------------------------------------------------------------------------------------------------


def credited(desk: Desk, answer: OrderAnswer) -> tuple[str, str]:
    """A credit was received for a return, by its command or its shipment's number. A reason code and a sentence."""
    key = (answer.site, answer.command_id, answer.answer_id)
    if desk.credits.get(key) is not None:
        return "duplicate", "this credit was received before"
    amount = answer.amount if answer.amount is not None else Decimal(0)
    desk.credits.put(key, no_exponent(amount))
    _look(desk, answer.site, answer.command_id)
    return "credited", f"a credit of {no_exponent(amount)} for return {answer.command_id}"


def _look(desk: Desk, site: str, shipment: str) -> None:
    """The credit of a return against what is expected, and how far its command is."""
    lines = [line for key, line in desk.returned.scan((site, shipment)) if _stands(desk, site, str(key[2]))]
    expected = sum((Decimal(line.expected) for line in lines if line.expected), Decimal(0))
    amounts = [Decimal(amount) for _, amount in desk.credits.scan((site, shipment))]
    received = sum(amounts, Decimal(0))
    case_id = derived_id("case", "credit_short", site, shipment)
    if amounts and received < expected:
        short = no_exponent(expected - received)
        text = (
            f"of the credit of {no_exponent(expected)} expected for return {shipment}, {no_exponent(received)} was received: "
            f"ask for the {short} that are missing"
        )
        desk.case_open(case_id, site, "credit_short", text, reopen=True)
        desk.case_note(case_id, site, text, {"expected": no_exponent(expected), "received": no_exponent(received)})
    else:
        desk.case_close(case_id, site, "credit")
    _progress(desk, site, shipment, lines, (expected, received))


def _stands(desk: Desk, site: str, event_key: str) -> bool:
    seen = desk.seen.get((site, event_key))
    return seen is not None and seen.status == "posted"


# ---- commands ------------------------------------------------------------------------------------------------------------


def ask(desk: Desk, decision: Decision) -> tuple[str, str]:
    """A person has the stock of a case sent back: everything of its item at its place. A reason code and a sentence."""
    case = desk.cases.get((decision.site, decision.target))
    item = desk.catalog.item(case.item) if case is not None and case.item else None
    if case is None or item is None or case.location is None:
        return "unknown_target", f"{decision.target} is no case about an item at a place of site {decision.site}"
    held = [role for role in desk.catalog.roles_of(decision.actor) if not role.sites or decision.site in role.sites]
    if not any(role.role in _MAY_RETURN for role in held):
        return "not_authorised", f"{decision.actor} is neither pharmacist nor buyer at {decision.site}"
    if not decision.option:
        return "unknown_option", "option: name the supplier or reverse distributor it goes to"
    card: CardKey = (decision.site, case.location, item.id)
    lots = _lots(desk, card)
    quantity = sum(lot.quantity for lot in lots)
    if quantity < 1:
        return "nothing_there", f"nothing of {item.name} is at {case.location}"
    armed_by = f"return|{decision.target}|{decision.decision_id}"
    proof = {
        "trigger": f"{decision.actor} returns what case {case.kind} is about", "armed_by": armed_by, "policy": {},
        "position": {"on_hand": desk.book.card(card).on_hand, "usable": desk.book.card(card).usable},
        "arithmetic": f"on hand {quantity}", "daily_demand": "0", "case": case.case_id,
    }  # fmt: skip
    command = Command(
        command_id=derived_id("command", decision.site, item.id, case.location, CommandKind.RETURN, "", "", "", armed_by),
        revision=1, site=decision.site, location=case.location, item=item.id, kind=CommandKind.RETURN, state=CommandState.ISSUED,
        urgency=Urgency.ROUTINE, quantity=quantity, unit=item.base_unit, opened_at=decision.at, updated_at=desk.at, proof=proof,
        source_location=case.location, supplier=decision.option, lots=lots, reason=decision.reason,
    )  # fmt: skip
    orders.publish(desk, orders.governed(desk, command, item, Decimal(0)))
    return "return_opened", f"command {command.command_id}: {quantity} {item.base_unit} to {decision.option}"


def _lots(desk: Desk, card: CardKey) -> tuple[SuggestedLot, ...]:
    found = []
    for lot, quantity in sorted(desk.book.lot_quantities(card).items(), key=lambda one: (one[0].lot, one[0].product)):
        facts = desk.book.facts_of(card, lot)
        if quantity > 0:
            expiry = None if facts.expiry is None else iso_date(facts.expiry)
            found.append(
                SuggestedLot(
                    location=card[1], product=lot.product, lot=facts.lot_text or lot.lot, quantity=quantity, expiry=expiry
                )
            )
    return tuple(found)


def _progress(
    desk: Desk, site: str, shipment: str, lines: list[ReturnedLine], money: tuple[Decimal, Decimal]
) -> None:
    """The return command whose id is the shipment's number is done when everything went out; its proof tells the credit."""
    command: Command | None = desk.commands.get((site, shipment))
    if command is None or command.kind is not CommandKind.RETURN or command.state is CommandState.CANCELLED:
        return
    returned = sum(line.quantity for line in lines if line.item == command.item)
    known = {"returned": returned, "credit_expected": no_exponent(money[0]), "credit_received": no_exponent(money[1])}
    is_done = returned >= command.quantity
    if is_done:
        state = CommandState.SATISFIED
    else:
        state = CommandState.ISSUED if command.state in CLOSED_COMMAND_STATES else command.state
    if state is not command.state or any(command.proof.get(name) != value for name, value in known.items()):
        orders.revise(desk, command, state=state, proof={**command.proof, **known}, closed_at=desk.at if is_done else None)
