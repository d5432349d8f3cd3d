"""The composition of processors: which mappers normalise is handed, and which processors a hub runs, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.barcode.mapper import map_scan
from connectors.cabinet.mapper import map_cabinet
from connectors.erp.mapper import map_decision, map_erp_answer
from connectors.fhir.mapper import map_fhir
from connectors.hl7.mapper import map_hl7
from schemas.mapping import Mapper
from schemas.raw import CABINET_JSON, DECISION_JSON, ERP_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON
from streams.contract import Processor
from streams.network.processor import NetworkProcessor
from streams.normalise.processor import NormaliseProcessor
from streams.site.processor import SiteProcessor

MAPPERS: Final[dict[str, Mapper]] = {
    HL7_ER7: map_hl7,
    FHIR_JSON: map_fhir,
    CABINET_JSON: map_cabinet,
    SCAN_JSON: map_scan,
    ERP_JSON: map_erp_answer,
    DECISION_JSON: map_decision,
}


def build_processors(patient_key: bytes) -> Sequence[Processor]:
    """The processors of a hub, in the order in which a step runs them."""
    return (NormaliseProcessor(MAPPERS, patient_key), SiteProcessor(), NetworkProcessor())
