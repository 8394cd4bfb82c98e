"""Receipts of a decision (回执): one record each, in the shapes of 312 to 818.

A receipt echoes the keys of its document (see the message tables), carries a status and a time that is
later than the time of the receipt before it, and says in ``returnInfo`` what a person needs. Wording is
in ``tables/receipts.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from cebport.clearance.parts import (
    Bill,
    CancelPart,
    InventoryPart,
    OrderPart,
    PaymentPart,
    Reason,
    Reply,
    ReturnPart,
    SignedForPart,
    TallyPart,
    WaybillPart,
)
from cebport.faults import ERROR, Catalog, Fault, fault_of
from cebport.values import BEIJING

INFO_CHARS_MAX = 1000
"""returnInfo holds 1..1000 characters by the schema."""


class Receipt(Struct, frozen=True, gc=False):
    """One receipt on its way: message type ("312"), status, where to, and its head and lines as the values of
    their records in schema order (dispatch makes the records when it writes)."""

    type: str
    status: str
    reply: Reply
    head: tuple[Any, ...]
    lines: tuple[tuple[Any, ...], ...] = ()


@cache
def words() -> dict[str, dict[str, Any]]:
    """Texts of receipts by kind and status; those of status 2 by appType once more."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "receipts.yaml").read_text(encoding="utf-8"))


@cache
def catalog() -> Catalog:
    """Rule -> words, for reasons that become faults."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "faults.yaml").read_text(encoding="utf-8"))


@lru_cache(maxsize=4096)
def time17_of(ms: int) -> str:
    """returnTime of a moment in ms since 1970, Beijing."""
    return datetime.fromtimestamp(ms // 1000, BEIJING).strftime("%Y%m%d%H%M%S") + f"{ms % 1000:03d}"


def explained(reason: Reason, document: int | None = None) -> Fault:
    """A reason as a fault with its words in both languages."""
    return fault_of(
        catalog(),
        reason.rule,
        document=document,
        path=reason.path,
        found=reason.found,
        expected=reason.expected,
        severity=reason.severity,
        source=reason.source or None,
    )


def info_of(reasons: Iterable[Reason], codes: dict[str, str] | Any) -> str:
    """returnInfo of a refusal: each error with its inner code where customs has one, else plain text."""
    said = []
    for reason in reasons:
        if reason.severity == ERROR:
            text, code = explained(reason).message.zh, codes.get(reason.rule, "")
            said.append(f"[Code:{code};Desc:{text}]" if code else text)
    return ",".join(said)[:INFO_CHARS_MAX]


def order_receipt(p: OrderPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """312."""
    return Receipt("312", status, p.reply,
                   (guid, p.ebpCode, p.ebcCode, p.orderNo, status, time17_of(ms), info))


def payment_receipt(p: PaymentPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """412."""
    return Receipt("412", status, p.reply,
                   (guid, p.payCode, p.payTransactionId, status, time17_of(ms), info))


def waybill_receipt(p: WaybillPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """512."""
    return Receipt("512", status, p.reply,
                   (guid, p.logisticsCode, p.logisticsNo, status, time17_of(ms), info))


def signed_for_receipt(p: SignedForPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """514."""
    return Receipt("514", status, p.reply,
                   (guid, p.logisticsCode, p.logisticsNo, p.logisticsStatus, status,
                                         time17_of(ms), info))


def inventory_receipt(p: InventoryPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """622. Without a copNo the last 17 digits of preNo stand for it, since the receipt must carry one."""
    return Receipt("622", status, p.reply,
                   (guid, p.customsCode, p.ebpCode, p.ebcCode, p.agentCode, p.copNo or p.preNo[1:],
                                   p.preNo, p.invtNo or None, status, time17_of(ms), info))


def cancel_receipt(p: CancelPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """624."""
    return Receipt("624", status, p.reply,
                   (guid, p.customsCode, p.agentCode, p.ebpCode, p.ebcCode, p.copNo or p.preNo[1:],
                                    p.preNo, p.invtNo if len(p.invtNo) == 18 else None, status, time17_of(ms), info))


def return_receipt(p: ReturnPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """626."""
    return Receipt("626", status, p.reply,
                   (guid, p.customsCode, p.agentCode, p.ebpCode, p.ebcCode, p.copNo or p.preNo[1:],
                                    p.preNo, p.invtNo if len(p.invtNo) == 18 else None, status, time17_of(ms), info))


def tally_receipt(p: TallyPart, status: str, ms: int, info: str, guid: str) -> Receipt:
    """712."""
    return Receipt("712", status, p.reply,
                   (guid, p.customsCode, p.operatorCode, p.copNo, p.preNo, p.rkdNo, status,
                                  time17_of(ms), info))


def bill_receipt(inventory: InventoryPart, bill: Bill, ms: int, guid: str) -> Receipt:
    """816: the amounts payable after the share."""
    head = (guid, time17_of(ms), inventory.invtNo, bill.taxNo, bill.duty, bill.vat, bill.consumption, bill.status,
            None, None, inventory.assureCode, inventory.ebcCode, inventory.logisticsCode, inventory.agentCode,
            inventory.customsCode)
    lines = tuple([(x.gnum, x.gcode, x.dutiable, x.duty, x.vat, x.consumption) for x in bill.lines])
    return Receipt("816", bill.status, inventory.reply, head, lines)


def bill_state_receipt(inventory: InventoryPart, bill: Bill, ms: int, guid: str) -> Receipt:
    """818: summarised (with the payment document's number) or void."""
    head = (guid, time17_of(ms), inventory.invtNo, bill.taxNo, bill.status, bill.entDutyNo or None,
            inventory.assureCode)
    return Receipt("818", bill.status, inventory.reply, head)


TYPES: dict[type, str] = {
    OrderPart: "312", PaymentPart: "412", WaybillPart: "512", SignedForPart: "514", InventoryPart: "622",
    CancelPart: "624", ReturnPart: "626", TallyPart: "712",
}
"""The message type of a document's receipts."""
BUILDERS: dict[type, tuple[str, Callable[..., Receipt]]] = {
    OrderPart: ("order", order_receipt),
    PaymentPart: ("payment", payment_receipt),
    WaybillPart: ("waybill", waybill_receipt),
    SignedForPart: ("waybill_state", signed_for_receipt),
    InventoryPart: ("inventory", inventory_receipt),
    CancelPart: ("cancel", cancel_receipt),
    ReturnPart: ("return", return_receipt),
    TallyPart: ("tally", tally_receipt),
}


@lru_cache(maxsize=256)
def named(kind: str, status: str) -> Receipt:
    """A receipt of which only its type and status count, for who decides again and sends nothing."""
    return Receipt(kind, status, Reply(""), ())
