"""What speaks against a change of the item master. Pure: the same change over the same item master finds the same.

`stop` findings forbid the change: it would make the item master contradict itself or stock mean something else. `warning` ones
are for the steward who decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from schemas.kinds import ConsumptionRuleKind
from schemas.master import Finding, MasterRecord
from schemas.reference import REFERENCE_KINDS, CodeLink, Item, Product, UnitFactor
from schemas.units import canonical_unit
from topology.master.alike import Likes
from topology.master.held import Held, plain
from topology.reference_files.checks import check_each
from topology.reference_files.code_owners import code_conflicts
from topology.reference_files.model import Placed, Row

OnHand = Callable[[str], int]
"""Base units of an item on hand anywhere, by the sum of what places hold."""

FINDINGS_MAX: Final = 500
"""Findings that are kept of one change; of more, the last one says how many."""


def findings(held: Held, changes: Sequence[MasterRecord], on_hand: OnHand) -> tuple[Finding, ...]:
    """Everything that speaks against a change, stops first."""
    after = held.after(changes)
    found = [
        *_changed_since(held, changes), *_conflicts(held, changes), *_unsound(after, changes), *_still_named(after, changes),
        *_units(changes, on_hand), *_alike(held, changes), *_incomplete(after, changes), *_control(changes),
    ]  # fmt: skip
    found.sort(key=lambda one: one.severity != "stop")
    if len(found) > FINDINGS_MAX:
        more = len(found) - FINDINGS_MAX + 1
        reason = f"{more} more findings are not listed: make the change smaller"
        rest = Finding(severity=found[FINDINGS_MAX - 1].severity, code="more", record="", reason=reason)
        found = [*found[: FINDINGS_MAX - 1], rest]
    return tuple(found)


def stops(found: Sequence[Finding]) -> list[Finding]:
    """Those that forbid the change."""
    return [one for one in found if one.severity == "stop"]


def _changed_since(held: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """What it was proposed over is not what is there now."""
    for one in changes:
        current = held.records.get((one.kind, one.id))
        if (None if current is None else plain(current)) != one.before:
            yield _stop("changed_since", one, "was changed since this was proposed: propose the change anew")


def _conflicts(held: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """One code that would point to two items."""
    removed = {(one.kind, one.id) for one in changes if one.after is None}
    kept = [record for record in held.of("item", "product", "code") if record[:2] not in removed]
    for problem in code_conflicts(_placed(changes), kept):
        yield Finding(severity="stop", code="code_conflict", record=problem.file, reason=problem.reason)


def _unsound(after: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """Records that break a rule of their own, or refer to nothing."""
    for problem in check_each(_placed(changes), after.ids):
        reason = f"{problem.field}: {problem.reason}" if problem.field else problem.reason
        yield Finding(severity="stop", code="invalid", record=problem.file, reason=reason)
    for one in changes:
        record = after.records.get((one.kind, one.id))
        product = after.records.get(("product", record.product)) if isinstance(record, CodeLink) and record.product else None
        if isinstance(record, CodeLink) and isinstance(product, Product) and product.item != record.item:
            yield _stop("invalid", one, f"product {product.id} belongs to item {product.item}, not to {record.item}")


def _still_named(after: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """Items and products that are taken away while others refer to them."""
    gone = {(one.kind, one.id): one for one in changes if one.after is None and one.kind in ("item", "product")}
    if not gone:
        return
    named: Counter[tuple[str, str]] = Counter()
    for record in after.records.values():
        item, product = getattr(record, "item", None), getattr(record, "product", None)
        named.update([("item", str(item))] * bool(item) + [("product", str(product))] * bool(product))
        named.update(("item", other) for other in getattr(record, "substitutes", ()))
    named.update(("item", id_.split("|")[-1]) for id_ in after.ids.get("par_policy", ()))
    for key, one in gone.items():
        if named[key]:
            yield _stop("still_named", one, f"{named[key]} records refer to it: change or remove these first")


def _units(changes: Sequence[MasterRecord], on_hand: OnHand) -> Iterator[Finding]:
    """What would make quantities on hand mean something else."""
    for one in changes:
        before, after = one.before or {}, one.after or {}
        if one.kind == "item" and one.before is not None:
            units = before.get("base_unit"), after.get("base_unit")
            held = on_hand(one.id) if units[0] != units[1] else 0
            if held and one.after is None:
                yield _stop("stock_on_hand", one, f"{held} {units[0]} are on hand: an item with stock can't be removed")
            elif held:
                reason = f"{held} {units[0]} are on hand, and would be {units[1]}: make a new item and move the stock there"
                yield _stop("unit_change_with_stock", one, reason)
            elif units[0] != units[1] and one.after is not None:
                yield _warn("unit_change", one, f"base unit {units[0]} becomes {units[1]}; nothing is on hand")
        stated = _contents(one.kind, before), _contents(one.kind, after)
        if one.before is not None and one.after is not None and stated[0] != stated[1]:
            held = on_hand(str(after.get("item", one.id)))
            if held:
                reason = f"{held} base units are on hand; what arrives from then on counts as {stated[1]} instead of {stated[0]}"
                yield _warn("unit_change_with_stock", one, reason)


def _contents(kind: str, record: dict[str, object]) -> str:
    """What a record says one package, unit or strength is."""
    if kind == "product":
        return f"{record.get('package_quantity')} a package, levels {record.get('levels') or 'none'}"
    if kind == "unit_factor":
        return f"{record.get('numerator')}/{record.get('denominator', 1)} a {record.get('unit')}"
    if kind == "item":
        return f"{record.get('strength_amount')} {record.get('strength_unit')} in one"
    return ""


def _alike(held: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """New items that look like one that is there, or like each other."""
    new = [one for one in changes if one.kind == "item" and one.before is None and one.after is not None]
    items = {one.id: REFERENCE_KINDS["item"].codec.validate(one.after) for one in new}
    if not items:
        return
    likes = Likes([*(record for _, _, record in held.of("item") if isinstance(record, Item)), *items.values()])
    for one in new:
        for other, score in likes.like(items[one.id]):
            yield _warn("duplicate", one, f"looks like item {other} (names {score} of 100 alike, same unit and strength)")


def _incomplete(after: Held, changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """Attributes without which feeds can't be understood, or not safely."""
    coded = {record.item for record in after.records.values() if isinstance(record, (Product, CodeLink))}
    for one in changes:
        record = after.records.get((one.kind, one.id))
        if isinstance(record, Item):
            found = record.codes or record.id in coded
            missing = [] if found else ["a code or a product (nothing that a feed sends would find it)"]
            missing += [] if record.strength_amount is not None else ["strength (doses in mg can't be converted)"]
            missing += [] if record.form else ["form"]
            if record.consumption_rule is ConsumptionRuleKind.METERED and canonical_unit(record.base_unit) in _CONTAINERS:
                missing.append(f"a base unit smaller than {record.base_unit} (a metered item is measured, not counted)")
            if missing:
                yield _warn("missing_attribute", one, f"lacks {', '.join(missing)}")
        if isinstance(record, Product) and not (record.ndc or record.gtin or record.codes):
            yield _warn("missing_attribute", one, "lacks NDC, GTIN and any other code: no scan would find it")
        if isinstance(record, UnitFactor) and record.numerator != record.denominator:
            item = after.records.get(("item", record.item))
            if isinstance(item, Item) and canonical_unit(record.unit) == item.base_unit:
                yield _stop("invalid", one, f"{record.unit} is the item's base unit, which is 1 of itself")


_CONTAINERS: Final = frozenset({"vial", "pen", "inhaler", "bottle", "bag", "syringe", "ampule", "tube"})


def _control(changes: Sequence[MasterRecord]) -> Iterator[Finding]:
    """Changes that loosen or tighten how an item is handled."""
    for one in changes:
        if one.kind != "item" or one.before is None or one.after is None:
            continue
        for name in ("schedule", "high_alert", "storage", "consumption_rule"):
            before, after = one.before.get(name), one.after.get(name)
            if before != after:
                yield _warn("handling", one, f"{name} {_shown(before)} becomes {_shown(after)}")


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _placed(changes: Sequence[MasterRecord]) -> list[Placed]:
    """The records after the change, as the checks of reference files take them; each is its own file."""
    found = []
    for one in changes:
        if one.after is not None:
            record = REFERENCE_KINDS[one.kind].codec.validate(one.after)
            row = Row(kind=one.kind, file=_name(one), line=0, cells={})
            found.append(Placed(kind=one.kind, id=one.id, record=record, row=row))
    return found


def _name(one: MasterRecord) -> str:
    return f"{one.kind} {one.id}"


def _stop(code: str, one: MasterRecord, reason: str) -> Finding:
    return Finding(severity="stop", code=code, record=_name(one), reason=reason)


def _warn(code: str, one: MasterRecord, reason: str) -> Finding:
    return Finding(severity="warning", code=code, record=_name(one), reason=reason)
