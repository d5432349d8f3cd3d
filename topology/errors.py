"""Errors that end a command with a sentence and exit code 1.

HubError
├── FolderRefusedError   a data folder can't be used as it is: foreign, damaged, other format, already in use
├── HubUnreachableError  a running hub does not answer
└── InputRefusedError    what the user gave can't be used
    └── UnknownNameError     it names something that is not there
"""

from __future__ import annotations


class HubError(Exception):
    """Something a person must act on; the text says what."""


class FolderRefusedError(HubError):
    """The data folder can't be used as it is."""


class HubUnreachableError(HubError):
    """A running hub does not answer."""


class InputRefusedError(HubError):
    """What the user gave can't be used."""


class UnknownNameError(InputRefusedError):
    """What the user named is not there."""
