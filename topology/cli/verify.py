"""`wardstock verify`: the hub's stock and needs derived a second time from its logs, and compared with what it published."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from topology.cli.options import AsJson, Broker, Config
from topology.folder import running_hub
from topology.kafka.connection import Connection, bootstrap_of
from topology.settings import EMBEDDED, load_settings
from topology.verify.api_source import ApiSource
from topology.verify.folder_source import FolderSource
from topology.verify.kafka_source import KafkaSource
from topology.verify.report import Report
from topology.verify.run import verify as verify_logs
from topology.verify.source import LogSource

EXIT_DIFFERENT: Final = 1
SHOWN_MAX: Final = 200
"""Differences that are listed as text; `--json` gives all."""


def verify(
    data: Annotated[Path | None, typer.Option("--data", envvar="WARDSTOCK_DATA", help="The embedded hub's folder.")] = None,
    config: Config = None,
    broker: Broker = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this site; raw belongs to no site and is left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Derive stock and needs from the logs a second time and compare; exit 1 when anything differs."""
    settings = load_settings(config, data=data, broker=broker)
    if settings.broker == EMBEDDED:
        source = _embedded(settings.data)
    else:
        source = KafkaSource(Connection(bootstrap_of(settings.broker), settings.kafka))
    try:
        report = verify_logs(source, site)
    finally:
        source.close()
    _print(report, report.summary(source.name, site), as_json=as_json)
    if report.differences:
        raise typer.Exit(EXIT_DIFFERENT)


def _embedded(data: Path) -> LogSource:
    """The hub that runs on the folder, or else the folder."""
    running = running_hub(data)
    if running is not None:
        return ApiSource(str(running["url"]), str(running.get("token", "")))
    return FolderSource(data)


def _print(report: Report, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        for one in report.differences:
            sys.stdout.write(json.dumps(msgspec.to_builtins(one), ensure_ascii=False) + "\n")
        sys.stdout.write(json.dumps({"summary": summary}, ensure_ascii=False) + "\n")
        return
    for one in report.differences[:SHOWN_MAX]:
        sys.stdout.write(f"{one.found:<10} {one.check}: {one.text}\n")
    if len(report.differences) > SHOWN_MAX:
        sys.stdout.write(f"… and {len(report.differences) - SHOWN_MAX} more (--json lists all)\n")
    for line in _window(summary):
        sys.stdout.write(line + "\n")


def _window(summary: dict[str, Any]) -> list[str]:
    """What was covered, and the verdict as the last line."""
    covered = summary["partitions"]
    ticks = f"ticks {summary['from']} to {summary['to']}" if summary["from"] else "no tick yet"
    lines = [f"window: {summary['source']}, {len(covered)} partitions of site.log, {ticks}"]
    lines += [
        f"  partition {one['partition']}: offsets {one['first_offset']} to {one['last_offset']}, {one['events']:,} events"
        for one in covered
    ]
    lines += [
        f"  raw[{partition}] begins at {offset}: what was older is gone and was not checked"
        for partition, offset in summary["raw_begins"].items()
    ]
    if not summary["raw_checked"]:
        lines.append(f"  only site {summary['site']}; raw messages and outcomes belong to no site and were not checked")
    for name, text in (
        ("moved_on", "keys moved on during the check and were not compared"),
        ("in_flight", "items or needs were still on their way"),
        ("set_aside", "events had been put into quarantine by the hub itself (handler_fault) and were left out"),
    ):
        if summary[name]:
            lines.append(f"  {summary[name]:,} {text}")
    lines.append(
        f"verified: {summary['events']:,} events, {summary['balances']:,} balances, {summary['needs']:,} needs: "
        f"{summary['differences']:,} differences, {summary['missing']:,} missing, {summary['duplicated']:,} duplicated"
    )
    return lines
