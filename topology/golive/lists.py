"""The other system's list out of a file: a CSV with the columns of a stock list, or a report that a profile reads.

A profile is one of `docs/reports.md` whose rows are counts; what it reads is compared, and never posted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connectors.json_items import Fault
from connectors.report.reader import rows_of
from connectors.report.row import Read, read_row
from topology.errors import InputRefusedError
from topology.profile_files import open_profile

BYTES_MAX: Final = 8 * 1024 * 1024


def rows_by_profile(file: Path, name: str) -> list[dict[str, str]]:
    """Rows of a report as rows of a stock list. Raises `InputRefusedError` with the line that can't be read."""
    compiled = open_profile(name)
    if compiled.report is None:
        msg = f"profile {compiled.id} describes no report: name one that has a `report`"
        raise InputRefusedError(msg)
    if file.stat().st_size > BYTES_MAX:
        msg = f"{file} is over {BYTES_MAX} bytes: export it in parts"
        raise InputRefusedError(msg)
    found: list[dict[str, str]] = []
    line = 0
    try:
        for row in rows_of(file.read_bytes(), compiled.report):
            line = row.line
            read = read_row(row, compiled.report, compiled.units)
            if isinstance(read, Read):
                one = read.transaction
                found.append(
                    {
                        "location": one.device, "pocket": one.pocket, "code": one.product_code, "lot": one.lot or "",
                        "expiry": one.expiry.isoformat() if one.expiry else "", "quantity": f"{one.quantity:f}", "unit": one.unit,
                    }
                )  # fmt: skip
    except Fault as fault:
        where = "" if fault.reason.startswith("line ") or not line else f"line {line}: "
        msg = f"{file}: {where}{fault.reason}"
        raise InputRefusedError(msg) from None
    if not found:
        msg = f"{file} holds no row of stock"
        raise InputRefusedError(msg)
    return found
