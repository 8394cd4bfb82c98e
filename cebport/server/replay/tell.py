"""What a component tells (结果): one row a parcel, its explanation where the worlds differ, and sums by dimension.

Sums are whole numbers (parcels, fen, ms), so that the order in which shards are added changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from cebport.clearance import states
from cebport.clearance.conclude import YEAR_RULE
from cebport.clearance.parts import Case, InventoryPart, Reason
from cebport.clearance.replay import COLUMNS
from cebport.faults import ERROR
from cebport.server.replay import results
from cebport.server.replay.laws import Law, day_of
from cebport.server.replay.worlds import Account, Missed, Played, Side
from cebport.server.trace import reason_fault
from cebport.values import plain

ABSENT = "absent"
RELEASED_STATES = ("released", "closed")
NO_MONEY = Decimal("0.00")
VOID = "3"
FULL_TAX = "LAW-FULL-TAX"
HOURS, HELD = "clearance_hours", "hours counted"
MS_AN_HOUR = 3_600_000
GOODS_DIGITS = 8
Key = tuple[str, str, str]
"""(metric, dimension, key)"""


class Told(Struct, array_like=True):
    """What a shard tells: rows of the result files (as Arrow), how many parcels and how many of them changed, moves of
    shared accounts, sums, counts of decisions, what was not reproduced."""

    tables: dict[str, bytes] = field(default_factory=dict)
    parcels: int = 0
    changed: int = 0
    accounts: list[Account] = field(default_factory=list)
    sums: dict[Key, list[int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    missed: list[Missed] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)


class _Half(Struct, array_like=True):
    """A parcel in one world."""

    state: str
    rules: list[str]
    notes: list[str]
    taxes: tuple[Decimal, Decimal, Decimal]
    hold_fen: int
    hours_ms: int | None
    over: bool


NO_TAXES = (NO_MONEY, NO_MONEY, NO_MONEY)
_GONE = _Half(ABSENT, [], [], NO_TAXES, 0, None, False)


def fen_of(amount: Decimal) -> int:
    """CNY in fen."""
    return int(amount * 100)


def money(fen: int) -> Decimal:
    """Fen in CNY, two digits."""
    return Decimal(fen).scaleb(-2)


class Teller:
    """Turns components into rows and sums, for one shard."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.told = Told()
        self._parcels: list[tuple[Any, ...]] = []
        self._differences: list[tuple[Any, ...]] = []
        self._held: list[tuple[Any, ...]] = []
        self._cells: dict[tuple[str, str, date | None], list[int]] = {}
        self._goods: dict[str, list[int]] = {}
        self._guarantors: dict[str, list[int]] = {}
        self._buyers = [0, 0, 0, 0]
        self._places: dict[tuple[date, str], str] = {}

    def tell(self, played: Played) -> None:
        """One component more."""
        a, b = played.a, played.b
        self.told.accounts.extend(played.accounts)
        cases = a.work.cases if a is b else {**b.work.cases, **a.work.cases}
        held: dict[tuple[bytes, int], list[int]] = {}
        for key in sorted(cases):
            self._parcel(key, played, held)
        quota_a, quota_b = a.work.quota, b.work.quota
        for (buyer, year), (over_a, over_b) in sorted(held.items()):
            self._held.append((buyer.hex(), year, money(quota_a.get((buyer, year), 0)),
                                money(quota_b.get((buyer, year), 0)), over_a, over_b))
            buyers = self._buyers
            buyers[0] += 1
            buyers[1] += over_a > 0
            buyers[2] += over_b > 0
            buyers[3] += (over_a > 0) != (over_b > 0)

    def _parcel(self, key: str, played: Played, held: dict[tuple[bytes, int], list[int]]) -> None:
        a, b = played.a, played.b
        left, right = a.work.cases.get(key), b.work.cases.get(key)
        if (left or right) is None or key not in played.decided:
            return  # nothing of it was decided in the days asked for
        one = _half(key, left, a)
        other = one if a is b else _half(key, right, b)
        inventory = next((case.inventory for case in (left, right) if case is not None and case.inventory is not None),
                         None)
        first = left or right
        assert first is not None
        assumed = key in played.assumed
        changed = one is not other and (one.state, one.rules, one.taxes, one.hold_fen, one.hours_ms) != (
            other.state, other.rules, other.taxes, other.hold_fen, other.hours_ms)
        place, day, began = "", None, a.began.get(key, b.began.get(key))
        value, goods, buyer, mode, office, guarantor = None, [], "", "", "", ""
        if inventory is not None:
            day = day_of(began if began is not None else inventory.said)
            office, mode, guarantor = inventory.customsCode, inventory.tradeMode, inventory.assureCode
            place = self._place(day, office)
            value, goods, buyer = _value_and_goods(inventory), _goods(inventory), inventory.buyerIdNumber.hash.hex()
            counted = held.setdefault((inventory.buyerIdNumber.hash, day.year), [0, 0])
            counted[0] += one.over
            counted[1] += other.over
        self._parcels.append((
            first.orderNo, first.ebpCode, place, office, mode, day, one.state, other.state, one.rules, other.rules,
            one.notes, other.notes, value, *one.taxes, *other.taxes, goods, buyer,
            guarantor, money(one.hold_fen), money(other.hold_fen), assumed,
            _hours(one), _hours(other), changed))
        if one.rules or one.notes or other is not one:
            self.told.rules.update(one.rules, one.notes, other.rules, other.notes)
        self._sum(one, other, changed, (place, mode, day), goods, value, guarantor, (left, right))
        if changed:
            self._differences.append((
                first.orderNo, first.ebpCode, one.state, other.state, assumed, *_why(key, one, a),
                *_why(key, other, b), _receipts(key, a), _receipts(key, b)))

    def _place(self, day: date, office: str) -> str:
        place = self._places.get((day, office))
        if place is None:
            place = self._places[day, office] = str(self.law.at(day, office).place)
            self.told.places.add(place)
        return place

    # sums ----------------------------------------------------------------------------------------------

    def _sum(self, one: _Half, other: _Half, changed: bool, where: tuple[str, str, date | None], goods: list[str],
             value: Decimal | None, guarantor: str, cases: tuple[Case | None, Case | None]) -> None:
        a = _figures(one, value)
        b = a if one is other else _figures(other, value)
        cell = self._cells.get(where)
        if cell is None:
            cell = self._cells[where] = [0] * (3 * WIDTH)
        _into(cell, a, b, changed)
        if goods:
            whole = (len(a) and a[-1][0] >= FIRST_TAX) or (len(b) and b[-1][0] >= FIRST_TAX)
            plain_a = [pair for pair in a if pair[0] < FIRST_TAX] if whole else a
            plain_b = plain_a if b is a else [pair for pair in b if pair[0] < FIRST_TAX]
            for code in goods:
                _into(self._cell(self._goods, code), plain_a, plain_b, changed)
            if whole:
                self._taxes(a, b, changed, guarantor, cases)
        if one.rules or other.rules:
            self._reasons(one, other, changed)

    @staticmethod
    def _cell(cells: dict[str, list[int]], key: str) -> list[int]:
        held = cells.get(key)
        if held is None:
            held = cells[key] = [0] * (3 * WIDTH)
        return held

    def _taxes(self, a: Pairs, b: Pairs, changed: bool, guarantor: str,
               cases: tuple[Case | None, Case | None]) -> None:
        """Taxes by the line of goods that bears them, and by who guarantees them."""
        tax_a = [pair for pair in a if pair[0] >= FIRST_TAX]
        tax_b = tax_a if b is a else [pair for pair in b if pair[0] >= FIRST_TAX]
        _into(self._cell(self._guarantors, guarantor), tax_a, tax_b, changed)
        lines: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
        for at, case in enumerate(cases):
            for code, taxes in _taxes_by_goods(case):
                held = lines.setdefault(code, ({}, {}))[at]
                for number, amount in enumerate(taxes, FIRST_TAX):
                    if amount:
                        held[number] = held.get(number, 0) + amount
        for code, (left, right) in lines.items():
            _into(self._cell(self._goods, code), list(left.items()), list(right.items()), changed)

    def _reasons(self, one: _Half, other: _Half, changed: bool) -> None:
        for metric in ("refused", "waiting"):
            left, right = [half.rules if half.state == metric else () for half in (one, other)]
            for rule in dict.fromkeys((*left, *right)):
                held = self.told.sums.setdefault((metric, "reason", rule), [0, 0, 0])
                held[0] += rule in left
                held[1] += rule in right
                held[2] += changed

    def finish(self) -> Told:
        """What was told, its sums by metric, dimension and key."""
        sums = self.told.sums
        for (place, mode, day), cell in self._cells.items():
            dated = str(day) if place else ""
            _spread(sums, cell, [("all", ""), ("place", place), ("mode", mode), ("day", dated)])
        for dimension, cells in (("goods", self._goods), ("guarantor", self._guarantors)):
            for key, cell in cells.items():
                _spread(sums, cell, [(dimension, key)])
        count, left, right, moved = self._buyers
        if count:
            sums["buyers", "all", ""] = [count, count, 0]
            sums["buyers_at_limit", "all", ""] = [left, right, moved]
        for file, rows in ((results.PARCELS, self._parcels), (results.DIFFERENCES, self._differences),
                           (results.BUYERS, self._held)):
            if rows:
                self.told.tables[file] = results.arrow_of(file, rows)
        self.told.parcels, self.told.changed = len(self._parcels), len(self._differences)
        return self.told


FIGURES = ("parcels", "released", "refused", "waiting", "cancelled", "returned", "full_tax", "value", HOURS, HELD,
           "duty", "vat", "consumption", "tax")
"""The figures of one parcel, by number; taxes stand last."""
NUMBER = {name: number for number, name in enumerate(FIGURES)}
WIDTH, FIRST_TAX = len(FIGURES), NUMBER["duty"]
Pairs = list[tuple[int, int]]
"""(number of the figure, whole number), those that are not 0, in order."""


def _into(cell: list[int], a: Pairs, b: Pairs, changed: bool) -> None:
    """Add one parcel to a cell: world a, world b, and how many parcels moved that have the figure in either."""
    for number, amount in a:
        cell[number] += amount
    for number, amount in b:
        cell[WIDTH + number] += amount
    if changed:
        for number in {number for number, _ in (*a, *b)}:
            cell[2 * WIDTH + number] += 1


def _spread(sums: dict[Key, list[int]], cell: list[int], keys: list[tuple[str, str]]) -> None:
    for number, metric in enumerate(FIGURES):
        values = cell[number], cell[WIDTH + number], cell[2 * WIDTH + number]
        if any(values):
            for dimension, key in keys:
                held = sums.setdefault((metric, dimension, key), [0, 0, 0])
                for at, value in enumerate(values):
                    held[at] += value


STATE_NUMBERS = {**dict.fromkeys(RELEASED_STATES, NUMBER["released"]),
                 **{state: NUMBER[state] for state in ("refused", "waiting", "cancelled", "returned")}}


def _figures(half: _Half, value: Decimal | None) -> Pairs:
    """Every figure of one parcel in one world, as whole numbers."""
    state = half.state
    if state == ABSENT:
        return []
    made = [(0, 1), (STATE_NUMBERS[state], 1)]
    if FULL_TAX in half.notes:
        made.append((NUMBER["full_tax"], 1))
    if state in RELEASED_STATES and value is not None:
        made.append((NUMBER["value"], fen_of(value)))
    if half.hours_ms is not None:
        made += [(NUMBER[HOURS], half.hours_ms), (NUMBER[HELD], 1)]
    if any(half.taxes):
        taxes = _fen(half.taxes)
        made += [(number, amount) for number, amount in enumerate((*taxes, sum(taxes)), FIRST_TAX) if amount]
    return made


def _half(key: str, case: Case | None, side: Side) -> _Half:
    if case is None:
        return _GONE
    why = side.told.get(key, ())
    rules: list[str] = []
    if case.state in ("refused", "waiting"):
        said = why if case.state == "refused" or case.inventory is not None else side.turned.get(key, ())
        rules = list(dict.fromkeys([reason.rule for reason in said if reason.severity == ERROR]))
    notes = list(dict.fromkeys([reason.rule for reason in why if reason.severity != ERROR]))
    bill = case.bill
    began = side.began.get(key)
    hours_ms = case.released_at - began if case.released_at and began is not None else None
    taxes = NO_TAXES if bill is None or bill.status == VOID else (bill.duty, bill.vat, bill.consumption)
    return _Half(
        case.state, rules, notes, taxes, case.hold.amount_fen if case.hold is not None else 0, hours_ms,
        any(reason.rule == YEAR_RULE for reason in why))


def _fen(amounts: tuple[Decimal, ...]) -> tuple[int, ...]:
    return tuple([fen_of(amount) if amount else 0 for amount in amounts])


def _hours(half: _Half) -> float | None:
    return None if half.hours_ms is None else round(half.hours_ms / MS_AN_HOUR, 4)


def _value_and_goods(inventory: InventoryPart) -> Decimal:
    return sum((line.total for line in inventory.lines), inventory.freight + inventory.insuredFee).quantize(NO_MONEY)


def _goods(inventory: InventoryPart) -> list[str]:
    return sorted({line.gcode[:GOODS_DIGITS] for line in inventory.lines})


def _taxes_by_goods(case: Case | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    bill = case.bill if case is not None else None
    if bill is None or bill.status == VOID:
        return
    for line in bill.lines:
        if line.duty or line.vat or line.consumption:
            taxes = _fen((line.duty, line.vat, line.consumption))
            yield line.gcode[:GOODS_DIGITS], (*taxes, sum(taxes))


# ── explanations ────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def _sentence(reason: Reason) -> tuple[str, str]:
    fault = reason_fault(reason, None)
    if not fault.source:
        return fault.message.zh, fault.message.en
    zh, between, en = fault.source.partition(" / ")
    return f"{fault.message.zh}（{zh}）", f"{fault.message.en} ({en if between else zh})"


def _why(key: str, half: _Half, side: Side) -> tuple[list[str], list[str]]:
    """What became of a parcel in one world, and why: Chinese and English."""
    case = side.work.cases.get(key)
    reasons = (*side.told.get(key, ()), *(side.turned.get(key, ()) if half.state == "waiting" else ()))
    said = [_sentence(reason) for reason in dict.fromkeys(reasons)]
    if case is not None and case.inventory is not None:
        status = case.inventory.status
        name = states.name_of(status) if status in states.table()["names"] else None
        if name is not None:
            said.append((f"清单状态 {status} {name.zh}", f"inventory {status} {name.en}"))
    if any(half.taxes):
        figures = [plain(amount) for amount in half.taxes]
        said.append(("关税 {}，增值税 {}，消费税 {}".format(*figures),
                     "duty {}, VAT {}, consumption tax {}".format(*figures)))
    return [zh for zh, _ in said], [en for _, en in said]


def _receipts(key: str, side: Side) -> list[str]:
    return [f"{kind} {status}" for event in side.log.get(key, ()) for kind, status in event.receipts]


# ── sums of all shards ──────────────────────────────────────────────────────────────────────────────────

CNY = frozenset(column.name for column in COLUMNS if column.unit == "cny")


def links_of(sums: dict[Key, list[int]]) -> dict[str, list[dict[str, Any]]]:
    """The sums as rows, by the link of the chain that their column belongs to."""
    homes = {column.name: column.link for column in COLUMNS}
    order = {column.name: number for number, column in enumerate(COLUMNS)}
    made: dict[str, list[dict[str, Any]]] = {column.link: [] for column in COLUMNS}
    for metric, dimension, key in sorted(sums, key=lambda one: (order.get(one[0], len(order)), one)):
        if metric not in homes:
            continue
        a, b, changed = sums[metric, dimension, key]
        said: tuple[Any, Any] = (a, b)
        if metric == HOURS:
            counts = sums[HELD, dimension, key]
            said = _mean_hours(a, counts[0]), _mean_hours(b, counts[1])
        elif metric in CNY:
            said = str(money(a)), str(money(b))
        made[homes[metric]].append(
            {"metric": metric, "dimension": dimension, "key": key, "a": said[0], "b": said[1], "changed": changed})
    return made


def _mean_hours(ms: int, count: int) -> str:
    return str((Decimal(ms) / MS_AN_HOUR / count).quantize(NO_MONEY)) if count else "0.00"


def add_sums(total: dict[Key, list[int]], more: dict[Key, list[int]]) -> None:
    """The sums of one more shard."""
    for key, values in more.items():
        held = total.setdefault(key, [0, 0, 0])
        for at, value in enumerate(values):
            held[at] += value


def rule_words(rules: Iterable[str]) -> dict[str, dict[str, str]]:
    """What each rule is called, in both languages: the sentence of its catalog without its values."""
    from cebport.clearance.receipts import catalog

    made = {}
    for rule in sorted(rules):
        entry = catalog().get(rule)
        title = entry.get("title") or entry["message"] if entry is not None else {"zh": rule, "en": rule}
        made[rule] = {"zh": title["zh"], "en": title["en"]}
    return made
