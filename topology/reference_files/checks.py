"""What must hold across records: nothing twice, nothing that refers to nothing, no code with two meanings, levels in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.codes import GTIN, NDC, CodeError, normalise_gtin, parse_ndc
from schemas.kinds import CommandKind
from schemas.preparation import BeyondUsePolicy, Recipe
from schemas.reference import (
    REFERENCE_KINDS,
    CodeLink,
    ConsumptionRule,
    DrawingRule,
    FeedWatch,
    Item,
    Location,
    ParPolicy,
    Product,
    RecallNotice,
    Role,
    Site,
    SiteItem,
    SupplierItem,
    UnitFactor,
)
from schemas.units import canonical_unit
from topology.reference_files.code_owners import code_conflicts, codes_of
from topology.reference_files.controlled_checks import own_rules, references
from topology.reference_files.lot_numbers import lot_fault
from topology.reference_files.model import Placed, Problem, ReferenceRecord

Ids = Mapping[str, set[str]]


def check_all(placed: Sequence[Placed], ids: Ids, held: Sequence[ReferenceRecord] = ()) -> Iterator[Problem]:
    """Every problem of the records; `ids` are all ids there will be, by kind; `held` is what the hub has of the item master."""
    yield from _duplicates(placed)
    yield from code_conflicts(placed, held)
    yield from _names_of_places(placed)
    yield from check_each(placed, ids)


def check_each(placed: Sequence[Placed], ids: Ids) -> Iterator[Problem]:
    """What each record must keep by itself, and ids that nothing has."""
    for one in placed:
        for field, reason in (*broken_rules(one.kind, one.record), *_references(one.record, ids)):
            yield one.problem(field, reason)


def broken_rules(kind: str, record: object) -> Iterator[tuple[str, str]]:
    """Fields and reasons: what a record breaks by itself, whatever else the hub holds."""
    yield from _joinable(kind, record)
    yield from _rules(record)
    yield from own_rules(record)


def _duplicates(placed: Sequence[Placed]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Placed] = {}
    for one in placed:
        earlier = first.setdefault((one.kind, _identity(one)), one)
        if earlier is not one:
            reason = f"{one.kind} {one.id} stands already in {earlier.row.file} line {earlier.row.line}"
            yield Problem(file=one.row.file, line=one.row.line, field="", reason=reason)


def _joinable(kind: str, record: object) -> Iterator[tuple[str, str]]:
    """Parts of an id are joined with `|`, so a part that holds one would make two records look the same."""
    names = REFERENCE_KINDS[kind].id_fields
    for name in names if len(names) > 1 else ():
        if "|" in str(getattr(record, name)):
            yield name, "holds a |, which an id of several parts can't"


def _identity(one: Placed) -> str:
    """The id; of a unit factor with the unit's one name, so that `vial` and `vials` are the same factor."""
    factor = one.record
    return f"{factor.item}|{canonical_unit(factor.unit)}" if isinstance(factor, UnitFactor) else one.id


def _names_of_places(placed: Sequence[Placed]) -> Iterator[Problem]:
    """A facility code names one site, a location code one place of its site."""
    owners: dict[tuple[str, str], Placed] = {}
    for one in placed:
        record = one.record
        codes: tuple[str, ...] = ()
        if isinstance(record, Site):
            field, scope, codes = "facility_codes", "", record.facility_codes
        elif isinstance(record, Location):
            field, scope, codes = "codes", record.site, record.codes
        for code in codes:
            earlier = owners.setdefault((f"{one.kind} {scope}", code), one)
            if (earlier.kind, earlier.id) != (one.kind, one.id):
                yield one.problem(field, f"{code!r} stands already for {earlier.kind} {earlier.id}")


def _references(record: object, ids: Ids) -> Iterator[tuple[str, str]]:
    """Ids that nothing has."""
    if isinstance(record, FeedWatch):
        yield from _watched_places(record, ids)
    if isinstance(record, (Location, ParPolicy, ConsumptionRule, DrawingRule)) and record.site not in ids.get("site", ()):
        yield "site", f"site {record.site} is not known"
        return
    if isinstance(record, (Product, UnitFactor, ConsumptionRule, ParPolicy, SupplierItem)):
        yield from _missing("item", "item", (record.item,), ids)
    if isinstance(record, (ParPolicy, ConsumptionRule)) and not _is_place(record.site, record.location, ids):
        yield "location", f"{record.location} neither is nor lies below a location of site {record.site}"
    if isinstance(record, ParPolicy) and record.source and not _is_place(record.site, record.source, ids):
        yield "source", f"{record.source} neither is nor lies below a location of site {record.site}"
    if isinstance(record, Location) and record.refill_from and not _is_place(record.site, record.refill_from, ids):
        yield "refill_from", f"{record.refill_from} neither is nor lies below a location of site {record.site}"
    if isinstance(record, SupplierItem):
        yield from _missing("supplier", "supplier", (record.supplier,), ids)
    yield from _master_references(record, ids)
    if isinstance(record, DrawingRule):
        yield from _missing("item", "item", (record.item,) if record.item else (), ids)
        if record.location and not _is_place(record.site, record.location, ids):
            yield "location", f"{record.location} neither is nor lies below a location of site {record.site}"
    yield from references(record, ids)
    if isinstance(record, RecallNotice):
        yield from _missing("products", "product", record.products, ids)
    if isinstance(record, Role):
        yield from _missing("sites", "site", record.sites, ids)
    yield from _preparation_references(record, ids)


def _preparation_references(record: object, ids: Ids) -> Iterator[tuple[str, str]]:
    """Ids that beyond-use policies and recipes name and nothing has."""
    if isinstance(record, BeyondUsePolicy):
        yield from _missing("site", "site", (record.site,), ids)
        yield from _missing("product", "product", (record.product,) if record.product else (), ids)
        yield from _missing("item", "item", (record.item,) if record.item else (), ids)
    if isinstance(record, Recipe):
        yield from _missing("item", "item", (record.item,), ids)
        yield from _missing("inputs", "item", [one.item for one in record.inputs], ids)


def _master_references(record: object, ids: Ids) -> Iterator[tuple[str, str]]:
    """Ids that records of the item master name and nothing has."""
    if isinstance(record, Item):
        yield from _missing("substitutes", "item", record.substitutes, ids)
    if isinstance(record, CodeLink):
        yield from _missing("item", "item", (record.item,), ids)
        yield from _missing("product", "product", (record.product,) if record.product else (), ids)
        yield from _missing("site", "site", (record.site,) if record.site else (), ids)
    if isinstance(record, SiteItem):
        yield from _missing("site", "site", (record.site,), ids)
        yield from _missing("item", "item", (record.item,), ids)
        yield from _missing("substitutes", "item", record.substitutes, ids)


def _watched_places(record: FeedWatch, ids: Ids) -> Iterator[tuple[str, str]]:
    if record.site not in ids.get("site", ()):
        yield "site", f"site {record.site} is not known"
        return
    for path in record.locations:
        if not _is_place(record.site, path, ids):
            yield "locations", f"{path} neither is nor lies below a location of site {record.site}"


def _missing(field: str, kind: str, wanted: Sequence[str], ids: Ids) -> Iterator[tuple[str, str]]:
    for id_ in wanted:
        if id_ not in ids.get(kind, ()):
            yield field, f"{kind} {id_} is not known"


def _is_place(site: str, path: str, ids: Ids) -> bool:
    """Whether the path is a registered location of the site, or lies below one, segment by segment."""
    known = ids.get("location", ())
    segments = path.split("/")
    return any(f"{site}|{'/'.join(segments[:length])}" in known for length in range(len(segments), 0, -1))


def _rules(record: object) -> Iterator[tuple[str, str]]:
    """What one record must keep by itself."""
    if isinstance(record, Site):
        yield from _zone(record.zone)
    elif isinstance(record, ParPolicy):
        yield from _levels(record)
    elif isinstance(record, (Product, CodeLink)):
        yield from _well_formed(codes_of(record))
        if isinstance(record, CodeLink) and record.valid_from and record.valid_to and record.valid_to < record.valid_from:
            yield "valid_to", f"{record.valid_to} is before valid_from {record.valid_from}"
    elif isinstance(record, Item):
        yield from _well_formed(code for code in codes_of(record) if code[1] == GTIN)
        if (record.strength_amount is None) != (record.strength_unit is None):
            yield "strength_unit", "strength_amount and strength_unit go together; give both or neither"
    elif isinstance(record, Location):
        if record.refill_from == record.path:
            yield "refill_from", "is the location itself; name the place its refills are taken from"
    elif isinstance(record, (BeyondUsePolicy, Recipe)):
        yield from _of_preparation(record)
    elif isinstance(record, RecallNotice):
        yield from (("lots", fault) for fault in map(lot_fault, record.lots) if fault is not None)
        if not record.all_lots and not record.lots:
            yield "lots", "is empty and all_lots is not true, so the recall names nothing"


def _of_preparation(record: BeyondUsePolicy | Recipe) -> Iterator[tuple[str, str]]:
    if isinstance(record, Recipe):
        if not record.inputs:
            yield "inputs", "is empty: name what goes in, as item=base units"
        for item in dict.fromkeys(one.item for one in record.inputs):
            if sum(one.item == item for one in record.inputs) > 1:
                yield "inputs", f"{item} stands twice: add it up"
        return
    if not record.duration_us():
        yield "days", "the policy gives no time: fill in days, hours or minutes"
    if sum(bool(scope) for scope in (record.product, record.item, record.form)) > 1:
        yield "item", "a row is for a product, an item or a form of items, not for several of them: leave the others empty"


def _zone(name: str) -> Iterator[tuple[str, str]]:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "zone", f"{name!r} is not an IANA time zone such as America/Chicago"


def _levels(policy: ParPolicy) -> Iterator[tuple[str, str]]:
    if policy.kind not in {CommandKind.RESTOCK, CommandKind.PURCHASE}:
        yield "kind", f"{policy.kind.value!r} is not restock or purchase"
    if policy.critical > policy.minimum:
        yield "critical", f"critical {policy.critical} is above minimum {policy.minimum}"
    if policy.minimum >= policy.par:
        yield "minimum", f"minimum {policy.minimum} is not below par {policy.par}"
    if policy.par > policy.maximum:
        yield "maximum", f"maximum {policy.maximum} is below par {policy.par}"
    if policy.satisfied_at is not None and not policy.minimum < policy.satisfied_at <= policy.par:
        yield "satisfied_at", f"{policy.satisfied_at} is not above minimum {policy.minimum} and at most par {policy.par}"


def _well_formed(codes: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    for field, system, value in codes:
        try:
            if system == NDC:
                parse_ndc(value)
            elif system == GTIN:
                normalise_gtin(value)
        except CodeError as error:
            yield field, str(error)
