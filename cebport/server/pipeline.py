"""The walk of a message (报文处理): from inbox rows to everything that follows from them.

    prepare   unwrap -> parse -> verify -> check -> parts        in parallel, no lock, nothing written
    settle    facts -> view -> decide -> records, postings       in one short write transaction
    commit    records, journal, books, outbox, inbox done        atomically (durable baton 2)

``receive`` is the whole walk. A lost race undoes the transaction and settles again; whatever is killed
before the commit leaves its inbox rows to be claimed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from cebport.clearance.allowance import counted_lines
from cebport.clearance.arrivals import TICKS, Tick, arrive, decide_tally, tick
from cebport.clearance.case import decide
from cebport.clearance.draft import Facts, Outcome, Timer, day_of, receipt_guid
from cebport.clearance.parts import (
    Event,
    InventoryPart,
    Reason,
    Tally,
    TallyPart,
    Waybill,
    case_key,
    waybill_key,
)
from cebport.clearance.receipts import BUILDERS, INFO_CHARS_MAX, TYPES, Receipt
from cebport.clearance.taking import PRE_LETTERS, own_number
from cebport.faults import ERROR, Fault, Malformed, StoreConflict
from cebport.messages import envelope, rules, signature, wire
from cebport.messages.certificates import sign_fault
from cebport.messages.codes import receipt_codes
from cebport.messages.documents import Message
from cebport.messages.trust import TrustStore, declarant_fields
from cebport.policy import Policy
from cebport.policy.places import NATION
from cebport.server.blind import Blinder
from cebport.server.dispatch import ENVELOPE_ANSWER, fault_from, misfit, oversized_parts
from cebport.server.filings import Filings
from cebport.server.store.store import DONE, Claimed, Store, encode
from cebport.server.work import Work, refused_keys
from cebport.values import BEIJING, beijing_day

NAMESPACE = "http://www.chinaport.gov.cn/ceb"
CONFLICT_TRIES_MAX = 50
DOCUMENTS_A_TRANSACTION = 400
"""The named bound of one write transaction: so many documents take some 20 ms on SQLite."""


@dataclass(slots=True)
class Prepared:
    """A message ready to be settled: its parts, what of them is refused and why, or why there are none."""

    row: Claimed
    type: str = ""
    parts: list[Any] = field(default_factory=list)
    refused: dict[int, tuple[str, list[Fault]]] = field(default_factory=dict)
    warned: dict[int, list[Fault]] = field(default_factory=dict)
    unreadable: list[Fault] = field(default_factory=list)
    reply_to: str = ""
    answer: str = "900"
    wrapped: bool = False
    data_copies: tuple[str, ...] = ()
    unfiled: list[tuple[str, str, str]] = field(default_factory=list)


class Pipeline:
    """The walk with everything it needs; one a worker process."""

    def __init__(self, store: Store, policy: Policy, trust: TrustStore, filings: Filings, *, profile: str | None,
                 clock: Callable[[], datetime], code: str = "") -> None:
        self.store, self.policy, self.trust, self.filings = store, policy, trust, filings
        self.profile, self.clock, self.code = profile, clock, code
        self.blinder = Blinder(store.vault)
        self._views: dict[tuple[Any, str], Any] = {}

    # ── the walk ────────────────────────────────────────────────────────────────────────────────────

    def receive(self, claimed: Sequence[Claimed]) -> int:
        """Take claimed inbox rows through the whole walk; how many documents that were."""
        now = self.clock()
        prepared = [self.prepare(row, now) for row in claimed]
        documents = 0
        while prepared:
            group = self._group(prepared)
            prepared = prepared[len(group):]
            self._settle_and_commit(group, now)
            documents += sum(len(one.parts) for one in group)
        return documents

    @staticmethod
    def _group(prepared: Sequence[Prepared]) -> list[Prepared]:
        """As many of the first messages as fit one transaction; at least one."""
        group: list[Prepared] = []
        documents = 0
        for one in prepared:
            if group and documents + len(one.parts) > DOCUMENTS_A_TRANSACTION:
                break
            group.append(one)
            documents += len(one.parts)
        return group

    def _settle_and_commit(self, group: Sequence[Prepared], now: datetime) -> None:
        day = beijing_day(now)
        for attempt in range(CONFLICT_TRIES_MAX):
            try:
                with self.store.transaction():
                    work = Work(self.store, day.year, partial(self.counted, day))
                    work.load([part for one in group for part in one.parts], self._case_keys(group))
                    for one in group:
                        self.settle(work, one, now)
                    self.store.commit(work.finish())
                return
            except StoreConflict:
                self.store.forget_leases()
                if attempt + 1 == CONFLICT_TRIES_MAX:
                    raise
            except BaseException:
                self.store.forget_leases()
                raise

    def counted(self, day: date, inventory: InventoryPart) -> Iterable[str]:
        """The lines of the positive list of which an inventory has counted goods, by the law of ``day`` or of the day
        of its declaration: a row says which of them decides."""
        place = place_of(inventory)
        lines = counted_lines(inventory, self.view(day, place))
        declared = day_of(inventory.declared_at) if inventory.declared_at else day
        return lines if declared == day else {*lines, *counted_lines(inventory, self.view(declared, place))}

    @staticmethod
    def _case_keys(group: Sequence[Prepared]) -> list[str]:
        return [part[1] for one in group if one.type in TICKS for part in one.parts]

    def view(self, day: date, place: str) -> Any:
        """The law of a day at a place, for this window's profile."""
        view = self._views.get((day, place))
        if view is None:
            view = self._views[(day, place)] = self.policy.at(day, place, profile=self.profile)
        return view

    # ── prepare: no lock ────────────────────────────────────────────────────────────────────────────

    def prepare(self, row: Claimed, now: datetime) -> Prepared:
        """unwrap, parse, verify, check, parts: everything that needs no store."""
        one = Prepared(row, wrapped=row.route.kind != "bare", reply_to=row.route.sender)
        view = self.view(beijing_day(now), NATION)
        schema = view.dialect["schema"]
        if row.kind == "timer":
            kind, *keys = row.raw.decode().split("\n")
            one.type, one.parts = kind, [(kind, key, row.inbox) for key in keys]
            return one
        if row.kind == "oversize":
            faults, one.type, _ = oversized_parts(row.raw)
            one.unreadable = [fault_from(fault) for fault in faults]
            return one
        try:
            payload = row.raw
            if one.wrapped:
                opened = envelope.unwrap(row.raw)
                payload = opened.payload
                one.unreadable = [fault for fault in opened.faults if fault.severity == ERROR]
                if one.unreadable:
                    one.answer = ENVELOPE_ANSWER
                    return one
            tree = wire.parse_tree(payload)
        except Malformed as malformed:
            one.unreadable = list(malformed.faults)
            return one
        one.type = tree.type
        one.unreadable = misfit(tree, schema)
        one.reply_to = reply_to(tree) or one.reply_to
        if one.unreadable:
            return one
        message = wire.message_of(tree, schema)
        one.parts = self.blinder.parts(message, row.inbox, wrapped=one.wrapped)
        if not self._trusted(one, message, tree, view, now):
            return one
        self._checked(one, message, view, now)
        if len(one.refused) < len(one.parts):
            one.data_copies = tuple(address for address, what in envelope.copies(message) if what in ("ALL", "DATA"))
        return one

    def _trusted(self, one: Prepared, message: Message, tree: Any, view: Any, now: datetime) -> bool:
        """Signature and declarant; a message that fails is refused document by document."""
        verdict = signature.verify(tree, self.trust, now)
        action = view.verdict_action(message.type, verdict.verdict)
        codes = receipt_codes()[message.type]
        if action == "refuse":
            faults = [f for f in verdict.faults if f.severity == ERROR] or [
                f.with_severity(ERROR) for f in verdict.faults]
            one.refused = dict.fromkeys(range(len(one.parts)), (codes["signature"], faults))
            return False
        if verdict.certificate is None or view.trust.get("any_declarant"):
            return True
        owners = verdict.owners
        if owners is None:
            return True
        if message.type == "CEB311Message":
            one.parts = [part if part.ebpCode in owners else replace(part, by="merchant") for part in one.parts]
        fields = declarant_fields()[message.type]
        for index, document in enumerate(message.documents):
            declarants = [getattr(document.head, name) for name in fields]
            if owners.isdisjoint(declarants):
                fault = sign_fault("CEB-SIGN-059", document=index + 1, path=fields[0], found=declarants[0],
                                   expected=", ".join(sorted(owners)), subject=verdict.subject)
                one.refused[index] = (codes["declarant"], [fault])
        return True

    def _checked(self, one: Prepared, message: Message, view: Any, now: datetime) -> None:
        """Rules and filings: what is wrong with each document by itself."""
        found: dict[int, list[Fault]] = {}
        for fault in rules.check(message, view.practice, view.day, now):
            targets = [fault.document - 1] if fault.document else range(len(one.parts))
            for index in targets:
                found.setdefault(index, []).append(fault)
        for index, faults in found.items():
            code = rules.receipt_code(message.type, faults)
            if code and index not in one.refused:
                one.refused[index] = (code, [f for f in faults if f.severity == ERROR])
            elif not code:
                one.warned[index] = faults
        self.filings.check(one, message, view)

    # ── settle: inside the write transaction ────────────────────────────────────────────────────────

    def settle(self, work: Work, one: Prepared, now: datetime) -> None:
        """What the message does: one outcome a document, its records, events and receipts."""
        inbox, at, day = one.row.inbox, int(now.timestamp() * 1000), beijing_day(now)
        events: list[Event] = []
        receipts: list[Receipt] = []
        timers: list[Timer] = []
        if one.unreadable:
            events.append(_unreadable_event(one))
            work.writes.outbox.append((inbox, one.answer, one.reply_to, int(one.wrapped), 1, at, None))
        refused, warned, decide_one = one.refused, one.warned, DECIDERS.get(one.type, Pipeline._decide)
        for index, part in enumerate(one.parts):
            if index in refused:
                self._refuse(one, index, part, events, receipts, day, at)
                continue
            for outcome in decide_one(self, work, part, day, at):
                event = work.take(outcome, inbox)
                if index in warned:
                    event = _with_warnings(event, warned.pop(index))
                events.append(event)
                receipts += outcome.receipts
                timers += outcome.timers
        work.send(receipts, inbox, at)
        for receiver in one.data_copies:
            work.writes.outbox.append((inbox, "DATA", receiver, int(one.wrapped), 0, at, None))
        self._file_timers(work, timers, inbox)
        work.writes.refusals.extend({(key, inbox) for event in events for key in refused_keys(event)})
        documents = len(one.parts) if one.row.kind == "message" else 0
        work.writes.journal.append((inbox, at, self.policy.edition, self.code, documents,
                                    self.store.vault.squeeze(encode(events))))
        work.writes.settled.append((DONE, one.unreadable[0].code if one.unreadable else "", inbox))
        work.writes.filings.extend((code, name, role, "", "") for code, name, role in one.unfiled)

    def _decide(self, work: Work, part: Any, day: date, at: int) -> Iterable[Outcome]:
        """A document that belongs to one parcel."""
        case = work.case_of(part)
        view = self.view(day, place_of(part if type(part) is InventoryPart else case.inventory))
        return (decide(part, case, work.facts_of(part, case), view, at),)

    def _tick(self, work: Work, part: Any, day: date, at: int) -> Iterable[Outcome]:
        """A timer of one case: (kind, case key, inbox)."""
        kind, key, inbox = part
        case = work.case_or_none(key)
        view = self.view(day, place_of(case.inventory))
        return (tick(Tick(kind, inbox, 0), case, work.facts_of(None, case), view, at),)

    def _tally(self, work: Work, part: TallyPart, day: date, at: int) -> Iterable[Outcome]:
        """A tally: itself, then each waybill that it says arrived."""
        key = waybill_key(part.copNo, part.operatorCode)
        held = work.tallies.get(key) or Tally(part.copNo, part.operatorCode)
        outcome = decide_tally(part, Facts(self.store, tally=held), self.view(day, part.customsCode), at)
        yield outcome
        stored = outcome.tally.part if outcome.tally is not None else None
        if stored is None or not stored.rkdNo:
            return
        for number in part.waybills:
            waybill = work.waybills.get(waybill_key(number, part.logisticsCode)) or Waybill(number, part.logisticsCode)
            case = work.case_or_none(waybill.case)
            facts = replace(work.facts_of(None, case), waybill=waybill)
            yield arrive(stored.rkdNo, case, facts, self.view(day, part.customsCode), at,
                         part.inbox, part.index)

    def _refuse(self, one: Prepared, index: int, part: Any, events: list[Event], receipts: list[Receipt],
                day: date, at: int) -> None:
        """A document that does not get in: a receipt with the official code, an event, no record."""
        code, faults = one.refused[index]
        kind, build = BUILDERS[type(part)]
        if kind in PRE_LETTERS:
            letter, day8 = PRE_LETTERS[kind], day.strftime("%Y%m%d")
            part = _numbered(part, f"{letter}{day8}{self.store.next(f'pre/{letter}/{day8}'):09d}")
        info = "；".join(dict.fromkeys(f"{f.message.zh}" for f in faults))[:INFO_CHARS_MAX] or code
        receipts.append(build(part, code, at, info, receipt_guid(part.guid, int(code), at)))
        events.append(Event(
            name=f"{kind} refused at the window", index=index + 1,
            case=case_key(part.orderNo, part.ebpCode) if hasattr(part, "ebpCode") else "",
            waybill=waybill_key(part.logisticsNo, part.logisticsCode) if hasattr(part, "logisticsNo") else "",
            why=tuple([reason_of(f) for f in faults]),
            receipts=((TYPES[type(part)], code),), number=getattr(part, "preNo", ""), own=own_number(part)))

    def _file_timers(self, work: Work, timers: Sequence[Timer], inbox: int) -> None:
        """One row for all timers of a message that fall due together."""
        grouped: dict[tuple[str, int], list[str]] = {}
        for timer in timers:
            grouped.setdefault((timer.kind, timer.due_at), []).append(timer.case)
        for (kind, due_at), keys in grouped.items():
            work.writes.timers.append((kind, due_at, inbox, keys))


def reply_to(tree: Any) -> str:
    """The sender's DXP id of a message, also of one that fits no schema; "" when it names none."""
    return (tree.root.findtext(f"{{{NAMESPACE}}}BaseTransfer/{{{NAMESPACE}}}dxpId") or "").strip()


def place_of(inventory: InventoryPart | None) -> str:
    """The place of a parcel: the customs office of its inventory; until there is one, the nation."""
    return inventory.customsCode if inventory is not None else NATION


def _numbered(part: Any, pre_no: str) -> Any:
    return replace(part, preNo=pre_no)


def reason_of(fault: Fault) -> Reason:
    """A fault found before the decision, as the journal keeps it."""
    return Reason(fault.code, fault.severity, fault.path, fault.found, fault.expected, fault.source,
                  (*fault.message, *fault.remedy))


def _with_warnings(event: Event, faults: Sequence[Fault]) -> Event:
    said = tuple([reason_of(f) for f in faults])
    return replace(event, why=(*event.why, *said))


def _unreadable_event(one: Prepared) -> Event:
    """What the journal keeps of a message that fits no schema: codes and places. Values stay in the archive, since a
    name may stand in any field of it."""
    return Event(
        name="message unreadable",
        why=tuple([Reason(fault.code, fault.severity, fault.path, source=fault.source,
                          words=(f"{fault.code} {fault.path}", f"{fault.code} {fault.path}", *fault.remedy))
                   for fault in one.unreadable[:50]]),
        receipts=((one.answer, "-1"),))


DECIDERS: dict[str, Callable[..., Iterable[Outcome]]] = {"CEB711Message": Pipeline._tally}
for _kind in TICKS:
    DECIDERS[_kind] = Pipeline._tick


def clock_of(on: datetime | None) -> Callable[[], datetime]:
    """The clock of a run: fixed at ``on``, or the machine's in Beijing."""
    if on is not None:
        return lambda: on
    return lambda: datetime.now(BEIJING)
