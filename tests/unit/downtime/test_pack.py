"""A pack holds what a ward needs, says how far it reaches, appears whole, and asks nothing of the outside."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from schemas.reference import RecallNotice, Role
from tests.support.world import POCKET, SITE, hospital, item, policy, site
from tests.unit.downtime.test_desk import cabinet
from tests.unit.master.test_desk import named
from topology.access import FolderAccess
from topology.downtime import keeper as keeper_module
from topology.downtime.desk import DowntimeDesk
from topology.downtime.entry import COLUMNS
from topology.downtime.hubs import FolderDowntime
from topology.downtime.keeper import PackKeeper, folder_name
from topology.downtime.pack import files
from topology.downtime.pack.facts import Pack, gather
from topology.downtime.pack.files import write
from topology.downtime.pack.page import page
from topology.downtime.pack.style import text
from topology.errors import UnknownNameError
from topology.local import LocalHub

NOW = datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    """Lot L1 of a recalled product in the pocket, and an item whose name is not harmless."""
    risky = replace(item("ibu"), name='<script>alert("x")</script> & co', schedule=2, high_alert=True)
    with LocalHub(tmp_path / "hub") as local:
        local.load_reference(named(*hospital(risky, policy(), policy(item="ibu"), Role(person="tim", role="technician"))))
        cabinet(local, "load", -60, 3, "t0", lot="L1", expiry="2027-05-31", product_code="0409-4713-02", code_system="ndc")
        cabinet(local, "load", -50, 9, "t1", pocket="d1/p2", product_code="ibu-1")
        cabinet(local, "vend", -40, 9, "t2", pocket="d1/p2", product_code="ibu-1")
        local.tick(NOW, timedelta(minutes=15))
        yield local


def pack(hub: LocalHub, **more: Any) -> Pack:
    return gather(FolderAccess(hub), SITE, NOW, **more)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_files_hold_stock_needs_recalls_cases_and_a_blank_form(hub: LocalHub, tmp_path: Path) -> None:
    hub.load_reference(named(RecallNotice(id="R1", classification="I", products=("amox-hospira",), lots=("l-1",), reason="glass")))
    write(pack(hub), tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(one.name for one in out.iterdir()) == ["cases.csv", "needs.csv", "pack.html", "paper.csv", "recalls.csv", "stock.csv"]
    stock = {(row["location"], row["item"]): row for row in rows(out, "stock.csv")}
    here = stock[POCKET, "amox"]
    assert (here["quantity"], here["unit"], here["lot"], here["expiry"], here["status"]) == ("3", "tablet", "L1", "2027-05-31", "recalled")
    gone = stock["icu/cab1/d1/p2", "ibu"]
    assert (gone["quantity"], gone["status"], gone["marks"]) == ("0", "none left", "C-II HIGH ALERT"), "what is out is told too"
    (recall,) = rows(out, "recalls.csv")
    assert (recall["id"], recall["location"], recall["lot"], recall["quantity"]) == ("R1", POCKET, "L1", "3")
    (need,) = [row for row in rows(out, "needs.csv") if row["location"] == POCKET]
    assert (need["item"], need["usable"]) == ("amox", "0")
    assert (out / "paper.csv").read_text() == ",".join(COLUMNS) + "\n"
    named_ = ("site", "made_at", "newest_event")
    stamps = {tuple(row[one] for one in named_) for name in ("stock.csv", "needs.csv", "recalls.csv") for row in rows(out, name)}
    assert stamps == {(SITE, "2026-03-03T13:00:00+00:00", "2026-03-03T06:20:00+00:00")}


def test_the_page_needs_no_script_and_nothing_from_outside(hub: LocalHub) -> None:
    text_ = page(pack(hub))
    tags = Tags()
    tags.feed(text_)
    assert not tags.tags & {"script", "img", "link", "iframe", "object", "embed", "form", "input"}
    assert not tags.attributes & {"src", "href", "onclick", "onload"}
    assert not re.search(r"url\(|@import|http", text_)
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co" in text_


def test_every_page_says_made_when_and_told_up_to_when_and_which_page_it_is(hub: LocalHub) -> None:
    """As of event time and watermark, in the site's clock, in the margins that print on every page."""
    told = page(pack(hub))
    margins = told.split("<style>")[1].split("@page form")[0]
    assert '@top-right { content: "Made Tue 3 Mar 2026 08:00"' in margins
    assert "Newest event counted: Tue 3 Mar 2026 01:20 · every feed of the last day heard up to: Tue 3 Mar 2026 08:00" in margins
    assert 'content: "Page " counter(page) " of " counter(pages)' in margins
    assert "size: A4" in margins


def test_the_page_shows_each_pocket_the_downtime_and_what_is_out(hub: LocalHub) -> None:
    desk = DowntimeDesk(FolderDowntime(hub))
    desk.start(site=SITE, by="tim", reason="network <down>", now=NOW)
    told = page(pack(hub))
    assert "<b>Downtime d1</b> since Tue 3 Mar 2026 08:00: network &lt;down&gt; (said by tim)" in told
    assert ">d1/p1<" in told
    assert "<b>3</b> tablet" in told
    assert "nowhere: call another site" in told
    assert "Downtime: d1" in told, "the form bears it"


def test_a_kept_pack_says_until_when_it_is_the_newest_and_what_is_not_counted(hub: LocalHub) -> None:
    told = page(pack(hub, minutes=15, backlog=7))
    assert "a newer pack replaces this one before Tue 3 Mar 2026 08:15" in told
    assert "7 received messages were not counted yet" in told
    assert "NOTHING WAS TOLD FOR 6 HOURS" in told


def test_an_unknown_site_is_a_sentence(hub: LocalHub) -> None:
    with pytest.raises(UnknownNameError, match="there is no site mars"):
        gather(FolderAccess(hub), "mars", NOW)


def test_a_text_of_the_style_sheet_ends_nothing() -> None:
    assert text('a"b\\c</style>\n') == '"a\\22 b\\5c c\\3c /style\\3e \\a "'


def test_a_writer_that_fails_leaves_the_old_pack_whole(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills while the last file is drafted: nothing of the new pack stands in the old one's place, and no draft is left."""
    write(pack(hub), tmp_path / "out")
    before = {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()}
    real = files._draft

    def full(path: Path, content: str) -> None:
        if "pack.html" in path.name:
            raise OSError(28, "No space left on device", str(path))
        real(path, content)

    monkeypatch.setattr(files, "_draft", full)
    cabinet(hub, "vend", 5, 1, "t9")
    with pytest.raises(OSError, match="No space left"):
        write(pack(hub), tmp_path / "out")
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == before


class Clocked:
    """A running hub whose clock a test sets."""

    def __init__(self, hub: LocalHub) -> None:
        self.views = hub.views
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def behind(self, since: float) -> bool:
        return False

    def backlog(self) -> int:
        return 0


def test_the_keeper_replaces_a_pack_before_it_is_too_old_and_tells_its_age(hub: LocalHub, tmp_path: Path) -> None:
    hub.project()
    live: Any = Clocked(hub)
    kept = PackKeeper(live, tmp_path / "packs", 15)
    made = tmp_path / "packs" / SITE / "pack.html"
    assert kept.write_due()
    first = made.read_text()
    assert kept.ages() == {SITE: 0}
    live.at = NOW + timedelta(minutes=9)
    assert kept.write_due()
    assert kept.ages() == {SITE: 540}
    assert made.read_text() == first, "it is not due yet"
    live.at = NOW + timedelta(minutes=11)
    assert kept.write_due()
    assert kept.ages() == {SITE: 0}
    assert "08:11" in made.read_text()


def test_a_pack_that_can_not_be_written_is_tried_again_and_its_age_grows(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.project()
    hub.load_reference(named(site(id="south", name="South", facility_codes=("S",))))
    hub.project()
    live: Any = Clocked(hub)
    kept = PackKeeper(live, tmp_path / "packs", 15)
    assert kept.write_due()
    real = keeper_module.write

    def some(made: Pack, folder: Path) -> list[Path]:
        if made.site.id == SITE:
            raise PermissionError(13, "Permission denied", str(folder))
        return real(made, folder)

    monkeypatch.setattr(keeper_module, "write", some)
    live.at = NOW + timedelta(minutes=20)
    assert not kept.write_due()
    assert kept.ages() == {SITE: 1200, "south": 0}, "one site's trouble is its own"


def test_a_folder_is_named_after_its_site_and_leads_nowhere_else() -> None:
    assert [folder_name(one) for one in ("north", "../etc", "a/b", "..")] == ["north", "_etc", "a_b", "_"]


