"""Account books, lists, passes, gate: what each act does and what is refused with which numbers; and, over random
histories, that books never mix, never go below zero and lose nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cebport.clearance import bonded, stock
from cebport.clearance.bonded.sales import aggregate, proof_of, returning
from cebport.clearance.stock import (
    BondList,
    Book,
    Goods,
    ListLine,
    Load,
    Party,
    Pass,
    PassLine,
    Sale,
    SaleLine,
    Shelf,
)
from cebport.policy import Policy

UNIT = stock.UNITS_A_QUANTITY
PARKS = {"4303": "T4303W000001", "4312": "T4312W000001", "4321": "T4321W000001"}
HOUSE = Party("3701660001", "91370100TESTSAMP0X", "示例保税仓储")
DAY = date(2026, 11, 25)
MASK, MILK = (Goods(f"SKU{n}", code, name, "spec", "116", "140", "035", "011", Decimal(price))
              for n, code, name, price in ((1, "3304990029", "mask", "100"), (2, "1901101000", "milk", "250")))


@cache
def law(customs: str = "4303", **rows: Any) -> Any:
    return Policy.load().at(DAY, customs)


class Numbers:
    def __init__(self) -> None:
        self.at: dict[str, int] = {}

    def next(self, series: str) -> int:
        self.at[series] = self.at.get(series, 0) + 1
        return self.at[series]


class Law:
    """A view with some rows of our own."""

    def __init__(self, view: Any, rows: dict[str, Any]) -> None:
        self.view, self.rows = view, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)

    def __getitem__(self, topic: str) -> Any:
        return self.rows[topic] if topic in self.rows else self.view[topic]

    def get(self, topic: str) -> Any:
        return self.rows[topic] if topic in self.rows else self.view.get(topic)


@dataclass
class House:
    """A bonded house with its books, and a shelf that everything is folded onto."""

    shelf: Shelf = field(default_factory=Shelf)
    numbers: Numbers = field(default_factory=Numbers)
    rows: dict[str, Any] = field(default_factory=dict)
    clock: int = 1_790_000_000_000
    own: int = 0
    changes: list[Any] = field(default_factory=list)

    def act(self, act: Any, customs: str = "4303") -> bonded.Outcome:
        self.clock += 1000
        made = bonded.decide(act, self.shelf, Law(law(customs), self.rows), self.clock, self.numbers)
        if made.refused:
            assert made.change is None, "nothing is booked in part"
        else:
            self.changes.append(made.change)
            stock.fold(self.shelf, made.change)
        return made

    def ok(self, act: Any, customs: str = "4303") -> bonded.Outcome:
        made = self.act(act, customs)
        assert not made.refused, made.why
        return made

    def no(self, rule: str, act: Any, customs: str = "4303") -> bonded.Outcome:
        made = self.act(act, customs)
        assert [one.rule for one in made.why if one.severity == "error"] == [rule], made.why
        return made

    def book(self, customs: str = "4303") -> str:
        number = PARKS[customs]
        self.ok(bonded.FileBook(Book(number, customs, HOUSE, own=f"BOOK{customs}", until="20291231"), ()), customs)
        return number

    def fresh(self) -> str:
        self.own += 1
        return f"OWN{self.own:06d}"

    def list(self, io: str, *lines: tuple[int, Goods, int], customs: str = "4303", kind: str = "0",
             **more: Any) -> BondList:
        made = tuple(ListLine(no, item, goods, goods.price * qty, qty * UNIT, qty * UNIT // 10, qty * UNIT)
                     for no, (item, goods, qty) in enumerate(lines, 1))
        return BondList("", "", self.fresh(), PARKS[customs], customs, HOUSE, kind, io, "1210", made, **more)

    def line(self, item: int = 1, customs: str = "4303") -> stock.Line:
        return self.shelf.get("lines", (PARKS[customs], item))

    def through(self, number: str, customs: str = "4303", gross: str = "10") -> str:
        """Examined, on a pass, through the gate."""
        self.ok(bonded.Examine(number, "pass"), customs)
        made = self.ok(bonded.FilePass(self.passing(number, customs=customs)), customs).number
        self.ok(bonded.Examine(made, "pass"), customs)
        self.ok(bonded.Cross(made, "single"), customs)
        return made

    def passing(self, *lists: str, bind: str = "2", customs: str = "4303", lines: tuple[PassLine, ...] = (),
                io: str = "", **more: Any) -> Pass:
        io = io or self.shelf.get("lists", lists[0]).io
        load = Load("鲁A00001", weight=Decimal(3000), total=Decimal(3010), gross=Decimal(10), net=Decimal(9))
        return Pass("", "", self.fresh(), customs, HOUSE, "3" if io == "E" else "2", io, bind, lists, lines, load,
                    **{"contact": "测**", **more})

    def entered(self, qty: int = 1000, goods: Goods = MASK, customs: str = "4303") -> int:
        """Goods in the book by a first-line list; gives their item."""
        number = self.ok(bonded.FileList(self.list("I", (0, goods, qty), customs=customs)), customs).number
        self.through(number, customs)
        return self.shelf.get("lists", number).lines[0].item

    def sell(self, invt: str, *lines: tuple[int, int], customs: str = "4303", goods: Goods = MASK) -> Any:
        sold = tuple(SaleLine(n, item, qty * UNIT, qty * UNIT // 10, qty * UNIT, goods.price * qty, goods.country)
                     for n, (item, qty) in enumerate(lines, 1))
        described = tuple(self.line(item, customs).goods if self.line(item, customs) else goods for item, _ in lines)
        return bonded.Sell(Sale(invt, PARKS[customs], HOUSE.code, customs, sold), described)

    def gather(self, *sales: str, io: str = "E", customs: str = "4303") -> bonded.FileList:
        held = [self.shelf.get("sales", number) for number in sales]
        goods = {line.item: line.goods for line in self.shelf.held["lines"].values() if line.book == PARKS[customs]}
        lines = aggregate(held, goods) if io == "E" else returning(held, goods)
        return bonded.FileList(replace(self.list(io, customs=customs, kind="8"), lines=lines), sales)

    def sound(self) -> None:
        assert proof_of(self.shelf) == []
        again = Shelf()
        for change in self.changes:
            stock.fold(again, change)
        assert again.held == self.shelf.held, "the fold of all changes is what stands"


@pytest.fixture
def house() -> House:
    made = House()
    made.book()
    return made


# ── books and first line ────────────────────────────────────────────────────────────────────────────────


def test_a_book_opens_once_and_takes_goods(house: House) -> None:
    made = house.ok(bonded.FileBook(Book("", "4312", HOUSE), ((6, MASK), (0, MILK))), "4312")
    assert made.number == "T4312W000001"
    assert house.shelf.get("books", made.number).last_item == 7
    assert [answer.type for answer in made.answers] == ["CommonResponeMessage"]
    house.no("BOND-BOOK-EXISTS", bonded.FileBook(Book(PARKS["4303"], "4303", HOUSE), ()))
    house.no("BOND-BOOK-UNKNOWN", bonded.FileBook(Book("T4303W999999", "4303", HOUSE), (), "2"))
    house.no("BOND-BOOK-PARK", bonded.FileBook(Book(PARKS["4303"], "4312", HOUSE), (), "2"))


def test_goods_enter_behind_the_gate_only(house: House) -> None:
    made = house.ok(bonded.FileList(house.list("I", (0, MASK, 1000), (0, MILK, 20))))
    number = made.number
    assert number == "QD430326I000000001"
    assert [answer.type for answer in made.answers] == ["CommonResponeMessage", "INV201"]
    assert house.line() is None
    passed = house.ok(bonded.Examine(number, "pass"))
    assert [(a.type, a.result) for a in passed.answers] == [("INV201", "4")]
    assert (house.line().pre_increased, house.line().balance) == (1000 * UNIT, 0)
    way = house.ok(bonded.FilePass(house.passing(number)))
    house.ok(bonded.Examine(way.number, "pass"))
    crossed = house.ok(bonded.Cross(way.number, "single"))
    assert [(a.type, a.result) for a in crossed.answers] == [("SAS223", "1"), ("INV201", "1"), ("INV211", "1")]
    assert [line.balance for line in crossed.answers[-1].lines] == [1000 * UNIT, 20 * UNIT]
    line = house.line()
    assert (line.balance, line.free, line.pre_increased, line.entered1) == (1000 * UNIT, 1000 * UNIT, 0, 100 * UNIT)
    assert (line.list, line.list_line) == (number, 1)
    assert house.entered(5) == 1, "the same goods are the same item"
    assert house.line().balance == 1005 * UNIT
    house.sound()


@pytest.mark.parametrize(("wrong", "rule"), [
    ({"book": "T4303W999999"}, "BOND-BOOK-UNKNOWN"),
    ({"customs": "4312"}, "BOND-BOOK-PARK"),
    ({"company": Party("3701660002")}, "BOND-BOOK-COMPANY"),
    ({"lines": ()}, "BOND-LINES"),
    ({"io": "X"}, "BOND-TYPE"),
])
def test_heads_that_are_refused(house: House, wrong: dict[str, Any], rule: str) -> None:
    house.entered()
    house.no(rule, bonded.FileList(replace(house.list("I", (1, MASK, 1)), **wrong)))
    house.sound()


@pytest.mark.parametrize(("line", "rule"), [
    ({"qty": 0}, "BOND-QUANTITY"),
    ({"item": 9}, "BOND-ITEM-UNKNOWN"),
    ({"goods": replace(MASK, unit="011")}, "BOND-UNIT"),
    ({"goods": replace(MASK, gcode="3304990039")}, "BOND-GOODS"),
    ({"goods": replace(MASK, price=Decimal("1.00001"))}, "BOND-DIGITS"),
    ({"total": Decimal("1.001")}, "BOND-DIGITS"),
    ({"no": 0}, "BOND-LINES"),
    ({"qty": 1001 * UNIT}, "BOND-OVERDRAW"),
])
def test_lines_that_are_refused(house: House, line: dict[str, Any], rule: str) -> None:
    house.entered()
    asked = house.list("E", (1, MASK, 1))
    made = house.no(rule, bonded.FileList(replace(asked, lines=(replace(asked.lines[0], **line),))))
    if rule == "BOND-OVERDRAW":
        assert (made.why[0].found, made.why[0].expected) == ("1001", "1000 = 1000 - 0")


def test_a_mode_that_is_not_open_and_a_book_that_ended(house: House) -> None:
    house.no("BOND-MODE", bonded.FileList(replace(house.list("I", (0, MASK, 1)), mode="1239")))
    house.ok(bonded.FileBook(Book(PARKS["4303"], "4303", HOUSE, until="20261124"), (), "2"))
    house.no("BOND-BOOK-ENDED", bonded.FileList(house.list("I", (0, MASK, 1))))


def test_an_own_number_names_one_living_list(house: House) -> None:
    asked = house.list("I", (0, MASK, 1))
    number = house.ok(bonded.FileList(asked)).number
    house.no("BOND-OWN-NUMBER", bonded.FileList(asked))
    house.ok(bonded.Examine(number, "refuse", "no"))
    assert house.ok(bonded.FileList(asked)).number != number


# ── sale, list, gate ────────────────────────────────────────────────────────────────────────────────────


def test_the_way_of_sold_goods(house: House) -> None:
    house.entered(10)
    for n in range(3):
        house.ok(house.sell(f"I{n}", (1, 2)))
    assert (house.line().reserved, house.line().free, house.line().balance) == (6 * UNIT, 4 * UNIT, 10 * UNIT)
    house.no("BOND-SALE-USED", house.sell("I0", (1, 1)))
    over = house.no("BOND-OVERDRAW", house.sell("I9", (1, 5)))
    assert (over.why[0].found, over.why[0].expected) == ("5", "4 = 10 - 6")
    number = house.ok(house.gather("I0", "I1", "I2")).number
    made = house.shelf.get("lists", number)
    assert [(line.item, line.qty, line.total, line.goods.price) for line in made.lines] == [
        (1, 6 * UNIT, Decimal(600), Decimal("100.0000"))]
    house.no("BOND-SALE-USED", house.gather("I0"))
    assert house.line().reserved == 6 * UNIT
    house.ok(bonded.Examine(number, "manual"))
    house.ok(bonded.Examine(number, "pre"))
    line = house.line()
    assert (line.reserved, line.pre_decreased, line.balance, line.free) == (0, 6 * UNIT, 4 * UNIT, 4 * UNIT)
    way = house.ok(bonded.FilePass(house.passing(number))).number
    house.no("BOND-PASS-STATE", bonded.Cross(way, "single"))
    house.ok(bonded.Examine(way, "pass"))
    house.no("BOND-GATES", bonded.Cross(way, "first"))
    house.ok(bonded.Cross(way, "single", collected=Decimal(3011)))
    line = house.line()
    assert (line.pre_decreased, line.decreased, line.balance, line.left1) == (0, 6 * UNIT, 4 * UNIT, UNIT * 4 // 10)
    assert house.shelf.get("lists", number).state == stock.OFF
    house.no("BOND-LIST-STATE", bonded.FileList(replace(made, number=number), typ="3"))
    house.sound()


def test_two_gates_and_passed_without_pre_write_off(house: House) -> None:
    house.entered(10)
    house.rows = {"bonded.gates": "double", "bonded.pass_as": "passed"}
    house.ok(house.sell("I0", (1, 4)))
    number = house.ok(house.gather("I0")).number
    passed = house.ok(bonded.Examine(number, "pass"))
    assert passed.answers[0].result == "5"
    way = house.ok(bonded.FilePass(house.passing(number))).number
    house.ok(bonded.Examine(way, "pass"))
    house.no("BOND-PASS-STATE", bonded.Cross(way, "second"))
    assert [a.type for a in house.ok(bonded.Cross(way, "first", "2924210208")).answers] == ["SAS223"]
    assert house.line().decreased == 0
    assert [a.type for a in house.ok(bonded.Cross(way, "second")).answers] == ["SAS223", "INV201", "INV211"]
    assert (house.line().decreased, house.line().reserved) == (4 * UNIT, 0)
    house.no("BOND-PASS-STATE", bonded.FilePass(replace(house.shelf.get("passes", way)), "3"))
    house.sound()


def test_passes_for_many_lists_and_for_parts(house: House) -> None:
    house.entered(20)
    lists = []
    for n in range(3):
        house.ok(house.sell(f"I{n}", (1, 5)))
        lists.append(house.ok(house.gather(f"I{n}")).number)
    house.no("BOND-PASS-LIST", bonded.FilePass(house.passing(lists[0])))
    for number in lists:
        house.ok(bonded.Examine(number, "pass"))
    house.no("BOND-PASS-BIND", bonded.FilePass(house.passing(*lists[:2], bind="2")))
    both = house.ok(bonded.FilePass(house.passing(*lists[:2], bind="1"))).number
    over = house.no("BOND-PASS-QUANTITY", bonded.FilePass(house.passing(lists[0], bind="2")))
    assert over.why[0].expected == "5"
    part = PassLine(lists[2], 1, 3 * UNIT)
    first = house.ok(bonded.FilePass(house.passing(lists[2], bind="3", lines=(part,)))).number
    over = house.no("BOND-PASS-QUANTITY", bonded.FilePass(house.passing(lists[2], bind="3", lines=(part,))))
    assert (over.why[0].found, over.why[0].expected) == ("3", "2")
    rest = house.ok(bonded.FilePass(house.passing(lists[2], bind="3", lines=(replace(part, qty=2 * UNIT),)))).number
    for way in (both, first, rest):
        house.ok(bonded.Examine(way, "pass"))
    house.ok(bonded.Cross(first, "single"))
    assert house.shelf.get("lists", lists[2]).state == stock.PRE
    house.ok(bonded.Cross(rest, "single"))
    assert house.shelf.get("lists", lists[2]).state == stock.OFF
    house.ok(bonded.Cross(both, "single"))
    assert {house.shelf.get("lists", number).state for number in lists} == {stock.OFF}
    assert (house.line().decreased, house.line().balance) == (15 * UNIT, 5 * UNIT)
    house.sound()


def test_void_and_refused_passes_give_the_list_back(house: House) -> None:
    house.entered(20)
    house.ok(house.sell("I0", (1, 5)))
    number = house.ok(house.gather("I0")).number
    house.ok(bonded.Examine(number, "pass"))
    for how in ("void", "refuse"):
        way = house.ok(bonded.FilePass(house.passing(number))).number
        house.no("BOND-ON-PASS", bonded.FileList(house.shelf.get("lists", number), typ="3"))
        house.ok(bonded.Examine(way, "refuse") if how == "refuse"
                 else bonded.FilePass(house.shelf.get("passes", way), "3"))
        assert house.shelf.get("lists", number).lines[0].passed == 0
    house.ok(bonded.FileList(house.shelf.get("lists", number), typ="3"))
    assert (house.line().reserved, house.line().pre_decreased) == (5 * UNIT, 0)
    assert house.shelf.get("sales", "I0").list == "", "the inventory is free for another list"
    house.ok(house.gather("I0"))
    house.sound()


def test_weights(house: House) -> None:
    house.entered(20)
    house.ok(house.sell("I0", (1, 5)))
    number = house.ok(house.gather("I0")).number
    house.ok(bonded.Examine(number, "pass"))
    asked = house.passing(number)
    wrong = replace(asked, load=replace(asked.load, total=Decimal(3000)))
    house.rows = {"bonded.weight_sum": "refuse"}
    told = house.no("BOND-WEIGHT", bonded.FilePass(wrong))
    assert (told.why[0].found, told.why[0].expected) == ("3000", "3010")
    house.no("BOND-NET", bonded.FilePass(replace(asked, load=replace(asked.load, net=Decimal(11)))))
    house.rows = {"bonded.gate_weight_kg": Decimal(5)}
    warned = house.ok(bonded.FilePass(replace(wrong, load=replace(wrong.load, frame_weight=Decimal(50)))))
    assert [one.rule for one in warned.why] == ["BOND-WEIGHT"]
    house.ok(bonded.Examine(warned.number, "pass"))
    house.no("BOND-GATE-WEIGHT", bonded.Cross(warned.number, "single", collected=Decimal("3005.1")))
    house.ok(bonded.Cross(warned.number, "single", collected=Decimal(3005)))


def test_a_list_with_a_customs_declaration_waits_for_it(house: House) -> None:
    house.entered(20)
    number = house.ok(bonded.FileList(house.list("E", (1, MASK, 5), with_entry=True))).number
    assert house.line().reserved == 5 * UNIT
    house.through(number)
    assert house.line().decreased == 0
    made = house.ok(bonded.EntryReleased(number, "430320260000000001"))
    assert [a.type for a in made.answers] == ["INV202", "INV201", "INV211"]
    assert house.line().decreased == 5 * UNIT
    house.no("BOND-LIST-STATE", bonded.EntryReleased(number, "430320260000000001"))
    house.sound()


def test_changed_and_refused_lists_give_back_what_they_took(house: House) -> None:
    house.entered(20)
    made = house.ok(bonded.FileList(house.list("E", (1, MASK, 15))))
    again = replace(house.list("E", (1, MASK, 18)), number=made.number)
    house.ok(bonded.FileList(again, typ="2"))
    assert (house.line().reserved, house.shelf.get("lists", made.number).changes) == (18 * UNIT, 1)
    more = replace(again, lines=house.list("E", (1, MASK, 21)).lines)
    over = house.no("BOND-OVERDRAW", bonded.FileList(more, typ="2"))
    assert over.why[0].expected == "20 = 20 - 0"
    house.ok(bonded.Examine(made.number, "refuse"))
    assert house.line().free == 20 * UNIT
    house.sound()


# ── cancelled and returned ──────────────────────────────────────────────────────────────────────────────


def test_taken_off_before_the_gate(house: House) -> None:
    house.entered(20)
    for n in range(4):
        house.ok(house.sell(f"I{n}", (1, 2), (1, 1)))
    house.ok(bonded.TakeOff("I3", "C3"))
    assert house.line().reserved == 9 * UNIT
    nothing = bonded.FileList(house.list("E", (1, MASK, 1), kind="8"), ("I3",))
    assert [one.rule for one in house.act(nothing).why] == ["BOND-SALE-EMPTY", "BOND-SALE-SUM"]
    number = house.ok(house.gather("I0", "I1", "I2")).number
    house.ok(bonded.TakeOff("I0", "C0"))
    assert house.shelf.get("lists", number).lines[0].qty == 6 * UNIT
    house.ok(bonded.Examine(number, "pass"))
    cut = house.ok(bonded.TakeOff("I1", "C1"))
    assert [(a.type, a.result) for a in cut.answers] == [("INV201", "4")]
    assert (house.line().pre_decreased, house.line().reserved, house.line().free) == (3 * UNIT, 0, 17 * UNIT)
    way = house.ok(bonded.FilePass(house.passing(number))).number
    told = house.act(bonded.TakeOff("I2", "C2"))
    assert [(one.rule, one.expected) for one in told.why] == [("BOND-ON-PASS", "2"), ("BOND-ON-PASS", "1")]
    house.ok(bonded.FilePass(house.shelf.get("passes", way), "3"))
    house.ok(bonded.TakeOff("I2", "C2"))
    assert house.shelf.get("lists", number).state == stock.DELETED
    assert house.line().free == 20 * UNIT
    house.sound()


def test_a_return_re_enters_the_book(house: House) -> None:
    house.entered(20)
    house.ok(house.sell("I0", (1, 3)))
    house.ok(house.sell("I1", (1, 2)))
    house.ok(bonded.GiveBack("I0", "R1", ((1, 1 * UNIT),)))
    assert house.line().reserved == 4 * UNIT, "it never left: free again at once"
    number = house.ok(house.gather("I0", "I1")).number
    early = house.act(bonded.FileList(house.list("I", (1, MASK, 1), kind="8"), ("I1",)))
    assert early.why[0].rule == "BOND-NOT-OUT"
    house.through(number)
    assert house.line().decreased == 4 * UNIT
    house.ok(bonded.GiveBack("I0", "R2", ((1, 1 * UNIT),)))
    more = house.no("BOND-RETURN", bonded.GiveBack("I0", "R3", ((1, 2 * UNIT),)))
    assert (more.why[0].found, more.why[0].expected) == ("2", "1")
    back = house.ok(house.gather("I0", io="I")).number
    assert house.shelf.get("lists", back).lines[0].qty == UNIT
    house.no("BOND-SALE-USED", house.gather("I0", io="I"))
    house.through(back)
    line = house.line()
    assert (line.increased, line.decreased, line.balance) == (UNIT, 4 * UNIT, 17 * UNIT)
    sold = house.shelf.get("sales", "I0").lines[0]
    assert (sold.qty, sold.cut, sold.due, sold.back) == (3 * UNIT, UNIT, 0, UNIT)
    house.sound()


def test_sales_that_cannot_be(house: House) -> None:
    house.entered(5)
    house.no("BOND-BOOK-UNKNOWN", bonded.Sell(replace(house.sell("I0", (1, 1)).sale, book="T1"), (MASK,)))
    house.no("BOND-BOOK-PARK", bonded.Sell(replace(house.sell("I0", (1, 1)).sale, customs="4312"), (MASK,)))
    house.no("BOND-BOOK-COMPANY", bonded.Sell(replace(house.sell("I0", (1, 1)).sale, company="X"), (MASK,)))
    house.no("BOND-ITEM-UNKNOWN", house.sell("I0", (2, 1)))
    house.no("BOND-UNIT", bonded.Sell(house.sell("I0", (1, 1)).sale, (replace(MASK, unit="011"),)))
    house.no("BOND-OVERDRAW", house.sell("I0", (1, 3), (1, 3)))
    house.no("BOND-SALE-UNKNOWN", bonded.TakeOff("I0", "C"))
    house.no("BOND-SALE-UNKNOWN", bonded.GiveBack("I0", "R", ((1, 1),)))
    house.ok(house.sell("I0", (1, 3)))
    wrong = house.gather("I0")
    lines = (replace(wrong.list.lines[0], qty=2 * UNIT),)
    told = house.no("BOND-SALE-SUM", replace_list(wrong, lines))
    assert (told.why[0].found, told.why[0].expected) == ("2", "3")
    house.sound()


def replace_list(act: bonded.FileList, lines: tuple[ListLine, ...]) -> bonded.FileList:
    return bonded.FileList(replace(act.list, lines=lines), act.sales, act.typ)


# ── carry over, stock-taking ────────────────────────────────────────────────────────────────────────────


def test_carry_over_conserves(house: House) -> None:
    house.book("4312")
    house.entered(100)
    out = house.ok(bonded.FileList(house.list("E", (1, MASK, 40), linked_book=PARKS["4312"]))).number
    coming = replace(house.list("I", (0, MASK, 40), customs="4312"), linked_list=out)
    house.no("BOND-LIST-STATE", bonded.FileList(coming), "4312")
    house.ok(bonded.Examine(out, "pass"))
    less = replace(coming, lines=house.list("I", (0, MASK, 39)).lines)
    told = house.no("BOND-CARRY-DIFFERS", bonded.FileList(less), "4312")
    assert (told.why[0].found, told.why[0].expected) == ("39 / 3.9 / 39", "40 / 4 / 40")
    number = house.ok(bonded.FileList(coming), "4312").number
    house.no("BOND-CARRY-USED", bonded.FileList(replace(coming, own=house.fresh())), "4312")
    house.no("BOND-CARRY-USED", bonded.FileList(house.shelf.get("lists", out), typ="3"))
    house.ok(bonded.Examine(number, "pass"), "4312")
    way = house.ok(bonded.FilePass(house.passing(number, customs="4312")), "4312").number
    house.ok(bonded.Examine(way, "pass"), "4312")
    house.no("BOND-CARRY-NOT-LEFT", bonded.Cross(way, "single"), "4312")
    leaving = house.ok(bonded.FilePass(house.passing(out))).number
    house.ok(bonded.Examine(leaving, "pass"))
    house.ok(bonded.Cross(leaving, "single"))
    house.ok(bonded.Cross(way, "single"), "4312")
    assert (house.line().balance, house.line(1, "4312").balance) == (60 * UNIT, 40 * UNIT)
    house.sound()


def test_stock_taking(house: House) -> None:
    house.entered(100)
    house.entered(50, MILK)
    house.ok(house.sell("I0", (1, 30)))
    number = house.ok(house.gather("I0")).number
    house.ok(bonded.Examine(number, "pass"))
    same = house.ok(bonded.Count(PARKS["4303"], "PD1", ((1, 100 * UNIT), (2, 50 * UNIT))))
    assert same.differences == ()
    made = house.ok(bonded.Count(PARKS["4303"], "PD2", ((1, 90 * UNIT), (2, 51 * UNIT))))
    assert [(one.item, one.amount, number in one.behind) for one in made.differences] == [
        (1, -10 * UNIT, True), (2, UNIT, False)]
    assert house.line().balance == 70 * UNIT
    house.ok(bonded.Count(PARKS["4303"], "PD3", ((1, 90 * UNIT), (2, 51 * UNIT)), settle=True))
    assert (house.line().balance, house.line(2).balance) == (60 * UNIT, 51 * UNIT)
    told = house.no("BOND-COUNT", bonded.Count(PARKS["4303"], "PD4", ((1, 20 * UNIT),), settle=True))
    assert (told.why[0].found, told.why[0].expected) == ("70", "60")
    house.no("BOND-ITEM-UNKNOWN", bonded.Count(PARKS["4303"], "PD5", ((9, UNIT),)))
    house.no("BOND-BOOK-UNKNOWN", bonded.Count("T", "PD6", ()))
    house.sound()


def test_every_reason_has_words() -> None:
    import re
    from pathlib import Path

    import yaml

    folder = Path(bonded.__file__).parent
    words = yaml.safe_load((folder.parent / "tables" / "faults_bonded.yaml").read_text(encoding="utf-8"))
    said = set(re.findall(r'"(BOND-[A-Z-]+)"', "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.py"))))
    assert said == set(words)
    assert all(row["message"][lang] and row["remedy"][lang] for row in words.values() for lang in ("zh", "en"))


# ── random histories ────────────────────────────────────────────────────────────────────────────────────


def random_step(house: House, random: Random) -> None:
    """One act that a company, an officer or a gate might do, sensible or not."""
    customs = random.choice(sorted(PARKS))
    held = house.shelf.held
    lists, passes, sales = sorted(held["lists"]), sorted(held["passes"]), sorted(held["sales"])
    of_park = [n for n in lists if held["lists"][n].customs == customs]
    what = random.choice(("enter", "sell", "sell", "sell", "batch", "batch", "examine", "examine", "examine", "pass",
                          "pass", "approve", "approve", "gate", "gate", "gate", "off", "back", "re-enter", "carry out",
                          "carry in", "delete", "void", "count", "out", "change", "finish", "finish"))
    qty = random.randint(1, 30)
    if what == "enter":
        goods = random.choice((MASK, MILK))
        house.act(bonded.FileList(house.list("I", (0, goods, qty), customs=customs)), customs)
    elif what in ("out", "carry out"):
        other = random.choice(sorted(PARKS)) if what == "carry out" else ""
        line = house.line(1, customs)
        house.act(bonded.FileList(house.list("E", (1, line.goods if line else MASK, qty), customs=customs,
                                             linked_book=PARKS.get(other, ""))), customs)
    elif what == "carry in" and lists:
        out = held["lists"][random.choice(lists)]
        lines = tuple(replace(line, item=0, passed=0, gone=0) for line in out.lines)
        house.act(bonded.FileList(replace(house.list("I", customs=customs), lines=lines, linked_list=out.number)),
                  customs)
    elif what == "sell":
        house.act(house.sell(f"I{random.randint(0, 60)}", *[(random.randint(1, 2), random.randint(1, 6))
                                                            for _ in range(random.randint(1, 2))], customs=customs),
                  customs)
    elif what in ("batch", "re-enter") and sales:
        if what == "re-enter":
            sales = [n for n in sales if any(line.due for line in held["sales"][n].lines)]
        some = random.sample(sales, min(len(sales), random.randint(1, 4)))
        if random.random() < 0.9:
            some = [n for n in some if held["sales"][n].customs == customs]
        if some and all(held["sales"][n].customs == customs for n in some):
            house.act(house.gather(*some, io="E" if what == "batch" else "I", customs=customs), customs)
    elif what == "examine" and of_park:
        house.act(bonded.Examine(random.choice(of_park), random.choice(("pass", "pre", "passed", "manual", "refuse"))),
                  customs)
    elif what == "pass" and of_park:
        number = random.choice(of_park)
        bind = random.choice("123")
        chosen = [number] if bind != "1" else sorted({number, random.choice(lists)})
        lines = tuple(PassLine(number, line.no, max(1, line.qty // random.randint(1, 3)))
                      for line in held["lists"][number].lines) if bind == "3" else ()
        house.act(bonded.FilePass(house.passing(*chosen, bind=bind, customs=customs, lines=lines)), customs)
    elif what == "approve" and passes:
        house.act(bonded.Examine(random.choice(passes), random.choice(("pass", "pass", "pass", "refuse"))), customs)
    elif what == "gate" and passes:
        house.act(bonded.Cross(random.choice(passes), random.choice(("single", "single", "first", "second"))), customs)
    elif what == "finish" and of_park:
        number = random.choice(of_park)
        house.act(bonded.Examine(number, "pass"), customs)
        way = house.act(bonded.FilePass(house.passing(number, customs=customs)), customs).number
        house.act(bonded.Examine(way, "pass"), customs)
        for gate in ("single", "first", "second"):
            house.act(bonded.Cross(way, gate), customs)
    elif what == "void" and passes:
        house.act(bonded.FilePass(held["passes"][random.choice(passes)], "3"), customs)
    elif what in ("delete", "change") and lists:
        asked = held["lists"][random.choice(lists)]
        house.act(bonded.FileList(asked, tuple(s.invt for s in house.shelf.sales_of(asked.number))
                                  if what == "change" else (), "3" if what == "delete" else "2"), customs)
    elif what == "off" and sales:
        house.act(bonded.TakeOff(random.choice(sales), f"C{house.fresh()}"), customs)
    elif what == "back" and sales:
        sale = held["sales"][random.choice(sales)]
        line = random.choice(sale.lines)
        house.act(bonded.GiveBack(sale.invt, f"R{house.fresh()}", ((line.gnum, random.randint(1, 4) * UNIT),)), customs)
    elif what == "count":
        line = house.line(1, customs)
        if line is not None:
            house.act(bonded.Count(PARKS[customs], house.fresh(), ((1, max(0, line.physical + random.randint(-2, 2)
                                                                          * UNIT)),), settle=True), customs)


def conserved(house: House) -> None:
    """What entered and was carried: each book's own movements, and nothing of one park in another."""
    held = house.shelf.held
    for one in held["lists"].values():
        assert one.customs == held["books"][one.book].customs
        if one.linked_list and one.io == "I" and one.state == stock.OFF:
            out = held["lists"][one.linked_list]
            assert out.state == stock.OFF and out.carried_to == one.number
            assert sum(x.qty for x in out.lines) == sum(x.qty for x in one.lines)
            assert sum(x.qty1 for x in out.lines) == sum(x.qty1 for x in one.lines)
        for line in one.lines:
            assert 0 <= line.gone <= line.passed <= line.qty
    for sale in held["sales"].values():
        on = held["lists"].get(sale.list)
        assert on is None or (on.book, on.customs) == (sale.book, sale.customs)
    for one in held["lists"].values():
        if one.kind == "8" and one.io == "E" and one.state in stock.table()["list_open"]:
            sums: dict[int, int] = {}
            for sale in house.shelf.sales_of(one.number):
                for line in sale.lines:
                    sums[line.item] = sums.get(line.item, 0) + line.out
            listed: dict[int, int] = {}
            for line in one.lines:
                listed[line.item] = listed.get(line.item, 0) + line.qty
            assert {k: v for k, v in sums.items() if v} == listed


def history(seed: int, steps: int) -> House:
    random = Random(seed)
    house = House()
    for customs in sorted(PARKS):
        house.book(customs)
        house.entered(random.randint(10, 80), MASK, customs)
        house.entered(random.randint(10, 80), MILK, customs)
    house.rows = {"bonded.pass_as": random.choice(("passed", "pre_written_off")),
                  "bonded.gates": random.choice(("single", "single", "double")),
                  "bonded.examine": random.choice(("officer", "officer", "at_once"))}
    for _ in range(steps):
        random_step(house, random)
    return house


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32))
def test_random_histories(seed: int) -> None:
    house = history(seed, 60)
    house.sound()
    conserved(house)


def test_long_histories_reach_every_movement() -> None:
    kinds: set[str] = set()
    for seed in range(12):
        house = history(seed, 400)
        house.sound()
        conserved(house)
        kinds |= {move.kind for change in house.changes for move in change.moves}
    assert kinds == set(stock.effects())
