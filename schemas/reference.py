"""Reference data: sites, places, the item master, units, policies, suppliers, people.

Every record is versioned by the revision of the change that carried it. Ids are the customer's own and never reused.
Quantities are whole numbers of the item's base unit.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from schemas.codec import Codec, contract
from schemas.codes import Code
from schemas.kinds import CommandKind, ConsumptionRuleKind, Feed, LocationKind
from schemas.profile import Profile

Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
Path = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\s][^/]*(/[^/]+)*$")]
BaseUnits = Annotated[int, Field(ge=0, le=10_000_000)]


@contract
class Site:
    """A pharmacy organisation with its own stock: the unit of order, failure and scale."""

    id: Id
    name: Name
    zone: Annotated[str, Field(description="IANA time zone; the site's calendar decides what has expired")]
    facility_codes: Annotated[tuple[str, ...], Field(description="how feeds name it, e.g. MSH-4")] = ()
    lateness_minutes: Annotated[int, Field(ge=0, le=10_080, description="how long a routine need waits for late events")] = 60
    expiry_windows_days: Annotated[tuple[int, ...], Field(description="alert when a lot enters a window")] = (180, 90, 30, 0)


@contract
class Location:
    """A place of a site: a path of segments. Pockets below a registered cabinet need no record of their own."""

    site: Id
    path: Path
    kind: LocationKind
    name: Name | None = None
    codes: Annotated[tuple[str, ...], Field(description="how feeds name it: cabinet name, nursing unit, bin label")] = ()
    authority: Annotated[Feed, Field(description="the one feed that may decrement here")] = Feed.CABINET
    replenisher: Annotated[Literal["hub", "cabinet", "erp"], Field(description="who replenishes here")] = "hub"
    refill_from: Annotated[str | None, Field(description="place that a refill without a pick is taken from")] = None


@contract
class Item:
    """What is stocked, ordered and forecast: one drug, strength and form, counted in one base unit."""

    id: Id
    name: Name
    base_unit: Annotated[str, Field(min_length=1, description="canonical unit, e.g. tablet, vial, mL")]
    strength_amount: Annotated[Decimal | None, Field(gt=0, description="drug amount in one base unit")] = None
    strength_unit: str | None = None
    form: str | None = None
    consumption_rule: ConsumptionRuleKind = ConsumptionRuleKind.WHOLE_CONTAINER
    schedule: Annotated[int | None, Field(ge=1, le=5, description="DEA schedule; none when not controlled")] = None
    formulary: bool = True
    storage: Literal["room", "fridge", "freezer"] = "room"
    high_alert: bool = False
    codes: Annotated[tuple[Code, ...], Field(description="item-level codes: local, rxnorm, cabinet")] = ()
    substitutes: tuple[str, ...] = ()


@contract
class PackageLevel:
    """A package of another level than the product's own (an inner pack, a case), under a GTIN of its own."""

    gtin: Annotated[str, Field(pattern="^[0-9]{14}$")]
    quantity: Annotated[int, Field(ge=1, description="base units in one")]


@contract
class Product:
    """What a box is: one NDC or GTIN of a labeler; belongs to an item."""

    id: Id
    item: Id
    labeler: Name
    package_quantity: Annotated[int, Field(ge=1, description="base units in one package")]
    name: Name | None = None
    ndc: Annotated[str | None, Field(description="hyphenated as FDA lists it")] = None
    gtin: Annotated[str | None, Field(description="14 digits")] = None
    levels: Annotated[tuple[PackageLevel, ...], Field(description="its other packages: gtin=base units")] = ()
    codes: tuple[Code, ...] = ()
    unit_cost: Annotated[Decimal | None, Field(ge=0, description="per base unit")] = None


@contract
class UnitFactor:
    """How many base units one `unit` of an item is: numerator / denominator, exact."""

    item: Id
    unit: Annotated[str, Field(min_length=1)]
    numerator: Annotated[int, Field(ge=1)]
    denominator: Annotated[int, Field(ge=1)] = 1
    version: Annotated[int, Field(ge=1)] = 1


@contract
class ConsumptionRule:
    """How a dose of an item becomes base units at a place; overrides the item's own rule."""

    site: Id
    location: Path
    item: Id
    rule: ConsumptionRuleKind


@contract
class ParPolicy:
    """Levels of an item at a place, in base units. `≤` triggers: a need opens at or below `minimum`.

    A need is satisfied when usable stock reaches `satisfied_at`; without one, halfway from minimum to par, rounded up.
    """

    site: Id
    location: Path
    item: Id
    minimum: BaseUnits
    par: BaseUnits
    maximum: BaseUnits
    critical: Annotated[BaseUnits, Field(description="usable at or below it opens the need at once")] = 0
    kind: Annotated[CommandKind, Field(description="restock (from a store) or purchase")] = CommandKind.RESTOCK
    satisfied_at: BaseUnits | None = None
    multiple: Annotated[int, Field(ge=1, description="order in whole multiples")] = 1
    source: Annotated[Path | None, Field(description="the store a restock is taken from")] = None
    lateness_minutes: Annotated[int | None, Field(ge=0, le=10_080)] = None


@contract
class Supplier:
    """A supplier of the network."""

    id: Id
    name: Name
    reliability: Annotated[Decimal, Field(ge=0, le=1, description="share of lines delivered in full and on time")] = Decimal(1)


@contract
class SupplierItem:
    """What a supplier sells: an item, at a price, in packs, with a lead time. Lower rank is preferred."""

    supplier: Id
    item: Id
    price: Annotated[Decimal, Field(ge=0, description="per base unit")]
    pack: Annotated[int, Field(ge=1, description="base units in one orderable pack")] = 1
    lead_time_days: Annotated[int, Field(ge=0, le=365)] = 1
    rank: Annotated[int, Field(ge=1)] = 1
    sku: str | None = None


@contract
class Role:
    """What a person may do at which sites (empty: all)."""

    person: Id
    role: Literal["pharmacist", "technician", "buyer", "nurse", "steward", "engineer"]
    sites: tuple[str, ...] = ()


@contract
class ApprovalRule:
    """A command of these kinds waits for approval by the role when its value or the item's schedule says so."""

    id: Id
    role: Literal["pharmacist", "buyer"]
    kinds: tuple[CommandKind, ...]
    value_from: Annotated[Decimal | None, Field(ge=0, description="estimated value at or above which it applies")] = None
    controlled: Annotated[bool, Field(description="applies to controlled items")] = False
    non_formulary: bool = False


@contract
class RecallNotice:
    """A recall: these lots (or all lots) of these products are not to be used. A later version with `released` ends it."""

    id: Id
    classification: Literal["I", "II", "III"]
    products: tuple[str, ...]
    lots: tuple[str, ...] = ()
    all_lots: bool = False
    reason: str | None = None
    issued: date | None = None
    released: Annotated[str | None, Field(description="authority that released it")] = None


@contract
class FeedWatch:
    """A feed that must not fall silent. `locations` are the places whose balances are stale while it is; none means all."""

    site: Id
    source: Annotated[Name, Field(description="the feed's source, as raw messages and outcomes name it")]
    silent_after_minutes: Annotated[int, Field(ge=1, le=43_200, description="how long it may say nothing")]
    locations: tuple[Path, ...] = ()


class ReferenceKind:
    """One kind of reference record: its name, codec, and the fields that make its id."""

    __slots__ = ("codec", "id_fields", "name")

    def __init__(self, name: str, type_: type[Any], *id_fields: str) -> None:
        """`id_fields` name the fields whose values, joined with `|`, are the record's id."""
        self.name = name
        self.codec: Codec[Any] = Codec(type_)
        self.id_fields = id_fields

    def id_of(self, record: object) -> str:
        """The id of a record of this kind."""
        return "|".join(str(getattr(record, field)) for field in self.id_fields)


REFERENCE_KINDS: Final[dict[str, ReferenceKind]] = {
    kind.name: kind
    for kind in (
        ReferenceKind("site", Site, "id"),
        ReferenceKind("location", Location, "site", "path"),
        ReferenceKind("item", Item, "id"),
        ReferenceKind("product", Product, "id"),
        ReferenceKind("unit_factor", UnitFactor, "item", "unit"),
        ReferenceKind("consumption_rule", ConsumptionRule, "site", "location", "item"),
        ReferenceKind("par_policy", ParPolicy, "site", "location", "item"),
        ReferenceKind("supplier", Supplier, "id"),
        ReferenceKind("supplier_item", SupplierItem, "supplier", "item"),
        ReferenceKind("role", Role, "person", "role"),
        ReferenceKind("approval_rule", ApprovalRule, "id"),
        ReferenceKind("recall", RecallNotice, "id"),
        ReferenceKind("profile", Profile, "profile"),
        ReferenceKind("feed_watch", FeedWatch, "site", "source"),
    )
}
"""Every kind of reference record, in the order in which a file of one may refer to another."""
