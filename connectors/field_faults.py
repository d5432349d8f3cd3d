"""The sentences that tell a sender what is wrong with a field of a record that came from outside.

No jargon of the validating library, and never a value of a field that may identify a patient or a person.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pydantic_core import ErrorDetails

QUOTED_CHARACTERS_MAX: Final = 60
NEVER_QUOTED: Final = frozenset({"patient_id", "patient_authority", "user", "witness", "actor"})
_WANTED: Final = (
    ("string_pattern", "of the form the field asks for"),
    ("string_unicode", "text in Unicode"),
    ("string", "text"),
    ("int", "a whole number"),
    ("decimal", "a number"),
    ("finite", "a number"),
    ("is_instance", "a number"),
    ("datetime", "a date and time that exists"),
    ("timezone_aware", "a date and time with its UTC offset"),
    ("timezone", "a date and time that exists"),
    ("date", "a date that exists"),
    ("bool", "true or false"),
)


def sentence(detail: ErrorDetails) -> tuple[str, str]:
    """The field of one pydantic error, and what is wrong with it in the words of the schema's reader."""
    name = str(detail["loc"][0]) if detail["loc"] else "item"
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind in {"missing", "missing_argument", "missing_keyword_only_argument"}:
        return name, "is missing"
    value = quoted(detail.get("input"), name)
    if kind == "string_too_short" and context.get("min_length") == 1:
        return name, f"{value} is empty"
    if kind in {"enum", "literal_error"}:
        return name, f"{value} is not one of {str(context.get('expected', '')).replace(' or ', ', ')}"
    limits = {
        "string_too_short": "is shorter than {min_length} characters",
        "string_too_long": "is longer than {max_length} characters",
        "greater_than_equal": "is less than {ge}",
        "less_than_equal": "is more than {le}",
        "greater_than": "is not more than {gt}",
        "less_than": "is not less than {lt}",
        "decimal_max_digits": "has more than {max_digits} digits",
        "decimal_max_places": "has more than {decimal_places} decimals",
        "decimal_whole_digits": "has more than {whole_digits} digits before the point",
    }
    if kind in limits:
        return name, f"{value} {limits[kind].format(**context)}"
    wanted = next((text for start, text in _WANTED if kind.startswith(start)), "a usable value")
    return name, f"{value} is not {wanted}"


def quoted(value: object, name: str = "") -> str:
    """A sender's value as short, printable text in quotes; of a list, an object or a person's field only its type."""
    if name in NEVER_QUOTED or value is None or isinstance(value, (list, dict)):
        return f"the {json_type(value)} given"
    if isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else str(value)
    if len(text) > QUOTED_CHARACTERS_MAX:
        text = text[:QUOTED_CHARACTERS_MAX] + "…"
    printable = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return f"'{printable}'" if isinstance(value, str) else printable


def json_type(value: object) -> str:
    """What JSON calls the kind of a value."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (str, "text"), ((int, float, Decimal), "number"), (list, "list"), (dict, "object"))
    return next((name for types, name in names if isinstance(value, types)), "value")
