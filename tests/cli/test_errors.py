"""What can't be done is a sentence and exit code 1, a wrong word is exit code 2, and nothing ever prints a traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLE, Answer, environment, program, run_here, run_program

COMMANDS_OF_DATA = (
    ("stock",), ("positions",), ("commands",), ("cases",), ("alerts",), ("holds",), ("quarantine",), ("trace", "L1"),
    ("explain", "id"), ("ingest", str(EXAMPLE)), ("reference", "load", str(EXAMPLE)), ("quarantine", "replay"),
    ("run", "--http-port", "0", "--mllp-port", "0"),
)  # fmt: skip


def refused(answer: Answer) -> str:
    """The one sentence of a refusal."""
    assert answer.code == 1, (answer.out[-500:], answer.err[-2000:])
    assert "Traceback" not in answer.err
    assert answer.err.startswith("wardstock: ")
    assert len(answer.err.splitlines()) == 1
    return answer.err


@pytest.mark.parametrize("command", COMMANDS_OF_DATA, ids=" ".join)
def test_a_data_folder_that_is_a_file_is_refused_by_every_command(command: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "hub"
    path.write_text("a file")
    assert "is a file, not a folder" in refused(run_here(*command, "--data", str(path)))


@pytest.mark.parametrize("command", COMMANDS_OF_DATA, ids=" ".join)
def test_a_data_folder_that_cannot_be_made_is_refused_by_every_command(command: tuple[str, ...], tmp_path: Path) -> None:
    """A path below a file: no folder can be made there, whoever asks."""
    (tmp_path / "file").write_text("a file")
    assert str(tmp_path) in refused(run_here(*command, "--data", str(tmp_path / "file" / "hub")))


@pytest.mark.parametrize("command", COMMANDS_OF_DATA, ids=" ".join)
def test_a_foreign_folder_is_refused_by_every_command(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    assert "thesis.doc" in refused(run_here(*command, "--data", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised by hand: tests may run as root, who may write everywhere."""

    def denied(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", denied)
    sentence = refused(run_here("ingest", str(EXAMPLE), "--data", str(tmp_path / "hub")))
    assert str(tmp_path / "hub") in sentence
    assert "ermission" in sentence


def test_a_damaged_projection_is_made_anew_because_it_is_derived(example: Path) -> None:
    """Nothing that stock depends on stands in it; the topics do."""
    before = run_here("stock", "--data", str(example), "--json")
    ingested = run_here("ingest", str(EXAMPLE / "feeds"), "--site", "river", "--data", str(example), "--json")
    assert before.code == ingested.code == 0
    whole = run_here("stock", "--data", str(example), "--json").out
    assert whole
    for name in example.glob("projection.sqlite*"):
        name.write_bytes(b"this is no database at all " * 400)
    answer = run_here("stock", "--data", str(example), "--json")
    assert answer.code == 0, answer.err
    assert answer.out == whole


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",), ("stock", "--nonsense"), ("stock", "--limit", "many"), ("stock", "--limit", "0"), ("ingest",), ("trace",),
        ("explain",), ("reference",), ("reference", "nonsense"), ("simulate",), ("simulate", "--out", "x", "--seed", "one"),
        ("schemas",), ("ingest", ".", "--format", "morse"), ("simulate", "--out", "x", "--start", "yesterday"),
        ("run", "--http-port", "eighty"), ("demo", "--beds", "1"), ("demo", "--history-days", "999999999"), ("demo", "--history-days", "-1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_is_not_understood_ends_with_two(arguments: tuple[str, ...]) -> None:
    answer = run_program(*arguments) if arguments[0] == "nonsense" else run_here(*arguments)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert (answer.err + answer.out).strip()


def test_without_a_command_the_help_is_shown() -> None:
    assert "Usage" in run_here("--help").out
    assert run_here("--help").code == 0
    for command in ("stock", "ingest", "reference load", "simulate", "run", "demo", "explain"):
        assert run_here(*command.split(), "--help").code == 0


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("--sites", "0"), ("--sites", "100000"), ("--beds", "-1"), ("--days", "0"), ("--duplicates", "2"), ("--outages", "-1"),
        ("--start", "9999-12-31"), ("--start", "0001-01-01"), ("--start", "1969-12-31"),
    ],
)  # fmt: skip
def test_a_knob_out_of_range_is_a_sentence(knob: str, value: str, tmp_path: Path) -> None:
    sentence = refused(run_here("simulate", "--out", str(tmp_path), knob, value))
    assert knob.removeprefix("--") in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ("stock", "--site", "\udcff"), ("trace", "\udcff"), ("explain", "\udcff"),
        ("master", "propose", "item", "albuterol-2.5mg-neb", "form=x", "--by", "sue", "--title", "\udcff"),
    ],
)  # fmt: skip
def test_an_argument_that_is_no_utf_8_is_a_sentence(arguments: tuple[str, ...], example: Path) -> None:
    """A shell hands bytes over; Python keeps what is no UTF-8 as half characters (PEP 383)."""
    assert r"'\xff' is not UTF-8 text" in refused(run_program(*arguments, "--data", str(example)))


def test_a_simulation_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(run_here("simulate", "--out", str(tmp_path / "file" / "out"), "--sites", "1", "--beds", "2", "--days", "1"))


def test_a_setting_that_is_not_known_is_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text("prot = 8080\n")
    assert "prot" in refused(run_here("run", "--config", str(config), "--data", str(tmp_path / "hub")))
    config.write_text("not toml at all [")
    assert "hub.toml" in refused(run_here("run", "--config", str(config), "--data", str(tmp_path / "hub")))
    assert "none.toml" in refused(run_here("run", "--config", str(tmp_path / "none.toml"), "--data", str(tmp_path / "hub")))


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize("option", ["--http-port", "--mllp-port"])
def test_a_port_that_is_taken_is_a_sentence_that_names_the_option(command: str, option: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"--http-port": "0", "--mllp-port": "0", option: str(taken.getsockname()[1])}
        arguments = [word for pair in ports.items() for word in pair]
        sentence = refused(run_program(command, *arguments, "--data", str(tmp_path / "hub")))
        assert option in sentence
        assert "replaying" not in sentence


def test_output_that_nobody_reads_any_more_is_no_error(example: Path) -> None:
    """`wardstock … | head -1`."""
    run_here("ingest", str(EXAMPLE / "feeds"), "--site", "river", "--data", str(example))
    with subprocess.Popen(
        [*program(), "stock", "--json", "--data", str(example)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
