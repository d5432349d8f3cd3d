"""A cabinet's own par list (an export as CSV) as par policies: its columns by a map, its names by the hub's reference data.

Every row that can't be understood is a problem by line; with problems nothing is used. What a map is says `par_list_map`.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from schemas.codes import lookup_key
from schemas.reference import REFERENCE_KINDS, CodeLink, Item, Location, ParPolicy, Product, UnitFactor
from schemas.units import canonical_unit
from topology.errors import InputRefusedError
from topology.reference_files.checks import check_each
from topology.reference_files.code_owners import codes_of
from topology.reference_files.model import FILE_BYTES_MAX, Cell, Loaded, Placed, Problem, ReferenceRecord, Row
from topology.reference_files.par_list_map import ParListMap

NEEDED: Final = ("item", "product", "code", "location", "unit_factor", "site")
"""Kinds of reference records that a par list is read with."""
_LEVELS: Final = ("minimum", "par", "maximum", "critical")
_KIND: Final = "par_policy"
_SITES_SHOWN_MAX: Final = 10


def check_site(site: str, held: Sequence[ReferenceRecord]) -> None:
    """Raise `InputRefusedError` when the hub has no such site. `held` are its records of the kinds `NEEDED`."""
    known = sorted(id_ for kind, id_, _ in held if kind == "site")
    if site not in known:
        more = f" and {len(known) - _SITES_SHOWN_MAX} more" if len(known) > _SITES_SHOWN_MAX else ""
        there = (
            f"write one of {', '.join(known[:_SITES_SHOWN_MAX])}{more}" if known else "load one with `wardstock reference load`"
        )
        msg = f"--site {site!r} is no site of this hub: {there}"
        raise InputRefusedError(msg)


def par_policies(path: Path, how: ParListMap, site: str, held: Sequence[ReferenceRecord]) -> Loaded:
    """The par policies of a list. `held` are the hub's records of the kinds `NEEDED`."""
    problems: list[Problem] = []
    placed: list[Placed] = []
    known = _Known(site, held)
    for line, values in _rows(path, how, problems):
        cells = {name: Cell(value=text, line=line) for name, text in values.items()}
        row = Row(kind=_KIND, file=str(path), line=line, cells=cells)
        found = _policy(values, how, site, known)
        if isinstance(found, ParPolicy):
            placed.append(Placed(kind=_KIND, id=REFERENCE_KINDS[_KIND].id_of(found), record=found, row=row))
        else:
            problems.append(Problem(file=str(path), line=line, field=found[0], reason=found[1]))
    problems += check_each(placed, known.ids)
    first: dict[str, int] = {}
    for one in placed:
        if first.setdefault(one.id, one.row.line) != one.row.line:
            problems.append(one.problem("", f"stands already in line {first[one.id]}: one place and item has one row"))
    return Loaded(records=[(one.kind, one.id, one.record) for one in placed], problems=sorted(problems, key=lambda one: one.line))


class _Known:
    """Places and codes of a site."""

    def __init__(self, site: str, held: Sequence[ReferenceRecord]) -> None:
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.places: defaultdict[str, set[str]] = defaultdict(set)
        self.codes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.items: dict[str, Item] = {}
        self.factors: dict[tuple[str, str], Fraction] = {}
        for kind, id_, record in held:
            self.ids[kind].add(id_)
            if isinstance(record, Location) and record.site == site:
                for name in (record.path, *record.codes):
                    self.places[name.strip().upper()].add(record.path)
            if isinstance(record, Item):
                self.items[record.id] = record
            if isinstance(record, UnitFactor):
                self.factors[record.item, canonical_unit(record.unit)] = Fraction(record.numerator, record.denominator)
            if not isinstance(record, CodeLink) or record.site in ("", site):
                item = record.id if isinstance(record, Item) else str(getattr(record, "item", ""))
                for _, system, value in codes_of(record) if isinstance(record, (Item, Product, CodeLink)) else ():
                    self.codes[lookup_key(system, value)].add(item)


def _policy(values: dict[str, str], how: ParListMap, site: str, known: _Known) -> ParPolicy | tuple[str, str]:
    """The policy of a row, or the field and the reason why there is none."""
    device, code = values["device"], values["code"]
    for column, text, what in ((how.columns.device, device, "cabinet"), (how.columns.code, code, "product")):
        if not text:
            return column, f"is empty: write which {what} the row is about"
    places = known.places.get(device.strip().upper(), set())
    if len(places) != 1:
        named = f"names {' and '.join(sorted(places))}" if places else f"is no place of site {site}: add it to a location's codes"
        return how.columns.device, f"{device} {named}"
    items = known.codes.get(lookup_key(how.code_system, code), set())
    item = known.items.get(next(iter(items))) if len(items) == 1 else None
    if item is None:
        named = f"means {' and '.join(sorted(items))}" if items else "is not in the item master: add it to an item's codes"
        return how.columns.code, f"{how.code_system} {code} {named}"
    factor = _factor(values.get("unit", ""), item, known)
    if factor is None:
        return how.columns.unit or "", f"{values['unit']} of {item.id} is no known number of {item.base_unit}: add a unit factor"
    levels: dict[str, int] = {}
    for name in _LEVELS:
        text = values.get(name, "")
        if not text and name in ("maximum", "critical"):
            levels[name] = levels["par"] if name == "maximum" else 0
            continue
        exact = Fraction(text) * factor if text.isascii() and text.isdigit() else None
        if exact is None or exact.denominator != 1:
            what = "" if exact is None else f" of {item.base_unit}"
            return str(getattr(how.columns, name)), f"{text!r} is no whole number{what}"
        levels[name] = int(exact)
    path = next(iter(places))
    pocket = values.get("pocket", "").strip().strip("/")
    return ParPolicy(
        site=site, location=f"{path}/{pocket}" if pocket else path, item=item.id, minimum=levels["minimum"], par=levels["par"],
        maximum=levels["maximum"], critical=levels["critical"],
    )  # fmt: skip


def _factor(unit: str, item: Item, known: _Known) -> Fraction | None:
    """Base units in one unit of the list."""
    name = canonical_unit(unit) if unit else item.base_unit
    return Fraction(1) if name == canonical_unit(item.base_unit) or name == item.base_unit else known.factors.get((item.id, name))


def _rows(path: Path, how: ParListMap, problems: list[Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and values of each row; what is wrong with the file as a whole is a problem."""
    wanted: dict[str, Any] = {name: column for name, column in how.columns.model_dump().items() if column is not None}
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            problems.append(_whole(path, f"is over {FILE_BYTES_MAX} bytes; split it"))
            return
        encoding = "utf-8-sig" if how.encoding == "utf-8" else how.encoding
        text = path.read_bytes().decode(encoding)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it holds other characters"
        problems.append(_whole(path, f"can't be read as {how.encoding}: {why}"))
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=how.delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not any(header):
            problems.append(_whole(path, f"is empty: its first line must name the columns, {', '.join(wanted.values())}"))
            return
        missing = [column for column in wanted.values() if header.count(column) != 1]
        if missing:
            named = ", ".join(map(repr, missing))
            advice = "name the columns in the map as the header does, and say its delimiter"
            problems.append(_whole(path, f"has not exactly one column {named}; its header is {', '.join(header)}: {advice}"))
            return
        places = {name: header.index(column) for name, column in wanted.items()}
        line = reader.line_num + 1
        for cells in reader:
            start, line = line, reader.line_num + 1
            if any(cell.strip() for cell in cells):
                yield start, {name: cells[at].strip() if at < len(cells) else "" for name, at in places.items()}
    except csv.Error as error:
        problems.append(Problem(file=str(path), line=reader.line_num, field="", reason=f"is not CSV: {error}"))


def _whole(path: Path, reason: str) -> Problem:
    return Problem(file=str(path), line=0, field="", reason=reason)
