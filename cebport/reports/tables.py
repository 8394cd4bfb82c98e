"""Tables to take away (表格): CSV for a spreadsheet, and questions to Parquet files by SQL.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "t.csv"
>>> write_csv(path, ["place", "cny"], [("a", 1.5), ("=b", None)])
2
>>> path.read_text(encoding="utf-8-sig").split()
['place,cny', 'a,1.5', "'=b,"]
>>> with questions() as ask:
...     ask.rows("select count(*) from read_csv(?)", [str(path)])
[(2,)]
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BATCH_ROWS = 10_000
MEMORY_MIB = 512
"""What a question may take before it spills to disk."""
SHEET_NAME_CHARS = 31
"""So long may the name of a sheet be."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be reckoned by a spreadsheet; it gets an apostrophe in front."""


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark); how many rows. Raises OSError."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as held:
        out = csv.writer(held, lineterminator="\n")
        out.writerow(head)
        for row in rows:
            out.writerow([_cell(value) for value in row])
            count += 1
    return count


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> int:
    """Write CSV, or XLSX where the file is named so; how many rows. Texts stay texts, numbers (also Decimal) numbers.

    Raises OSError, ModuleNotFoundError where XLSX is asked for and openpyxl is not installed.
    """
    if path.suffix.lower() != ".xlsx":
        return write_csv(path, head, rows)
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:SHEET_NAME_CHARS] or "1")
    sheet.freeze_panes = "A2"
    heads = [WriteOnlyCell(sheet, value=name) for name in head]
    for one in heads:
        one.font = Font(bold=True)
    sheet.append(heads)
    count = 0
    for row in rows:
        sheet.append([_cell(value) for value in row])
        count += 1
    book.save(path)
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return _cell(" ".join(map(str, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


class Questions:
    """A session that answers SQL over files; ``?`` in the text stands for a value."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of an answer that is known to be small."""
        return list(self.each(sql, values))

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of an answer of any length, some thousand at a time; one answer is read at a time."""
        answer = self._session.execute(sql, list(values))
        while batch := answer.fetchmany(BATCH_ROWS):
            yield from batch


@contextmanager
def questions(memory_mib: int = MEMORY_MIB) -> Iterator[Questions]:
    """A session for questions. It spills into a folder of its own that is removed at the end."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="cebport-report-") as spill:
        session = duckdb.connect(config={
            "memory_limit": f"{memory_mib}MiB", "temp_directory": spill, "threads": 2,
            "preserve_insertion_order": False,  # what has an order says so; keeping it for the rest fills the memory
            "autoinstall_known_extensions": False, "autoload_known_extensions": False})
        try:
            yield Questions(session)
        finally:
            session.close()
