"""Every contract publishes a JSON Schema 2020-12 that accepts what `encode` writes, and decodes it back.

Samples are made from the contract's own type hints, so a new field or contract is covered without a change here.
"""

from __future__ import annotations

import json
from functools import cache
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import cabinet, erp, events, paper, preparation, raw, records, reference, scan
from schemas.codec import Codec, encode
from tests.unit.schemas.samples import sample_of


def codecs(*modules: ModuleType) -> list[Codec]:
    found = {codec.name: codec for module in modules for codec in vars(module).values() if isinstance(codec, Codec)}
    found.update({kind.codec.name: kind.codec for kind in reference.REFERENCE_KINDS.values()})
    return [found[name] for name in sorted(found)]


@cache
def validator_of(codec: Codec) -> Draft202012Validator:
    return Draft202012Validator(codec.json_schema())


WRITTEN = codecs(events, records)
ALL = codecs(cabinet, erp, events, paper, preparation, raw, records, scan)
BY_NAME = {"argvalues": ALL, "ids": [codec.name for codec in ALL]}


def test_the_contracts_of_the_hub_are_all_here():
    names = {codec.name for codec in ALL}
    assert names >= {"StockEvent", "Command", "Position", "Balance", "Movement", "Alert", "Case", "Kpi", "Hold", "Quarantined"}
    assert names >= {"CabinetTransaction", "ScanEvent", "ErpAnswer", "PersonDecision", "ItemOutcome", "ReferenceChange"}
    assert names >= {"Site", "Location", "Item", "Product", "UnitFactor", "ConsumptionRule", "ParPolicy", "Supplier", "Role"}


@pytest.mark.parametrize("codec", **BY_NAME)
def test_the_schema_is_valid_2020_12(codec):
    Draft202012Validator.check_schema(codec.json_schema())


@pytest.mark.parametrize("codec", **BY_NAME)
def test_the_schema_describes_every_required_field(codec):
    schema = codec.json_schema()
    assert set(schema["properties"]) == set(codec.type.__dataclass_fields__)


@pytest.mark.parametrize("codec", WRITTEN, ids=[codec.name for codec in WRITTEN])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_encoded_is_valid_and_comes_back(codec, data):
    value = data.draw(sample_of(codec.type))
    written = encode(value)
    assert list(validator_of(codec).iter_errors(json.loads(written))) == []
    assert codec.decode(written) == value


@pytest.mark.parametrize("codec", WRITTEN, ids=[codec.name for codec in WRITTEN])
def test_a_record_without_its_fields_is_invalid(codec):
    """The schema can fail: an empty object lacks what is required."""
    assert list(validator_of(codec).iter_errors({}))


@settings(max_examples=30, deadline=None)
@given(sample_of(events.StockEvent))
def test_encoding_is_the_same_bytes_every_time(event):
    assert encode(event) == encode(events.STOCK_EVENT.decode(encode(event)))


def test_validation_at_the_boundary_refuses_what_the_fast_decoder_would_not_see():
    good = json.loads(encode(reference.Site(id="s", name="S", zone="UTC")))
    assert reference.REFERENCE_KINDS["site"].codec.validate(good).zone == "UTC"
    with pytest.raises(ValueError, match="id"):
        reference.REFERENCE_KINDS["site"].codec.validate({**good, "id": " s"})
