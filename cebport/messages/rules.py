"""The rules of the message text (规则检查): every formula and field rule, every fault of a message.

``check`` takes a message that fits the schema and returns all it breaks. What a rule weighs, the practice
says: a mapping from rule id (tables/faults_rule.yaml) to severity, plus tolerances (fields.TOLERANCES). What
needs a second document (the three-document match), the law or the store is not judged here.

One function a message, written straight: in a message without faults nothing is built, and a hundred
documents cost a millisecond at most. The order of the checks is the order of the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from cebport.faults import ERROR, Fault
from cebport.messages import codes, shape
from cebport.messages.codes import registration_problem
from cebport.messages.documents import Document, Message
from cebport.messages.fields import (
    TOLERANCES,
    Report,
    catalog,
    check_amounts,
    check_blank,
    check_companies,
    check_currency,
    check_empty,
    check_event,
    check_filled,
    check_line_amounts,
    check_line_total,
    check_numbering,
    check_person,
    check_stamp,
    check_tail,
    check_twice,
    is_book_no,
    is_day,
    is_moment,
    missing_fields,
    unknown_codes,
)
from cebport.values import CNY, ZERO, beijing_day, plain

__all__ = ["RECEIPT_CODES", "TOLERANCES", "catalog", "check", "receipt_code"]

NO_PRACTICE: Mapping[str, Any] = MappingProxyType({})

RECEIPT_CODES: Mapping[str, Mapping[str, str]]
"""Message type -> trouble (codes.REASONS) -> official code; read from tables/codes.yaml on first use."""


def __getattr__(name: str) -> Any:
    if name == "RECEIPT_CODES":
        return codes.receipt_codes()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check(
    message: Message,
    practice: Mapping[str, Any] = NO_PRACTICE,
    on: date | None = None,
    now: datetime | None = None,
    *,
    numbers: Sequence[int] | None = None,
) -> list[Fault]:
    """All that a message breaks of the message text; ``[]`` when nothing.

    message: fits the schema (wire.parse gives None for one that does not: that is a TypeError here); a
        document built by hand that lacks fields is told so.
    practice: rule id -> severity ("error", "warning", "info", "off") where it differs from the catalog's, and
        the named tolerances of fields.TOLERANCES.
    on: the law day, for codes that begin and end; None: the day of ``now``, else any day.
    now: the clock; a document dated after it is refused. None: the clock is not judged.
    numbers: what the documents are numbered in the faults, where some were left out (wire.readable); None: from 1.
    """
    if not isinstance(message, Message):
        raise TypeError(
            f"check wants a Message, not {type(message).__name__}: parse gives None for a message that does not fit "
            "the schema; its list of faults says why"
        )
    day = on if on is not None else beijing_day(now) if now is not None else date.max
    report = Report(message, practice, day, now)
    rules = RULES.get(message.type)
    if rules is not None:
        check_tail(report, message)
        documents = message.documents
        if numbers is not None:
            for number, document in zip(numbers, documents, strict=True):
                rules(report, (document,), number)
            _check_repeats(report, documents, numbers)
        else:
            _check_all(report, rules, documents)
    if len(report.faults) > 1:
        report.faults.sort(key=lambda fault: fault.document or 0)
    return report.faults


def receipt_code(message_type: str, faults: Iterable[Fault]) -> str:
    """The official code that answers a document with these faults; "" when none of them is an error.

    It is that of the first error that has an official code of its own, else the message's code for content.
    """
    errors = [fault for fault in faults if fault.severity == ERROR]
    if not errors:
        return ""
    own = next((fault.code for fault in errors if fault.code.startswith("-")), "")
    return own or codes.receipt_codes()[message_type]["content"]


def _check_all(report: Report, rules: Callable[..., None], documents: Sequence[Document]) -> None:
    """The usual way: every document of the message."""
    try:
        rules(report, documents)
    except (TypeError, AttributeError):
        _one_by_one(report, rules, documents)
    else:
        _check_repeats(report, documents, range(1, len(documents) + 1))


def _one_by_one(report: Report, rules: Callable[..., None], documents: Sequence[Document]) -> None:
    """The way for messages built by hand: a document that lacks required fields gets that fault instead."""
    report.faults = [fault for fault in report.faults if fault.document is None]
    report.counts.clear()
    for number, document in enumerate(documents, 1):
        try:
            rules(report, (document,), number)
        except (TypeError, AttributeError):
            if not missing_fields(report, number, document):
                raise


def _check_repeats(report: Report, documents: Sequence[Document], numbers: Sequence[int]) -> None:
    """The same guid, and the same business key with the same appType, twice in one message."""
    if len(documents) < 2:
        return
    guids = [document.head.guid for document in documents]
    if len(set(guids)) != len(guids):
        check_twice(report, "RULE-GUID-TWICE", "guid", guids, numbers)
    business_key = KEYS.get(report.type)
    if business_key is not None:
        field, key = business_key
        keys = [key(document.head) for document in documents]
        if len(set(keys)) != len(keys):
            check_twice(report, "RULE-KEY-TWICE", field, keys, numbers)


# --- CEB311 order (电子订单) ----------------------------------------------------------------------------


ORDER_AMOUNTS = ("goodsValue", "freight", "discount", "taxTotal", "acturalPaid")


def _orders(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    units = codes.codes_on("unit", report.on)
    countries = codes.codes_on("country", report.on)
    order_total, goods_sum = report.order_total, report.goods_sum
    for number, document in enumerate(documents, first):
        head = document.head
        check_stamp(report, number, head)
        if head.orderType != "I":
            report.head("RULE-ORDER-TYPE", number, "orderType", head.orderType, "I")
        pay_code = head.payCode
        if (
            registration_problem(head.ebpCode)
            or registration_problem(head.ebcCode)
            or (pay_code and registration_problem(pay_code))
        ):
            check_companies(report, number, head, ("ebpCode", "ebcCode", "payCode"))
        if head.orderNo.isspace() or head.buyerName.isspace() or head.consignee.isspace():
            check_blank(report, number, head, ("orderNo", "buyerName", "consignee"))
        goods, freight, discount = head.goodsValue, head.freight, head.discount
        tax, paid = head.taxTotal, head.acturalPaid
        if goods < ZERO or freight < ZERO or discount < ZERO or tax < ZERO or paid < ZERO:
            check_amounts(report, number, head, ORDER_AMOUNTS)
        due = goods + freight + tax - discount
        if paid != due and abs(paid - due) > order_total:
            report.head("RULE-ORDER-TOTAL", number, "acturalPaid", plain(paid), plain(due))
        if head.currency != CNY:
            check_currency(report, number, head)
        check_person(report, number, "buyer", head.buyerIdType, head.buyerIdNumber)
        district = head.consigneeDistrict
        if district and district not in codes.codes_on("adminDivision"):
            unknown_codes(report, "adminDivision", number, head, ("consigneeDistrict",))
        total = _order_lines(report, number, document.lines, units, countries)
        if total != goods and abs(total - goods) > goods_sum:
            report.head("RULE-GOODS-SUM", number, "goodsValue", plain(goods), plain(total))


def _order_lines(
    report: Report, number: int, lines: Sequence[Any], units: frozenset[str], countries: frozenset[str]
) -> Decimal:
    """The lines of an order; returns the sum of their totalPrice."""
    total = ZERO
    in_order = True
    for row, line in enumerate(lines, 1):
        if line.gnum != row:
            in_order = False
        if line.unit not in units:
            unknown_codes(report, "unit", number, line, ("unit",), row)
        qty, price, line_total = line.qty, line.price, line.totalPrice
        if qty <= ZERO or price < ZERO or line_total < ZERO:
            check_line_amounts(report, number, row, line, ("qty",))
        if price * qty != line_total:
            check_line_total(report, number, row, line)
        total += line_total
        if line.currency != CNY:
            report.line("RULE-CURRENCY", number, row, "currency", line.currency, CNY)
        if line.country not in countries:
            unknown_codes(report, "country", number, line, ("country",), row)
    if not in_order:
        check_numbering(report, number, lines)
    return total


# --- CEB411 payment (支付凭证) --------------------------------------------------------------------------


def _payments(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    for number, document in enumerate(documents, first):
        head = document.head
        check_stamp(report, number, head)
        if registration_problem(head.payCode) or registration_problem(head.ebpCode):
            check_companies(report, number, head, ("payCode", "ebpCode"))
        if head.payTransactionId.isspace() or head.orderNo.isspace() or head.payerName.isspace():
            check_blank(report, number, head, ("payTransactionId", "orderNo", "payerName"))
        check_person(report, number, "payer", head.payerIdType, head.payerIdNumber)
        if head.amountPaid < ZERO:
            check_amounts(report, number, head, ("amountPaid",))
        if head.currency != CNY:
            check_currency(report, number, head)
        check_event(report, number, head, "payTime")


# --- CEB511 waybill (物流运单), CEB513 its state --------------------------------------------------------


def _waybills(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    wants_bill = report.wants("RULE-WAYBILL-BILL")
    for number, document in enumerate(documents, first):
        head = document.head
        check_stamp(report, number, head)
        if registration_problem(head.logisticsCode):
            check_companies(report, number, head, ("logisticsCode",))
        if head.logisticsNo.isspace() or head.orderNo.isspace() or head.consignee.isspace():
            check_blank(report, number, head, ("logisticsNo", "orderNo", "consignee"))
        if wants_bill and not head.billNo:
            report.head("RULE-WAYBILL-BILL", number, "billNo")
        freight, fee, weight = head.freight, head.insuredFee, head.weight
        if freight is None or fee is None:
            for field in ("freight", "insuredFee"):
                if getattr(head, field) is None:
                    report.head("RULE-WAYBILL-FEES", number, field, "", "0")
        if (freight is not None and freight < ZERO) or (fee is not None and fee < ZERO):
            check_amounts(report, number, head, ("freight", "insuredFee"))
        if head.currency != CNY:
            check_currency(report, number, head)
        if weight <= ZERO:
            rule = "RULE-NEGATIVE" if weight < ZERO else "RULE-WEIGHT"
            report.head(rule, number, "weight", plain(weight), "> 0")
        if head.packNo != 1:
            report.head("RULE-PACK-NO", number, "packNo", head.packNo, 1)


def _waybill_states(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    for number, document in enumerate(documents, first):
        head = document.head
        check_stamp(report, number, head)
        if registration_problem(head.logisticsCode):
            check_companies(report, number, head, ("logisticsCode",))
        if head.logisticsNo.isspace():
            check_blank(report, number, head, ("logisticsNo",))
        if head.logisticsStatus != "S":
            report.head("RULE-LOGISTICS-STATUS", number, "logisticsStatus", head.logisticsStatus, "S")
        check_event(report, number, head, "logisticsTime")


# --- CEB621 inventory (进口清单) ------------------------------------------------------------------------

TRANSPORT_FIELDS = ("trafNo", "voyageNo", "billNo")
BONDED_FIELDS = ("emsNo", "areaCode", "areaName")
DIRECT_PURCHASE = "9610"
BONDED_MODES = frozenset(("1210", "1239"))


def _inventories(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    on = report.on
    offices = codes.codes_on("customsDistrict", on)
    countries = codes.codes_on("country", on)
    transports = codes.codes_on("transportMode", on)
    wraps = codes.codes_on("wrapType", on)
    lists = codes.codes_on("unit", on), countries
    wants_net_sum = report.wants("RULE-NET-SUM")
    for number, document in enumerate(documents, first):
        head = document.head
        lines = document.lines
        check_stamp(report, number, head)
        _inventory_parties(report, number, head)
        if head.ieFlag != "I":
            report.head("RULE-IE-FLAG", number, "ieFlag", head.ieFlag, "I")
        declared, entered = head.declTime, head.ieDate
        if not is_day(declared) or declared > report.latest8 or (entered is not None and not is_day(entered)):
            _inventory_days(report, number, head)
        if head.customsCode not in offices or head.portCode not in offices:
            unknown_codes(report, "customsDistrict", number, head, ("customsCode", "portCode"))
        check_person(report, number, "buyer", head.buyerIdType, head.buyerIdNumber)
        _inventory_mode(report, number, head, lines)
        if head.trafMode not in transports:
            unknown_codes(report, "transportMode", number, head, ("trafMode",))
        if head.loctNo:
            unknown_codes(report, "loctNo", number, head, ("loctNo",))
        if head.country not in countries:
            unknown_codes(report, "country", number, head, ("country",))
        if head.freight < ZERO or head.insuredFee < ZERO:
            check_amounts(report, number, head, ("freight", "insuredFee"))
        if head.currency != CNY:
            check_currency(report, number, head)
        wrap = head.wrapType
        if wrap is not None and wrap not in wraps:
            unknown_codes(report, "wrapType", number, head, ("wrapType",))
        if head.packNo != 1:
            report.head("RULE-PACK-NO", number, "packNo", head.packNo, 1)
        gross, net = head.grossWeight, head.netWeight
        if net <= ZERO or gross < net:
            _inventory_weights(report, number, gross, net)
        if wants_net_sum:
            _net_weight(report, number, head, lines)
        _inventory_lines(report, number, lines, *lists)


def _inventory_parties(report: Report, number: int, head: Any) -> None:
    area = head.areaCode
    if (
        registration_problem(head.ebpCode)
        or registration_problem(head.ebcCode)
        or registration_problem(head.logisticsCode)
        or registration_problem(head.assureCode)
        or registration_problem(head.agentCode)
        or (area and registration_problem(area))
    ):
        fields = ("ebpCode", "ebcCode", "logisticsCode", "assureCode", "agentCode", "areaCode")
        check_companies(report, number, head, fields)
    if head.orderNo.isspace() or head.logisticsNo.isspace() or head.buyerName.isspace():
        check_blank(report, number, head, ("orderNo", "logisticsNo", "buyerName"))
    cop_no = head.copNo
    if not cop_no or cop_no.isspace():
        report.head("RULE-COP-NO", number, "copNo")


def _inventory_days(report: Report, number: int, head: Any) -> None:
    if not is_day(head.declTime):
        report.head("RULE-DAY", number, "declTime", head.declTime, "YYYYMMDD")
    elif head.declTime > report.latest8:
        report.head("RULE-EVENT-FUTURE", number, "declTime", head.declTime, report.clock[:8])
    if head.ieDate is not None and not is_day(head.ieDate):
        report.head("RULE-DAY", number, "ieDate", head.ieDate, "YYYYMMDD")


def _inventory_weights(report: Report, number: int, gross: Decimal, net: Decimal) -> None:
    for field, weight in (("grossWeight", gross), ("netWeight", net)):
        if weight < ZERO:
            report.head("RULE-NEGATIVE", number, field, plain(weight), "0")
    if net == ZERO:
        report.head("RULE-WEIGHT", number, "netWeight", plain(net), "> 0")
    if gross < net:
        report.head("RULE-WEIGHT", number, "grossWeight", plain(gross), f">= {plain(net)}")


def _inventory_mode(report: Report, number: int, head: Any, lines: Sequence[Any]) -> None:
    """What direct purchase and bonded import must give, must leave empty, and say of the country."""
    mode = head.tradeMode
    if mode == DIRECT_PURCHASE:
        vehicle, voyage, bill = head.trafNo, head.voyageNo, head.billNo
        if not (vehicle and voyage and bill) or vehicle.isspace() or voyage.isspace() or bill.isspace():
            check_filled(report, "RULE-9610-TRANSPORT", number, head, TRANSPORT_FIELDS)
        if head.emsNo or head.areaCode or head.areaName:
            check_empty(report, "RULE-9610-EMPTY", number, head, BONDED_FIELDS)
        for row, line in enumerate(lines, 1):
            if line.itemRecordNo:
                report.line("RULE-9610-EMPTY", number, row, "itemRecordNo", line.itemRecordNo, "")
        if head.country == CHINA:
            report.head("RULE-9610-COUNTRY", number, "country", head.country)
    elif mode in BONDED_MODES:
        book, area, area_name = head.emsNo, head.areaCode, head.areaName
        if not (book and area and area_name) or book.isspace() or area.isspace() or area_name.isspace():
            check_filled(report, "RULE-BONDED-REQUIRED", number, head, BONDED_FIELDS)
        if book and not book.isspace() and is_book_no(book) is None:
            report.head("RULE-EMS-FORM", number, "emsNo", book)
        for row, line in enumerate(lines, 1):
            if not line.itemRecordNo or line.itemRecordNo.isspace():
                report.line("RULE-BONDED-REQUIRED", number, row, "itemRecordNo")
        if head.trafNo or head.voyageNo or head.billNo:
            check_empty(report, "RULE-BONDED-EMPTY", number, head, TRANSPORT_FIELDS)
        if head.country != CHINA:
            report.head("RULE-BONDED-COUNTRY", number, "country", head.country, CHINA)
    else:
        report.head("RULE-TRADE-MODE", number, "tradeMode", mode, ", ".join(codes.rows("tradeMode")))
        return
    if mode not in codes.codes_on("tradeMode", report.on):
        report.head("RULE-TRADE-MODE-DAY", number, "tradeMode", mode, day=report.on.isoformat())


CHINA = "142"
"""The country of dispatch of goods that leave a bonded zone."""


def _inventory_lines(
    report: Report, number: int, lines: Sequence[Any], units: frozenset[str], countries: frozenset[str]
) -> None:
    in_order = True
    for row, line in enumerate(lines, 1):
        if line.gnum != row:
            in_order = False
        gcode = line.gcode
        if not gcode.isdigit() or not gcode.isascii():
            report.line("RULE-GCODE", number, row, "gcode", gcode)
        trade_country = line.tradeCountry
        if line.country not in countries or (trade_country is not None and trade_country not in countries):
            unknown_codes(report, "country", number, line, ("country", "tradeCountry"), row)
        if line.currency != CNY:
            report.line("RULE-CURRENCY", number, row, "currency", line.currency, CNY)
        qty, price, line_total, qty2, unit2 = line.qty, line.price, line.totalPrice, line.qty2, line.unit2
        if qty <= ZERO or line.qty1 <= ZERO or price < ZERO or line_total < ZERO:
            check_line_amounts(report, number, row, line, ("qty", "qty1"))
        if line.unit not in units or line.unit1 not in units or (unit2 is not None and unit2 not in units):
            unknown_codes(report, "unit", number, line, ("unit", "unit1", "unit2"), row)
        if (unit2 is None) != (qty2 is None or qty2 <= ZERO):
            quantity = "-" if qty2 is None else plain(qty2)
            report.line("RULE-UNIT2", number, row, "qty2", quantity, qty=quantity, unit=unit2 or "-")
        if price * qty != line_total:
            check_line_total(report, number, row, line)
    if not in_order:
        check_numbering(report, number, lines)


KILOGRAMS = {"035": Decimal(1), "036": Decimal("0.001")}
"""Statutory units of weight -> kilograms."""


def _net_weight(report: Report, number: int, head: Any, lines: Sequence[Any]) -> None:
    """netWeight = weight of the goods, where every line has a statutory unit of weight."""
    total = ZERO
    for line in lines:
        kilograms = KILOGRAMS.get(line.unit1)
        if kilograms is None:
            return
        total += line.qty1 * kilograms
    if abs(total - head.netWeight) > report.tolerance("net_weight_tolerance_kg"):
        report.head("RULE-NET-SUM", number, "netWeight", plain(head.netWeight), plain(total))


# --- CEB623 cancel (撤销申请单), CEB625 return (退货申请单), CEB711 tally (入库明细单) ------------------


def _check_request(report: Report, number: int, head: Any, offices: frozenset[str]) -> None:
    """What a cancel request and a return request have in common."""
    check_stamp(report, number, head)
    if head.customsCode not in offices:
        unknown_codes(report, "customsDistrict", number, head, ("customsCode",))
    if (
        registration_problem(head.ebpCode)
        or registration_problem(head.ebcCode)
        or registration_problem(head.logisticsCode)
        or registration_problem(head.agentCode)
    ):
        check_companies(report, number, head, ("ebpCode", "ebcCode", "logisticsCode", "agentCode"))
    required = ("orderNo", "logisticsNo", "invtNo", "buyerName", "reason")
    if any(getattr(head, field).isspace() for field in required):
        check_blank(report, number, head, required)
    if not (head.copNo or "").strip():
        report.head("RULE-COP-NO", number, "copNo")
    if len(head.invtNo) != 18 and not head.invtNo.isspace():
        report.head("RULE-INVT-NO-FORM", number, "invtNo", head.invtNo)
    check_person(report, number, "buyer", head.buyerIdType, head.buyerIdNumber)


def _cancels(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    offices = codes.codes_on("customsDistrict", report.on)
    for number, document in enumerate(documents, first):
        head = document.head
        _check_request(report, number, head, offices)
        if head.appType in ("2", "3"):
            report.head("RULE-CANCEL-APP-TYPE", number, "appType", head.appType, "1")


def _returns(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    offices = codes.codes_on("customsDistrict", report.on)
    units = codes.codes_on("unit", report.on)
    for number, document in enumerate(documents, first):
        _check_request(report, number, document.head, offices)
        lines = document.lines
        for row, line in enumerate(lines, 1):
            if not line.gcode.isdigit() or not line.gcode.isascii():
                report.line("RULE-GCODE", number, row, "gcode", line.gcode)
            if line.qty <= ZERO:
                check_line_amounts(report, number, row, line, ("qty",))
            if line.unit not in units:
                unknown_codes(report, "unit", number, line, ("unit",), row)
        if len({line.gnum for line in lines}) != len(lines):
            check_numbering(report, number, lines, consecutive=False)


def _tallies(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    offices = codes.codes_on("customsDistrict", report.on)
    transports = codes.codes_on("transportMode", report.on)
    for number, document in enumerate(documents, first):
        head = document.head
        lines = document.lines
        check_stamp(report, number, head)
        if head.customsCode not in offices:
            unknown_codes(report, "customsDistrict", number, head, ("customsCode",))
        if not (head.copNo or "").strip():
            report.head("RULE-COP-NO-TALLY", number, "copNo")
        if registration_problem(head.operatorCode) or registration_problem(head.logisticsCode):
            check_companies(report, number, head, ("operatorCode", "logisticsCode"))
        if head.ieFlag != "I":
            report.head("RULE-IE-FLAG", number, "ieFlag", head.ieFlag, "I")
        if head.trafMode not in transports:
            unknown_codes(report, "transportMode", number, head, ("trafMode",))
        check_blank(report, number, head, ("trafNo", "voyageNo", "billNo"))
        if any(line.gnum != row for row, line in enumerate(lines, 1)):
            check_numbering(report, number, lines)
        _tally_lines(report, number, lines)


def _tally_lines(report: Report, number: int, lines: Sequence[Any]) -> None:
    seen: set[str] = set()
    for row, line in enumerate(lines, 1):
        waybill = line.logisticsNo
        if waybill.isspace():
            report.line("RULE-BLANK", number, row, "logisticsNo")
        elif waybill in seen:
            report.line("RULE-TALLY-TWICE", number, row, "logisticsNo", waybill)
        seen.add(waybill)


# --- receipts (回执) and tax bills (税单) ---------------------------------------------------------------


def _receipts(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    states = codes.codes_on("returnStatus", report.on)
    for number, document in enumerate(documents, first):
        head = document.head
        status = head.returnStatus
        if status not in states and not (status[:1] == "-" and status[1:].isdigit()):
            report.head("RULE-RETURN-STATUS", number, "returnStatus", status)
        _check_return_time(report, number, head)


def _check_return_time(report: Report, number: int, head: Any) -> None:
    time = head.returnTime
    if len(time) != 17 or not is_moment(time[:14]) or not time[14:].isdigit():
        report.head("RULE-RETURN-TIME", number, "returnTime", time)


def _tax_bills(report: Report, documents: Sequence[Document], first: int = 1) -> None:
    for number, document in enumerate(documents, first):
        head = document.head
        _check_return_time(report, number, head)
        if head.status not in ("1", "2", "3"):
            report.head("RULE-TAX-STATUS", number, "status", head.status, "1, 2, 3")
        if document.lines:
            for field in ("customsTax", "valueAddedTax", "consumptionTax"):
                due = getattr(head, field)
                total = sum((getattr(line, field) for line in document.lines), ZERO)
                if due != total:
                    report.head("RULE-TAX-SUM", number, field, plain(due), plain(total))


RULES: Mapping[str, Callable[..., None]] = MappingProxyType({
    "CEB311Message": _orders,
    "CEB411Message": _payments,
    "CEB511Message": _waybills,
    "CEB513Message": _waybill_states,
    "CEB621Message": _inventories,
    "CEB623Message": _cancels,
    "CEB625Message": _returns,
    "CEB711Message": _tallies,
    "CEB816Message": _tax_bills,
    "CEB818Message": _tax_bills,
    **{kind: _receipts for kind, form in shape.MESSAGES.items() if form.receipt and not form.group},
})  # fmt: skip
"""Message type -> its rules."""


def _inventory_key(head: Any) -> tuple[Any, ...]:
    """copNo and declarant name an inventory; the merchant's order where there is no copNo."""
    if head.copNo:
        return head.copNo, head.agentCode, head.appType
    return head.orderNo, head.ebcCode, head.appType


KEYS: Mapping[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = MappingProxyType({
    "CEB311Message": ("orderNo", lambda head: (head.orderNo, head.ebpCode, head.appType)),
    "CEB411Message": ("payTransactionId", lambda head: (head.payTransactionId, head.payCode, head.appType)),
    "CEB511Message": ("logisticsNo", lambda head: (head.logisticsNo, head.logisticsCode, head.appType)),
    "CEB513Message": (
        "logisticsNo",
        lambda head: (head.logisticsNo, head.logisticsCode, head.logisticsStatus, head.appType),
    ),
    "CEB621Message": ("copNo", _inventory_key),
    "CEB623Message": ("copNo", lambda head: (head.copNo, head.invtNo, head.appType)),
    "CEB625Message": ("copNo", lambda head: (head.copNo, head.invtNo, head.appType)),
})  # fmt: skip
"""Message type -> field to point at, business key with the appType (a change may follow a new one)."""
