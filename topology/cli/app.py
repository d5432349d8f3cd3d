"""`wardstock`: the commands put together, and the one place where errors become sentences."""

from __future__ import annotations

import os
import sys
from typing import Final

import typer

from streams.state import StateUnreadableError
from topology.cli import edge, hl7, hub, ingest, migrate, profile, read, reference, schemas, simulate, topics, verify
from topology.collector import collect_seldom
from topology.errors import HubError

EXIT_REFUSED: Final = 1

app = typer.Typer(
    name="wardstock",
    help="Hospital pharmacy stock from the feeds you already have: nothing lost, counted once, explained.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
reference_app = typer.Typer(help="Reference data: sites, places, items, policies, suppliers, people.", no_args_is_help=True)
reference_app.command("load")(reference.load)
quarantine_app = typer.Typer(help="What could not be understood.", invoke_without_command=True)
quarantine_app.callback()(read.quarantine)
quarantine_app.command("replay")(ingest.quarantine_replay)
app.add_typer(reference_app, name="reference")
app.add_typer(quarantine_app, name="quarantine")
profile_app = typer.Typer(help="Profiles: how sources of HL7 v2 write what they mean.", no_args_is_help=True)
profile_app.command("list")(profile.list_profiles)
profile_app.command("test")(profile.try_profile)
profile_app.command("learn")(profile.learn_profile)
app.add_typer(profile_app, name="profile")
hl7_app = typer.Typer(help="HL7 v2 messages in words.", no_args_is_help=True)
hl7_app.command("explain")(hl7.explain)
app.add_typer(hl7_app, name="hl7")
topics_app = typer.Typer(help="The topics a hub needs on Kafka.", no_args_is_help=True)
topics_app.command("plan")(topics.plan)
topics_app.command("apply")(topics.apply)
app.add_typer(topics_app, name="topics")
for name, command in (
    ("run", hub.run), ("demo", hub.demo), ("ingest", ingest.ingest), ("stock", read.stock), ("commands", read.commands),
    ("cases", read.cases), ("holds", read.holds), ("alerts", read.alerts), ("positions", read.positions), ("trace", read.trace),
    ("explain", read.explain), ("simulate", simulate.simulate), ("schemas", schemas.write), ("migrate", migrate.migrate),
    ("verify", verify.verify), ("edge", edge.edge),
):  # fmt: skip
    app.command(name)(command)


def main() -> None:
    """Run a command; a refusal is a sentence on standard error and exit code 1."""
    collect_seldom()
    try:
        app()
    except HubError as error:
        sys.stderr.write(f"wardstock: {error}\n")
        sys.exit(EXIT_REFUSED)
    except StateUnreadableError as error:
        sys.stderr.write(f"wardstock: the hub's state can't be read (table {error}): restore its folder from a backup\n")
        sys.exit(EXIT_REFUSED)
    except BrokenPipeError:
        # The reader of our output (head, less) went away: not an error. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"wardstock: {place}{error.strerror or type(error).__name__}\n")
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)
