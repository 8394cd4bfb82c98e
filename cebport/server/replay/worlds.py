"""One component in two worlds (重演): each decision taken again under today's law and under the supposed one.

Both worlds begin as one. As long as a decision leaves the same state in both they stay one; where both laws say the
same they decide once. At the first decision that parts them world b gets records of its own. Numbers are those of the
journal, for the same document; what b needs and the journal never gave is numbered above all that customs gives out.

A timer of the journal rings in a world that has it due; a timer that only b has rings at its due moment, and what b
waits for and the journal lacks (a tally, an officer's answer) comes as the law's rows ``assume.*`` say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from heapq import heappop, heappush
from typing import Any, NamedTuple

from msgspec import UNSET, Struct
from msgspec.structs import replace

from cebport.clearance import states
from cebport.clearance.arrivals import arrive, decide_tally
from cebport.clearance.draft import Facts, Outcome, Timer
from cebport.clearance.parts import (
    CancelPart,
    Case,
    Event,
    InventoryPart,
    Reason,
    ReturnPart,
    Tally,
    Waybill,
    fold_case,
    fold_tally,
    fold_waybill,
    waybill_key,
)
from cebport.clearance.replay import APPROVED, Given, answer, carried, document_of, numbers_given
from cebport.server.pipeline import Pipeline, Prepared, place_of
from cebport.server.replay.laws import Compare, Law, day_of
from cebport.server.replay.spool import (
    ARRIVAL,
    BEFORE,
    CARRIED,
    DOCUMENT,
    TALLY,
    TICK,
    Item,
    Verdict,
    decode_event,
    encode,
)
from cebport.server.replay.watch import Notice, Watched
from cebport.server.trace import reason_fault
from cebport.server.work import Work

DAY_MS = 86_400_000
BEYOND = 10**9
"""Numbers that only world b needs begin above every number of nine digits."""
ASSUMED = {states.STORED: "assume.tally", states.REVIEW: "assume.review"}
"""What an inventory waits for, by its state -> the row that says what to assume where the journal lacks it."""
TOLD_MAX = 100
Place = tuple[int, int]


class Journal:
    """The numbers that the journal gave out in one component, by the document that they are of."""

    def __init__(self, items: Sequence[Item], events: Sequence[Event | None]) -> None:
        self._items, self._events = items, events
        self._given: dict[tuple[str, int, int], list[Given]] | None = None
        self.at = 0
        """The item that is decided just now: what it needs it mostly gave out itself."""

    def of(self, kind: str, place: Place) -> Iterator[Given]:
        """The numbers of a document, those of the present item first."""
        item, event = self._items[self.at], self._events[self.at]
        if event is not None and item.what != CARRIED:
            for one in numbers_given(event, item.inbox, kind):
                if one.inbox == place[0] and one.index == place[1]:
                    yield one
        yield from self._all().get((kind, *place), ())

    def _all(self) -> dict[tuple[str, int, int], list[Given]]:
        made = self._given
        if made is None:
            made = self._given = {}
            for item, event in zip(self._items, self._events, strict=True):
                if event is not None and item.what != CARRIED:
                    for one in numbers_given(event, item.inbox):
                        made.setdefault((one.kind, one.inbox, one.index), []).append(one)
        return made


class Numbers:
    """The numbers of one world, in the place of a store: those of the journal for the same document."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.taken: set[str] = set()
        self.own: Place = (0, 0)
        self.inventory: Place = (0, 0)
        self._made: dict[tuple[str, Place], int] = {}

    def next(self, series: str) -> int:
        """The number that the journal gave that document in that series, else one beyond all of them."""
        kind = series.partition("/")[0]
        place = self.inventory if kind in ("invt", "tax") else self.own
        for held in self.journal.of(kind, place):
            if held.series == series and held.text not in self.taken:
                return held.number
        count = self._made[(series, place)] = self._made.get((series, place), -1) + 1
        return BEYOND + (place[0] * 1000 + place[1]) * 1000 + count

    def quota(self, buyers: Iterable[bytes]) -> dict[tuple[bytes, int], int]:
        """Nothing is held anywhere else."""
        return {}

    def copy(self) -> Numbers:
        """The same numbers for another world."""
        made = Numbers(self.journal)
        made.taken = set(self.taken)
        return made


class World(Pipeline):
    """The pipeline's second half under one law, without a store."""

    def __init__(self, law: Law) -> None:
        self.policy, self.profile = law.policy, law.profile
        self._views = {}
        self.notice: Notice | None = None

    def view(self, day: date, place: str) -> Any:
        """The law of a day at a place; watched while somebody wants to know what is asked of it."""
        view = super().view(day, place)
        return view if self.notice is None else Watched(view, self.notice, place)

    def decide(self, side: Side, part: Any, at: int) -> Outcome:
        """A document of one parcel."""
        work = side.work
        inventory = part if type(part) is InventoryPart else work.case_of(part).inventory
        side.begin((part.inbox, part.index), inventory, at)
        work.counted = partial(self.counted, day_of(at))
        (outcome,) = self._decide(work, part, day_of(at), at)
        return outcome

    def ring(self, side: Side, kind: str, key: str, inbox: int, at: int) -> Outcome:
        """A timer of one case."""
        side.begin((inbox, 0), side.work.case_or_none(key).inventory, at)
        side.work.counted = partial(self.counted, day_of(at))
        (outcome,) = self._tick(side.work, (kind, key, inbox), day_of(at), at)
        return outcome

    def tally(self, side: Side, part: Any, at: int) -> Outcome:
        """A tally itself."""
        side.begin((part.inbox, part.index), None, at)
        key = waybill_key(part.copNo, part.operatorCode)
        held = side.work.tallies.get(key) or Tally(part.copNo, part.operatorCode)
        return decide_tally(part, Facts(side.numbers, tally=held, mute=True),
                            self.view(day_of(at), part.customsCode), at)

    def arrival(self, side: Side, item: Item) -> Outcome:
        """One waybill of a tally."""
        office, index, key = item.place.split(" ", 2)
        work = side.work
        number, _, company = key.rpartition("|")
        waybill = work.waybills.get(key) or Waybill(number, company)
        case = work.case_or_none(waybill.case)
        side.begin((item.inbox, int(index)), case.inventory, item.at)
        work.counted = partial(self.counted, day_of(item.at))
        facts = replace(work.facts_of(None, case), waybill=waybill)
        return arrive(item.name, case, facts, self.view(day_of(item.at), office), item.at, item.inbox, int(index))

    def turned_away(self, side: Side, part: Any, verdict: Verdict, at: int) -> Event:
        """A document that does not get in."""
        side.begin((part.inbox, part.index), None, at)
        self.store = side.numbers  # type: ignore[assignment]
        index = part.index - 1
        faults = [reason_fault(reason, part.index) for reason in verdict.why]
        events: list[Event] = []
        one = Prepared(None, refused={index: (verdict.code, faults)})  # type: ignore[arg-type]
        self._refuse(one, index, part, events, [], day_of(at), at)
        return events[0]

    def assumed(self, side: Side, case: Case, at: int, outcome: str) -> Outcome:
        """An answer that the journal lacks."""
        inventory = case.inventory
        assert inventory is not None
        side.begin((0, 0), inventory, at)
        side.work.counted = partial(self.counted, day_of(at))
        return answer(case, side.work.facts_of(None, case), self.view(day_of(at), inventory.customsCode), at, outcome)


class Side:
    """The records of one world, what is due in it, and what was said of each parcel."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.work = Work(numbers, 0, mute=True)  # type: ignore[arg-type]
        self.timers: dict[str, list[tuple[int, str]]] = {}
        self.log: dict[str, list[Event]] = {}
        self.told: dict[str, tuple[Reason, ...]] = {}
        self.turned: dict[str, tuple[Reason, ...]] = {}
        self.began: dict[str, int] = {}

    def copy(self) -> Side:
        """The same state for the other world."""
        made = Side(self.numbers.copy())
        for name, value in vars(self.work).items():
            if isinstance(value, dict):
                setattr(made.work, name, dict(value))
        made.timers = {key: list(due) for key, due in self.timers.items()}
        made.log = {key: list(events) for key, events in self.log.items()}
        made.told, made.turned, made.began = dict(self.told), dict(self.turned), dict(self.began)
        return made

    def begin(self, own: Place, inventory: InventoryPart | None, at: int) -> None:
        """Before a decision: which documents numbers are for, and which year is spent."""
        self.work.year = day_of(at).year
        self.numbers.own = own
        self.numbers.inventory = (inventory.inbox, inventory.index) if inventory is not None else (0, 0)

    def take(self, event: Event, outcome: Outcome | None, inbox: int, at: int) -> None:
        """The records as a decision leaves them."""
        if outcome is not None:
            self.work.take(outcome, inbox)
        self.work.writes.postings.clear()
        for kind, due in event.timers:
            self.timers.setdefault(event.case, []).append((due, kind))
        if event.case:
            self.log.setdefault(event.case, []).append(event)
            self._tell(event, inbox, at)

    def _tell(self, event: Event, inbox: int, at: int) -> None:
        change = event.set
        inventory = change.inventory if change is not None else UNSET
        if inventory is UNSET or inventory is None:
            if event.why and event.name.startswith("inventory refused"):
                self.turned[event.case] = event.why
            return
        if event.why:
            self.told[event.case] = event.why
        elif inventory.status == states.SENT:
            self.told.pop(event.case, None)
        if inventory.inbox == inbox and inventory.index == event.index:
            self.began[event.case] = at
        bill = change.bill if change is not None else UNSET
        if bill is not UNSET and bill is not None:
            self.numbers.taken.add(bill.taxNo)

    def due(self, key: str, kind: str, at: int) -> int | None:
        """The earliest moment at which such a timer of the case is due by ``at``."""
        moments = [moment for moment, each in self.timers.get(key, ()) if each == kind and moment <= at]
        return min(moments) if moments else None

    def end_timer(self, key: str, kind: str, due: int) -> bool:
        """The timer rings and is gone; False when there is none."""
        try:
            self.timers.get(key, []).remove((due, kind))
        except ValueError:
            return False
        return True


class Account(NamedTuple):
    """A movement of an account that parcels share: when, where in the journal, which, fen in both worlds."""

    at: int
    position: int
    order: int
    account: str
    a: int
    b: int


class Missed(NamedTuple):
    """A decision that today's law does not give again as it is stored."""

    position: int
    document: int
    event: str
    key: str
    stored: str
    again: str


class Counts(Struct):
    """What was counted of decisions."""

    decisions: int = 0
    same: int = 0
    different: int = 0
    reproduced: int = 0
    not_reproduced: int = 0
    carried: int = 0
    added: int = 0
    assumed: int = 0


class Worlds:
    """Both worlds of one process; ``play`` takes one component after the other through them."""

    def __init__(self, a: Law, b: Law, horizon: int) -> None:
        self.a, self.b, self.horizon = World(a), World(b), horizon
        self.compare = Compare(a, b)
        self.counts = Counts()
        self.missed: list[Missed] = []

    def play(self, items: Sequence[Item]) -> Played:
        """One component, in the order of the journal."""
        return _Play(self, items).run()


class Played(NamedTuple):
    """A component as both worlds leave it. ``a is b`` when they never parted; assumed: cases that b released or refused
    on an assumption; decided: cases of which something was decided in the days asked for."""

    a: Side
    b: Side
    assumed: frozenset[str]
    accounts: list[Account]
    decided: frozenset[str]


class _Redone(NamedTuple):
    """One decision taken again."""

    event: Event
    outcome: Outcome | None
    due: int | None = None


class _Play:
    """One run of a component."""

    def __init__(self, worlds: Worlds, items: Sequence[Item]) -> None:
        self.worlds, self.items = worlds, items
        self.stored = [decode_event(item.raw) if item.raw else None for item in items]
        self.journal = Journal(items, self.stored)
        self.a = self.b = Side(Numbers(self.journal))
        self.coming: list[tuple[int, int, str, str]] = []
        self.counter = 0
        self.assumed: set[str] = set()
        self.decided: set[str] = set()
        self.accounts: list[Account] = []
        self.arrivals = {item.place.split(" ", 2)[2]: item.position for item in items if item.what == ARRIVAL}
        self.alike = worlds.compare.alike

    def run(self) -> Played:
        counts = self.worlds.counts
        for at, (item, stored) in enumerate(zip(self.items, self.stored, strict=True)):
            self.journal.at = at
            while self.coming and self.coming[0][0] < item.at:  # at one moment documents come before timers
                self._come(item.position)
            if item.what == BEFORE:
                assert stored is not None
                self._fold(item, stored)
                continue
            if stored is not None:
                counts.decisions += 1
                self.decided.add(stored.case)
            if item.what == CARRIED:
                self._carry(item, stored)
            else:
                self._both(item, stored)
        while self.coming:
            self._come(self.items[-1].position if self.items else 0)
        return Played(self.a, self.b, frozenset(self.assumed), self.accounts, frozenset(self.decided))

    # one decision in both worlds ---------------------------------------------------------------------

    def _both(self, item: Item, stored: Event | None) -> None:
        worlds, together = self.worlds, self.a is self.b
        part = self._part(item, stored)
        agree = together and ((self.alike and item.looked is None) or self._agree(item, stored, part))
        notice = worlds.a.notice = None if agree or not together else Notice(worlds.compare)
        one = self._redo(worlds.a, self.a, item, stored, part, is_b=False)
        worlds.a.notice = None
        if agree or (notice is not None and not notice.touched and _looks_same(item)):
            other = one
        else:
            other = self._redo(worlds.b, self.b, item, stored, part, is_b=True)
            if together and not _same_state(one, other):
                self.b = self.a.copy()
        self._count(item, stored, one, other)
        if other is not None:
            self.decided.add(other.event.case)
        self._take(self.a, item, one)
        if self.b is not self.a:
            self._take(self.b, item, other)
            self._await(other, one)
        self._post(item, one, other)

    def _part(self, item: Item, stored: Event | None) -> Any:
        if item.what not in (DOCUMENT, TALLY):
            return None
        part = document_of(stored, item.inbox) if stored is not None else None
        if part is None:
            assert item.looked is not None
            part = item.looked.document()
        return part

    def _agree(self, item: Item, stored: Event | None, part: Any) -> bool:
        """Whether both laws say the same of everything that this decision may ask."""
        if not _looks_same(item):
            return False
        same, day, work = self.worlds.compare.same, day_of(item.at), self.a.work
        if item.what == TALLY:
            return same(day, part.customsCode)
        if item.what == ARRIVAL:
            office, _, key = item.place.split(" ", 2)
            waybill = work.waybills.get(key)
            inventory = work.case_or_none(waybill.case if waybill is not None else "").inventory
            return same(day, office) and (inventory is None or (
                same(day_of(inventory.said), office) and same(day_of(inventory.declared_at), office)))
        if item.what == TICK:
            assert stored is not None
            return self._same(day, work.case_or_none(stored.case).inventory)
        if type(part) is InventoryPart:
            return same(day, part.customsCode)
        return self._same(day, work.case_of(part).inventory)

    def _same(self, day: date, inventory: InventoryPart | None) -> bool:
        """Whether both laws say the same of a parcel, today and on the day of its declaration."""
        same, place = self.worlds.compare.same, place_of(inventory)
        return same(day, place) and (
            inventory is None or not inventory.declared_at or same(day_of(inventory.declared_at), place))

    def _redo(self, world: World, side: Side, item: Item, stored: Event | None, part: Any,
              *, is_b: bool) -> _Redone | None:
        """The decision once more in one world; None when it does not come to it there."""
        if item.what == TICK:
            assert stored is not None
            due = side.due(stored.case, item.name, item.at)
            if is_b and self.b is not self.a:
                due = self.rung if self.rung is not None and (self.rung, item.name) in side.timers.get(
                    stored.case, ()) else None
            else:
                self.rung = due
            if due is None:
                return None
            outcome = world.ring(side, item.name, stored.case, item.inbox, item.at)
            return _Redone(outcome.event, outcome, due)
        seen = item.looked
        verdict = None if seen is None else seen.b if is_b else seen.a
        if item.what == ARRIVAL:
            if verdict is not None and verdict.code:
                return None
            if stored is None and not is_b:
                return None
            outcome = world.arrival(side, item)
            return _Redone(outcome.event, outcome)
        if verdict is not None and verdict.code:
            return _Redone(world.turned_away(side, part, verdict, item.at), None)
        if item.what == TALLY:
            outcome = world.tally(side, part, item.at)
        else:
            if is_b and type(part) in (CancelPart, ReturnPart):
                part = self._renumbered(part)
            outcome = world.decide(side, part, item.at)
        event = outcome.event
        warned = verdict.why if verdict is not None else carried(stored) if stored is not None and stored.why else ()
        if warned:
            event = replace(event, why=(*event.why, *warned))
        return _Redone(event, outcome)

    rung: int | None = None
    """The due moment of the timer that rings just now in world a."""

    def _renumbered(self, part: Any) -> Any:
        """A request that names world a's number of an inventory that b numbered otherwise names b's."""
        inventory = self.b.work.case_of(part).inventory
        if inventory is None or not inventory.invtNo or inventory.invtNo == part.invtNo:
            return part
        held = self.journal.of("invt", (inventory.inbox, inventory.index))
        return replace(part, invtNo=inventory.invtNo) if any(one.text == part.invtNo for one in held) else part

    def _take(self, side: Side, item: Item, done: _Redone | None) -> None:
        if done is None:
            return
        if done.due is not None:
            side.end_timer(done.event.case, item.name, done.due)
        side.take(done.event, done.outcome, item.inbox, item.at)

    def _count(self, item: Item, stored: Event | None, one: _Redone | None, other: _Redone | None) -> None:
        counts = self.worlds.counts
        if stored is None:
            counts.added += other is not None
            return
        first = one is not None and _is_stored(one.event, item, stored)
        second = first if other is one else other is not None and _is_stored(other.event, item, stored)
        counts.reproduced += first
        counts.not_reproduced += not first
        counts.same += second
        counts.different += not second
        if not first and len(self.worlds.missed) < TOLD_MAX:
            self.worlds.missed.append(_missed(item, stored, one))

    def _carry(self, item: Item, stored: Event | None) -> None:
        """A decision that stands as it is in both worlds."""
        assert stored is not None
        counts = self.worlds.counts
        counts.carried += 1
        counts.reproduced += 1
        counts.same += 1
        if stored.case:
            self.a.take(stored, None, item.inbox, item.at)
            if self.b is not self.a:
                self.b.take(stored, None, item.inbox, item.at)

    def _fold(self, item: Item, stored: Event) -> None:
        """What was before the days asked for stands in both worlds as it was decided."""
        side, work = self.a, self.a.work
        if item.name:
            due = side.due(stored.case, item.name, item.at)
            if due is not None:
                side.end_timer(stored.case, item.name, due)
        case = waybill = tally = None
        if stored.set is not None:
            held = work.cases.get(stored.case) or Case(*_two(stored.case))
            case = fold_case(held, stored.set, item.inbox)
        if stored.waybill_set is not None:
            road = work.waybills.get(stored.waybill) or Waybill(*_two(stored.waybill))
            waybill = fold_waybill(road, stored.waybill_set, item.inbox)
        if stored.tally_set is not None:
            known = work.tallies.get(stored.tally) or Tally(*_two(stored.tally))
            tally = fold_tally(known, stored.tally_set, item.inbox)
        quota = [(bytes.fromhex(account[2]), int(account[1]), posting.amount_fen) for posting in stored.postings
                 if (account := posting.account.split("/"))[0] == "quota"]
        timers = tuple([Timer(kind, due, stored.case) for kind, due in stored.timers])
        side.take(stored, Outcome(stored, case, waybill, tally, (), timers, tuple(quota)), item.inbox, item.at)

    # what comes without a row of the journal ---------------------------------------------------------

    def _await(self, other: _Redone | None, one: _Redone | None) -> None:
        """Timers that only b has, and answers that it may have to assume."""
        if other is None:
            return
        event = other.event
        mine = self.a.timers.get(event.case, ())
        for kind, due in event.timers:
            if (due, kind) not in mine and due <= self.worlds.horizon:
                self._push(due, kind, event.case)
        change = event.set
        inventory = change.inventory if change is not None else UNSET
        if inventory is UNSET or inventory is None or inventory.status not in ASSUMED:
            return
        topic = ASSUMED[inventory.status]
        row = self.worlds.b.view(day_of(inventory.said), inventory.customsCode).get(topic)
        if row is not None:
            self._push(inventory.said + int(row["days"]) * DAY_MS, topic, event.case)

    def _push(self, due: int, kind: str, key: str) -> None:
        self.counter += 1
        heappush(self.coming, (due, self.counter, kind, key))

    def _come(self, position: int) -> None:
        """The next of what only b has."""
        due, number, kind, key = heappop(self.coming)
        self.decided.add(key)
        if kind not in ASSUMED.values():
            if self.b.end_timer(key, kind, due):
                self._alone(self.worlds.b.ring(self.b, kind, key, 0, due), due, position, number)
            return
        case = self.b.work.cases[key]
        inventory, mine = case.inventory, self.a.work.case_or_none(key).inventory
        if inventory is None or ASSUMED.get(inventory.status) != kind:
            return
        if mine is not None and mine.guid == inventory.guid and mine.status == inventory.status:
            return  # it waits in today's world too: that is observed, nothing to assume
        road = waybill_key(inventory.logisticsNo, inventory.logisticsCode)
        if inventory.status == states.STORED and self.arrivals.get(road, -1) > position:
            return  # its tally is in the journal
        row = self.worlds.b.view(day_of(inventory.said), inventory.customsCode).get(kind)
        outcome = self.worlds.b.assumed(self.b, case, due, row["outcome"] if row is not None else APPROVED)
        self.assumed.add(key)
        self.worlds.counts.assumed += 1
        self._alone(outcome, due, position, number)

    def _alone(self, outcome: Outcome, at: int, position: int, number: int) -> None:
        """A decision of b that the journal has no row of."""
        done = _Redone(outcome.event, outcome)
        self.worlds.counts.added += 1
        self.b.take(done.event, outcome, 0, at)
        self._await(done, None)
        self._account(at, position, 10**6 + number, (), outcome.event.postings)

    # accounts that parcels share ---------------------------------------------------------------------

    def _post(self, item: Item, one: _Redone | None, other: _Redone | None) -> None:
        left = one.event.postings if one is not None else ()
        right = other.event.postings if other is not None else ()
        if left or right:
            self._account(item.at, item.position, item.order, left, right)

    def _account(self, at: int, position: int, order: int, left: Sequence[Any], right: Sequence[Any]) -> None:
        sums: dict[str, list[int]] = {}
        for which, postings in enumerate((left, right)):
            for posting in postings:
                if posting.account.startswith("tax/"):
                    sums.setdefault(posting.account, [0, 0])[which] += posting.amount_fen
        for account, (a, b) in sums.items():
            self.accounts.append(Account(at, position, order, account, a, b))


def _two(key: str) -> tuple[str, str]:
    """The two numbers of a key."""
    first, _, second = key.rpartition("|")
    return first, second


def _looks_same(item: Item) -> bool:
    """Whether both windows say the same of the document."""
    return item.looked is None or item.looked.a == item.looked.b


def _is_stored(event: Event, item: Item, stored: Event) -> bool:
    """Whether an event is the stored one, byte for byte as this program writes both: an earlier one wrote less."""
    made = encode(event)
    return made == item.raw or made == encode(stored)


def _same_state(one: _Redone | None, other: _Redone | None) -> bool:
    """Whether a decision leaves the same records, timers and numbers behind, whatever was said."""
    if one is None or other is None:
        return one is other
    a, b = one.event, other.event
    return a is b or (
        a.set == b.set and a.waybill_set == b.waybill_set and a.tally_set == b.tally_set and a.timers == b.timers
        and a.postings == b.postings and a.case == b.case and a.waybill == b.waybill and one.due == other.due
        and _named(a) == _named(b))


def _named(event: Event) -> list[tuple[str, str]]:
    return [(reason.rule, reason.severity) for reason in event.why]


def _missed(item: Item, stored: Event, one: _Redone | None) -> Missed:
    key = stored.case or stored.waybill or stored.tally
    if one is None:
        return Missed(item.position, stored.index, stored.name, key, stored.name, "")
    for name in Event.__struct_fields__:
        left, right = getattr(stored, name), getattr(one.event, name)
        if encode(left) != encode(right):
            return Missed(item.position, stored.index, stored.name, key, f"{name}: {left!r}"[:500],
                          f"{name}: {right!r}"[:500])
    return Missed(item.position, stored.index, stored.name, key, "", "")
