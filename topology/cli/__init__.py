"""The command line. Nothing here prints a traceback at a user: what can't be done is a sentence and exit code 1."""

from topology.cli.app import main

__all__ = ["main"]
