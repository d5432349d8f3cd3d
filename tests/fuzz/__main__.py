"""`make fuzz`: a million mutations over all cores. It stops by itself; 0 when every promise held."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import sys
from collections import Counter

from tests.fuzz.check import BrokenPromiseError, run
from tests.fuzz.corpus import seeds

CHUNK = 2_000


def _chunk(seed: int) -> tuple[str, Counter[str]]:
    try:
        return "", run(seed, CHUNK, seeds())
    except BrokenPromiseError as error:
        return str(error), Counter()


def main() -> None:
    """Run chunks until all are done or one has failed."""
    count = int(os.environ.get("WARDSTOCK_FUZZ", "1000000"))
    first = int(os.environ.get("WARDSTOCK_FUZZ_SEED", str(secrets.randbelow(10**9))))
    chunks = max(1, count // CHUNK)
    total: Counter[str] = Counter()
    with multiprocessing.Pool() as pool:
        for done, (failed, ended) in enumerate(pool.imap_unordered(_chunk, range(first, first + chunks)), start=1):
            if failed:
                sys.stderr.write(f"{failed}\n")
                pool.terminate()
                sys.exit(1)
            total += ended
            if done % 25 == 0 or done == chunks:
                sys.stdout.write(f"{done * CHUNK:,} messages, {sum(total.values()):,} items\n")
                sys.stdout.flush()
    for name, number in total.most_common(40):
        sys.stdout.write(f"{number:>10,} {name}\n")


if __name__ == "__main__":
    main()
