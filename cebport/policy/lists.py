"""Lists that come as CSV: the positive list (正面清单) and the tariff (税则), one file an edition.

Which edition holds on a day is a row of the law (``positive_list.edition``, ``tariff.edition``) that names
its files; several files of one edition are read as one list. Only samples ship: an edition says whether it
is complete, for absence from a sample proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from cebport.faults import Words
from cebport.policy.reader import Refused, csv_rows
from cebport.policy.schema import CONFIDENCE

PERCENT_DIGITS_MAX = 12
REMARK_KINDS = ("", "exclude", "bonded_only", "only_goods", "person_year_quantity")
"""The four kinds of remark: part of the line is out; bonded modes only; only the named goods; a quantity a
person and year."""

TARIFF_COLUMNS = (
    "gcode",
    "name_zh",
    "name_en",
    "mfn",
    "provisional",
    "vat",
    "consumption",
    "unit1",
    "unit2",
    "confidence",
    "source",
    "note",
)
LIST_COLUMNS = (
    "hs8",
    "name_zh",
    "name_en",
    "remark_kind",
    "remark_zh",
    "remark_en",
    "quantity",
    "unit",
    "confidence",
    "source",
    "note",
)


class TariffRow(NamedTuple):
    """One tariff line. mfn, provisional: duty rates as fractions; vat: "s" standard or "r" reduced;
    consumption: class of consumption tax or None; unit1, unit2: statutory units (法定单位)."""

    gcode: str
    name: str
    mfn: Decimal | None
    vat: str
    consumption: str | None
    unit1: str
    unit2: str
    edition: str
    confidence: str
    provisional: Decimal | None = None
    name_en: str = ""
    source: str = ""
    note: str = ""


class ListRow(NamedTuple):
    """One line of the positive list. quantity, unit: what a person may have a year, if a remark says so."""

    hs8: str
    name: str
    name_en: str
    remark_kind: str
    remark: str
    remark_en: str
    quantity: Decimal | None
    unit: str
    confidence: str
    source: str
    note: str
    where: str


class Listing(NamedTuple):
    """Whether goods stand on the list of the day.

    state: listed; excluded (the remark of the line bars this mode); absent (no line in what is loaded);
    not_required (no list rules on that day). complete: the loaded edition is the whole list; only then absence
    refuses. remark_kind, remark: a listed line may still leave out some goods (exclude), name some (only_goods)
    or count them (person_year_quantity): the goods code alone does not tell, the reader must be told.
    """

    state: str
    complete: bool
    edition: str
    row: ListRow | None
    remark_kind: str
    remark: str


NO_LIST = Listing("not_required", False, "", None, "", "")


def read_tariff(
    file: str, raw: bytes, edition: str, classes: frozenset[str], refuse: Callable[[Refused], None]
) -> dict[str, TariffRow]:
    """The rows of a tariff file by goods code. ``classes``: the known classes of consumption tax."""
    made: dict[str, TariffRow] = {}
    at: dict[str, int] = {}
    try:
        for line, cells in csv_rows(file, raw, TARIFF_COLUMNS):
            try:
                row = _tariff_row(line, cells, edition, classes)
                if row.gcode in made:
                    raise Refused("CEB-LAW-002", line, found=row.gcode, expected=f"{file}:{at[row.gcode]}")
                made[row.gcode] = row
                at[row.gcode] = line
            except Refused as refused:
                refuse(refused)
    except Refused as refused:
        refuse(refused)
    return made


def _tariff_row(line: int, cells: list[str], edition: str, classes: frozenset[str]) -> TariffRow:
    gcode, zh, en, mfn, provisional, vat, consumption, unit1, unit2, confidence, source, note = cells
    _digits(gcode, 10, line)
    if vat not in ("s", "r"):
        raise Refused("CEB-LAW-017", line, found=f"vat {vat}", expected="s | r")
    if consumption and consumption not in classes:
        raise Refused(
            "CEB-LAW-017", line, found=f"consumption {consumption}", expected=" | ".join(sorted(classes))
        )
    _digits(unit1, 3, line)
    if unit2:
        _digits(unit2, 3, line)
    _mark(confidence, line)
    return TariffRow(
        gcode,
        zh,
        _duty(mfn, line),
        vat,
        consumption or None,
        unit1,
        unit2,
        edition,
        confidence,
        _duty(provisional, line),
        en,
        source,
        note,
    )


def read_list(file: str, raw: bytes, refuse: Callable[[Refused], None]) -> dict[str, ListRow]:
    """The rows of a positive list file by their 8 digits."""
    made: dict[str, ListRow] = {}
    try:
        for line, cells in csv_rows(file, raw, LIST_COLUMNS):
            try:
                row = _list_row(file, line, cells)
                if row.hs8 in made:
                    raise Refused("CEB-LAW-002", line, found=row.hs8, expected=made[row.hs8].where)
                made[row.hs8] = row
            except Refused as refused:
                refuse(refused)
    except Refused as refused:
        refuse(refused)
    return made


def _list_row(file: str, line: int, cells: list[str]) -> ListRow:
    hs8, zh, en, kind, remark_zh, remark_en, quantity, unit, confidence, source, note = cells
    _digits(hs8, 8, line)
    if kind not in REMARK_KINDS:
        raise Refused("CEB-LAW-017", line, found=f"remark_kind {kind}", expected=" | ".join(REMARK_KINDS[1:]))
    if (kind == "person_year_quantity") != bool(quantity) or bool(quantity) != bool(unit):
        raise Refused(
            "CEB-LAW-017",
            line,
            found=f"{kind} {quantity} {unit}".strip(),
            expected=Words(
                "remark_kind 为 person_year_quantity 时才写、且必须写 quantity 与 unit",
                "quantity and unit with person_year_quantity, and only with it",
            ),
        )
    _mark(confidence, line)
    return ListRow(
        hs8,
        zh,
        en,
        kind,
        remark_zh,
        remark_en,
        _fraction(quantity, line),
        unit,
        confidence,
        source,
        note,
        f"{file}:{line}",
    )


def listing(
    gcode: str,
    mode: str,
    edition: str,
    complete: bool,
    rows: Mapping[str, ListRow],
    bonded_modes: tuple[str, ...],
) -> Listing:
    """How a goods code stands on an edition for a mode (监管方式)."""
    row = rows.get(gcode[:8])
    if row is None:
        return Listing("absent", complete, edition, None, "", "")
    barred = row.remark_kind == "bonded_only" and mode not in bonded_modes
    state = "excluded" if barred else "listed"
    return Listing(state, complete, edition, row, row.remark_kind, row.remark)


def _digits(cell: str, count: int, line: int) -> None:
    if len(cell) != count or not (cell.isascii() and cell.isdigit()):
        raise Refused("CEB-LAW-017", line, found=cell, expected=Words(f"{count} 位数字", f"{count} digits"))


def _mark(cell: str, line: int) -> None:
    if cell not in CONFIDENCE:
        raise Refused("CEB-LAW-020", line, found=cell, expected=" | ".join(CONFIDENCE))


def _fraction(cell: str, line: int) -> Decimal | None:
    if not cell:
        return None
    whole, _, part = cell.partition(".")
    if not (whole + part).isdigit() or not cell.isascii() or len(cell) > PERCENT_DIGITS_MAX:
        raise Refused(
            "CEB-LAW-017", line, found=cell, expected=Words("小数，如 0.15", "a decimal, e.g. 0.15")
        )
    return Decimal(cell)


def _duty(cell: str, line: int) -> Decimal | None:
    """A rate of duty. No list has one above the whole value: 15 is a percentage that was not divided."""
    rate = _fraction(cell, line)
    if rate is not None and rate > 1:
        expected = Words("0 到 1 的比例：15% 写作 0.15", "a share from 0 to 1: 15 % is 0.15")
        raise Refused("CEB-LAW-017", line, found=cell, expected=expected)
    return rate
