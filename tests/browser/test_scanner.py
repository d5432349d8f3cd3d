"""The scanner page on a phone, in a real Chromium, against a real hub that is stopped, cut off and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from tests.browser.handheld import GS, PHONE, QUIET_MS, SALINE, Handheld, Hub, hub_in

pytestmark = pytest.mark.browser

CASE = 14
"""Bags in a package of `SALINE`."""


@pytest.fixture
def hub(browser: Browser, tmp_path: Path) -> Iterator[Hub]:
    started = hub_in(tmp_path / "hub")
    yield started
    started.stop()


@pytest.fixture
def phone(browser: Browser, hub: Hub) -> Iterator[BrowserContext]:
    context = browser.new_context(**PHONE)
    yield context
    context.close()


@pytest.fixture
def device(phone: BrowserContext, hub: Hub) -> Iterator[Handheld]:
    handheld = Handheld(phone, hub)
    yield handheld
    assert handheld.troubles == []


def barcode(lot: str, serial: str = "") -> str:
    """A DataMatrix as a wedge sends it; the serial number stands behind FNC1."""
    return f"]d2{SALINE}17291231" + f"10{lot}" + (f"{GS}21{serial}" if serial else "")


def test_two_identical_packages_scanned_one_after_the_other_are_two(device: Handheld, hub: Hub) -> None:
    """One ends with Enter, the other with Tab: both are ways a wedge is set up."""
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.scan(barcode("L1"), end="Tab")
    device.page.click("#send")
    device.all_judged()
    expect(device.card).to_contain_text("✓ Accepted")
    expect(device.card).to_contain_text("Sodium chloride 0.9 % 1000 mL bag")
    expect(device.card).to_contain_text("Lot L1 · exp 2029-12-31")
    expect(device.card).to_contain_text("14 bag received")
    expect(device.page.locator("#totals")).to_have_text("2 accepted")
    expect(device.status).to_have_text("All sent")
    assert hub.stock() == {("main", "L1"): 2 * CASE}
    first, second = hub.received()
    assert first["event_id"] != second["event_id"]
    assert first["session"] == second["session"]
    assert second["device_sequence"] > first["device_sequence"]
    assert first["device"] == second["device"]
    assert (first["user"], first["activity"], first["location"]) == ("north-tech1", "receive", "MAIN")


def test_fnc1_arrives_as_it_was_scanned(device: Handheld, hub: Hub) -> None:
    """As the key Ctrl+], as character 29 in one piece, and as the text <GS>: nothing is stripped, at no end."""
    device.sign_in("Receive")
    device.scan(barcode("L1", "A1"))
    device.page.keyboard.insert_text(barcode("L1", "A2"))
    device.page.keyboard.press("Enter")
    device.wait(lambda: device.kept() == 2)
    device.scan(barcode("L1", "A3").replace(GS, "<GS>"))
    device.scan(GS + barcode("L1", "A4") + GS)
    device.all_judged()
    scanned = [one["barcode"] for one in hub.received()]
    assert scanned[:3] == [barcode("L1", "A1"), barcode("L1", "A2"), barcode("L1", "A3").replace(GS, "<GS>")]
    assert scanned[3] == GS + barcode("L1", "A4") + GS


def test_without_a_network_the_page_opens_and_takes_scans_that_go_later_once(
    device: Handheld, phone: BrowserContext, hub: Hub
) -> None:
    device.ready_without_hub()
    device.sign_in("Receive")
    phone.set_offline(True)
    device.scan(barcode("L1"))
    device.reopen()
    expect(device.status).to_contain_text("No network · 1 kept here. Go on scanning.")
    device.scan(barcode("L1"))
    expect(device.card).to_contain_text("Waiting")
    device.page.wait_for_timeout(1_500)
    assert [entry["state"] for entry in device.entries()] == ["waiting", "waiting"]
    phone.set_offline(False)
    device.all_judged()
    assert hub.stock() == {("main", "L1"): 2 * CASE}
    assert len(hub.received()) == 2
    assert hub.outcomes() == {"accepted": 2}


def test_while_the_hub_is_down_the_page_says_so_and_goes_on(device: Handheld, hub: Hub) -> None:
    """The page is opened while the hub is stopped; 60 scans are more than one batch."""
    device.ready_without_hub()
    device.sign_in("Receive")
    hub.stop()
    device.reopen()
    for number in range(60):
        device.scan(barcode(f"L{number % 3}"))
    device.page.click("#send")
    expect(device.status).to_contain_text("The hub can't be reached.", timeout=20_000)
    expect(device.status).to_contain_text("60 kept here. Go on scanning.")
    hub.start()
    device.all_judged()
    expect(device.status).to_have_text("All sent")
    assert hub.stock() == {("main", f"L{number}"): 20 * CASE for number in range(3)}
    sequences = [one["device_sequence"] for one in hub.received()]
    assert sequences == sorted(set(sequences)), "each once, in the order scanned"
    assert len(sequences) == 60
    assert hub.outcomes() == {"accepted": 60}


def test_a_closed_tab_loses_nothing(device: Handheld, phone: BrowserContext, hub: Hub) -> None:
    device.ready_without_hub()
    device.sign_in("Receive")
    phone.set_offline(True)
    device.scan(barcode("L1"))
    device.scan(barcode("L2"))
    device.page.close()
    phone.set_offline(False)
    again = Handheld(phone, hub)
    again.all_judged()
    assert hub.stock() == {("main", "L1"): CASE, ("main", "L2"): CASE}
    assert len(hub.received()) == 2


def test_an_answer_that_was_lost_does_not_count_twice(device: Handheld, phone: BrowserContext, hub: Hub) -> None:
    """The hub has stored the batch, and the device does not know: the same scans go again under the same key and identity.

    Page or service worker sends again, whoever is first.
    """
    lost: list[int] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    device.page.route("**/scans?*", lose)
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.page.click("#send")
    device.all_judged()
    expect(device.card).to_contain_text("✓ Accepted")
    assert lost == [202]
    told = hub.scans(device.session())["events"]
    assert [(one["outcome"], one["resent"], one["quantity"], one["lot"]) for one in told] == [("accepted", 0, CASE, "L1")]
    assert hub.stock() == {("main", "L1"): CASE}
    assert len(hub.received()) == 1
    assert hub.messages == 1, "the hub knew the key of the batch and did not store it again"


def test_two_tabs_number_their_scans_apart_and_send_each_once(device: Handheld, phone: BrowserContext, hub: Hub) -> None:
    device.ready_without_hub()
    device.sign_in("Receive")
    phone.set_offline(True)
    other = Handheld(phone, hub, hub_is="away")
    expect(other.page.locator("#scanning")).to_be_visible()
    for number in range(4):
        (device if number % 2 else other).scan(barcode(f"L{number}"))
    phone.set_offline(False)
    device.all_judged()
    assert hub.stock() == {("main", f"L{number}"): CASE for number in range(4)}
    received = hub.received()
    assert len(received) == 4
    assert len({one["event_id"] for one in received}) == 4
    assert hub.outcomes() == {"accepted": 4}


def test_a_refused_barcode_shows_the_hubs_reason(device: Handheld, hub: Hub) -> None:
    """The hub stores it and can't read it; the person has the package in the hand and can scan it again."""
    device.sign_in("Receive")
    device.scan("hello")
    device.page.click("#send")
    device.all_judged()
    expect(device.card).to_contain_text("✕ Refused")
    expect(device.card).to_contain_text("The barcode 'hello' can't be read")
    expect(device.card).to_contain_text("scan it again")


def test_a_scan_at_an_unknown_place_is_held_with_the_reason(device: Handheld, hub: Hub) -> None:
    device.sign_in("Receive", "NOWHERE")
    device.scan(barcode("L1"))
    device.page.click("#send")
    device.all_judged()
    expect(device.card).to_contain_text("! Held")
    expect(device.card).to_contain_text("NOWHERE")


def test_what_the_hub_will_never_take_is_set_aside_and_shown(device: Handheld, hub: Hub) -> None:
    """A refusal of the request itself neither loops nor drops a scan, and the scans behind it go on."""
    answers = []
    body = '{"stored": false, "reason": "site must be printable text of at most 200 characters; nothing was stored."}'
    device.page.route("**/scans?*", lambda route: answers.append(1) or route.fulfill(status=400, body=body))
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.page.click("#send")
    expect(device.card).to_contain_text("✕ Not taken")
    expect(device.card).to_contain_text("site must be printable text")
    expect(device.page.locator("#aside")).to_contain_text("1 scan was not taken by the hub and kept here.")
    device.page.wait_for_timeout(2_500)
    assert len(answers) == 1
    device.page.unroute("**/scans?*")
    device.scan(barcode("L2"))
    device.page.click("#again")
    device.all_judged()
    assert hub.stock() == {("main", "L1"): CASE, ("main", "L2"): CASE}


def test_a_put_away_moves_stock(device: Handheld, hub: Hub) -> None:
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.change("Put away", to="4W")
    expect(device.page.locator("#where")).to_have_text("MAIN → 4W")
    device.scan(barcode("L1"))
    device.page.fill("#quantity", "0.5")
    device.page.keyboard.press("Enter")
    device.page.click("#send")
    device.all_judged()
    expect(device.card).to_contain_text("7 bag put away")
    assert hub.stock() == {("main", "L1"): 7, ("4west", "L1"): 7}


def test_picks_waste_and_returns_post_what_they_say(device: Handheld, hub: Hub) -> None:
    """Of four packages one is picked (on its way), one is wasted before a witness, one comes back from a patient."""
    device.sign_in("Receive")
    for _ in range(4):
        device.scan(barcode("L1"))
    device.page.click("#send")
    device.change("Pick")
    device.scan(barcode("L1"))
    device.page.click("#change")
    expect(device.page.locator("[name=location]")).to_be_focused()
    device.page.fill("[name=order_id]", "PO-77")
    device.page.get_by_text("Waste", exact=True).click()
    expect(device.page.locator("[name=order_id]")).to_be_hidden()
    device.page.fill("[name=witness]", "north-rph1")
    device.page.click("#begin")
    expect(device.page.locator("#who")).to_have_text("north-tech1 · north · witness north-rph1")
    device.scan(barcode("L1"))
    device.change("Return")
    device.scan(barcode("L1"))
    device.page.click("#send")
    device.all_judged()
    assert hub.stock() == {("main", "L1"): 3 * CASE, ("transit", "L1"): CASE}
    waste = next(one for one in hub.received() if one["activity"] == "waste")
    assert waste["witness"] == "north-rph1"
    assert "order_id" not in waste, "what is typed for another activity stays there"


def test_a_count_adds_up_its_packages_and_sets_the_place(device: Handheld, hub: Hub) -> None:
    """Three packages of a lot, each with a serial number of its own, are one count of 3; the same one twice is no 4."""
    device.sign_in("Receive")
    for _ in range(5):
        device.scan(barcode("L1"))
    device.all_judged()
    device.change("Count")
    device.scan(barcode("L1", "S1"))
    for serial in ("S2", "S3", "S3"):
        device.page.keyboard.insert_text(barcode("L1", serial))
        device.page.keyboard.press("Enter")
        expect(device.page.locator("#quantity")).to_have_value({"S2": "2", "S3": "3"}[serial])
    expect(device.page.locator("#notice")).to_contain_text("Package S3 is counted already.")
    device.page.click("#change")
    expect(device.page.locator("#notice")).to_contain_text("The count is still open")
    device.scan(barcode("L2"))
    device.page.fill("#quantity", "2")
    device.page.keyboard.press("Enter")
    device.page.click("text=Send the count (2 lines)")
    device.all_judged()
    assert hub.stock() == {("main", "L1"): 3 * CASE, ("main", "L2"): 2 * CASE}
    counted = hub.received()[5:]
    assert [(one["activity"], one["quantity"]) for one in counted] == [("count", "3"), ("count", "2")]


def test_an_unsent_scan_can_be_changed_and_taken_back(device: Handheld, hub: Hub) -> None:
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.page.click("#more")
    expect(device.page.locator("#quantity")).to_have_value("2")
    device.scan(barcode("L9"))
    device.page.click("#undo")
    device.all_judged()
    assert hub.stock() == {("main", "L1"): 2 * CASE}
    assert len(hub.received()) == 1


def test_a_barcode_scanned_into_the_quantity_is_a_scan(device: Handheld, hub: Hub) -> None:
    """The finger was on the quantity when the trigger was pulled: no stock of 303,380,049,042 packages."""
    device.sign_in("Receive")
    device.scan(barcode("L1"))
    device.page.click("#quantity")
    device.scan(f"{SALINE}1729123110L2")
    device.all_judged()
    assert hub.stock() == {("main", "L1"): CASE, ("main", "L2"): CASE}


def test_scans_go_wherever_the_focus_is(device: Handheld, hub: Hub) -> None:
    device.sign_in("Receive")
    device.page.focus("#keyboard")
    device.scan(barcode("L1"))
    device.page.focus("#change")
    device.scan(barcode("L2"))
    device.page.click("#send")
    device.all_judged()
    assert set(hub.stock()) == {("main", "L1"), ("main", "L2")}


def test_the_page_fits_a_small_phone(device: Handheld) -> None:
    """At 360 px nothing is cut off at the side, and every control can be hit with a glove (WCAG 2.5.5 asks for 44 px)."""
    device.page.set_viewport_size({"width": 360, "height": 640})
    device.sign_in("Put away", to="4W")
    device.scan(barcode("A-LOT-OF-20-CHARACTE"))
    assert device.page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in device.page.locator("main button:visible, main input:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44


CAMERA = """
(() => {
  window.inSight = null;
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["data_matrix", "code_128"]; }
    async detect() { return window.inSight ? [{ rawValue: window.inSight }] : []; }
  };
  const canvas = document.createElement("canvas");
  navigator.mediaDevices.getUserMedia = async () => { canvas.getContext("2d").fillRect(0, 0, 1, 1); return canvas.captureStream(5); };
})();
"""


def test_the_camera_counts_a_package_once_while_it_is_in_sight(phone: BrowserContext, hub: Hub) -> None:
    """The browser's reader is played: this Chromium has none. Out of sight and back again is a second package."""
    phone.add_init_script(CAMERA)
    device = Handheld(phone, hub)
    device.sign_in("Receive")
    device.page.click("#camera")
    for _ in range(2):
        device.page.evaluate("text => { window.inSight = text; }", f"{SALINE}1729123110L1")
        device.page.wait_for_timeout(700)
        device.page.evaluate("window.inSight = null")
        device.page.wait_for_timeout(1_600)
    device.page.click("#camera")
    expect(device.page.locator("#view")).to_be_hidden()
    device.all_judged()
    assert hub.stock() == {("main", "L1"): 2 * CASE}


def test_without_a_reader_the_camera_is_not_offered_and_the_page_says_why(device: Handheld) -> None:
    device.sign_in("Receive")
    expect(device.page.locator("#camera")).to_be_hidden()
    expect(device.page.locator("#camera-why")).to_contain_text("use a scanner, or type")


def test_the_rest_of_a_scan_that_began_before_the_page_listened_is_refused_aloud(device: Handheld) -> None:
    """The end of a barcode can look like another one. What is kept is whole, and what is not is said."""
    device.ready_without_hub()
    device.sign_in("Receive")
    refused = 0
    for _ in range(6):
        device.page.reload(wait_until="commit")
        device.page.keyboard.type(barcode("L1"))
        device.page.keyboard.press("Enter")
        device.page.wait_for_timeout(QUIET_MS)
        refused += device.page.locator("#notice").inner_text().startswith("NOT taken: the scan began before")
    kept = [entry["scan"]["barcode"] for entry in device.entries()]
    assert set(kept) <= {barcode("L1")}
    assert refused
    device.scan(barcode("L2"))
    assert device.entries()[-1]["scan"]["barcode"] == barcode("L2")


def test_damaged_goods_are_received_as_such_and_the_next_session_starts_anew(device: Handheld, hub: Hub) -> None:
    device.page.fill("#user", "north-tech1")
    device.page.get_by_text("Receive", exact=True).click()
    device.page.select_option("#site", "north")
    device.page.fill("#location", "MAIN")
    device.page.select_option("select[name=condition]", "damaged")
    device.page.click("#begin")
    expect(device.page.locator("#who")).to_contain_text("DAMAGED goods")
    device.scan(barcode("L1"))
    device.page.click("#change")
    expect(device.page.locator("select[name=condition]")).to_have_value("")
    device.sign_in("Receive")
    device.scan(barcode("L2"))
    device.all_judged()
    assert [one.get("condition") for one in hub.received()] == ["damaged", None]
