"""GS1 Digital Link URIs, uncompressed: `https://id.gs1.org/01/09506000134352/10/ABC?17=271231` is (01)…(10)ABC(17)271231.

Source: GS1 Digital Link standard, URI syntax (keys, key qualifiers, data attributes). GTINs of 8, 12 and 13 digits and the
spelled names of its version 1.1 (`gtin`, `lot`, `ser`, …) are read too. No address is ever called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, unquote_plus

from connectors.barcode.elements import Element, ElementError, application_identifier, checked

QUALIFIERS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "01": (("22", "10", "21"), ("235",)), "8006": (("22", "10", "21"),), "414": (("254",), ("7040",)), "415": (("8020",),),
    "417": (("7040",),), "8004": (("7040",),), "8010": (("8011",),), "8017": (("8019",),), "8018": (("8019",),),
    **dict.fromkeys(("00", "253", "255", "401", "402", "8003", "8013"), ()),
}  # fmt: skip
"""Primary keys, and the sequences of qualifiers that may follow each in the path (Syntax Dictionary: `dlpkey`)."""

_NO_ATTRIBUTES: Final = frozenset(
    "03 21 22 235 254 7040 8011 8019 8020 8014 8040 8041 8042 8043 8200 7041".split()  # noqa: SIM905  # a list to read
)
"""AIs that are no data attributes (Syntax Dictionary: without the flag `?`)."""

_SPELLED: Final = {
    "gtin": "01", "itip": "8006", "gmn": "8013", "cpid": "8010", "gln": "414", "party": "417", "gsrnp": "8017", "gsrn": "8018",
    "gcn": "255", "sscc": "00", "gdti": "253", "ginc": "401", "gsin": "402", "grai": "8003", "giai": "8004", "cpv": "22",
    "lot": "10", "ser": "21", "cpsn": "8011", "glnx": "254", "refno": "8020", "srin": "8019",
}  # fmt: skip

_URI: Final = re.compile(
    r"(?:https?|HTTPS?)://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(/[^?#]*)(?:\?([^#]*))?(?:#.*)?", re.ASCII
)
_LEGAL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)


def read_digital_link(uri: str, year: int, *, lenient: bool = True) -> tuple[Element, ...]:
    """The elements of a URI, path first. `lenient` reads short GTINs and the spelled names too.

    Raises `ElementError("digital_link")` for a link that is none, else as `elements`.
    """
    match = _URI.fullmatch(uri)
    if match is None or not _LEGAL.fullmatch(uri):
        raise ElementError("digital_link", "it is no web address that GS1 allows")
    path, query = match[1], match[2] or ""
    pairs = _path(path, _SPELLED if lenient else {})
    key, qualifiers = pairs[0][0], tuple(ai for ai, _ in pairs[1:])
    sequences = [one for one in QUALIFIERS[key] if _is_part(qualifiers, one)]
    if qualifiers and not sequences:
        raise ElementError("digital_link", f"the qualifiers {', '.join(qualifiers)} don't follow AI ({key}) in this order")
    belongs_in_path = {ai for one in sequences for ai in one}
    found: dict[str, str] = {}
    for ai, value in (*pairs, *_query(query, belongs_in_path)):
        if ai in found:
            raise ElementError("contradictory", f"it gives AI ({ai}) twice")
        found[ai] = value.zfill(14) if lenient and ai == "01" and len(value) in (8, 12, 13) else value
    return tuple(checked(ai, value, year) for ai, value in found.items())


def _path(path: str, spelled: dict[str, str]) -> list[Element]:
    """The primary key and its qualifiers, from the end of the path back; what stands before them is the owner's."""
    segments = path.split("/")[1:]
    found: list[Element] = []
    for place in range(len(segments) - 2, -1, -2):
        ai = spelled.get(segments[place], segments[place])
        value = unquote(segments[place + 1], errors="replace")
        if not value or not (ai.isascii() and ai.isdigit()):
            break
        found.insert(0, (ai, value))
        if ai in QUALIFIERS:
            return found
    raise ElementError("digital_link", "it is a web address without a GS1 key in it")


def _query(query: str, belongs_in_path: set[str]) -> Iterator[Element]:
    """Data attributes; parameters with other names than digits are the owner's."""
    for part in re.split("[&;]", query):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not equals or not (name.isascii() and name.isdigit()):
            continue
        if application_identifier(name) != name or name in _NO_ATTRIBUTES or name in belongs_in_path:
            raise ElementError("digital_link", f"AI ({name[:10]}) can't stand behind the question mark")
        yield name, unquote_plus(value, errors="replace")


def _is_part(few: tuple[str, ...], all_: tuple[str, ...]) -> bool:
    """Whether `few` are some of `all_`, in their order."""
    rest = iter(all_)
    return all(one in rest for one in few)
