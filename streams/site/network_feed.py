"""What a site tells the network: positions of its stores that changed since the last tick, a bounded number at a time.

And what it tells other sites of transfers: a notice stands in the other site's log once the fact it is about is durable.
"""

from __future__ import annotations

from typing import Final

from schemas.codec import encode
from schemas.keys import encode_key
from schemas.log import Output
from schemas.records import Position
from schemas.topics import NETWORK_LOG, SITE_LOG
from schemas.transfers import TransferNotice
from streams.ledger.model import CardKey
from streams.site import allocation
from streams.site.desk import Desk
from streams.times import from_us

POSITIONS_PER_TICK: Final = 500


def note(desk: Desk, card: CardKey) -> None:
    """The position of a store has changed."""
    desk.changed.put(card, 1)
    if desk.may_be_changed is not None:
        desk.may_be_changed.add(card)


def send_changed(desk: Desk) -> None:
    """Send changed positions, in the order of their keys; what is over the bound goes with the next tick.

    The table is read once: a store that scans it walks over every position that was ever sent. From then on it is asked only
    whether what was noted stands, which an event that was taken back may have left here.
    """
    if desk.may_be_changed is None:
        desk.may_be_changed = {(str(key[0]), str(key[1]), str(key[2])) for key, _ in desk.changed.scan(())}
    batch = [card for card in sorted(desk.may_be_changed) if desk.changed.get(card) is not None][:POSITIONS_PER_TICK]
    for card in batch:
        desk.changed.delete(card)
        desk.may_be_changed.remove(card)
        site, location, item_id = card
        item, policy, standing = desk.catalog.item(item_id), desk.catalog.policy(*card), desk.book.card(card)
        if item is None or policy is None:
            continue
        held_back = allocation.allocated(desk, card)
        record = Position(
            site=site, location=location, item=item_id, on_hand=standing.on_hand,
            usable=standing.usable - held_back, due=0, allocated=held_back,
            unit=item.base_unit, as_of=from_us(desk.now_us), minimum=policy.minimum, par=policy.par, critical=policy.critical,
        )  # fmt: skip
        desk.out.append(Output(NETWORK_LOG, encode_key(card), encode(record), "Position", partition=0, subject=site))


def tell_site(desk: Desk, site: str, notice: TransferNotice) -> None:
    """Put a notice into the log of the site it is for, in the transaction that holds its cause."""
    key = encode_key((notice.site,))
    desk.out.append(
        Output(
            SITE_LOG, key, encode(notice), "TransferNotice", notice.site, subject=notice.site, source=f"site:{site}",
            time=notice.at,
        )
    )  # fmt: skip


def ask_for_transfer(desk: Desk, notice: TransferNotice) -> None:
    """Ask the network for stock of another site."""
    key = encode_key((notice.to_site, notice.need or ""))
    desk.out.append(Output(NETWORK_LOG, key, encode(notice), "TransferNotice", partition=0, subject=notice.to_site))
