"""Reference data as processors look it up: by id, by code, by place. Every lookup is a function of the state's tables.

What is remembered between lookups is dropped whenever reference data changes (`_forget`), so it never outlives its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from schemas.codes import GTIN, ITEM, NDC, PRODUCT, SUPPLIER, Code, lookup_key, ndc_ten_digits, ndc_ten_of_gtin
from schemas.events import ReferenceChange
from schemas.golive import SiteMode
from schemas.kinds import Feed, LocationKind
from schemas.preparation import BeyondUsePolicy, Recipe
from schemas.profile import Profile
from schemas.reference import (
    REFERENCE_KINDS,
    ApprovalRule,
    ConsumptionRule,
    ExpiryWindow,
    FeedWatch,
    Item,
    Location,
    ParPolicy,
    Product,
    RecallNotice,
    Role,
    Site,
    SiteItem,
    Supplier,
    SupplierItem,
    UnitFactor,
)
from streams.state import State, Table, TableSpec
from streams.times import local_date, to_us

CodeEntry = tuple[str, str]
"""Item id and product id (empty when the code names the item only)."""

Link = tuple[str, str, str, str, str]
"""Item, product (or empty), site (or empty), first and last day as ISO dates (or empty): a code with validity."""

REFERENCE_TABLES: Final[dict[str, TableSpec]] = {
    name: TableSpec(f"ref.{name}", kind.codec.type) for name, kind in REFERENCE_KINDS.items()
}
REVISIONS: Final = TableSpec("ref.revision", int)
CODES: Final = TableSpec("ref.codes", tuple[tuple[str, str], ...])
LINKS: Final = TableSpec("ref.code_links", tuple[tuple[str, str, str, str, str], ...])
PLACES: Final = TableSpec("ref.places", tuple[str, ...])
FACILITIES: Final = TableSpec("ref.facilities", str)
ITEM_PRODUCTS: Final = TableSpec("ref.item_products", tuple[str, ...])
CATALOG_TABLES: Final = (*REFERENCE_TABLES.values(), REVISIONS, CODES, LINKS, PLACES, FACILITIES, ITEM_PRODUCTS)

NDC_TEN: Final = "ndc10"
TRANSIT: Final = LocationKind.TRANSIT.value
"""The place of what is on its way and was given no place of its own."""


def site_scoped(system: str, site: str) -> str:
    """The code system of a code that only one site uses."""
    return f"{system}@{site}"


class Catalog:
    """Reference data of one state."""

    def __init__(self, state: State) -> None:
        """Binds the reference tables."""
        self._tables: dict[str, Table[Any]] = {name: state.table(spec) for name, spec in REFERENCE_TABLES.items()}
        self._revisions: Table[int] = state.table(REVISIONS)
        self._codes: Table[tuple[CodeEntry, ...]] = state.table(CODES)
        self._links: Table[tuple[Link, ...]] = state.table(LINKS)
        self._places: Table[tuple[str, ...]] = state.table(PLACES)
        self._facilities: Table[str] = state.table(FACILITIES)
        self._item_products: Table[tuple[str, ...]] = state.table(ITEM_PRODUCTS)
        self._governing: dict[tuple[str, str], Location | None] = {}
        self._isolating: dict[tuple[str, str], bool] = {}
        self.resolved_places: dict[tuple[str, tuple[str, ...], str | None], str] = {}
        """By site, codes and pocket, as events state them."""
        self._nearest: dict[tuple[str, str, str], Any] = {}
        self._watches: dict[tuple[str, str], FeedWatch | None] = {}
        self._located: dict[str, dict[str, Location]] = {}
        self._dispensing: dict[str, tuple[str, ...]] = {}
        self._has_links: bool | None = None
        self._live: dict[str, bool] = {}
        self._recalls: dict[str, dict[str, RecallNotice]] | None = None
        self._rules: list[ApprovalRule] | None = None

    def _forget(self, kind: str) -> None:
        """Drop what was remembered of records of a kind between lookups."""
        self._nearest.clear()
        if kind == "location":
            self._governing.clear()
            self._isolating.clear()
            self.resolved_places.clear()
            self._located.clear()
            self._dispensing.clear()
        elif kind == "feed_watch":
            self._watches.clear()
        elif kind == "code":
            self._has_links = None
        elif kind == "recall":
            self._recalls = None
        elif kind == "approval_rule":
            self._rules = None
        elif kind == "go_live":
            self._live.clear()

    # ---- lookups -----------------------------------------------------------------------------------------------

    def site(self, site: str) -> Site | None:
        """A site by id."""
        return self._tables["site"].get((site,))

    def is_live(self, site: str) -> bool:
        """Whether a site's commands may be executed: unless a decision says otherwise, they may."""
        found = self._live.get(site)
        if found is None:
            record = self._tables["go_live"].get((site,))
            found = self._live[site] = record is None or record.mode is SiteMode.LIVE
        return found

    def sites(self) -> list[Site]:
        """All sites, by id."""
        return [site for _, site in self._tables["site"].scan(())]

    def site_of_facility(self, code: str) -> Site | None:
        """The site that a facility code names."""
        site = self._facilities.get((code.strip().upper(),))
        return None if site is None else self.site(site)

    def feed_watch(self, site: str, source: str) -> FeedWatch | None:
        """How long a feed of a site may be silent; None when nobody watches it."""
        key = (site, source)
        if key not in self._watches:
            if len(self._watches) > GOVERNING_MAX:
                self._watches.clear()
            self._watches[key] = self._tables["feed_watch"].get(key)
        return self._watches[key]

    def profile(self, profile: str) -> Profile | None:
        """A profile of HL7 v2 sources by id."""
        return self._tables["profile"].get((profile,))

    def item(self, item: str) -> Item | None:
        """An item by id."""
        return self._tables["item"].get((item,))

    def product(self, product: str) -> Product | None:
        """A product by id."""
        return self._tables["product"].get((product,))

    def products(self) -> list[Product]:
        """All products, by id."""
        return [product for _, product in self._tables["product"].scan(())]

    def policy(self, site: str, location: str, item: str) -> ParPolicy | None:
        """The par policy of an item at a place."""
        return self._tables["par_policy"].get((site, location, item))

    def expiry_window(self, site: str, item_class: str) -> ExpiryWindow | None:
        """The expiry windows of a class of items at a site, where it has its own."""
        return self._tables["expiry_window"].get((site, item_class))

    def factor(self, item: str, unit: str) -> UnitFactor | None:
        """The factor of a unit of an item."""
        return self._tables["unit_factor"].get((item, unit))

    def recalls(self) -> list[RecallNotice]:
        """All recall notices, by id."""
        return [recall for _, recall in self._tables["recall"].scan(())]

    def recalls_naming(self, products: Sequence[str]) -> list[RecallNotice]:
        """The recall notices that name any of these products, by id."""
        if self._recalls is None:
            self._recalls = {}
            for _, notice in self._tables["recall"].scan(()):
                for product in notice.products:
                    self._recalls.setdefault(product, {})[notice.id] = notice
        found = {id_: notice for product in products for id_, notice in self._recalls.get(product, {}).items()}
        return [found[id_] for id_ in sorted(found)]

    def approval_rules(self) -> list[ApprovalRule]:
        """All approval rules, by id."""
        if self._rules is None:
            self._rules = [rule for _, rule in self._tables["approval_rule"].scan(())]
        return self._rules

    def roles_of(self, person: str) -> list[Role]:
        """The roles a person holds."""
        return [role for _, role in self._tables["role"].scan((person,))]

    def has_roles(self) -> bool:
        """Whether any role record is held."""
        return next(iter(self._tables["role"].scan(())), None) is not None

    def supplier(self, supplier: str) -> Supplier | None:
        """A supplier by id."""
        return self._tables["supplier"].get((supplier,))

    def supplier_items(self) -> list[SupplierItem]:
        """Everything suppliers sell, by supplier and item."""
        return [offer for _, offer in self._tables["supplier_item"].scan(())]

    def products_of(self, item: str) -> tuple[str, ...]:
        """The ids of an item's products."""
        return self._item_products.get((item,)) or ()

    def has_product(self, item: str, product: str) -> bool:
        """Whether a product belongs to an item."""
        found = self.product(product)
        return found is not None and found.item == item

    def consumption_rule(self, site: str, location: str, item: str) -> ConsumptionRule | None:
        """The rule of the place or the nearest place above it."""
        for path in ancestors(location):
            rule: ConsumptionRule | None = self._tables["consumption_rule"].get((site, path, item))
            if rule is not None:
                return rule
        return None

    def beyond_use(self, site: str, event: str, product: str, item: Item) -> BeyondUsePolicy | None:
        """How long something may be used after an event: the product's row, else the item's, its form's, the site's."""
        rows = [("", item.id, ""), ("", "", item.form or ""), ("", "", "")]
        for scope in [(product, "", ""), *rows] if product else rows:
            found: BeyondUsePolicy | None = self._tables["beyond_use_policy"].get((site, event, *scope))
            if found is not None:
                return found
        return None

    def recipe(self, recipe: str) -> Recipe | None:
        """A recipe by id."""
        return self._tables["recipe"].get((recipe,))

    def location(self, site: str, path: str) -> Location | None:
        """The record that governs a place: its own, or that of the nearest registered place above it."""
        key = (site, path)
        if key in self._governing:
            return self._governing[key]
        registered = self._registered(site)
        found = next((registered[candidate] for candidate in ancestors(path) if candidate in registered), None)
        if len(self._governing) > GOVERNING_MAX:
            self._governing.clear()
        self._governing[key] = found
        return found

    def is_quarantine(self, site: str, path: str) -> bool:
        """Whether a place is for what may not be used."""
        key = (site, path)
        found = self._isolating.get(key)
        if found is None:
            governing = self.location(site, path)
            if len(self._isolating) > GOVERNING_MAX:
                self._isolating.clear()
            found = self._isolating[key] = governing is not None and governing.kind is LocationKind.QUARANTINE
        return found

    def is_transit(self, site: str, path: str) -> bool:
        """Whether what lies at a place is on its way: a place of this kind, or the ledger's own."""
        governing = self.location(site, path)
        return path == TRANSIT if governing is None else governing.kind is LocationKind.TRANSIT

    def quarantine_of(self, site: str) -> str | None:
        """The site's first quarantine place, by path."""
        return next((one.path for one in self.locations(site) if one.kind is LocationKind.QUARANTINE), None)

    def places(self, site: str, code: str) -> tuple[str, ...]:
        """The paths that a code names at a site: a registered path itself, or codes of locations. Several are ambiguous."""
        return self._places.get((site, code.strip().upper())) or ()

    def resolved(self, site: str, codes: tuple[str, ...], pocket: str | None, path: str) -> str:
        """Remember the path that codes and a pocket name, and return it."""
        if len(self.resolved_places) > GOVERNING_MAX:
            self.resolved_places.clear()
        self.resolved_places[site, codes, pocket] = path
        return path

    def locations(self, site: str) -> list[Location]:
        """The registered places of a site, by path."""
        return list(self._registered(site).values())

    def dispensing_stores(self, site: str) -> tuple[str, ...]:
        """The places of a site where the dispensing feed decrements, by path."""
        found = self._dispensing.get(site)
        if found is None:
            stores = (one.path for one in self.locations(site) if one.authority is Feed.DISPENSE)
            found = self._dispensing[site] = tuple(stores)
        return found

    def _registered(self, site: str) -> dict[str, Location]:
        found = self._located.get(site)
        if found is None:
            found = self._located[site] = {location.path: location for _, location in self._tables["location"].scan((site,))}
        return found

    def is_formulary(self, site: str, item: Item) -> bool:
        """Whether an item is on a site's formulary: by the site's own word, else the item's."""
        own: SiteItem | None = self._tables["site_item"].get((site, item.id))
        return item.formulary if own is None or own.formulary is None else own.formulary

    def substitutes(self, site: str, item: Item) -> tuple[str, ...]:
        """Items that may stand in for one at a site: the site's own first."""
        own: SiteItem | None = self._tables["site_item"].get((site, item.id))
        return tuple(dict.fromkeys((*(own.substitutes if own is not None else ()), *item.substitutes)))

    def by_code(self, code: Code, site: str, at: datetime) -> tuple[CodeEntry, ...]:
        """Items (and products) that a code may mean at an instant: none, one, or several when it is ambiguous."""
        system, value = lookup_key(code.system, code.value)
        if system == ITEM:
            named = code.value.strip()
            return ((named, ""),) if self.item(named) else ()
        found = self._named((system, value), site, at) or self._named((site_scoped(system, site), value), site, at)
        if not found and system == NDC and len(value) == 10:
            found = self._named((NDC_TEN, value), site, at)
        if not found and system == GTIN:
            ten = ndc_ten_of_gtin(value)
            found = self._named((NDC_TEN, ten), site, at) if ten else ()
        return found

    def _named(self, key: tuple[str, str], site: str, at: datetime) -> tuple[CodeEntry, ...]:
        """What a key means by items and products, and by the links that hold at the site on the day of the instant."""
        stated = self._codes.get(key) or ()
        if self._has_links is None:
            self._has_links = next(iter(self._links.scan(())), None) is not None
        links = self._links.get(key) if self._has_links else None
        if not links:
            return stated
        own = self.site(site)
        day = local_date(to_us(at), own.zone if own is not None else "UTC").isoformat()
        linked = {
            (item, product)
            for item, product, where, first, last in links
            if where in ("", site) and first <= day and (not last or day <= last)
        }
        return tuple(sorted({*stated, *linked}))

    def held(self, kind: str, *key: str) -> Any:
        """The record of a kind under the parts of its id; None when there is none."""
        return self._tables[kind].get(key)

    def nearest(self, kind: str, site: str, path: str) -> Any:
        """The record of a kind at a place, else at the nearest place above it that has one; None when there is none."""
        key = (kind, site, path)
        if key not in self._nearest:
            if len(self._nearest) > GOVERNING_MAX:
                self._nearest.clear()
            held = (self.held(kind, site, one) for one in ancestors(path))
            self._nearest[key] = next((record for record in held if record is not None), None)
        return self._nearest[key]

    def all_of(self, kind: str, *prefix: str) -> list[Any]:
        """The records of a kind whose ids begin with these parts, by id."""
        return [record for _, record in self._tables[kind].scan(prefix)]

    # ---- changes -----------------------------------------------------------------------------------------------

    def revision(self, kind: str, id_: str) -> int:
        """The revision of a record as held here; 0 when it was never seen."""
        return self._revisions.get((kind, id_)) or 0

    def record(self, change: ReferenceChange) -> Any:
        """The record a change speaks of, as it is held now; None when there is none."""
        table = self._tables.get(change.kind)
        return None if table is None else table.get(_key_of(change))

    def apply(self, change: ReferenceChange) -> bool:
        """Take a change in; False when it is not newer than what is held (it then changes nothing)."""
        if change.kind not in REFERENCE_KINDS or change.revision <= self.revision(change.kind, change.id):
            return False
        kind = REFERENCE_KINDS[change.kind]
        table = self._tables[change.kind]
        key = _key_of(change)
        old = table.get(key)
        if old is not None:
            self._unindex(change.kind, old)
        if change.record is None:
            table.delete(key)
        else:
            record = kind.codec.validate(change.record)
            table.put(key, record)
            self._index(change.kind, record)
        self._revisions.put((change.kind, change.id), change.revision)
        self._forget(change.kind)
        return True

    def _index(self, kind: str, record: Any) -> None:  # any reference type
        for key, entry in self.code_entries(kind, record):
            held = self._codes.get(key) or ()
            if entry not in held:
                self._codes.put(key, tuple(sorted((*held, entry))))
        for key, link in link_entries(kind, record):
            self._links.put(key, tuple(sorted({*(self._links.get(key) or ()), link})))
        for place in place_keys(kind, record):
            self._places.put(place, tuple(sorted({*(self._places.get(place) or ()), record.path})))
        if kind == "product":
            self._item_products.put((record.item,), tuple(sorted({*self.products_of(record.item), record.id})))
        if kind == "site":
            for facility in (record.id, *record.facility_codes):
                self._facilities.put((facility.strip().upper(),), record.id)

    def _unindex(self, kind: str, record: Any) -> None:
        for key, entry in self.code_entries(kind, record):
            held = tuple(other for other in self._codes.get(key) or () if other != entry)
            if held:
                self._codes.put(key, held)
            else:
                self._codes.delete(key)
        for key, link in link_entries(kind, record):
            left_links = tuple(other for other in self._links.get(key) or () if other != link)
            if left_links:
                self._links.put(key, left_links)
            else:
                self._links.delete(key)
        for place in place_keys(kind, record):
            self._places.put(place, tuple(path for path in self._places.get(place) or () if path != record.path))
        if kind == "product":
            left = tuple(other for other in self.products_of(record.item) if other != record.id)
            self._item_products.put((record.item,), left)
        if kind == "site":
            for facility in (record.id, *record.facility_codes):
                self._facilities.delete((facility.strip().upper(),))

    def code_entries(self, kind: str, record: Any) -> list[tuple[tuple[str, str], CodeEntry]]:
        """The code index entries of an item, a product or a supplier's offer."""
        if kind == "item":
            return [(lookup_key(code.system, code.value), (record.id, "")) for code in record.codes]
        if kind == "supplier_item" and record.sku:
            return [(lookup_key(SUPPLIER, record.sku), (record.item, ""))]
        if kind != "product":
            return []
        entry = (record.item, record.id)
        codes = [Code(system=PRODUCT, value=record.id), *record.codes]
        if record.ndc:
            codes.append(Code(system=NDC, value=record.ndc))
            ten = ndc_ten_digits(record.ndc)
            if ten:
                codes.append(Code(system=NDC_TEN, value=ten))
        if record.gtin:
            codes.append(Code(system=GTIN, value=record.gtin))
        codes += [Code(system=GTIN, value=level.gtin) for level in record.levels]
        return [(lookup_key(code.system, code.value), entry) for code in codes]


GOVERNING_MAX: Final = 100_000
"""Remembered governing places; beyond it the memory is dropped and filled again."""


def link_entries(kind: str, record: Any) -> list[tuple[tuple[str, str], Link]]:
    """The index entries of a code with validity; an NDC of ten digits also as the digits that a package bears."""
    if kind != "code":
        return []
    first = record.valid_from.isoformat() if record.valid_from else ""
    last = record.valid_to.isoformat() if record.valid_to else ""
    link = (record.item, record.product, record.site, first, last)
    keys = [lookup_key(record.system, record.value)]
    ten = ndc_ten_digits(record.value.strip()) if keys[0][0] == NDC and "-" in record.value else None
    return [(key, link) for key in (*keys, *([(NDC_TEN, ten)] if ten else []))]


def ancestors(path: str) -> list[str]:
    """A path and the paths above it, most specific first."""
    segments = path.split("/")
    return ["/".join(segments[:length]) for length in range(len(segments), 0, -1)]


def place_keys(kind: str, record: Any) -> list[tuple[str, str]]:
    """The keys under which a location is found."""
    if kind != "location":
        return []
    return [(record.site, name.strip().upper()) for name in (record.path, *record.codes)]


def _key_of(change: ReferenceChange) -> tuple[str, ...]:
    """The table key of a change: the id's parts."""
    parts = change.id.split("|")
    count = len(REFERENCE_KINDS[change.kind].id_fields)
    return tuple(parts) if len(parts) == count else (change.id,)
