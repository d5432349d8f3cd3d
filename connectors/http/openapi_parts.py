"""Pieces of an OpenAPI 3.1 document. Knows no endpoint; what stands in the document is said by those who own the endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

JSON: Final = "application/json"
_LOCAL: Final = "#/$defs/"
_SHARED: Final = "#/components/schemas/"

Json = dict[str, Any]


def ref(name: str) -> Json:
    """A reference to a shared schema."""
    return {"$ref": _SHARED + name}


def components_of(schemas: Iterable[tuple[str, Mapping[str, Any]]]) -> Json:
    """JSON Schemas and the definitions inside them as components, each once.

    Raises `ValueError` when two different schemas have one name.
    """
    found: Json = {}
    for name, schema in schemas:
        own = {key: value for key, value in schema.items() if key != "$defs"}
        for part, value in ((name, own), *schema.get("$defs", {}).items()):
            shared = _shared(value)
            if found.setdefault(part, shared) != shared:
                msg = f"two different schemas are named {part}"
                raise ValueError(msg)
    return found


def _shared(value: Any) -> Any:
    """The same schema, its references pointing at the components. OpenAPI's `discriminator` may point there too."""
    if isinstance(value, dict):
        return {key: _shared(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shared(part) for part in value]
    if isinstance(value, str) and value.startswith(_LOCAL):
        return _SHARED + value.removeprefix(_LOCAL)
    return value


def parameter(place: str, name: str, schema: Json, description: str, *, required: bool = False) -> Json:
    """A parameter in `query`, `header` or `path`."""
    return {"name": name, "in": place, "required": required or place == "path", "description": description, "schema": schema}


def body(schemas: Mapping[str, Json], description: str, *, required: bool = True) -> Json:
    """A request body: a schema for each media type."""
    return {
        "description": description,
        "required": required,
        "content": {media: {"schema": schema} for media, schema in schemas.items()},
    }


def answer(description: str, schema: Json, media: str = JSON, headers: Mapping[str, Json] | None = None) -> Json:
    """A response with one media type."""
    found: Json = {"description": description, "content": {media: {"schema": schema}}}
    if headers:
        found["headers"] = dict(headers)
    return found


def header(description: str, schema: Json) -> Json:
    """A header that a response always has."""
    return {"description": description, "required": True, "schema": schema}


RETRY_AFTER: Final = {"Retry-After": header("Seconds to wait before the same request is sent again.", {"type": "integer"})}
