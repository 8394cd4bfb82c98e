"""Bring in a published list (导入公布的清单): the positive list or the tariff, from XLSX or CSV.

Only samples ship with the program; the whole list is the user's to load. `import_list` reads the spreadsheet as it
was published, writes our CSV, and beside it an overlay by which that edition holds from a day:

    cebport policy import-list 清单.xlsx --kind positive_list --edition 2022 --since 2022-03-01 \
        --instrument mof-2022-7 --complete -o lists
    cebport clear inbox --overlay lists/positive_list-2022.yaml …

Chinese and English headers are known (``tables/imports/columns.yaml``), codes of 8 or 10 digits with or without
dots, merged cells, titles and footnotes. What cannot be read is a fault with sheet and cell; an edition with such
faults is written as incomplete, so that goods of a lost row are warned of and not refused.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import ERROR, Catalog, Fault, PolicyError, fault_of
from cebport.policy.engine import Policy
from cebport.policy.lists import LIST_COLUMNS, REMARK_KINDS, TARIFF_COLUMNS
from cebport.policy.schema import CONFIDENCE
from cebport.policy.sheets import Sheet, Trouble, cell_name, read_sheets

IMPORTS = Path(__file__).parent / "tables" / "imports"
POSITIVE_LIST, TARIFF = "positive_list", "tariff"
KINDS = {POSITIVE_LIST: LIST_COLUMNS, TARIFF: TARIFF_COLUMNS}
LINE_DIGITS, GOODS_DIGITS = 8, 10
HEADER_ROWS_MAX = 60
"""A header further down is none: a list begins after its title."""
LEAST_PERCENT = Decimal("0.1")
"""No duty is below 0.1 % without being nothing: a smaller number is a share of one."""
FAULTS_MAX = 500
NAME_CHARS_MAX = 400
SEEN = "V"
"""The mark of imported rows: seen in the named file."""
_SPLIT = re.compile(r"[、,;；，\n]+")
_NOT_IN_CODE = re.compile(r"[.\s·\-．]+|^ex", re.IGNORECASE)
_NOT_IN_HEADER = re.compile(r"[^\w]+")
_FRACTION = re.compile(r"[0-9]+(\.[0-9]+)?\Z")
_SLUG = re.compile(r"[^\w.+-]+")
NOTHING = ("", "-", "—", "/", "无", "免", "免税", "nil", "none", "free", "n/a")
FREE = ("免", "免税", "free", "nil")


class Imported(NamedTuple):
    """What came of it: rows written, our CSV, the overlay beside it, every fault; complete as it was written."""

    rows: int
    written: Path
    overlay: Path
    faults: tuple[Fault, ...]
    complete: bool


def import_list(
    source: Path,
    *,
    kind: str,
    edition: str,
    since: date,
    complete: bool,
    instrument: str,
    columns: Mapping[str, str] | None = None,
    out: Path,
    recorded_at: date | None = None,
) -> Imported:
    """Read a published spreadsheet, write ``<kind>-<edition>.csv`` and ``.yaml`` (the overlay) into ``out``.

    kind: "positive_list" or "tariff". edition: its name. since: the first day it holds. complete: it is the whole
    list, so absence from it refuses. instrument: id in instruments.yaml (another gets an entry in the overlay).
    columns: our column -> header or letter of theirs, for what is not recognised. recorded_at: the day since when the
    tables know it, ``since`` by default. Raises PolicyError when there is no list in the file at all, or nothing
    can be written; ValueError for a kind that is none.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind}: no such kind of list; there are {', '.join(KINDS)}")
    reading = _Reading(source.name, kind, since, dict(columns or {}))
    reading.read(_bytes(source))
    if not reading.rows:
        reading.fault("CEB-LIST-008", source.name)
        raise PolicyError(*reading.faults)
    lost = reading.errors
    if complete and lost:
        complete = False
        reading.fault("CEB-LIST-007", source.name, found=lost)
    stem = f"{kind}-{_SLUG.sub('-', edition).strip('-') or 'edition'}"
    written, overlay = out / f"{stem}.csv", out / f"{stem}.yaml"
    if instrument not in Policy.load().instruments:
        reading.fault("CEB-LIST-014", overlay.name, found=instrument)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written.write_text(_csv_text(kind, reading.rows), encoding="utf-8", newline="")
        overlay.write_text(
            _overlay_text(kind, edition, since, recorded_at or since, complete, instrument, written.name,
                          len(reading.rows)), encoding="utf-8")
    except OSError as error:
        raise PolicyError(fault_of(catalog(), "CEB-LIST-013", path=str(error.filename or out),
                                   found=error.strerror or error)) from error
    Policy.load(overlays=[overlay])
    return Imported(len(reading.rows), written, overlay, tuple(reading.faults), complete)


@cache
def catalog() -> Catalog:
    """The words of every fault of an import, from tables/imports/faults.yaml."""
    return _yaml("faults.yaml")["faults"]


@cache
def _yaml(file: str) -> dict[str, Any]:
    import yaml

    return yaml.load((IMPORTS / file).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(fault_of(catalog(), "CEB-LIST-001", path=path.name, found=error.strerror or error)) from error


# ── words ───────────────────────────────────────────────────────────────────────────────────────────


def plain(text: str) -> str:
    """A header as headers are compared: full width made half, no case, no spaces, brackets or punctuation."""
    return _NOT_IN_HEADER.sub("", unicodedata.normalize("NFKC", text).lower()).replace("_", "")


@cache
def _names(kind: str) -> dict[str, tuple[str, ...]]:
    headers = _yaml("columns.yaml")["headers"][kind]
    return {ours: tuple(plain(name) for name in names) for ours, names in headers.items()}


@cache
def _units() -> dict[str, str]:
    made = {}
    for code, names in _yaml("columns.yaml")["units"].items():
        made[code] = code
        made.update({plain(name): code for name in names})
    return made


@cache
def _remarks() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["kind"], re.compile(row["like"], re.IGNORECASE)) for row in _yaml("columns.yaml")["remarks"])


@cache
def _no_goods() -> re.Pattern[str]:
    return re.compile(_yaml("columns.yaml")["no_goods"], re.IGNORECASE)


class Remark(NamedTuple):
    """What a remark says: its kind, and the quantity a person and year with its unit where it names one."""

    kind: str
    quantity: str
    unit: str
    known: bool


def remark_of(text: str) -> Remark:
    """The kind of a remark of the positive list (备注): see lists.REMARK_KINDS. known: whether the words were.

    >>> remark_of("每人每年限 2 千克")
    Remark(kind='person_year_quantity', quantity='2', unit='035', known=True)
    """
    wanted = unicodedata.normalize("NFKC", text).strip()
    if wanted in NOTHING:
        return Remark("", "", "", True)
    for kind, like in _remarks():
        found = like.search(wanted)
        if found is None:
            continue
        if kind == "person_year_quantity":
            return Remark(kind, found.group(1), _units()[plain(found.group(2))], True)
        return Remark(kind, "", "", True)
    return Remark("exclude", "", "", False)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


class _Bad(Exception):
    """One cell that cannot be read: the column of ours, and a fault's code and values."""

    def __init__(self, code: str, column: str, **values: object) -> None:
        self.code, self.column, self.values = code, column, values
        super().__init__(code, column, values)


class _Taken(NamedTuple):
    """A row that was read: its cells by column of ours, where, and whether it may be joined with its like."""

    cells: dict[str, str]
    where: str
    parts: bool


class _Reading:
    """One import: what was read so far, and what is wrong."""

    def __init__(self, file: str, kind: str, since: date, given: dict[str, str]) -> None:
        self.file, self.kind, self.given = file, kind, given
        self.faults: list[Fault] = []
        self.errors = 0
        self._taken: dict[str, _Taken] = {}
        self._fractions: set[str] = set()
        self._mixed: set[str] = set()
        self._zeros: list[str] = []
        view = Policy.load().at(since)
        self._vat = {"s": view["vat.standard"], "r": view["vat.reduced"]}
        self._unknown_vat = view["tariff.unknown_vat"]
        stem = "consumption."
        self._classes = {name.removeprefix(stem) for name in view.policy.topics if name.startswith(stem)}

    @property
    def rows(self) -> list[dict[str, str]]:
        """Every row that was read, by its code."""
        return [self._taken[code].cells for code in sorted(self._taken)]

    def fault(self, code: str, path: str, **values: Any) -> None:
        """Note what is wrong at ``path``."""
        made = fault_of(catalog(), code, path=path, **values)
        self.errors += made.severity == ERROR
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(made)

    def read(self, raw: bytes) -> None:
        """Every sheet with a header that is known."""
        try:
            sheets = read_sheets(raw)
        except Trouble as trouble:
            self.fault(trouble.code, self.file, **trouble.values)
            raise PolicyError(*self.faults) from trouble
        for ours in self.given:
            if ours not in KINDS[self.kind]:
                self.fault("CEB-LIST-009", self.file, found=ours, expected=", ".join(KINDS[self.kind]))
                raise PolicyError(*self.faults)
        found = False
        for sheet in sheets:
            header = self._header(sheet)
            if header is not None:
                found = True
                self._sheet(sheet, *header)
        if self._zeros:
            self.fault("CEB-LIST-015", self._zeros[0], found=len(self._zeros))
        if not found:
            missing = self._missing(sheets)
            self.fault("CEB-LIST-002", self.file, found=", ".join(missing), expected=", ".join(KINDS[self.kind]))
            raise PolicyError(*self.faults)

    # -- the header

    def _header(self, sheet: Sheet) -> tuple[int, dict[str, int]] | None:
        """(first row of goods, our column -> their column), None where the sheet has no such header."""
        needed = _yaml("columns.yaml")["needed"][self.kind]
        for at, row in enumerate(sheet.rows[:HEADER_ROWS_MAX]):
            found = self._columns(row)
            if needed[0] not in found:
                continue
            first = at + 1
            below = sheet.rows[first] if first < len(sheet.rows) else []
            if below and not _digits(_at(below, found[needed[0]])):  # a header of two rows
                joined = [a + b for a, b in zip_longest(row, below, fillvalue="")]
                more = {**self._columns(joined), **self._columns(below)}
                new = {ours: column for ours, column in more.items()
                       if ours not in found and column not in found.values()}
                found, first = {**found, **new}, first + bool(new)
            if all(ours in found or (ours == "name_zh" and "name_en" in found) for ours in needed):
                return first, found
        return None

    def _columns(self, row: list[str]) -> dict[str, int]:
        """Our column -> their column, as this row names them: what was given first, then equal, then alike."""
        made: dict[str, int] = {}
        said = [plain(cell) for cell in row]
        for ours, theirs in self.given.items():
            wanted = plain(theirs)
            at = next((at for at, cell in enumerate(said) if cell and cell == wanted), None)
            if at is None and re.fullmatch(r"[A-Za-z]{1,2}", theirs):
                at = next((at for at in range(len(row)) if cell_name(0, at) == theirs.upper() + "1"), None)
            if at is not None:
                made[ours] = at
        for same in (str.__eq__, str.startswith):
            for ours, names in _names(self.kind).items():
                if ours in made:
                    continue
                at = next((at for at, cell in enumerate(said)
                           if cell and at not in made.values() and any(same(cell, name) for name in names)), None)
                if at is not None:
                    made[ours] = at
        return made

    def _missing(self, sheets: list[Sheet]) -> list[str]:
        needed = _yaml("columns.yaml")["needed"][self.kind]
        best: dict[str, int] = {}
        for sheet in sheets:
            for row in sheet.rows[:HEADER_ROWS_MAX]:
                found = self._columns(row)
                if len(found.keys() & set(needed)) > len(best.keys() & set(needed)):
                    best = found
        return [ours for ours in needed if ours not in best] or list(needed)

    # -- the rows

    def _sheet(self, sheet: Sheet, first: int, columns: dict[str, int]) -> None:
        code_column = columns[_yaml("columns.yaml")["needed"][self.kind][0]]
        self._fractions = {ours for ours in ("mfn", "provisional") if ours in columns
                           and _are_fractions(_at(row, columns[ours]) for row in sheet.rows[first:])}
        self._mixed = {ours for ours in ("mfn", "provisional") if ours in columns
                       and _are_mixed(_at(row, columns[ours]) for row in sheet.rows[first:])}
        for at in range(first, len(sheet.rows)):
            row = sheet.rows[at]
            if self._is_no_goods(sheet, at, row, code_column):
                continue
            cells = {ours: _at(row, column) for ours, column in columns.items()}
            for code in _codes(_at(row, code_column)):
                where = self._where(sheet, at, code_column)
                parts = (at, code_column) in sheet.filled or len(code) == GOODS_DIGITS
                try:
                    self._take(code, dict(cells), where, parts)
                except _Bad as bad:
                    column = columns.get(bad.column, code_column)
                    self.fault(bad.code, self._where(sheet, at, column), column=bad.column, **bad.values)

    def _where(self, sheet: Sheet, row: int, column: int) -> str:
        return f"{self.file} {sheet.name + '!' if sheet.name else ''}{cell_name(row, column)}"

    def _is_no_goods(self, sheet: Sheet, at: int, row: list[str], code_column: int) -> bool:
        """Whether a row is empty, a title, a footnote or the header once more. One without a code is told."""
        texts = {text for text in row if text}
        code = _at(row, code_column)
        if not texts or plain(code) in _names(self.kind)[_yaml("columns.yaml")["needed"][self.kind][0]]:
            return True
        first = next(text for text in row if text)
        is_code = any(_bare(part).isdigit() for part in _codes(code))
        if _no_goods().search(unicodedata.normalize("NFKC", first)) and not is_code:
            return True
        if not is_code and len(texts) == 1 and at in sheet.wide:
            return True
        if not code:
            self.fault("CEB-LIST-003", self._where(sheet, at, code_column), found=" ".join(row).strip())
            return True
        return False

    def _take(self, written: str, cells: dict[str, str], where: str, parts: bool) -> None:
        digits = _bare(written)
        is_code = digits.isascii() and digits.isdigit()
        if is_code and len(digits) in (LINE_DIGITS - 1, GOODS_DIGITS - 1) and digits[0] != "0":
            digits = "0" + digits  # a spreadsheet dropped the zero of chapters 1 to 9
            self._zeros.append(where)
        if self.kind == TARIFF and is_code and len(digits) < LINE_DIGITS - 1 and not cells.get("mfn"):
            return  # a heading of the tariff, with no rate of its own
        if not is_code or len(digits) not in (LINE_DIGITS, GOODS_DIGITS):
            column = _yaml("columns.yaml")["needed"][self.kind][0]
            raise _Bad("CEB-LIST-004", column, found=written)
        if self.kind == TARIFF:
            code = digits.ljust(GOODS_DIGITS, "0")
            made = self._tariff_cells(code, cells)
            parts = False
        else:
            code = digits[:LINE_DIGITS]
            made = self._list_cells(code, cells, where)
        before = self._taken.get(code)
        if before is None:
            self._taken[code] = _Taken(made, where, parts)
        elif before.cells != made:
            if not (parts and (before.parts or self.kind == POSITIVE_LIST)):
                raise _Bad("CEB-LIST-005", "code", found=code, expected=before.where)
            self._taken[code] = _Taken(_joined(before.cells, made), before.where, True)

    def _list_cells(self, code: str, cells: dict[str, str], where: str) -> dict[str, str]:
        remark = cells.get("remark_zh", "")
        if remark in NOTHING:
            remark = ""
        said = remark_of(remark or cells.get("remark_en", ""))
        kind, quantity, unit = (cells.get(name, "") for name in ("remark_kind", "quantity", "unit"))
        note = cells.get("note", "")
        if kind and kind not in REMARK_KINDS:
            raise _Bad("CEB-LIST-006", "remark_kind", found=kind, expected=" | ".join(REMARK_KINDS[1:]))
        if not kind:
            kind, quantity, unit = said.kind, said.quantity, said.unit
            if not said.known:
                self.fault("CEB-LIST-010", where, found=remark)
                note = note or "kind of remark not recognised"
        if (kind == "person_year_quantity") != bool(quantity and unit):
            raise _Bad("CEB-LIST-006", "quantity", found=f"{kind} {quantity} {unit}".strip(),
                       expected="person_year_quantity: quantity + unit")
        return {"hs8": code, **_naming(cells), "remark_kind": kind, "remark_zh": remark,
                "remark_en": cells.get("remark_en", ""), "quantity": quantity, "unit": unit,
                **self._origin(cells), "note": note}

    def _tariff_cells(self, code: str, cells: dict[str, str]) -> dict[str, str]:
        unit1, _, unit2 = unicodedata.normalize("NFKC", cells.get("unit1", "")).partition("/")
        unit2 = cells.get("unit2", "") or unit2
        note = cells.get("note", "")
        return {"gcode": code, **_naming(cells),
                "mfn": self._share("mfn", cells), "provisional": self._share("provisional", cells),
                "vat": self._vat_kind(cells.get("vat", "")),
                "consumption": self._class_of(code, cells.get("consumption", "")),
                "unit1": _unit("unit1", unit1), "unit2": _unit("unit2", unit2) if unit2 not in NOTHING else "",
                **self._origin(cells), "note": note}

    def _origin(self, cells: Mapping[str, str]) -> dict[str, str]:
        mark = cells.get("confidence", "")
        return {"confidence": mark if mark in CONFIDENCE else SEEN, "source": cells.get("source", "") or self.file}

    def _share(self, column: str, cells: Mapping[str, str]) -> str:
        """A rate of duty as a fraction: ``6.5%``, 6.5 and 0.065 (where the whole column is fractions) are one.

        Where a column mixes these, what could be either is refused."""
        text = unicodedata.normalize("NFKC", cells.get(column, "")).strip()
        if text.lower() in FREE:
            return "0"
        if text.lower() in NOTHING:
            return ""
        number = text.removesuffix("%").strip()
        if not _FRACTION.match(number):
            raise _Bad("CEB-LIST-006", column, found=text, expected="6.5% | 6.5 | 0.065")
        value = Decimal(number)
        if not text.endswith("%") and column in self._mixed and 0 < value <= 1:
            raise _Bad("CEB-LIST-016", column, found=text, expected=f"{_shown(value)}% | {_shown(value * 100)}%")
        if text.endswith("%") or column not in self._fractions:
            value = value.scaleb(-2)
        return _shown(value)

    def _vat_kind(self, text: str) -> str:
        said = unicodedata.normalize("NFKC", text).strip().lower()
        if said in self._vat:
            return said
        if said in NOTHING:
            return self._unknown_vat
        number = said.removesuffix("%").strip()
        if _FRACTION.match(number):
            value = Decimal(number)
            value = value.scaleb(-2) if value > 1 or said.endswith("%") else value
            for kind, rate in self._vat.items():
                if value == rate:
                    return kind
        raise _Bad("CEB-LIST-006", "vat", found=text,
                   expected=" | ".join(f"{_shown(rate * 100)}% ({kind})" for kind, rate in self._vat.items()))

    def _class_of(self, code: str, text: str) -> str:
        """The class of consumption tax of a cell: its id, a name, or a rate whose class the code tells."""
        said = unicodedata.normalize("NFKC", text).strip()
        if said.lower() in NOTHING or said.rstrip("%") in ("0", "0.0", "0.00"):
            return ""
        if said in self._classes:
            return said
        tables = _yaml("columns.yaml")["classes"]
        for name, words in tables["words"].items():
            if plain(said) in {plain(word) for word in words}:
                return name
        if said[0].isdigit():
            for length in range(LINE_DIGITS, 2, -1):
                name = tables["digits"].get(code[:length])
                if name:
                    return name
        raise _Bad("CEB-LIST-006", "consumption", found=text, expected=" | ".join(sorted(self._classes)))


def _at(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _bare(text: str) -> str:
    """A code without dots, spaces and the ``ex`` of a part of a line."""
    return _NOT_IN_CODE.sub("", unicodedata.normalize("NFKC", text))


def _digits(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _codes(text: str) -> list[str]:
    return [part.strip() for part in _SPLIT.split(text) if part.strip()]


def _are_fractions(cells: Iterator[str]) -> bool:
    """Whether a column writes 6.5 % as 0.065: no plain number in it is above 1, and one is between."""
    numbers = [Decimal(cell) for cell in cells if _FRACTION.match(cell)]
    return bool(numbers) and max(numbers) <= 1 and any(number % 1 for number in numbers)


def _are_mixed(cells: Iterator[str]) -> bool:
    """Whether a column writes rates in two ways, so that 0.06 may be 6 % or 0.06 %: with and without a percent sign,
    or as shares too small for a percentage beside numbers too large for a share."""
    said = [unicodedata.normalize("NFKC", cell).strip() for cell in cells]
    numbers = [Decimal(cell) for cell in said if _FRACTION.match(cell)]
    signed = any(cell.endswith("%") for cell in said)
    return any(0 < number < (1 if signed else LEAST_PERCENT) for number in numbers) and (
        signed or any(number > 1 for number in numbers))


def _shown(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unit(column: str, text: str) -> str:
    said = plain(text)
    code = _units().get(said) or (said if re.fullmatch(r"[0-9]{3}", said) else "")
    if not code:
        raise _Bad("CEB-LIST-006", column, found=text, expected="千克 kg 035 …")
    return code


def _naming(cells: Mapping[str, str]) -> dict[str, str]:
    zh, en = cells.get("name_zh", ""), cells.get("name_en", "")
    return {"name_zh": (zh or en)[:NAME_CHARS_MAX], "name_en": en[:NAME_CHARS_MAX]}


def _joined(before: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Two rows of one line of the list: names and remarks one after the other, the kind they share or exclude."""
    made = dict(before)
    for column in ("name_zh", "name_en", "remark_zh", "remark_en", "note"):
        known = before[column].split("; ")
        if more[column] and more[column] not in known:
            made[column] = "; ".join(part for part in (before[column], more[column]) if part)
    if any(before[column] != more[column] for column in ("remark_kind", "quantity", "unit")):
        made.update(remark_kind="exclude", quantity="", unit="")
    return made


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


def _csv_text(kind: str, rows: list[dict[str, str]]) -> str:
    made = io.StringIO()
    writer = csv.DictWriter(made, KINDS[kind], lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: " ".join(row[column].split()) for column in KINDS[kind]} for row in rows)
    return made.getvalue()


def _quoted(text: str) -> str:
    """A text as YAML takes it in any place."""
    return "'" + " ".join(text.split()).replace("'", "''") + "'"


def _overlay_text(kind: str, edition: str, since: date, recorded_at: date, complete: bool, instrument: str, file: str,
                  lines: int) -> str:
    value = f"edition: {_quoted(edition)}, " + (f"lines: {lines}, " if kind == POSITIVE_LIST else "")
    value += f"complete: {str(complete).lower()}, files: [{_quoted(file)}]"
    own = ""
    if instrument not in Policy.load().instruments:
        name = _quoted(instrument)
        own = (f"instruments:\n  {name}:\n    no: {{zh: {name}, en: {name}}}\n"
               f"    title: {{zh: 导入的清单, en: an imported list}}\n"
               f"    issued: null\n    from: {since}\n    confidence: K\n")
    return (f"# Written by cebport policy import-list. Lay it over the tables with --overlay.\n"
            f"about: {{zh: 导入的清单, en: an imported list}}\nrecorded_at: {recorded_at}\n{own}rows:\n"
            f"  {kind}.edition:\n"
            f"  - {{value: {{{value}}}, since: {since}, instrument: {_quoted(instrument)}, confidence: {SEEN}}}\n")
