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

from connectors.fhir.nodes import Fault, Node, shown
from connectors.fhir.resource_types import R5_ONLY

R4: Final = "R4B"
R5: Final = "R5"
_RELEASES: Final = {"4.0": R4, "4.3": R4, "5.0": R5, "R4": R4, "R4B": R4, "R5": R5}
FAULTS_MAX: Final = 5
"""Faults named in one reason; more are counted."""

_CLASS: Final = re.compile(r"<class '(\w+)'>")
_CORRECT_SPELLING: Final = "occurrence"
_R5_SPELLING: Final = "occurence"
"""MedicationAdministration.occurence[x] is spelled so in R5; the corrected spelling is read as well."""
_OCCURRENCE: Final = (_R5_SPELLING, _CORRECT_SPELLING)


def stated_release(content_type: str) -> str | None:
    """The release that the media type's `fhirVersion` states (`4.0`, `4.3`, `5.0`, or with a patch number); None without.

    Source: FHIR R5, HTTP §3.2.0.1.9 (FHIR version parameter). Raises `Fault` for a release that can't be read.
    """
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "fhirversion":
            number = value.strip().strip('"')
            found = _RELEASES.get(".".join(number.split(".")[:2]).upper())
            if found is None:
                reason = f"fhirVersion is {shown(number)}; this hub reads 4.0 (R4), 4.3 (R4B) and 5.0 (R5)."
                raise Fault("unsupported_release", reason)
            return found
    return None


def likely_release(resource: Node, resource_type: str) -> str:
    """R5 when the type or an element is its own (`medication`, `occurence…`, `item`, a list of supplied items), else R4."""
    if resource_type in R5_ONLY or isinstance(resource.get("suppliedItem"), list):
        return R5
    if resource_type.startswith("Medication") and (
        "medication" in resource or any(name.startswith(_OCCURRENCE) for name in resource)
    ):
        return R5
    return R5 if resource_type == "SupplyRequest" and "item" in resource else R4


def check(resource: Node, resource_type: str, release: str | None) -> None:
    """Raises `Fault("invalid_resource")` that names what is wrong, by FHIR path.

    Without a stated `release` a resource that is valid in one of them is valid; else what is wrong is told of the likelier.
    """
    if release is not None:
        _check(resource, resource_type, release)
        return
    likely = likely_release(resource, resource_type)
    try:
        _check(resource, resource_type, likely)
    except Fault:
        try:
            _check(resource, resource_type, R4 if likely == R5 else R5)
        except Fault:
            pass
        else:
            return
        raise


def _check(resource: Node, resource_type: str, release: str) -> None:
    candidate = resource
    if (
        release == R5
        and resource_type == "MedicationAdministration"
        and any(name.lstrip("_").startswith(_CORRECT_SPELLING) for name in resource)
    ):
        candidate = {name.replace(_CORRECT_SPELLING, _R5_SPELLING): value for name, value in resource.items()}
    try:
        model = _model(resource_type, release)
    except (ImportError, AttributeError):
        raise _fault(resource_type, release, [f"{resource_type} is no resource type of it"]) from None
    try:
        model.model_validate(candidate)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        paths = tuple(dict.fromkeys(_path(resource_type, detail) for detail in details[:FAULTS_MAX]))
        raise _fault(resource_type, release, [_sentence(resource_type, release, detail) for detail in details], paths) from None
    except LookupError as error:
        named = str(error.args[0]).split(".")[-1].removesuffix("Type") if error.args else ""
        raise _fault(resource_type, release, [f"a resource in it has the unknown type {named[:60]!r}"]) from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise _fault(resource_type, release, [f"an element has a type it can't have ({type(error).__name__})"]) from None


@lru_cache(maxsize=512)
def _model(resource_type: str, release: str) -> Any:  # the models have no common useful type
    package = "fhir.resources." + ("R4B." if release == R4 else "")
    return getattr(import_module(package + resource_type.lower()), resource_type)


def _fault(resource_type: str, release: str, sentences: list[str], paths: tuple[str, ...] = ()) -> Fault:
    more = f"; and {len(sentences) - FAULTS_MAX} more" if len(sentences) > FAULTS_MAX else ""
    text = "; ".join(sentences[:FAULTS_MAX])
    return Fault("invalid_resource", f"Not a valid {resource_type} of FHIR {release}: {text}{more}.", paths)


def _path(resource_type: str, detail: ErrorDetails) -> str:
    """The element at fault; for a member that is no element, with what the sender called it."""
    path = resource_type
    for step in (step for step in detail["loc"] if step != "root"):
        path += f"[{step}]" if isinstance(step, int) else f".{step[:40]}"
    return path[:160]


def _sentence(resource_type: str, release: str, detail: ErrorDetails) -> str:
    """One error of the model in words, without the value: it may name a person."""
    path = _path(resource_type, detail)
    if detail["type"] == "missing":
        return f"{path} is required and missing"
    if detail["type"] == "extra_forbidden":
        return f"{path} is no element of FHIR {release}"
    message = " ".join(_CLASS.sub(r"\1", detail["msg"].removeprefix("Value error, ")).split())
    return f"{path}: {message[:200].rstrip('.')}"
