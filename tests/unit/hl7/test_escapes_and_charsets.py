"""Escape sequences (HL7 v2.8.2 §2.7) and character sets (MSH-18, table 0211)."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.charset import codec_of, decode
from connectors.hl7.delimiters import FORMAT_REPEAT_MAX, STANDARD, delimiters_of, escape, unescape
from connectors.hl7.er7 import read


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b", "a&b"),
        (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"),
        (r"\X41\\X4243\ ".strip(), "ABC"),
        (r"\X0D0A\ ".strip(), "\r\n"),
        (r"\XC3A9\ ".strip(), "é"),
        (r"\XE9\ ".strip(), "é"),
        (r"one\.br\two", "one\ntwo"),
        (r"one\.sp2\two", "one\n\ntwo"),
        (r"one\.sp\two", "one\ntwo"),
        (r"one\.sk3\two", "one   two"),
        (r"\.in+4\text\.fi\ ".strip(), "text"),
        (r"\H\loud\N\ ".strip(), "loud"),
    ],
)
def test_an_escape_sequence_with_a_meaning_is_decoded(sent: str, meant: str) -> None:
    assert unescape(sent, STANDARD) == meant


@pytest.mark.parametrize(
    "sent",
    [
        r"\Zabc\ ".strip(),
        r"\C2842\ ".strip(),
        r"\M242A42\ ".strip(),
        r"\Q\ ".strip(),
        r"\X4\ ".strip(),
        r"C:\temp",
        "a\\",
        r"\.zz\ ".strip(),
    ],
)
def test_an_escape_sequence_without_a_meaning_stays_as_sent(sent: str) -> None:
    assert unescape(sent, STANDARD) == sent


def test_a_sequence_after_an_unpaired_escape_sign_is_still_decoded() -> None:
    assert unescape(r"C:\dir \T\ x", STANDARD) == r"C:\dir & x"


def test_a_sender_that_escapes_msh_2_twice_escapes_fields_twice_or_once() -> None:
    doubled = delimiters_of("|", "^~\\\\&")
    assert doubled is not None
    assert unescape(r"a\\T\\b \F\\F\ C:\\dir", doubled) == r"a&b || C:\\dir"
    assert unescape(r"a\\T\\b", STANDARD) == r"a\&\b"


def test_a_formatting_command_can_not_blow_up_memory() -> None:
    assert len(unescape(r"\.sp9999\ ".strip(), STANDARD)) == FORMAT_REPEAT_MAX


@given(st.text())
def test_escaped_text_is_decoded_to_itself(text: str) -> None:
    assert unescape(escape(text, STANDARD), STANDARD) == text


@given(st.text(max_size=30))
def test_escaped_text_holds_no_delimiter_but_the_escape_sign(text: str) -> None:
    assert not set(escape(text, STANDARD)) & set("|^~&\r\n")


@pytest.mark.parametrize(
    ("field", "encoding"),
    [
        ("|", "^~\\&ab"),
        ("|", "^~\\&A"),
        ("|", "^~\\&#$"),
        ("|", "^^\\&"),
        ("^", "^~\\&"),
        ("|", "^a\\&"),
        ("|", "^ \\&"),
        ("A", "^~\\&"),
    ],
)
def test_signs_that_can_not_be_told_apart_are_no_delimiters(field: str, encoding: str) -> None:
    assert delimiters_of(field, encoding) is None


def message_in(charset: str, text: str, codec: str) -> bytes:
    return f"MSH|^~\\&|A||||||ADT^A01|1|P|2.5||||||{charset}\rPID|1||X||{text}\r".encode(codec)


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("", "utf-8", "Müller"),
        ("", "latin-1", "Müller"),
        ("UNICODE UTF-8", "utf-8", "Müller 東"),
        ("UTF-8", "utf-8", "Müller"),
        ("8859/1", "latin-1", "Müller"),
        ("8859/2", "iso8859-2", "Łódź"),
        ("8859/15", "iso8859-15", "5 €"),
        ("ISO IR87", "iso2022_jp", "患者一郎"),
        ("~ISO IR87", "iso2022_jp", "患者一郎"),
        ("ISOIR87", "iso2022_jp", "患者"),
        ("ISO IR6~ISO IR14~ISO IR87", "iso2022_jp", "患者"),
        ("GB 18030-2000", "gb18030", "病人"),
        ("BIG-5", "big5", "病人"),
        ("KS X 1001", "euc_kr", "환자"),
        ("ISO IR13", "shift_jis", "ﾔﾏﾀﾞ 山田 ポ"),
        ("EUC-JP", "euc_jp", "山田"),
        ("Shift_JIS", "shift_jis", "山田"),
        ("windows-31j", "cp932", "髙①"),
        ("ISO-8859-1", "latin-1", "Müller"),
        ("ISO8859-15", "iso8859-15", "5 €"),
        ("WINDOWS-1250", "cp1250", "Łódź"),
    ],
)
def test_the_declared_character_set_is_used(charset: str, codec: str, text: str) -> None:
    data = message_in(charset, text, codec)
    message = read(data)
    assert message.get("PID-5") == text
    assert bytes(message) == data


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("ISO IR87", "utf-8"), ("ASCII", "utf-8"), ("ASCII", "latin-1"), ("NONSENSE", "latin-1"), ("UNICODE UTF-16", "utf-8")],
)
def test_a_declaration_the_bytes_contradict_is_not_believed(charset: str, codec: str) -> None:
    assert read(message_in(charset, "Müller", codec)).get("PID-5") == "Müller"


@pytest.mark.parametrize("codec", ["utf-8", "shift_jis", "euc_jp", "iso2022_jp"])
@pytest.mark.parametrize(
    "charset", ["", "ASCII", "ISO IR87", "ISO IR13", "~ISO IR87", "UNICODE UTF-8", "8859/1", "EUC-JP", "SJIS"]
)
def test_japanese_is_read_as_it_is_written_whatever_is_declared(charset: str, codec: str) -> None:
    """`ポ` is 0x83 0x7C in Shift-JIS: read as Latin-1 its second byte is `|`, and every field after it would move."""
    message = read(message_in(charset, "ポートル錠|after", codec))
    assert message.get("PID-5") == "ポートル錠"
    assert message.get("PID-6") == "after"


@pytest.mark.parametrize("text", ["Müller", "ÄÖÜ äöü ß", "naïve café", "¿Qué? ¡Sí!", "¤¥¦ ¤¥¦", "ÀÈÌÒÙ"])
@pytest.mark.parametrize("charset", ["", "ASCII", "8859/1"])
def test_latin_letters_are_never_taken_for_japanese(charset: str, text: str) -> None:
    assert read(message_in(charset, text, "latin-1")).get("PID-5") == text


def test_a_few_kanji_without_a_declaration_are_not_guessed() -> None:
    assert read(message_in("", "山田", "euc_jp")).get("PID-5") == "山田".encode("euc_jp").decode("latin-1")


@pytest.mark.parametrize("charset", ["", "8859/1", "ASCII"])
def test_quotes_and_euro_of_windows_are_no_control_characters(charset: str) -> None:
    message = read(message_in(charset, "5 € “é”", "cp1252"))
    assert message.get("PID-5") == "5 € “é”"
    assert message.charset == "cp1252"


def test_signs_of_jis_roman_are_the_delimiters_they_stand_for() -> None:
    """Many encoders go back from kanji to JIS X 0201 Roman (ESC ( J), where the bytes of `\\` and `~` are ¥ and an overline."""
    data = message_in("ISO IR87", "山田~太郎\\T\\", "iso2022_jp").replace(b"\x1b(B", b"\x1b(J")
    message = read(data)
    assert message.segments("PID")[0].repetitions("5") == ["山田", "太郎&"]
    assert bytes(message) == data


def test_katakana_of_eight_bits_beside_kanji_with_escapes() -> None:
    data = message_in("ISO IR13~ISO IR87", "X", "ascii").replace(
        b"||X\r", "||ﾔﾏﾀﾞ^".encode("shift_jis") + "山田".encode("iso2022_jp") + b"\r"
    )
    assert read(data).get("PID-5.1") == "ﾔﾏﾀﾞ"
    assert read(data).get("PID-5.2") == "山田"


def test_surrogates_in_utf_8_are_one_character_as_a_pair_and_a_sign_of_replacement_alone() -> None:
    data = message_in("UNICODE UTF-8", "é @ #", "utf-8").replace(b"@", b"\xed\xa0\xbd\xed\xb8\x80").replace(b"#", b"\xed\xa0\x80")
    message = read(data)
    assert message.get("PID-5") == "é \U0001f600 \ufffd"
    assert message.get("PID-5").encode()
    assert bytes(message) == data


@pytest.mark.parametrize("odd", [b"\x00", b"\x00\xd8", b"\x00\xd8\x41"])
def test_utf_16_that_is_cut_off_or_broken_is_read_with_a_sign_of_replacement(odd: bytes) -> None:
    data = codecs.BOM_UTF16_LE + message_in("", "é", "utf-16-le") + odd
    assert read(data).get("PID-5").startswith("é")
    assert bytes(read(data)) == data


def test_utf_16_stated_for_a_feed_that_sends_something_else_is_not_believed() -> None:
    """Nearly any bytes are some UTF-16: what holds no header in it was not meant so."""
    data = message_in("", "Müller", "utf-8") + b"\r"
    for stated in ("utf-16", "utf-16-le", "utf-16-be"):
        assert read(data[: len(data) // 2 * 2], stated).get("PID-5") == "Müller"


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_a_byte_order_mark_decides_and_is_kept_in_the_bytes(mark: bytes, codec: str) -> None:
    data = mark + message_in("8859/1", "Müller 東", codec)
    message = read(data)
    assert message.get("PID-5") == "Müller 東"
    assert bytes(message) == data


def test_double_byte_characters_that_contain_delimiter_bytes_do_not_split() -> None:
    """In ISO-2022-JP a kanji is two bytes between 0x21 and 0x7E, among them `|` (0x7C) and `^` (0x5E)."""
    kanji = (chr(code) for code in range(0x4E00, 0x9FFF))
    text = next(char for char in kanji if b"|" in char.encode("iso2022_jp", "ignore"))
    assert read(message_in("ISO IR87", text, "iso2022_jp")).get("PID-5") == text


@given(st.binary(max_size=60))
def test_decoding_never_fails(data: bytes) -> None:
    text, _ = decode(b"MSH|^~\\&|A||||||ADT|1|P|2.5||||||ISO IR87\r" + data)
    assert text.startswith("MSH")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("unicode utf-8", "utf-8"),
        ("8859/1", "iso8859-1"),
        ("ISO-8859-1", "iso8859-1"),
        ("8859/12", ""),
        ("", ""),
    ],
)
def test_table_0211_names_are_found_whatever_their_spelling(name: str, codec: str) -> None:
    assert codec_of(name) == codec


def test_the_answer_to_a_plain_ascii_message_uses_its_declared_character_set() -> None:
    assert read(message_in("8859/1", "plain", "ascii")).charset == "iso8859-1"
    assert read(message_in("", "plain", "ascii")).charset == "utf-8"
