"""Sending (发送): outbox row -> message -> envelope -> channel -> sent. At least once, in the order of the rows.

Receipts are written here, outside every lock; an unreadable message's CEB900 and a subscriber's copy are made
from the archive, so that no personal data waits in the outbox.
"""

from __future__ import annotations

import logging
import traceback
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from cebport.clearance.draft import receipt_guid
from cebport.clearance.receipts import time17_of
from cebport.faults import Catalog, ChannelDown, Fault, Malformed, SettingsError, Words, fault_of
from cebport.messages import documents, envelope, wire
from cebport.messages.documents import Document, Message
from cebport.server import bonded_letters
from cebport.server.store.store import BROKEN, OutboxRow, Store
from cebport.values import BEIJING

log = logging.getLogger("cebport")
ROWS_A_BATCH = 64
ENVELOPE_ANSWER = "DxpRep"
IMPORT_CENTRE = "DXPEDCCEB0000002"
HEADS: dict[str, tuple[Any, Any]] = {
    "312": (documents.OrderReturn, None),
    "412": (documents.PaymentReturn, None),
    "512": (documents.LogisticsReturn, None),
    "514": (documents.LogisticsStatusReturn, None),
    "622": (documents.InventoryReturn, None),
    "624": (documents.InvtCancelReturn, None),
    "626": (documents.InvtRefundReturn, None),
    "712": (documents.DeliveryReturn, None),
    "816": (documents.TaxHeadRd, documents.TaxListRd),
    "818": (documents.TaxHeadStatus, None),
}
_rows = msgspec.msgpack.Decoder(list[tuple[list[Any], list[list[Any]]]])
_oversized = msgspec.msgpack.Decoder(tuple[list[dict[str, Any]], str, bytes])


def oversized_parts(raw: bytes) -> tuple[list[dict[str, Any]], str, bytes]:
    """What intake kept of an oversized file: its faults, its type, its head."""
    return _oversized.decode(raw)


class Manner(NamedTuple):
    """How this window speaks: the schema version that a message is held to, and the dialect of receipts."""

    schema: str = "2022-05"
    dialect: wire.Dialect = wire.DEFAULT


def manner_of(dialect: Any) -> Manner:
    """The manner of a view's dialect row (``view.dialect``)."""
    return Manner(dialect["schema"], wire.Dialect(dialect["receipt_prefix"], dialect["encoding"],
                                                  dialect["declaration"], dialect["indent"]))


class Out(Protocol):
    """Where bytes go: ``send`` may be called many times before one ``flush`` puts all of it down."""

    def send(self, receiver: str, name: str, data: bytes) -> None:
        """Hand over one message."""
        ...

    def flush(self) -> None:
        """Everything handed over is safe when this returns."""
        ...


def dispatch(store: Store, out: Out, manner: Manner | None = None) -> int:
    """Send one batch of waiting rows; how many. Raises ChannelDown: the rows then wait.

    A row that cannot be written is set aside and logged; it must not hold up those behind it.
    """
    rows = store.outbox(ROWS_A_BATCH)
    sent, broken = [], []
    for row in rows:
        kind = f"CEB{row.type}Message" if row.type.isdigit() else row.type
        try:
            data = payload_of(store, row, manner or Manner())
        except (ChannelDown, SettingsError):
            raise
        except Exception as wrong:
            log.error("outbox row %d (%s) is set aside: %s", row.id, kind, reason_of(wrong))
            broken.append(row.id)
            continue
        out.send(row.receiver, f"{kind}_{row.id:012d}.xml", data)
        sent.append(row.id)
    if sent:
        out.flush()
        store.mark_sent(sent)
    if broken:
        store.mark_sent(broken, BROKEN)
    return len(rows)


def reason_of(wrong: BaseException) -> str:
    """Which error, and where in the code; not its words, which may hold personal data."""
    frames = traceback.extract_tb(wrong.__traceback__)
    return f"{type(wrong).__name__} at " + " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))


def payload_of(store: Store, row: OutboxRow, manner: Manner) -> bytes:
    """The bytes of one outbox row, in an envelope where the declaration came in one."""
    guid = receipt_guid(f"outbox {row.id}", int(row.type) if row.type.isdigit() else 0, row.created_at)
    if row.type in bonded_letters.RECEIPTS and row.blob is not None:
        return bonded_letters.receipt_bytes(store.vault.show(row.blob), row.id, row.created_at, row.receiver)
    if row.blob is not None:
        data = write_receipts(row.type, guid, store.vault.show(row.blob), manner.dialect)
    elif row.type == "900":
        data = wire.write(unreadable(store, row, guid, manner.schema), dialect=manner.dialect)
    elif row.type == ENVELOPE_ANSWER:
        return envelope_answer(store, row)
    else:
        return copy_of(store, row)
    return _wrapped(data, row, guid) if row.wrap else data


def write_receipts(kind: str, guid: str, packed: bytes, dialect: wire.Dialect = wire.DEFAULT) -> bytes:
    """One receipt message of the packed heads of an outbox row."""
    head_type, line_type = HEADS[kind]
    rows = _rows.decode(packed)
    if head_type not in DECIMALS:
        return wire.write_values(f"CEB{kind}Message", guid, [head for head, _ in rows], dialect=dialect)
    made = tuple([
        Document(head_type(*[_decimal(head_type, at, value) for at, value in enumerate(head)]),
                 tuple([line_type(*[_decimal(line_type, at, value) for at, value in enumerate(line)])
                        for line in lines]))
        for head, lines in rows])
    return wire.write(Message(f"CEB{kind}Message", guid, "1.0", made), dialect=dialect)


DECIMALS: dict[Any, frozenset[int]] = {
    kind: frozenset(at for at, name in enumerate(kind.__struct_fields__)
                    if name in ("customsTax", "valueAddedTax", "consumptionTax", "taxPrice"))
    for kind in (documents.TaxHeadRd, documents.TaxListRd)
}


def _decimal(kind: Any, at: int, value: Any) -> Any:
    return Decimal(value) if at in DECIMALS[kind] else value


def unreadable(store: Store, row: OutboxRow, guid: str, schema: str) -> Message:
    """The CEB900 of an inbox row: its faults are found again, its bytes come from the archive."""
    inbox = store.inbox_row(row.inbox)
    raw = store.archived([row.inbox])[row.inbox]
    time = time17_of(row.created_at)
    if inbox.kind == "oversize":
        faults, message_type, head = oversized_parts(raw)
        return wire.unreadable_receipt(head, [fault_from(f) for f in faults], guid=guid, return_time=time,
                                       message_type=message_type)
    payload, faults_found, message_type = raw, [], ""
    try:
        if inbox.route.kind != "bare":
            payload = envelope.unwrap(raw).payload
        tree = wire.parse_tree(payload)
        message_type, faults_found = tree.type, misfit(tree, schema)
    except Malformed as malformed:
        faults_found = list(malformed.faults)
    return wire.unreadable_receipt(payload, faults_found, guid=guid, return_time=time,
                                   ori_cop_msg_id=inbox.route.cop_msg_id, message_type=message_type)


def misfit(tree: Any, schema: str) -> list[Fault]:
    """Why a message as a whole is none that a company may send: its kind, or the schema."""
    if tree.type not in DECLARATIONS:
        return [fault_of(CATALOG, "CEB-WALK-001", path=tree.type, found=tree.type)]
    return [fault for fault in wire.schema_faults(tree, schema) if fault.severity == "error"]


DECLARATIONS = frozenset({"CEB311Message", "CEB411Message", "CEB511Message", "CEB513Message", "CEB621Message",
                          "CEB623Message", "CEB625Message", "CEB711Message"})
CATALOG: Catalog = {
    "CEB-WALK-001": {
        "severity": "error",
        "source": "接入报文规范：报文的发送方 / message specification: who sends which message",
        "message": {"zh": "{found} 是海关发出的回执报文，不能由企业申报",
                    "en": "{found} is sent by customs; a company cannot declare it"},
        "remedy": {"zh": "申报 CEB311、411、511、513、621、623、625 或 711 报文",
                   "en": "declare a CEB311, 411, 511, 513, 621, 623, 625 or 711 message"},
    },
}


def envelope_answer(store: Store, row: OutboxRow) -> bytes:
    """The DxpRep to an envelope that breaks the exchange's own rules: its first fault, all of them in the note."""
    opened = envelope.unwrap(store.archived([row.inbox])[row.inbox])
    errors = [fault for fault in opened.faults if fault.severity == "error"]
    code = next((fault.code for fault in errors if fault.code.isdigit()), "0002")
    info = "；".join(fault.message.zh for fault in errors)[:300]
    day = datetime.fromtimestamp(row.created_at / 1000, BEIJING).date()
    return envelope.answer(opened, code, info, receiver=row.receiver, notice_day=day)


def copy_of(store: Store, row: OutboxRow) -> bytes:
    """A subscriber's copy of a declaration (BaseSubscribe DATA or ALL): the verbatim payload."""
    raw = store.archived([row.inbox])[row.inbox]
    return envelope.unwrap(raw).payload if store.inbox_row(row.inbox).route.kind != "bare" else raw


def _wrapped(data: bytes, row: OutboxRow, guid: str) -> bytes:
    """In an envelope; bare where no envelope can name the receiver (an id that is missing or too long)."""
    kind = f"CEB{row.type}Message"
    try:
        return envelope.wrap(
            data, message_type=kind, sender=IMPORT_CENTRE, receivers=[row.receiver], cop_msg_id=guid,
            created_at=datetime.fromtimestamp(row.created_at / 1000, BEIJING).replace(microsecond=0),
            file_name=kind + guid, ic_card="1", keys={"DealFlag": "1", "RetType": "1"})
    except Malformed:
        return data


def fault_from(held: dict[str, Any]) -> Fault:
    """A fault from its JSON form."""
    return Fault(held["code"], held["severity"], held["document"], held["path"], held["found"], held["expected"],
                 held["source"], Words(**held["message"]), Words(**held["remedy"]))
