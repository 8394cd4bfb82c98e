"""What bonded account books hold (账册库存): books, lines, lists, passes, sales, movements, and their fold.

A line of a book keeps running balances, so that nobody adds up movements to answer; every change of a balance is a
movement, so that the balances can be proved. Quantities are whole hundred-thousandths of the declared unit (``qty``)
and of the two statutory units (``qty1``, ``qty2``), which are carried alongside. The invariants of a line:

    balance = entered + increased - decreased - pre_decreased      as the book says it, never below zero
    free    = balance - reserved                                   what may still be sold, never below zero

``fold`` is the only way in which these records change, in the desk and in a rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cebport.faults import Words
from cebport.values import plain

UNITS_A_QUANTITY = 100_000
COUNTERS = ("entered", "increased", "decreased", "pre_increased", "pre_decreased", "reserved")
STORED, MANUAL, PASSED, PRE, OFF, REFUSED, DELETED = "stored", "manual", "passed", "pre", "off", "refused", "deleted"
APPROVED, FIRST_GATE, CROSSED, SECOND_GATE, VOID = "approved", "first_gate", "crossed", "second_gate", "void"
IN, OUT = "I", "E"
SALES_KIND = "8"
"""bondInvtTypecd of a list that gathers retail parcels (保税电商)."""


class Goods(Struct, frozen=True, array_like=True, gc=False):
    """What a line of a book is (商品): its material number, code, words, origin, units, declared price."""

    material: str
    gcode: str
    name: str
    spec: str
    country: str
    unit: str
    unit1: str
    unit2: str = ""
    price: Decimal = Decimal(0)
    currency: str = "142"


class Party(Struct, frozen=True, array_like=True, gc=False):
    """A company as bonded letters name it: customs code, social credit code, name."""

    code: str
    credit: str = ""
    name: str = ""


class Book(Struct, frozen=True, array_like=True, gc=False):
    """An account book (账册) of one company in one park. ``last_item``: the highest item number given so far."""

    number: str
    customs: str
    company: Party
    kind: str = ""
    own: str = ""
    seq: str = ""
    append: str = "1"
    opened: str = ""
    until: str = ""
    last_item: int = 0
    version: int = 0


class Line(Struct, frozen=True, array_like=True, gc=False):
    """One item of a book with its running balances. ``version`` counts its movements.

    entered1, left1 (and 2): what entered and what is there in the statutory units. ``list``, ``list_line``: the last
    booking.
    """

    book: str
    item: int
    goods: Goods
    version: int = 0
    entered: int = 0
    increased: int = 0
    decreased: int = 0
    pre_increased: int = 0
    pre_decreased: int = 0
    reserved: int = 0
    entered1: int = 0
    left1: int = 0
    entered2: int = 0
    left2: int = 0
    in_at: int = 0
    out_at: int = 0
    list: str = ""
    list_line: int = 0

    @property
    def balance(self) -> int:
        """What the book says is available (账册可用量)."""
        return self.entered + self.increased - self.decreased - self.pre_decreased

    @property
    def free(self) -> int:
        """What may still be sold or declared: the balance without what is reserved."""
        return self.balance - self.reserved

    @property
    def physical(self) -> int:
        """What lies in the house as far as written off: pre-written off goods are still there."""
        return self.entered + self.increased - self.decreased


class Move(Struct, frozen=True, array_like=True, gc=False):
    """One movement of a line: what kind (tables/bonded_states.yaml), by which document and line, how much."""

    book: str
    item: int
    kind: str
    document: str
    line: int
    qty: int
    qty1: int = 0
    qty2: int = 0


class ListLine(Struct, frozen=True, array_like=True, gc=False):
    """One line of a list. ``item`` is 0 until a new good has its item number; passed: on passes; gone: through the
    gate."""

    no: int
    item: int
    goods: Goods
    total: Decimal
    qty: int
    qty1: int
    qty2: int = 0
    passed: int = 0
    gone: int = 0


class BondList(Struct, frozen=True, array_like=True, gc=False):
    """A write-off list (核注清单, INV101). ``sales``: how many retail inventories it gathers."""

    number: str
    seq: str
    own: str
    book: str
    customs: str
    company: Party
    kind: str
    io: str
    mode: str
    lines: tuple[ListLine, ...]
    receiver: Party | None = None
    declarant: Party | None = None
    port: str = ""
    linked_list: str = ""
    linked_book: str = ""
    carried_to: str = ""
    with_entry: bool = False
    entry: str = ""
    state: str = STORED
    sales: int = 0
    changes: int = 0
    declared_at: int = 0
    pre_at: int = 0
    off_at: int = 0
    note: str = ""
    reply: str = ""
    version: int = 0


class PassLine(Struct, frozen=True, array_like=True, gc=False):
    """What a pass carries of one line of a list."""

    list: str
    line: int
    qty: int


class Load(Struct, frozen=True, array_like=True, gc=False):
    """A vehicle and its weights in kg, as declared."""

    vehicle: str = ""
    card: str = ""
    weight: Decimal = Decimal(0)
    frame: str = ""
    frame_weight: Decimal = Decimal(0)
    container: str = ""
    container_kind: str = ""
    container_weight: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    net: Decimal = Decimal(0)


class Pass(Struct, frozen=True, array_like=True, gc=False):
    """A gate pass (核放单, SAS121) of one vehicle. ``contact`` is masked."""

    number: str
    seq: str
    own: str
    customs: str
    company: Party
    kind: str
    io: str
    bind: str
    lists: tuple[str, ...]
    lines: tuple[PassLine, ...]
    load: Load
    contact: str = ""
    state: str = STORED
    declared_at: int = 0
    gate1: str = ""
    time1: int = 0
    gate2: str = ""
    time2: int = 0
    collected: Decimal | None = None
    note: str = ""
    reply: str = ""
    version: int = 0


class SaleLine(Struct, frozen=True, array_like=True, gc=False):
    """One line of a sold inventory: cut: taken off before it left; due: approved to return; back: in the book again."""

    gnum: int
    item: int
    qty: int
    qty1: int
    qty2: int
    total: Decimal
    country: str
    cut: int = 0
    due: int = 0
    back: int = 0

    @property
    def out(self) -> int:
        """What of it leaves, or has left, through the gate."""
        return self.qty - self.cut

    def share(self, amount: int) -> tuple[int, int]:
        """The statutory quantities of so much of the line; the last part takes what rounding left."""
        if amount == self.qty:
            return self.qty1, self.qty2
        return self.qty1 * amount // self.qty, self.qty2 * amount // self.qty


class Sale(Struct, frozen=True, array_like=True, gc=False):
    """A released retail inventory and the stock it took. ``list``: the list that it is on; ``back_list``: the inbound
    list that brings it back."""

    invt: str
    book: str
    company: str
    customs: str
    lines: tuple[SaleLine, ...]
    list: str = ""
    back_list: str = ""
    at: int = 0
    version: int = 0


class Change(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one act sets: records as they are from now on, movements, and which sales go onto or off a list.

    ``lines`` only give new lines, or the goods of known ones: balances change by ``moves`` alone.
    """

    books: tuple[Book, ...] = ()
    lines: tuple[Line, ...] = ()
    lists: tuple[BondList, ...] = ()
    passes: tuple[Pass, ...] = ()
    sales: tuple[Sale, ...] = ()
    onto: str = ""
    listed: tuple[str, ...] = ()
    freed: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    at: int = 0


class Records(Protocol):
    """Where records are held: by kind ("books", "lines", "lists", "passes", "sales") and key."""

    def get(self, kind: str, key: Any) -> Any:
        """The record, or None."""
        ...

    def put(self, kind: str, key: Any, record: Any) -> None:
        """The record from now on."""
        ...


@cache
def table() -> dict[str, Any]:
    """tables/bonded_states.yaml, lists of states as sets."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    raw = yaml.load((Path(__file__).parent / "tables" / "bonded_states.yaml").read_bytes(), loader)
    for name in ("list_open", "list_passable", "list_waiting", "passes_with_lists"):
        raw[name] = frozenset(raw[name])
    return raw


@cache
def effects() -> dict[str, tuple[tuple[str, int], ...]]:
    """Kind of movement -> counters and their sign."""
    return {kind: tuple(row["counters"].items()) for kind, row in table()["movements"].items()}


@cache
def kind_numbers() -> dict[str, int]:
    """Kind of movement -> its number in the store."""
    return {kind: row["number"] for kind, row in table()["movements"].items()}


def state_words(kind: str, state: str) -> Words:
    """A state of "lists" or "passes" (or a kind of "movements") in words."""
    row = table()[kind][state]
    return Words(row["zh"], row["en"])


def step(kind: str, current: str, to: str) -> str:
    """``to``, after asserting that the table allows the step: a wrong step is our own mistake."""
    if to in table()[kind][current]["to"]:
        return to
    raise AssertionError(f"{kind}: {current} -> {to} is no step of tables/bonded_states.yaml")


def units(quantity: Decimal) -> int | None:
    """A quantity as whole hundred-thousandths; None when it is finer, negative or no number."""
    if not quantity.is_finite():
        return None
    scaled = quantity * UNITS_A_QUANTITY
    whole = int(scaled)
    return whole if whole == scaled and whole >= 0 else None


def shown(amount: int) -> str:
    """Hundred-thousandths as customs writes a quantity."""
    return plain(Decimal(amount) / UNITS_A_QUANTITY)


def moved(line: Line, move: Move, at: int) -> Line:
    """The line after one movement; an invariant that breaks is our own mistake and books nothing."""
    fields: dict[str, Any] = {"version": line.version + 1}
    for counter, sign in effects()[move.kind]:
        value = getattr(line, counter) + sign * move.qty
        assert value >= 0, f"{move.book}/{move.item}: {counter} {value} by {move.kind} of {move.document}"
        fields[counter] = value
    if "entered" in fields:
        fields |= {"entered1": line.entered1 + move.qty1, "entered2": line.entered2 + move.qty2}
    if "entered" in fields or "increased" in fields:
        fields |= {"left1": line.left1 + move.qty1, "left2": line.left2 + move.qty2, "in_at": at}
    elif "decreased" in fields:
        fields |= {"left1": line.left1 - move.qty1, "left2": line.left2 - move.qty2, "out_at": at}
    if "in_at" in fields or "out_at" in fields:
        fields |= {"list": move.document, "list_line": move.line}
    after = replace(line, **fields)
    assert after.free >= 0, f"{move.book}/{move.item}: {after.free} left by {move.kind} of {move.document}"
    return after


def fold(records: Records, change: Change) -> None:
    """The records after one act. The only way in which they change."""
    for kind, key, fresh in ((kind, key, record) for kind, found in (
            ("books", change.books), ("lists", change.lists), ("passes", change.passes), ("sales", change.sales))
            for key, record in ((key_of(record), record) for record in found)):
        held = records.get(kind, key)
        records.put(kind, key, replace(fresh, version=held.version + 1 if held is not None else 1))
    for line in change.lines:
        held = records.get("lines", (line.book, line.item))
        records.put("lines", (line.book, line.item), replace(held, goods=line.goods) if held is not None else line)
    for numbers, onto in ((change.freed, ""), (change.listed, change.onto)):
        for number in numbers:
            sale = records.get("sales", number)
            records.put("sales", number, replace(sale, list=onto, version=sale.version + 1))
    for move in change.moves:
        records.put("lines", (move.book, move.item), moved(records.get("lines", (move.book, move.item)), move,
                                                           change.at))


def key_of(record: Any) -> Any:
    """The key of a record."""
    if isinstance(record, Line):
        return (record.book, record.item)
    return record.invt if isinstance(record, Sale) else record.number


class Shelf:
    """Records in memory: what a decision may know, and what a working set is made of."""

    def __init__(self) -> None:
        self.held: dict[str, dict[Any, Any]] = {kind: {} for kind in ("books", "lines", "lists", "passes", "sales")}

    def get(self, kind: str, key: Any) -> Any:
        """The record, or None."""
        return self.held[kind].get(key)

    def put(self, kind: str, key: Any, record: Any) -> None:
        """The record from now on."""
        self.held[kind][key] = record

    def line_of(self, book: str, goods: Goods) -> Line | None:
        """The line of a book that has this material number and the same code, origin and units."""
        for line in self.held["lines"].values():
            if line.book == book and same_goods(line.goods, goods):
                return line
        return None

    def item_of(self, book: str, named: str) -> int:
        """The item of a book that a declaration names by its number or its material number; 0 = none."""
        if named.isascii() and named.isdigit() and (book, int(named)) in self.held["lines"]:
            return int(named)
        return next((line.item for line in self.held["lines"].values()
                     if line.book == book and line.goods.material == named), 0)

    def sales_of(self, number: str) -> list[Sale]:
        """The sales on a list, or coming back by it, in the order of their numbers."""
        return sorted((sale for sale in self.held["sales"].values() if number in (sale.list, sale.back_list)),
                      key=lambda sale: sale.invt)

    def own(self, kind: str, company: str, own: str) -> Any:
        """The list or pass that a company declared under its own number, if one lives."""
        for record in self.held[kind].values():
            if record.own == own and record.company.code == company and record.state not in (REFUSED, DELETED, VOID):
                return record
        return None

    def open_lists(self, book: str) -> Iterable[BondList]:
        """The lists of a book that are not at their end."""
        return [one for one in self.held["lists"].values() if one.book == book and one.state in table()["list_open"]]


def same_goods(one: Goods, other: Goods) -> bool:
    """Whether goods are one item of a book: material, code, origin and units; names and prices may differ."""
    return (one.material, one.gcode, one.country, one.unit, one.unit1, one.unit2) == (
        other.material, other.gcode, other.country, other.unit, other.unit1, other.unit2)
