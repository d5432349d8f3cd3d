"""The downtime desk: a period from its start to its end, paper keyed in, and every disagreement until somebody has decided on it.

Every step is a record in the log. What moves stock (a line of paper, taking one back) goes through the same intake as everything
else. Nothing is remembered between calls: what the hub's tables say counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from threading import RLock
from typing import Any, Final, Protocol, TypeVar, cast

from schemas.codec import encode
from schemas.downtime import Downtime, DowntimeFinding, FindingState, PaperLine
from schemas.ids import derived_id, fingerprint
from schemas.paper import ENTRIES_MAX, PaperActivity, PaperEntry, paper_key, paper_source
from schemas.raw import PAPER_JSON, YEAR_MAX, YEAR_MIN, RawMessage
from schemas.reference import Role
from sinks.sql.views import Views
from topology.downtime.entry import CLOCK, MARGIN, Taken, read_row
from topology.downtime.findings import Compared, compare, merged
from topology.downtime.known import KINDS, Known, UnclearError
from topology.downtime.ledger import device_lines, paper_lines, taken_back
from topology.downtime.matching import TOLERANCE_MINUTES
from topology.errors import InputRefusedError, UnknownNameError
from topology.reference_files.model import ReferenceRecord
from topology.reference_known import records_of
from topology.role_words import how_to_get

S = TypeVar("S", bound=Callable[..., Any])
APPROVER: Final = "pharmacist"


class DowntimeHub(Protocol):
    """What the desk needs of a hub. Its tables must be up to what is durable before each step."""

    @property
    def views(self) -> Views:
        """The projection's views."""

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records in one transaction; returns when every partition has them."""

    def ingest(self, messages: Sequence[RawMessage]) -> list[list[dict[str, Any]]]:
        """Store messages and wait until their items have ended: per message, its items' lines."""


def _alone(step: S) -> S:
    """One step of a desk at a time: what a step has read is still so when it writes."""

    @wraps(step)
    def alone(self: DowntimeDesk, *args: Any, **kwargs: Any) -> Any:
        with self._one:
            return step(self, *args, **kwargs)

    return cast("S", alone)


class DowntimeDesk:
    """Steps of downtimes. Raises `InputRefusedError` with the reason where one is not allowed."""

    def __init__(self, hub: DowntimeHub) -> None:
        """Steps of one desk follow each other, whoever takes them."""
        self._hub = hub
        self._one = RLock()

    # ---- periods -------------------------------------------------------------------------------------------------

    @_alone
    def start(self, *, site: str, by: str, reason: str, now: datetime, at: datetime | None = None) -> Downtime:
        """Begin a downtime, now or at the time when it really began."""
        periods = self.periods()
        if site not in {row["id"] for row in self._hub.views.sites()}:
            msg = f"there is no site {site}"
            raise UnknownNameError(msg)
        running = next((one for one in periods if one.site == site and one.ended_at is None), None)
        if running is not None:
            msg = f"downtime {running.id} of {site} goes on since {running.started_at.isoformat()}: stop it first"
            raise InputRefusedError(msg)
        self._roles(site, by)
        number = max((int(one.id[1:]) for one in periods if one.id[1:].isdigit()), default=0) + 1
        began = _moment(at, now)
        for one in periods:
            if one.site == site and one.ended_at is not None and one.started_at <= began < one.ended_at:
                msg = (
                    f"downtime {one.id} of {site} went from {one.started_at.isoformat()} to {one.ended_at.isoformat()}: "
                    f"another can't begin within it, {began.isoformat()}"
                )
                raise InputRefusedError(msg)
        made = Downtime(id=f"d{number}", site=site, started_at=began, started_by=by, reason=reason.strip(), recorded_at=now)
        self._hub.load_reference([("downtime", made.id, made)])
        return made

    @_alone
    def stop(self, *, site: str, by: str, now: datetime, at: datetime | None = None) -> Downtime:
        """End the downtime of a site, now or at the time when it really ended."""
        running = next((one for one in self.periods() if one.site == site and one.ended_at is None), None)
        if running is None:
            msg = f"site {site} is in no downtime: `wardstock downtime list` names them"
            raise InputRefusedError(msg)
        self._roles(site, by)
        ended = _moment(at, now)
        if ended < running.started_at:
            msg = f"downtime {running.id} began {running.started_at.isoformat()}: it can't end before"
            raise InputRefusedError(msg)
        for one in self.periods():
            if one.site == site and one.id != running.id and running.started_at < one.started_at < ended:
                began = one.started_at.isoformat()
                msg = f"downtime {one.id} of {site} began {began}: say with --at when {running.id} ended before it"
                raise InputRefusedError(msg)
        done = replace(running, ended_at=ended, ended_by=by)
        self._hub.load_reference([("downtime", done.id, done)])
        return done

    def periods(self) -> list[Downtime]:
        """All downtimes, the oldest first."""
        found = [one for one in self._records("downtime") if isinstance(one, Downtime)]
        return sorted(found, key=lambda one: (len(one.id), one.id))

    def period(self, id_: str) -> Downtime:
        """One downtime. Raises `UnknownNameError` when there is none of this id."""
        found = next((one for one in self.periods() if one.id == id_), None)
        if found is None:
            msg = f"there is no downtime {id_}: `wardstock downtime list` names them"
            raise UnknownNameError(msg)
        return found

    # ---- paper ---------------------------------------------------------------------------------------------------

    @_alone
    def enter(self, period_id: str, rows: Sequence[Mapping[str, str]], *, by: str, now: datetime) -> list[dict[str, Any]]:
        """Key rows of paper in: per row what became of it. One that is unclear is refused by name, the others are taken."""
        period = self.period(period_id)
        self._roles(period.site, by)
        views = self._hub.views
        known = Known(period.site, [record for kind in KINDS for record in records_of(kind, views.reference(kind))])
        held = {(one.form, one.line): one for one in self._lines(period.id)}
        elsewhere = {(one.form, one.line): one for one in self._lines_of(period.site) if one.period != period.id}
        answers: list[dict[str, Any]] = []
        taken: list[tuple[int, Taken]] = []
        for number, cells in enumerate(rows):
            answers.append({"row": number + 1, "form": cells.get("form") or "", "line": cells.get("line") or ""})
            try:
                one = read_row(cells, period, known, self._pockets(views, period.site), by=by, now=now)
                if (one.line.form, one.line.line) not in held:
                    _new_at_site(one.line, elsewhere)
                before = held.setdefault((one.line.form, one.line.line), one.line)
                _same(before, one.line)
            except UnclearError as error:
                answers[-1].update(outcome="refused", code="refused", reason=str(error))
            else:
                taken.append((number, one))
        self._take(period, taken, answers, {one.event_id for one in self._lines(period.id)}, now)
        return answers

    def _take(
        self, period: Downtime, taken: Sequence[tuple[int, Taken]], answers: list[dict[str, Any]], kept: set[str], now: datetime
    ) -> None:  # fmt: skip
        """The record first, then the entry: one that is lost between the two is told as such, and keyed again."""
        new = {one.line.event_id: one.line for _, one in taken if one.line.event_id not in kept}
        if new:
            records = [("paper_line", f"{line.period}|{line.form}|{line.line}", line) for line in new.values()]
            self._hub.load_reference(records)
        for start in range(0, len(taken), ENTRIES_MAX):
            part = taken[start : start + ENTRIES_MAX]
            (ended,) = self._hub.ingest([_message(period, [one.entry for _, one in part], now)])
            for (number, one), item in zip(part, ended, strict=True):
                told = {name: item[name] for name in ("outcome", "code", "reason")}
                answers[number].update(told, location=one.line.location, item=one.line.item)

    def _pockets(self, views: Views, site: str) -> Callable[[str, str], list[str]]:
        return lambda place, item: [row["location"] for row in views.positions(site=site, item=item, location=place)]

    # ---- disagreements -------------------------------------------------------------------------------------------

    @_alone
    def reconcile(
        self, period_id: str, *, now: datetime, tolerance_minutes: int = TOLERANCE_MINUTES
    ) -> tuple[Compared, list[str]]:  # fmt: skip
        """Compare paper, devices and ledger; keep what is found. With what the reader must know beside it."""
        period = self.period(period_id)
        found = self._compared(period, now, timedelta(minutes=tolerance_minutes))
        stand, write = merged(self.findings(period.id), found.findings)
        if write:
            self._hub.load_reference([("downtime_finding", f"{one.period}|{one.number}", one) for one in write])
        return replace(found, findings=tuple(stand)), self._cautions(period)

    @_alone
    def approve(self, period_id: str, number: int, *, by: str, now: datetime, reason: str | None = None) -> DowntimeFinding:
        """Approve what is proposed for a finding, as a pharmacist who neither keyed nor did it. A line is taken back at once."""
        period = self.period(period_id)
        finding = next((one for one in self.findings(period.id) if one.number == number), None)
        if finding is None:
            msg = f"downtime {period.id} has no finding {number}: `wardstock downtime reconcile {period.id}` lists them"
            raise UnknownNameError(msg)
        if finding.state is not FindingState.OPEN:
            msg = f"finding {number} is {finding.state.value}" + (f" by {finding.decided_by}" if finding.decided_by else "")
            raise InputRefusedError(msg)
        if finding.proposal == "mend":
            msg = f"finding {number} needs no approval but a fact: {finding.text}"
            raise InputRefusedError(msg)
        if APPROVER not in self._roles(period.site, by):
            msg = f"{by} is no {APPROVER} of site {period.site}: {how_to_get(by, APPROVER, [period.site])}"
            raise InputRefusedError(msg)
        if by in finding.people:
            msg = f"{by} keyed, did or witnessed it: another {APPROVER} approves finding {number}"
            raise InputRefusedError(msg)
        self._not_in_dispute(period, finding)
        self._still_so(period, finding, now)
        if finding.proposal == "take_back":
            self._take_back(period, finding, by, now)
        done = replace(finding, state=FindingState.APPROVED, decided_by=by, decided_at=now, reason=reason)
        self._hub.load_reference([("downtime_finding", f"{done.period}|{done.number}", done)])
        return done

    def findings(self, period_id: str) -> list[DowntimeFinding]:
        """The findings of a period, as they were last kept."""
        found = [one for one in self._records("downtime_finding", f"{period_id}|") if isinstance(one, DowntimeFinding)]
        return sorted(found, key=lambda one: one.number)

    @_alone
    def dispute(self, period_id: str, form: str, line: int, *, by: str, reason: str, now: datetime) -> DowntimeFinding:
        """Say that a line was keyed wrong: it is proposed to be taken back, which another pharmacist approves."""
        period = self.period(period_id)
        self._roles(period.site, by)
        keyed = next((one for one in self._lines(period.id) if (one.form, one.line) == (form, line)), None)
        if keyed is None:
            msg = f"downtime {period.id} has no form {form} line {line}"
            raise UnknownNameError(msg)
        if not reason.strip():
            msg = "say why the line is wrong"
            raise InputRefusedError(msg)
        kept = self.findings(period.id)
        facts = fingerprint("disputed", form, line)
        before = next((one for one in kept if one.facts == facts), None)
        if before is not None and before.state is not FindingState.GONE:
            return before
        gone = next((one for one in kept if one.state is FindingState.APPROVED and _takes_back(one, form, line)), None)
        if gone is not None:
            msg = f"{form}/{line} was taken back for finding {gone.number}: there is nothing left to dispute"
            raise InputRefusedError(msg)
        text = f"paper {form}/{line} is wrong, says {by}: {reason.strip()}"
        made = DowntimeFinding(
            period=period.id, number=max((one.number for one in kept), default=0) + 1, subject=f"{form}/{line}", kind="disputed",
            text=text, proposal="take_back", state=FindingState.OPEN, found_at=now, facts=facts, tolerance_minutes=0, form=form,
            line=line, people=tuple(dict.fromkeys(name for name in (by, keyed.keyed_by, keyed.person, keyed.witness) if name)),
        )  # fmt: skip
        self._hub.load_reference([("downtime_finding", f"{made.period}|{made.number}", made)])
        return made

    # ---- within --------------------------------------------------------------------------------------------------

    def _not_in_dispute(self, period: Downtime, finding: DowntimeFinding) -> None:
        """Raise `InputRefusedError` where a line would be kept that somebody disputes, or taken back a second time."""
        if finding.form is None:
            return
        others = [
            one for one in self.findings(period.id)
            if (one.form, one.line) == (finding.form, finding.line) and one.number != finding.number
        ]  # fmt: skip
        for one in others:
            if finding.proposal == "keep" and one.kind == "disputed" and one.state is FindingState.OPEN:
                msg = f"{one.subject} is disputed: {one.text}. Decide finding {one.number} first"
                raise InputRefusedError(msg)
            if finding.kind == "disputed" and one.state is FindingState.APPROVED and _takes_back(one, one.form, one.line):
                msg = f"{one.subject} was taken back for finding {one.number}: reconcile {period.id} again"
                raise InputRefusedError(msg)

    def _still_so(self, period: Downtime, finding: DowntimeFinding, now: datetime) -> None:
        """Raise `InputRefusedError` when what was found is so no more: a cabinet may have cancelled its record since."""
        if finding.kind == "disputed" or self._done_before(period, finding):
            return
        found = self._compared(period, now, timedelta(minutes=finding.tolerance_minutes))
        if finding.facts not in {one.facts for one in found.findings}:
            msg = f"the facts of finding {finding.number} have changed since: reconcile {period.id} again"
            raise InputRefusedError(msg)

    def _done_before(self, period: Downtime, finding: DowntimeFinding) -> bool:
        """Whether the reversal of this very finding came in already, and only the decision was not written."""
        if finding.form is None or finding.line is None:
            return False
        back = derived_id("event", period.site, paper_key(period.id, finding.form, finding.line, finding.number))
        return any(back in row["event_ids"] for row in self._hub.views.ended(paper_source(period.id)))

    def _take_back(self, period: Downtime, finding: DowntimeFinding, by: str, now: datetime) -> None:
        """Publish the reversal. Its key names line and finding, so doing it again after a crash changes nothing."""
        line = next(one for one in self._lines(period.id) if (one.form, one.line) == (finding.form, finding.line))
        back = PaperEntry(
            period=period.id, form=line.form, line=line.line, activity=line.activity, occurred=line.occurred, code=line.item,
            location=line.location, quantity=line.quantity, unit=line.unit, user=by, to_location=line.to_location,
            takes_back=finding.number,
        )  # fmt: skip
        ((ended,),) = self._hub.ingest([_message(period, [back], now)])
        if ended["outcome"] not in ("accepted", "duplicate"):
            msg = f"line {line.form}/{line.line} could not be taken back: {ended['reason']}"
            raise InputRefusedError(msg)

    def _compared(self, period: Downtime, now: datetime, tolerance: timedelta) -> Compared:
        views = self._hub.views
        held = [record for kind in ("site", "location") for record in records_of(kind, views.reference(kind))]
        known = Known(period.site, held)
        end = (period.ended_at or now) + MARGIN + CLOCK + tolerance
        rows = views.movements_between(period.site, period.started_at - MARGIN - tolerance, end)
        back = taken_back(rows)
        paper = paper_lines(self._lines(period.id), rows, views.ended(paper_source(period.id)), back)
        zone = known.site.zone if known.site is not None else "UTC"
        decided = [one for one in self.findings(period.id) if one.state is FindingState.APPROVED and one.kind == "disputed"]
        withdrawn = {(one.form or "", one.line or 0) for one in decided}
        return compare(
            period, now, paper, device_lines(rows, back), tolerance=tolerance, zone=zone, registered=known.registered,
            withdrawn=withdrawn,
        )  # fmt: skip

    def _cautions(self, period: Downtime) -> list[str]:
        """What may change the comparison later."""
        own = paper_source(period.id)
        held = [row for row in self._hub.views.holds(site=period.site) if row["source"] != own]
        said = []
        if period.ended_at is None:
            said.append(f"downtime {period.id} goes on: what is written from now on is not in it")
        if held:
            said.append(f"{len(held)} items of feeds are held at {period.site} and not compared: `wardstock holds` says why")
        return said

    def _records(self, kind: str, below: str = "") -> Iterable[object]:
        views = self._hub.views
        rows = views.reference_below(kind, below) if below else views.reference(kind)
        return [record for _, _, record in records_of(kind, rows)]

    def _lines(self, period_id: str) -> list[PaperLine]:
        found = [one for one in self._records("paper_line", f"{period_id}|") if isinstance(one, PaperLine)]
        return sorted(found, key=lambda one: (one.form, one.line))

    def _lines_of(self, site: str) -> list[PaperLine]:
        return [one for one in self._records("paper_line") if isinstance(one, PaperLine) and one.site == site]

    def _roles(self, site: str, by: str) -> set[str]:
        """The roles of a person at a site. Raises `InputRefusedError` when there are none."""
        roles = [one for one in self._records("role") if isinstance(one, Role) and (not one.sites or site in one.sites)]
        own = {str(one.role) for one in roles if one.person == by}
        if not own:
            more = how_to_get(by, "technician", [site])
            who = f"{by or 'nobody'} has no role at site {site}: name a person of the hub's roles with --by"
            msg = f"{who}. Any role will do: {more}"
            raise InputRefusedError(msg)
        return own


def _moment(at: datetime | None, now: datetime) -> datetime:
    """The stated time in UTC, else now. Raises `InputRefusedError` for one that has not been, or without an offset."""
    if at is None:
        return now
    if at.tzinfo is None or not YEAR_MIN <= at.year <= YEAR_MAX:
        msg = f"{at.isoformat()} is no time with its UTC offset, between {YEAR_MIN} and {YEAR_MAX}"
        raise InputRefusedError(msg)
    if at > now + CLOCK:
        msg = f"{at.isoformat()} has not been yet"
        raise InputRefusedError(msg)
    return at.astimezone(UTC)


def _takes_back(finding: DowntimeFinding, form: str | None, line: int | None) -> bool:
    return finding.proposal == "take_back" and (finding.form, finding.line) == (form, line)


def _new_at_site(line: PaperLine, elsewhere: Mapping[tuple[str, int], PaperLine]) -> None:
    """Raise `UnclearError` when another downtime of the site has the form and line: one sheet of paper counts once."""
    other = elsewhere.get((line.form, line.line))
    if other is not None:
        msg = (
            f"form {line.form} line {line.line} is in downtime {other.period}, keyed by {other.keyed_by}: it counts there; "
            f"another sheet needs a form number of its own, like {line.form}-{line.period}"
        )
        raise UnclearError(msg)


def _same(before: PaperLine, line: PaperLine) -> None:
    """Raise `UnclearError` when a line was keyed before with other facts."""
    told = (
        "activity", "occurred", "location", "item", "quantity", "unit", "person", "lot", "expiry", "to_location", "witness",
        "order_id",
    )  # fmt: skip
    for name in told:
        old, new = getattr(before, name), getattr(line, name)
        if old != new:
            msg = (
                f"form {line.form} line {line.line} was keyed before by {before.keyed_by}, and {name} was {_shown(old)}, not "
                f"{_shown(new)}: that one stands; if it is wrong, dispute it and key the right one under a new line number"
            )
            raise UnclearError(msg)


def _shown(value: object) -> str:
    if isinstance(value, PaperActivity):
        return value.value
    return "not stated" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


def _message(period: Downtime, entries: Sequence[PaperEntry], now: datetime) -> RawMessage:
    body = b"[" + b",".join(encode(entry) for entry in entries) + b"]"
    return RawMessage(
        body=body, source=paper_source(period.id), connector="paper", content_type=PAPER_JSON, received_at=now, site=period.site,
        name=f"downtime {period.id}",
    )  # fmt: skip
