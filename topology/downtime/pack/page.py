"""The printable page of a pack: one HTML file for A4, without scripts or anything from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.paper import PaperActivity
from topology.downtime.pack.facts import Pack, Place, RecallLine, Row, StockLine
from topology.downtime.pack.style import style

FORM_ROWS: Final = 13
FORM_SHEETS: Final = 2
QUIET: Final = timedelta(hours=2)
"""A hospital tells of something more often than this; an older newest event is said in capitals."""
_URGENT: Final = {"stock_out": "NONE LEFT", "critical": "CRITICAL", "routine": "low"}
_STATUS: Final = {"expired": "EXPIRED", "quarantined": "QUARANTINE", "recalled": "RECALLED"}
_WORDS: Final = {
    PaperActivity.REMOVE: "taken out for a patient", PaperActivity.RETURN: "brought back unused",
    PaperActivity.WASTE: "a removed dose or part of it destroyed (witness)",
    PaperActivity.DISCARD: "broken or expired stock destroyed", PaperActivity.REFILL: "place topped up",
    PaperActivity.COUNT: "counted: what is there now", PaperActivity.RECEIVE: "from a supplier",
    PaperActivity.MOVE: "moved: write where to",
}  # fmt: skip
_FORM: Final = (
    ("Line", 4), ("Time", 6), ("What", 8), ("Place / pocket", 13), ("Item: code or name", 19), ("Lot", 8), ("Expires", 7),
    ("Qty", 5), ("Unit", 6), ("Who", 8), ("Witness", 8), ("Patient / order", 8),
)  # fmt: skip


def page(pack: Pack) -> str:
    """The whole HTML document."""
    zone = ZoneInfo(pack.site.zone)

    def clock(at: datetime | None) -> str:
        return "unknown" if at is None else f"{at.astimezone(zone):%a %-d %b %Y %H:%M}"

    title = f"{pack.site.name}: downtime pack"
    head = style(title, f"Made {clock(pack.made_at)}", _marks(pack, clock))
    body = "".join((
        _cover(pack, clock), _never(pack), _needs(pack), _cases(pack, clock), _feeds(pack, clock), _find(pack),
        *(_place(pack, place, clock) for place in pack.places), *(_form(pack, sheet) for sheet in range(1, FORM_SHEETS + 1)),
    ))  # fmt: skip
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{head}</style></head><body>{body}</body></html>\n"
    )


Clock = Callable[[datetime | None], str]


def _marks(pack: Pack, clock: Clock) -> str:
    """What every page says of how far it reaches: event time and watermark."""
    return f"Newest event counted: {clock(pack.newest_event)} · every feed of the last day heard up to: {clock(pack.watermark)}"


def _silence(pack: Pack) -> str:
    """A warning where the newest event is old: the pack is new, and what it says is not."""
    behind = None if pack.newest_event is None else pack.made_at - pack.newest_event
    if behind is not None and behind < QUIET:
        return ""
    hours = "" if behind is None else f" for {int(behind.total_seconds() // 3600)} hours"
    return f'<p><span class="mark hot">NOTHING WAS TOLD{hours.upper()}: COUNT BEFORE YOU TRUST</span></p>'


def _cover(pack: Pack, clock: Clock) -> str:
    made = pack.made_at.astimezone(ZoneInfo(pack.site.zone))
    zone = escape(made.tzname() or "")
    until = (
        f'<p class="late">While the hub runs, a newer pack replaces this one before {clock(pack.fresh_until)}. '
        "Is it later than that? Then this is the last one: go by it and by what was written on paper since.</p>"
        if pack.fresh_until is not None
        else '<p class="late">Made by hand, and not replaced by itself.</p>'
    )
    waits = f"<p><b>{pack.backlog} received messages were not counted yet.</b></p>" if pack.backlog else ""
    period = (
        f"<p><b>Downtime {escape(pack.period.id)}</b> since {clock(pack.period.started_at)}: {escape(pack.period.reason)} "
        f"(said by {escape(pack.period.started_by)})</p>"
        if pack.period is not None
        else ""
    )
    return (
        f"<h1>{escape(pack.site.name)}</h1><p>Downtime pack of site {escape(pack.site.id)}: stock, needs, recalls, and forms</p>"
        f'<div class="asof"><div class="when"><small>Made</small>{made:%H:%M}<small>{made:%A %-d %B %Y}, {zone}</small></div>'
        f"<div><p>{_sentence(_marks(pack, clock))}</p>{_silence(pack)}{until}{waits}{period}</div></div>"
        f'<div class="twin"><div><h2>Work from paper</h2>{_STEPS}</div><div><h2>In this pack</h2>{_contents(pack)}</div></div>'
    )


_STEPS: Final = (
    "<ol><li>Look at <b>Do not use</b> first.</li><li>Find the item: <b>Find an item</b> names every place that has it.</li>"
    "<li>Take the lot that expires first. Write <b>every</b> removal, return, waste and count on a form, when it happens.</li>"
    "<li>Controlled items: count before you take, and have a witness.</li>"
    "<li>Number each form yourself (day, ward and sheet, like 0303-ICU-1). No number may come twice, even later.</li>"
    "<li>Keep all forms for the pharmacy: each line is keyed in afterwards with its own time.</li></ol>"
)


def _contents(pack: Pack) -> str:
    out = sum(1 for line in pack.lines if not line.quantity)
    lines = [
        f"Do not use: {sum(1 for line in pack.recalls if line.location) + len(_unusable(pack))} lines",
        f"Open needs: {len(pack.needs)} · open cases: {len(pack.cases)}",
        f"Find an item: {len({line.item for line in pack.lines})} items, {out} places where one is out",
        *(f"{place.path}: {len(place.lines)} lines" for place in pack.places[:14]),
        *([f"and {len(pack.places) - 14} more places"] if len(pack.places) > 14 else []),
        f"{FORM_SHEETS} blank forms, to be copied",
    ]
    return f"<ol>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ol>"


def _feeds(pack: Pack, clock: Clock) -> str:
    rows = [
        f'<td class="c">{escape(source)}</td><td>{clock(at)}{" · tells nothing any more" if pack.silent(source, at) else ""}</td>'
        for source, at in pack.feeds
    ]
    return "<h2>Feeds: what was told up to when</h2>" + _table(("Feed", "Last heard"), rows, "No feed has been heard.")


def _unusable(pack: Pack) -> list[StockLine]:
    return [line for line in pack.lines if line.status in ("expired", "quarantined") and line.quantity]


def _never(pack: Pack) -> str:
    """Recalls and what must not be given, with a box for who takes it away."""
    recalls = [_recall(line, pack.names) for line in pack.recalls]
    others = [
        f'<td class="c"><span class="box"></span></td><td class="c"><b>{escape(line.location)}</b></td><td>{_item(line)}</td>'
        f'<td class="c">{escape(line.lot or "unknown")}</td><td class="c">{escape(line.expiry)}</td>'
        f'<td><span class="mark">{_STATUS[line.status]}</span></td><td class="n">{line.quantity} {escape(line.unit)}</td>'
        for line in _unusable(pack)
    ]  # fmt: skip
    return (
        "<h2>Do not use: recalls</h2>"
        + _table(("Taken out", "Place", "Item", "Lot", "Recall", "Lots recalled", "On hand:n"), recalls, "No recall is in force.")
        + "<h2>Do not use: expired or in quarantine</h2>"
        + _table(("Taken out", "Place", "Item", "Lot", "Expires", "Why", "On hand:n"), others, "Nothing on hand is.")
    )


def _recall(line: RecallLine, names: Mapping[str, str]) -> str:
    box = '<span class="box"></span>' if line.location else ""
    what = f"Class {line.classification} · {line.id}" + (f": {line.reason}" if line.reason else "")
    return (
        f'<td class="c">{box}</td><td class="c"><b>{escape(line.location or "none on hand")}</b></td>'
        f"<td><b>{escape(names.get(line.item, line.item) if line.location else line.products)}</b></td>"
        f'<td class="c">{escape((line.lot or "unknown: inspect") if line.location else "")}</td><td>{escape(what)}</td>'
        f'<td>{escape(line.lots)}</td><td class="n">{f"{line.quantity} {escape(line.unit)}" if line.location else ""}</td>'
    )


def _needs(pack: Pack) -> str:
    rows = [_need(row) for row in pack.needs]
    heads = ("Done", "How bad", "Place", "Item:w", "Usable:n", "Bring:n", "From")
    return "<h2>Open needs</h2>" + _table(heads, rows, "Nothing is short.")


def _need(row: Row) -> str:
    hot = "" if row["urgency"] == "routine" else " hot"
    usable = "" if row["usable"] is None else row["usable"]
    source = f"{row['take_from'] or 'not decided'}" + (f", {row['lots']}" if row["lots"] else "")
    return (
        f'<td class="c"><span class="box"></span></td>'
        f'<td class="c"><span class="mark{hot}">{_URGENT.get(row["urgency"], row["urgency"])}</span></td>'
        f'<td class="c"><b>{escape(row["location"])}</b></td><td><b>{escape(row["name"])}</b></td><td class="n">{usable}</td>'
        f'<td class="n"><b>{row["quantity"]}</b> {escape(row["unit"])}</td>'
        f"<td><small>{_warned(source)} · {escape(row['kind'])}, {escape(str(row['state']).replace('_', ' '))}</small></td>"
    )


def _warned(text: str) -> str:
    return escape(text).replace("DO NOT USE", "<b>DO NOT USE</b>")


def _cases(pack: Pack, clock: Clock) -> str:
    rows = [
        f'<td class="c"><span class="box"></span></td><td class="c">{escape(str(row["kind"]).replace("_", " "))}</td>'
        f'<td class="c">{escape(row.get("location") or "")}</td><td>{escape(row["text"])}</td>'
        f'<td class="c">{clock(datetime.fromisoformat(row["opened_at"]))}</td>'
        for row in pack.cases
    ]  # fmt: skip
    return "<h2>Open cases</h2>" + _table(("Seen", "What", "Place", "Case", "Since"), rows, "No case is open.")


def _find(pack: Pack) -> str:
    """Every item with every place that has some that may be given."""
    places: dict[str, list[str]] = {}
    names: dict[str, StockLine] = {}
    totals: dict[tuple[str, str], int] = {}
    away = {line.location for place in pack.places if not place.gives for line in place.lines}
    for line in pack.lines:
        names.setdefault(line.item, line)
        # What is missing of a lot is missing of the others.
        if line.location not in away and (line.status == "available" or line.quantity < 0):
            totals[line.item, line.location] = totals.get((line.item, line.location), 0) + line.quantity
    for (item, location), quantity in totals.items():
        if quantity > 0:
            places.setdefault(item, []).append(f"{escape(location)}&nbsp;<b>{quantity}</b>")
    rows = [
        f'<td>{_item(line)}</td><td>{" · ".join(places.get(item, ())) or "<b>nowhere: call another site</b>"}</td>'
        for item, line in sorted(names.items(), key=lambda pair: (pair[1].name.casefold(), pair[0]))
    ]  # fmt: skip
    heads = ("Item", "Where, and how many may be given")
    return '<section class="place find"><h2>Find an item</h2>' + _table(heads, rows, "Nothing is in stock.") + "</section>"


def _place(pack: Pack, place: Place, clock: Clock) -> str:
    rows = [(_stock(line, place), "" if line.status == "available" else "no") for line in place.lines]
    called = f" · {escape(place.name)}" if place.name != place.path else ""
    over = (
        f'<tr><th class="of" colspan="7">{escape(place.path)}{called} <small>{escape(place.kind)} of {escape(pack.site.name)} · '
        f"made {clock(pack.made_at)}, told up to {clock(pack.watermark)}</small></th></tr>"
    )
    heads = ("Pocket", "Item", "Lot", "Expires", "On hand:n", "Counted", "Taken")
    return f'<section class="place">{_table(heads, rows, "Nothing is here.", over)}</section>'


def _stock(line: StockLine, place: Place) -> str:
    pocket = line.location.removeprefix(place.path).strip("/") or "–"
    why = _STATUS.get(line.status)
    mark = f' <span class="mark hot">DO NOT USE: {why}</span>' if why and line.quantity else ""
    stale = f"<br><small>feed silent since {escape(line.stale_since)}</small>" if line.stale_since else ""
    held = f"<b>{line.quantity}</b> {escape(line.unit)}" if line.quantity else "<b>0</b>"
    return (
        f'<td class="c ward">{escape(pocket)}</td><td>{_item(line)}{mark}{stale}</td>'
        f'<td class="c">{escape(line.lot) or ("unknown" if line.quantity else "")}</td><td class="c">{escape(line.expiry)}</td>'
        f'<td class="n">{held}</td><td class="write"></td><td class="write"></td>'
    )


def _item(line: StockLine) -> str:
    marks = "".join(f' <span class="mark{" hot" if mark == "HIGH ALERT" else ""}">{escape(mark)}</span>' for mark in line.marks)
    return f"<b>{escape(line.name)}</b>{marks} <small>{escape(line.code or line.item)}</small>"


def _form(pack: Pack, sheet: int) -> str:
    """A blank form. Its columns are those of `paper.csv`, so that it is keyed as it stands."""
    widths = "".join(f'<col style="width:{width}%">' for _, width in _FORM)
    heads = "".join(f"<th>{name}</th>" for name, _ in _FORM)
    rows = "".join(f"<tr><td>{number}</td>{'<td></td>' * (len(_FORM) - 1)}</tr>" for number in range(1, FORM_ROWS + 1))
    words = " · ".join(f"<b>{activity.value}</b> {escape(told)}" for activity, told in _WORDS.items())
    period = escape(pack.period.id) if pack.period is not None else ""
    return (
        f'<section class="form"><h2>Downtime form · {escape(pack.site.name)}</h2>'
        f'<div class="head"><span>Form no. (day, ward and sheet):</span><span>Date:</span><span>Downtime: {period}</span>'
        f"<span>Keyed in by, when:</span></div><table><colgroup>{widths}</colgroup><thead><tr>{heads}</tr></thead>"
        f'<tbody>{rows}</tbody></table><p class="words">What: {words}.<br>One line for each deed, when it happens, by the clock '
        "on the wall. A wrong line: strike it through, sign, and write a new one. "
        f"Blank {sheet} of {FORM_SHEETS}.</p></section>"
    )


def _table(heads: Sequence[str], rows: Iterable[Any], empty: str, over: str = "") -> str:
    """A table whose head is repeated on every page; `:n` marks numbers, `:w` a wide one. Rows are cells, or cells and a class."""
    made = [row if isinstance(row, tuple) else (row, "") for row in rows]
    if not made:
        return f'<p class="none">{escape(empty)}</p>'
    named = "".join(f'<th class="{head[-1]}">{head[:-2]}</th>' if head[-2:-1] == ":" else f"<th>{head}</th>" for head in heads)
    body = "".join(f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>" for cells, kind in made)
    return f"<table><thead>{over}<tr>{named}</tr></thead><tbody>{body}</tbody></table>"


def _sentence(text: str) -> str:
    return escape(text).replace(" · ", "<br>")
