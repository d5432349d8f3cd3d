"""Who owns a code: one item at a place and a time, and of an NDC or GTIN one product.

A code that two records claim is named with both. Links with validity may follow each other, and may differ by site.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.codes import GTIN, NDC, lookup_key
from schemas.reference import CodeLink, Item, Product
from topology.reference_files.model import Placed, Problem, ReferenceRecord


@dataclass(frozen=True, slots=True)
class _Claim:
    """A record says that a code means an item (and a product), somewhere and for some time."""

    kind: str
    id: str
    item: str
    product: str
    field: str
    system: str
    value: str
    site: str = ""
    first: date = date.min
    last: date = date.max
    placed: Placed | None = None

    def contradicts(self, other: _Claim) -> bool:
        """Whether both can't be true."""
        if (self.kind, self.id) == (other.kind, other.id):
            return False
        if self.first > other.last or other.first > self.last or (self.site and other.site and self.site != other.site):
            return False
        both_products = bool(self.product and other.product) and self.system in {NDC, GTIN}
        return self.item != other.item or (both_products and self.product != other.product)

    @property
    def where(self) -> str:
        """The record and where it stands."""
        if self.placed is None:
            return f"{self.kind} {self.id} (in the item master)"
        row = self.placed.row
        return f"{self.kind} {self.id}" + (f" ({row.file} line {row.line})" if row.line else "")


def code_conflicts(placed: Sequence[Placed], held: Sequence[ReferenceRecord] = ()) -> Iterator[Problem]:
    """Codes of new records that another record claims as well: a new one, or one that is held and not replaced by them."""
    replaced = {(one.kind, one.id) for one in placed}
    claims: defaultdict[tuple[str, str], list[_Claim]] = defaultdict(list)
    for kind, id_, record in held:
        if (kind, id_) not in replaced:
            for claim in _claims(kind, id_, record, None):
                claims[lookup_key(claim.system, claim.value)].append(claim)
    for one in placed:
        for claim in _claims(one.kind, one.id, one.record, one):
            others = claims[lookup_key(claim.system, claim.value)]
            other = next((other for other in others if claim.contradicts(other)), None)
            if other is not None:
                yield one.problem(claim.field, f"code {claim.system} {claim.value} stands already for {other.where}")
            others.append(claim)


def codes_of(record: object) -> Iterator[tuple[str, str, str]]:
    """Field, system and value of every code that an item, a product or a link names."""
    if isinstance(record, (Item, Product)):
        for code in record.codes:
            yield "codes", code.system, code.value
    if isinstance(record, CodeLink):
        yield "value", record.system, record.value
    if isinstance(record, Product):
        if record.ndc:
            yield "ndc", NDC, record.ndc
        if record.gtin:
            yield "gtin", GTIN, record.gtin
        yield from (("levels", GTIN, level.gtin) for level in record.levels)


def _claims(kind: str, id_: str, record: object, placed: Placed | None) -> Iterator[_Claim]:
    for field, system, value in codes_of(record):
        if isinstance(record, CodeLink):
            yield _Claim(
                kind, id_, record.item, record.product, field, system, value, record.site, record.valid_from or date.min,
                record.valid_to or date.max, placed,
            )  # fmt: skip
        elif isinstance(record, Product):
            yield _Claim(kind, id_, record.item, record.id, field, system, value, placed=placed)
        else:
            yield _Claim(kind, id_, id_, "", field, system, value, placed=placed)
