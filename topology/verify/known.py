"""Reference data in force at the record being read: what codes, places and units mean just then.

One object holds the reference data of one partition of the site log and takes changes in as they are read. It decides no stock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.codes import GTIN, ITEM, NDC, PRODUCT, SUPPLIER, lookup_key, ndc_ten_digits, ndc_ten_of_gtin
from schemas.reference import (
    REFERENCE_KINDS,
    CodeLink,
    ConsumptionRule,
    Item,
    Location,
    ParPolicy,
    Product,
    RecallNotice,
    Site,
    UnitFactor,
)
from topology.verify.words import CHANGE, Change, Stated

Named = tuple[str, str]
"""Item and product that a code names; no product where the code names the item only."""
_TEN_DIGITS: Final = "ten digits"
CHANGES_KEPT_MAX: Final = 50_000


@lru_cache(maxsize=CHANGES_KEPT_MAX)
def stated(value: bytes) -> tuple[Change, Any]:
    """A reference change and the record it states. Every partition says the same, so it is read once."""
    change = CHANGE.decode(value)
    if change.record is None or change.kind not in REFERENCE_KINDS:
        return change, None
    return change, REFERENCE_KINDS[change.kind].codec.validate(change.record)


class Known:
    """The newest version of every reference record read so far."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.records: dict[str, dict[str, Any]] = {kind: {} for kind in REFERENCE_KINDS}
        self.revisions: dict[tuple[str, str], int] = {}
        self._codes: defaultdict[tuple[str, str], set[Named]] = defaultdict(set)
        self._links: defaultdict[tuple[str, str], dict[str, CodeLink]] = defaultdict(dict)
        self._places: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._products: defaultdict[str, set[str]] = defaultdict(set)

    # ---- changes ---------------------------------------------------------------------------------------------------

    def take(self, change: Change, now: Any) -> tuple[bool, Any]:
        """Take a change and the record it states in. Returns whether it counted, and the record before."""
        newest = self.revisions.get((change.kind, change.id), 0)
        if change.kind not in self.records or change.revision <= newest:
            return False, None
        self.revisions[change.kind, change.id] = change.revision
        held = self.records[change.kind]
        before = held.pop(change.id, None)
        if before is not None:
            self._index(change.kind, before, add=False)
        if now is not None:
            held[change.id] = now
            self._index(change.kind, now, add=True)
        return True, before

    def _index(self, kind: str, record: Any, *, add: bool) -> None:
        """Note (or forget) under which names a record is found."""
        entries: list[tuple[set[Any], Any]] = []
        if kind == "item":
            named = (record.id, "")
            entries = [(self._codes[lookup_key(code.system, code.value)], named) for code in record.codes]
        elif kind == "product":
            entries = [(self._codes[key], (record.item, record.id)) for key in _keys_of(record)]
            entries.append((self._products[record.item], record.id))
        elif kind == "supplier_item" and record.sku:
            entries = [(self._codes[lookup_key(SUPPLIER, record.sku)], (record.item, ""))]
        elif kind == "code":
            self._link(record, add=add)
        elif kind == "location":
            names = (record.path, *record.codes)
            entries = [(self._places[record.site, _shown(name)], record.path) for name in names]
        for found, entry in entries:
            if add:
                found.add(entry)
            else:
                found.discard(entry)

    def _link(self, link: CodeLink, *, add: bool) -> None:
        """Note (or forget) a code that is valid somewhere and for some time."""
        keys = [lookup_key(link.system, link.value)]
        ten = ndc_ten_digits(link.value.strip()) if keys[0][0] == NDC and "-" in link.value else None
        keys += [(_TEN_DIGITS, ten)] if ten else []
        name = REFERENCE_KINDS["code"].id_of(link)
        for key in keys:
            if add:
                self._links[key][name] = link
            else:
                self._links[key].pop(name, None)

    # ---- lookups ---------------------------------------------------------------------------------------------------

    def site(self, site: str) -> Site | None:
        """A site."""
        found: Site | None = self.records["site"].get(site)
        return found

    def item(self, item: str) -> Item | None:
        """An item."""
        found: Item | None = self.records["item"].get(item)
        return found

    def product(self, product: str) -> Product | None:
        """A product."""
        found: Product | None = self.records["product"].get(product)
        return found

    def factor(self, item: str, unit: str) -> UnitFactor | None:
        """How many base units a unit of an item is, where that is stated."""
        found: UnitFactor | None = self.records["unit_factor"].get(f"{item}|{unit}")
        return found

    def policy(self, card: tuple[str, str, str]) -> ParPolicy | None:
        """The levels of a card."""
        found: ParPolicy | None = self.records["par_policy"].get("|".join(card))
        return found

    def expiry_windows(self, site: Site, item: str) -> tuple[int, ...]:
        """When the site speaks of lots of an item that will expire: by the item's class, schedule or storage, else its own."""
        found = self.item(item)
        names = () if found is None else (found.item_class, "controlled" if found.schedule is not None else None, found.storage)
        of_class = [self.records["expiry_window"].get(f"{site.id}|{name}") for name in names if name is not None]
        return next((tuple(one.days) for one in of_class if one is not None), site.expiry_windows_days)

    def items_of(self, products: Iterable[str]) -> set[str]:
        """The items that products belong to."""
        return {found.item for product in products if (found := self.product(product)) is not None}

    def notices(self) -> list[RecallNotice]:
        """Recall notices in force."""
        return [notice for notice in self.records["recall"].values() if notice.released is None]

    def products_of(self, item: str) -> set[str]:
        """Ids of an item's products."""
        return self._products[item]

    def governing(self, site: str, path: str) -> Location | None:
        """The place's own record, else that of the nearest place above it."""
        found: Location | None = _nearest(self.records["location"], site, path, "")
        return found

    def is_transit(self, site: str, path: str) -> bool:
        """Whether what lies at a place is on its way."""
        found = self.governing(site, path)
        return path == "transit" if found is None else found.kind == "transit"

    def may(self, person: str, role: str, site: str) -> bool:
        """Whether a person holds a role at a site."""
        found = self.records["role"].get(f"{person}|{role}")
        return found is not None and (not found.sites or site in found.sites)

    def quarantine(self, site: str) -> str | None:
        """The site's first quarantine place, by path."""
        places = [one.path for one in self.records["location"].values() if one.site == site and one.kind == "quarantine"]
        return min(places, default=None)

    def consumption(self, site: str, path: str, item: str) -> ConsumptionRule | None:
        """The consumption rule of the place or of the nearest place above it."""
        found: ConsumptionRule | None = _nearest(self.records["consumption_rule"], site, path, f"|{item}")
        return found

    def places(self, site: str, name: str) -> set[str]:
        """Paths that a name stands for at a site."""
        return self._places.get((site, _shown(name))) or set()

    def dispensing_stores(self, site: str) -> list[str]:
        """Places of a site where the dispense feed decrements."""
        locations = self.records["location"].values()
        return [one.path for one in locations if one.site == site and one.authority == "dispense"]

    def named_by(self, code: Stated, site: str, at: datetime) -> set[Named]:
        """Items and products that a code may mean at a site at an instant."""
        system, value = lookup_key(code.system, code.value)
        if system == ITEM:
            item = code.value.strip()
            return {(item, "")} if item in self.records["item"] else set()
        tried = [(system, value), (f"{system}@{site}", value)]
        if system == NDC and len(value) == 10:
            tried.append((_TEN_DIGITS, value))
        if system == GTIN:
            tried.append((_TEN_DIGITS, ndc_ten_of_gtin(value) or ""))
        return next((found for key in tried if (found := self._meant(key, site, at))), set())

    def _meant(self, key: tuple[str, str], site: str, at: datetime) -> set[Named]:
        """What a key means on the site's day of an instant."""
        found = set(self._codes.get(key) or ())
        links = self._links.get(key)
        if links:
            own = self.site(site)
            day = at.astimezone(ZoneInfo(own.zone) if own is not None else UTC).date()
            found |= {
                (link.item, link.product)
                for link in links.values()
                if link.site in ("", site) and (link.valid_from or day) <= day <= (link.valid_to or day)
            }
        return found


def _keys_of(product: Product) -> list[tuple[str, str]]:
    """The keys of everything that may be printed on a product's package."""
    keys = [lookup_key(PRODUCT, product.id), *(lookup_key(code.system, code.value) for code in product.codes)]
    if product.gtin:
        keys.append(lookup_key(GTIN, product.gtin))
    keys += [lookup_key(GTIN, level.gtin) for level in product.levels]
    if product.ndc:
        keys.append(lookup_key(NDC, product.ndc))
        ten = ndc_ten_digits(product.ndc)
        if ten:
            keys.append((_TEN_DIGITS, ten))
    return keys


def _shown(name: str) -> str:
    return name.strip().upper()


def _nearest(records: dict[str, Any], site: str, path: str, end: str) -> Any:
    """The record of a path or of the nearest path above it."""
    while True:
        found = records.get(f"{site}|{path}{end}")
        if found is not None or "/" not in path:
            return found
        path = path.rpartition("/")[0]
