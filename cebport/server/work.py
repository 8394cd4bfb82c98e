"""The working set of one write transaction: facts read in sets, records as they change, writes at the end.

Several messages share a transaction; a document sees what the documents before it changed. Nothing is read
a document at a time: ``load`` asks for everything that the messages at hand can touch in a few look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cebport.clearance.allowance import account_of
from cebport.clearance.draft import Facts, Outcome
from cebport.clearance.parts import (
    CancelPart,
    Case,
    Event,
    InventoryPart,
    OrderPart,
    PaymentPart,
    ReturnPart,
    SignedForPart,
    Tally,
    TallyPart,
    Waybill,
    WaybillPart,
    case_key,
    waybill_key,
)
from cebport.clearance.receipts import Receipt
from cebport.clearance.taking import FREE
from cebport.server.store.store import STATE_NUMBERS, Store, Writes, encode

STATE_COUNTS = {state: f"state/{number}" for state, number in STATE_NUMBERS.items()}
WITH_CASE = (OrderPart, PaymentPart, InventoryPart, CancelPart, ReturnPart)
WITH_WAYBILL = (WaybillPart, SignedForPart, InventoryPart)


def payment_key(number: str, company: str) -> str:
    """Business key of a payment in the key table."""
    return f"P|{number}|{company}"


def inventory_key(cop_no: str, agent: str) -> str:
    """Business key of an inventory in the key table."""
    return f"I|{cop_no}|{agent}"


def declared_key(invt_no: str) -> str:
    """The customs number of an inventory in the key table."""
    return f"N|{invt_no}"


REQUEST = "Q|"


def request_key(cop_no: str, invt_no: str) -> str:
    """Business key of a cancel or return in the key table."""
    return f"{REQUEST}{cop_no}|{invt_no}"


def keys_of(case: Case) -> Iterable[str]:
    """Every business key that leads to a case."""
    for payment in case.payments:
        yield payment_key(payment.payTransactionId, payment.payCode)
    held = (case.inventory,) if case.inventory is not None else ()
    for inventory in (*held, *case.past):
        yield inventory_key(inventory.copNo, inventory.agentCode)
        if inventory.invtNo:
            yield declared_key(inventory.invtNo)
    requests: tuple[CancelPart | ReturnPart, ...] = (*case.cancels, *case.returns)
    for request in requests:
        yield request_key(request.copNo, request.invtNo)


def living_keys(case: Case) -> Iterable[str]:
    """The business keys that a case keeps from others: not those of what was stashed, deleted, refused or cancelled."""
    for payment in case.payments:
        if payment.status not in FREE:
            yield payment_key(payment.payTransactionId, payment.payCode)
    inventory = case.inventory
    if inventory is not None and inventory.status not in FREE:
        yield inventory_key(inventory.copNo, inventory.agentCode)


def claimed_keys(before: Case | None, after: Case) -> list[str]:
    """The business keys that lead to this case from this step on: those it had not, and those that live again.

    A function of both records, so that a rebuild can prove the key table.
    """
    if before is None:
        return list(keys_of(after))
    known, living = set(keys_of(before)), set(living_keys(before))
    fresh = [key for key in keys_of(after) if key not in known]
    return fresh + [key for key in living_keys(after) if key in known and key not in living]


FORMER = "~"
"""Stands between a business key and a case that had it before another took it: by its number both are found."""
OWN = "~"
"""Stands before a document's own number in the table of refusals, so that each document counts once without it."""


def refused_keys(event: Event) -> tuple[str, ...]:
    """The numbers under which a refused document can be looked up, since no record has it; () for all other events.

    Its parcel's or waybill's key, and its own number ("copNo|agentCode") where it has one.
    """
    if not event.why or event.waybill_set is not None or event.tally_set is not None:
        return ()
    if event.set is not None and not event.own:
        return ()
    return tuple([key for key in (event.case or event.waybill, OWN + event.own if event.own else "") if key])


class Work:
    """See the module. ``year`` is the calendar year whose quota the documents touch; ``counted`` tells of which lines
    of the positive list an inventory has goods with a quantity a person and year, by any law that may decide it;
    ``mute``: its receipts are counted and not written."""

    def __init__(self, store: Store, year: int,
                 counted: Callable[[InventoryPart], Iterable[str]] = lambda inventory: (), mute: bool = False) -> None:
        self.store, self.year, self.counted, self.mute = store, year, counted, mute
        self.cases: dict[str, Case] = {}
        self.waybills: dict[str, Waybill] = {}
        self.tallies: dict[str, Tally] = {}
        self.owners: dict[str, str] = {}
        self.quota: dict[tuple[bytes, int], int] = {}
        self._seen_versions: dict[str, int] = {}
        self._seen_states: dict[str, str] = {}
        self._waybill_versions: dict[str, int] = {}
        self._tally_versions: dict[str, int] = {}
        self._seen_quota: dict[tuple[bytes, int], int | None] = {}
        self._changed_cases: dict[str, None] = {}
        self._changed_waybills: dict[str, None] = {}
        self._changed_tallies: dict[str, None] = {}
        self._changed_quota: dict[tuple[bytes, int], None] = {}
        self._seen_owners: dict[str, str] = {}
        self._claimed: dict[str, str] = {}
        self._guarded: dict[str, None] = {}
        self.writes = Writes([], [], [], [], [], [], [], [], [], [], [], [], [], [], [], {})

    # reading ----------------------------------------------------------------------------------------

    def load(self, parts: Iterable[Any], case_keys: Iterable[str] = ()) -> None:
        """Everything that these documents (and cases) can touch."""
        cases: dict[str, None] = dict.fromkeys(case_keys)
        waybills: dict[str, None] = {}
        owners: dict[str, None] = {}
        tallies: dict[str, None] = {}
        buyers: dict[bytes, None] = {}
        for part in parts:
            kind = type(part)
            if kind in WITH_CASE:
                cases[case_key(part.orderNo, part.ebpCode)] = None
            if kind in WITH_WAYBILL:
                waybills[waybill_key(part.logisticsNo, part.logisticsCode)] = None
            if kind is InventoryPart:
                owners[inventory_key(part.copNo, part.agentCode)] = None
                self._add_buyer(buyers, part)
            elif kind is PaymentPart:
                owners[payment_key(part.payTransactionId, part.payCode)] = None
            elif kind is CancelPart or kind is ReturnPart:
                owners[request_key(part.copNo, part.invtNo)] = None
            elif kind is TallyPart:
                tallies[waybill_key(part.copNo, part.operatorCode)] = None
                waybills.update(dict.fromkeys([waybill_key(n, part.logisticsCode) for n in part.waybills]))
        self._load_cases(cases)
        self._load_waybills(waybills)
        if owners:
            wanted = [key for key in owners if key not in self.owners]
            found = self.store.owners(wanted)
            self.owners.update(found)
            self._seen_owners.update(found)
            self._load_cases(dict.fromkeys(found.values()))
        if tallies:
            for key, tally in self.store.tallies(tallies).items():
                self.tallies[key] = tally
                self._tally_versions[key] = tally.version
        self._load_cases({w.case: None for key in waybills if (w := self.waybills.get(key)) is not None and w.case})
        self._load_waybills({
            waybill_key(case.inventory.logisticsNo, case.inventory.logisticsCode): None
            for case in self.cases.values() if case.inventory is not None})
        for case in self.cases.values():
            if case.inventory is not None:
                self._add_buyer(buyers, case.inventory)
        self._load_quota(buyers)

    def _add_buyer(self, buyers: dict[bytes, None], inventory: InventoryPart) -> None:
        goods = self.counted(inventory)
        for buyer in inventory.buyerIdNumber.hashes:
            buyers[buyer] = None
            for hs8 in goods:
                buyers[account_of(buyer, hs8)] = None

    def _load_cases(self, keys: dict[str, None]) -> None:
        wanted = [key for key in keys if key not in self.cases]
        if wanted:
            for key, case in self.store.cases(wanted).items():
                self.cases[key] = case
                self._seen_versions[key] = case.version
                self._seen_states[key] = case.state

    def _load_waybills(self, keys: dict[str, None]) -> None:
        wanted = [key for key in keys if key not in self.waybills]
        if wanted:
            for key, waybill in self.store.waybills(wanted).items():
                self.waybills[key] = waybill
                self._waybill_versions[key] = waybill.version

    def _load_quota(self, buyers: dict[bytes, None]) -> None:
        wanted = [buyer for buyer in buyers if (buyer, self.year) not in self._seen_quota]
        if not wanted:
            return
        held = self.store.quota(wanted)
        for buyer in wanted:
            self._seen_quota[(buyer, self.year)] = held.get((buyer, self.year))
        for account, amount in held.items():
            self._seen_quota.setdefault(account, amount)
            self.quota.setdefault(account, amount)

    def case_of(self, part: Any) -> Case:
        """The parcel that a document belongs to, or an empty one; for a waybill the one that names it."""
        kind = type(part)
        if kind in WITH_CASE:
            return self.cases.get(case_key(part.orderNo, part.ebpCode)) or Case(part.orderNo, part.ebpCode)
        waybill = self.waybills.get(waybill_key(part.logisticsNo, part.logisticsCode))
        return self.case_or_none(waybill.case if waybill is not None else "")

    def case_or_none(self, key: str) -> Case:
        """The case of a key; an empty case without number for ""."""
        return self.cases[key] if key in self.cases else Case("", "")

    def facts_of(self, part: Any, case: Case) -> Facts:
        """What the decision may know for this document."""
        kind = type(part)
        source = part if kind in WITH_WAYBILL else case.inventory
        waybill = None
        if source is not None:
            key = waybill_key(source.logisticsNo, source.logisticsCode)
            waybill = self.waybills.get(key) or Waybill(source.logisticsNo, source.logisticsCode)
        owner = ""
        if kind is InventoryPart:
            owner = self._keeper(inventory_key(part.copNo, part.agentCode))
        elif kind is PaymentPart:
            owner = self._keeper(payment_key(part.payTransactionId, part.payCode))
        inventory = part if kind is InventoryPart else case.inventory
        counted = {}
        if inventory is not None:
            for hs8 in self.counted(inventory):
                counted[hs8] = sum(self.quota.get((account_of(buyer, hs8), self.year), 0)
                                   for buyer in inventory.buyerIdNumber.hashes)
        return Facts(self.store, waybill, self.spent(inventory), owner, None, counted, self.mute)

    def _keeper(self, business: str) -> str:
        """The case that keeps a business key; "" when nobody has it, or whose document it was no longer lives."""
        owner = self.owners.get(business, "")
        return owner if owner and business in living_keys(self.cases[owner]) else ""

    def spent(self, inventory: InventoryPart | None) -> int:
        """What the buyer's year holds, in fen, under every hash by which the buyer may be known."""
        if inventory is None:
            return 0
        return sum(self.quota.get((buyer, self.year), 0) for buyer in inventory.buyerIdNumber.hashes)

    # changing ---------------------------------------------------------------------------------------

    def take(self, outcome: Outcome, inbox: int) -> Event:
        """The records as the outcome leaves them; gives its event."""
        case, waybill, tally = outcome.case, outcome.waybill, outcome.tally
        if case is not None:
            key = outcome.event.case
            before = self.cases.get(key)
            self.cases[key] = case
            self._changed_cases[key] = None
            change = outcome.event.set
            if change is not None and (
                    change.payments or change.inventory or change.cancels or change.returns):
                for business in claimed_keys(before, case):
                    self._claim(business, key)
        if waybill is not None:
            key = outcome.event.waybill
            self.waybills[key] = waybill
            self._changed_waybills[key] = None
        if tally is not None:
            key = waybill_key(tally.copNo, tally.operatorCode)
            self.tallies[key] = tally
            self._changed_tallies[key] = None
        for buyer, year, amount in outcome.quota:
            account = (buyer, year)
            if account not in self._seen_quota:
                held = self.store.quota([buyer])
                self._seen_quota[account] = held.get(account)
                self.quota.setdefault(account, held.get(account, 0))
            self.quota[account] = self.quota.get(account, 0) + amount
            self._changed_quota[account] = None
        postings = self.writes.postings
        for posting in outcome.event.postings:
            postings.append((posting, inbox))
        return outcome.event

    def _claim(self, business: str, key: str) -> None:
        """A business key leads to this case now. Whose it was must stand as it was read until this is written."""
        owner = self.owners.get(business, "")
        if owner and owner != key:
            if business.startswith(REQUEST):
                return  # of an inventory there is one parcel; who names another's only leaves a draft
            self._guarded[owner] = None
            self.writes.former.append((f"{business}{FORMER}{owner}", owner))
        self.owners[business] = self._claimed[business] = key

    def send(self, receipts: Iterable[Receipt], inbox: int, created_at: int) -> None:
        """Put receipts into the outbox: one row a type, answered message and receiver, of at most 100 documents."""
        grouped: dict[tuple[str, Any], list[Any]] = {}
        seen: dict[tuple[str, int], list[Any]] = {}
        for receipt in receipts:
            kind, reply = receipt.type, receipt.reply
            held = seen.get((kind, id(reply)))  # most replies are one object: comparing them is the dear part
            if held is None:
                held = seen[(kind, id(reply))] = grouped.setdefault((kind, reply), [])
            held.append((receipt.head, receipt.lines))
        hide, rows = self.store.vault.hide, self.writes.outbox
        for (kind, reply), documents in grouped.items():
            for start in range(0, len(documents), 100):
                chunk = documents[start : start + 100]
                blob = hide(encode(chunk))
                answered = reply.inbox or inbox
                for receiver in (reply.dxp_id, *reply.copies):
                    rows.append((answered, kind, receiver, int(reply.wrapped), len(chunk), created_at, blob))

    def finish(self) -> Writes:
        """What to commit: every changed record with the version it was made from."""
        writes = self.writes
        states = writes.states
        for key in self._changed_cases:
            case, before = self.cases[key], self._seen_states.get(key)
            writes.cases.append((case, self._seen_versions.get(key, 0)))
            if case.state != before:
                states[STATE_COUNTS[case.state]] = states.get(STATE_COUNTS[case.state], 0) + 1
                if before is not None:
                    states[STATE_COUNTS[before]] = states.get(STATE_COUNTS[before], 0) - 1
        for key in self._changed_waybills:
            writes.waybills.append((self.waybills[key], self._waybill_versions.get(key, 0)))
        for key in self._changed_tallies:
            writes.tallies.append((self.tallies[key], self._tally_versions.get(key, 0)))
        writes.keys.extend((key, case, self._seen_owners.get(key)) for key, case in self._claimed.items())
        writes.guards.extend(
            (key, self._seen_versions[key]) for key in self._guarded
            if key not in self._changed_cases and key in self._seen_versions)
        for account in self._changed_quota:
            writes.quota.append((*account, self.quota[account], self._seen_quota[account]))
        return writes
