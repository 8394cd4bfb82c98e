"""From the journal to items (取材): what was decided, by whom it is touched, and what only the archive knows.

The light way reads no message: a taken document stands in its event. A document that was refused stands nowhere but
in the archive, so its message is read again; where the supposed law weighs field rules or signatures otherwise, every
message is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance.arrivals import TICKS
from cebport.clearance.parts import Event, TallyPart, waybill_key
from cebport.clearance.replay import document_of
from cebport.faults import Malformed
from cebport.messages import envelope, wire
from cebport.messages.trust import TrustStore
from cebport.server.filings import Filings
from cebport.server.pipeline import Pipeline, Prepared, reason_of
from cebport.server.replay.laws import LIGHT, RULES, TRUST, Law, Plan, laws_once
from cebport.server.replay.spool import (
    ARRIVAL,
    BEFORE,
    CARRIED,
    DOCUMENT,
    TALLY,
    TICK,
    Item,
    Looked,
    Spool,
    Verdict,
    decode_event,
    keys_touched,
    looked,
    number_of,
    split_events,
)
from cebport.server.store.store import Claimed, Store
from cebport.values import BEIJING, beijing_day

ROWS_A_STEP = 40
AT_THE_WINDOW, UNREADABLE = " refused at the window", "message unreadable"
KEPT_OUT = ("CEB-SIGN-", "CEB-FILING-")
"""How the faults begin that keep a document out whatever its fields say: its signature, its enterprises."""
WALKED = ("message", "timer", "oversize")
"""Kinds of inbox rows that go through the walk."""


class Gathered(Struct, frozen=True, array_like=True):
    """What a stretch of the journal held: decisions, editions of the law, first and last moment."""

    items: int
    decisions: int
    editions: tuple[str, ...]
    first: int
    last: int


def open_store(plan: Plan) -> Store:
    """A connection of this process."""
    return Store.open(plan.store, Path(plan.keys) if plan.keys else None, migrate=False)


def gather(plan: Plan, after: int, last: int, out: Path) -> Gathered:
    """Items of the journal's positions after ``after`` up to ``last``, into a spool."""
    store = open_store(plan)
    try:
        return _Gathering(store, plan).run(after, last, out)
    finally:
        store.close()


class _NoFilings:
    """Who was let in before is not asked for its filing again."""

    def check(self, *_: Any) -> None:
        """Nothing."""


class Window(Pipeline):
    """The pipeline's first half under one law: what it finds in a message before anything is decided."""

    def __init__(self, store: Store, law: Law, trust: TrustStore, filings: Any) -> None:
        super().__init__(store, law.policy, trust, filings, profile=law.profile, clock=lambda: datetime.now(BEIJING))

    def verdicts(self, one: Prepared) -> list[Verdict]:
        """What is said of each document."""
        made = []
        for index in range(len(one.parts)):
            code, faults = one.refused.get(index, ("", one.warned.get(index, [])))
            made.append(Verdict(code, tuple([reason_of(fault) for fault in faults])))
        return made

    def rules(self, one: Prepared, message: Any, now: datetime) -> list[Verdict]:
        """What the field rules say of each document."""
        one.refused, one.warned = {}, {}
        self._checked(one, message, self.view(beijing_day(now), "CN"), now)
        return self.verdicts(one)


def _arrived(event: Event) -> bool:
    return event.name.split(";", 1)[0] == "arrived"


class _Read(Struct, array_like=True):
    """A message read again: its parts and what both windows say of each; None = as it stands in the journal."""

    parts: list[Any]
    a: list[Verdict] | None
    b: list[Verdict] | None


class _Gathering:
    """One stretch of the journal."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.store, self.plan = store, plan
        self.a, self.b = laws_once(plan)
        whole = plan.deep == TRUST
        trust = TrustStore.load(plan.trust) if whole else TrustStore.load(())
        filings = [Filings(store) if whole else _NoFilings() for _ in range(2)]
        self.windows = [Window(store, law, trust, each) for law, each in zip((self.a, self.b), filings, strict=True)]

    def run(self, after: int, last: int, out: Path) -> Gathered:
        spool = Spool(out)
        editions: dict[str, None] = {}
        items = decisions = newest = 0
        oldest = 1 << 62
        while after < last:
            rows = [row for row in self.store.engine.rows("journal_after", after, ROWS_A_STEP) if row[0] <= last]
            if not rows:
                break
            after = rows[-1][0]
            kinds = {row[0]: (row[2], row[3]) for row in
                     self.store.engine.select("inbox_rows", [row[1] for row in rows])}
            for position, inbox, at, edition, _, blob in rows:
                if self.plan.until is not None and at > self.plan.until:
                    continue
                kind, name = kinds.get(inbox, ("message", ""))
                for item in self._items(position, inbox, at, kind, name, self.store.vault.stretch(blob)):
                    spool.add(item)
                    items += 1
                    if item.what != BEFORE and item.raw:
                        decisions += 1
                if self.plan.since is None or at >= self.plan.since:
                    editions[edition] = None
                    oldest, newest = min(oldest, at), max(newest, at)
        spool.close()
        return Gathered(items, decisions, tuple(editions), oldest, newest)

    def _items(self, position: int, inbox: int, at: int, kind: str, name: str, blob: bytes) -> Iterator[Item]:
        """The items of one row of the journal, in the order of its events."""
        raws = [bytes(raw) for raw in split_events(blob)]
        events = [decode_event(raw) for raw in raws]
        alone = (number_of(f"inbox {inbox}"),)
        tick = name.partition("/")[0] if kind == "timer" else ""
        if self.plan.since is not None and at < self.plan.since:
            for order, (raw, event) in enumerate(zip(raws, events, strict=True)):
                keys = keys_touched(event, document_of(event, inbox))
                yield Item(keys or alone, position, order, inbox, at, BEFORE, raw, tick)
            return
        if tick:
            for order, (raw, event) in enumerate(zip(raws, events, strict=True)):
                what = TICK if tick in TICKS and event.case else CARRIED
                yield Item(keys_touched(event, None) or alone, position, order, inbox, at, what, raw, tick)
            return
        if kind not in WALKED:  # booked at a desk: there is no document to decide again
            for order, raw in enumerate(raws):
                yield Item(alone, position, order, inbox, at, CARRIED, raw)
            return
        yield from self._documents(Item(alone, position, 0, inbox, at, CARRIED, b""), raws, events)

    def _documents(self, frame: Item, raws: Sequence[bytes], events: Sequence[Event]) -> Iterator[Item]:
        """The items of a message."""
        documents = [document_of(event, frame.inbox) for event in events]
        read: _Read | None = None
        if events and events[0].name != UNREADABLE and (
                self.plan.deep != LIGHT or any(part is None and self._may_enter(event)
                                               for part, event in zip(documents, events, strict=True))):
            read = self._read(frame.inbox, frame.at)
        held: tuple[TallyPart, str, Looked | None] | None = None
        waybills: list[str] = []
        for order, (raw, event, part) in enumerate(zip(raws, events, documents, strict=True)):
            item = replace(frame, order=order, raw=raw)
            if _arrived(event) and held is not None:
                yield self._arrival(item, *held, waybills.pop(0))
                continue
            seen, part = self._seen(read, event, part)
            item.keys = keys_touched(event, part) or frame.keys
            if part is None or (event.name.endswith(AT_THE_WINDOW) and (seen is None or seen.a is None)):
                yield item
                continue
            item.what, item.looked = DOCUMENT, seen
            if type(part) is TallyPart:
                item.what = TALLY
                given = event.tally_set
                held = (part, given.rkdNo if given is not None else f"R{frame.inbox}/{event.index}", seen)
                waybills = list(part.waybills)
                yield item
                if seen is not None and seen.a is not None and seen.a.code and seen.b is not None and not seen.b.code:
                    for number in waybills:
                        yield self._arrival(replace(frame, order=order), *held, number)
                continue
            yield item

    @staticmethod
    def _may_enter(event: Event) -> bool:
        """Whether a document could get further than it did: not one that its signature or its filing kept out."""
        return not _arrived(event) and (not event.name.endswith(AT_THE_WINDOW) or all(
            not reason.rule.startswith(KEPT_OUT) for reason in event.why))

    @staticmethod
    def _arrival(item: Item, tally: TallyPart, number: str, seen: Looked | None, waybill: str) -> Item:
        key = waybill_key(waybill, tally.logisticsCode)
        return replace(item, keys=(number_of("W" + key),), what=ARRIVAL, name=number, looked=seen,
                       place=f"{tally.customsCode} {tally.index} {key}")

    def _seen(self, read: _Read | None, event: Event, part: Any) -> tuple[Looked | None, Any]:
        """What the archive adds to a document, and the document."""
        if read is None or not 0 < event.index <= len(read.parts):
            return None, part
        fresh = read.parts[event.index - 1]
        if any(reason.rule == "KEY-OTHER-OWNER" for reason in event.why):
            fresh = replace(fresh, by="merchant")
        taken = part if part is not None else fresh
        whole = self.plan.deep != LIGHT
        if self.plan.deep != TRUST and not self._may_enter(event):
            return None, taken
        if not whole and not event.name.endswith(AT_THE_WINDOW):
            return (None if part is not None else looked(taken, None, None)), taken
        at = event.index - 1
        return looked(taken, read.a[at] if read.a else None, read.b[at] if read.b else None), taken

    def _read(self, inbox: int, at: int) -> _Read | None:
        """The message from the archive, weighed by both windows; None when there is nothing to read in it."""
        row = self.store.inbox_row(inbox)
        raw = self.store.archived([inbox])[inbox]
        claimed = Claimed(inbox, row.kind, row.peer, row.name, row.route, row.received_at, raw)
        now = datetime.fromtimestamp(at / 1000, BEIJING)
        if self.plan.deep == TRUST:
            ones = [window.prepare(claimed, now) for window in self.windows]
            if any(one.unreadable for one in ones):
                return None
            return _Read(ones[0].parts, *[w.verdicts(one) for w, one in zip(self.windows, ones, strict=True)])
        first, second = self.windows
        try:
            payload = envelope.unwrap(raw).payload if row.route.kind != "bare" else raw
            tree = wire.parse_tree(payload)
        except Malformed:
            return None
        one = Prepared(claimed, type=tree.type, wrapped=row.route.kind != "bare")
        message = wire.message_of(tree, first.view(beijing_day(now), "CN").dialect["schema"])
        one.parts = first.blinder.parts(message, inbox, wrapped=one.wrapped)
        verdicts = first.rules(one, message, now)
        return _Read(one.parts, verdicts, second.rules(one, message, now) if self.plan.deep == RULES else verdicts)
