"""Cost layers of one pool of stock, first in first out or as one moving average. Pure arithmetic on values; nothing is stored.

A pool holds layers (a quantity and what it cost in all) and, where the ledger has gone below zero, shortages: units that left
before they came, at the last known cost. What comes in settles shortages first; the difference between the two costs is a price
variance.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from sinks.finance.money import divided


class Method(StrEnum):
    """Which unit leaves first, as far as money goes."""

    FIFO = "fifo"
    AVERAGE = "average"


class Layer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base units and their exact value; a value of None is an unknown cost, not 0."""

    quantity: int
    value: int | None


class Pool(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Stock of one product, oldest layer first. At most one of the two is there."""

    layers: tuple[Layer, ...] = ()
    short: tuple[Layer, ...] = ()

    @property
    def quantity(self) -> int:
        """Base units; below 0 while more has left than came."""
        return sum(layer.quantity for layer in self.layers) - sum(layer.quantity for layer in self.short)

    @property
    def value(self) -> int:
        """Exact value of what has a known cost."""
        return sum(layer.value or 0 for layer in self.layers) - sum(layer.value or 0 for layer in self.short)

    @property
    def unpriced(self) -> int:
        """Base units of unknown cost."""
        known = [layer.quantity for layer in self.layers if layer.value is None]
        return sum(known) - sum(layer.quantity for layer in self.short if layer.value is None)


EMPTY: Final = Pool()


def priced(quantity: int, unit_cost: int | None) -> Layer:
    """A layer of a quantity at a cost per unit."""
    return Layer(quantity, None if unit_cost is None else quantity * unit_cost)


def put(pool: Pool, layer: Layer, method: Method) -> tuple[Pool, int]:
    """The pool with a layer more, and the price variance of the shortages that it settled.

    A settled unit leaves no value behind: what it cost beyond what it was issued at is the variance. A side of unknown cost
    counts nothing, so that the variance is the whole of the other side.
    """
    short, variance, rest = pool.short, 0, layer
    while short and rest.quantity:
        settled, first = _split(short[0], min(short[0].quantity, rest.quantity))
        came, rest = _split(rest, settled.quantity)
        variance += (came.value or 0) - (settled.value or 0)
        short = (first, *short[1:]) if first.quantity else short[1:]
    if not rest.quantity:
        return Pool(pool.layers, short), variance
    return Pool(_added(pool.layers, rest, method), short), variance


def take(pool: Pool, quantity: int, last_cost: int | None) -> tuple[Pool, tuple[Layer, ...]]:
    """The pool without a quantity, and the layers that left. What is not there leaves at the last known cost, as a shortage."""
    layers, gone = pool.layers, []
    while layers and quantity:
        part, first = _split(layers[0], min(layers[0].quantity, quantity))
        gone.append(part)
        quantity -= part.quantity
        layers = (first, *layers[1:]) if first.quantity else layers[1:]
    if not quantity:
        return Pool(layers, pool.short), tuple(gone)
    missing = priced(quantity, last_cost)
    return Pool(layers, _behind(pool.short, missing)), (*gone, missing)


def unit_cost(layers: tuple[Layer, ...]) -> int | None:
    """Cost of one unit of the last layer of known cost."""
    for layer in reversed(layers):
        if layer.value is not None and layer.quantity:
            return divided(layer.value, layer.quantity)
    return None


def _added(layers: tuple[Layer, ...], layer: Layer, method: Method) -> tuple[Layer, ...]:
    """Behind the others, or mixed into the average. Units of unknown cost are kept apart and, in an average, leave first."""
    if method is Method.FIFO:
        return _behind(layers, layer)
    unknown = [one for one in (*layers, layer) if one.value is None]
    known = [one for one in (*layers, layer) if one.value is not None]
    mixed = [Layer(sum(one.quantity for one in unknown), None)] if unknown else []
    if known:
        mixed.append(Layer(sum(one.quantity for one in known), sum(one.value or 0 for one in known)))
    return tuple(mixed)


def _behind(layers: tuple[Layer, ...], layer: Layer) -> tuple[Layer, ...]:
    """The layers with one more; it joins the last one when each unit of the two costs exactly the same.

    A chain keeps the pool before each of its facts: a place that stays below zero must not make it longer with every removal.
    """
    if not layers or not _same_cost(layers[-1], layer):
        return (*layers, layer)
    last = layers[-1]
    value = None if last.value is None or layer.value is None else last.value + layer.value
    return (*layers[:-1], Layer(last.quantity + layer.quantity, value))


def _same_cost(one: Layer, other: Layer) -> bool:
    """Whether a unit of both costs the same and it comes out even: parts of the two together are worth what they were apart."""
    if one.value is None or other.value is None:
        return one.value is other.value
    unit, rest = divmod(one.value, one.quantity)
    return not rest and other.value == unit * other.quantity


def _split(layer: Layer, quantity: int) -> tuple[Layer, Layer]:
    """A quantity of the layer, and the rest of it; what rounding leaves over stays in the rest."""
    if layer.value is None:
        return Layer(quantity, None), Layer(layer.quantity - quantity, None)
    value = divided(layer.value * quantity, layer.quantity)
    return Layer(quantity, value), Layer(layer.quantity - quantity, layer.value - value)
