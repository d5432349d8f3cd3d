"""The indicators: name, formula in words and symbols, unit, source, target. Text and constants; computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `scale` multiplies the ratio; `per_day` divides the denominator by the days covered."""

    name: str
    formula: str
    numerator: str
    denominator: str
    unit: str
    source: str
    nothing: str
    """Why there is no value when the denominator is 0."""
    target: str | None = None
    scale: int = 1
    places: int = 2
    per_day: bool = False


ACCURACY: Final = "inventory_accuracy"
STOCK_OUTS: Final = "stock_out_frequency"
STOCK_OUT_DAYS: Final = "stock_out_days"
WRITE_OFFS: Final = "expiry_write_off_rate"
AVAILABLE: Final = "receiving_to_available_time"
RESPONSE: Final = "shortage_response_time"
TRANSFERS: Final = "transfer_efficiency"
FILL_UNITS: Final = "supplier_fill_units"
FILL_LINES: Final = "supplier_fill_lines"
STANDARD: Final = "standard_workflow_share"

INDICATORS: Final[dict[str, Indicator]] = {
    each.name: each
    for each in (
        Indicator(
            ACCURACY, "exact ÷ counted × 100: counts of an item at a place whose net variance is 0 in every lot, of all counts",
            "counts without variance", "counts", "%", "common practice; tolerance 0 for every item, as for controlled substances",
            "nothing was counted", scale=100,
        ),
        Indicator(
            STOCK_OUTS, "outs ÷ lines × 100: falls of usable stock from above 0 to 0 or less at a place with a par policy, "
            "per line given to a patient",
            "stock-outs", "lines given", "%", "cabinet stock-out rate (stock-outs ÷ vends, Walczyk); OntarioBUYS metric 4.1",
            "no line was given to a patient", target="≤ 1", scale=100,
        ),
        Indicator(
            STOCK_OUT_DAYS, "days out ÷ days × 30: days that ended without usable stock at a place with a par policy, "
            "as days of a month of 30",
            "days out of stock", "days", "days of 30", "OpenLMIS stock-out days (OLMIS-8071)", "no day ended yet", scale=30,
            places=1,
        ),
        Indicator(
            WRITE_OFFS, "expired ÷ (Σ value on hand × days ÷ days covered) × 100: value destroyed because of expiry, "
            "over average inventory",
            "value written off", "value on hand × days", "%", "expiry loss over average inventory; common practice",
            "nothing with a known cost was on hand", scale=100, per_day=True,
        ),
        Indicator(
            AVAILABLE, "Σ units × wait ÷ Σ units: mean wait of a received unit until it lies where it may be used, "
            "first in first out by lot; 0 when received straight into such a place",
            "unit-minutes of waiting", "units made available", "min", "the hub's definition", "nothing received became available",
            places=1,
        ),
        Indicator(
            RESPONSE, "Σ wait ÷ needs: mean time from a need's opening to the first supply of the item at the place, "
            "or to its closing",
            "minutes of waiting", "needs answered", "min", "the hub's definition", "no need was answered", places=1,
        ),
        Indicator(
            TRANSFERS, "on time ÷ sent × 100: units that reached a place within 24 hours, of units sent into transit and due, "
            "first in first out by lot",
            "units received on time", "units sent", "%", "the hub's definition", "nothing sent was due", scale=100,
        ),
        Indicator(
            FILL_UNITS, "received ÷ ordered × 100: units received on purchase commands that are due, at most what each ordered",
            "units received", "units ordered", "%", "unit fill rate; common practice", "no purchase was due", scale=100,
        ),
        Indicator(
            FILL_LINES, "full ÷ lines × 100: purchase commands that are due and were received in full",
            "lines in full", "lines ordered", "%", "line fill rate; common practice", "no purchase was due", scale=100,
        ),
        Indicator(
            STANDARD, "standard ÷ all × 100: transactions that posted, were not on override, not without source or destination, "
            "not taken back and broke no rule, of all that posted, are held or in quarantine",
            "standard transactions", "transactions", "%", "the hub's definition", "no transaction was received", scale=100,
        ),
    )
}  # fmt: skip
"""In the order they are shown. Stock-out frequency is two of them, and supplier fill performance: units and lines in full."""
