"""Every HL7 v2 message type the hub knows by name, and what it means for stock (HL7 v2.8.2 table 0076).

Owns the table only. A type that is not in it is refused as unknown; one that may move stock and has no
mapping is refused by name.
"""

from __future__ import annotations

from typing import Final

from schemas.mapping import NoEffect, Refused

_WITHOUT_EFFECT: Final = (
    ("acknowledgement", "acknowledges another message", "ACK MCF NAK"),
    (
        "application_response",
        "is an answer to another message; the message it answers is the one that counts",
        "RRA RRD RRE RRG RRO RRI RPI ORP ORR ORL ORI ORG ORN ORS ORD ORB ORA ORX BRP BRT MFK MFD SRR OPL OPR OSU",
    ),
    (
        "query",
        "asks for or returns information",
        """QBP QRY QCK QCN QSB QSX QVR QCR RSP RTB RDR RDY ROR RER RAR RGR RQQ DSR DOC EDR ERQ ERP EQQ SQM SQR SPQ TBR VQQ VQR
        VXQ VXX VXR ADR ORF OSQ OSR MFQ MFR NMQ NMR RQA RQC RCI RCL RPL RPR PTR RQI RQP PIN INM""",
    ),
    ("results", "reports results or observations", "ORU OUL OPU"),
    ("scheduling", "is about appointments or devices", "SIU SRM SCN SDN SDR SMD"),
    ("documents", "carries documents or study data", "MDM CRM CSU"),
    ("other_order", "orders something that is no medication", "ORM OML OMG OMI OMN OMD OMB OMQ OSM ORW"),
    ("accounts", "is about accounts, claims or care plans", "BAR CCF CCI CCM CCQ CCR CCU CQU EHC DRC"),
    (
        "clinical_record",
        "is about referrals, problems, goals or personnel",
        "REF PPR PPG PPP PPT PPV PRR PGL PGR PTG PEX PMU PHI SUR",
    ),
    ("immunization_report", "reports an immunisation to a registry; the administration itself comes as RAS", "VXU"),
    (
        "blood_bank",
        "is about blood products and donations, which are not pharmacy stock",
        "BPS BTS DPR DRG DBC DBU DEL DEO DER DFI DRR",
    ),
    (
        "laboratory_equipment",
        "controls laboratory or sterilisation equipment",
        "EAC EAN EAR ESR ESU LSR LSU SSR SSU TCR TCU STC SLN SLR SLS STI STN STS",
    ),
    ("network_management", "is network or display management", "NMD UDM EDM ADF"),
    ("master_file", "updates a master file that holds no stock", "MFN"),
)
_NO_EFFECT: Final = {kind: (code, meaning) for code, meaning, kinds in _WITHOUT_EFFECT for kind in kinds.split()}

_MAY_MOVE: Final[dict[str, str]] = {
    "DFT": "DFT posts charges, which may stand for dispenses",
    "OMS": "OMS requisitions stock, or reports cabinet transactions in ZPM segments",
    "INU": "INU reports inventory of an automated device",
    "INR": "INR asks for inventory of an automated device or reports it",
    "INV": "INV reports inventory",
}
_STOCK_MASTER_FILES: Final = frozenset({"M14", "M15"})
"""Inventory items, and the site-defined file; items (M16), places (M05) and codes are reference data."""
_CABINET_SEGMENTS: Final = ("ZPM", "ZPL")
_RESPONSES_WITH_MOVEMENTS: Final = {"RRA": "RXA", "RRD": "RXD"}


def _no_mapping(what: str) -> Refused:
    """A message that may move stock, for which no mapping is installed."""
    return Refused(code="no_mapping", reason=f"{what}; no mapping for it is installed, so it is kept until a profile is")


def disposition(kind: str, trigger: str, segments: frozenset[str]) -> NoEffect | Refused:
    """What becomes of a message without a mapping of its own, from its type, trigger event and segment names."""
    shown = f"{kind}^{trigger}" if trigger else kind
    cabinet = [name for name in _CABINET_SEGMENTS if name in segments]
    if cabinet:
        return _no_mapping(f"{shown} carries {cabinet[0]} segments of a dispensing cabinet")
    if kind in _MAY_MOVE:
        return _no_mapping(_MAY_MOVE[kind])
    if kind == "MFN" and (trigger in _STOCK_MASTER_FILES or "IIM" in segments):
        return _no_mapping(f"{shown} may state stock on hand or an item master")
    if kind in _RESPONSES_WITH_MOVEMENTS and "MSA" not in segments and _RESPONSES_WITH_MOVEMENTS[kind] in segments:
        segment = _RESPONSES_WITH_MOVEMENTS[kind]
        return _no_mapping(f"{shown} is a response, but it answers nothing (no MSA) and states a movement ({segment})")
    if kind in _NO_EFFECT:
        code, meaning = _NO_EFFECT[kind]
        return NoEffect(code=code, reason=f"{shown} {meaning}; it moves no stock")
    reason = f"MSH-9 is {shown[:40]!r}, which is no HL7 v2 message type the hub knows; a profile of this sender can name it"
    return Refused(code="unknown_message_type", reason=reason)
