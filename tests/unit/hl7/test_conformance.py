"""The annotated view and the findings: HL7's own names, every message of any kind, and no value in a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.hl7.annotate import annotate, as_text, nearest_version
from connectors.hl7.conformance import FINDINGS_MAX, findings
from tests.unit.hl7.support import ORC, PID, PV1, body, header, ras, rxa, segment

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "hl7v2"
FILES = sorted(path for path in FOLDER.glob("*/*") if path.is_file())


def view(data: bytes) -> str:
    return "\n".join(as_text(one) for one in annotate(data))


def told(data: bytes) -> list[str]:
    return [f"{one.severity}: {one.text}" for one in findings(data)]


def test_fields_have_the_names_of_the_standard() -> None:
    """HL7 v2.5.1 chapter 4, RXA."""
    text = view(ras(rxa()))
    assert text.startswith("RAS^O17, MSH-12 2.5.1 (names of v2.5.1)\nMSH\n")
    for line in (
        "RXA-6 Administered amount                          200",
        "RXA-15 Substance lot number                        LOT1",
        "RXA-5.3 Name of coding system                    NDC",
        "PID-3.1 Id number                                MRN1001",
    ):
        assert line in text


def test_repetitions_escapes_nulls_and_segments_of_the_sender() -> None:
    text = view(body(header("ADT^A01"), 'PID|1||A^^^N~B^^^M||""|', "ZPM|V|x\\T\\y"))
    assert "PID-3(1).1 Id number" in text
    assert "PID-3(2).4 Assigning authority                   M" in text
    assert "PID-5 Patient name                                 (null: delete what you hold)" in text
    assert "ZPM-2                                              x&y" in text


def test_a_batch_a_bad_member_and_no_message_at_all() -> None:
    text = view(b"BHS|^~\\&|A\r" + ras(rxa()) + b"MSH|^~\r" + b"BTS|2\r")
    assert "message 1 of 2: RAS^O17" in text
    assert "message 2 of 2" in text
    assert view(b"hello").startswith("not HL7 v2\n  the message does not begin with an MSH segment")


@pytest.mark.parametrize(
    ("stated", "used"),
    [("2.5.1", "2.5.1"), ("2.5", "2.5"), ("2.3.1", "2.3.1"), ("2.9", "2.8.2"), ("2.5.2", "2.5.1"), ("", "2.8.2"), ("banana", "2.8.2"),
     ("1.0", "2.8.2"), ("2.99999999999", "2.8.2")],
)  # fmt: skip
def test_whose_names_are_used(stated: str, used: str) -> None:
    assert nearest_version(stated) == used


def test_what_hl7_requires_and_what_the_reader_overlooked() -> None:
    found = told(ras(rxa(f4="")).replace(b"\r", b"\r\n"))
    assert "error: Missing required child RXA-4 (Date time end of administration)" in found
    assert "warning: segments end with CR LF; HL7 ends them with CR (§2.5)" in found
    found = told(body(header("ADT^A01", control="").replace("^~\\&", "^~\\\\&"), PID))
    assert "error: MSH-10 (control id) is empty" in found
    assert "warning: MSH-2 has its escape character twice: the sender escapes twice" in found


def test_character_sets_and_counts() -> None:
    wrong = body(header("ADT^A01") + "||||||ISO IR87", PID.replace("JANE", "JÄNE"))
    assert any("not in the character set of MSH-18" in one for one in told(wrong))
    assert "warning: MSH-18 names no character set of table 0211" in told(body(header("ADT^A01") + "||||||KLINGON", PID))
    assert "error: BTS-1 declares 3 messages, 1 came" in told(b"BHS|^~\\&|A\r" + ras(rxa()) + b"BTS|3\r")


def test_no_finding_holds_a_value() -> None:
    secret = "SECRETNAME"
    data = body(
        header("RAS^O17").replace("MAR", secret), PID.replace("DOE", secret).replace("|F", f"|{secret}"), PV1, ORC,
        rxa(f5=f"{secret}^{secret}^{secret}", f7=secret, f20=secret, f9=secret * 60), segment("ZZZ", {1: secret}), f"QQQ|{secret}",
    )  # fmt: skip
    found = told(data)
    assert any("holds a value that is not in table" in one for one in found)
    assert not [one for one in found if "SECRET" in one.upper()]


def test_they_are_bounded() -> None:
    assert len(findings(b"BHS|^~\\&|\r" + ras(rxa(f4="")) * 80)) <= FINDINGS_MAX + 1
    assert any("too large to be checked" in one for one in told(ras(rxa()) + b"NTE|1||x\r" * 500))


@pytest.mark.skipif(not FILES, reason="THE PUBLISHED HL7 MESSAGES (../shared/data/hl7v2) ARE NOT HERE: SWEEP LEFT OUT")
def test_every_published_message_can_be_explained() -> None:
    for path in FILES[::3]:
        data = path.read_bytes()
        assert view(data), path.name
        findings(data)
