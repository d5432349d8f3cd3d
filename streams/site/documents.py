"""Stage orders, for controlled substances: a purchase, transfer or return may not be executed before its document is named.

For schedules I and II that is a DEA Form 222 or its electronic equivalent, a CSOS order (21 CFR 1305.03); a site's policy may ask
for one in other schedules too. The document stands beside the approval and never in its place.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.events import Decision
from schemas.kinds import CommandKind, CommandState
from schemas.records import Command
from schemas.reference import Item
from streams.site.desk import Desk, replace
from streams.site.policies import policy_of

ASKED: Final = frozenset({CommandKind.PURCHASE, CommandKind.TRANSFER, CommandKind.RETURN})
MAY_SUPPLY: Final = frozenset({"pharmacist", "buyer"})
REFERENCE_CHARACTERS_MAX: Final = 60
_CSOS: Final = re.compile(r"[0-9]{2}X[A-Z0-9]{6}", re.ASCII)
"""An electronic order's number: two digits of the year, X, six characters (21 CFR 1305.21(b)(1))."""


def asked_for(desk: Desk, command: Command, item: Item) -> bool:
    """Whether a command needs a document, whether or not it has one."""
    policy = policy_of(desk, command.site)
    return command.kind in ASKED and item.schedule is not None and item.schedule in policy.document_schedules


def gate(desk: Desk, command: Command, item: Item | None) -> Command:
    """The command as it may be published: one that would be issued without its document waits for it."""
    if command.state is not CommandState.ISSUED or item is None or "document" in command.proof:
        return command
    if not asked_for(desk, command, item):
        return command
    waiting: Command = replace(command, state=CommandState.AWAITING_DOCUMENT)
    return waiting


def supplied(desk: Desk, command: Command, decision: Decision) -> tuple[str, str, Command | None]:
    """What naming a document does: a reason code, a sentence, and the command as it is then, where that changes."""
    held = {role.role for role in desk.catalog.roles_of(decision.actor) if not role.sites or decision.site in role.sites}
    if not held & MAY_SUPPLY:
        return "not_authorised", f"{decision.actor} is neither pharmacist nor buyer at {decision.site}", None
    item = desk.catalog.item(command.item)
    if item is None or not asked_for(desk, command, item):
        return "no_document_needed", f"a {command.kind} of {command.item} needs no document", None
    reference = (decision.document or "").strip()
    if not reference or len(reference) > REFERENCE_CHARACTERS_MAX or not reference.isprintable():
        text = f"give the DEA 222 or CSOS number as the document, at most {REFERENCE_CHARACTERS_MAX} characters"
        return "no_document", text, None
    standing = command.proof.get("document")
    if standing is not None and command.state in (CommandState.ISSUED, CommandState.ACKNOWLEDGED):
        return "already_documented", f"the command went out under {standing['reference']}", None
    kind = "csos" if _CSOS.fullmatch(reference) else "other" if (item.schedule or 0) > 2 else "dea_222"
    named = {"reference": reference, "kind": kind, "by": decision.actor, "at": decision.at.isoformat()}
    proof = {**command.proof, "document": named}
    if command.state is not CommandState.AWAITING_DOCUMENT:
        return "document_noted", f"noted; the command is {command.state} and stays so", replace(command, proof=proof)
    return "document", "the command is issued", replace(command, proof=proof, state=CommandState.ISSUED)
