"""What the rules of all messages share: the report of faults, times, guids, people, companies, codes, lines.

rules.py holds the rules of each message; here is how a rule speaks. The words are in tables/faults_rule.yaml
and are read when the first fault is found. Functions whose first line says "called when" only find out what
exactly is wrong: the hot loops of rules.py have seen that something is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cebport.faults import Fault, fault_of
from cebport.messages import codes, shape
from cebport.messages.masks import mask
from cebport.values import CNY, ZERO, is_day8, plain, time14

if TYPE_CHECKING:
    from cebport.messages.documents import Message

FAULTS_FILE = Path(__file__).with_name("tables") / "faults_rule.yaml"

TOLERANCES: Mapping[str, str] = MappingProxyType({
    "order_total_tolerance_cny": "0.005",
    "goods_sum_tolerance_cny": "0.005",
    "line_total_tolerance_cny": "0.01",
    "price_rounding_cny": "0.005",
    "net_weight_tolerance_kg": "0.01",
    "clock_tolerance_minutes": "5",
})  # fmt: skip
"""Named tolerances; a practice may give each another value (a number, or its text).

order_total, goods_sum: how far acturalPaid and goodsValue may be from their formula.
line_total: how far totalPrice may be from price x qty. Beyond it, a difference of at most price_rounding x
qty is the rounding of the price to the fen and only warned of.
clock: how far a document may be dated after the clock, for senders whose clocks run fast.
"""

OFF_BY_DEFAULT = frozenset({"RULE-NET-SUM", "RULE-WAYBILL-BILL"})
"""Rules that only a practice turns on: hot loops ask here before they look. The catalog says the same."""

FAULTS_MAX = 1000
"""So many faults of one severity are listed for one document; one more says that there are others."""

NEVER = "~"
"""Later than every time written in digits: there is no clock to judge by."""

is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
is_dxp_id = re.compile(r"DXP[A-Z]{3}[0-9A-Z]{10}").fullmatch
is_book_no = re.compile(r"[A-Z]\d{4}[A-Z]\d{6}").fullmatch
is_day = lru_cache(maxsize=4096)(is_day8)
_amount = lru_cache(maxsize=64)(Decimal)


@cache
def catalog() -> Mapping[str, Mapping[str, Any]]:
    """The rules by id: code, official codes by message, default severity, source and words."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(FAULTS_FILE.read_text(encoding="utf-8"), loader)


def is_moment(text: str) -> bool:
    """Whether the text is a moment that exists, YYYYMMDDhhmmss; days are remembered."""
    return (
        len(text) == 14
        and text.isascii()
        and text.isdigit()
        and text[8:10] < "24"
        and text[10:12] < "60"
        and text[12:] < "60"
        and is_day(text[:8])
    )


class Report:
    """The faults of one message, under one practice, by one law day and one clock."""

    __slots__ = (
        "clock", "counts", "day8", "faults", "goods_sum", "latest8", "latest14", "line_total", "on",
        "order_total", "practice", "price_rounding", "shape", "type", "uuid",
    )  # fmt: skip

    def __init__(self, message: Message, practice: Mapping[str, Any], on: date, now: datetime | None) -> None:
        self.faults: list[Fault] = []
        self.counts: dict[tuple[int | None, str], int] = {}
        self.practice = practice
        self.on = on
        self.type = message.type
        self.shape = shape.MESSAGES[message.type]
        self.uuid = practice.get("RULE-GUID-UUID") != "off"
        self.order_total = self.tolerance("order_total_tolerance_cny")
        self.goods_sum = self.tolerance("goods_sum_tolerance_cny")
        self.line_total = self.tolerance("line_total_tolerance_cny")
        self.price_rounding = self.tolerance("price_rounding_cny")
        self.day8 = on.strftime("%Y%m%d")
        self.clock = ""
        self.latest14 = self.latest8 = NEVER
        if now is not None:
            self.clock = time14(now)
            self.latest14 = time14(now + timedelta(seconds=int(self.tolerance("clock_tolerance_minutes") * 60)))
            self.latest8 = self.latest14[:8]

    def tolerance(self, name: str) -> Decimal:
        """The named tolerance of the practice, else the default."""
        return _amount(str(self.practice.get(name, TOLERANCES[name])))

    def wants(self, rule: str) -> bool:
        """Whether a rule that is off by default was turned on."""
        return self.practice.get(rule, "off" if rule in OFF_BY_DEFAULT else "") != "off"

    def add(
        self,
        rule: str,
        document: int | None,
        path: str,
        found: object = "",
        expected: object = "",
        **values: Any,
    ) -> None:
        """Report a broken rule, unless the practice has turned it off."""
        entry = catalog()[rule]
        severity = self.practice.get(rule) or entry["severity"]
        if severity == "off":
            return
        listed = self.counts[document, severity] = self.counts.get((document, severity), 0) + 1
        if listed > FAULTS_MAX:
            if listed > FAULTS_MAX + 1:
                return
            entry, path, found, expected = catalog()["RULE-MORE"], "", FAULTS_MAX, ""
        code = entry.get("official", {}).get(self.type) or entry["code"]
        self.faults.append(
            fault_of({code: entry}, code, document=document, path=path, found=found, expected=expected,
                     severity=severity, **values)
        )  # fmt: skip

    def head(
        self, rule: str, number: int, field: str, found: object = "", expected: object = "", **values: Any
    ) -> None:
        """Report a fault in a field of a head: ``Order[3]/OrderHead/freight``, ``InvtCancel[2]/copNo``."""
        form = self.shape
        where = f"{form.group}[{number}]/{form.head}" if form.group else f"{form.head}[{number}]"
        self.add(rule, number, f"{where}/{field}", found, expected, **values)

    def line(
        self,
        rule: str,
        number: int,
        row: int,
        field: str,
        found: object = "",
        expected: object = "",
        **values: Any,
    ) -> None:
        """Report a fault in a field of a line (row from 1): ``Order[3]/OrderList[1]/qty``."""
        path = f"{self.shape.group}[{number}]/{self.shape.line}[{row}]/{field}"
        self.add(rule, number, path, found, expected, **values)


# --- head of every declared document ------------------------------------------------------------------------


def check_stamp(report: Report, number: int, head: Any) -> None:
    """guid, appType, appStatus, appTime: the fields with which every declared document begins."""
    guid = head.guid
    if len(guid) != 36:
        report.head("RULE-GUID-FORM", number, "guid", guid, "36")
    elif report.uuid and is_uuid(guid) is None:
        report.head("RULE-GUID-UUID", number, "guid", guid)
    if head.appType not in ("1", "2", "3"):
        report.head("RULE-APP-TYPE", number, "appType", head.appType, "1, 2, 3")
    if head.appStatus not in ("1", "2"):
        report.head("RULE-APP-STATUS", number, "appStatus", head.appStatus, "1, 2")
    time = head.appTime
    if not is_moment(time):
        report.head("RULE-TIME", number, "appTime", time, "YYYYMMDDhhmmss")
    elif time > report.latest14:
        report.head("RULE-FUTURE", number, "appTime", time, report.clock)


def check_event(report: Report, number: int, head: Any, field: str) -> None:
    """payTime, logisticsTime: a moment that exists and has passed."""
    time = getattr(head, field)
    if not is_moment(time):
        report.head("RULE-TIME", number, field, time, "YYYYMMDDhhmmss")
    elif time > report.latest14:
        report.head("RULE-EVENT-FUTURE", number, field, time, report.clock)


def check_person(report: Report, number: int, role: str, id_type: str, id_number: str) -> None:
    """The identity document of the buyer or payer (``role``): kind, form, check digit, birth, county."""
    if id_type != "1":
        report.head("RULE-ID-TYPE", number, role + "IdType", id_type, "1")
        return
    problems = codes.identity_problems(id_number)
    if not problems:
        if id_number[6:14] <= report.day8:
            return
        problems = ("birth",)
    field = role + "IdNumber"
    for problem in problems:
        rule = _IDENTITY_RULES[problem]
        report.head(rule, number, field, mask(field, id_number), prefix=id_number[:6])


_IDENTITY_RULES = {
    "form": "RULE-ID-FORM",
    "check": "RULE-ID-CHECK",
    "birth": "RULE-ID-BIRTH",
    "district": "RULE-ID-DISTRICT",
}


def check_companies(report: Report, number: int, head: Any, fields: Iterable[str]) -> None:
    """Name the company codes among the fields whose form is wrong: called when one was seen."""
    for field in fields:
        code = getattr(head, field)
        if code and codes.registration_problem(code):
            report.head("RULE-REGISTRATION", number, field, code)


def check_blank(report: Report, number: int, head: Any, fields: Iterable[str]) -> None:
    """Name the required fields that hold white space only: called when one was seen."""
    for field in fields:
        if getattr(head, field).isspace():
            report.head("RULE-BLANK", number, field)


def check_amounts(report: Report, number: int, head: Any, fields: Iterable[str]) -> None:
    """Name the amounts below zero: called when one was seen."""
    for field in fields:
        amount = getattr(head, field)
        if amount is not None and amount < ZERO:
            report.head("RULE-NEGATIVE", number, field, plain(amount), "0")


def check_currency(report: Report, number: int, head: Any) -> None:
    """Every amount is in renminbi."""
    if head.currency != CNY:
        report.head("RULE-CURRENCY", number, "currency", head.currency, CNY)


def unknown_codes(
    report: Report, list_name: str, number: int, record: Any, fields: Iterable[str], row: int = 0
) -> None:
    """Name the fields whose code is not in our list, in head or line ``row``: called when one was seen."""
    known = codes.codes_on(list_name, report.on)
    about = codes.about(list_name)
    rule = _LIST_RULES[list_name]
    for field in fields:
        code = getattr(record, field)
        if not code or code in known:
            continue
        if row:
            report.line(rule, number, row, field, code, list_zh=about.zh, list_en=about.en)
        else:
            report.head(rule, number, field, code, list_zh=about.zh, list_en=about.en)


_LIST_RULES = {
    "adminDivision": "RULE-CODE-DISTRICT",
    "country": "RULE-CODE-COUNTRY",
    "customsDistrict": "RULE-CODE-CUSTOMS",
    "loctNo": "RULE-CODE-PLACE",
    "transportMode": "RULE-CODE-TRANSPORT",
    "unit": "RULE-CODE-UNIT",
    "wrapType": "RULE-CODE-WRAP",
}


def check_filled(report: Report, rule: str, number: int, head: Any, fields: Iterable[str]) -> None:
    """Name the fields without content: called when one was seen."""
    for field in fields:
        if not (getattr(head, field) or "").strip():
            report.head(rule, number, field)


def check_empty(report: Report, rule: str, number: int, head: Any, fields: Iterable[str]) -> None:
    """Name the fields with content: called when one was seen."""
    for field in fields:
        value = (getattr(head, field) or "").strip()
        if value:
            report.head(rule, number, field, value, "")


# --- lines --------------------------------------------------------------------------------------------------


def check_line_total(report: Report, number: int, row: int, line: Any) -> None:
    """totalPrice = price x qty: called when they are not equal to the last digit."""
    product = line.price * line.qty
    gap = abs(product - line.totalPrice)
    if gap <= report.line_total:
        return
    rule = "RULE-LINE-ROUNDING" if gap <= report.price_rounding * line.qty else "RULE-LINE-TOTAL"
    report.line(rule, number, row, "totalPrice", plain(line.totalPrice), plain(product))


def check_line_amounts(report: Report, number: int, row: int, line: Any, quantities: Iterable[str]) -> None:
    """Name the quantities that are not above zero and the prices below it: called when one was seen."""
    for field in quantities:
        amount = getattr(line, field)
        if amount <= ZERO:
            report.line("RULE-QTY", number, row, field, plain(amount), "> 0")
    for field in ("price", "totalPrice"):
        amount = getattr(line, field, ZERO)
        if amount < ZERO:
            report.line("RULE-NEGATIVE", number, row, field, plain(amount), "0")


def check_numbering(report: Report, number: int, lines: Sequence[Any], *, consecutive: bool = True) -> None:
    """gnum: each once, and from 1 without a gap: called when the lines do not simply count up."""
    seen: set[int] = set()
    for row, line in enumerate(lines, 1):
        if line.gnum in seen:
            report.line("RULE-GNUM-TWICE", number, row, "gnum", line.gnum)
        seen.add(line.gnum)
    if consecutive and len(seen) == len(lines) and (min(seen) != 1 or max(seen) != len(lines)):
        row = next(row for row, line in enumerate(lines, 1) if line.gnum != row)
        report.line("RULE-GNUM-GAP", number, row, "gnum", lines[row - 1].gnum, len(lines))


# --- the message as a whole ---------------------------------------------------------------------------------


def check_twice(report: Report, rule: str, field: str, keys: Sequence[Any], numbers: Iterable[int]) -> None:
    """Report every key that an earlier document of the message has: called when there is one."""
    first: dict[Any, int] = {}
    for number, key in zip(numbers, keys, strict=True):
        if key in first:
            found = " + ".join(part for part in key if part) if isinstance(key, tuple) else key
            report.head(rule, number, field, found, first=first[key])
        else:
            first[key] = number


def check_tail(report: Report, message: Message) -> None:
    """Root attributes, BaseTransfer and BaseSubscribe."""
    if message.version != "1.0":
        report.add("RULE-VERSION", None, "@version", message.version, "1.0")
    if len(message.guid) != 36:
        report.add("RULE-GUID-FORM", None, "@guid", message.guid, "36")
    transfer = message.transfer
    if transfer is not None:
        if transfer.dxpMode != "DXP":
            report.add("RULE-DXP-MODE", None, "BaseTransfer/dxpMode", transfer.dxpMode, "DXP")
        if is_dxp_id(transfer.dxpId) is None:
            report.add("RULE-DXP-ID", None, "BaseTransfer/dxpId", transfer.dxpId)
        if codes.registration_problem(transfer.copCode):
            report.add("RULE-REGISTRATION", None, "BaseTransfer/copCode", transfer.copCode)
    for row, subscribe in enumerate(message.subscribes, 1):
        where = f"BaseSubscribe[{row}]/"
        if subscribe.status not in ("ALL", "DATA", "RET"):
            report.add("RULE-SUBSCRIBE", None, where + "status", subscribe.status, "ALL, DATA, RET")
        if subscribe.dxpMode != "DXP":
            report.add("RULE-SUBSCRIBE", None, where + "dxpMode", subscribe.dxpMode, "DXP")
        if not subscribe.dxpAddress.strip():
            report.add("RULE-SUBSCRIBE", None, where + "dxpAddress", subscribe.dxpAddress, "DXP")


def missing_fields(report: Report, number: int, document: Any) -> bool:
    """Report the required fields without a value (only a document built by hand has such); True if any."""
    before = len(report.faults)
    form = report.shape
    for field in shape.ENTITIES[shape.NEWEST][form.head]:
        if field.required and getattr(document.head, field.name) is None:
            report.head("RULE-INCOMPLETE", number, field.name)
    for row, line in enumerate(document.lines, 1):
        for field in shape.ENTITIES[shape.NEWEST].get(form.line, ()):
            if field.required and getattr(line, field.name) is None:
                report.line("RULE-INCOMPLETE", number, row, field.name)
    return len(report.faults) > before
