"""Account books on both stores: acts in one transaction, the same bytes once, what a killed or losing writer leaves,
and the proofs: rebuild from the journal, replay of every movement."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from test_bonded import MASK, MILK, PARKS, UNIT, House, conserved, random_step
from walks_made import Home

from cebport.clearance import bonded, stock
from cebport.faults import StoreConflict
from cebport.policy import Policy
from cebport.server.bonded import Desk, Held, books_of, due_sales, free_sales, line_at, lines_of, list_at, summary_of
from cebport.server.bonded_fold import prove
from cebport.server.booking import Brought
from cebport.server.rebuild import check
from cebport.server.store.engines import queries
from cebport.values import BEIJING

NOW = datetime(2026, 11, 25, 9, tzinfo=BEIJING)


class Stored(House):
    """The house of the core's tests, every act also booked on a store; both must say the same."""

    def open(self, home: Home) -> Stored:
        self.store = home.open()
        self.desk = Desk(self.store, Policy.load(), profile="national")
        self.now = NOW
        self.desk.view = lambda customs, now: self.view_of(customs)  # type: ignore[method-assign]
        return self

    def view_of(self, customs: str) -> Any:
        from test_bonded import Law, law

        return Law(law(customs), self.rows)

    def act(self, act: Any, customs: str = "4303") -> bonded.Outcome:
        self.clock += 1000
        self.now += timedelta(seconds=1)
        self.own += 1
        raw = json.dumps([repr(act), self.own]).encode()
        posted = self.desk.post(act, Brought("test", "bonded", "act", raw), self.now, receiver="R")
        made = posted.outcome
        assert made is not None and not posted.repeated
        if made.change is not None:
            self.changes.append(made.change)
            stock.fold(self.shelf, made.change)
        return made

    def sound(self) -> None:
        super().sound()
        report = check(self.store)
        assert report.differences == []
        proof = prove(self.store)
        assert proof.differences == []
        assert proof.moves == sum(len(change.moves) for change in self.changes)
        for (number, item), line in self.shelf.held["lines"].items():
            assert line_at(self.store, number, item) == line


@pytest.fixture
def house(home: Home) -> Stored:
    made = Stored().open(home)
    made.book()
    return made


def test_the_way_of_sold_goods_on_the_store(house: Stored) -> None:
    house.entered(100)
    for n in range(3):
        house.ok(house.sell(f"I{n}", (1, 2)))
    assert [sale.invt for sale in free_sales(house.store, PARKS["4303"], 10)] == ["I0", "I1", "I2"]
    number = house.ok(house.gather("I0", "I1", "I2")).number
    assert free_sales(house.store, PARKS["4303"], 10) == []
    house.through(number)
    house.ok(bonded.GiveBack("I1", "R1", ((1, UNIT),)))
    assert [sale.invt for sale in due_sales(house.store, PARKS["4303"], 10)] == ["I1"]
    house.through(house.ok(house.gather("I1", io="I")).number)
    held = summary_of(house.store, PARKS["4303"])
    assert held is not None and (held.items, held.balance) == (1, 95 * UNIT)
    assert held.moves == house.line().version
    assert [book.number for book in books_of(house.store)] == [PARKS["4303"]]
    assert [line.item for line in lines_of(house.store, PARKS["4303"], 0, 10)] == [1]
    assert list_at(house.store, number) == house.shelf.get("lists", number)
    assert summary_of(house.store, "T") is None
    house.sound()


def test_the_same_bytes_change_nothing(house: Stored) -> None:
    item = house.entered(10)
    brought = Brought("company", "bonded", "a.xml", b"<one/>")
    act = house.sell("I0", (item, 3))
    first = house.desk.post(act, brought, NOW)
    again = house.desk.post(act, brought, NOW + timedelta(hours=1))
    assert (first.repeated, again.repeated, again.inbox) == (False, True, first.inbox)
    line = line_at(house.store, PARKS["4303"], item)
    assert line is not None and line.reserved == 3 * UNIT
    assert check(house.store).differences == []


def test_a_refusal_is_journalled_and_books_nothing(house: Stored) -> None:
    house.entered(10)
    before = line_at(house.store, PARKS["4303"], 1)
    house.no("BOND-OVERDRAW", house.sell("I0", (1, 11)))
    assert line_at(house.store, PARKS["4303"], 1) == before
    house.sound()


def test_a_writer_that_loses_starts_again(house: Stored, home: Home) -> None:
    house.entered(10)
    other = Held(home.open())
    first = Held(house.store)
    for held, name in ((first, "I1"), (other, "I2")):
        act = house.sell(name, (1, 6))
        outcome = bonded.decide(act, held, house.view_of("4303"), house.clock, house.numbers)
        assert outcome.change is not None
        held.apply(outcome.change, 1)
    with first.store.transaction():
        first.write(0)
    with pytest.raises(StoreConflict), other.store.transaction():
        other.write(0)
    line = line_at(house.store, PARKS["4303"], 1)
    assert line is not None and line.reserved == 6 * UNIT


def test_the_database_itself_keeps_the_invariants(house: Stored) -> None:
    house.entered(10)
    broken = "UPDATE bonded_lines SET reserved = 1100000 WHERE item = 1"
    with pytest.raises(Exception, match=r"(?i)check"), house.store.transaction():
        house.store.engine.connection.execute(broken)


@pytest.mark.parametrize(("harm", "told"), [
    ("UPDATE bonded_lines SET entered = entered + 1 WHERE item = 1", "holds"),
    ("DELETE FROM bonded_moves WHERE item = 1 AND seq = 2", "missing"),
    ("DELETE FROM bonded_lines WHERE item = 1", "no line of the book"),
    ("UPDATE bonded_totals SET reserved = reserved + 1", "totals"),
])
def test_proof_and_rebuild_find_what_was_changed(house: Stored, harm: str, told: str) -> None:
    house.entered(10)
    house.entered(10, MILK)
    assert prove(house.store, PARKS["4303"]).differences == []
    with house.store.transaction():
        house.store.engine.connection.execute(harm)
    assert any(told in one for one in prove(house.store, PARKS["4303"]).differences)
    assert check(house.store).differences


def test_random_histories_on_the_store(home: Home) -> None:
    house, random = Stored().open(home), Random(5)
    for customs in sorted(PARKS):
        house.book(customs)
        house.entered(60, MASK, customs)
        house.entered(60, MILK, customs)
    for _ in range(150):
        random_step(house, random)
    conserved(house)
    house.sound()


def test_a_backup_has_the_books(house: Stored, home: Home, tmp_path: Any) -> None:
    from cebport.server.backup import backup, restore

    house.entered(10)
    made = tmp_path / "b.bak"
    backup(home.url, made)
    restore(made, f"sqlite:///{tmp_path / 'again.db'}", home.keys, verify=True)


def test_both_dialects_have_the_statements() -> None:
    assert {name for name in queries("sqlite") if "bonded" in name} == {
        name for name in queries("postgresql") if "bonded" in name}


def test_a_rebuilt_line_is_what_the_core_folds(house: Stored) -> None:
    item = house.entered(10)
    line = line_at(house.store, PARKS["4303"], item)
    assert line == replace(house.line(item)) and line is not None and line.free == 10 * UNIT
