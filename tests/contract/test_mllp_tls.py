"""MLLP over TLS, with and without client certificates, on real sockets; and what a bad certificate file is called."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connectors.hl7.er7 import read
from connectors.hl7.framing import Deframer, frame
from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.hl7.mllp_tls import TlsError, TlsFiles, server_context
from tests.contract.test_mllp import Store, message, run
from tests.kafka.secure_broker import Authority


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours", "Hospital CA")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "theirs", "Another CA")


@pytest.fixture(scope="module")
def server(ours: Authority) -> tuple[Path, Path]:
    return ours.signed("hub")


async def exchanged(listener: MllpListener, context: ssl.SSLContext | None) -> str:
    """The code of the answer to one message; "" when the connection brings none."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*listener.address, ssl=context)
            writer.write(frame(message()))
            deframer = Deframer(100_000)
            while data := await reader.read(4096):
                for block in deframer.feed(data):
                    writer.close()
                    return read(block.content).get("MSA-1")
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return ""
    return ""


def trusting(authority: Authority, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if client is not None:
        context.load_cert_chain(*client)
    return context


def listening(tls: TlsFiles, scenario: Callable[[MllpListener, Store], Awaitable[None]]) -> None:
    async def whole() -> None:
        store = Store()
        listener = MllpListener(store, MllpSettings(port=0, tls=tls))
        await listener.start()
        try:
            await scenario(listener, store)
        finally:
            await listener.stop()

    run(whole)


def test_a_client_that_trusts_the_hub_is_served(ours: Authority, server: tuple[Path, Path]) -> None:
    async def scenario(listener: MllpListener, store: Store) -> None:
        assert await exchanged(listener, trusting(ours)) == "AA"
        assert [kept.body for kept in store.kept] == [message()]

    listening(TlsFiles(certificate=server[0], key=server[1]), scenario)


def test_a_client_that_speaks_no_tls_gets_nothing_and_holds_up_nobody(ours: Authority, server: tuple[Path, Path]) -> None:
    async def scenario(listener: MllpListener, store: Store) -> None:
        assert await exchanged(listener, None) == ""
        assert store.kept == []
        assert await exchanged(listener, trusting(ours)) == "AA"

    listening(TlsFiles(certificate=server[0], key=server[1]), scenario)


def test_with_a_client_ca_only_its_clients_are_let_in_and_the_message_says_who(
    ours: Authority, theirs: Authority, server: tuple[Path, Path]
) -> None:
    async def scenario(listener: MllpListener, store: Store) -> None:
        assert await exchanged(listener, trusting(ours)) == ""
        assert await exchanged(listener, trusting(ours, theirs.signed("stranger"))) == ""
        assert store.kept == []
        assert await exchanged(listener, trusting(ours, ours.signed("engine-1"))) == "AA"
        (kept,) = store.kept
        assert kept.peer is not None
        assert kept.peer.endswith(" CN=engine-1")
        assert (listener.counters.handshakes, listener.counters.connections) == (3, 1)

    listening(TlsFiles(certificate=server[0], key=server[1], client_ca=ours.certificate), scenario)


def test_old_protocols_are_refused(server: tuple[Path, Path]) -> None:
    assert server_context(TlsFiles(certificate=server[0], key=server[1])).minimum_version is ssl.TLSVersion.TLSv1_2


def test_certificates_that_can_not_be_used_are_named(tmp_path: Path, server: tuple[Path, Path]) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing", encoding="utf-8")
    for files, named in (
        (TlsFiles(certificate=tmp_path / "absent.pem", key=server[1]), "absent.pem"),
        (TlsFiles(certificate=empty, key=server[1]), "empty.pem"),
        (TlsFiles(certificate=server[0], key=empty), "empty.pem"),
        (TlsFiles(certificate=server[0], key=server[1], client_ca=empty), "empty.pem is no usable CA"),
    ):
        with pytest.raises(TlsError, match=named):
            server_context(files)
