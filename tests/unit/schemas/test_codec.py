"""A contract is frozen and complete from the first moment, and an instance is checked as strictly as its JSON."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.codec import contract, encode
from schemas.codes import Code
from schemas.events import STOCK_EVENT, StockEvent
from schemas.kinds import EventKind, Feed
from schemas.raw import RawRef

AT = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)


def event(**changes: Any) -> StockEvent:
    """A usable event with changes."""
    fields: dict[str, Any] = {
        "event_id": "e", "event_key": "k", "kind": EventKind.VEND, "feed": Feed.CABINET, "site": "north", "source": "s",
        "raw": RawRef(partition=1, offset=2), "occurred": AT, "received_at": AT,
        "codes": (Code(system="ndc", value="0409-4713-02"),), "quantity": Decimal("2.5"),
    }  # fmt: skip
    return StockEvent(**{**fields, **changes})


# ---- what a contract is ---------------------------------------------------------------------------------------------


def test_an_instance_is_frozen_once_it_is_made() -> None:
    made = RawRef(partition=1, offset=2)
    assert type(made) is RawRef
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.offset = 3  # type: ignore[misc]


def test_fields_that_are_not_given_take_their_defaults_and_a_missing_one_is_named() -> None:
    assert RawRef(partition=1, offset=2) == RawRef(partition=1, offset=2, index=0)
    with pytest.raises(TypeError, match=r"RawRef.*missing 1 required keyword-only argument: 'offset'"):
        RawRef(partition=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'place'"):
        RawRef(partition=1, offset=2, place=3)  # type: ignore[call-arg]


def test_it_is_copied_changed_pickled_and_hashed_like_any_frozen_dataclass() -> None:
    made = event()
    assert dataclasses.replace(made, site="south") == event(site="south")
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
    assert hash(made.raw) == hash(RawRef(partition=1, offset=2))
    assert list(inspect.signature(RawRef).parameters) == ["partition", "offset", "index"]


def test_a_contract_whose_defaults_are_made_for_each_instance_shares_none() -> None:
    @contract
    class Listed:
        names: list[str] = dataclasses.field(default_factory=list)

    Listed().names.append("one")
    assert Listed().names == []


# ---- checking an instance -------------------------------------------------------------------------------------------


UNUSABLE: list[dict[str, Any]] = [
    {"event_key": ""},
    {"device_sequence": -1},
    {"quantity": Decimal("NaN")},
    {"quantity": "much"},
    {"kind": "teleport"},
    {"occurred": None},
    {"site": None},
    {"test": "perhaps"},
    {"codes": (Code(system=None, value="1"),)},  # type: ignore[arg-type]
    {"raw": RawRef(partition="one", offset=2)},  # type: ignore[arg-type]
]


@pytest.mark.parametrize("changes", UNUSABLE, ids=lambda changes: next(iter(changes)))
def test_an_unusable_field_is_refused_in_the_same_words_as_in_its_json(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as checked:
        STOCK_EVENT.check(event(**changes))
    with pytest.raises(ValidationError) as read:
        STOCK_EVENT.validate_json(encode(event(**changes)))
    assert checked.value.errors() == read.value.errors()


def test_a_usable_instance_is_accepted_as_it_stands() -> None:
    made = event()
    STOCK_EVENT.check(made)
    assert STOCK_EVENT.validate_json(encode(made)) == made
