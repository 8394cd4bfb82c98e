"""Documents become parts (脱敏): what the decision needs, personal data hashed and masked.

The only place where plain personal data of a document is read in the shell. One function a kind, called
once a document; each is straight code because it runs four times a parcel.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from cebport.clearance.parts import (
    Blind,
    CancelPart,
    InventoryPart,
    Line,
    OrderPart,
    PaymentPart,
    Reply,
    ReturnLine,
    ReturnPart,
    SignedForPart,
    TallyPart,
    WaybillPart,
)
from cebport.messages import envelope
from cebport.messages.documents import Document, Message
from cebport.server.vault import HASH_BYTES, Vault

NO_LINES: tuple[Line, ...] = ()


class Blinder:
    """Makes parts of the documents of one store, whose hash key it uses."""

    def __init__(self, vault: Vault) -> None:
        self._key, self._before = vault.hash_key, vault.hash_keys_before
        self._makers = {
            "CEB311Message": self.order,
            "CEB411Message": self.payment,
            "CEB511Message": self.waybill,
            "CEB513Message": self.signed_for,
            "CEB621Message": self.inventory,
            "CEB623Message": self.cancel,
            "CEB625Message": self.take_back,
            "CEB711Message": self.tally,
        }

    def parts(self, message: Message, inbox: int, *, wrapped: bool) -> list[Any]:
        """The parts of a declaration, in the order of its documents. ``wrapped``: it came in an envelope."""
        make = self._makers[message.type]
        reply = reply_of(message, inbox, wrapped=wrapped)
        return [make(document, inbox, index, reply) for index, document in enumerate(message.documents, 1)]

    def name(self, value: str) -> Blind:
        """A person's name: the first character stays."""
        value = value.strip()
        return Blind(blake2b(value.encode(), digest_size=HASH_BYTES, key=self._key).digest(),
                     value[:1] + "*" * (len(value) - 1), self._hash_before(value))

    def identity(self, value: str) -> Blind:
        """An identity number: the first four (the place) and the last two stay; x and X are one."""
        value = value.strip().upper()
        return Blind(blake2b(value.encode(), digest_size=HASH_BYTES, key=self._key).digest(),
                     f"{value[:4]}{'*' * (len(value) - 6)}{value[-2:]}" if len(value) > 6 else "*" * len(value),
                     self._hash_before(value))

    def phone(self, value: str) -> Blind:
        """A phone number: the first three and the last two stay."""
        value = value.strip()
        return Blind(blake2b(value.encode(), digest_size=HASH_BYTES, key=self._key).digest(),
                     f"{value[:3]}{'*' * (len(value) - 5)}{value[-2:]}" if len(value) > 5 else "*" * len(value),
                     self._hash_before(value))

    def address(self, value: str) -> Blind:
        """An address: the first six characters (province and city) stay."""
        value = value.strip()
        return Blind(blake2b(value.encode(), digest_size=HASH_BYTES, key=self._key).digest(), value[:6] + "***",
                     self._hash_before(value))

    def _hash_before(self, value: str) -> bytes:
        if not self._before:
            return b""
        raw = value.encode()
        return b"".join([blake2b(raw, digest_size=HASH_BYTES, key=key).digest() for key in self._before])

    def order(self, document: Document, inbox: int, index: int, reply: Reply) -> OrderPart:
        """311."""
        h = document.head
        lines = tuple([
            Line(x.gnum, x.itemName, x.unit, x.qty, x.price, x.totalPrice, x.country) for x in document.lines])
        return OrderPart(
            inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.orderNo, h.ebpCode, h.ebcCode, h.goodsValue,
            h.freight, h.taxTotal, h.acturalPaid, self.name(h.buyerName), self.identity(h.buyerIdNumber),
            h.payCode or "", h.payTransactionId or "", self.name(h.consignee), self.phone(h.consigneeTelephone),
            self.address(h.consigneeAddress), lines, reply)

    def payment(self, document: Document, inbox: int, index: int, reply: Reply) -> PaymentPart:
        """411."""
        h = document.head
        return PaymentPart(
            inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.payCode, h.payTransactionId, h.orderNo,
            h.ebpCode, self.name(h.payerName), self.identity(h.payerIdNumber), h.amountPaid, reply)

    def waybill(self, document: Document, inbox: int, index: int, reply: Reply) -> WaybillPart:
        """511."""
        h = document.head
        return WaybillPart(
            inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.logisticsCode, h.logisticsNo, h.orderNo,
            h.billNo or "", h.freight, h.insuredFee, h.weight, self.name(h.consignee),
            self.phone(h.consigneeTelephone), self.address(h.consigneeAddress), reply)

    def signed_for(self, document: Document, inbox: int, index: int, reply: Reply) -> SignedForPart:
        """513."""
        h = document.head
        return SignedForPart(inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.logisticsCode,
                             h.logisticsNo, h.logisticsStatus, h.logisticsTime, reply)

    def inventory(self, document: Document, inbox: int, index: int, reply: Reply) -> InventoryPart:
        """621."""
        h = document.head
        lines = tuple([
            Line(x.gnum, x.itemName or "", x.unit, x.qty, x.price, x.totalPrice, x.country, x.gcode, x.qty1,
                 x.unit1, x.qty2, x.unit2 or "", x.itemRecordNo or "")
            for x in document.lines])
        return InventoryPart(
            inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.orderNo, h.ebpCode, h.ebcCode, h.logisticsNo,
            h.logisticsCode, h.copNo or "", h.agentCode, h.assureCode, h.emsNo or "", h.customsCode, h.loctNo or "",
            h.areaCode or "", h.tradeMode, h.billNo or "", self.identity(h.buyerIdNumber), self.name(h.buyerName),
            self.address(h.consigneeAddress), h.freight, h.insuredFee, h.grossWeight, lines, reply)

    def cancel(self, document: Document, inbox: int, index: int, reply: Reply) -> CancelPart:
        """623."""
        h = document.head
        return CancelPart(inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.customsCode, h.orderNo,
                          h.ebpCode, h.ebcCode, h.agentCode, h.copNo or "", h.invtNo, reply)

    def take_back(self, document: Document, inbox: int, index: int, reply: Reply) -> ReturnPart:
        """625."""
        h = document.head
        lines = tuple([ReturnLine(x.gnum, x.gcode, x.qty, x.unit) for x in document.lines])
        return ReturnPart(inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.customsCode, h.orderNo,
                          h.ebpCode, h.ebcCode, h.agentCode, h.copNo or "", h.invtNo, lines, reply)

    def tally(self, document: Document, inbox: int, index: int, reply: Reply) -> TallyPart:
        """711."""
        h = document.head
        return TallyPart(inbox, index, h.guid, h.appType, h.appTime, h.appStatus, h.customsCode, h.operatorCode,
                         h.copNo or "", h.billNo, h.logisticsCode, tuple([x.logisticsNo for x in document.lines]),
                         reply)


def reply_of(message: Message, inbox: int, *, wrapped: bool) -> Reply:
    """Where the receipts of a message go: its sender's DXP id and the subscribers of receipts."""
    transfer = message.transfer
    sender = transfer.dxpId if transfer is not None else ""
    copies = tuple(address for address, what in envelope.copies(message)
                   if what in ("ALL", "RET") and address != sender) if message.subscribes else ()
    return Reply(sender, copies, wrapped, inbox)
