"""Read the tables of the law so that a mistake is named by file and line (读表).

The tables are YAML that officers write by hand. The usual loaders keep the last of two equal keys, turn
``0.70`` into a binary fraction and ``no`` into false, and forget where a value stood. This reader keeps the
line of every node, refuses duplicate keys and aliases, and reads only what the tables need: text, whole
numbers, ``true``/``false``, ``null``, lists and mappings. A number with a point must stand in quotes.

Nothing here knows a topic: `schema.py` says what a value must look like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cebport.faults import Catalog, Fault, PolicyError, Words, fault_of

TABLES = Path(__file__).parent / "tables"
FILE_BYTES_MAX = 4_000_000
"""A table larger than this is no table that a person wrote (a published list comes as CSV)."""
CSV_BYTES_MAX = 64_000_000
FAULTS_MAX = 200
"""Mistakes told at once: a list with a wrong column would else tell one a row."""
YEAR_MIN, YEAR_MAX = 1900, 2999
"""Days outside are slips of the pen; an open end is left out, not written as the year 9999."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+)([eE][-+]?[0-9]+)?\Z|[-+]?\.(inf|nan)\Z", re.IGNORECASE
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
KINDS = {
    "scalar": Words("一个值", "one value"),
    "mapping": Words("“键: 值”的映射", "a mapping"),
    "sequence": Words("列表", "a list"),
    "nothing": Words("空", "nothing"),
}
"""What a node of YAML is, for people."""
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}


@cache
def catalog() -> Catalog:
    """The words of every fault of this package, from tables/faults.yaml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((TABLES / "faults.yaml").read_bytes(), loader)["faults"]


class Refused(Exception):
    """One mistake at one line of a table. Stays inside the package: it becomes a Fault."""

    def __init__(self, code: str, line: int, **values: Any) -> None:
        self.code, self.line, self.values = code, line, values
        super().__init__(code, line, values)


def _said(code: str, path: str, values: dict[str, Any]) -> Fault:
    """The fault of a mistake; a value that is Words stands in each language's sentence in its own."""
    zh: dict[str, Any] = {name: said.zh if isinstance(said, Words) else said for name, said in values.items()}
    en: dict[str, Any] = {name: said.en if isinstance(said, Words) else said for name, said in values.items()}
    made = fault_of(catalog(), code, path=path, **en)
    if zh == en:
        return made
    other = fault_of(catalog(), code, path=path, **zh)
    return replace(
        made,
        message=Words(other.message.zh, made.message.en),
        remedy=Words(other.remedy.zh, made.remedy.en),
    )


class Complaints:
    """Every mistake found while the tables are read; nothing starts as long as there is one."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, code: str, file: str, line: int, **values: Any) -> None:
        """Note a mistake at ``file:line``; ``values`` fill the catalog's words."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(_said(code, f"{file}:{line}", values))

    def take(self, file: str, refused: Refused) -> None:
        """Note a mistake that a reading function raised."""
        self.add(refused.code, file, refused.line, **refused.values)

    def stop(self) -> None:
        """Raise PolicyError with all that was found, if anything was."""
        if self.faults:
            raise PolicyError(*self.faults)


class Table:
    """One YAML file: its nodes with their lines. A node is what PyYAML composes; no value is guessed."""

    __slots__ = ("_seen", "file", "root")

    def __init__(self, file: str, raw: bytes) -> None:
        """Raises Refused when the bytes are no YAML mapping."""
        self.file = file
        self._seen: set[int] = set()
        self.root = _compose(raw)
        if kind_of(self.root) != "mapping":
            raise Refused("CEB-LAW-001", 1, found=Words("最外层不是“键: 值”", "no mapping at the top"))

    def pairs(self, node: Any) -> dict[str, tuple[int, Any]]:
        """The entries of a mapping: key -> (line, value node). Raises Refused on equal keys."""
        self._once(node, "mapping")
        made: dict[str, tuple[int, Any]] = {}
        for key, value in node.value:
            line = line_of(key)
            if kind_of(key) != "scalar":
                raise Refused(
                    "CEB-LAW-008",
                    line,
                    found=KINDS[kind_of(key)],
                    expected=Words("一个简单的键", "a plain key"),
                )
            if key.value in made:
                raise Refused(
                    "CEB-LAW-002", line, found=key.value, expected=f"{self.file}:{made[key.value][0]}"
                )
            made[key.value] = (line, value)
        return made

    def items(self, node: Any) -> list[Any]:
        """The nodes of a list."""
        self._once(node, "sequence")
        return node.value

    def fields(
        self, node: Any, needed: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, tuple[int, Any]]:
        """The entries of a mapping whose keys are known: a stranger or a missing one is refused."""
        pairs = self.pairs(node)
        for key, (line, _) in pairs.items():
            if key not in needed and key not in optional:
                raise Refused("CEB-LAW-003", line, found=key, expected=", ".join((*needed, *optional)))
        for key in needed:
            if key not in pairs:
                raise Refused("CEB-LAW-013", line_of(node), found=key, expected=key)
        return pairs

    def _once(self, node: Any, kind: str) -> None:
        if kind_of(node) != kind:
            raise Refused("CEB-LAW-008", line_of(node), found=KINDS[kind_of(node)], expected=KINDS[kind])
        if id(node) in self._seen:
            raise Refused("CEB-LAW-019", line_of(node), found=Words("别名", "alias"))
        self._seen.add(id(node))


def _compose(raw: bytes) -> Any:
    """The node tree of one document. Raises Refused when it cannot be read."""
    import yaml

    loader_class = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        loader = loader_class(raw.decode("utf-8-sig"))
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        raise Refused(
            "CEB-LAW-001", raw[: error.start].count(b"\n") + 1, found=Words("不是 UTF-8", "not UTF-8")
        ) from error
    except RecursionError as error:
        raise Refused("CEB-LAW-001", 1, found=Words("嵌套过深", "nested too deeply")) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or "YAML"
        raise Refused(
            "CEB-LAW-001", mark.line + 1 if mark else 1, found=Words(f"YAML 语法（{problem}）", problem)
        ) from error
    except yaml.YAMLError as error:
        raise Refused("CEB-LAW-001", 1, found=Words(f"YAML 语法（{error}）", str(error))) from error


def kind_of(node: Any) -> str:
    """ "scalar", "mapping" or "sequence"; "nothing" for an empty file."""
    return getattr(node, "id", "nothing")


def line_of(node: Any) -> int:
    """The line of a node, from 1."""
    return node.start_mark.line + 1 if node is not None else 1


def scalar(node: Any) -> str | int | bool | None:
    """The value of a scalar: quoted = text; plain = null, true, false, a whole number or text.

    Raises Refused for a mapping, a list, and for a number that YAML would make a binary fraction.
    """
    if kind_of(node) != "scalar":
        raise Refused("CEB-LAW-008", line_of(node), found=KINDS[kind_of(node)], expected=KINDS["scalar"])
    text: str = node.value
    if node.style:  # quoted or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        raise Refused("CEB-LAW-009", line_of(node), found=text, expected=f'"{text}"')
    return text


def text(node: Any) -> str:
    """A text. Raises Refused for anything else, an unquoted number included."""
    value = scalar(node)
    if not isinstance(value, str):
        raise Refused("CEB-LAW-008", line_of(node), found=shown(value), expected=Words("文本", "text"))
    return value


def day(node: Any) -> date:
    """A calendar day, written 2016-04-08. Raises Refused when there is no such day."""
    value = scalar(node)
    if isinstance(value, str) and _DAY.match(value):
        try:
            found = date.fromisoformat(value)
            if YEAR_MIN <= found.year <= YEAR_MAX:
                return found
        except ValueError:
            pass
    raise Refused(
        "CEB-LAW-010",
        line_of(node),
        found=shown(value),
        expected=Words("年-月-日（YYYY-MM-DD）", "YYYY-MM-DD"),
    )


def day_or_none(node: Any) -> date | None:
    """A calendar day, or null."""
    return None if kind_of(node) == "scalar" and scalar(node) is None else day(node)


def texts(table: Table, node: Any) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(text(item) for item in table.items(node))


def shown(value: object) -> str:
    """A scalar as the table writes it, for the words of a refusal."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_rows(file: str, raw: bytes, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a list: (line, cells in the order of ``columns``). Refuses a bad header or row."""
    import csv
    import io

    if len(raw) > CSV_BYTES_MAX:
        raise Refused("CEB-LAW-018", 1, found=len(raw), expected=CSV_BYTES_MAX)
    try:
        reader = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise Refused(
            "CEB-LAW-001", raw[: error.start].count(b"\n") + 1, found=Words("不是 UTF-8", "not UTF-8")
        ) from error
    header = next(reader, [])
    if tuple(header) != columns:
        raise Refused("CEB-LAW-017", 1, found=",".join(header), expected=",".join(columns))
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(columns):
            raise Refused(
                "CEB-LAW-017",
                reader.line_num,
                found=Words(f"{len(cells)} 个单元格", f"{len(cells)} cells"),
                expected=len(columns),
            )
        yield reader.line_num, cells


def each(complaints: Complaints, file: str, nodes: list[Any], read: Callable[[Any], None]) -> None:
    """Read every node; a mistake in one is noted and the next is read all the same."""
    for node in nodes:
        try:
            read(node)
        except Refused as refused:
            complaints.take(file, refused)
