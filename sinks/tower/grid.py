"""One kind of table for every list of the tower: badges, notes, unfolding details, `Showing N of M`, and an empty state.

Cells are filled from the row alone, so that a refresh replaces rows and keeps sort order, focus and unfolded rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nicegui import events, ui

from sinks.tower.snapshot import Listing, Row

_BODY: Final = r"""
<q-tr :props="props">
  <q-td v-for="col in props.cols" :key="col.name" :props="props" :class="{ num: col.num, soft: col.soft }">
    <button v-if="col.unfold" type="button" class="unfold" :aria-expanded="props.expand ? 'true' : 'false'"
      :aria-label="'Details of ' + (props.row.item || props.row.id)" @click="props.expand = !props.expand">
      {{ props.expand ? '▾' : '▸' }}</button>
    <span v-else-if="(props.row.badges || {})[col.name]" :class="'badge badge-' + props.row.badges[col.name]">
      {{ col.value }}</span>
    <button v-else-if="col.link" type="button" class="link" @click="$parent.$emit('choose', props.row)">{{ col.value }}</button>
    <template v-else-if="col.num">
      {{ typeof col.value === 'number' ? col.value.toLocaleString('en-US') : (col.value || '–') }}</template>
    <template v-else>{{ col.value }}</template>
    <div v-if="(props.row.notes || {})[col.name]" class="note">{{ props.row.notes[col.name] }}</div>
  </q-td>
</q-tr>
<q-tr v-if="props.expand" :props="props" class="unfolded">
  <q-td colspan="100%"><ul><li v-for="line in props.row.details" :key="line">{{ line }}</li></ul></q-td>
</q-tr>
"""


def column(name: str, label: str, **more: Any) -> dict[str, Any]:
    """A sortable column. `num`: a number, right-aligned; `link`: choosing it emits the row; `field`: sort by another value."""
    return {
        "name": name,
        "label": label,
        "field": name,
        "align": "right" if more.get("num") else "left",
        "sortable": True,
        **more,
    }


def unfold_column() -> dict[str, Any]:
    """The column of the buttons that unfold a row's details."""
    return {"name": "unfold", "label": "Details", "field": "id", "align": "left", "sortable": False, "unfold": True}


class Grid:
    """A table with a heading, a count line and an empty state."""

    def __init__(
        self,
        heading: str,
        columns: list[dict[str, Any]],
        *,
        empty: str,
        choose: Callable[[Row], Any] | None = None,
        sort: Callable[[str, bool], Any] | None = None,
        plural: str = "rows",
    ) -> None:
        """`choose` is called with the row of a chosen link; `sort` with (column, descending) when a person sorts."""
        self._plural = plural
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("panel-head"):
                with ui.element("h2"):
                    ui.label(heading)
                self._count = ui.label("").classes("count")
            self._empty = ui.label(empty).classes("empty")
            self._table = ui.table(columns=columns, rows=[], row_key="id", pagination={"rowsPerPage": 0})
            self._table.classes("grid").props(f'flat dense hide-pagination binary-state-sort aria-label="{heading}"')
            self._table.add_slot("body", _BODY)
        if choose is not None:
            self._table.on("choose", lambda event: choose(_row_of(event)))
        if sort is not None:
            self._table.on_pagination_change(lambda event: _sorted(event, sort))
        self._table.set_visibility(False)

    def show(self, listing: Listing) -> None:
        """Show these rows; nothing is sent when they are the ones already shown."""
        if self._table.rows != listing.rows:
            self._table.rows = listing.rows
        shown = len(listing.rows)
        some = f"Showing {shown:,} of {listing.total:,} {self._plural}"
        self._count.set_text(some if listing.total else "")
        self._table.set_visibility(shown > 0)
        self._empty.set_visibility(shown == 0)


def _row_of(event: events.GenericEventArguments) -> Row:
    """The row that the body's template emitted."""
    row = event.args[0] if isinstance(event.args, list) else event.args
    return row if isinstance(row, dict) else {}


def _sorted(event: events.ValueChangeEventArguments, sort: Callable[[str, bool], Any]) -> Any:
    """Tell the page how the table was sorted, so that the rows beyond the limit take part."""
    value = event.value if isinstance(event.value, dict) else {}
    return sort(str(value.get("sortBy") or ""), bool(value.get("descending")))
