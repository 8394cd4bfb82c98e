"""A question about tax (税款试算的请求): JSON or an inventory (CEB621) in, a `Request` and every fault out.

::

    {"on": "2026-11-24", "place": "3118", "mode": "1210", "freight": "10", "insured_fee": "0", "year_used": "0",
     "lines": [{"gcode": "4202119090", "qty": "1", "unit": "011", "total_price": "500",
                "rates": {"mfn": "0.06", "vat": "0.13", "consumption": "0"}}]}

Money and rates are text, so that nothing is lost; numbers are taken too. Needed are ``on`` and of a line ``gcode``,
``qty``, ``total_price``; what else is left out is nothing.

>>> request, faults = read_request({"on": "2026-11-24", "lines": [{"gcode": "4202119090", "qty": 1}]})
>>> request is None, [(fault.code, fault.path) for fault in faults]
(True, [('CEB-QUOTE-002', 'lines[1]/total_price')])
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from cebport.clearance.parts import Line
from cebport.clearance.tax import Rates
from cebport.faults import Catalog, Fault, Words, fault_of, is_valid
from cebport.messages.documents import Document
from cebport.values import ZERO, beijing_day, parse_time

NATION = "CN"
LINES_MAX = 1000
CHARS_MAX = 40
DIGITS_MAX = 40
FIELDS = ("on", "place", "mode", "freight", "insured_fee", "year_used", "lines")
LINE_FIELDS = ("gcode", "qty", "unit", "qty1", "unit1", "qty2", "unit2", "total_price", "rates", "name")
RATE_FIELDS = ("mfn", "vat", "consumption", "consumption_specific", "band")
_GCODE = re.compile(r"[0-9]{8}([0-9]{2})?\Z")


class Form(NamedTuple):
    """How a number may be written, and how that is said."""

    pattern: re.Pattern[str]
    said: Words


MONEY = Form(re.compile(r"\d{1,10}(\.\d{1,5})?\Z"),
    Words('人民币元，加引号，例如 "123.45"',
          'CNY in quotes, e.g. "123.45"'))
FEN_MONEY = Form(re.compile(r"\d{1,10}(\.\d{1,2}0*)?\Z"),
    Words('人民币元，到分，加引号，例如 "123.45"',
          'CNY to the fen in quotes, e.g. "123.45"'))
QUANTITY = Form(re.compile(r"\d{1,10}(\.\d{1,5})?\Z"),
    Words('数量，加引号，例如 "0.75"',
          'a quantity in quotes, e.g. "0.75"'))
RATE = Form(re.compile(r"(0(\.\d{1,10})?|1(\.0{1,10})?)\Z"),
    Words('0 到 1 的小数，加引号，例如 "0.13"',
          'a fraction in quotes from 0 to 1, e.g. "0.13"'))
INSIDE_RATE = Form(re.compile(r"0(\.\d{1,10})?\Z"),
    Words('小于 1 的小数，加引号，例如 "0.15"',
          'a fraction in quotes below 1, e.g. "0.15"'))
AMOUNT = Form(re.compile(r"\d{1,6}(\.\d{1,10})?\Z"),
    Words('每单位人民币元，加引号，例如 "0.912"',
          'CNY a unit in quotes, e.g. "0.912"'))


class Request(Struct, frozen=True, gc=False):
    """What is asked: the day and place of the law, the mode ("" = not said), amounts in CNY, lines.

    given: for each line the rates that go before the tables, or None. label: whose question it is ("" = one of JSON;
    of a CEB621 its order number).
    """

    on: date
    place: str
    mode: str
    freight: Decimal
    insured_fee: Decimal
    year_used: Decimal
    lines: tuple[Line, ...]
    given: tuple[Rates | None, ...]
    label: str = ""


@cache
def catalog() -> Catalog:
    """Code -> words."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "faults_quote.yaml").read_text(encoding="utf-8"))


def read_request(data: object) -> tuple[Request | None, list[Fault]]:
    """The question in a mapping such as JSON gives; None when it cannot be answered. Every fault is told."""
    reading = _Reading()
    if not isinstance(data, Mapping):
        reading.add("CEB-QUOTE-001", "", _kind(data), '{"on": …, "lines": […]}')
        return None, reading.faults
    reading.known(data, FIELDS, "")
    on = reading.day(data)
    place = reading.text(data, "place", "place", NATION)
    mode = reading.text(data, "mode", "mode", "")
    fees = [reading.number(data, name, name, MONEY, ZERO) for name in ("freight", "insured_fee")]
    used = reading.number(data, "year_used", "year_used", FEN_MONEY, ZERO)
    lines, given = reading.lines(data)
    if not is_valid(reading.faults):
        return None, reading.faults
    assert on is not None
    return Request(on, place, mode, fees[0], fees[1], used, lines, given), reading.faults


def request_of(document: Document, *, on: date | None = None, place: str | None = None,
               year_used: Decimal = ZERO) -> Request:
    """The question that an inventory (CEB621) asks: its day (unless ``on``), its place, its goods and fees."""
    head = document.head
    lines = tuple([
        Line(x.gnum, x.itemName or "", x.unit, x.qty, x.price, x.totalPrice, x.country, x.gcode, x.qty1, x.unit1,
             x.qty2, x.unit2 or "")
        for x in document.lines])
    return Request(on if on is not None else beijing_day(parse_time(head.appTime)), place or head.customsCode,
                   head.tradeMode, head.freight, head.insuredFee, year_used, lines, (None,) * len(lines), head.orderNo)


class _Reading:
    """What was found wrong so far; every method gives a value that can be gone on with."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, code: str, path: str, found: object = "", expected: object = "") -> None:
        """One more fault."""
        self.faults.append(fault_of(catalog(), code, path=path, found=found, expected=expected))

    def known(self, data: Mapping[str, Any], fields: tuple[str, ...], at: str) -> None:
        """Keys that are none of the fields are told."""
        for key in data:
            if key not in fields:
                self.add("CEB-QUOTE-004", f"{at}{str(key)[:CHARS_MAX]}", "", ", ".join(fields))

    def day(self, data: Mapping[str, Any]) -> date | None:
        """``on``."""
        value = data.get("on")
        if isinstance(value, datetime):
            return beijing_day(value)
        if isinstance(value, date):
            return value
        if value is None:
            self.add("CEB-QUOTE-002", "on", "", "YYYY-MM-DD")
            return None
        try:
            if isinstance(value, str):
                return beijing_day(parse_time(value))
        except (ValueError, OverflowError):
            pass
        self.add("CEB-QUOTE-003", "on", _shown(value), "YYYY-MM-DD")
        return None

    def text(self, data: Mapping[str, Any], name: str, path: str, default: str) -> str:
        """A short text."""
        value = data.get(name)
        if value is None:
            return default
        if isinstance(value, str) and len(value) <= CHARS_MAX:
            return value.strip()
        if isinstance(value, int | Decimal) and not isinstance(value, bool):  # a code without its quotes
            return str(value)
        self.add("CEB-QUOTE-003", path, _shown(value), Words("加引号的文本", "a text in quotes"))
        return default

    def number(self, data: Mapping[str, Any], name: str, path: str, form: Form, default: Decimal | None) -> Decimal:
        """A number that is not negative; ``default`` None: it must be there."""
        value = data.get(name)
        if value is None:
            if default is None:
                self.add("CEB-QUOTE-002", path, "", form.said)
            return default or ZERO
        text = _written(value)
        if text is None or not text.isascii() or not form.pattern.match(text):
            self.add("CEB-QUOTE-003", path, _shown(value), form.said)
            return ZERO
        return Decimal(text)

    def lines(self, data: Mapping[str, Any]) -> tuple[tuple[Line, ...], tuple[Rates | None, ...]]:
        """``lines``."""
        held = data.get("lines")
        if held is None or (isinstance(held, list | tuple) and not held):
            self.add("CEB-QUOTE-002", "lines", "", '[{"gcode": …, "qty": …, "total_price": …}]')
            return (), ()
        if not isinstance(held, list | tuple) or len(held) > LINES_MAX:
            found = len(held) if isinstance(held, list | tuple) else _kind(held)
            self.add("CEB-QUOTE-003", "lines", found,
                     Words(f"1 到 {LINES_MAX} 行的列表", f"a list of 1 to {LINES_MAX} lines"))
            return (), ()
        made = [self._line(one, number) for number, one in enumerate(held, 1)]
        return tuple([line for line, _ in made]), tuple([rates for _, rates in made])

    def _line(self, one: object, gnum: int) -> tuple[Line, Rates | None]:
        at = f"lines[{gnum}]/"
        if not isinstance(one, Mapping):
            self.add("CEB-QUOTE-003", at[:-1], _kind(one), '{"gcode": …, "qty": …, "total_price": …}')
            one = {"gcode": "00000000", "qty": "1", "total_price": "0"}
        self.known(one, LINE_FIELDS, at)
        gcode = self.text(one, "gcode", at + "gcode", "")
        if not gcode and one.get("gcode") is None:
            self.add("CEB-QUOTE-002", at + "gcode", "", Words("8 或 10 位数字", "8 or 10 digits"))
        elif not (gcode.isascii() and _GCODE.match(gcode)):
            self.add("CEB-QUOTE-003", at + "gcode", gcode, Words("8 或 10 位数字", "8 or 10 digits"))
        qty = self.number(one, "qty", at + "qty", QUANTITY, None)
        if not qty and one.get("qty") is not None and not any(fault.path == at + "qty" for fault in self.faults):
            self.add("CEB-QUOTE-003", at + "qty", one["qty"], Words("大于 0", "more than 0"))
        qtys = [self.number(one, name, at + name, QUANTITY, ZERO) if one.get(name) is not None else None
                for name in ("qty1", "qty2")]
        unit, unit1, unit2 = (self.text(one, name, at + name, "") for name in ("unit", "unit1", "unit2"))
        total = self.number(one, "total_price", at + "total_price", MONEY, None)
        price = total / qty if qty else ZERO
        line = Line(gnum, self.text(one, "name", at + "name", ""), unit, qty, price, total, "", gcode, qtys[0], unit1,
                    qtys[1], unit2)
        return line, self._rates(one.get("rates"), at + "rates")

    def _rates(self, held: object, at: str) -> Rates | None:
        if held is None:
            return None
        if not isinstance(held, Mapping):
            self.add("CEB-QUOTE-003", at, _kind(held), '{"mfn": …, "vat": …, "consumption": …}')
            return None
        self.known(held, RATE_FIELDS, at + "/")
        forms = {"mfn": RATE, "vat": RATE, "consumption": INSIDE_RATE, "consumption_specific": AMOUNT}
        rates: dict[str, Any] = {
            name: self.number(held, name, f"{at}/{name}", form, ZERO)
            for name, form in forms.items() if held.get(name) is not None}
        band = self.text(held, "band", f"{at}/band", "")
        return Rates(**rates, band=band or None)


def _written(value: object) -> str | None:
    """A number as plain digits, however it was given; None = it is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    if not number.is_finite() or (number and abs(number.adjusted()) > DIGITS_MAX):
        return None
    return format(number, "f")


def _shown(value: object) -> str:
    return _kind(value) if isinstance(value, Mapping | list | tuple) else str(value)


def _kind(value: object) -> str:
    """What a JSON value is, for people."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{…}"
    return "[…]" if isinstance(value, list | tuple) else str(value)
