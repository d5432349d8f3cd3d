"""Seeds to mutate: messages of every family made here, and the published ones where they are beside the project."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.unit.hl7.cabinet_messages import note, oms, zpm
from tests.unit.hl7.support import ORC, PID, PV1, body, header, ras, rds, rxa, rxd, segment

PUBLISHED: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "hl7v2"
SAMPLES: Final = Path(__file__).resolve().parents[1] / "data" / "hl7"
SEED_BYTES_MAX: Final = 20_000


def made() -> list[bytes]:
    """Messages of our own, one of each kind the mapper reads."""
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ras(rxa()) + rds(rxd()) + b"BTS|2\rFTS|1\r"
    rxe = segment("RXE", {2: "1049630^Acetaminophen^RXN", 3: "2", 5: "TAB", 10: "20", 11: "TAB"})
    ft1 = segment("FT1", {1: "1", 2: "T1", 4: "20260601", 6: "CG", 10: "2", 29: "00093-0058-01^A^NDC", 43: "2^TAB"})
    iim = segment("IIM", {1: "K", 2: "00093-0058-01^A^NDC", 6: "MAIN", 12: "40", 13: "TAB"})
    kanji = rxa(f5="4987^ポートル錠^L")
    return [
        ras(rxa(), rxa(f2="2", f20="RE"), rxa(f21="U")), rds(rxd(), rxd(f1="2", f18="A~B")), batch,
        body(header("RDE^O11"), PID, PV1, ORC, rxe), body(header("ADT^A40"), "EVN||20260601", PID, "MRG|M2^^^NORTH"),
        body(header("DFT^P03"), PID, PV1, ft1), body(header("MFN^M15"), "MFI|INV", "MFE|MUP", iim),
        oms(zpm("V", "2", f8="10"), note("CANCEL"), zpm("C", f9="3")),
        body(header("INU^U05"), "EQU|R1|20260601", "INV|1|0093^Drug^NDC|L1|20271231|10|EA"),
        body(header("RGV^O15"), PID, ORC, segment("RXG", {1: "1", 4: "A^B^L", 5: "2", 7: "TAB"})),
        ras(rxa()).replace(b"\r", b"\r\n"), ras(rxa()).decode().encode("utf-16"), ras(rxa()).replace(b"\r", b" "),
        b"[SOM]" + rds(rxd()).replace(b"\r", b"<CR>") + b"[EOM]", ras(rxa(), kanji).decode().encode("shift_jis"),
        b"MSH#*+!@" + rds(rxd())[8:].translate(bytes.maketrans(b"|^~\\&", b"#*+!@")),
        *(path.read_bytes() for path in sorted(SAMPLES.glob("*.hl7"))),
    ]  # fmt: skip


def seeds() -> list[bytes]:
    """All seeds that are not too large to be mutated often."""
    published = [path.read_bytes() for path in sorted(PUBLISHED.glob("*/*")) if path.is_file()] if PUBLISHED.is_dir() else []
    return [*made(), *(data for data in published if 0 < len(data) <= SEED_BYTES_MAX)]
