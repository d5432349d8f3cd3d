"""The composition of processors: which mappers normalise is handed, and which processors a hub runs, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.barcode.mapper import map_scan
from connectors.cabinet.mapper import map_cabinet
from connectors.epcis.mapper import map_epcis
from connectors.erp.mapper import map_decision, map_erp_answer
from connectors.fhir.mapper import map_fhir
from connectors.hl7.mapper import map_hl7
from connectors.opening.mapper import map_opening
from connectors.paper.mapper import map_paper
from connectors.report.mapper import map_report
from schemas.mapping import Mapper
from schemas.raw import (
    CABINET_JSON,
    DECISION_JSON,
    EPCIS_JSON,
    ERP_JSON,
    FHIR_JSON,
    HL7_ER7,
    OPENING_JSON,
    PAPER_JSON,
    REPORT,
    SCAN_JSON,
)
from streams.contract import Processor
from streams.network.processor import NetworkProcessor
from streams.normalise.processor import NormaliseProcessor
from streams.site.processor import SiteProcessor

MAPPERS: Final[dict[str, Mapper]] = {
    HL7_ER7: map_hl7,
    FHIR_JSON: map_fhir,
    CABINET_JSON: map_cabinet,
    SCAN_JSON: map_scan,
    REPORT: map_report,
    ERP_JSON: map_erp_answer,
    DECISION_JSON: map_decision,
    EPCIS_JSON: map_epcis,
    PAPER_JSON: map_paper,
    OPENING_JSON: map_opening,
}


def build_processors(patient_key: bytes) -> Sequence[Processor]:
    """The processors of a hub, in the order in which a step runs them."""
    return (NormaliseProcessor(MAPPERS, patient_key), SiteProcessor(), NetworkProcessor())
