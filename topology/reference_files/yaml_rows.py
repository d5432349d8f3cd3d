"""Rows of a YAML file, with the line of every field.

All scalars stay text: YAML 1.1 would read the id `0123` as the number 83 and the NDC-like `12:30` as 750.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from topology.reference_files.model import Cell, Problem, Row

_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_QUOTES: Final = frozenset({"'", '"', "|", ">"})
_EMPTY: Final = frozenset({"", "~", "null", "Null", "NULL"})


def yaml_rows(
    path: Path, kind: str | None, kind_of: Callable[[str], str | None], text: str, problems: list[Problem]
) -> list[Row]:
    """The rows of a list of mappings of `kind`, or of a mapping from kinds to such lists."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = f"is not YAML: {error.problem or 'it can not be read'}"
        problems.append(Problem(file=str(path), line=mark.line + 1 if mark else 0, field="", reason=reason))
        return []
    except (yaml.YAMLError, RecursionError):
        problems.append(Problem(file=str(path), line=0, field="", reason="is not YAML that can be read"))
        return []
    rows: list[Row] = []
    for list_kind, node in _lists(path, kind, kind_of, root, problems):
        for entry in node.value:
            row = _row(path, list_kind, entry, problems)
            if row is not None:
                rows.append(row)
    return rows


def _lists(
    path: Path, kind: str | None, kind_of: Callable[[str], str | None], root: yaml.Node | None, problems: list[Problem]
) -> Iterator[tuple[str, yaml.SequenceNode]]:
    """The lists of the file with their kinds."""
    if isinstance(root, yaml.SequenceNode) and kind is not None:
        yield kind, root
        return
    if not isinstance(root, yaml.MappingNode):
        wanted = "a list of records" if kind else "a mapping from kinds (sites, items, …) to lists of records"
        reason = f"must hold {wanted}" if kind else f"is named after no kind of record, so it must hold {wanted}"
        problems.append(Problem(file=str(path), line=_line(root), field="", reason=reason))
        return
    for name, node in root.value:
        found = kind_of(name.value) if isinstance(name, yaml.ScalarNode) else None
        if found is None:
            problems.append(Problem(file=str(path), line=_line(name), field=_name(name), reason="is no kind of record"))
        elif isinstance(node, yaml.SequenceNode):
            yield found, node
        elif not _is_empty(node):
            problems.append(Problem(file=str(path), line=_line(node), field=_name(name), reason="must be a list of records"))


def _row(path: Path, kind: str, node: yaml.Node, problems: list[Problem]) -> Row | None:
    """One record; None, with problems added, when it can't be one."""
    if not isinstance(node, yaml.MappingNode):
        problems.append(Problem(file=str(path), line=_line(node), field="", reason=f"a {kind} must be a mapping of fields"))
        return None
    cells: dict[str, Cell] = {}
    sound = True
    for name_node, value_node in node.value:
        name = _name(name_node)
        value = _value(value_node)
        if name in cells:
            problems.append(Problem(file=str(path), line=_line(name_node), field=name, reason="stands twice in the record"))
            sound = False
        elif value is None:
            reason = "must be one value, or a list of values (codes as system=value)"
            problems.append(Problem(file=str(path), line=_line(value_node), field=name, reason=reason))
            sound = False
        elif value:
            cells[name] = Cell(value=value, line=_line(name_node))
    return Row(kind=kind, file=str(path), line=_line(node), cells=cells) if sound else None


def _value(node: yaml.Node) -> str | list[str] | None:
    """A scalar's text ("" when empty), a list's texts, a mapping of code systems as `system=value` texts; else None."""
    if isinstance(node, yaml.ScalarNode):
        return "" if _is_empty(node) else str(node.value).strip()
    if isinstance(node, yaml.MappingNode):
        return _codes(node)
    texts: list[str] = []
    for entry in node.value:
        if isinstance(entry, yaml.ScalarNode):
            texts.append(str(entry.value).strip())
        elif isinstance(entry, yaml.MappingNode):
            pairs = {_name(name): value.value for name, value in entry.value if isinstance(value, yaml.ScalarNode)}
            if set(pairs) != {"system", "value"}:
                return None
            texts.append(f"{pairs['system']}={pairs['value']}")
        else:
            return None
    return texts


def _codes(node: yaml.MappingNode) -> list[str] | None:
    if not all(isinstance(value, yaml.ScalarNode) for _, value in node.value):
        return None
    return [f"{_name(name)}={value.value}" for name, value in node.value]


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style not in _QUOTES and node.value in _EMPTY


def _name(node: yaml.Node) -> str:
    return str(node.value).strip() if isinstance(node, yaml.ScalarNode) else "(not a name)"


def _line(node: yaml.Node | None) -> int:
    return node.start_mark.line + 1 if node is not None else 0
