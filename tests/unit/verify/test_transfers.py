"""Verify finds what does not fit between two sites' logs, and nothing where a notice is only not folded yet."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from schemas.topics import MOVEMENTS, SITE_LOG
from tests.support.facts import BY_PRODUCT, decision, minutes, reversal, told
from tests.support.sites import A, B, C, Sites, town
from tests.unit.verify.logs import Logs, checks, first
from topology.verify.run import verify


def lived(seed: int = 1) -> Sites:
    """Sends, arrivals, one taken back, one written off, in a random order of arrival."""
    sites = Sites(*town())
    said = [
        line("transfer_out", 10, A, B, "k1"), line("transfer_in", 7, B, A, "k2"), line("transfer_in", 2, B, A, "k3"),
        line("transfer_out", 5, B, C, "k4"), line("transfer_in", 5, C, B, "k5"), reversal("k3", at=minutes(70), site=B),
        line("transfer_out", 4, C, A, "k6", shipment="T2"),
    ]  # fmt: skip
    random = Random(seed)
    random.shuffle(said)
    for one in said:
        sites.hear(one)
        sites.deliver(random)
    sites.tick(minutes(60 * 60))
    sites.hear(decision(sites.open_cases(A)["transfer_overdue"], "write_off", "pat", minutes(60 * 60), site=A))
    sites.deliver()
    return sites


def line(kind: str, quantity: int, site: str, other: str, key: str, **changes: Any) -> Any:
    fields = {"partner": other, "shipment": "T1", "lot": "L1", "codes": BY_PRODUCT, "at": minutes(10), **changes}
    return told(kind, quantity, place="main", site=site, key=key, **fields)


@pytest.mark.parametrize("seed", range(6))
def test_the_hub_is_right_whole_and_at_every_cut(seed: int) -> None:
    """At a cut one site may have folded what the other has not heard of: that is on its way, and no difference."""
    sites = lived(seed)
    report = verify(sites.logs())
    assert report.differences == []
    assert report.counts["transfers"] == 3
    longest = max(len(lane.log) for lane in sites.lanes.values())
    for cut in range(longest - 20, longest):
        assert [one.text for one in verify(sites.logs(cut=cut)).differences] == [], cut


def notice(logs: Logs, step: str) -> Any:
    stands = [one for one in logs.all(SITE_LOG) if ("ce_type", "TransferNotice") in one.headers]
    return first(stands, lambda value: value["step"] == step and value["quantity"] > 0 and value["version"] == 1)


def test_a_notice_of_another_quantity_than_the_fact_is_found() -> None:
    logs = lived().logs()
    logs.change(notice(logs, "sent"), quantity=11)
    assert ("transfer", "different") in checks(verify(logs))


@pytest.mark.parametrize("step", ["sent", "received"])
def test_a_notice_that_is_missing_is_found(step: str) -> None:
    logs = lived().logs()
    logs.drop(notice(logs, step))
    assert ("transfer", "different") in checks(verify(logs))


def test_stock_that_vanished_between_two_sites_is_found() -> None:
    """A movement onto the way that was never published: the way's balance and its movements disagree."""
    logs = lived().logs()
    logs.drop(first(logs.all(MOVEMENTS), lambda value: value["kind"] == "transfer_out"))
    assert ("movements", "different") in checks(verify(logs))


def test_one_site_alone_is_checked_without_the_others() -> None:
    logs = lived().logs()
    logs.drop(notice(logs, "sent"))
    assert verify(logs, A).differences == []
