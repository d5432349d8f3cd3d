"""What a medication resource is about: its codes in the order sent, and the lot when a Medication with a batch came along."""

from __future__ import annotations

from datetime import date

from connectors.fhir.bundle import Item, type_and_id
from connectors.fhir.datatypes import REFERENCE, TEXT, codes_of, expiry_of, identifiers_of, system_name
from connectors.fhir.nodes import Node, child, children, text
from schemas.codec import contract
from schemas.codes import GTIN, LOCAL, Code, CodeError, normalise_gtin


@contract
class Medication:
    """Codes, lot number, expiry and serial number of what was given, delivered or counted."""

    codes: tuple[Code, ...]
    lot: str | None = None
    expiry: date | None = None
    serial: str | None = None


def medication_of(item: Item) -> Medication:
    """The medication of a resource of any release. Raises `Fault` for an expiry that is no date."""
    both = child(item.resource, "medication")
    concept = child(item.resource, "medicationCodeableConcept") or child(both, "concept")
    reference = child(item.resource, "medicationReference") or child(both, "reference")
    return product_of(item, concept, reference)


def product_of(item: Item, concept: Node, reference: Node) -> Medication:
    """What a concept and a reference (to a Medication, an InventoryItem or another product) name together.

    Lot and expiry: Medication.batch, InventoryItem.instance. Raises `Fault` for an expiry that is no date.
    """
    codes = codes_of(concept)
    if not reference:
        return Medication(codes=codes)
    product = item.scope.resolve(reference, item.resource)
    kind = text(product, "resourceType")
    if kind == "InventoryItem":
        return _inventory_item(item, codes, product)
    if kind in ("Device", "BiologicallyDerivedProduct"):
        return _device(codes, product)
    referenced = _codes_of_medication(product) or _codes_of_reference(reference)
    batch = child(product, "batch")
    return Medication(
        codes=_distinct(*codes, *referenced),
        lot=text(batch, "lotNumber") or None,
        expiry=expiry_of(text(batch, "expirationDate"), "Medication.batch.expirationDate"),
    )


def _inventory_item(item: Item, codes: tuple[Code, ...], product: Node) -> Medication:
    """An R5 InventoryItem: its codes, the Medication behind it, and its instance's lot, expiry and serial number."""
    named = [code for concept in children(product, "code") for code in codes_of(concept)]
    behind = child(product, "productReference")
    if behind:
        named += _codes_of_medication(item.scope.resolve(behind, item.resource)) or _codes_of_reference(behind)
    instance = child(product, "instance")
    serials = identifiers_of(instance)
    return Medication(
        codes=_distinct(*codes, *named),
        lot=text(instance, "lotNumber") or None,
        expiry=expiry_of(text(instance, "expiry"), "InventoryItem.instance.expiry"),
        serial=serials[0][1] if serials else None,
    )


def _device(codes: tuple[Code, ...], product: Node) -> Medication:
    """A Device (its UDI's device identifier is a GTIN or HIBC, its `type` says what it is) or a BiologicallyDerivedProduct."""
    named = [Code(system=LOCAL, value=text(udi, "deviceIdentifier")) for udi in children(product, "udiCarrier")]
    named = [_as_gtin(code) for code in named if code.value]
    for concept in (*children(product, "productCode"), *children(product, "type")):
        named += codes_of(concept)
    serials = [text(product, "serialNumber"), *(value for _, value in identifiers_of(product))]
    return Medication(
        codes=_distinct(*codes, *named),
        lot=text(product, "lotNumber") or None,
        expiry=expiry_of(text(product, "expirationDate"), f"{text(product, 'resourceType')}.expirationDate"),
        serial=next(filter(None, serials), None),
    )


def _distinct(*codes: Code) -> tuple[Code, ...]:
    """The codes in their order, each once."""
    return codes if len(codes) < 2 else tuple(dict.fromkeys(codes))


def _as_gtin(code: Code) -> Code:
    """A device identifier that is a GTIN, as one; any other as it is."""
    try:
        normalise_gtin(code.value)
    except CodeError:
        return code
    return Code(system=GTIN, value=code.value)


def _codes_of_medication(medication: Node) -> tuple[Code, ...]:
    """A Medication's own code; without one, that of its only ingredient (JP Core writes the product there)."""
    codes = codes_of(child(medication, "code"))
    if codes:
        return codes
    ingredients = children(medication, "ingredient")
    if len(ingredients) != 1:
        return ()
    return codes_of(child(ingredients[0], "itemCodeableConcept") or child(child(ingredients[0], "item"), "concept"))


def _codes_of_reference(reference: Node) -> tuple[Code, ...]:
    """What a reference says of a Medication that was not sent along: an identifier, its `Type/id`, its name in words."""
    display = text(reference, "display")
    identifier = child(reference, "identifier")
    found = []
    if text(identifier, "value"):
        system = system_name(text(identifier, "system"))
        found.append(Code(system=system, value=text(identifier, "value"), text=display or None))
    named = type_and_id(text(reference, "reference"))
    if named:
        found.append(Code(system=REFERENCE, value=named, text=display or None))
    if display:
        found.append(Code(system=TEXT, value=display, text=display))
    return tuple(found)
