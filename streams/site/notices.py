"""Stage notices: what trading partners announced, and what arrives compared with it (DSCSA; EPCIS 2.0).

Everything said of a package, a lot or a container is kept as it was said; what holds follows from what was not taken back, in the
order of the partners' times, never of arrival. A product that was announced once is expected to be announced always: a package of
it that nobody announced as shipped here, or with another lot or expiry, is suspect. It is received into the site's quarantine
place, with a case; when the notice comes late, the case closes and the package is put away like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from schemas.codec import encode
from schemas.codes import GTIN, lookup_key, normalise_lot
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Outcome
from schemas.notices import AnnouncedPackage, Notice, NoticeStep
from streams.site.desk import Desk
from streams.site.resolve import Resolved
from streams.site.tables import Doubt, Mention, Timer
from streams.times import DAY_US, iso_date, to_us

MENTIONS_MAX: Final = 32
"""What was said of one package, the last so many."""
CONTAINERS_MAX: Final = 8
"""Containers within each other (item, case, pallet, truck)."""
_EMPTIED: Final = "emptied|"
_NEVER: Final = -(1 << 62)
NAMED_MAX: Final = 5
"""Missing packages that a case names."""
SHORT_AFTER_US: Final = DAY_US
"""A delivery of which something arrived is looked at so long after."""


def take(desk: Desk, notice: Notice) -> bool:
    """Take a notice in, once, and look again at what it may explain; whether it said something new."""
    key = (notice.site, notice.notice_key, int(notice.void))
    digest = _digest(notice)
    before = desk.notices.get(key)
    if before is not None:
        same = before == digest
        if not same:
            text = f"{notice.notice_key} of {notice.source} was sent again with another content: the first one stands"
            case_id = derived_id("case", "notice_conflict", notice.site, notice.notice_key)
            desk.case_open(case_id, notice.site, "notice_conflict", text, raw=notice.raw)
        reason = "this notice was received before" if same else "another content under the id of a notice received before"
        _ended(desk, notice, Outcome.DUPLICATE, "duplicate" if same else "conflict", reason)
        return False
    desk.notices.put(key, digest)
    names = _names(notice)
    if not notice.void:
        _note(desk, notice, names)
    inner = [one for name in names for one in _inside(desk, notice.site, name)]
    for name in (*names, *inner):
        _look_again(desk, notice.site, name)
    _ended(desk, notice, Outcome.ACCEPTED, "noted", f"{notice.step.value} of {len(names)} packages, lots or containers is noted")
    return True


def _digest(notice: Notice) -> str:
    """What a notice says, whichever message it came in."""
    said = (notice.step, notice.at, notice.packages, notice.container, notice.containers, notice.documents)
    return blake2b(encode(said), digest_size=16).hexdigest()


def _ended(desk: Desk, notice: Notice, outcome: Outcome, code: str, reason: str) -> None:
    desk.outcome(notice, outcome, code, reason, was=desk.was, event_ids=(notice.notice_id,), kinds=("Notice",))


def _named(gtin: str, serial: str | None, lot: str | None) -> str:
    """The name of a package, or of a lot of packages; a `|` in its parts is written otherwise, so that they come apart again."""
    return f"{gtin}|{_safe(serial)}|" if serial else f"{gtin}||{_safe(normalise_lot(lot or ''))}"


def _safe(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C") if "|" in text or "%" in text else text


def _parts(name: str) -> tuple[str, str, str]:
    """GTIN, serial number and lot of a name."""
    gtin, serial, lot = (part.replace("%7C", "|").replace("%25", "%") for part in name.split("|"))
    return gtin, serial, lot


def _name(package: AnnouncedPackage) -> str:
    return _named(package.gtin, package.serial, package.lot)


def _names(notice: Notice) -> list[str]:
    return [*dict.fromkeys((*map(_name, notice.packages), *notice.containers))]


def _note(desk: Desk, notice: Notice, names: list[str]) -> None:
    """Keep what a notice says with each package, lot and container that it names."""
    site, at = notice.site, to_us(notice.at)
    inside = notice.container or ""
    for package in notice.packages:
        desk.announced_gtins.put((site, package.gtin), 1)
        lot, expiry = normalise_lot(package.lot or ""), package.expiry.isoformat() if package.expiry else ""
        said = Mention(at, notice.notice_key, notice.step.value, lot, expiry, inside, package.quantity)
        _add(desk, site, _name(package), said)
        moves = notice.step in (NoticeStep.PACK, NoticeStep.UNPACK)
        if package.serial and lot and not moves:  # what has no serial number on its barcode is compared by its lot
            _add(desk, site, _named(package.gtin, None, lot), said)
        if not package.serial and moves and inside:  # one lot may be in many containers
            _add(desk, site, f"{_name(package)}|{inside}", said)
    for container in notice.containers:
        _add(desk, site, container, Mention(at, notice.notice_key, notice.step.value, "", "", inside))
    if notice.step is NoticeStep.UNPACK and not names:
        _add(desk, site, f"{_EMPTIED}{inside}", Mention(at, notice.notice_key, notice.step.value, "", "", inside))
    if notice.step is NoticeStep.PACK and inside:
        held = desk.contents.get((site, inside)) or ()
        desk.contents.put((site, inside), tuple(dict.fromkeys((*held, *names))))
    if notice.step is NoticeStep.SHIP:
        desk.shipped.put((site, notice.notice_key), tuple(names))


def _add(desk: Desk, site: str, name: str, said: Mention) -> None:
    held = desk.mentions.get((site, name)) or ()
    desk.mentions.put((site, name), tuple(sorted((*held, said)))[-MENTIONS_MAX:])


# ---- what holds --------------------------------------------------------------------------------------------------------


def _standing(desk: Desk, site: str, name: str) -> Iterator[Mention]:
    """What was said of a package and not taken back, in the order of the partners' times."""
    for said in desk.mentions.get((site, name)) or ():
        if desk.notices.get((site, said.key, 1)) is None:
            yield said


def _shipped_by(desk: Desk, site: str, name: str) -> str | None:
    """The notice by which a package, or the container it is in, is on its way here."""
    for _ in range(CONTAINERS_MAX):
        ship: str | None = None
        inside = ""
        for said in _standing(desk, site, name):
            if said.step in ("ship", "end"):
                ship = said.key if said.step == "ship" else None
            elif said.step in ("pack", "unpack"):
                is_in = said.step == "pack" and said.at_us > _emptied_at(desk, site, said.container)
                inside = said.container if is_in else ""
        if ship is not None or not inside:
            return ship
        name = inside
    return None


def _inside(desk: Desk, site: str, name: str) -> list[str]:
    """Packages and containers in a container, in those in it, and so on."""
    found: dict[str, None] = {}
    level = [name]
    for _ in range(CONTAINERS_MAX):
        level = [inner for outer in level for inner in desk.contents.get((site, outer)) or () if inner not in found]
        found.update(dict.fromkeys(level))
    return list(found)


def packed_in(desk: Desk, site: str, sscc: str) -> list[AnnouncedPackage]:
    """Packages and lots that are in a container, or in one within it, by what was said last of each; by GTIN and number."""
    counted: dict[str, int] = {}
    level, opened = [sscc], {sscc}
    for _ in range(CONTAINERS_MAX):
        following: list[str] = []
        for outer in level:
            for name in desk.contents.get((site, outer)) or ():
                quantity = _count_in(desk, site, name, outer)
                if "|" in name and quantity > 0:
                    counted[name] = counted.get(name, 0) + quantity
                elif quantity > 0 and name not in opened:  # a container is never in itself, whatever is said
                    opened.add(name)
                    following.append(name)
        level = following
    found = [_package(desk, site, name, quantity) for name, quantity in counted.items()]
    return sorted(found, key=lambda one: (one.gtin, one.serial or "", one.lot or ""))


def _count_in(desk: Desk, site: str, name: str, container: str) -> int:
    """How many packages of this name are in a container: one of a serial number (or container), a lot's packed less unpacked."""
    emptied = _emptied_at(desk, site, container)
    if "|" in name and not _parts(name)[1]:
        moved = [said for said in _standing(desk, site, f"{name}|{container}") if said.at_us > emptied]
        return sum(said.quantity if said.step == "pack" else -said.quantity for said in moved)
    packed = [said for said in _standing(desk, site, name) if said.step in ("pack", "unpack")]
    is_last = bool(packed) and packed[-1].step == "pack" and packed[-1].container == container
    return int(is_last and packed[-1].at_us > emptied)


def _emptied_at(desk: Desk, site: str, container: str) -> int:
    """When a container was last unpacked as a whole; what was packed into it until then is out."""
    return max((said.at_us for said in _standing(desk, site, f"{_EMPTIED}{container}")), default=_NEVER)


def _package(desk: Desk, site: str, name: str, quantity: int) -> AnnouncedPackage:
    gtin, serial, lot = _parts(name)
    said = list(_standing(desk, site, name))
    lot = lot or next((one.lot for one in reversed(said) if one.lot), "")
    expiry = next((one.expiry for one in reversed(said) if one.expiry), "")
    return AnnouncedPackage(
        gtin=gtin, serial=serial or None, lot=lot or None, expiry=iso_date(expiry) if expiry else None, quantity=quantity
    )


# ---- what arrives ------------------------------------------------------------------------------------------------------


def doubt(desk: Desk, event: StockEvent) -> str | None:
    """Why a receipt is suspect; None when it is as announced, or its product never was."""
    gtin = _gtin(event)
    if event.kind is not EventKind.RECEIVE or not is_announced(desk, event):
        return None
    lot = normalise_lot(event.lot or "")
    expiry = event.expiry.isoformat() if event.expiry is not None else ""
    name = _named(gtin, event.serial, lot)
    return _against(desk, event.site, name, lot, expiry) if event.serial or lot else None


def is_announced(desk: Desk, event: StockEvent) -> bool:
    """Whether packages of the event's product were ever announced."""
    gtin = _gtin(event)
    return bool(gtin) and desk.announced_gtins.get((event.site, gtin)) is not None


def _gtin(event: StockEvent) -> str:
    return next((lookup_key(code.system, code.value)[1] for code in event.codes if code.system == GTIN), "")


def _against(desk: Desk, site: str, name: str, lot: str, expiry: str) -> str | None:
    """What the notices say against a package of this lot and expiry."""
    gtin, serial, _ = _parts(name)
    what = f"GTIN {gtin} serial number {serial}" if serial else f"GTIN {gtin} lot {lot}"
    said = list(_standing(desk, site, name))
    if not said:
        return f"{what} was not announced by anybody"
    if serial and _shipped_by(desk, site, name) is None:
        return f"{what} was announced, but not as shipped here"
    lots = next((one.lot for one in reversed(said) if one.lot), "")
    if serial and lots and lot and lots != lot:
        return f"{what} was announced with lot {lots}, and the package says {lot}"
    expiries = next((one.expiry for one in reversed(said) if one.expiry), "")
    if expiries and expiry and expiries != expiry:
        return f"{what} was announced with expiry {expiries}, and the package says {expiry}"
    return None


def to_verify(packages: int) -> int:
    """Of how many packages of a suspect product the identifier is verified: 3 or a tenth, whichever is more; all, if fewer.

    Source: FD&C Act §582(d)(4)(A)(ii)(II) (DSCSA, dispensers).
    """
    return min(packages, max(3, -(-packages // 10)))


def _delivered_with(desk: Desk, site: str, name: str) -> int:
    """Packages of the same product in the delivery that a suspect one came in; itself alone where none is known."""
    ship = _shipped_by(desk, site, name)
    shipped = desk.shipped.get((site, ship)) or () if ship is not None else ()
    inner = dict.fromkeys((*shipped, *(one for outer in shipped for one in _inside(desk, site, outer))))
    gtin = _parts(name)[0]
    return max(1, sum("|" in one and _parts(one)[0] == gtin for one in inner))


def set_aside(desk: Desk, event: StockEvent, resolved: Resolved, place: str, why: str) -> str:
    """Open the case of a suspect receipt; returns the place it is received into."""
    quarantine = desk.catalog.quarantine_of(event.site)
    name = _event_name(event)
    case_id = derived_id("case", "dscsa_mismatch", event.site, event.event_key)
    where = quarantine or place
    advice = f"it stands in {where}: put it there" if quarantine else f"the site has no quarantine place: it stands in {where}"
    number = _delivered_with(desk, event.site, name)
    sample = f"verify the identifiers of {to_verify(number)} of {number} packages" if number > 1 else "verify its identifier"
    text = f"{why}; {advice}, {sample}, and clear it with the supplier"
    item = resolved.item
    desk.case_open(
        case_id, event.site, "dscsa_mismatch", text, location=where, item=item.id, event_id=event.event_id, raw=event.raw
    )  # fmt: skip
    desk.count(event.site, "dscsa_mismatches")
    lot, expiry = normalise_lot(event.lot or ""), event.expiry.isoformat() if event.expiry is not None else ""
    held = desk.doubts.get((event.site, name)) or ()
    fresh = Doubt(case_id, lot, expiry, controlled=item.schedule is not None)
    desk.doubts.put((event.site, name), (*held, fresh)[-MENTIONS_MAX:])
    return where


def arrived(desk: Desk, event: StockEvent) -> None:
    """Note that an announced package came, and look at its delivery: now, when it was short, else after a day."""
    if event.kind is not EventKind.RECEIVE or not event.serial:
        return
    name = _event_name(event)
    key = (event.site, name)
    if desk.mentions.get(key) is None:
        return
    desk.arrivals.put(key, event.event_key)
    ship = _shipped_by(desk, event.site, name)
    if ship is None:
        return
    case = desk.cases.get((event.site, _short_case(event.site, ship)))
    if case is not None and case.state == "open":
        look_at_delivery(desk, event.site, ship)
    elif desk.deliveries.get((event.site, ship)) is None:
        desk.deliveries.put((event.site, ship), 1)
        desk.schedule(desk.now_us + SHORT_AFTER_US, Timer("delivery", (event.site, ship)))


def look_at_delivery(desk: Desk, site: str, ship: str) -> None:
    """Expected against arrived: a case for what did not come, as long as it did not."""
    named = desk.shipped.get((site, ship)) or ()
    wanted = dict.fromkeys((*named, *(inner for name in named for inner in _inside(desk, site, name))))
    packages = [name for name in wanted if "|" in name and _parts(name)[1]]
    missing = [name for name in packages if not _has_come(desk, site, name)]
    case_id = _short_case(site, ship)
    if not missing or desk.notices.get((site, ship, 1)) is not None:
        desk.case_close(case_id, site, "delivery")
        return
    shown = ", ".join(f"GTIN {gtin} serial {serial}" for gtin, serial, _ in map(_parts, missing[:NAMED_MAX]))
    more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
    text = f"of {len(packages)} packages shipped by {ship}, {len(missing)} have not come: {shown}{more}"
    desk.case_open(case_id, site, "delivery_short", text, reopen=True)


def _has_come(desk: Desk, site: str, name: str) -> bool:
    event_key = desk.arrivals.get((site, name))
    seen = desk.seen.get((site, event_key)) if event_key is not None else None
    return seen is not None and seen.status == "posted"


def has_come(desk: Desk, event: StockEvent) -> bool:
    """Whether a package of this serial number arrived, and that stands."""
    return bool(event.serial) and _has_come(desk, event.site, _event_name(event))


def _short_case(site: str, ship: str) -> str:
    return derived_id("case", "delivery_short", site, ship)


def _look_again(desk: Desk, site: str, name: str) -> None:
    """A notice came: suspects that it explains are no longer suspect."""
    held = desk.doubts.get((site, name))
    if not held:
        return
    left = []
    for one in held:
        if _against(desk, site, name, one.lot, one.expiry) is not None:
            left.append(one)
        elif one.controlled:
            continue  # a case of a controlled substance never closes itself
        else:
            desk.case_close(one.case_id, site, "announced")
    if left:
        desk.doubts.put((site, name), tuple(left))
    else:
        desk.doubts.delete((site, name))


def _event_name(event: StockEvent) -> str:
    return _named(_gtin(event), event.serial, event.lot)
