"""Spreadsheets as rows of text (表格): XLSX and CSV as people publish them, merged cells filled in.

Nothing here knows a list or a tariff: a sheet is its name and its rows, a cell is text without spaces around it.
A percentage of XLSX comes as ``6.5%``, a whole number without its ``.0``.
"""

from __future__ import annotations

import csv
import io
import zipfile
from decimal import Decimal
from typing import Any, NamedTuple

SHEET_BYTES_MAX = 64_000_000
UNPACKED_BYTES_MAX = 400_000_000
"""What an XLSX may become when it is unpacked: a small file can hold a bomb."""
ROWS_MAX = 300_000
COLUMNS_MAX = 200
XLSX_MAGIC, XLS_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
ENCODINGS = ("utf-8-sig", "gb18030")
_SAMPLE_CHARS = 4096


class Trouble(Exception):
    """A file that is no table: code of a fault and what fills its words. Stays inside the package."""

    def __init__(self, code: str, **values: Any) -> None:
        self.code, self.values = code, values
        super().__init__(code, values)


class Sheet(NamedTuple):
    """One sheet. filled: cells (row, column), from 0, that a merged cell above or to the left filled.

    wide: rows in which a merged cell runs over several columns: titles and footnotes.
    """

    name: str
    rows: list[list[str]]
    filled: frozenset[tuple[int, int]]
    wide: frozenset[int]


def read_sheets(raw: bytes) -> list[Sheet]:
    """Every visible sheet of an XLSX, or the one of a CSV. Raises Trouble when it is neither, or too large."""
    if len(raw) > SHEET_BYTES_MAX:
        raise Trouble("CEB-LIST-011", found=len(raw), expected=f"{SHEET_BYTES_MAX} bytes")
    if raw.startswith(XLSX_MAGIC):
        return _xlsx(raw)
    if raw.startswith(XLS_MAGIC):
        raise Trouble("CEB-LIST-001", found="XLS (Excel 97-2003)")
    return [_csv(raw)]


def cell_name(row: int, column: int) -> str:
    """The name of a cell, both numbers from 0: ``C12``."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row + 1}"


def _text_of(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ENCODINGS
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Trouble("CEB-LIST-001", found="neither UTF-8 nor GB18030")


def _csv(raw: bytes) -> Sheet:
    text = _text_of(raw)
    if "\0" in text:
        raise Trouble("CEB-LIST-001", found="binary")
    sample = text[:_SAMPLE_CHARS]
    delimiter = max(",\t;", key=sample.count)
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if len(rows) >= ROWS_MAX or len(cells) > COLUMNS_MAX:
                raise Trouble("CEB-LIST-011", found=f"{len(rows)} x {len(cells)}",
                              expected=f"{ROWS_MAX} x {COLUMNS_MAX}")
            rows.append([cell.strip() for cell in cells])
    except csv.Error as error:
        raise Trouble("CEB-LIST-001", found=error) from error
    return Sheet("", rows, frozenset(), frozenset())


def _xlsx(raw: bytes) -> list[Sheet]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile as error:
        raise Trouble("CEB-LIST-001", found=error) from error
    if size > UNPACKED_BYTES_MAX:
        raise Trouble("CEB-LIST-011", found=size, expected=f"{UNPACKED_BYTES_MAX} bytes")
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise Trouble("CEB-LIST-012") from error
    try:
        book = load_workbook(io.BytesIO(raw), data_only=True)
    except Exception as error:  # openpyxl raises what it meets in a broken file: KeyError, ValueError, ParseError, …
        raise Trouble("CEB-LIST-001", found=f"{type(error).__name__}: {error}") from error
    return [_sheet(one) for one in book.worksheets if one.sheet_state == "visible"]


def _sheet(sheet: Any) -> Sheet:
    if sheet.max_row > ROWS_MAX or sheet.max_column > COLUMNS_MAX:
        raise Trouble("CEB-LIST-011", found=f"{sheet.max_row} x {sheet.max_column}",
                      expected=f"{ROWS_MAX} x {COLUMNS_MAX}")
    rows = [[_cell(cell) for cell in row] for row in sheet.iter_rows()]
    filled: set[tuple[int, int]] = set()
    wide: set[int] = set()
    for area in sheet.merged_cells.ranges:
        top, left = area.min_row - 1, area.min_col - 1
        if top >= len(rows) or left >= len(rows[top]):
            continue
        text = rows[top][left]
        for at in range(top, min(area.max_row, len(rows))):
            if area.max_col > area.min_col:
                wide.add(at)
            for column in range(left, min(area.max_col, len(rows[at]))):
                if (at, column) != (top, left):
                    rows[at][column] = text
                    filled.add((at, column))
    return Sheet(sheet.title, rows, frozenset(filled), frozenset(wide))


def _cell(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        if "%" in (cell.number_format or ""):
            return _plain(number * 100) + "%"
        return _plain(number)
    return str(value).strip()


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
