"""Feeds of a running hub: several listeners with their profiles, TLS, and what is wrong with their settings as sentences."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.hl7.mllp_client import Acknowledgement, MllpClient, MllpTarget
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess
from tests.unit.hl7.support import ras, rxa
from topology.cli.app import app
from topology.errors import HubError, InputRefusedError
from topology.local import LocalHub
from topology.settings import load_settings

FEED = '[[feeds]]\nport = 0\nsource = "pyxis"\nprofile = "vista-oms"\n'


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_feeds_are_read_with_their_defaults(tmp_path: Path) -> None:
    settings = load_settings(config(tmp_path, f'mllp_profile = "vista-dft"\n{FEED}{FEED.replace("pyxis", "robot")}site = "s"\n'))
    assert [(feed.source, feed.profile, feed.site, feed.idle_seconds) for feed in settings.feeds] == [
        ("pyxis", "vista-oms", None, 300.0), ("robot", "vista-oms", "s", 300.0),
    ]  # fmt: skip
    assert settings.mllp_profile == "vista-dft"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ('certificate = "a.pem"\n', "certificate and key go together"),
        ('client_ca = "a.pem"\n', "client_ca needs a certificate"),
        ("message_bytes_max = 10\n", "feeds.0.message_bytes_max"),
        ("colour = 1\n", "feeds.0.colour"),
        ('[[drops]]\npath = "in"\nsource = "a"\nformat = "xml"\n', "drops.0.format"),
        ('[[drops]]\npath = "in"\nsource = "a"\nformat = "report"\n', "name it with `profile`"),
    ],
)
def test_settings_that_can_not_be_are_a_sentence(tmp_path: Path, more: str, what: str) -> None:
    with pytest.raises(InputRefusedError) as caught:
        load_settings(config(tmp_path, FEED + more))
    assert what in str(caught.value)


def test_a_config_that_is_no_utf8_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputRefusedError, match=r"hub\.toml can't be read"):
        load_settings(path)


@pytest.mark.parametrize(
    ("feed", "what"),
    [
        ('certificate = "absent.pem"\nkey = "absent.key"\n', "feed pyxis: absent.pem and absent.key are no usable certificate"),
        ("", "is taken: choose another with the port of feed pyxis"),
    ],
)
def test_a_feed_that_can_not_listen_is_a_sentence(tmp_path: Path, feed: str, what: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = 0 if feed else taken.getsockname()[1]
        path = config(tmp_path, FEED.replace("port = 0", f"port = {port}") + feed)
        arguments = ["run", "--config", str(path), "--data", str(tmp_path / "hub"), "--http-port", "0", "--mllp-port", "0"]
        result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, HubError)
    assert what in str(result.exception)


def test_a_running_hub_takes_what_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.hl7").write_bytes(ras(rxa()))
    path = config(tmp_path, f'[[drops]]\npath = "{tmp_path / "in"}"\nsource = "sftp"\nsettle_seconds = 0\npoll_seconds = 0.1\n{FEED}')
    hub = HubProcess(tmp_path / "hub", arguments=["--config", str(path)])
    hub.start()
    try:
        until = time.monotonic() + 20
        while not (tmp_path / "in" / "done" / "a.hl7").exists() and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        hub.stop()
    assert (tmp_path / "in" / "done" / "a.hl7").exists()
    assert "feed sftp files dropped into" in "".join(hub.printed)
    assert "feed pyxis mllp://127.0.0.1:" in "".join(hub.printed)
    with LocalHub(tmp_path / "hub") as local:
        stored = [record.value for record in promises.records(local.engine, "raw")]
    assert ras(rxa()) in stored


def test_a_drop_folder_that_can_not_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    path = config(tmp_path, f'[[drops]]\npath = "{tmp_path / "file"}"\nsource = "sftp"\n')
    arguments = ["run", "--config", str(path), "--data", str(tmp_path / "hub"), "--http-port", "0", "--mllp-port", "0"]
    result = CliRunner().invoke(app, arguments)
    assert "feed sftp: the drop folder" in str(result.exception)


def test_a_profile_that_asks_for_it_has_its_sender_told(tmp_path: Path) -> None:
    """The profile is reference data of the hub; what it can't read is answered AE, stored, and quarantined."""
    strict = "profile: strict\ntitle: Strict\nbase: standard\nacknowledge: {refused: AE}\n"
    (tmp_path / "strict.yaml").write_text(strict, encoding="utf-8")
    data = tmp_path / "hub"
    assert CliRunner().invoke(app, ["reference", "load", str(tmp_path / "strict.yaml"), "--data", str(data)]).exit_code == 0
    hub = HubProcess(data, WARDSTOCK_MLLP_PROFILE="strict")
    hub.start()
    try:
        until = time.monotonic() + 20
        while (bad := asyncio.run(answer_to(hub.mllp_port, ras(rxa(f6="two"))))).code == "AA" and time.monotonic() < until:
            time.sleep(0.1)  # the tables that the profile is looked up in follow the log by some tenths of a second
        good = asyncio.run(answer_to(hub.mllp_port, ras(rxa())))
    finally:
        hub.stop()
    assert (bad.code, good.code) == ("AE", "AA")
    assert b"RXA-6 is 'two', which is not a number" in bad.content
    with LocalHub(data) as local:
        stored = [record.value for record in promises.records(local.engine, "raw")]
    assert {ras(rxa(f6="two")), ras(rxa())} <= set(stored)


async def answer_to(port: int, message: bytes) -> Acknowledgement:
    async with MllpClient(MllpTarget(host="127.0.0.1", port=port)) as client:
        return await client.send(message)
