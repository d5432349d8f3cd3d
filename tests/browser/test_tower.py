"""The control tower as a person sees it, in a real Chromium, over a projection of handmade records (`hospital.py`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from schemas import topics
from schemas.events import ReferenceChange
from schemas.kinds import CommandState, Outcome, Urgency
from sinks.tower.snapshot import MOVEMENT_ROWS_MAX
from tests.browser.conftest import Tower
from tests.browser.hospital import NOW

pytestmark = pytest.mark.browser


def section(page: Page, heading: str) -> Locator:
    """The panel under a heading."""
    return page.locator("section.panel").filter(has=page.get_by_role("heading", name=heading, exact=True)).locator("visible=true")


def row(panel: Locator, text: str) -> Locator:
    return panel.locator("tbody tr").filter(has_text=text)


def column(panel: Locator, label: str) -> list[str]:
    """The texts of one column, top to bottom."""
    expect(panel.locator("tbody tr").first).to_be_visible()
    headers = [re.sub(r"arrow_(?:up|down)ward", "", text).strip() for text in panel.locator("thead th").all_inner_texts()]
    cells = panel.locator(f"tbody tr td:nth-child({headers.index(label) + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_the_first_screen_shows_the_promises_and_what_needs_a_decision(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    promises = page.get_by_label("The three promises")
    expect(promises).to_contain_text(
        re.compile(r"10\s*received\s*=\s*7\s*accepted\s*\+\s*1\s*duplicate\s*\+\s*1\s*held\s*\+\s*1\s*quarantined")
    )
    expect(promises.get_by_role("status")).to_have_text("✓ adds up")
    expect(promises).to_contain_text("61 entries · 1 repeat recognised")
    expect(promises).to_contain_text("61 of 61 entries · 5 of 5 commands")
    expect(page.locator(".clock")).to_contain_text("2026-03-10 14:05 UTC")
    expect(page.locator(".live")).to_have_text("● Live")
    decisions = section(page, "Needs a decision")
    expect(decisions.locator("tbody tr")).to_have_count(2)
    expect(row(decisions, "Awaiting approval")).to_contain_text("Purchase 1,200 syringe")
    expect(row(decisions, "Case: Unwitnessed waste")).to_contain_text("5 h 00 min")
    short = section(page, "Short right now")
    expect(short.locator("tbody tr").first).to_contain_text("Stock-out")
    expect(row(short, "Critical")).to_contain_text("Vancomycin 1 g vial")
    assert decisions.bounding_box()["y"] + decisions.bounding_box()["height"] < 900, "seen without scrolling"


def test_a_site_card_says_what_is_available_constrained_expiring_and_undecided(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    card = page.locator('button[data-site="mercy"]')
    expect(card).to_contain_text("Mercy General Hospital")
    expect(card).to_contain_text("■ 1 stock-out")
    assert card.locator(".stat-value").all_inner_texts() == ["59 / 60", "2", "2", "2"]
    expect(card).to_contain_text("Open needs: 1 stock-out · 1 critical · 2 routine")
    expect(card).to_contain_text("1 expired · 0 held · 0 quarantined · last event 03-10 09:55")
    expect(page.locator('button[data-site="lakeside"]')).to_contain_text("✓ In supply")


def test_a_site_opens_its_items_the_most_urgent_first(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    page.locator('button[data-site="mercy"]').click()
    items = section(page, "Items")
    expect(items).to_contain_text("Showing 60 of 60 items at places")
    first = items.locator("tbody tr")
    expect(first.nth(0)).to_contain_text("Norepinephrine 4 mg/4 mL vial")
    expect(first.nth(0)).to_contain_text("■ Stock-out")
    expect(first.nth(1)).to_contain_text("▲ Critical")
    cells = [text.strip() for text in first.nth(2).locator("td").all_inner_texts()]
    assert cells == [
        "Heparin 5,000 units/mL vial",
        "HEP5000",
        "icu/cab1/d1/p01",
        "3",
        "2",
        "8",
        "20",
        "10 / 60",
        "vial",
        "0.8",
        "● Routine",
    ]
    expect(page).to_have_url(re.compile(r"site=mercy"))


def test_search_narrows_the_items_and_an_empty_result_says_what_to_do(page: Page, tower: Tower) -> None:
    page.goto(f"{tower.address}/?site=mercy")
    items = section(page, "Items")
    search = page.get_by_label("Search items and places")
    search.fill("hepa icu")
    expect(items).to_contain_text("Showing 2 of 2 items at places")
    assert set(column(items, "Place")) == {"icu/cab1/d1/p01", "icu/cab1/d1/p02"}
    search.fill("no such drug")
    expect(items).to_contain_text("No item matches. Clear the search")
    search.fill("")
    expect(items).to_contain_text("Showing 60 of 60")


def test_a_column_sorts_as_numbers(page: Page, tower: Tower) -> None:
    """Usable stock at Mercy runs from 0 to 161 (40 + 7 × 11 + 11 × 4); as text 100 would come before 2."""
    page.goto(f"{tower.address}/?site=mercy")
    items = section(page, "Items")
    expect(items.locator("tbody tr")).to_have_count(60)
    for label in ("Usable", "Days to stock-out"):
        items.locator("thead th").filter(has_text=label).click()
        expect(items.locator("tbody tr").first).to_contain_text("Norepinephrine")
        page.wait_for_timeout(700)  # at least one refresh later the order still stands
        values = [float(text) for text in column(items, label)]
        assert values == sorted(values)


def test_an_item_opens_its_lots_and_last_movements(page: Page, tower: Tower) -> None:
    page.goto(f"{tower.address}/?site=mercy")
    row(section(page, "Items"), "icu/cab1/d1/p01").filter(has_text="HEP5000").get_by_role("button").click()
    expect(
        page.get_by_role("heading", name="Heparin 5,000 units/mL vial · Mercy General Hospital · icu/cab1/d1/p01")
    ).to_be_visible()
    lots = section(page, "Lots at this site")
    expect(lots.locator("tbody tr")).to_have_count(6)
    expect(row(lots, "H099")).to_contain_text("■ Expired 1 d ago")
    expect(row(lots, "H123")).to_contain_text("▲ Last day today")
    assert column(lots, "Place")[:2] == ["icu/cab1/d1/p01"] * 2
    movements = section(page, "Last movements")
    expect(movements).to_contain_text(f"Showing {MOVEMENT_ROWS_MAX} of 61 movements")
    expect(movements.locator("tbody tr").first).to_contain_text("2026-03-10 09:55")
    expect(section(page, "Where it is in the network").locator("tbody tr")).to_have_count(15)
    page.locator('[data-view="item"]').get_by_role("button", name="‹ Back").click()
    expect(section(page, "Items")).to_be_visible()
    page.locator('[data-view="site"]').get_by_role("button", name="‹ Back").click()
    expect(section(page, "Needs a decision")).to_be_visible()


def test_commands_unfold_their_lots_approvals_and_proof(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    page.get_by_role("tab", name="Needs & commands").click()
    commands = section(page, "Needs & commands")
    assert [text.strip() for text in column(commands, "Urgency")] == [
        "■ Stock-out",
        "▲ Critical",
        "● Routine",
        "● Routine",
        "Closed",
    ]
    assert column(commands, "Quantity")[2] == "1,200"
    expect(row(commands, "Norepinephrine")).to_contain_text("L070, L071")
    unfold = row(commands, "Norepinephrine").get_by_role("button", name="Details of")
    expect(unfold).to_have_attribute("aria-expanded", "false")
    unfold.focus()
    page.keyboard.press("Enter")
    expect(unfold).to_have_attribute("aria-expanded", "true")
    details = commands.locator("tr.unfolded")
    for line in (
        "Take 40 of lot L070 at main, expires 2027-06-30",
        "Approve by R. Patel at 2026-03-10T13:45:00Z: ICU census high",
        "Trigger: usable 0 ≤ critical 2",
        "Options 2: source stluke, taken no, usable 109, why own store suffices",
    ):
        expect(details.get_by_text(line, exact=True)).to_be_visible()
    page.wait_for_timeout(700)
    expect(details).to_be_visible()


def test_cases_held_quarantined_and_expiring_have_their_tabs(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    page.get_by_role("tab", name="Cases").click()
    expect(row(section(page, "Open cases"), "Unwitnessed waste")).to_contain_text("2 mg of morphine wasted")
    page.get_by_role("tab", name="Held & quarantined").click()
    held = section(page, "Held: understood, waiting for a missing fact")
    expect(row(held, "code ndc 000409471302")).to_contain_text("add the product, the event then applies itself")
    refused = section(page, "Quarantined: could not be understood")
    expect(row(refused, "rds-0008.hl7")).to_contain_text("RDS^O13 without RXD")
    page.get_by_role("tab", name="Expiring").click()
    expiring = section(page, "Expired or expiring within 90 days")
    assert column(expiring, "Days left") == ["■ Expired 1 d ago", "▲ Last day today", "▲ 30 d left"]


def test_a_chosen_site_narrows_every_tab(page: Page, tower: Tower) -> None:
    page.goto(f"{tower.address}/?site=stluke&tab=commands")
    expect(page.get_by_text("No need has opened.")).to_be_visible()
    expect(page.locator('[data-tab="held"]')).to_contain_text("2")
    expect(page.locator('[data-tab="cases"]')).to_contain_text("0")
    page.get_by_role("tab", name="Expiring").click()
    expect(page.get_by_text("No lot on hand expires within 90 days.")).to_be_visible()


def test_everything_can_be_reached_with_the_keyboard(page: Page, tower: Tower) -> None:
    page.goto(tower.address)
    card = page.locator('button[data-site="stluke"]')
    expect(card).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if card.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="St. Luke Children's", exact=True)).to_be_visible()


def test_tables_have_headers_and_the_open_tab_says_so(page: Page, tower: Tower) -> None:
    page.goto(f"{tower.address}/?tab=commands")
    expect(page.get_by_role("tab", name="Needs & commands")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Cases")).to_have_attribute("aria-selected", "false")
    headers = section(page, "Needs & commands").locator("thead th")
    expect(headers.first).to_be_visible()
    assert all(text.strip() for text in headers.all_inner_texts())


def test_an_unknown_address_still_shows_a_page(page: Page, tower: Tower) -> None:
    page.goto(f"{tower.address}/?tab=nonsense&site=nowhere&item=%3Cb%3Ex")
    expect(page.get_by_text("No lot on hand at this site.")).to_be_visible()
    page.goto(f"{tower.address}/?tab=nonsense")
    expect(section(page, "Needs a decision")).to_be_visible()


def test_an_empty_hub_says_what_to_do(page: Page, own_tower: Tower) -> None:
    page.goto(own_tower.address)
    expect(page.get_by_text("No site yet. Load the item master and sites with `wardstock reference load DIR`")).to_be_visible()
    expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    expect(page.locator(".clock")).to_contain_text("no event yet")


def test_an_open_page_follows_the_projection(page: Page, own_tower: Tower) -> None:
    """New records show without a reload, a closed need leaves, and a person's search stays as it was typed."""
    log, projection = own_tower.log, own_tower.projection
    page.goto(own_tower.address)
    site = ReferenceChange(revision=1, kind="site", id="mercy", record={"id": "mercy", "name": "Mercy", "zone": "UTC"})
    projection.apply(
        [
            log.record(topics.REFERENCE, ("site", "mercy"), site),
            log.position("mercy", "main", "HEP5000", 0, minimum=5, critical=1, open_command="c1", urgency=Urgency.STOCK_OUT),
            log.position("mercy", "main", "APAP500", 50, minimum=5),
            log.command("c1", "mercy", "main", "HEP5000", urgency=Urgency.STOCK_OUT),
            log.outcome(0, 0, 2, Outcome.ACCEPTED),
        ]
    )
    card = page.locator('button[data-site="mercy"]')
    expect(card).to_contain_text("■ 1 stock-out")
    expect(page.get_by_label("The three promises").get_by_role("status")).to_have_text("✗ does not add up: 1 message")
    card.click()
    search = page.get_by_label("Search items and places")
    search.fill("hep")
    items = section(page, "Items")
    expect(items).to_contain_text("Showing 1 of 1")
    later = NOW + timedelta(minutes=3)
    projection.apply(
        [
            log.position("mercy", "main", "HEP5000", 1_250, minimum=5, critical=1, as_of=later),
            log.command("c1", "mercy", "main", "HEP5000", revision=2, state=CommandState.SATISFIED, closed_at=later),
            log.outcome(0, 1, 2, Outcome.ACCEPTED),
        ]
    )
    expect(items.locator("tbody tr").first).to_contain_text("1,250")
    expect(items).not_to_contain_text("Stock-out")
    expect(search).to_have_value("hep")
    expect(page.locator(".clock")).to_contain_text("14:08 UTC")
    expect(page.get_by_label("The three promises").get_by_role("status")).to_have_text("✓ adds up")
    expect(page.locator('[data-tab="commands"]')).to_contain_text("0")


def test_a_list_longer_than_its_limit_shows_the_first_rows_and_says_so(page: Page, own_tower: Tower) -> None:
    log = own_tower.log
    opened = datetime(2026, 3, 1, tzinfo=UTC)
    own_tower.projection.apply(
        log.command(f"c{number:03d}", "mercy", "main", "HEP5000", opened_at=opened + timedelta(minutes=number))
        for number in range(203)
    )
    page.goto(f"{own_tower.address}/?tab=commands")
    commands = section(page, "Needs & commands")
    expect(commands).to_contain_text("Showing 200 of 203 commands")
    expect(commands.locator("tbody tr")).to_have_count(200)


def test_a_projection_that_cannot_be_read_is_said_in_words_and_recovers(page: Page, own_tower: Tower) -> None:
    page.goto(own_tower.address)
    expect(page.locator(".live")).to_have_text("● Live")
    with own_tower.projection.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projection_offsets RENAME TO away")
    expect(page.get_by_role("alert")).to_contain_text("The tower can't read the projection.")
    expect(page.locator(".live")).to_have_text("■ Not live")
    with own_tower.projection.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO projection_offsets")
    expect(page.locator(".live")).to_have_text("● Live")
    expect(page.get_by_role("alert")).to_be_hidden()
