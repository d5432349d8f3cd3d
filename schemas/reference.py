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
from schemas.controlled import ControlledInventory, ControlledPolicy, ShiftCount
from schemas.downtime import Downtime, DowntimeFinding, PaperLine
from schemas.golive import Comparison, GoLive, PocketCount
from schemas.kinds import CommandKind, ConsumptionRuleKind, Feed, LocationKind
from schemas.master import MasterChange, MasterPolicy, MasterRecord
from schemas.preparation import BeyondUsePolicy, Recipe
from schemas.profile import Profile

Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
Path = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\s][^/]*(/[^/]+)*$")]
BASE_UNITS_MAX: Final = 10_000_000
BaseUnits = Annotated[int, Field(ge=0, le=BASE_UNITS_MAX)]
SomeBaseUnits = Annotated[int, Field(ge=1, le=BASE_UNITS_MAX)]
FactorPart = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
Days = Annotated[int, Field(ge=0, le=36_500)]
Serial = Annotated[int, Field(ge=1, le=1_000_000_000)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=24, decimal_places=12)]
"""Every number has an end: one that no table can hold would stop a site at every start."""
DRAWING_COMPLIANCE: Final = Decimal("0.9")
"""Share of removals that keep to the drawing rule where no record says it."""


@contract
class Site:
    """A pharmacy organisation with its own stock: the unit of order, failure and scale."""

    id: Id
    name: Name
    zone: Annotated[str, Field(description="IANA time zone; the site's calendar decides what has expired")]
    facility_codes: Annotated[tuple[str, ...], Field(description="how feeds name it, e.g. MSH-4")] = ()
    lateness_minutes: Annotated[int, Field(ge=0, le=10_080, description="how long a routine need waits for late events")] = 60
    closure_minutes: Annotated[
        int, Field(ge=1, le=10_080, description="how long a controlled removal may be without dose, waste or return; then a case")
    ] = 480
    receipt_life_days: Annotated[Days, Field(description="goods that expire sooner after arrival are set aside")] = 0
    transfer_hours: Annotated[
        int, Field(ge=1, le=8_760, description="what was sent to another site and is not received after so long is a case")
    ] = 72
    return_policy: Annotated[
        Literal["any", "return_bin"], Field(description="where unused stock may be returned to: anywhere, or return bins alone")
    ] = "any"
    expiry_windows_days: Annotated[tuple[Days, ...], Field(description="alert when a lot enters a window")] = (180, 90, 30, 0)
    destroy_after_days: Annotated[
        Days | None, Field(description="expired stock that lies longer is proposed to be destroyed; none: never")
    ] = None


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
    return_policy: Annotated[
        Literal["any", "return_bin"] | None, Field(description="overrides the site's: whether unused stock may be returned here")
    ] = None
    minimum_life_days: Annotated[
        Days | None, Field(description="stock is brought here and below only with so many days left to its expiry")
    ] = None


@contract
class Item:
    """What is stocked, ordered and forecast: one drug, strength and form, counted in one base unit."""

    id: Id
    name: Name
    base_unit: Annotated[str, Field(min_length=1, description="canonical unit, e.g. tablet, vial, mL")]
    strength_amount: Annotated[Amount | None, Field(gt=0, description="drug amount in one base unit")] = None
    strength_unit: str | None = None
    form: str | None = None
    consumption_rule: ConsumptionRuleKind = ConsumptionRuleKind.WHOLE_CONTAINER
    schedule: Annotated[int | None, Field(ge=1, le=5, description="DEA schedule; none when not controlled")] = None
    formulary: bool = True
    storage: Literal["room", "fridge", "freezer"] = "room"
    high_alert: bool = False
    ven: Annotated[
        Literal["V", "E", "N"] | None, Field(description="vital, essential or non-essential, as the committee decided")
    ] = None
    codes: Annotated[tuple[Code, ...], Field(description="item-level codes: local, rxnorm, cabinet")] = ()
    substitutes: tuple[str, ...] = ()
    item_class: Annotated[
        Id | None, Field(description="what expiry windows go by; without one, controlled or its storage is its class")
    ] = None


@contract
class PackageLevel:
    """A package of another level than the product's own (an inner pack, a case), under a GTIN of its own."""

    gtin: Annotated[str, Field(pattern="^[0-9]{14}$")]
    quantity: Annotated[SomeBaseUnits, Field(description="base units in one")]


@contract
class Product:
    """What a box is: one NDC or GTIN of a labeler; belongs to an item."""

    id: Id
    item: Id
    labeler: Name
    package_quantity: Annotated[SomeBaseUnits, Field(description="base units in one package")]
    name: Name | None = None
    ndc: Annotated[str | None, Field(description="hyphenated as FDA lists it")] = None
    gtin: Annotated[str | None, Field(description="14 digits")] = None
    levels: Annotated[tuple[PackageLevel, ...], Field(description="its other packages: gtin=base units")] = ()
    codes: tuple[Code, ...] = ()
    unit_cost: Annotated[Amount | None, Field(description="per base unit")] = None


@contract
class CodeLink:
    """A code that means an item, or one product of it: where, for how long, and who says so.

    The same code may mean another item at another site or in another time, never two at once. Lookups go by the day of the event
    at its site.
    """

    system: Annotated[str, Field(min_length=1, max_length=40, description="ndc, gtin, hibc, rxnorm, local, supplier, …")]
    value: Annotated[str, Field(min_length=1, max_length=200)]
    item: Id
    product: Annotated[str, Field(description="empty: it names the item only")] = ""
    site: Annotated[str, Field(description="empty: everywhere")] = ""
    valid_from: Annotated[date | None, Field(description="first day")] = None
    valid_to: Annotated[date | None, Field(description="last day")] = None
    source: Annotated[str | None, Field(description="provenance: who says so, e.g. FDA NDC directory 2026-11")] = None


@contract
class SiteItem:
    """What a site has its own way with an item."""

    site: Id
    item: Id
    formulary: Annotated[bool | None, Field(description="overrides the item's own flag")] = None
    substitutes: Annotated[tuple[str, ...], Field(description="items that may stand in here, before the item's own")] = ()


@contract
class UnitFactor:
    """How many base units one `unit` of an item is: numerator / denominator, exact."""

    item: Id
    unit: Annotated[str, Field(min_length=1)]
    numerator: FactorPart
    denominator: FactorPart = 1
    version: Serial = 1


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
    multiple: Annotated[SomeBaseUnits, Field(description="order in whole multiples")] = 1
    source: Annotated[Path | None, Field(description="the store a restock is taken from")] = None
    lateness_minutes: Annotated[int | None, Field(ge=0, le=10_080)] = None
    minimum_life_days: Annotated[
        Days | None, Field(description="the item is brought here only with so many days left; overrides the place's own")
    ] = None


@contract
class ExpiryWindow:
    """When a site speaks of lots of a class of items that will expire, in place of its own `expiry_windows_days`."""

    site: Id
    item_class: Annotated[Id, Field(description="an item's `item_class`, or controlled, room, fridge, freezer")]
    days: Annotated[tuple[Days, ...], Field(description="alert when a lot enters a window; empty: never")]


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
    price: Annotated[Amount, Field(description="per base unit")]
    pack: Annotated[SomeBaseUnits, Field(description="base units in one orderable pack")] = 1
    lead_time_days: Annotated[int, Field(ge=0, le=365)] = 1
    rank: Serial = 1
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
    value_from: Annotated[Amount | None, Field(description="estimated value at or above which it applies")] = None
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
class DrawingRule:
    """How lots are taken where nobody says which. It decides no balance: the probabilities of unknown lots are worked out by it.

    Of several the one of the nearest place counts, and of a place the one that names the item.
    """

    site: Id
    location: Annotated[str, Field(max_length=200, description="this place and below; empty: the whole site")] = ""
    item: Annotated[str, Field(max_length=100, description="empty: every item")] = ""
    rule: Annotated[
        Literal["fefo", "fifo", "random"], Field(description="first expiry first, first in first, or whatever comes to hand")
    ] = "fefo"
    compliance: Annotated[
        Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6, description="share of removals that keep to the rule")
    ] = DRAWING_COMPLIANCE
    expired_hours: Annotated[
        int | None, Field(ge=1, le=8_760, description="hours after which expired stock has been taken away; empty: nobody looks")
    ] = None


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
        ReferenceKind("code", CodeLink, "system", "value", "site", "item"),
        ReferenceKind("site_item", SiteItem, "site", "item"),
        ReferenceKind("unit_factor", UnitFactor, "item", "unit"),
        ReferenceKind("consumption_rule", ConsumptionRule, "site", "location", "item"),
        ReferenceKind("par_policy", ParPolicy, "site", "location", "item"),
        ReferenceKind("expiry_window", ExpiryWindow, "site", "item_class"),
        ReferenceKind("supplier", Supplier, "id"),
        ReferenceKind("supplier_item", SupplierItem, "supplier", "item"),
        ReferenceKind("role", Role, "person", "role"),
        ReferenceKind("approval_rule", ApprovalRule, "id"),
        ReferenceKind("recall", RecallNotice, "id"),
        ReferenceKind("profile", Profile, "profile"),
        ReferenceKind("feed_watch", FeedWatch, "site", "source"),
        ReferenceKind("drawing_rule", DrawingRule, "site", "location", "item"),
        ReferenceKind("controlled_policy", ControlledPolicy, "site"),
        ReferenceKind("shift_count", ShiftCount, "site", "location"),
        ReferenceKind("controlled_inventory", ControlledInventory, "site", "taken_on"),
        ReferenceKind("beyond_use_policy", BeyondUsePolicy, "site", "event", "product", "item", "form"),
        ReferenceKind("recipe", Recipe, "id"),
        ReferenceKind("master_policy", MasterPolicy, "id"),
        ReferenceKind("master_change", MasterChange, "id"),
        ReferenceKind("master_record", MasterRecord, "change", "number"),
        ReferenceKind("downtime", Downtime, "id"),
        ReferenceKind("paper_line", PaperLine, "period", "form", "line"),
        ReferenceKind("downtime_finding", DowntimeFinding, "period", "number"),
        ReferenceKind("go_live", GoLive, "site"),
        ReferenceKind("pocket_count", PocketCount, "site", "number"),
        ReferenceKind("comparison", Comparison, "site", "number"),
    )
}
"""Every kind of reference record, in the order in which a file of one may refer to another."""

DESK_KINDS: Final = frozenset(
    {
        "master_change", "master_record", "downtime", "paper_line", "downtime_finding", "go_live", "pocket_count", "comparison",
    }
)  # fmt: skip
"""Kinds that only their own desk writes: never loaded."""
SITE_DESK_KINDS: Final = frozenset({"go_live"})
"""Those of them that the sites hear of."""
