"""Acknowledgements in the sender's own dialect: its delimiters, version, character set.

Owns building the bytes of one ACK (HL7 v2.8.2 §2.9, §2.14.8 MSA, §2.14.5 ERR). Whether to accept is decided elsewhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from connectors.hl7.charset import codecs_of, name_of
from connectors.hl7.delimiters import STANDARD, escape
from connectors.hl7.er7 import Message

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]

_DEFAULT_VERSION: Final = "2.5.1"
_APPLICATION: Final = "WARDSTOCK"
_ERROR_SINCE_2_5: Final = ("2.5", "2.6", "2.7", "2.8", "2.9")
_PLAIN: Final = "utf-8"
_VERSION_FIELD: Final = 11
_CHARSET_FIELD: Final = 18


def build_ack(received: Message | None, code: AckCode, control_id: str, at: datetime, error: str | None = None) -> bytes:
    """The acknowledgement of a received message (none when it had no header that could be read).

    `control_id` is our own, `at` the time of answering (UTC), `error` an explanation sent in an ERR segment.
    """
    delimiters = received.delimiters if received else STANDARD
    separator, component = delimiters.field, delimiters.component

    def sent(path: str) -> str:
        return received.raw(path) if received else ""

    version = sent("MSH-12") or _DEFAULT_VERSION
    trigger = sent("MSH-9.2")
    kind = component.join(("ACK", trigger, "ACK")) if trigger else "ACK"
    header = ["MSH", delimiters.encoding or STANDARD.encoding, sent("MSH-5") or _APPLICATION, sent("MSH-6")]
    header += [sent("MSH-3"), sent("MSH-4"), at.strftime("%Y%m%d%H%M%S+0000"), "", kind, control_id]
    header += [sent("MSH-11") or "P", version]
    charset = _charset(received) if received else ""
    if charset:
        header += ["", "", "", "", "", charset]
    segments = [header, ["MSA", code, sent("MSH-10")]]
    if error is not None:
        segments.append(_error(escape(error, delimiters), version, component, delimiters.subcomponent))
    text = "".join(separator.join(segment) + "\r" for segment in segments)
    return text.encode(received.charset if received else _PLAIN, "replace")


def plain_ack(head: bytes, code: AckCode, control_id: str, stamp: str) -> bytes | None:
    """What `build_ack` gives for a header as nearly all senders write it, from its bytes alone; None for any other header.

    `head` is the header segment of an ASCII message with HL7's recommended delimiters; `stamp` is the time of answering as text.
    """
    fields = head.split(b"|")
    if len(fields) < _VERSION_FIELD + 1 or any(b"\\" in field for field in fields[2:]):
        return None
    if len(fields) >= _CHARSET_FIELD and fields[_CHARSET_FIELD - 1].strip():
        return None
    kind, control, version = fields[8].split(b"~", 1)[0], fields[9], fields[11]
    if b"~" in control or b"^" in control or b"&" in control or b"^" in version or b"~" in version:
        return None
    parts = kind.split(b"^")
    trigger = parts[1] if len(parts) > 1 else b""
    if b"&" in trigger:
        return None
    kind = b"ACK^%b^ACK" % trigger if trigger else b"ACK"
    sender, mode = b"|".join(fields[2:4]), fields[10] or b"P"
    return b"MSH|^~\\&|%b|%b|%b|%b||%b|%b|%b|%b\rMSA|%b|%b\r" % (
        fields[4] or _APPLICATION.encode(), fields[5], sender, stamp.encode(), kind, control_id.encode(), mode,
        version or _DEFAULT_VERSION.encode(), code.encode(), control,
    )  # fmt: skip


def _charset(received: Message) -> str:
    """What to declare in MSH-18: what the sender declares, unless its message was not written in it."""
    declared = received.raw("MSH-18")
    if not declared or not received.syntax.charset:
        return declared
    return declared if received.charset in codecs_of(declared) else name_of(received.charset)


def _error(text: str, version: str, component: str, subcomponent: str) -> list[str]:
    """An ERR segment: since v2.5 the code stands in ERR-3 and a text for people in ERR-8, before in ERR-1.4."""
    code = ("207", "Application internal error", "HL70357")
    if version.startswith(_ERROR_SINCE_2_5):
        return ["ERR", "", "", component.join(code), "E", "", "", "", text]
    return ["ERR", component.join(("", "", "", subcomponent.join((code[0], text, code[2]))))]
