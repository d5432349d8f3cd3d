"""A hub in memory with a schedule II item, and its tables: what the views of controlled substances are asked of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection

from schemas.events import StockEvent
from schemas.reference import Role
from tests.support.facts import told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, SITE, item, product, site
from tests.unit.indicators.mined import projected

PEOPLE = (Role(person="pia", role="pharmacist", sites=(SITE,)), Role(person="nurse-1", role="nurse"))


def hub(*more: Any, **changes: Any) -> SiteHub:
    """Vials of 100 mcg, 25 in a box, 0.50 each; closure within 120 minutes, late events within 60."""
    vial = {"schedule": 2, "base_unit": "vial", "strength_amount": Decimal(100), "strength_unit": "mcg", "form": "injection"}
    return SiteHub(
        site(closure_minutes=120, lateness_minutes=60), item(**{**vial, **changes}), product(unit_cost=Decimal("0.50")), *PEOPLE, *more
    )


def done(kind: str, quantity: int | str, **changes: Any) -> StockEvent:
    """Something that happened to vials in the pocket."""
    unit = "mcg" if kind in ("administer", "waste") else "vial"
    return told(kind, quantity, **{"place": POCKET, "unit": unit, **changes})


@contextmanager
def tables(made: SiteHub) -> Iterator[Connection]:
    """The tables of everything the hub has heard and said."""
    written = projected(made)
    with written.engine.connect() as connection:
        yield connection
