"""The whole life of a parcel (全程追溯): documents, decisions with rule, values and source, receipts, money.

A number may be an order, a waybill, an inventory (invtNo), a copNo or a payment number; every parcel that it
leads to is told. Only masked personal data is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cebport.clearance.parts import (
    WAITING,
    CancelPart,
    Case,
    Event,
    Past,
    Reason,
    ReturnPart,
    Tally,
    Waybill,
    waybill_key,
)
from cebport.clearance.receipts import explained, time17_of
from cebport.clearance.states import REVIEW, STASHED, STORED, name_of
from cebport.faults import Fault, Words
from cebport.server.dispatch import HEADS
from cebport.server.store.store import Store, telling_damage
from cebport.server.work import OWN
from cebport.values import plain

_events = msgspec.msgpack.Decoder(list[Event])
_receipts = msgspec.msgpack.Decoder(list[tuple[list[Any], list[list[Any]]]])
HELD = {STORED: "tally", REVIEW: "review"}
"""What a declared inventory waits for, by its state."""
PREFIXES = ("P|{0}|", "I|{0}|", "Q|{0}|")


@dataclass(frozen=True, slots=True)
class Story:
    """One parcel: its key, its state, what came, what was decided, what was said, what is owed."""

    case: Case
    waybill: Waybill | None
    documents: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    receipts: list[dict[str, Any]]
    postings: list[dict[str, Any]]

    @property
    def waiting_for(self) -> list[str]:
        """What a waiting parcel lacks: order, payment, waybill, inventory; tally; review. [] when it does not wait."""
        case, inventory = self.case, self.case.inventory
        if case.state != WAITING:
            return []
        if inventory is not None and inventory.status in HELD:
            return [HELD[inventory.status]]
        road = self.waybill.part if self.waybill is not None else None
        there = {
            "order": case.order is not None and case.order.status > STASHED,
            "payment": any(payment.status > STASHED for payment in case.payments),
            "waybill": inventory is None or (road is not None and road.status > STASHED),
            "inventory": inventory is not None and inventory.status > STASHED,
        }
        return [name for name, is_there in there.items() if not is_there]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/trace.json."""
        inventory, bill = self.case.inventory, self.case.bill
        return {
            "orderNo": self.case.orderNo,
            "ebpCode": self.case.ebpCode,
            "state": self.case.state,
            "preNo": inventory.preNo if inventory else "",
            "invtNo": inventory.invtNo if inventory else "",
            "logisticsNo": inventory.logisticsNo if inventory else "",
            "arrived": self.waybill.arrived if self.waybill else "",
            "waiting_for": self.waiting_for,
            "documents": self.documents,
            "decisions": self.decisions,
            "receipts": self.receipts,
            "postings": self.postings,
            "tax": None if bill is None else {
                "taxNo": bill.taxNo, "status": bill.status, "duty": plain(bill.duty), "vat": plain(bill.vat),
                "consumption": plain(bill.consumption), "total": plain(bill.total), "entDutyNo": bill.entDutyNo,
                "lines": [{"gnum": x.gnum, "gcode": x.gcode, "dutiable": plain(x.dutiable), "duty": plain(x.duty),
                           "vat": plain(x.vat), "consumption": plain(x.consumption)} for x in bill.lines],
            },
        }


@telling_damage()
def trace(store: Store, number: str) -> list[Story]:
    """Every parcel that a number leads to; [] when it leads to none. Raises ChannelDown for a damaged store."""
    keys = dict.fromkeys(key for key, _ in store.prefixed("case_prefix", f"{number}|"))
    for prefix in PREFIXES:
        keys.update(dict.fromkeys(case for _, case in store.prefixed("key_prefix", prefix.format(number))))
    keys.update(dict.fromkeys(store.owners([f"N|{number}"]).values()))
    loose: list[Waybill] = []
    for waybill in store.waybills_of(number):
        if waybill.case:
            keys[waybill.case] = None
        else:
            loose.append(waybill)
    refused = _refused(store, number)
    cases = store.cases([*keys, *refused])
    roads = {waybill_key(w.logisticsNo, w.logisticsCode) for w in loose}
    stories = [_story(store, cases[key], refused=refused.get(key, ())) for key in dict.fromkeys([*keys, *refused])
               if key in cases]
    stories += [_story(store, Case("", ""), waybill, refused.get(waybill_key(
        waybill.logisticsNo, waybill.logisticsCode), ())) for waybill in loose]
    stories += [_story(store, _case_without_records(key), refused=inboxes)
                for key, inboxes in refused.items() if key not in cases and key not in roads]
    return stories + [_tally_story(store, tally) for tally in store.tallies_of(number)]


def _case_without_records(key: str) -> Case:
    """The parcel of which only its key is known, since no document of it was taken."""
    order_no, ebp_code = key.rsplit("|", 1)
    return Case(order_no, ebp_code)


def _tally_story(store: Store, tally: Tally) -> Story:
    """A tally (入库明细单) by its copNo: its document, what was decided, its receipts."""
    key, inboxes = f"{tally.copNo}|{tally.operatorCode}", list(tally.inboxes)
    held = [("CEB711", tally.part)] if tally.part is not None else []
    told = [
        (row, event) for row in store.engine.select("journal_of", inboxes)
        for event in _events.decode(store.vault.stretch(row[5])) if key in (event.tally, event.own)]
    receipts = []
    for outbox, kind, receiver, _, _, state, blob in store.engine.select("outbox_of", inboxes):
        if kind == "712" and blob is not None:
            for values, _ in _receipts.decode(store.vault.show(blob)):
                head = HEADS[kind][0](*values)
                if (head.copNo, head.operatorCode) == (tally.copNo, tally.operatorCode):
                    receipts.append({"type": "CEB712", "status": head.returnStatus, "time": head.returnTime,
                                     "to": receiver, "info": head.returnInfo, "outbox": outbox, "sent": state == 2})
    return Story(Case("", ""), None, _rows_of(store, inboxes, held),
                 [_decision(row, event) for row, event in told], receipts, [])


def _refused(store: Store, number: str) -> dict[str, list[int]]:
    """Key of a parcel or waybill -> inbox rows of documents not taken; a copNo is led to its parcel by the journal."""
    found: dict[str, list[int]] = {}
    rows = [*store.prefixed("refusals", f"{number}|"), *store.prefixed("refusals", f"{OWN}{number}|")]
    for key, inbox in rows:
        parcels = {
            event.case for _, _, _, _, _, blob in store.engine.select("journal_of", [inbox])
            for event in _events.decode(store.vault.stretch(blob)) if OWN + event.own == key and event.case}
        for parcel in parcels or {key.removeprefix(OWN)}:
            found.setdefault(parcel, []).append(inbox)
    return found


def _story(store: Store, case: Case, waybill: Waybill | None = None, refused: Iterable[int] = ()) -> Story:
    inventory = case.inventory
    if inventory is not None:
        key = waybill_key(inventory.logisticsNo, inventory.logisticsCode)
        waybill = store.waybills([key]).get(key)
    if case.orderNo:
        refused = {*refused, *(row[1] for row in store.prefixed("refusals", f"{case.orderNo}|{case.ebpCode}"))}
    road = waybill_key(waybill.logisticsNo, waybill.logisticsCode) if waybill is not None else None
    if road is not None:
        refused = {*refused, *(row[1] for row in store.prefixed("refusals", road))}
    inboxes = sorted({*case.inboxes, *refused, *(waybill.inboxes if waybill is not None else ())})
    decisions, numbers = _decisions(store, inboxes, case, road)
    money = [inventory.invtNo] if inventory is not None and inventory.invtNo else []
    money += [case.bill.taxNo] if case.bill is not None else []
    money += [back.preNo for back in case.returns]
    return Story(
        case, waybill, _documents(store, inboxes, case, waybill), decisions,
        _said(store, inboxes, case, waybill, numbers),
        [{"document": row[0], "line": row[1], "kind": row[2], "account": row[3], "amount_fen": row[4]}
         for row in store.engine.select("posting_of", money)])


def _documents(store: Store, inboxes: list[int], case: Case, waybill: Waybill | None) -> list[dict[str, Any]]:
    """The documents that make the parcel up now, each with the message that brought it."""
    held: list[tuple[str, Any]] = []
    if case.order is not None:
        held.append(("CEB311", case.order))
    held += [("CEB411", payment) for payment in case.payments]
    if waybill is not None and waybill.part is not None:
        held.append(("CEB511", waybill.part))
    if waybill is not None and waybill.signed_for is not None:
        held.append(("CEB513", waybill.signed_for))
    if case.inventory is not None:
        held.append(("CEB621", case.inventory))
    held += [("CEB623", part) for part in case.cancels] + [("CEB625", part) for part in case.returns]
    return _rows_of(store, inboxes, held)


def _rows_of(store: Store, inboxes: list[int], held: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Documents as rows: kind, numbers, state, and the file that brought each."""
    rows = {row[0]: row for row in store.engine.select("inbox_rows", inboxes)}
    made = []
    for kind, part in held:
        row = rows.get(part.inbox)
        words = name_of(part.status) if part.status >= 0 else Words("", "")
        made.append({
            "type": kind, "guid": part.guid, "appType": part.appType, "appTime": part.appTime,
            "status": part.status, "status_name": {"zh": words.zh, "en": words.en}, "inbox": part.inbox,
            "document": part.index, "file": row[3] if row else "", "peer": row[1] if row else "",
            "received_at": time17_of(row[4]) if row else "",
        })
    return made


def _decisions(
    store: Store, inboxes: list[int], case: Case, road: str | None
) -> tuple[list[dict[str, Any]], set[str]]:
    """Every event of the parcel and its waybill, and the preNo of documents that were not taken."""
    key = f"{case.orderNo}|{case.ebpCode}" if case.orderNo else None
    made, numbers = [], set()
    for row in store.engine.select("journal_of", inboxes):
        for event in _events.decode(store.vault.stretch(row[5])):
            if (key and event.case == key) or (road and event.waybill == road):
                numbers.add(event.number)
                made.append(_decision(row, event))
    return made, numbers - {""}


def _decision(row: Any, event: Event) -> dict[str, Any]:
    position, inbox, at, law, code, _ = row
    return {
        "position": position, "at": time17_of(at), "inbox": inbox, "document": event.index,
        "event": event.name, "law": event.law, "edition": law, "code": code,
        "why": [reason_fault(reason, event.index).as_dict() for reason in event.why],
        "receipts": [list(receipt) for receipt in event.receipts],
    }


def reason_fault(reason: Reason, document: int | None) -> Fault:
    """A recorded reason as a fault with words: its own, or those of the decision's catalog."""
    if reason.words is None:
        return explained(reason, document or None)
    zh, en, remedy_zh, remedy_en = reason.words
    return Fault(reason.rule, reason.severity, document or None, reason.path, reason.found, reason.expected,
                 reason.source, Words(zh, en), Words(remedy_zh, remedy_en))


def _said(store: Store, inboxes: list[int], case: Case, waybill: Waybill | None,
          not_taken: set[str]) -> list[dict[str, Any]]:
    """Every receipt of the parcel's documents, in the order of their times."""
    inventory = case.inventory
    held = (inventory,) if inventory is not None else ()
    others: tuple[Past | CancelPart | ReturnPart, ...] = (*case.past, *case.cancels, *case.returns)
    pre_numbers = not_taken | {p.preNo for p in others} | (
        {inventory.preNo} if inventory is not None else set())
    invt_numbers = {p.invtNo for p in case.past if p.invtNo} | (
        {inventory.invtNo} if inventory is not None and inventory.invtNo else set())
    own_numbers = {(p.copNo, p.agentCode) for p in (*held, *others) if p.copNo}
    payments = {(p.payCode, p.payTransactionId) for p in case.payments}
    road = (waybill.logisticsCode, waybill.logisticsNo) if waybill is not None else None

    def is_ours(kind: str, head: Any) -> bool:
        if kind == "312":
            return head.orderNo == case.orderNo and head.ebpCode == case.ebpCode
        if kind == "412":
            return (head.payCode, head.payTransactionId) in payments
        if kind in ("512", "514"):
            return (head.logisticsCode, head.logisticsNo) == road
        if kind in ("622", "624", "626"):
            return head.preNo in pre_numbers or (head.copNo, head.agentCode) in own_numbers
        return kind in ("816", "818") and head.invtNo in invt_numbers

    made = []
    for row, kind, receiver, _, _, state, blob in store.engine.select("outbox_of", inboxes):
        if blob is None or kind not in HEADS:
            continue
        for values, _ in _receipts.decode(store.vault.show(blob)):
            head = HEADS[kind][0](*values)
            if is_ours(kind, head):
                status = getattr(head, "returnStatus", None) or head.status
                made.append({"type": f"CEB{kind}", "status": status, "time": head.returnTime, "to": receiver,
                             "info": getattr(head, "returnInfo", "") or "", "outbox": row, "sent": state == 2})
    return sorted(made, key=lambda receipt: (receipt["time"], receipt["type"]))
