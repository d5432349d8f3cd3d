"""Names of segments as some engines write them, read where the reading is certain.

Names may be in small letters, or have a blank before their separator; such a name must be one that HL7 knows (v2.1 to v2.8.2)
or one with Z. The bytes of a message are not changed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NAMES: Final = """ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BHS BLC BLG BPO BPX BTS BTX BUI CDM CDO CER CM0 CM1 CM2
    CNS CON CSP CSR CSS CTD CTI DB1 DG1 DMI DON DPS DRG DSC DSP ECD ECR EDU EQL EQP EQU ERQ ERR EVN FAC FHS FT1 FTS GOL GP1 GP2
    GT1 IAM IAR IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP MFA MFE MFI MRG MSA MSH NCK NDS NK1
    NPU NSC NST NTE OBR OBX ODS ODT OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG ORO OVR PAC PCE PCR PD1 PDA PDC PEO PES PID PKG PM1
    PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1
    RQD RX1 RXA RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM SPR STF STZ TCC TCD TQ1 TQ2 TXA UAC
    UB1 UB2 URD URS VAR VND VTQ"""
KNOWN: Final = frozenset(_NAMES.split())
"""Names of segments, versions 2.1 to 2.8.2."""

_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")


@lru_cache(maxsize=4096)
def is_name(name: str) -> bool:
    """Whether three characters have the form of a segment name. Callers check the length first, so that the cache stays small."""
    return _NAME.fullmatch(name) is not None


def is_known(name: str) -> bool:
    """Whether a name, in letters of either case, is HL7's or begins with Z."""
    capitals = name.upper()
    return capitals in KNOWN or (capitals[0] == "Z" and is_name(capitals))


def as_segment(line: str, separator: str, *, may_be_bare: bool) -> str | None:
    """A line as the segment it begins, its name in capitals and nothing before its separator; None when it begins none.

    `may_be_bare`: a name alone is a segment here.
    """
    trimmed = line.lstrip(" \t")
    name, rest = trimmed[:3], trimmed[3:]
    if rest[:1] == separator and is_name(name):
        return trimmed
    if not rest and may_be_bare and is_name(name):
        return trimmed
    if len(name) < 3 or not name.isascii() or not is_known(name):
        return None
    after = rest.lstrip(" \t")
    return name.upper() + after if after.startswith(separator) else None
