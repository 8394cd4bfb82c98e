"""Acts on bonded books (行为), what comes of one, and an outcome under construction."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance import stock
from cebport.clearance.parts import Reason
from cebport.clearance.stock import BondList, Book, Change, Goods, Line, Move, Pass, Sale
from cebport.faults import ERROR, WARNING, Catalog, Fault, fault_of

NEW, CHANGED, GONE = "1", "2", "3"
"""dclTypecd: new, change, delete (for a pass: void)."""
PRICE_DIGITS, TOTAL_DIGITS = 4, 2


class FileBook(Struct, frozen=True):
    """BWS101: a book and the goods that it may hold."""

    book: Book
    goods: tuple[tuple[int, Goods], ...]
    """(item number or 0, what it is)."""
    typ: str = NEW


class FileList(Struct, frozen=True):
    """INV101: a list; ``sales`` are the inventories that it gathers or brings back. typ as in the letter."""

    list: BondList
    sales: tuple[str, ...] = ()
    typ: str = NEW


class FilePass(Struct, frozen=True):
    """SAS121: a pass. For bind 1 and 2 its lines are those of its lists."""

    made: Pass
    typ: str = NEW


class Examine(Struct, frozen=True):
    """Customs looks at a list or a pass. result: pass, pre, passed, manual, refuse ("pass" = as the row says)."""

    number: str
    result: str
    note: str = ""


class Cross(Struct, frozen=True):
    """A vehicle at the gate. gate: single, first or second."""

    number: str
    gate: str
    gate_id: str = ""
    at: int = 0
    collected: Decimal | None = None


class EntryReleased(Struct, frozen=True):
    """The customs declaration of a list with one is released (报关单放行)."""

    number: str
    entry: str


class Sell(Struct, frozen=True):
    """A retail inventory is released: its stock is reserved."""

    sale: Sale
    goods: tuple[Goods, ...]
    """Of each line, as declared: code and unit must be the book's."""


class TakeOff(Struct, frozen=True):
    """A parcel does not leave after all (cancelled, shipped back): all that is left of it is free again."""

    invt: str
    document: str


class GiveBack(Struct, frozen=True):
    """A return is approved: (line, quantity) of a sold inventory. ``document``: the return's number."""

    invt: str
    document: str
    lines: tuple[tuple[int, int], ...]


class Count(Struct, frozen=True):
    """A stock-taking (盘库): item -> quantity counted. settle: book the differences."""

    book: str
    document: str
    counted: tuple[tuple[int, int], ...]
    settle: bool = False


class Answer(Struct, frozen=True, array_like=True):
    """A letter to be written: its type, and the records as they are at this moment."""

    type: str
    list: BondList | None = None
    made: Pass | None = None
    lines: tuple[Line, ...] = ()
    book: Book | None = None
    result: str = ""
    at: int = 0
    own: str = ""
    note: str = ""


class Difference(NamedTuple):
    """One item of a stock-taking: booked against counted, and the documents that speak for the booked figure."""

    item: int
    material: str
    booked: int
    counted: int
    behind: tuple[str, ...] = ()

    @property
    def amount(self) -> int:
        """Counted less booked."""
        return self.counted - self.booked


class Outcome(Struct, frozen=True):
    """What an act changed, or why it changed nothing."""

    name: str
    number: str
    change: Change | None
    why: tuple[Reason, ...] = ()
    answers: tuple[Answer, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether nothing was booked."""
        return any(reason.severity == ERROR for reason in self.why)


@cache
def catalog() -> Catalog:
    """Rule -> words of the reasons of this part, from tables/faults_bonded.yaml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((Path(__file__).parent.parent / "tables" / "faults_bonded.yaml").read_bytes(), loader)


def fault_of_reason(why: Reason) -> Fault:
    """A reason as a fault with its words in both languages."""
    return fault_of(catalog(), why.rule, path=why.path, found=why.found, expected=why.expected, severity=why.severity,
                    source=why.source or None)


def reason(rule: str, path: str, found: object = "", expected: object = "", source: str = "",
           severity: str = ERROR) -> Reason:
    """A reason of this part; its words are in tables/faults_bonded.yaml."""
    return Reason(rule, severity, path, str(found), str(expected), source)


class Draft:
    """An act under way: a working copy of what it touches, its movements, reasons, answers."""

    def __init__(self, held: Any, view: Any, now: int, numbers: Any) -> None:
        self.held, self.view, self.now, self.numbers = held, view, now, numbers
        self.why: list[Reason] = []
        self.answers: list[Answer] = []
        self.moves: list[Move] = []
        self.onto = ""
        self.listed: tuple[str, ...] = ()
        self.freed: tuple[str, ...] = ()
        self.differences: tuple[Difference, ...] = ()
        self._set: dict[str, dict[Any, Any]] = {"books": {}, "lists": {}, "passes": {}, "sales": {}, "lines": {}}
        self._balance: dict[tuple[str, int], Line] = {}

    def get(self, kind: str, key: Any) -> Any:
        """A record as this act has it."""
        found = self._balance.get(key) if kind == "lines" else None
        found = found or self._set[kind].get(key)
        return found if found is not None else self.held.get(kind, key)

    def put(self, kind: str, record: Any) -> Any:
        """The record from now on."""
        self._set[kind][stock.key_of(record)] = record
        return record

    def fail(self, rule: str, path: str, found: object = "", expected: object = "", source: str = "") -> None:
        """One more reason to refuse."""
        self.why.append(reason(rule, path, found, expected, source))

    def warn(self, rule: str, path: str, found: object = "", expected: object = "", source: str = "") -> None:
        """One more thing to tell."""
        self.why.append(reason(rule, path, found, expected, source, WARNING))

    @property
    def failed(self) -> bool:
        """Whether any reason refuses."""
        return any(one.severity == ERROR for one in self.why)

    def move(self, kind: str, book: str, item: int, document: str, line: int, qty: int,
             more: tuple[int, int] = (0, 0)) -> None:
        """A movement; nothing moves nothing."""
        if qty == 0:
            return
        made = Move(book, item, kind, document, line, qty, *more)
        self._balance[(book, item)] = stock.moved(self.get("lines", (book, item)), made, self.now)
        self.moves.append(made)

    def finish(self, name: str, number: str) -> Outcome:
        """The outcome; refused whole when anything refuses."""
        if self.failed:
            return Outcome(f"{name} not booked", number, None, tuple(self.why))
        made = self._set
        change = Change(tuple(made["books"].values()), tuple(made["lines"].values()), tuple(made["lists"].values()),
                        tuple(made["passes"].values()), tuple(made["sales"].values()), self.onto, tuple(self.listed),
                        tuple(self.freed), tuple(self.moves), self.now)
        answers = tuple([self._now(answer) for answer in self.answers])
        return Outcome(name, number, change, tuple(self.why), answers, self.differences)

    def _now(self, answer: Answer) -> Answer:
        """The answer with the lines of its book as they end up."""
        if answer.type != "INV211" or answer.list is None:
            return answer
        items = dict.fromkeys(line.item for line in answer.list.lines)
        return replace(answer, lines=tuple([self.get("lines", (answer.list.book, item)) for item in items]))


def named(goods: Goods) -> str:
    """Goods in one line: what makes them one item of a book."""
    return f"{goods.material} {goods.gcode} {goods.country} {goods.unit}/{goods.unit1}/{goods.unit2}"


def seq_number(d: Draft) -> str:
    """SeqNo: year + 14 digits."""
    year = d.view.day.year
    return f"{year}{d.numbers.next(f'seq/{year}'):014d}"


def result_of(made: BondList) -> str:
    """manageResult of the state that a list is in."""
    return stock.table()["lists"][made.state]["result"]


def state_shown(kind: str, state: str) -> str:
    """A state in both languages, as a reason gives it."""
    words = stock.state_words(kind, state)
    return f"{words.zh} / {words.en}"


def states_shown(name: str) -> str:
    """The states of lists that a row of the table names."""
    return ", ".join(state_shown("lists", one) for one in sorted(stock.table()[name]))


def version_of(made: BondList) -> str:
    """The document of a list's movements: its number, and which change of it."""
    return f"{made.number}/{made.changes}" if made.changes else made.number
