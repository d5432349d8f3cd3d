"""What a medication resource is about: its codes in the order sent, and the lot when a Medication with a batch came along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from connectors.fhir.bundle import Item, type_and_id
from connectors.fhir.datatypes import REFERENCE, TEXT, codes_of, expiry_of, system_name
from connectors.fhir.nodes import Node, child, children, text
from schemas.codes import Code


@dataclass(frozen=True, slots=True)
class Medication:
    """Codes, lot number and expiry of what was given."""

    codes: tuple[Code, ...]
    lot: str | None = None
    expiry: date | None = None


def medication_of(item: Item) -> Medication:
    """The medication of a resource of any release. Raises `Fault` for an expiry that is no date."""
    resource = item.resource
    both = child(resource, "medication")
    concept = child(resource, "medicationCodeableConcept") or child(both, "concept")
    reference = child(resource, "medicationReference") or child(both, "reference")
    codes = codes_of(concept)
    if not reference:
        return Medication(codes)
    medication = item.scope.resolve(reference, resource)
    referenced = _codes_of_medication(medication) or _codes_of_reference(reference)
    batch = child(medication, "batch")
    return Medication(
        codes=tuple(dict.fromkeys((*codes, *referenced))),
        lot=text(batch, "lotNumber") or None,
        expiry=expiry_of(text(batch, "expirationDate"), "Medication.batch.expirationDate"),
    )


def _codes_of_medication(medication: Node) -> tuple[Code, ...]:
    """A Medication's own code; without one, that of its only ingredient (JP Core writes the product there)."""
    codes = codes_of(child(medication, "code"))
    ingredients = children(medication, "ingredient")
    if codes or len(ingredients) != 1:
        return codes
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
