"""An MQTT feed in the settings: defaults, what can't be as a sentence, and a password that reaches the intake and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.mqtt.settings import Subscription
from topology.cli.app import app
from topology.errors import InputRefusedError
from topology.intake.supervisor import _settings_json
from topology.settings import Settings, load_settings

FEED = '[[mqtt]]\nhost = "broker"\nsource = "cabinets"\nclient_id = "hub-1"\ntopics = ["cabinets/+/vends", {topic = "ehr/#", content = "fhir"}]\n'


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "hub.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_a_feed_is_read_with_its_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FEED)
    told = settings.mqtt[0].connecting("north")
    assert (told.broker, told.source, told.site, told.profile) == ("mqtt://broker:1883", "cabinets", "north", "standard")
    assert told.subscriptions == (Subscription("cabinets/+/vends"), Subscription("ehr/#", "fhir"))
    assert (told.user, told.password, told.tls) == (None, None, None)
    assert (told.keepalive_seconds, told.session_seconds, told.in_flight_max) == (30, 604_800, 32)
    assert told.status_topic == "wardstock/hub-1/status"


@pytest.mark.parametrize(
    ("more", "broker"),
    [("", "mqtt://broker:1883"), ("tls = true\n", "mqtts://broker:8883"), ('ca = "a.pem"\nport = 99\n', "mqtts://broker:99")],
)
def test_the_port_follows_from_tls_unless_it_is_said(tmp_path: Path, more: str, broker: str) -> None:
    head, _, topics = FEED.partition("topics")
    assert loaded(tmp_path, f"{head}{more}topics{topics}").mqtt[0].connecting(None).broker == broker


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FEED + "colour = 1\n", "mqtt.0.colour"),
        (FEED + 'certificate = "a.pem"\n', "certificate and key go together"),
        (FEED + 'password = "hidden"\n', "password needs a user"),
        (FEED + "port = 0\n", "mqtt.0.port"),
        (FEED + "session_seconds = 1\n", "mqtt.0.session_seconds"),
        (FEED + "in_flight_max = 0\n", "mqtt.0.in_flight_max"),
        (FEED.replace('"hub-1"', '"a/b"'), "mqtt.0.client_id"),
        (FEED.replace('"hub-1"', '""'), "mqtt.0.client_id"),
        (FEED.replace("cabinets/+/vends", "cabinets/#/vends"), "as its last level"),
        (FEED.replace("cabinets/+/vends", "$share/hubs/cabinets"), "shared subscriptions don't keep the order"),
        (FEED.replace('"fhir"', '"xml"'), "mqtt.0.topics.1.content"),
        (FEED.partition("topics")[0], "mqtt.0.topics"),
        (FEED.partition("topics")[0] + "topics = []\n", "mqtt.0.topics"),
        (FEED + FEED, "client_id hub-1 stands twice"),
    ],
)
def test_settings_that_can_not_be_are_a_sentence(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputRefusedError) as caught:
        loaded(tmp_path, text)
    assert what in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_password_reaches_the_intake_and_is_shown_nowhere_else(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FEED + 'user = "hub"\npassword = "hidden"\n')
    assert json.loads(_settings_json(settings, ()))["mqtt"][0]["password"] == "hidden"
    again = Settings.model_validate_json(_settings_json(settings, ()))
    assert again == settings
    assert again.mqtt[0].connecting(None).password == "hidden"
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.mqtt[0].connecting(None)!r}"
    assert "hidden" not in shown


def test_without_a_password_none_is_told(tmp_path: Path) -> None:
    again = Settings.model_validate_json(_settings_json(loaded(tmp_path, FEED), ()))
    assert again.mqtt[0].password is None


def test_tls_files_that_can_not_be_used_refuse_the_start(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(FEED + f'ca = "{tmp_path / "absent.pem"}"\n', encoding="utf-8")
    arguments = ["run", "--config", str(path), "--data", str(tmp_path / "hub"), "--http-port", "0", "--mllp-port", "0"]
    result = CliRunner().invoke(app, arguments)
    assert "feed cabinets:" in str(result.exception)
    assert "absent.pem is no usable CA certificate: No such file" in str(result.exception)
