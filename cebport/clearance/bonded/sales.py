"""Retail sales and the stock they take (零售占用), and stock-taking (盘库)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec.structs import replace

from cebport.clearance import stock
from cebport.clearance.bonded.acts import (
    Answer,
    Count,
    Difference,
    Draft,
    GiveBack,
    Sell,
    TakeOff,
    reason,
    result_of,
)
from cebport.clearance.bonded.lists import settle
from cebport.clearance.parts import Reason
from cebport.clearance.stock import OUT, SALES_KIND, BondList, Goods, Line, ListLine, Sale, SaleLine, Shelf, shown
from cebport.values import FEN


def sale_reasons(sale: Sale, goods: Iterable[Goods], held: Any) -> list[Reason]:
    """Why a book cannot give what an inventory sells: book, park, company, item, unit, stock. [] = it can."""
    book = held.get("books", sale.book)
    if book is None:
        return [reason("BOND-BOOK-UNKNOWN", "CEB621/emsNo", sale.book)]
    why = []
    if book.customs != sale.customs:
        why.append(reason("BOND-BOOK-PARK", "CEB621/customsCode", sale.customs, book.customs))
    if book.company.code != sale.company:
        why.append(reason("BOND-BOOK-COMPANY", "CEB621/areaCode", sale.company, book.company.code))
    asked: dict[int, int] = {}
    for line, declared in zip(sale.lines, goods, strict=True):
        path = f"CEB621/gnum={line.gnum}"
        there = held.get("lines", (sale.book, line.item))
        if there is None:
            why.append(reason("BOND-ITEM-UNKNOWN", f"{path}/itemRecordNo", declared.material, sale.book))
            continue
        if declared.unit != there.goods.unit:
            why.append(reason("BOND-UNIT", f"{path}/unit", declared.unit, there.goods.unit))
        if declared.gcode != there.goods.gcode:
            why.append(reason("BOND-GOODS", f"{path}/gcode", declared.gcode, there.goods.gcode))
        asked[line.item] = asked.get(line.item, 0) + line.qty
        if asked[line.item] > there.free:
            why.append(reason("BOND-OVERDRAW", f"{path}/qty", shown(asked[line.item]),
                              f"{shown(there.free)} = {shown(there.balance)} - {shown(there.reserved)}"))
    return why


def sell(d: Draft, act: Sell) -> tuple[str, str]:
    """A released inventory reserves its stock, once."""
    sale = act.sale
    if d.held.get("sales", sale.invt) is not None:
        d.fail("BOND-SALE-USED", "CEB621/invtNo", sale.invt, sale.book)
    else:
        d.why += sale_reasons(sale, act.goods, d.held)
    if not d.failed:
        for line in sale.lines:
            d.move("reserve", sale.book, line.item, sale.invt, line.gnum, line.qty, (line.qty1, line.qty2))
        d.put("sales", replace(sale, at=d.now))
    return "stock reserved", sale.invt


def take_off(d: Draft, act: TakeOff) -> tuple[str, str]:
    """Before the gate: what is left of the parcel is free again. On a pass it must come off the pass first."""
    sale = d.held.get("sales", act.invt)
    if sale is None:
        d.fail("BOND-SALE-UNKNOWN", "invtNo", act.invt)
        return "parcel taken off", act.invt
    wanted = {line.gnum: line.out - line.due - line.back for line in sale.lines}
    _cut(d, sale, wanted, act.document, may_be_due=False)
    return "parcel taken off", act.invt


def give_back(d: Draft, act: GiveBack) -> tuple[str, str]:
    """An approved return: cut while the goods are still here, else due to come back."""
    sale = d.held.get("sales", act.invt)
    if sale is None:
        d.fail("BOND-SALE-UNKNOWN", "CEB625/invtNo", act.invt)
        return "return", act.invt
    lines, wanted = {line.gnum: line for line in sale.lines}, dict[int, int]()
    for gnum, amount in act.lines:
        wanted[gnum] = wanted.get(gnum, 0) + amount
    for gnum, amount in wanted.items():
        line = lines.get(gnum)
        left = line.out - line.due - line.back if line is not None else 0
        if amount <= 0 or amount > left:
            d.fail("BOND-RETURN", f"CEB625/gnum={gnum}/qty", shown(amount), shown(left))
    if not d.failed:
        _cut(d, sale, wanted, act.document, may_be_due=True)
    return "return booked", act.invt


def _cut(d: Draft, sale: Sale, wanted: Mapping[int, int], document: str, *, may_be_due: bool) -> None:
    """Take (line, quantity) of a sale back from wherever it stands before the gate."""
    made, held = [], d.get("lists", sale.list) if sale.list else None
    for line in sale.lines:
        amount = wanted.get(line.gnum, 0)
        if not amount:
            made.append(line)
            continue
        spot = _spot(held, line, amount) if held is not None else None
        if held is not None and spot is None:
            if not may_be_due:
                d.fail("BOND-ON-PASS", f"CEB621/gnum={line.gnum}", sale.list, shown(amount))
            made.append(replace(line, due=line.due + amount))
            continue
        more = _of_cut(line, amount)
        at = (sale.book, line.item, document, line.gnum, amount, more)
        if held is not None and spot is not None:
            if held.state == stock.PRE:
                d.move("unpre", *at)
            held = _less(held, spot, amount, more)
        d.move("release", *at)
        made.append(replace(line, cut=line.cut + amount))
    if d.failed:
        return
    sale = d.put("sales", replace(sale, lines=tuple(made)))
    if held is None or held == d.get("lists", sale.list):
        return
    if held.lines:
        d.answers.append(Answer("INV201", d.put("lists", held), result=result_of(held), at=d.now))
        settle(d, held)
    else:
        gone = d.put("lists", replace(held, state=stock.step("lists", held.state, stock.DELETED)))
        d.answers.append(Answer("INV201", gone, result=result_of(gone), at=d.now))


def _of_cut(line: SaleLine, amount: int) -> tuple[int, int]:
    """Statutory quantities of a cut; what is cut last takes what rounding left."""
    before, after = line.share(line.cut), line.share(line.cut + amount)
    return after[0] - before[0], after[1] - before[1]


def _spot(held: BondList, line: SaleLine, amount: int) -> ListLine | None:
    """The line of an open list that has so much of the item which is on no pass yet."""
    if held.state not in stock.table()["list_open"]:
        return None
    return next((one for one in held.lines if one.item == line.item and one.goods.country == line.country
                 and one.qty - one.passed >= amount), None)


def _less(held: BondList, spot: ListLine, amount: int, more: tuple[int, int]) -> BondList:
    """The list with less on one line; a line of nothing goes."""
    lines = []
    for one in held.lines:
        if one.no == spot.no:
            left = one.qty - amount
            if not left:
                continue
            total = (one.total * left / one.qty).quantize(FEN, ROUND_HALF_UP)
            one = replace(one, qty=left, qty1=max(0, one.qty1 - more[0]), qty2=max(0, one.qty2 - more[1]), total=total)
        lines.append(one)
    return replace(held, lines=tuple(lines), changes=held.changes + 1)


def aggregate(sales: Iterable[Sale], goods: Mapping[int, Goods]) -> tuple[ListLine, ...]:
    """The lines of an outbound list of kind 8: what leaves, summed by item and country; the price is the average to
    four digits. ``goods``: item -> what the book says it is."""
    sums: dict[tuple[int, str], list[Any]] = {}
    for sale in sales:
        for line in sale.lines:
            if not line.out:
                continue
            held = sums.setdefault((line.item, line.country), [0, 0, 0, Decimal(0)])
            whole, cut = (line.qty1, line.qty2), line.share(line.cut)
            held[0] += line.out
            held[1] += whole[0] - cut[0]
            held[2] += whole[1] - cut[1]
            held[3] += (line.total * line.out / line.qty).quantize(FEN, ROUND_HALF_UP)
    made = []
    for no, ((item, country), (qty, qty1, qty2, total)) in enumerate(sorted(sums.items()), 1):
        price = (total * stock.UNITS_A_QUANTITY / qty).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        made.append(ListLine(no, item, replace(goods[item], country=country, price=price), total, qty, qty1, qty2))
    return tuple(made)


def returning(sales: Iterable[Sale], goods: Mapping[int, Goods]) -> tuple[ListLine, ...]:
    """The lines of an inbound list of kind 8: what approved returns bring back, summed by item and country."""
    return aggregate([replace(sale, lines=tuple([
        replace(line, qty=line.due, qty1=line.share(line.due)[0], qty2=line.share(line.due)[1], cut=0,
                total=(line.total * line.due / line.qty).quantize(FEN, ROUND_HALF_UP))
        for line in sale.lines if line.due])) for sale in sales], goods)


def count(d: Draft, act: Count) -> tuple[str, str]:
    """盘库: what was counted against what must lie there, with the documents behind each difference."""
    book = d.held.get("books", act.book)
    if book is None:
        d.fail("BOND-BOOK-UNKNOWN", "book", act.book)
        return "count", act.document
    through: dict[int, int] = {}
    behind: dict[int, list[str]] = {}
    for held in d.held.open_lists(act.book):
        for line in held.lines:
            behind.setdefault(line.item, []).append(held.number)
            through[line.item] = through.get(line.item, 0) + (-line.gone if held.io == OUT else line.gone)
    found = []
    for item, amount in act.counted:
        there = d.held.get("lines", (act.book, item))
        if there is None:
            d.fail("BOND-ITEM-UNKNOWN", f"item {item}", item, act.book)
            continue
        booked = there.physical + through.get(item, 0)
        if amount != booked:
            documents = (there.list, *behind.get(item, ())) if there.list else tuple(behind.get(item, ()))
            found.append(Difference(item, there.goods.material, booked, amount, documents))
    d.differences = tuple(found)
    if act.settle and not d.failed:
        for one in found:
            there = d.held.get("lines", (act.book, one.item))
            if one.amount < 0 and -one.amount > there.free:
                d.fail("BOND-COUNT", f"item {one.item}", shown(-one.amount), shown(there.free))
                continue
            d.move("count_up" if one.amount > 0 else "count_down", act.book, one.item, act.document, one.item,
                   abs(one.amount), _share(there, abs(one.amount)))
    return ("count settled" if act.settle else "counted"), act.document


def _share(line: Line, amount: int) -> tuple[int, int]:
    """Statutory quantities of so much of what is there."""
    there = line.physical
    return (line.left1 * amount // there, line.left2 * amount // there) if there else (0, 0)


def proof_of(held: Shelf) -> list[str]:
    """What is wrong with records as a whole; [] when every unit sold is in exactly one place and books add up.

    Every sold unit of a book's line is reserved, pre-written off, written off or returned, as its list says; what no
    sale accounts for belongs to other lists.
    """
    wrong: list[str] = []
    reserved: dict[tuple[str, int], int] = {}
    before: dict[tuple[str, int], int] = {}

    def add(sums: dict[tuple[str, int], int], book: str, item: int, amount: int) -> None:
        sums[(book, item)] = sums.get((book, item), 0) + amount

    for sale in held.held["sales"].values():
        on = held.get("lists", sale.list) if sale.list else None
        for line in sale.lines:
            if not 0 <= line.cut + line.due + line.back <= line.qty:
                wrong.append(f"sale {sale.invt}/{line.gnum}: more returned than sold")
            if on is None or on.state in (stock.STORED, stock.MANUAL, stock.PASSED):
                add(reserved, sale.book, line.item, line.out)
            elif on.state == stock.PRE:
                add(before, sale.book, line.item, line.out)
    for one in held.held["lists"].values():
        if one.kind != SALES_KIND and one.io == OUT:
            target = before if one.state == stock.PRE else reserved
            for line in one.lines if one.state in stock.table()["list_open"] else ():
                add(target, one.book, line.item, line.qty)
    for key, line in held.held["lines"].items():
        if line.reserved != reserved.get(key, 0) or line.pre_decreased != before.get(key, 0):
            wrong.append(f"line {key[0]}/{key[1]}: {line.reserved} reserved, {line.pre_decreased} pre-written off; "
                         f"documents say {reserved.get(key, 0)} and {before.get(key, 0)}")
        if line.free < 0 or line.balance < 0:
            wrong.append(f"line {key[0]}/{key[1]}: below zero")
    return wrong
