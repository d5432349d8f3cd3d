"""Recipes: a transform that names one is checked against it. The fact stands either way; what differs is a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.preparation import Recipe
from streams.site.desk import Desk
from streams.site.work import Work


def check(desk: Desk, event: StockEvent, inputs: Sequence[Work], outputs: Sequence[Work]) -> None:
    """Open the case of a transform that differs from the recipe it names."""
    if event.recipe is None:
        return
    recipe = desk.catalog.recipe(event.recipe)
    if recipe is None:
        found = [f"recipe {event.recipe} is not known: load it, or correct the name"]
    else:
        found = list(_differences(recipe, inputs, outputs))
    if found:
        case_id = derived_id("case", "recipe_deviation", event.site, event.event_key)
        text = f"a preparation by recipe {event.recipe} differs from it: {'; '.join(found)}"
        item = outputs[0].item.id if outputs else None
        desk.case_open(case_id, event.site, "recipe_deviation", text, item=item, event_id=event.event_id, raw=event.raw)


def _differences(recipe: Recipe, inputs: Sequence[Work], outputs: Sequence[Work]) -> list[str]:
    made, used = _by_item(outputs), _by_item(inputs)
    found = [f"{quantity} of {item} came out, which it does not make" for item, quantity in made.items() if item != recipe.item]
    batches = Fraction(made[recipe.item], recipe.quantity)
    if not batches:
        return [*found, f"no {recipe.item} came out"]
    wanted = {one.item: one.quantity * batches for one in recipe.inputs}
    for item in sorted({*wanted, *used}):
        want, had = wanted.get(item, Fraction(0)), used[item]
        if abs(had - want) * 100 > want * recipe.tolerance_percent:
            found.append(f"{had} of {item} went in, where {_text(want)} belong")
    return found


def _by_item(works: Sequence[Work]) -> Counter[str]:
    found: Counter[str] = Counter()
    for work in works:
        found[work.item.id] += work.quantity
    return found


def _text(amount: Fraction) -> str:
    return str(amount.numerator) if amount.denominator == 1 else f"{amount.numerator}/{amount.denominator}"
