"""Mapping a message by a profile's layout: one result per segment the layout calls an item.

The layout says where facts stand and what codes mean; everything else (identity, order of facts, what is refused) is the hub's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from connectors.hl7.envelope import Envelope
from connectors.hl7.er7 import Message
from connectors.hl7.fields import FieldError
from connectors.hl7.identity import content, reversal_key
from connectors.hl7.items import stray_movements
from connectors.hl7.paths import PATHS
from connectors.hl7.profiles import facts
from connectors.hl7.profiles.compile import DEFAULT_STARTS, Compiled, Layout
from connectors.hl7.profiles.scope import Scope, relative, scopes_of
from schemas.kinds import STOCK_KINDS, EventKind, Feed
from schemas.mapping import Mapped, NoEffect, Refused
from schemas.profile import Effect, FieldMap, TextRule

_ABSOLUTE: Final = frozenset({EventKind.LOAD, EventKind.UNLOAD, EventKind.COUNT})
"""Kinds that state a total; of all others an amount of 0 moves nothing."""
_PATTERN_TEXT_MAX: Final = 200
_ATTRIBUTES: Final = {
    "item": ("codes",),
    "location": ("location_codes",),
    "to_location": ("to_location_codes",),
    "transaction": ("transaction_id",),
    "order": ("order_id",),
    "actual_begin_count": ("begin_count", "begin_count_verified"),
}
"""Fields of a profile and the fields of `StockEvent` they fill, where the names differ."""


def layout_for(envelope: Envelope, layouts: tuple[Layout, ...]) -> Layout | None:
    """The first layout whose condition holds in every segment it looks at; one without a condition always does.

    None when none does, or when the layout meant leaves out a cabinet's own segments: they may state a movement.
    """
    for layout in layouts:
        if meant(envelope.message, layout):
            return None if layout.leaves_out(envelope.message) else layout
    return None


def meant(message: Message, layout: Layout) -> bool:
    """Whether all conditions of a layout hold in every segment they look at."""
    for path, pattern in layout.conditions:
        segments = message.segments(PATHS[path].segment)
        if not segments:
            return False
        if not all(pattern.fullmatch(segment.value(relative(path))[:_PATTERN_TEXT_MAX]) for segment in segments):
            return False
    return True


def map_by_layout(envelope: Envelope, compiled: Compiled, layout: Layout) -> Iterator[Mapped]:
    """One result per item; an item that can't be used is refused, the others go on."""
    map_ = layout.map
    each = map_.each or ""
    starts = map_.starts if map_.starts is not None else DEFAULT_STARTS
    scopes = scopes_of(envelope.message, each, [name for name in starts if envelope.message.has(name)])
    if not scopes:
        reason = f"profile {compiled.id} reads {each} segments of this message, and there is none"
        yield Refused(code="missing_segment", reason=reason)
    for scope in scopes:
        try:
            yield _item(envelope, compiled, layout, scope)
        except FieldError as error:
            yield Refused(code=error.code, reason=f"{error.reason} (profile {compiled.id})")
    yield from stray_movements(envelope, each, *layout.reads)


def amend_by_layout(envelope: Envelope, compiled: Compiled, layout: Layout, each: str) -> None:
    """Have the items of a standard message type amended by what the layout says stands elsewhere."""
    fields = layout.fields
    if not fields:
        return
    scopes = scopes_of(envelope.message, each, [name for name in DEFAULT_STARTS if envelope.message.has(name)])

    def amend(number: int, event: dict[str, Any]) -> None:
        scope = scopes[number - 1]
        stated = _stated(envelope, scope, fields, Effect())
        stated["codes"] = facts.item_codes(scope, fields.get("item"))
        stated["unit"] = facts.unit(scope, fields.get("unit"), compiled.units)
        stated["pocket"] = facts.text(scope, fields.get("pocket"))
        if "quantity" in fields:
            stated["quantity"] = _quantity(scope, fields, Effect())
        for name in fields:
            for attribute in _ATTRIBUTES.get(name, (name,)):
                if attribute in stated and (stated[attribute] or name in ("quantity", "item")):
                    event[attribute] = stated[attribute]

    envelope.amend = amend


def _item(envelope: Envelope, compiled: Compiled, layout: Layout, scope: Scope) -> Mapped:
    fields, map_ = layout.fields, layout.map
    effect = _effect(layout, scope)
    codes = facts.item_codes(scope, fields.get("item"))
    if not codes and map_.no_item is not None:
        return NoEffect(code="no_drug", reason=map_.no_item)
    kind = effect.kind or EventKind.NULL
    quantity = _quantity(scope, fields, effect)
    no_effect = effect.no_effect
    if quantity is None and no_effect is None and kind in STOCK_KINDS:
        raise FieldError("missing_quantity", f"{' or '.join(_quantity_paths(fields, effect))} is empty: it says no quantity")
    if quantity == 0 and no_effect is None and kind not in _ABSOLUTE:
        no_effect = f"the sender reported a {kind} of 0"
    key = _key(envelope, layout, scope)
    event = envelope.event(
        key, kind, map_.feed or Feed.CABINET, _occurred(envelope, scope, fields), codes=codes, quantity=quantity,
        unit=facts.unit(scope, fields.get("unit"), compiled.units), no_effect=no_effect,
        pocket=_pocket(scope, fields, effect), **_stated(envelope, scope, fields, effect),
    )  # fmt: skip
    if not (scope.raw((map_.key or ("MSH-10",))[0]) or event.transaction_id or event.order_id):
        key = f"{key}|{event.patient or ''}|{content(event)}"
    key = envelope.ordinals.distinct("D" if effect.takes_back else "A", key, event)
    if effect.takes_back:
        return envelope.rekeyed(event, reversal_key(key), reverses=key, kind=EventKind.REVERSAL)
    return envelope.rekeyed(event, key)


def _stated(envelope: Envelope, scope: Scope, fields: dict[str, FieldMap], effect: Effect) -> dict[str, Any]:
    """The facts that stand where the profile says, as fields of `StockEvent`."""
    actual = _number(scope, fields, "actual_begin_count") if effect.counted else None
    stated: dict[str, Any] = {
        "location_codes": facts.place_codes(scope, fields.get("location")),
        "to_location_codes": facts.place_codes(scope, fields.get("to_location")),
        "to_pocket": facts.text(scope, fields.get("to_pocket")),
        "lot": facts.lot_number(scope, fields.get("lot")),
        "expiry": facts.expiry_date(scope, fields.get("expiry")),
        "serial": facts.text(scope, fields.get("serial")),
        "transaction_id": facts.text(scope, fields.get("transaction")),
        "order_id": facts.text(scope, fields.get("order")),
        "actor": facts.text(scope, fields.get("actor")),
        "witness": facts.text(scope, fields.get("witness")),
        "begin_count": _number(scope, fields, "begin_count") if actual is None else actual,
        "begin_count_verified": actual is not None,
        "device_sequence": _sequence(scope, fields.get("device_sequence")),
    }
    if "patient" in fields:
        path = fields["patient"].paths[0]
        stated["patient"] = envelope.patient_at(scope.segment(path), path)
    return stated


def _effect(layout: Layout, scope: Scope) -> Effect:
    """What the item's code means, changed by what its comments say."""
    kind_map = layout.map.kind
    code = scope.value(kind_map.path) if kind_map and kind_map.path else ""
    effect = layout.codes.get(code.upper()) if code else (kind_map.absent if kind_map else None)
    if effect is None:
        shown = f"{kind_map.path if kind_map else 'the code'} is {code[:20]!r}"
        raise FieldError("unknown_transaction_code", f"{shown}, which the profile gives no meaning: add it to its codes")
    for rule in layout.map.texts or ():
        if _speaks(rule, effect, scope):
            changes = {"no_effect": rule.effect.no_effect, "kind": rule.effect.kind, "pocket": rule.effect.pocket,
                       "pocket_suffix": rule.effect.pocket_suffix}  # fmt: skip
            effect = dataclasses.replace(effect, **{name: value for name, value in changes.items() if value is not None})
    return effect


def _speaks(rule: TextRule, effect: Effect, scope: Scope) -> bool:
    if rule.kinds and effect.kind not in rule.kinds:
        return False
    words = [word.upper() for word in rule.contains]
    return any(word in text.upper() for path in rule.paths for text in scope.texts(path) for word in words)


def _quantity_paths(fields: dict[str, FieldMap], effect: Effect) -> tuple[str, ...]:
    return effect.quantity if effect.quantity is not None else fields["quantity"].paths


def _quantity(scope: Scope, fields: dict[str, FieldMap], effect: Effect) -> Decimal | None:
    field = fields["quantity"]
    found = facts.number(scope, _quantity_paths(fields, effect), absolute=bool(field.absolute))
    if found is None and effect.total:
        found = facts.total(scope, effect.total)
    if found is None and field.value and effect.quantity is None:
        found = Decimal(field.value)
    return found


def _number(scope: Scope, fields: dict[str, FieldMap], name: str) -> Decimal | None:
    field = fields.get(name)
    return None if field is None else facts.number(scope, field.paths, absolute=bool(field.absolute))


def _sequence(scope: Scope, field: FieldMap | None) -> int:
    stated = facts.text(scope, field) or ""
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) <= 15 else 0


def _pocket(scope: Scope, fields: dict[str, FieldMap], effect: Effect) -> str | None:
    found = effect.pocket or facts.text(scope, fields.get("pocket"))
    return f"{found or ''}{effect.pocket_suffix}" if effect.pocket_suffix else found


def _occurred(envelope: Envelope, scope: Scope, fields: dict[str, FieldMap]) -> Any:  # Instant
    field = fields.get("occurred")
    return envelope.occurred(*((scope.segment(path), relative(path)) for path in (field.paths if field else ())))


def _key(envelope: Envelope, layout: Layout, scope: Scope) -> str:
    parts = [scope.raw(path) for path in layout.map.key or ()]
    if layout.map.trust_control_id:
        parts.append(envelope.control_id)
    return envelope.key(layout.map.key_kind or "", *parts)
