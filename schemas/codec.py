"""One definition, two speeds.

A contract is a frozen, slotted, keyword-only dataclass. Pydantic validates it once at the boundary and exports its JSON Schema;
msgspec decodes and encodes the same type inside the hub, where the data has already been validated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar, dataclass_transform, get_type_hints

import msgspec
from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def contract(cls: type[T]) -> type[T]:
    """Make `cls` a contract type: frozen, slotted, keyword-only."""
    frozen = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
    fields = dataclasses.fields(frozen)  # type: ignore[arg-type]  # a dataclass by now
    if fields and not hasattr(frozen, "__post_init__") and all(field.default_factory is dataclasses.MISSING for field in fields):
        frozen.__init__ = _open_while_made(frozen, [field.name for field in fields])  # type: ignore[method-assign]
    return frozen


def _open_while_made(frozen: type[T], names: list[str]) -> Callable[..., None]:
    """An `__init__` that sets the fields of a new instance while it still belongs to an open twin of its class.

    The one that dataclasses make for a frozen class calls `object.__setattr__` for each field, which makes an event of 36 fields
    three times as expensive; contracts are made several times a message.
    """
    twin = type(frozen.__name__, (), {"__slots__": tuple(frozen.__slots__), "__module__": frozen.__module__})  # type: ignore[attr-defined]
    made_by_dataclass = frozen.__init__
    lines = [f"def __init__(self, *, {', '.join(names)}):", "    become(self, '__class__', twin)"]
    lines += [f"    self.{name} = {name}" for name in names]
    lines += ["    self.__class__ = frozen"]
    scope: dict[str, Any] = {"become": object.__setattr__, "twin": twin, "frozen": frozen}
    exec("\n".join(lines), scope)  # noqa: S102  # names of our own fields only, as dataclasses itself does it
    init: Any = scope["__init__"]
    for attribute in ("__kwdefaults__", "__annotations__", "__qualname__", "__module__"):
        setattr(init, attribute, getattr(made_by_dataclass, attribute))
    return init  # type: ignore[no-any-return]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def inbound_contract(cls: type[T]) -> type[T]:
    """A contract that others write: unknown fields are refused, so that a misspelt `expirey` is told and not dropped."""
    cls.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]  # pydantic's own hook
    return contract(cls)


def encode(value: object) -> bytes:
    """Encode a contract value as JSON: decimals as strings, instants as RFC 3339, dates as ISO 8601."""
    return _ENCODER.encode(value)


class Codec(Generic[T]):
    """Decoder, validator and schema of one contract type."""

    __slots__ = ("_adapter", "_checker", "_decoder", "name", "type")

    def __init__(self, type_: type[T]) -> None:
        """`type_` is a dataclass made by `contract`."""
        self.type = type_
        self.name = type_.__name__
        self._decoder = msgspec.json.Decoder(type_)
        self._adapter: TypeAdapter[T] | None = None
        self._checker: Callable[[T], object] | None = None

    @property
    def adapter(self) -> TypeAdapter[T]:
        """The pydantic adapter, made on first use (building one costs milliseconds)."""
        if self._adapter is None:
            self._adapter = TypeAdapter(self.type)
        return self._adapter

    def decode(self, data: bytes) -> T:
        """Decode bytes the hub wrote itself. Raises `msgspec.DecodeError` or `ValidationError` when they are not."""
        return self._decoder.decode(data)

    def validate(self, value: object) -> T:
        """Validate a mapping or instance that came from outside. Raises `pydantic.ValidationError`."""
        if isinstance(value, self.type):
            return self.adapter.validate_json(encode(value))
        return self.adapter.validate_python(value)

    def validate_json(self, data: bytes | str) -> T:
        """Validate JSON text that came from outside. Raises `pydantic.ValidationError`."""
        return self.adapter.validate_json(data)

    def check(self, value: T) -> None:
        """Validate an instance that was built from what came from outside. Raises `pydantic.ValidationError`.

        Its fields are validated as they stand, which costs a fifth of reading its JSON into a second instance; the JSON is
        read only to say what is wrong.
        """
        if self._checker is None:
            self._checker = _checker(self.type)
        try:
            self._checker(value)
        except ValidationError:
            self.adapter.validate_json(encode(value))

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12): of what others may send for an inbound contract, else of what `encode` writes."""
        inbound = hasattr(self.type, "__pydantic_config__")
        return self.adapter.json_schema(mode="validation" if inbound else "serialization")


def _checker(type_: type[Any]) -> Callable[[Any], object]:
    """A function that validates the fields of an instance of a contract type, nested contracts included."""
    names = [field.name for field in dataclasses.fields(type_)]
    types = get_type_hints(type_, include_extras=True)
    shape: Any = tuple.__class_getitem__(tuple(types[name] for name in names))
    fields: TypeAdapter[Any] = TypeAdapter(shape, config=ConfigDict(revalidate_instances="always"))
    validate, values_of = fields.validator.validate_python, attrgetter(*names)
    return lambda value: validate(values_of(value))
