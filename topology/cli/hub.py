"""`wardstock run` and `wardstock demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connectors.simulator.knobs import BEDS_MAX
from topology.cli.options import DEMO_DATA, Broker
from topology.errors import InputRefusedError
from topology.settings import EMBEDDED, load_settings

DataOption = Annotated[Path | None, typer.Option("--data", envvar="WARDSTOCK_DATA", help="The embedded hub's folder.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")]
HttpPort = Annotated[int | None, typer.Option("--http-port", help="Tower, feeds, local API; 0 takes a free one.")]
MllpPort = Annotated[int | None, typer.Option("--mllp-port", help="HL7 v2 over MLLP; 0 takes a free one.")]


def run(
    config: ConfigOption = None,
    data: DataOption = None,
    http_port: HttpPort = None,
    mllp_port: MllpPort = None,
    broker: Broker = None,
    role: Annotated[str, typer.Option("--role", help="On Kafka: all, feeds (and tower), or work.")] = "all",
    workers: Annotated[int, typer.Option("--workers", min=1, help="On Kafka, role all: processes that fold.")] = 1,
    downtime_packs: Annotated[
        Path | None, typer.Option("--downtime-packs", help="Folder that downtime packs are kept fresh in, one folder a site.")
    ] = None,
) -> None:
    """Run the hub until it is stopped."""
    settings = load_settings(
        config, data=data, http_port=http_port, mllp_port=mllp_port, broker=broker, downtime_packs=downtime_packs
    )
    if settings.broker != EMBEDDED:
        from topology.kafka.roles import run_on_kafka

        run_on_kafka(settings, role=role, workers=workers, config=config, say=typer.echo)
        return
    if role != "all":
        msg = "an embedded hub has no roles: it does everything in one process (roles are for --broker kafka://…)"
        raise InputRefusedError(msg)
    from topology.serve import serve

    serve(settings, say=typer.echo)


def demo(
    data: DataOption = DEMO_DATA,
    http_port: HttpPort = None,
    mllp_port: MllpPort = None,
    beds: Annotated[int, typer.Option("--beds", min=2, max=BEDS_MAX, help="Beds of each of the three simulated sites.")] = 120,
    history_days: Annotated[int, typer.Option("--history-days", min=0, max=365, help="Days already past when it starts.")] = 3,
    seed: Annotated[int, typer.Option("--seed")] = 1,
) -> None:
    """Run the hub with a simulated network of three hospitals, live, through real MLLP and HTTP."""
    from topology.demo import run_demo

    settings = load_settings(None, data=data, http_port=http_port, mllp_port=mllp_port, title="Wardstock demo")
    run_demo(settings, beds=beds, history_days=history_days, seed=seed, say=typer.echo)
