"""Stage go-live: what a site that is not live may say, and what changes when its mode does.

A site that prepares or runs in shadow is folded as any other; its commands go to `shadow.commands` instead of
`replenishment.commands`, and what it says is marked. When the mode changes, what is open is said again, once: at a cut-over open
commands become executable then, at a roll-back they are withdrawn. The work is cut into steps, so that none is large.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import ReferenceChange
from schemas.golive import GoLive
from schemas.kinds import CLOSED_COMMAND_STATES, CommandState
from schemas.records import Command
from schemas.reference import ParPolicy
from streams.ledger.model import CardKey
from streams.site import levels, orders
from streams.site.desk import Desk
from streams.site.tables import Timer

ROWS_PER_STEP: Final = 500
"""Rows of a table that one step looks at."""
_STAGES: Final = ("commands", "cases", "cards")


def changed(desk: Desk, change: ReferenceChange, before: GoLive | None) -> None:
    """A site's mode was decided anew: have everything that is open said again, where that makes a difference."""
    after: GoLive | None = desk.catalog.record(change)
    was_live = before is None or before.mode == "live"
    if was_live == (after is None or after.mode == "live"):
        return
    desk.schedule(desk.now_us, Timer("mode", (change.id, str(change.revision), _STAGES[0])))


def step(desk: Desk, site: str, revision: str, stage: str, *after: str) -> None:
    """Say again what is open in the next rows of one table; the rest with the events that follow."""
    table: Any = {"commands": desk.commands, "cases": desk.cases, "cards": desk.book.cards}[stage]
    last: tuple[str, ...] = after
    looked = 0
    for key, row in list(_rows(table, (site, *after) if after else None, site)):
        match stage:
            case "commands":
                _command(desk, row)
            case "cases":
                desk.case_said_again(row)
            case _:
                card: CardKey = (site, str(key[1]), str(key[2]))
                orders.publish_position(desk, card, desk.catalog.policy(*card), row)
        last = tuple(str(part) for part in key[1:])
        looked += 1
    following = (stage, *last) if looked == ROWS_PER_STEP else _following(stage)
    if following:
        desk.schedule(desk.now_us, Timer("mode", (site, revision, *following)))


def _rows(table: Any, after: tuple[str, ...] | None, site: str) -> Any:
    """At most a step's rows behind a key."""
    count = 0
    for key, row in table.scan((site,), start=after) if after is not None else table.scan((site,)):
        if after is not None and key == after:
            continue
        yield key, row
        count += 1
        if count == ROWS_PER_STEP:
            return


def _following(stage: str) -> tuple[str, ...]:
    at = _STAGES.index(stage) + 1
    return (_STAGES[at],) if at < len(_STAGES) else ()


def _command(desk: Desk, command: Command) -> None:
    """An open command whose last revision was said in the other mode is said in this one."""
    live = desk.catalog.is_live(command.site)
    if command.state in CLOSED_COMMAND_STATES or command.shadow != live:
        return
    if live:
        _release(desk, command)
    else:
        orders.revise(desk, command)


def _release(desk: Desk, command: Command) -> None:
    """It becomes executable now, for what is missing now. Nothing that was decided in shadow approves it."""
    card: CardKey = (command.site, command.location, command.item)
    standing = desk.book.card(card)
    policy: ParPolicy | None = desk.catalog.policy(*card)
    need = desk.needs.get(card)
    own = policy is not None and need is not None and need.command_id == command.command_id
    quantity = levels.order_quantity(policy, standing.usable, 0) if policy is not None and own else command.quantity
    proof = {
        **{name: value for name, value in command.proof.items() if name != "confirmed"},
        "cut_over": {"at": desk.at.isoformat(), "usable": standing.usable, "quantity_in_shadow": command.quantity},
    }  # fmt: skip
    state = command.state if command.state is CommandState.REJECTED else orders.state_again(desk, command)
    released = orders.revise(
        desk, command, state=state, quantity=quantity or command.quantity, proof=proof, reason=None
    )  # fmt: skip
    orders.ask_network(desk, released)
