"""Site time as integers: seconds since 1970 UTC in, the texts of the wire formats out.

Owns the conversion between instants and local texts; it reads no clock. Texts are cached by quarter of an hour, the finest
step of any zone's offset, because formatting is most of the work of writing a message.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400
HOUR: Final = 3_600
_QUARTER: Final = 900
_CACHE_MAX: Final = 2_048


def instant(ms: int) -> datetime:
    """The UTC datetime of milliseconds since 1970, exact."""
    return EPOCH + timedelta(milliseconds=ms)


@lru_cache(maxsize=256)
def _day_text(day: int) -> str:
    return (EPOCH + timedelta(days=day)).date().isoformat()


def utc_text(t: int) -> str:
    """RFC 3339 in UTC, to the second."""
    day, second = divmod(t, DAY)
    return f"{_day_text(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


class LocalClock:
    """Local texts of one site. `with_offset`: HL7 times carry their UTC offset (HL7 v2.5.1 §2.A.77, data type TS)."""

    __slots__ = ("_quarters", "with_offset", "zone")

    def __init__(self, zone: str, *, with_offset: bool) -> None:
        """`zone` is an IANA name."""
        self.zone = ZoneInfo(zone)
        self.with_offset = with_offset
        self._quarters: dict[int, tuple[str, str, int, str, str]] = {}

    def _quarter(self, number: int) -> tuple[str, str, int, str, str]:
        """HL7 and ISO text up to the hour, first minute, HL7 offset, ISO offset of a quarter of an hour."""
        local = (EPOCH + timedelta(seconds=number * _QUARTER)).astimezone(self.zone)
        iso_offset = local.isoformat()[-6:]
        # In the hour that happens twice, a time without an offset would name two instants: there the offset is always written.
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        hl7_offset = iso_offset.replace(":", "") if self.with_offset or twice else ""
        if len(self._quarters) >= _CACHE_MAX:
            self._quarters.clear()
        entry = (local.strftime("%Y%m%d%H"), local.strftime("%Y-%m-%dT%H"), local.minute, hl7_offset, iso_offset)
        self._quarters[number] = entry
        return entry

    def hl7(self, t: int) -> str:
        """An HL7 time stamp, YYYYMMDDHHMMSS with or without offset."""
        number, second = divmod(t, _QUARTER)
        text, _, minute, offset, _ = self._quarters.get(number) or self._quarter(number)
        return f"{text}{minute + second // 60:02d}{second % 60:02d}{offset}"

    def iso(self, t: int) -> str:
        """ISO 8601 local time with offset."""
        number, second = divmod(t, _QUARTER)
        _, text, minute, _, offset = self._quarters.get(number) or self._quarter(number)
        return f"{text}:{minute + second // 60:02d}:{second % 60:02d}{offset}"

    def midnight(self, day: date) -> int:
        """The instant at which `day` begins at the site."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def is_midnight(self, t: int) -> bool:
        """Whether a local day begins at `t`."""
        if t % _QUARTER:
            return False
        local = (EPOCH + timedelta(seconds=t)).astimezone(self.zone)
        return t == self.midnight(local.date())

    def local_date(self, t: int) -> date:
        """The site's calendar date at `t`."""
        return (EPOCH + timedelta(seconds=t)).astimezone(self.zone).date()

    def weekday(self, t: int) -> int:
        """Monday is 0."""
        return self.local_date(t).weekday()
