"""Who, where and for which site: the parts of a resource that several resource types share.

Site: the organisation that serves the encounter (Encounter.serviceProvider), that manages the location
(Location.managingOrganization), then `meta.source`; the feed's default when none of them names a site.
Place of an administration, which has no location element: the standard extension event-location, a Location among
supportingInformation, then the encounter's location (the active one, else the last).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.datatypes import identifiers_of, last_segment, names_of
from connectors.fhir.nodes import Node, child, children, text
from schemas.mapping import MappingContext

EVENT_LOCATION: Final = "http://hl7.org/fhir/StructureDefinition/event-location"
"""Standard extension: "the principal physical location where the event was performed"."""
PART_OF_MAX: Final = 5
"""Most steps up from a Location to the places it is part of."""
PERFORMERS_MAX: Final = 32
"""Performers that are looked at; more than that is no record of who did it."""
_NOT_THE_ACTOR: Final = frozenset({"witness", "verifier", "wit", "vrf"})
"""Performer functions (FHIR med-admin-perform-function, v3 ParticipationType) of somebody who stood by."""
_WITNESS: Final = frozenset({"witness", "wit"})


def facility_codes(item: Item, places: Iterable[Node]) -> tuple[str, ...]:
    """What may name the site, most exact first."""
    organisations = [child(encounter_of(item), "serviceProvider")]
    organisations += [child(item.scope.resolve(place, item.resource), "managingOrganization") for place in places]
    found: list[str] = []
    for reference in organisations:
        if reference:
            found += names_of(reference, item.scope.resolve(reference, item.resource))
    found.append(text(child(item.resource, "meta"), "source").split("#", 1)[0])
    return tuple(name for name in dict.fromkeys(found) if name)


def encounter_of(item: Item) -> Node:
    """The Encounter of a resource when it came along: `encounter`, or `context` in R4."""
    reference = child(item.resource, "encounter") or child(item.resource, "context")
    if not reference:
        return {}
    encounter = item.scope.resolve(reference, item.resource)
    return encounter if text(encounter, "resourceType") == "Encounter" else {}


def administered_at(item: Item) -> list[Node]:
    """References to the place of an administration, at most one."""
    for extension in children(item.resource, "extension"):
        if text(extension, "url") == EVENT_LOCATION and child(extension, "valueReference"):
            return [child(extension, "valueReference")]
    for reference in children(item.resource, "supportingInformation"):
        if text(reference, "reference").startswith("Location/") or text(reference, "type") == "Location":
            return [reference]
    stays = [stay for stay in children(encounter_of(item), "location") if child(stay, "location")]
    active = [stay for stay in stays if text(stay, "status") == "active"]
    chosen = active or stays
    return [child(chosen[-1], "location")] if chosen else []


def place_codes(item: Item, references: Iterable[Node]) -> tuple[str, ...]:
    """Codes of places, most specific first: each place's own names, then those of what it is part of."""
    found: list[str] = []
    for first in references:
        reference = first
        for _ in range(PART_OF_MAX):
            location = item.scope.resolve(reference, item.resource)
            found += names_of(reference, location)
            reference = child(location, "partOf")
            if not reference:
                break
    return tuple(dict.fromkeys(found))


def patient_of(item: Item, context: MappingContext) -> str | None:
    """The keyed hash of the patient: the reference's identifier, the Patient's medical record number or first identifier when it
    came along, else the reference itself under the address it stands at."""
    subject = child(item.resource, "subject")
    identifier = child(subject, "identifier")
    if text(identifier, "value"):
        return context.patient_hash(text(identifier, "value"), text(identifier, "system"))
    patient = item.scope.resolve(subject, item.resource) if subject else {}
    stated = [one for one in children(patient, "identifier") if text(one, "value")]
    if stated:
        chosen = next((one for one in stated if _is_record_number(one)), stated[0])
        return context.patient_hash(text(chosen, "value"), text(chosen, "system"))
    own_id = last_segment(subject)
    target = text(subject, "reference")
    if own_id:
        return context.patient_hash(own_id, target.rsplit(own_id, 1)[0].rstrip("/"))
    return context.patient_hash(target, "") if target.startswith("urn:") else None


def _is_record_number(identifier: Node) -> bool:
    return any(text(coding, "code") == "MR" for coding in children(child(identifier, "type"), "coding"))


def people_of(item: Item) -> tuple[str | None, str | None]:
    """Who did it: the first performer who is no witness; and who stood by, when a performer's function says so.

    By identifier or id, never by name.
    """
    actor, witness = None, None
    for performer in children(item.resource, "performer")[:PERFORMERS_MAX]:
        stated = child(performer, "actor")
        name = reference_id(item, child(stated, "reference") or stated)
        if name:
            functions = {text(coding, "code").lower() for coding in children(child(performer, "function"), "coding")}
            if actor is None and not functions & _NOT_THE_ACTOR:
                actor = name
            if witness is None and functions & _WITNESS:
                witness = name
    return actor, witness


def reference_id(item: Item, reference: Node) -> str:
    """The identifier or id a reference stands for; empty when it says neither."""
    if not reference:
        return ""
    stated = text(child(reference, "identifier"), "value")
    if stated:
        return stated
    found = identifiers_of(item.scope.resolve(reference, item.resource))
    return found[0][1] if found else last_segment(reference)
