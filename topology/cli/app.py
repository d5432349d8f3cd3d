"""`wardstock`: the commands put together, and the one place where errors become sentences."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

import typer

from connectors.json_text import is_text
from streams.state import StateUnreadableError
from topology.cli import (
    controlled,
    downtime,
    edge,
    finance,
    golive,
    hl7,
    hub,
    ingest,
    master,
    migrate,
    profile,
    read,
    recall,
    recall_files,
    reference,
    schemas,
    simulate,
    topics,
    vault,
    verify,
)
from topology.cli.consumption import consumption
from topology.cli.kpis import kpis
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
reference_app.command("par-list")(reference.par_list)
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
master_app = typer.Typer(help="Changes of the item master: proposed, checked, approved, taken back.", no_args_is_help=True)
for name, step in (
    ("import", master.import_files), ("propose", master.propose), ("list", master.list_changes), ("diff", master.show),
    ("approve", master.approve), ("reject", master.reject), ("withdraw", master.withdraw), ("revert", master.revert),
):  # fmt: skip
    master_app.command(name)(step)
app.add_typer(master_app, name="master")
finance_app = typer.Typer(help="What stock is worth, and what is posted of it.", no_args_is_help=True)
for name, question in (
    ("valuation", finance.valuation), ("turns", finance.turns), ("journal", finance.journal),
    ("charges", finance.charges), ("credits", finance.credit), ("check", finance.check),
):  # fmt: skip
    finance_app.command(name)(question)
app.add_typer(finance_app, name="finance")
downtime_app = typer.Typer(help="Downtime: packs to print, paper keyed in, and what disagrees.", no_args_is_help=True)
for title, deed in (
    ("pack", downtime.pack), ("start", downtime.start), ("stop", downtime.stop), ("list", downtime.list_periods),
    ("enter", downtime.enter), ("reconcile", downtime.reconcile), ("approve", downtime.approve), ("dispute", downtime.dispute),
):  # fmt: skip
    downtime_app.command(title)(deed)
app.add_typer(downtime_app, name="downtime")
golive_app = typer.Typer(help="Going live: opening counts, shadow time, comparison, cut-over and back.", no_args_is_help=True)
steps: tuple[tuple[str, Callable[..., None]], ...] = (
    ("prepare", golive.prepare), ("count", golive.count), ("empty", golive.empty), ("uncount", golive.uncount),
    ("counts", golive.counts), ("shadow", golive.shadow), ("compare", golive.compare), ("status", golive.status),
    ("cut-over", golive.cut_over), ("roll-back", golive.roll_back), ("report", golive.report),
)  # fmt: skip
for title, taken in steps:
    golive_app.command(title)(taken)
app.add_typer(golive_app, name="golive")
recall_app = typer.Typer(help="Recalls: notices, and whom and what they concern.", no_args_is_help=True)
recall_app.command("list")(recall.list_notices)
recall_app.command("show")(recall.show)
recall_app.command("lookback")(recall.lookback)
recall_app.command("read")(recall_files.read)
recall_app.command("confirm")(recall_files.confirm)
app.add_typer(recall_app, name="recall")
controlled_app = typer.Typer(help="Controlled substances: balances, evidence, inventories, forms, scores.", no_args_is_help=True)
for title, task in (
    ("balance", controlled.balance), ("evidence", controlled.evidence), ("inventory", controlled.inventory),
    ("inventory-taken", controlled.inventory_taken), ("form41", controlled.form41), ("form106", controlled.form106),
    ("scores", controlled.scores),
):  # fmt: skip
    controlled_app.command(title)(task)
app.add_typer(controlled_app, name="controlled")
vault_app = typer.Typer(help="The identity vault: patients behind their hashes.", no_args_is_help=True)
vault_app.command("log")(vault.log)
app.add_typer(vault_app, name="vault")
hl7_app = typer.Typer(help="HL7 v2 messages in words.", no_args_is_help=True)
hl7_app.command("explain")(hl7.explain)
app.add_typer(hl7_app, name="hl7")
topics_app = typer.Typer(help="The topics a hub needs on Kafka.", no_args_is_help=True)
topics_app.command("plan")(topics.plan)
topics_app.command("apply")(topics.apply)
app.add_typer(topics_app, name="topics")
for name, command in (
    ("run", hub.run), ("demo", hub.demo), ("ingest", ingest.ingest), ("stock", read.stock), ("commands", read.commands),
    ("cases", read.cases), ("outcomes", read.outcomes), ("holds", read.holds), ("alerts", read.alerts),
    ("positions", read.positions),
    ("expiring", read.expiring), ("trace", read.trace), ("transfers", read.transfers), ("explain", read.explain),
    ("simulate", simulate.simulate), ("schemas", schemas.write), ("migrate", migrate.migrate),
    ("verify", verify.verify), ("edge", edge.edge), ("kpis", kpis), ("consumption", consumption),
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
    except UnicodeEncodeError:
        # Bytes of the command line that are no UTF-8 come as half characters; whatever writes them to a log or a table raises.
        wrong = next((argument for argument in sys.argv[1:] if not is_text(argument)), None)
        if wrong is None:
            raise
        sys.stderr.write(f"wardstock: {ascii(os.fsencode(wrong))[1:]} is not UTF-8 text: write it in UTF-8\n")
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
