"""Ids and fingerprints depend on the facts and on nothing else."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import derived_id, fingerprint

ROOT = Path(__file__).resolve().parents[3]
PARTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f")) | st.integers() | st.none(), max_size=4)


@given(PARTS)
def test_the_same_parts_give_the_same_id_and_it_is_a_version_5_uuid(parts):
    assert derived_id("event", *parts) == derived_id("event", *parts)
    assert uuid.UUID(derived_id("event", *parts)).version == 5
    assert fingerprint(*parts) == fingerprint(*parts)


def test_the_kind_and_the_cut_between_parts_matter():
    assert derived_id("event", "a", "b") != derived_id("movement", "a", "b")
    assert derived_id("event", "ab", "c") != derived_id("event", "a", "bc")
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_missing_part_is_the_empty_text():
    assert derived_id("event", None) == derived_id("event", "")


def test_another_process_with_another_hash_seed_gives_the_same_id():
    program = "from schemas.ids import derived_id, fingerprint; print(derived_id('event', 'mercy', 7), fingerprint('a', 1))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "99"}, cwd=ROOT
    )
    assert run.stdout.split() == [derived_id("event", "mercy", 7), fingerprint("a", 1)]
