"""The edges of a report: where two reports may each hold a part of one minute, and rows without an id can't be told apart.

A report covers the time from its first row to its last. Of every time between them it lists all rows, so that the n-th of equal
rows is the n-th in every report that covers it. Of its last time it may list only the first ones (the minute was not over when
it was made), of its first time only the last ones. The first ones are numbered as in a whole list; so are two lists that both
begin, or both end, at that time. Only where one report ends and another begins at one time can nobody know whether equal rows
are the same transaction or two. Rows at an edge therefore state which edge as their `control_id`: when the same row comes again
from the other edge, it counts once and the identity stage opens the case `ambiguous_duplicate`. A report of one time alone has
both edges; only the same bytes again are taken for the same report. Where a row states a number of the device or what was there
before, that is a part of its key and tells it apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Final

from schemas.events import StockEvent
from schemas.mapping import Mapped
from schemas.report import REPORT_EDGE

BEGINNING: Final = f"{REPORT_EDGE} (its first minute)"
END: Final = f"{REPORT_EDGE} (its last minute)"
_DIGITS_SHOWN: Final = 12


def marked(results: list[Mapped], nameless: Collection[int], sha256: str) -> list[Mapped]:
    """The results of a report; events of rows without an id (by index) that stand at an edge say so. `sha256` is the report's."""
    if not nameless:
        return results
    times = [result.occurred for result in results if isinstance(result, StockEvent)]
    if not times:
        return results
    first, last = min(times), max(times)
    whole = f"{REPORT_EDGE} (of one minute, {sha256[:_DIGITS_SHOWN]})" if first == last else ""
    edges = {first: whole or BEGINNING, last: whole or END}
    return [
        dataclasses.replace(result, control_id=edges[result.occurred])
        if index in nameless and isinstance(result, StockEvent) and result.occurred in edges
        else result
        for index, result in enumerate(results)
    ]
