"""`wardstock migrate`: an embedded hub goes on on Kafka."""

from __future__ import annotations

import typer

from topology.cli.options import DEFAULT_DATA, Broker, Config, Data
from topology.embedded.folder import DataFolder, is_hub_folder
from topology.errors import InputRefusedError
from topology.settings import EMBEDDED, load_settings


def migrate(data: Data = DEFAULT_DATA, config: Config = None, broker: Broker = None) -> None:
    """Carry a stopped embedded hub's log and state to Kafka; run again, it goes on where it was interrupted."""
    from topology.kafka.connection import Connection, bootstrap_of
    from topology.migrate import move

    settings = load_settings(config, broker=broker)
    if settings.broker == EMBEDDED:
        msg = "name the Kafka to move to: --broker kafka://host:port, or broker in the settings"
        raise InputRefusedError(msg)
    if not is_hub_folder(data):
        msg = f"{data} is no embedded hub's folder: name it with --data"
        raise InputRefusedError(msg)
    folder = DataFolder(data, closed_too=True)
    try:
        moved = move(folder, Connection(bootstrap_of(settings.broker), settings.kafka), settings, typer.echo)
    finally:
        folder.close()
    typer.echo(
        f"moved: {moved.written:,} records written, {moved.found:,} found there, {moved.values:,} values of state. "
        f"Start it with `wardstock run --broker {settings.broker}` and another --data; {data} stays as it is, closed"
    )
