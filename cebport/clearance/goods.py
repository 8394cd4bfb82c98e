"""A merchant's goods file (商品表): cells in, goods out, one fault a cell that cannot be read.

The columns are found by their heads in Chinese or English (``tables/goods.yaml``), whatever their order; titles above
them are passed over. A row with an error gives no goods, all others do. Amounts are per piece in the currency of
the row, freight and insurance per order.

>>> made = read_goods("goods", [["品名", "HS编码", "单价", "净重(g)"], ["奶粉", "1901.1010.90", "198", "900"]])
>>> made.items[0].gcode, made.items[0].price, made.items[0].weight_kg, made.faults
('1901101090', Decimal('198'), Decimal('0.900'), ())
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from cebport.faults import ERROR, Catalog, Fault, Words, fault_of
from cebport.messages import codes
from cebport.values import CNY, ZERO

ITEMS_MAX = 10_000
"""So many goods a file: more is a catalogue for a program, which asks the library row by row."""
HEAD_ROWS_MAX = 30
"""So many rows may stand above the heads of the columns."""
CHARS_MAX = 200
DIGITS_MAX = 30
WHOLE_MAX = Decimal(10) ** 10
DUST = Decimal("1e-8")
"""What a spreadsheet's binary numbers leave behind the point is cut off here."""
GCODE_DIGITS = (8, 10)
A_NUMBER = Words("写成数字，例如 12.50", "write a number, e.g. 12.50")
A_COUNT = Words("写成整数，例如 1、2、3", "write a whole number, e.g. 1, 2, 3")
A_WEIGHT = Words("写成数字和单位，例如 900 g、0.9 kg", "write a number and a unit, e.g. 900 g, 0.9 kg")
A_VOLUME = Words("写成数字和单位，例如 750 ml、0.75 L", "write a number and a unit, e.g. 750 ml, 0.75 L")
NUMBERS = ("price", "freight", "insured_fee", "import_price", "rate", "sheets")
MEASURES = {"weight": "weight_kg", "volume": "volume_l"}
_BRACKETS = re.compile(r"[（(\[【](.*?)[）)\]】]")
_SIGNS = re.compile(r"[\s_\-./:：*#]+")
_NUMBER = re.compile(r"[-+]?(\d[\d,]*)?(\.\d+)?\Z")


class Item(Struct, frozen=True):
    """One kind of goods. None: the file does not say.

    price, import_price: CNY a piece (where ``currency`` is a foreign one without a rate, both are None). quantity:
    pieces an order. weight_kg, volume_l, sheets: a piece. freight, insured_fee: CNY an order. origin, sent_from:
    country codes (country.csv).
    """

    row: int
    name: str
    gcode: str
    price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    unit: str = ""
    weight_kg: Decimal | None = None
    volume_l: Decimal | None = None
    sheets: Decimal | None = None
    freight: Decimal | None = None
    insured_fee: Decimal | None = None
    import_price: Decimal | None = None
    currency: str = ""
    origin: str = ""
    sent_from: str = ""


class Goods(NamedTuple):
    """What a file gave: the goods that could be read, in their order, and everything that is wrong or not used."""

    items: tuple[Item, ...]
    faults: tuple[Fault, ...]


class _Bad(Exception):
    """One cell that cannot be read."""

    def __init__(self, code: str, expected: str | Words) -> None:
        self.code, self.expected = code, expected


@cache
def catalog() -> Catalog:
    """Code of a fault -> words."""
    return _held("faults_goods.yaml")


@cache
def columns() -> Mapping[str, Sequence[str]]:
    """Column -> the heads by which it is known."""
    return _held("goods.yaml")["columns"]


def _held(name: str) -> Any:
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / name).read_text(encoding="utf-8"))


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    return _held("goods.yaml")


@cache
def _heads() -> dict[str, str]:
    return {_plain(head): column for column, heads in columns().items() for head in heads}


def _plain(text: str) -> str:
    return _SIGNS.sub("", _BRACKETS.sub("", text)).lower()


def column_of(head: str) -> str | None:
    """The column that a head names; None = it is not known."""
    return _heads().get(_plain(head))


def head_row(rows: Sequence[Sequence[str]]) -> int | None:
    """Where the heads of the columns stand: the first row that names the goods code and one thing more (or only it)."""
    for at, row in enumerate(rows[:HEAD_ROWS_MAX]):
        named = [column_of(cell) for cell in row if cell.strip()]
        if "gcode" in named and (len(named) - named.count(None) > 1 or len(named) == 1):
            return at
    return None


# ── a file ──────────────────────────────────────────────────────────────────────────────────────────


def read_goods(name: str, rows: Sequence[Sequence[str]]) -> Goods:
    """The goods of a table of texts. ``name``: how faults call it (file, sheet)."""
    at = head_row(rows)
    if at is None:
        first = next((row for row in rows if any(cell.strip() for cell in row)), ())
        seen = ", ".join(cell.strip() for cell in first if cell.strip())
        return Goods((), (fault_of(catalog(), "CEB-GOODS-001", path=name, found=seen or "-",
                                   expected="HS编码 / HS code"),))
    place, faults = _placed(name, at, rows[at])
    items: list[Item] = []
    met = 0
    for number, row in enumerate(rows[at + 1 :], at + 2):
        if not any(cell.strip() for cell in row):
            continue
        met += 1
        if met > ITEMS_MAX:
            faults.append(fault_of(catalog(), "CEB-GOODS-009", path=f"{name}:{number}", found=f"> {ITEMS_MAX}",
                                   expected=f"<= {ITEMS_MAX}"))
            break
        found = _read_row(name, number, row, place)
        faults += found[1]
        if found[0] is not None:
            items.append(found[0])
    if not met:
        faults.append(fault_of(catalog(), "CEB-GOODS-010", path=name))
    return Goods(tuple(items), tuple(faults))


class _Column(NamedTuple):
    at: int
    head: str


def _placed(name: str, at: int, heads: Sequence[str]) -> tuple[dict[str, _Column], list[Fault]]:
    """Column -> where it stands, and what is wrong with the heads."""
    place: dict[str, _Column] = {}
    faults: list[Fault] = []
    unknown = []
    where = f"{name}:{at + 1}"
    for index, head in enumerate(heads):
        text = head.strip()
        column = column_of(text) if text else None
        if column is None:
            unknown += [text] if text else []
        elif column in place:
            faults.append(fault_of(catalog(), "CEB-GOODS-005", path=where, found=f"{place[column].head}, {text}",
                                   expected=column))
        else:
            place[column] = _Column(index, text)
    if unknown:
        names = ", ".join(columns()[column][0] for column in columns() if column not in place)
        faults.append(fault_of(catalog(), "CEB-GOODS-004", path=where, found=", ".join(unknown), expected=names))
    return place, faults


def _read_row(name: str, number: int, row: Sequence[str],
              place: Mapping[str, _Column]) -> tuple[Item | None, list[Fault]]:
    faults: list[Fault] = []
    held: dict[str, Any] = {}
    for column, (at, head) in place.items():
        text = row[at].strip() if at < len(row) else ""
        path = f"{name}:{number} {head}"
        try:
            value = _cell(column, head, text)
            if column == "gcode" and value != re.sub(r"\D", "", text):
                faults.append(fault_of(catalog(), "CEB-GOODS-006", path=path, found=text, expected=value))
            if value is not None:
                held[MEASURES.get(column, column)] = value
        except _Bad as bad:
            faults.append(fault_of(catalog(), bad.code, path=path, found=text or "-", expected=bad.expected))
    if any(fault.severity == ERROR for fault in faults):
        return None, faults
    return _item(number, held), faults


def _item(number: int, held: dict[str, Any]) -> Item:
    """The goods with their prices in CNY; a foreign price without a rate is no price."""
    rate, currency = held.pop("rate", None), held.pop("currency", CNY)
    if currency == CNY:
        currency, rate = "", None
    for column in ("price", "import_price", "freight", "insured_fee"):
        if currency and column in held:
            amount = held.pop(column)
            if rate is not None:
                held[column] = amount * rate
    return Item(number, held.pop("name", ""), held.pop("gcode"), currency="" if rate is not None else currency, **held)


# ── a cell ──────────────────────────────────────────────────────────────────────────────────────────


def _cell(column: str, head: str, text: str) -> Any:
    """The value of a cell, None where it says nothing. Raises _Bad."""
    if column == "gcode":
        return _gcode(text)
    if not text:
        return None
    if column == "quantity":
        return _quantity(text)
    if column in NUMBERS:
        return _number(text.lstrip("¥￥").removesuffix("元"), above_zero=column in ("price", "rate", "import_price"))
    if column in MEASURES:
        try:
            return measure(column, head, text)
        except ValueError:
            raise _Bad("CEB-GOODS-003", A_WEIGHT if column == "weight" else A_VOLUME) from None
    if column == "currency":
        return CNY if text.lower() in _table()["yuan"] else text
    if column == "unit":
        return _unit(text)
    if column in ("origin", "sent_from"):
        return country(text)
    return text[:CHARS_MAX]


def _gcode(text: str) -> str:
    """8 or 10 digits, written with dots or blanks or not; a zero that a spreadsheet ate is put back."""
    expected = "8 / 10 位数字 digits"
    digits = re.sub(r"[.\s]", "", text)
    if not (digits.isascii() and digits.isdigit()):
        raise _Bad("CEB-GOODS-002", expected)
    if len(digits) + 1 in GCODE_DIGITS:
        digits = "0" + digits
    if len(digits) not in GCODE_DIGITS:
        raise _Bad("CEB-GOODS-002", expected)
    return digits


def _number(text: str, *, above_zero: bool = False) -> Decimal:
    """A plain decimal, with commas for thousands or without."""
    text = text.replace("，", ",").strip()
    if not _NUMBER.match(text) or not any(c.isdigit() for c in text) or len(text) > DIGITS_MAX:
        raise _Bad("CEB-GOODS-003", A_NUMBER)
    number = Decimal(text.replace(",", ""))
    if number.as_tuple().exponent < -8:  # type: ignore[operator]  # the pattern lets only finite numbers in
        number = number.quantize(DUST).normalize() + ZERO
    if number < ZERO or (above_zero and not number) or number >= WHOLE_MAX:
        bounds = f"{'>' if above_zero else '>='} 0, < {WHOLE_MAX:,}"
        raise _Bad("CEB-GOODS-003", Words(f"写成数字，{bounds}", f"write a number {bounds}"))
    return number


def _quantity(text: str) -> Decimal:
    number = _number(re.sub(r"[^\d.,+\-]+\Z", "", text), above_zero=True)
    if number != number.to_integral_value():
        raise _Bad("CEB-GOODS-003", A_COUNT)
    return Decimal(int(number))


def measure(kind: str, head: str, text: str) -> Decimal:
    """A weight in kg or a volume in litres: unit of the cell, else of the column's head, else the usual one.

    kind: weight or volume. Raises ValueError where it is neither.
    """
    units: Mapping[str, str] = _table()[kind + "s"]
    found = re.match(r"\s*([\d.,，]+)\s*(\S*)\s*\Z", text)
    if found is None:
        raise ValueError(text)
    unit = found[2].lower() or _unit_of_head(head, units) or _table()["usual"][kind]
    if unit not in units:
        raise ValueError(text)
    try:
        return _number(found[1], above_zero=True) * Decimal(units[unit])
    except _Bad as bad:
        raise ValueError(text) from bad


def _unit_of_head(head: str, units: Mapping[str, str]) -> str:
    """The unit in brackets, or behind the name, of the head of a column."""
    said = _BRACKETS.findall(head)
    tail = re.split(r"[\s_\-/]+", _BRACKETS.sub("", head).strip())[-1]
    glued = re.sub(r"^(net)?(weight|volume)", "", _plain(head))
    return next((unit.strip().lower() for unit in [*said, tail, glued] if unit.strip().lower() in units), "")


def _unit(text: str) -> str:
    """The code of a unit of measure (计量单位)."""
    code = _names("unit").get(text.lower())
    if code is None:
        raise _Bad("CEB-GOODS-008", "件, 千克, 035 …")
    return code


def country(text: str) -> str:
    """The code of a country or region by its code, ISO letters or name. Raises _Bad."""
    code = _names("country").get(text.lower())
    if code is None:
        raise _Bad("CEB-GOODS-007", "日本 / Japan / JPN / 116")
    return code


@cache
def _names(table: str) -> dict[str, str]:
    """Every way to name a code of a list, in small letters -> the code."""
    made: dict[str, str] = {}
    for code, found in codes.rows(table).items():
        for row in found:
            for name in (code, row.zh, row.en, *row.more.values()):
                if name:
                    made.setdefault(name.lower(), code)
    for name, code in _table()["also"][table].items():
        made.setdefault(name, code)
    return made
