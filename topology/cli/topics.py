"""`wardstock topics plan|apply`: the topics a hub needs on Kafka, compared with what is there."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from topology.cli.options import Broker, Config
from topology.errors import HubError, InputRefusedError
from topology.kafka.connection import Connection, bootstrap_of
from topology.kafka.topics import Change, TopicAdmin, wanted
from topology.processors import build_processors
from topology.settings import EMBEDDED, load_settings


def plan(config: Config = None, broker: Broker = None) -> None:
    """Show what is missing or different; change nothing."""
    changes = _run(config, broker, carry_out=False)
    if not changes:
        typer.echo("all topics are as they must be")


def apply(config: Config = None, broker: Broker = None) -> None:
    """Create what is missing and set what differs. Deletes nothing, changes no partition count."""
    changes = _run(config, broker, carry_out=True)
    refused = [change for change in changes if change.action == "refused"]
    typer.echo(f"{len(changes) - len(refused)} changes made")
    if refused:
        msg = f"{len(refused)} differences were left for you: see above"
        raise HubError(msg)


def _run(config: Config, broker: Broker, *, carry_out: bool) -> Sequence[Change]:
    settings = load_settings(config, broker=broker)
    if settings.broker == EMBEDDED:
        msg = "the embedded hub needs no topics: name a broker with --broker kafka://host:port"
        raise InputRefusedError(msg)
    connection = Connection(bootstrap_of(settings.broker), settings.kafka)
    plans = wanted(build_processors(b""), settings.kafka)
    admin = TopicAdmin(connection)
    changes = admin.apply(plans) if carry_out else admin.plan(plans)
    for change in changes:
        typer.echo(f"{change.action:<10} {change.topic}: {change.text}")
    return changes
