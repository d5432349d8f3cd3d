"""What a site tells the network: positions of its stores that changed since the last tick, a bounded number at a time."""

from __future__ import annotations

from typing import Final

from schemas.codec import encode
from schemas.keys import encode_key
from schemas.log import Output
from schemas.records import Position
from schemas.topics import NETWORK_LOG
from streams.site.desk import Desk
from streams.times import from_us

POSITIONS_PER_TICK: Final = 500


def send_changed(desk: Desk) -> None:
    """Send changed positions; what is over the bound goes with the next tick."""
    batch = []
    for key, _ in desk.changed.scan(()):
        batch.append((str(key[0]), str(key[1]), str(key[2])))
        if len(batch) == POSITIONS_PER_TICK:
            break
    for card in batch:
        desk.changed.delete(card)
        site, location, item_id = card
        item, policy, standing = desk.catalog.item(item_id), desk.catalog.policy(*card), desk.book.card(card)
        if item is None or policy is None:
            continue
        record = Position(
            site=site, location=location, item=item_id, on_hand=standing.on_hand, usable=standing.usable, due=0,
            unit=item.base_unit, as_of=from_us(desk.now_us), minimum=policy.minimum, par=policy.par, critical=policy.critical,
        )  # fmt: skip
        desk.out.append(Output(NETWORK_LOG, encode_key(card), encode(record), "Position", partition=0, subject=site))
