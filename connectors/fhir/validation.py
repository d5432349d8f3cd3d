"""Whether a resource is valid FHIR, in sentences with FHIR paths; and which release it is written in.

The models are fhir.resources' own (R4B, which reads R4 as well, and R5). They are imported when first needed: one costs
milliseconds to tenths of a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.fhir.nodes import Fault, Node

R4: Final = "R4B"
R5: Final = "R5"
FAULTS_MAX: Final = 5
"""Faults named in one reason; more are counted."""

_CLASS: Final = re.compile(r"<class '(\w+)'>")
_CORRECT_SPELLING: Final = "occurrence"
_R5_SPELLING: Final = "occurence"
"""MedicationAdministration.occurence[x] is spelled so in R5; the corrected spelling is read as well."""


def release_of(resource: Node) -> str:
    """R5 when an element of its own is there (`medication`, `occurence…`), else R4."""
    if "medication" in resource or any(name.startswith((_R5_SPELLING, _CORRECT_SPELLING)) for name in resource):
        return R5
    return R4


def check(resource: Node, resource_type: str, release: str) -> None:
    """Raises `Fault("invalid_resource")` that names what is wrong, by FHIR path."""
    candidate = resource
    if release == R5 and any(name.lstrip("_").startswith(_CORRECT_SPELLING) for name in resource):
        candidate = {name.replace(_CORRECT_SPELLING, _R5_SPELLING): value for name, value in resource.items()}
    try:
        _model(resource_type, release).model_validate(candidate)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise _fault(resource_type, release, [_sentence(resource_type, release, detail) for detail in details]) from None
    except LookupError as error:
        named = str(error.args[0]).split(".")[-1].removesuffix("Type") if error.args else ""
        raise _fault(resource_type, release, [f"a resource in it has the unknown type {named[:60]!r}"]) from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise _fault(resource_type, release, [f"an element has a type it can't have ({type(error).__name__})"]) from None
    if not isinstance(resource.get("status"), str):
        raise _fault(resource_type, release, [f"{resource_type}.status is required and missing"])


@lru_cache(maxsize=16)
def _model(resource_type: str, release: str) -> Any:  # the models have no common useful type
    package = "fhir.resources." + ("R4B." if release == R4 else "")
    return getattr(import_module(package + resource_type.lower()), resource_type)


def _fault(resource_type: str, release: str, sentences: list[str]) -> Fault:
    more = f"; and {len(sentences) - FAULTS_MAX} more" if len(sentences) > FAULTS_MAX else ""
    text = "; ".join(sentences[:FAULTS_MAX])
    return Fault("invalid_resource", f"Not a valid {resource_type} of FHIR {release}: {text}{more}.")


def _sentence(resource_type: str, release: str, detail: ErrorDetails) -> str:
    """One error of the model in words, without the value: it may name a person."""
    path = resource_type
    for step in (step for step in detail["loc"] if step != "root"):
        path += f"[{step}]" if isinstance(step, int) else f".{step[:40]}"
    path = path[:160]
    if detail["type"] == "missing":
        return f"{path} is required and missing"
    if detail["type"] == "extra_forbidden":
        return f"{path} is no element of FHIR {release}"
    message = " ".join(_CLASS.sub(r"\1", detail["msg"].removeprefix("Value error, ")).split())
    return f"{path}: {message[:200].rstrip('.')}"
