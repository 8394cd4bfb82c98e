"""Lists of payments and of batches (支付清单、购付汇批次): cells in, rows out, one fault a cell that cannot be read.

Columns are found by their heads in Chinese or English (``tables/forex.yaml``), whatever their order; titles above them
are passed over. A list with a batch number is a list of batches, one row a payment in a batch; any other is a list of
payments. Amounts are CNY unless they say otherwise; times are Beijing. Names and identity numbers come out plain:
whoever asked hides them at once.

>>> made = read_list("list", [["支付交易编号", "订单号", "平台代码", "支付时间", "金额", "支付人", "证件号码"],
...     ["P1", "O1", "4403960XXX", "2026-11-24 10:00", "108.50", "王某", "110101199003074514"]], "312226T001")
>>> made.kind, made.payments[0].amount, made.payments[0].paid_at, [fault.code for fault in made.faults]
('payments', Decimal('108.50'), '20261124100000', [])
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import ERROR, Catalog, Fault, fault_of
from cebport.messages import codes
from cebport.values import CNY, FEN, ZERO, parse_time, time14

PAYMENTS, BATCHES = "payments", "batches"
ROWS_MAX = 100_000
"""So many rows a file: an institution that has more sends more files."""
FAULTS_MAX = 500
"""With so many faults a file is not read further: nothing of it will be booked."""
HEAD_ROWS_MAX = 30
CHARS_MAX = 60
WHOLE_MAX = Decimal(10) ** 12
RATE_DIGITS_MAX = 10
DUST = Decimal("1e-8")
"""What a spreadsheet's binary numbers leave behind the point is cut off here."""
NEEDED = {
    PAYMENTS: ("payCode", "number", "orderNo", "ebpCode", "paid_at", "amount"),
    BATCHES: ("payCode", "batch", "day", "number", "cny", "foreign", "currency", "rate"),
}
"""Kind of list -> the columns without which there is no record."""
HEAD_FIELDS = ("day", "currency", "rate", "usd_rate", "bank", "country")
"""What all rows of a batch say alike."""
_SIGNS = re.compile(r"[\s_\-./:：*#（）()\[\]【】]+")
_NUMBER = re.compile(r"(\d[\d,]*)(\.\d+)?\Z")
_CODE = re.compile(r"[!-~]{1,60}\Z")


class PaymentRow(NamedTuple):
    """One payment as its institution tells it. paid_at: YYYYMMDDhhmmss. name, identity: plain, "" where not said."""

    row: int
    payCode: str
    number: str
    orderNo: str
    ebpCode: str
    paid_at: str
    amount: Decimal
    name: str
    identity: str
    ebcCode: str = ""
    logisticsNo: str = ""


class BatchRow(NamedTuple):
    """One payment in a batch. rate, usd_rate: CNY for one unit; total: the whole batch in CNY, as the bank says."""

    row: int
    payCode: str
    batch: str
    day: date
    number: str
    cny: Decimal
    foreign: Decimal
    currency: str
    rate: Decimal
    usd_rate: Decimal | None = None
    bank: str = ""
    country: str = ""
    total: Decimal | None = None


class ForexList(NamedTuple):
    """What a file gave: its kind, its rows, the columns that it has, and everything that is wrong or not used."""

    kind: str
    payments: tuple[PaymentRow, ...]
    batches: tuple[BatchRow, ...]
    columns: tuple[str, ...]
    faults: tuple[Fault, ...]


class _Bad(Exception):
    """One cell that cannot be read."""

    def __init__(self, expected: str) -> None:
        self.expected = expected


@cache
def table() -> Mapping[str, Any]:
    """Heads of columns and currencies."""
    return _held("forex.yaml")


@cache
def catalog() -> Catalog:
    """Code of a fault of lists, batches or the reconciliation -> words."""
    return _held("faults_forex.yaml")


def _held(name: str) -> Any:
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / name).read_text(encoding="utf-8"))


@cache
def _heads() -> dict[str, str]:
    return {_plain(head): column for column, heads in table()["columns"].items() for head in heads}


def _plain(text: str) -> str:
    return _SIGNS.sub("", text).lower()


def column_of(head: str) -> str | None:
    """The column that a head names; None = it is not known."""
    return _heads().get(_plain(head))


def head_row(rows: Sequence[Sequence[str]]) -> int | None:
    """Where the heads stand: the first row that names the payment number and two things more."""
    for at, row in enumerate(rows[:HEAD_ROWS_MAX]):
        named = {column_of(cell) for cell in row if cell.strip()} - {None}
        if "number" in named and len(named) > 2:
            return at
    return None


# ── a file ──────────────────────────────────────────────────────────────────────────────────────────


def read_list(name: str, rows: Sequence[Sequence[str]], institution: str = "") -> ForexList:
    """The records of a table of texts. ``name``: how faults call it; ``institution``: whose it is, if no column says.

    Rows with an error are left out; whether the rest may be used is for the caller to say.
    """
    at = head_row(rows)
    if at is None:
        first = next((row for row in rows if any(cell.strip() for cell in row)), ())
        seen = len([cell for cell in first if cell.strip()])
        return ForexList("", (), (), (), (_fault("CEB-FOREX-001", name, found=f"{seen} 列 columns",
                                                 expected="支付交易编号 / payTransactionId"),))
    place, faults = _placed(name, at, rows[at])
    kind = BATCHES if "batch" in place else PAYMENTS
    given = {"payCode": institution} if institution else {}
    missing = [column for column in NEEDED[kind] if column not in place and column not in given]
    if missing:
        faults += [_fault("CEB-FOREX-002", f"{name}:{at + 1}", found=column, expected=table()["columns"][column][0])
                   for column in missing]
        return ForexList(kind, (), (), tuple(place), tuple(faults))
    made: list[Any] = []
    met = 0
    for number, row in enumerate(rows[at + 1 :], at + 2):
        if not any(cell.strip() for cell in row):
            continue
        met += 1
        if met > ROWS_MAX:
            faults.append(_fault("CEB-FOREX-009", f"{name}:{number}", found=f"> {ROWS_MAX}", expected=f"<= {ROWS_MAX}"))
            break
        if len(faults) >= FAULTS_MAX:
            break
        read, wrong = _read_row(name, number, row, place, kind, given)
        faults += wrong
        if read is not None:
            made.append(read)
    if not met:
        faults.append(_fault("CEB-FOREX-010", name))
    faults += (_twice(name, kind, made) + (_unlike(name, made) if kind == BATCHES else []))[:FAULTS_MAX]
    payments, batches = (tuple(made), ()) if kind == PAYMENTS else ((), tuple(made))
    return ForexList(kind, payments, batches, tuple(place), tuple(faults))


def _fault(code: str, path: str, **values: Any) -> Fault:
    return fault_of(catalog(), code, path=path, **values)


class _Column(NamedTuple):
    at: int
    head: str


def _placed(name: str, at: int, heads: Sequence[str]) -> tuple[dict[str, _Column], list[Fault]]:
    """Column -> where it stands, and what is wrong with the heads."""
    place: dict[str, _Column] = {}
    faults: list[Fault] = []
    unknown = []
    for index, head in enumerate(heads):
        text = head.strip()
        column = column_of(text) if text else None
        if column is None:
            unknown += [text[:CHARS_MAX]] if text else []
        elif column in place:
            faults.append(_fault("CEB-FOREX-005", f"{name}:{at + 1}", found=f"{place[column].head}, {text}",
                                 expected=column))
        else:
            place[column] = _Column(index, text)
    if unknown:
        faults.append(_fault("CEB-FOREX-004", f"{name}:{at + 1}", found=", ".join(unknown)))
    return place, faults


def _read_row(name: str, number: int, row: Sequence[str], place: Mapping[str, _Column], kind: str,
              given: Mapping[str, str]) -> tuple[PaymentRow | BatchRow | None, list[Fault]]:
    held: dict[str, Any] = dict(given)
    faults: list[Fault] = []
    needed, wanted = NEEDED[kind], (PaymentRow if kind == PAYMENTS else BatchRow)._fields
    for column, (at, head) in place.items():
        text = row[at].strip() if at < len(row) else ""
        path = f"{name}:{number} {head}"
        if not text:
            if column in needed and column not in given:
                faults.append(_fault("CEB-FOREX-003", path, found="-", expected=head))
            continue
        try:
            value = READERS[column](text)
        except _Bad as bad:
            shown = text[:1] + "*" * (len(text) - 1) if column in ("name", "identity") else text
            faults.append(_fault("CEB-FOREX-003", path, found=shown, expected=bad.expected))
            continue
        if column == "currency" and kind == PAYMENTS and value != CNY:
            faults.append(_fault("CEB-FOREX-003", path, found=text, expected="CNY / 142"))
        elif column == "payCode" and given and value != given["payCode"]:
            faults.append(_fault("CEB-FOREX-013", path, found=value, expected=given["payCode"]))
        elif column in wanted:
            held[column] = value
    if any(fault.severity == ERROR for fault in faults):
        return None, faults
    if kind == PAYMENTS:
        return PaymentRow(row=number, **{"name": "", "identity": "", **held}), faults
    return BatchRow(row=number, **held), faults


def _twice(name: str, kind: str, made: Sequence[Any]) -> list[Fault]:
    """A payment that stands twice in a list, or twice in one batch of it."""
    seen: dict[tuple[str, ...], int] = {}
    faults = []
    for one in made:
        key = (one.payCode, one.number) if kind == PAYMENTS else (one.payCode, one.batch, one.number)
        if key in seen:
            faults.append(_fault("CEB-FOREX-012", f"{name}:{one.row}", found=one.number, expected=str(seen[key])))
        seen.setdefault(key, one.row)
    return faults


def _unlike(name: str, made: Sequence[BatchRow]) -> list[Fault]:
    """Rows of one batch that say different things of the whole."""
    first: dict[tuple[str, str], BatchRow] = {}
    faults = []
    for one in made:
        held = first.setdefault((one.payCode, one.batch), one)
        for field in (*HEAD_FIELDS, "total"):
            if getattr(one, field) != getattr(held, field):
                faults.append(_fault("CEB-FOREX-011", f"{name}:{one.row} {field}", found=_told(getattr(one, field)),
                                     expected=f"{_told(getattr(held, field))} ({held.row})"))
    return faults


def _told(value: Any) -> str:
    return "-" if value in (None, "") else str(value)


# ── a cell ──────────────────────────────────────────────────────────────────────────────────────────


def _text(text: str) -> str:
    if len(text) > CHARS_MAX or any(not c.isprintable() for c in text):
        raise _Bad(f"<= {CHARS_MAX} 字符 characters")
    return text


def _code_text(text: str) -> str:
    """A number of a document or an enterprise: it becomes part of a key."""
    if not _CODE.match(text) or "|" in text:
        raise _Bad(f"1–{CHARS_MAX} 位字母、数字 letters and digits")
    return text


def _number(text: str) -> Decimal:
    plain = text.replace("，", ",").lstrip("¥￥").removesuffix("元").strip()
    if not _NUMBER.match(plain) or len(plain) > 30:
        raise _Bad("12.50")
    number = Decimal(plain.replace(",", ""))
    dusty = number.as_tuple().exponent < -8  # type: ignore[operator]  # the pattern lets only finite numbers in
    return number.quantize(DUST).normalize() + ZERO if dusty else number


def _money(text: str) -> Decimal:
    """CNY above zero, whole fen."""
    amount = _number(text)
    if not ZERO < amount < WHOLE_MAX or amount != amount.quantize(FEN):
        raise _Bad("> 0, 12.50")
    return amount.quantize(FEN)


def _foreign(text: str) -> Decimal:
    amount = _number(text)
    if amount >= WHOLE_MAX or amount != amount.quantize(FEN):
        raise _Bad(">= 0, 12.50")
    return amount


def _rate(text: str) -> Decimal:
    """CNY for one unit of the currency."""
    rate = _number(text)
    if not ZERO < rate < WHOLE_MAX or len(rate.as_tuple().digits) > RATE_DIGITS_MAX:
        raise _Bad("> 0, 7.1234")
    return rate


def rate(text: str) -> Decimal:
    """CNY for one unit of a currency. Raises ValueError."""
    try:
        return _rate(text)
    except _Bad:
        raise ValueError(text) from None


def number(text: str) -> str:
    """The number of a batch or the code of an institution. Raises ValueError."""
    try:
        return _code_text(text)
    except _Bad:
        raise ValueError(text) from None


def _time(text: str) -> str:
    """A moment in Beijing."""
    return time14(_moment(text))


def _day(text: str) -> date:
    return _moment(text).date()


def _moment(text: str) -> datetime:
    plain = text.replace("/", "-").replace("T", " ").strip()
    if len(plain) == 8 and plain.isdigit():
        plain = f"{plain[:4]}-{plain[4:6]}-{plain[6:]}"
    try:
        return parse_time(plain)
    except ValueError:
        raise _Bad("YYYY-MM-DD hh:mm:ss") from None


def currency(text: str) -> str:
    """The customs code of a currency by code, ISO letters or name. Raises ValueError."""
    code = _currencies().get(text.strip().lower())
    if code is None:
        raise ValueError(text)
    return code


def _currency(text: str) -> str:
    try:
        return currency(text)
    except ValueError:
        raise _Bad("USD / 502 / 美元") from None


@cache
def _currencies() -> dict[str, str]:
    made: dict[str, str] = {}
    for code, row in table()["currencies"].items():
        made.update(dict.fromkeys([code, row["iso"].lower(), row["zh"], row["en"].lower()], code))
    return made


def iso_of(code: str) -> str:
    """ISO letters of a currency."""
    return str(table()["currencies"][code]["iso"])


def minor_of(code: str) -> Decimal:
    """The smallest amount of a currency: 0.01, or 1 where it has no smaller coin."""
    return Decimal(1).scaleb(-int(table()["currencies"][code]["decimals"]))


def country(text: str) -> str:
    """The code of a country or region by code, ISO letters or name. Raises ValueError."""
    code = _countries().get(text.strip().lower())
    if code is None:
        raise ValueError(text)
    return code


def _country(text: str) -> str:
    try:
        return country(text)
    except ValueError:
        raise _Bad("日本 / Japan / JPN / 116") from None


@cache
def _countries() -> dict[str, str]:
    made: dict[str, str] = {}
    for code, found in codes.rows("country").items():
        for row in found:
            for name in (code, row.zh, row.en, *row.more.values()):
                if name:
                    made.setdefault(name.lower(), code)
    return made


READERS: dict[str, Any] = {
    "payCode": _code_text, "number": _code_text, "orderNo": _code_text, "ebpCode": _code_text, "ebcCode": _code_text,
    "logisticsNo": _code_text, "paid_at": _time, "amount": _money, "currency": _currency, "name": _text,
    "identity": _text, "batch": _code_text, "day": _day, "cny": _money, "foreign": _foreign, "rate": _rate,
    "usd_rate": _rate, "bank": _text, "country": _country, "total": _money, "goods": _text, "order_time": _time,
    "refund": _text,
}
"""Column -> what reads a cell of it; what a record does not keep is read all the same, so that a broken row is told."""
