"""What trading partners announced, and whether a receipt is as announced: a suspect one is received into quarantine.

Everything said is kept; what was taken back says nothing. Steps of one package count in the order of their times.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.codes import lookup_key, normalise_lot
from topology.verify.words import Announcement, Told, microseconds

_DEPTH: Final = 8
_KEPT: Final = 32


@dataclass(frozen=True, slots=True, order=True)
class _Said:
    """One thing said of a package, a lot or a container."""

    at: int
    notice: str
    step: str
    lot: str
    expiry: str
    container: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """A package, or packages of a lot, in a container."""

    gtin: str
    serial: str
    lot: str
    expiry: str
    quantity: int

    @property
    def which(self) -> str:
        """What tells it from the others in its container."""
        return f"serial|{self.serial}" if self.serial else f"lot|{self.lot}"


class Announced:
    """Notices read so far, by site."""

    def __init__(self) -> None:
        """Nothing was announced yet."""
        self._read: set[tuple[str, str, bool]] = set()
        self._products: set[tuple[str, str]] = set()
        self._packed: defaultdict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
        """What was ever packed into a container."""
        self._said: defaultdict[tuple[str, ...], list[_Said]] = defaultdict(list)

    def take(self, notice: Announcement) -> None:
        """Take a notice in; the first of an id counts."""
        name = (notice.site, notice.notice_key, notice.void)
        if name in self._read:
            return
        self._read.add(name)
        if notice.void:
            return
        at, inside = microseconds(notice.at), notice.container or ""
        for package in notice.packages:
            self._products.add((notice.site, package.gtin))
            lot = normalise_lot(package.lot or "")
            one = _Said(at, notice.notice_key, notice.step, lot, _day(package.expiry), inside, package.quantity)
            if package.serial:
                self._add((notice.site, package.gtin, "serial", package.serial), one)
            if not package.serial and inside and notice.step in ("pack", "unpack"):
                self._keep((notice.site, package.gtin, "lot", lot, inside), one)
            if not package.serial or (lot and notice.step not in ("pack", "unpack")):
                self._add((notice.site, package.gtin, "lot", lot), one)
        if notice.step == "unpack" and not notice.packages and not notice.containers:
            self._keep((notice.site, "emptied", inside), _Said(at, notice.notice_key, "unpack", "", "", inside))
        for container in dict.fromkeys(notice.containers):
            self._add((notice.site, "container", container), _Said(at, notice.notice_key, notice.step, "", "", inside))

    def _add(self, name: tuple[str, ...], one: _Said) -> None:
        if one.step == "pack" and one.container:
            self._packed[name[0], one.container].add(name)
        self._keep(name, one)

    def _keep(self, name: tuple[str, ...], one: _Said) -> None:
        kept = self._said[name]
        kept.append(one)
        kept.sort()
        del kept[:-_KEPT]

    def packed_in(self, site: str, sscc: str) -> list[Packed]:
        """What is in a container, and in those within it, each of which is opened once."""
        counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        around, seen = [sscc], {sscc}
        for _ in range(_DEPTH):
            within: list[str] = []
            for outer in around:
                for name in self._packed[site, outer]:
                    count = self._count(site, name, outer)
                    if name[1] != "container":
                        counts[name] += max(count, 0)
                    elif count > 0 and name[2] not in seen:
                        seen.add(name[2])
                        within.append(name[2])
            around = within
        found = [_packed(name, self._valid(site, name), count) for name, count in counts.items() if count]
        return sorted(found, key=lambda one: (one.gtin, one.serial, one.lot))

    def _count(self, site: str, name: tuple[str, ...], container: str) -> int:
        """Packages of this name in a container: of a lot all that were packed less those unpacked, else where it went last."""
        moves = [one for one in self._valid(site, name) if one.step in ("pack", "unpack")]
        if len(name) > 2 and name[2] == "lot":
            moves = [one for one in self._valid(site, (*name, container)) if one.at > self._emptied(site, container)]
            return sum(one.quantity * (1 if one.step == "pack" else -1) for one in moves)
        return int(bool(moves) and self._holds(site, moves[-1]) and moves[-1].container == container)

    def _holds(self, site: str, last: _Said) -> bool:
        """Whether what was said last of a package puts it into a container that was not emptied since."""
        return last.step == "pack" and last.at > self._emptied(site, last.container)

    def _emptied(self, site: str, container: str) -> float:
        return max((one.at for one in self._valid(site, (site, "emptied", container))), default=float("-inf"))

    def is_suspect(self, event: Told) -> bool:
        """Whether a receipt is other than announced, of a product that was announced at all."""
        gtins = [lookup_key(code.system, code.value)[1] for code in event.codes if code.system == "gtin"]
        if event.kind != "receive" or not gtins or (event.site, gtins[0]) not in self._products:
            return False
        lot, serial = normalise_lot(event.lot or ""), event.serial or ""
        if not (lot or serial):
            return False
        name = (event.site, gtins[0], "serial", serial) if serial else (event.site, gtins[0], "lot", lot)
        said = self._valid(event.site, name)
        if not said or (serial and not self._comes(event.site, name)):
            return True
        if serial and _differs(lot, [one.lot for one in said]):
            return True
        return _differs(_day(event.expiry), [one.expiry for one in said])

    def _valid(self, site: str, name: tuple[str, ...]) -> list[_Said]:
        return [one for one in self._said.get(name, ()) if (site, one.notice, True) not in self._read]

    def _comes(self, site: str, name: tuple[str, ...]) -> bool:
        """Whether a package, or a container around it, was shipped here."""
        for _ in range(_DEPTH):
            said = self._valid(site, name)
            moves = [one.step for one in said if one.step in ("ship", "end")]
            if moves and moves[-1] == "ship":
                return True
            packed = [one for one in said if one.step in ("pack", "unpack")]
            if not packed or not packed[-1].container or not self._holds(site, packed[-1]):
                return False
            name = (site, "container", packed[-1].container)
        return False


def _packed(name: tuple[str, ...], said: list[_Said], quantity: int) -> Packed:
    serial, lot = (name[3], "") if name[2] == "serial" else ("", name[3])
    lot = lot or next((one.lot for one in reversed(said) if one.lot), "")
    return Packed(name[1], serial, lot, next((one.expiry for one in reversed(said) if one.expiry), ""), quantity)


def _differs(stated: str, announced: list[str]) -> bool:
    """Whether what a package says is not what was last announced; what one of them leaves out does not differ."""
    last = next((one for one in reversed(announced) if one), "")
    return bool(stated and last and stated != last)


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()
