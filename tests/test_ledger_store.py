"""The tax ledger on both stores: it follows the walk, takes files whole or not at all, and rebuild proves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from walks_made import ON, Home, cases, four, one_story, postings, put, sent

from cebport.clearance.books import to_fen
from cebport.clearance.ledger import LINK, Filed, Guarantee, filed_event, yuan
from cebport.faults import StoreConflict
from cebport.policy import Policy
from cebport.server import ledger as books
from cebport.server.backup import backup, restore
from cebport.server.booking import Brought, book
from cebport.server.ledger import PAGED, Taken, facts, follow, pages, take_guarantees, take_payments
from cebport.server.levy import Levy
from cebport.server.rebuild import check
from cebport.server.store.engines import engine_of
from cebport.server.store.store import Store, upgrade
from cebport.testing import builders
from cebport.values import beijing_day

POLICY = Policy.load()
PARCELS = 4
LATER = ON + timedelta(days=32)


@dataclass
class Port:
    """A store with some released parcels, its guarantor, and the clock."""

    home: Home
    store: Store
    folder: Path
    stories: list[Any]

    @property
    def code(self) -> str:
        return self.stories[0].inventory.head.assureCode

    @property
    def owed(self) -> int:
        """What the living bills of the cases come to, in fen."""
        return sum(to_fen(case.bill.total) for case in cases(self.store).values()
                   if case.bill is not None and case.bill.status != "3")

    def run(self, on: datetime, **messages: bytes) -> None:
        self.home.clear(self.folder, put(self.folder, **messages) if messages else [], on=on)

    def levy(self, on: datetime = LATER) -> Levy:
        follow(self.store)
        return Levy(self.store, POLICY, beijing_day(on))

    def guarantees(self, *rows: str, on: datetime = ON, name: str = "g.csv") -> Taken:
        text = "act,number,assureCode,kind,amount,since,until,customs\n" + "\n".join(rows)
        return take_guarantees(self.store, name, text.encode(), on, "e", "c")

    def pay(self, *rows: str, on: datetime = LATER, name: str = "p.csv") -> Taken:
        text = "act,serial,entDutyNo,assureCode,paidOn,duty,vat,consumption,late_fee\n" + "\n".join(rows)
        return take_payments(self.store, name, text.encode(), on, "e", "c")

    def summarise(self) -> Any:
        """Day 32: the bills are in one payment document."""
        self.run(LATER)
        (one,) = self.levy().documents()
        return one

    def proved(self) -> None:
        report = check(self.store)
        assert report.differences == []
        assert report.records["tax_bills"] >= PARCELS or not report.records["tax_bills"]
        follow(self.store)
        totals, off = Levy(self.store, POLICY, beijing_day(LATER)).proof()
        assert (off, totals["debit"]) == ([], totals["credit"])
        assert check(self.store).differences == []


@pytest.fixture
def port(home: Home, tmp_path: Path) -> Iterator[Port]:
    folder = tmp_path / "in"
    stories = [one_story(number) for number in range(PARCELS)]
    messages = {f"{number}{kind}": raw for number, story in enumerate(stories) for kind, raw in four(story).items()}
    made = Port(home, home.open(), folder, stories)
    made.run(ON, **messages)
    yield made


def back(story: Any, case: Any, **more: Any) -> bytes:
    """A return of a parcel."""
    return sent("CEB625", [builders.refund(Random(7), story, case.inventory.invtNo, ON + timedelta(days=5), **more)])


def test_the_ledger_follows_the_walk(port: Port) -> None:
    levy = port.levy(ON)
    (one,) = levy.guarantors()
    assert port.owed > 0
    assert (one.code, one.balance_fen, one.taken_fen, one.state) == (port.code, None, port.owed, "none")
    (waiting,) = levy.waiting()
    assert waiting.bills == PARCELS and sum(amount for _, amount in waiting.amounts) == port.owed
    assert waiting.next_summary == beijing_day(ON) + timedelta(days=31)
    assert levy.documents() == []
    assert follow(port.store) == 0
    port.proved()


def test_bills_are_summarised_and_paid(port: Port) -> None:
    due = port.summarise()
    document = due.document
    assert (document.bills, document.code, due.open_fen, due.state) == (PARCELS, port.code, port.owed, "due")
    assert (due.window.first, due.window.last) == (beijing_day(ON) + timedelta(days=32),
                                                   beijing_day(ON) + timedelta(days=45))
    amounts = ",".join(yuan(due.sums[kind].billed_fen) if kind in due.sums else "" for kind in
                       ("duty", "vat", "consumption"))
    taken = port.pay(f"pay,S1,{document.number},{port.code},{beijing_day(LATER)},{amounts},")
    assert taken.faults == [] and taken.rows == 1
    levy = port.levy()
    assert levy.documents() == []
    (paid,) = levy.documents(every=True)
    assert (paid.state, paid.document.paid_on) == ("paid", str(beijing_day(LATER)))
    assert facts(port.store, [port.code], levy.today) == {port.code: (None, 0)}
    assert sum(row[4] for row in postings(port.store) if row[3].startswith(("tax/", "paid/"))) == 0
    port.proved()


def test_a_return_after_the_payment_is_due_back(port: Port) -> None:
    self = port
    key = next(key for key, case in cases(self.store).items() if case.orderNo == self.stories[0].order.head.orderNo)
    case = cases(self.store)[key]
    assert case.bill is not None
    due = self.summarise()
    amounts = ",".join(yuan(due.sums[kind].billed_fen) if kind in due.sums else "" for kind in
                       ("duty", "vat", "consumption"))
    assert not self.pay(f"pay,S1,{due.document.number},{self.code},{beijing_day(LATER)},{amounts},").faults
    before = to_fen(case.bill.total)
    self.run(ON + timedelta(days=5), back=back(self.stories[0], case))
    levy = self.levy()
    (one,) = levy.documents()
    assert (one.state, one.refund_fen, one.document.bills) == ("refund_due", before, PARCELS - 1)
    (owner,) = levy.guarantors()
    assert (owner.taken_fen, owner.refund_fen) == (0, before)
    kinds = {kind: held.refund_fen for kind, held in one.sums.items()}
    row = ",".join(yuan(kinds.get(kind, 0)) for kind in ("duty", "vat", "consumption"))
    too_much = ",".join(yuan(kinds.get(kind, 0) + 1) for kind in ("duty", "vat", "consumption"))
    refused = self.pay(f"refund,R1,{one.document.number},{self.code},{beijing_day(LATER)},{too_much},")
    assert {fault.code for fault in refused.faults} == {"CEB-LEDGER-035"} and not refused.inbox
    assert not self.pay(f"refund,R1,{one.document.number},{self.code},{beijing_day(LATER)},{row},").faults
    assert self.levy().documents() == []
    self.proved()


def test_a_part_returned_is_a_void_bill_and_a_smaller_one(port: Port) -> None:
    number, story = next((n, s) for n, s in enumerate(port.stories) if any(
        line.qty > 1 for line in s.inventory.lines) or len(s.inventory.lines) > 1)
    case = next(c for c in cases(port.store).values() if c.orderNo == story.order.head.orderNo)
    before = port.owed
    part = {story.inventory.lines[0].gnum: Decimal(1)}
    port.run(ON + timedelta(days=5), back=back(story, case, quantities=part))
    assert 0 < port.owed < before, number
    levy = port.levy(ON)
    bills = list(pages(port.store.engine, "tax_bills"))
    assert len(bills) == PARCELS + 1 and sum(bill[8] == "3" for bill in bills) == 1
    assert levy.guarantors()[0].taken_fen == port.owed
    port.proved()


def test_guarantees_are_registered_whole_or_not_at_all(port: Port) -> None:
    code = port.code
    assert port.guarantees(f",G1,{code},deposit,10000,2026-01-01,,3101").rows == 1
    assert facts(port.store, [code, "X"], beijing_day(ON)) == {code: (1_000_000, port.owed), "X": (None, 0)}
    again = port.guarantees(f",G1,{code},deposit,10000,2026-01-01,,3101")
    assert [fault.code for fault in again.faults] == ["CEB-LEDGER-010"] and not again.inbox
    before = [list(pages(port.store.engine, table)) for table in PAGED]
    bad = port.guarantees(f",G2,{code},deposit,5,2026-01-01,,", f",G1,{code},deposit,5,2026-01-01,,")
    assert [fault.code for fault in bad.faults] == ["CEB-LEDGER-020"]
    broken = port.guarantees(f",G2,{code},deposit,5,2026-01-01,,", f",G3,{code},deposit,five,2026-01-01,,")
    assert [(fault.code, fault.path) for fault in broken.faults] == [("CEB-LEDGER-003", "g.csv row 3/amount")]
    short = port.guarantees(f"end,G1,{code},,,,,")
    assert [(fault.code, fault.found, fault.expected) for fault in short.faults] == [
        ("CEB-LEDGER-024", "0.00", yuan(port.owed))]
    follow(port.store)
    assert [list(pages(port.store.engine, table)) for table in PAGED] == before, "nothing is booked in part"
    assert not port.guarantees(f",G2,{code},保函,20000,2026-11-01,2026-12-31,", f"end,G1,{code},,,,,").faults
    (one,) = port.levy(ON).guarantors()
    assert (one.balance_fen, one.state, [each.ended for each in one.guarantees]) == (
        2_000_000, "ok", [str(beijing_day(ON)), ""])
    assert port.levy(ON + timedelta(days=60)).guarantors()[0].state == "short", "the letter has run out"
    port.proved()


@pytest.mark.parametrize(("row", "code"), [
    ("pay,S1,NONE,{code},{day},,1,,", "030"), ("pay,S1,{number},X,{day},,0.01,,", "031"),
    ("pay,S1,{number},{code},{day},,999999,,", "034"), ("pay,S1,{number},{code},2027-11-24,,0.01,,", "037"),
    ("pay,S1,{number},{code},{day},,abc,,", "003"), ("pay,S1,{number},{code},{day},,,,", "008"),
])
def test_payments_that_are_wrong_book_nothing(sqlite_home: Home, tmp_path: Path, row: str, code: str) -> None:
    story = one_story(0)
    port = Port(sqlite_home, sqlite_home.open(), tmp_path / "in", [story])
    port.run(ON, **four(story))
    due = port.summarise()
    good = f"pay,S0,{due.document.number},{port.code},{beijing_day(LATER)},,0.01,,"
    fill = {"number": due.document.number, "code": port.code, "day": beijing_day(LATER)}
    taken = port.pay(good, row.format(**fill))
    assert [fault.code for fault in taken.faults] == [f"CEB-LEDGER-{code}"] and not taken.inbox
    assert port.levy().documents()[0].sums["vat"].paid_fen == 0
    assert not port.pay(good).faults
    twice = port.pay(good + " ")
    assert [fault.code for fault in twice.faults] == ["CEB-LEDGER-033"]
    again = port.pay(good)
    assert [fault.code for fault in again.faults] == ["CEB-LEDGER-010"]


@pytest.mark.parametrize("raw", [b"", b"\x00\x01", b"PK\x03\x04broken", b"\xff\xfe\x00"])
def test_a_file_that_is_no_table_books_nothing(sqlite_home: Home, raw: bytes) -> None:
    store = sqlite_home.open()
    for take in (take_guarantees, take_payments):
        taken = take(store, "f", raw, ON, "e", "c")
        assert not taken.inbox and [fault.code for fault in taken.faults] in (["CEB-LEDGER-011"], ["CEB-LEDGER-001"])


def test_a_ledger_that_was_altered_is_found(port: Port) -> None:
    port.summarise()
    port.guarantees(f",G1,{port.code},deposit,10000,2026-01-01,,3101")
    run = port.store.engine.connection.execute
    run("UPDATE ledger SET debit_fen = debit_fen + 1 WHERE account = 'due'")
    run("UPDATE tax_held SET held_fen = held_fen + 7")
    assert {fault.code for fault in Levy(port.store, POLICY, beijing_day(LATER)).proof()[1]} == {
        "CEB-LEDGER-060", "CEB-LEDGER-061", "CEB-LEDGER-062"}
    told = " ".join(check(port.store).differences)
    assert "ledger " in told and "tax_held" in told
    run("UPDATE ledger SET debit_fen = debit_fen - 1 WHERE account = 'due'")
    run("UPDATE tax_held SET held_fen = held_fen - 7")
    run("UPDATE guarantees SET amount_fen = 5")
    assert [text.split()[0] for text in check(port.store).differences] == ["guarantees"]


def test_following_may_be_broken_off_anywhere(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    port.run(LATER)
    monkeypatch.setattr(books, "ROWS_A_STEP", 1)
    steps = 0

    class Killed(Exception):
        pass

    def stop(count: int) -> None:
        nonlocal steps
        steps += 1
        if steps % 3 == 0:
            raise Killed

    while True:
        try:
            follow(port.store, stop)
            break
        except Killed:
            continue
    assert steps > PARCELS
    port.proved()


def test_two_who_follow_at_once_count_nothing_twice(port: Port) -> None:
    port.run(LATER)
    other = port.home.open()
    with port.store.transaction():
        head = books._head(port.store)
    with port.store.transaction():
        assert books._advance(port.store, head) > 0
    assert follow(other) == 0
    port.proved()


def test_a_step_that_lost_the_race_is_undone(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "TRIES_MAX", 1)
    real = books._position
    monkeypatch.setattr(books, "_position", lambda store: 0)
    follow_once = follow
    with pytest.raises(StoreConflict):
        for _ in range(2):
            with port.store.transaction():
                head = books._head(port.store)
            with port.store.transaction():
                books._advance(port.store, head)
    monkeypatch.setattr(books, "_position", real)
    follow_once(port.store)
    port.proved()


def test_a_backup_brings_the_ledger_along(port: Port, tmp_path: Path) -> None:
    port.guarantees(f",G1,{port.code},deposit,10000,2026-01-01,,3101")
    port.summarise()
    backup(port.home.url, tmp_path / "b")
    target = f"sqlite:///{tmp_path / 'restored.db'}"
    assert restore(tmp_path / "b", target, port.home.keys, verify=True)["verified"] is True
    copy = Store.open(target, port.home.keys)
    try:
        assert [list(pages(copy.engine, table)) for table in PAGED] == [
            list(pages(port.store.engine, table)) for table in PAGED]
        assert Levy(copy, POLICY, beijing_day(LATER)).proof()[1] == []
    finally:
        copy.close()


def test_a_month_and_the_tax_bureau(port: Port) -> None:
    due = port.summarise()
    november = port.levy().statement(beijing_day(ON).replace(day=1), beijing_day(ON).replace(day=30))
    assert sum(row.closing for row in november) == sum(row.assessed for row in november) == port.owed
    first, last = due.document.made, due.document.made
    rows = port.levy().bureau(*(datetime.fromisoformat(day).date() for day in (first, last)))
    assert {(one.document.number, kind) for one, kind, _ in rows} == {
        (due.document.number, kind) for kind in due.sums}
    assert sum(held.billed_fen for _, _, held in rows) == port.owed


def test_a_list_of_payments_is_compared(port: Port) -> None:
    due = port.summarise()
    amounts = ",".join(yuan(due.sums[kind].billed_fen) if kind in due.sums else "" for kind in
                       ("duty", "vat", "consumption"))
    head = "serial,entDutyNo,assureCode,paidOn,duty,vat,consumption\n"
    good = f"S1,{due.document.number},{port.code},{beijing_day(LATER)},{amounts}\n"
    count, found = port.levy().compare("f", (head + good).encode(), None, None)
    assert count == 1 and [fault.code for fault in found] == ["CEB-LEDGER-050"]
    count, found = port.levy().compare("f", (head + good + f"S2,D9,{port.code},2026-12-26,,1,\n").encode(), None, None)
    assert [fault.code for fault in found if fault.severity == "error"] == ["CEB-LEDGER-040"]
    late = Levy(port.store, POLICY, beijing_day(ON) + timedelta(days=46))
    count, found = late.compare("f", (head + f"S2,D9,{port.code},2026-12-26,,1,\n").encode(), None, None)
    assert sorted(fault.code for fault in found) == ["CEB-LEDGER-040", "CEB-LEDGER-041"]
    count, found = late.compare("f", b"nothing", None, None)
    assert (count, [fault.code for fault in found]) == (0, ["CEB-LEDGER-001"])


def test_a_message_that_is_under_way_is_not_passed_over(postgres_home: Home) -> None:
    """Positions are given before the commit: one that is lower may become visible later than one that is higher."""
    slow, quick, reader = (postgres_home.open() for _ in range(3))

    def write(store: Store, number: str) -> None:
        event = filed_event("guarantees filed", Filed((Guarantee(number, "C", "deposit", "", 5, "2026-01-01", ""),)))
        book(store, Brought("p", LINK, number, number.encode()), ON, "", "", lambda _: [event])

    begun, may_end = Event(), Event()

    def slowly() -> None:
        with slow.transaction():
            write(slow, "G1")
            begun.set()
            may_end.wait(20)

    writer = Thread(target=slowly)
    writer.start()
    assert begun.wait(20)
    write(quick, "G2")
    follower = Thread(target=follow, args=(reader,))
    follower.start()
    follower.join(0.5)
    assert follower.is_alive(), "the lower position is not there yet"
    may_end.set()
    writer.join(20)
    follower.join(20)
    assert [row[0] for row in pages(reader.engine, "guarantees")] == ["G1", "G2"]


def test_files_and_parcels_at_once(home: Home, tmp_path: Path) -> None:
    """Guarantees are lodged while workers clear; nothing is lost, and the books balance."""
    from walks_made import make_traffic

    traffic = make_traffic(tmp_path / "t", parcels=40, seed=8, documents_per_message=5)
    store = home.open()
    wrong: list[Exception] = []

    def lodge() -> None:
        try:
            for number in range(12):
                text = f"number,assureCode,amount,since\nG{number},C{number % 2},10,2026-01-01\n"
                assert not take_guarantees(store, f"{number}.csv", text.encode(), ON, "e", "c").faults
        except Exception as bad:  # told by the thread that waits for it
            wrong.append(bad)

    desk = Thread(target=lodge)
    desk.start()
    home.clear(traffic.folder, workers=2)
    desk.join(60)
    assert wrong == []
    other = home.open()
    follow(other)
    assert len(list(pages(other.engine, "guarantees"))) == 12
    assert Levy(other, POLICY, beijing_day(ON)).proof()[1] == []
    assert check(other).differences == []
    held = facts(other, [row[0] for row in other.engine.rows("guarantors")], beijing_day(ON))
    assert held["C0"] == (6_000, 0)
    assert sum(taken for _, taken in held.values()) == sum(
        to_fen(case.bill.total) for case in cases(other).values() if case.bill is not None)


def test_a_store_of_an_older_schema_gets_its_ledger(home: Home) -> None:
    """What was posted before counts: the sums are added up when the schema is brought up to date."""
    engine = engine_of(home.url)
    upgrade(engine, "0004")
    engine.fill("postings", "document, line, kind, account, amount_fen, inbox", [
        ("T1", 1, "vat", "tax/C", 700, 1), ("T1", 1, "vat_void", "tax/C", -200, 2),
        ("N", 0, "quota", "quota/1/a", 9, 1)])
    engine.close()
    assert facts(home.open(), ["C", "D"], beijing_day(ON)) == {"C": (None, 500), "D": (None, 0)}
