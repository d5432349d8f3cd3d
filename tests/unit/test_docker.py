"""The image and compose files say what the command line can do; there is no engine here to run them."""

from __future__ import annotations

from pathlib import Path

import yaml
from typer.testing import CliRunner

from topology.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8").splitlines()


def test_the_composed_hub_runs_a_command_that_exists() -> None:
    """The command and its options are those of `wardstock run`."""
    command = COMPOSE["services"]["hub"]["command"]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [command[0], "--help"])
    assert shown.exit_code == 0
    assert all(word in shown.output for word in command if word.startswith("--"))


def test_ports_are_bound_to_this_machine_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["hub"]["ports"])


def test_the_image_copies_every_package_and_installs_from_the_hashed_lock() -> None:
    copied = {line.split()[1] for line in DOCKERFILE if line.startswith("COPY ")}
    assert {"schemas", "streams", "connectors", "sinks", "topology", "requirements.lock"} <= copied
    assert any("--require-hashes -r requirements.lock" in line for line in DOCKERFILE)
    assert "USER wardstock" in DOCKERFILE


def test_the_volume_is_the_folder_the_hub_writes() -> None:
    hub = COMPOSE["services"]["hub"]
    folder = hub["command"][hub["command"].index("--data") + 1]
    assert any(volume.endswith(f":{folder}") for volume in hub["volumes"])
