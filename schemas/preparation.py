"""What makes other stock of stock, and what takes a scan back, as JSON at the same edge as scans.

A transform (compounding, repackaging, a kit or tray) states all of its lines at once: it posts whole or not at all, and is taken
back whole. `session` + `event_id` is its identity, as of a scan. Recipes and beyond-use policies are reference records.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.codec import Codec, contract, inbound_contract
from schemas.events import QUANTITY_MAX, Sequence
from schemas.scan import NAME_CHARACTERS_MAX

TRANSFORM: Final = "transform"
UNDO: Final = "undo"
PARTS_MAX: Final = 100
"""Inputs, and outputs, of one transform."""
Label = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


@inbound_contract
class TransformInput:
    """Stock that was used up. It is named by what was scanned, or by a code."""

    quantity: Annotated[Decimal, Field(gt=0, le=QUANTITY_MAX)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    barcode: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    code: Text | None = None
    code_system: Annotated[str, Field(description="item, product, local, ndc, gtin, …")] = "item"
    lot: Annotated[str | None, Field(max_length=50)] = None
    expiry: date | None = None
    container: Label | None = None
    location: Annotated[Text | None, Field(description="where it was taken from, when not where it was used")] = None


@inbound_contract
class TransformOutput:
    """Stock that was made. It has a lot number of its own."""

    quantity: Annotated[Decimal, Field(gt=0, le=QUANTITY_MAX)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    lot: Annotated[str, Field(min_length=1, max_length=50)]
    barcode: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    code: Text | None = None
    code_system: Annotated[str, Field(description="item, product, local, ndc, gtin, …")] = "item"
    expiry: date | None = None
    beyond_use: Annotated[datetime | None, Field(description="may be used until then; by the site's policy when absent")] = None
    container: Label | None = None
    location: Annotated[Text | None, Field(description="where it lies, when not where it was made")] = None


@inbound_contract
class TransformScan:
    """Stock became other stock: who, when, where, of what, and what came of it."""

    session: Label
    event_id: Label
    activity: Literal["transform"]
    occurred: datetime
    location: Annotated[Text, Field(description="location path or one of its codes")]
    user: Label
    inputs: Annotated[tuple[TransformInput, ...], Field(min_length=1, max_length=PARTS_MAX)]
    outputs: Annotated[tuple[TransformOutput, ...], Field(min_length=1, max_length=PARTS_MAX)]
    recipe: Annotated[Text | None, Field(description="id of the recipe it is checked against")] = None
    witness: str | None = None
    order_id: str | None = None
    facility: str | None = None
    device: str | None = None
    device_sequence: Sequence = 0
    test: bool = False


@inbound_contract
class UndoScan:
    """A scan, or a transform with all of its lines, is taken back: it did not happen."""

    session: Label
    event_id: Label
    activity: Literal["undo"]
    occurred: datetime
    user: Label
    undoes: Annotated[Label, Field(description="event_id of what is taken back")]
    undoes_session: Annotated[Label | None, Field(description="its session, when another one")] = None
    facility: str | None = None
    device_sequence: Sequence = 0
    test: bool = False


TRANSFORM_SCAN: Final = Codec(TransformScan)
TRANSFORM_INPUT: Final = Codec(TransformInput)
TRANSFORM_OUTPUT: Final = Codec(TransformOutput)
UNDO_SCAN: Final = Codec(UndoScan)


# ---- reference records -----------------------------------------------------------------------------------------------

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
_MaybeId = Annotated[str, Field(max_length=100)]


@contract
class BeyondUsePolicy:
    """How long something may be used after an event: site by site, for a product, an item, a form of items, or all.

    The most specific row counts: a product's, else an item's, else a form's, else the site's. Days are 24 hours. None of the
    numbers is the hub's: USP <797> and the labels say them, the site enters them.
    """

    site: _Id
    event: Annotated[Literal["open", "puncture", "thaw", "out_of_fridge", "transform"], Field(description="what starts it")]
    product: Annotated[_MaybeId, Field(description="what its label says; else empty")] = ""
    item: _MaybeId = ""
    form: Annotated[_MaybeId, Field(description="the item's `form`, e.g. multi-dose vial")] = ""
    days: Annotated[int, Field(ge=0, le=36_500)] = 0
    hours: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    minutes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    source: Annotated[str | None, Field(description="who says so, e.g. USP <797>, the label")] = None

    def duration_us(self) -> int:
        """Microseconds from the event to the beyond-use instant."""
        return ((self.days * 24 + self.hours) * 60 + self.minutes) * 60_000_000


@contract
class RecipeInput:
    """What goes into one batch of a recipe: base units of an item."""

    item: _Id
    quantity: Annotated[int, Field(ge=1, le=10_000_000)]


@contract
class Recipe:
    """What a preparation, repackaging, kit or tray is made of. A transform that names it and differs is a case."""

    id: _Id
    item: Annotated[_Id, Field(description="what is made")]
    quantity: Annotated[int, Field(ge=1, le=10_000_000, description="base units of it in one batch")]
    inputs: Annotated[tuple[RecipeInput, ...], Field(description="base units of each item in one batch: item=quantity")]
    tolerance_percent: Annotated[int, Field(ge=0, le=100, description="how much of an input may be more or less")] = 0
