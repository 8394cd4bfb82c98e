"""What the decision sees of a document, and what it remembers of a parcel (通关要素).

A *part* is a document without what the decision does not need: personal data is already a keyed
hash (for comparing) and a masked form (for showing), see ``Blind``. Parts are what the store keeps,
what the journal records, and what a what-if decides again from; plain personal data never gets here.

Amounts are CNY ``Decimal``; times are Beijing text as customs writes them; ``said`` is the moment of
the last receipt in milliseconds since 1970 (a receipt of one document is always later than the one
before). All records are frozen; ``Case`` and ``Waybill`` change only through ``fold``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

WAITING, RELEASED, REFUSED = "waiting", "released", "refused"
CANCELLED, RETURNED, CLOSED = "cancelled", "returned", "closed"
HASH_BYTES = 16
PARCEL_STATES = (RELEASED, REFUSED, WAITING, CANCELLED, RETURNED, CLOSED)


class Blind(Struct, frozen=True, array_like=True, gc=False):
    """Personal data as the core may see it: ``hash`` (keyed, 16 bytes) to compare, ``mask`` to show."""

    hash: bytes
    mask: str
    before: bytes = b""
    """The hashes by older keys, newest first, 16 bytes each; b"" while there was only one key."""

    def same(self, other: Blind) -> bool:
        """Whether both are the same value, also across changes of the hash key."""
        return self.hash == other.hash or (
            bool(self.before or other.before) and not set(self.hashes).isdisjoint(other.hashes))

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Every hash under which the value may be known, newest key first."""
        before = self.before
        return (self.hash, *[before[at : at + HASH_BYTES] for at in range(0, len(before), HASH_BYTES)])

    @property
    def account(self) -> bytes:
        """The hash that accounts of a person stand under: that of the oldest key, which no change of keys moves."""
        return self.before[-HASH_BYTES:] or self.hash


class Reply(Struct, frozen=True, array_like=True, gc=False):
    """Where receipts go: the sender's DXP id and the subscribers of receipts (BaseSubscribe)."""

    dxp_id: str
    copies: tuple[str, ...] = ()
    wrapped: bool = False
    """Whether the declaration came in a DXP envelope: its receipts then go in one too."""
    inbox: int = 0
    """The message that is answered, whichever later one caused the receipt: sent again, it gets it again."""


class Line(Struct, frozen=True, array_like=True, gc=False):
    """One goods line of an order or an inventory (商品项)."""

    gnum: int
    name: str
    unit: str
    qty: Decimal
    price: Decimal
    total: Decimal
    country: str
    gcode: str = ""
    qty1: Decimal | None = None
    unit1: str = ""
    qty2: Decimal | None = None
    unit2: str = ""
    itemRecordNo: str = ""
    """Of a bonded inventory: the item of the account book (its number, or the material number)."""


class OrderPart(Struct, frozen=True, array_like=True, gc=False):
    """订单 (311)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    orderNo: str
    ebpCode: str
    ebcCode: str
    goodsValue: Decimal
    freight: Decimal
    taxTotal: Decimal
    acturalPaid: Decimal
    buyerName: Blind
    buyerIdNumber: Blind
    payCode: str
    payTransactionId: str
    consignee: Blind
    consigneeTelephone: Blind
    consigneeAddress: Blind
    lines: tuple[Line, ...]
    reply: Reply
    status: int = 0
    said: int = 0
    by: str = "platform"
    """Whose card signed it: the platform's, or only the merchant's ("merchant"), who then owns no other's order."""


class PaymentPart(Struct, frozen=True, array_like=True, gc=False):
    """支付凭证 (411)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    payCode: str
    payTransactionId: str
    orderNo: str
    ebpCode: str
    payerName: Blind
    payerIdNumber: Blind
    amountPaid: Decimal
    reply: Reply
    status: int = 0
    said: int = 0


class WaybillPart(Struct, frozen=True, array_like=True, gc=False):
    """物流运单 (511)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    logisticsCode: str
    logisticsNo: str
    orderNo: str
    billNo: str
    freight: Decimal | None
    insuredFee: Decimal | None
    weight: Decimal
    consignee: Blind
    consigneeTelephone: Blind
    consigneeAddress: Blind
    reply: Reply
    status: int = 0
    said: int = 0


class SignedForPart(Struct, frozen=True, array_like=True, gc=False):
    """物流运单状态 (513)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    logisticsCode: str
    logisticsNo: str
    logisticsStatus: str
    logisticsTime: str
    reply: Reply
    status: int = 0
    said: int = 0


class InventoryPart(Struct, frozen=True, array_like=True, gc=False):
    """进口清单 (621)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    orderNo: str
    ebpCode: str
    ebcCode: str
    logisticsNo: str
    logisticsCode: str
    copNo: str
    agentCode: str
    assureCode: str
    emsNo: str
    customsCode: str
    loctNo: str
    areaCode: str
    tradeMode: str
    billNo: str
    buyerIdNumber: Blind
    buyerName: Blind
    consigneeAddress: Blind
    freight: Decimal
    insuredFee: Decimal
    grossWeight: Decimal
    lines: tuple[Line, ...]
    reply: Reply
    status: int = 0
    said: int = 0
    preNo: str = ""
    invtNo: str = ""
    declared_at: int = 0
    """When it came in (ms): the day of declaration."""


class CancelPart(Struct, frozen=True, array_like=True, gc=False):
    """撤销申请单 (623)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    customsCode: str
    orderNo: str
    ebpCode: str
    ebcCode: str
    agentCode: str
    copNo: str
    invtNo: str
    reply: Reply
    status: int = 0
    said: int = 0
    preNo: str = ""


class ReturnLine(Struct, frozen=True, array_like=True, gc=False):
    """One line of a return: how much of which inventory line goes back."""

    gnum: int
    gcode: str
    qty: Decimal
    unit: str


class ReturnPart(Struct, frozen=True, array_like=True, gc=False):
    """退货申请单 (625)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    customsCode: str
    orderNo: str
    ebpCode: str
    ebcCode: str
    agentCode: str
    copNo: str
    invtNo: str
    lines: tuple[ReturnLine, ...]
    reply: Reply
    status: int = 0
    said: int = 0
    preNo: str = ""


class TallyPart(Struct, frozen=True, array_like=True, gc=False):
    """入库明细单 (711)."""

    inbox: int
    index: int
    guid: str
    appType: str
    appTime: str
    appStatus: str
    customsCode: str
    operatorCode: str
    copNo: str
    billNo: str
    logisticsCode: str
    waybills: tuple[str, ...]
    reply: Reply
    status: int = 0
    said: int = 0
    preNo: str = ""
    rkdNo: str = ""


class BillLine(Struct, frozen=True, array_like=True, gc=False):
    """Tax of one line; ``dutiable`` is the full price of the line with its share of freight and insurance."""

    gnum: int
    gcode: str
    dutiable: Decimal
    duty: Decimal
    vat: Decimal
    consumption: Decimal


class Bill(Struct, frozen=True, array_like=True, gc=False):
    """电子税单 (816): amounts payable, head = sum of lines. ``status`` 1 made, 2 summarised, 3 void."""

    taxNo: str
    status: str
    duty: Decimal
    vat: Decimal
    consumption: Decimal
    lines: tuple[BillLine, ...]
    made_at: int
    said: int
    entDutyNo: str = ""

    @property
    def total(self) -> Decimal:
        """What the guarantor owes, CNY."""
        return self.duty + self.vat + self.consumption


class GoodsHold(Struct, frozen=True, array_like=True, gc=False):
    """What one inventory takes of a quantity a person and year: line of the list, account, hundred-thousandths of the
    unit."""

    hs8: str
    account: bytes
    amount: int
    unit: str


class Hold(Struct, frozen=True, array_like=True, gc=False):
    """What one inventory takes of a buyer's year (个人年度额度), in money and of counted goods; given back when it ends
    badly."""

    buyer: bytes
    year: int
    amount_fen: int
    goods: tuple[GoodsHold, ...] = ()
    full: bool | None = None
    """Whether the limits sent the inventory to full taxation; None in records of before this was kept."""


class Past(Struct, frozen=True, array_like=True, gc=False):
    """An earlier declaration of the same parcel: its numbers and how it ended."""

    copNo: str
    agentCode: str
    preNo: str
    invtNo: str
    status: int
    appTime: str


class Case(Struct, frozen=True, array_like=True, gc=False):
    """A parcel (一票): order, payments and inventory of one (ebpCode, orderNo), and what became of them."""

    orderNo: str
    ebpCode: str
    version: int = 0
    state: str = WAITING
    order: OrderPart | None = None
    payments: tuple[PaymentPart, ...] = ()
    inventory: InventoryPart | None = None
    hold: Hold | None = None
    bill: Bill | None = None
    released_at: int = 0
    closed_at: int = 0
    cancels: tuple[CancelPart, ...] = ()
    returns: tuple[ReturnPart, ...] = ()
    past: tuple[Past, ...] = ()
    inboxes: tuple[int, ...] = ()


class Waybill(Struct, frozen=True, array_like=True, gc=False):
    """A waybill number: its document, the case whose inventory names it, its arrival and delivery."""

    logisticsNo: str
    logisticsCode: str
    version: int = 0
    part: WaybillPart | None = None
    case: str = ""
    arrived: str = ""
    signed_for: SignedForPart | None = None
    inboxes: tuple[int, ...] = ()


class Tally(Struct, frozen=True, array_like=True, gc=False):
    """A tally number (copNo, operatorCode) and its document."""

    copNo: str
    operatorCode: str
    version: int = 0
    part: TallyPart | None = None
    inboxes: tuple[int, ...] = ()


class Reason(Struct, frozen=True, array_like=True, gc=False):
    """Why: the rule, how it weighs, both places and both values (masked).

    Words come from the decision's catalog; what was found before the decision (schema, signature, rules) brings
    its own: (message zh, message en, remedy zh, remedy en).
    """

    rule: str
    severity: str
    path: str = ""
    found: str = ""
    expected: str = ""
    source: str = ""
    words: tuple[str, str, str, str] | None = None


class CaseChange(Struct, frozen=True, omit_defaults=True, gc=False):
    """The fields of a Case that one event sets."""

    state: str | UnsetType = UNSET
    order: OrderPart | UnsetType | None = UNSET
    payments: tuple[PaymentPart, ...] | UnsetType = UNSET
    inventory: InventoryPart | UnsetType | None = UNSET
    hold: Hold | UnsetType | None = UNSET
    bill: Bill | UnsetType | None = UNSET
    released_at: int | UnsetType = UNSET
    closed_at: int | UnsetType = UNSET
    cancels: tuple[CancelPart, ...] | UnsetType = UNSET
    returns: tuple[ReturnPart, ...] | UnsetType = UNSET
    past: tuple[Past, ...] | UnsetType = UNSET


class WaybillChange(Struct, frozen=True, omit_defaults=True, gc=False):
    """The fields of a Waybill that one event sets."""

    part: WaybillPart | UnsetType | None = UNSET
    case: str | UnsetType = UNSET
    arrived: str | UnsetType = UNSET
    signed_for: SignedForPart | UnsetType | None = UNSET


class Posting(Struct, frozen=True, array_like=True, gc=False):
    """One line of a book, append-only, unique by (document, line, kind). Amounts in fen, signed."""

    document: str
    line: int
    kind: str
    account: str
    amount_fen: int


class Event(Struct, frozen=True, omit_defaults=True, gc=False):
    """One immutable line of the journal: what came, what was decided, why, and what it set.

    law: "place@day" of the view that decided; spent_fen: what the buyer's year held before. number, own: of a
    document that was not taken, the preNo that its receipt got and its own number ("copNo|agentCode"). timers: what
    falls due for the case, and when (ms). link, body: where the event changes the records of another link of the chain
    (bonded, forex, taxation …), which one, and its change as that link's own records in msgpack.
    """

    name: str
    index: int = 0
    case: str = ""
    waybill: str = ""
    tally: str = ""
    set: CaseChange | None = None
    waybill_set: WaybillChange | None = None
    tally_set: TallyPart | None = None
    why: tuple[Reason, ...] = ()
    postings: tuple[Posting, ...] = ()
    receipts: tuple[tuple[str, str], ...] = ()
    law: str = ""
    spent_fen: int = 0
    number: str = ""
    own: str = ""
    timers: tuple[tuple[str, int], ...] = ()
    link: str = ""
    body: bytes = b""


def case_key(order_no: str, ebp_code: str) -> str:
    """The one key of a case; the order number stands first so that it can be looked up alone."""
    return f"{order_no}|{ebp_code}"


def waybill_key(logistics_no: str, logistics_code: str) -> str:
    """The one key of a waybill."""
    return f"{logistics_no}|{logistics_code}"


def fold_case(case: Case, change: CaseChange, inbox: int) -> Case:
    """The case after one event. The only way in which a case changes, in the pipeline and in a rebuild."""
    fields: dict[str, Any] = {
        name: value for name in CaseChange.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    return with_fields(case, fields, inbox)


def with_fields(case: Case, fields: dict[str, Any], inbox: int) -> Case:
    """The case with those fields, one version further, touched by that inbox row."""
    return replace(case, version=case.version + 1, inboxes=_with(case.inboxes, inbox), **fields)


def fold_waybill(waybill: Waybill, change: WaybillChange, inbox: int) -> Waybill:
    """The waybill after one event."""
    fields: dict[str, Any] = {
        name: value for name in WaybillChange.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    return with_waybill_fields(waybill, fields, inbox)


def with_waybill_fields(waybill: Waybill, fields: dict[str, Any], inbox: int) -> Waybill:
    """The waybill with those fields, one version further, touched by that inbox row."""
    return replace(waybill, version=waybill.version + 1, inboxes=_with(waybill.inboxes, inbox), **fields)


def fold_tally(tally: Tally, part: TallyPart, inbox: int) -> Tally:
    """The tally after one event."""
    return replace(tally, version=tally.version + 1, part=part, inboxes=_with(tally.inboxes, inbox))


def _with(inboxes: tuple[int, ...], inbox: int) -> tuple[int, ...]:
    return inboxes if inbox in inboxes else (*inboxes, inbox)
