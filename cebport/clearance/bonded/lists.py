"""Account books and write-off lists (账册、核注清单): filed, examined, taken back, written off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from cebport.clearance import stock
from cebport.clearance.bonded.acts import (
    CHANGED,
    GONE,
    NEW,
    Answer,
    Draft,
    EntryReleased,
    FileBook,
    FileList,
    named,
    result_of,
    seq_number,
    state_shown,
    states_shown,
    version_of,
)
from cebport.clearance.draft import law_source
from cebport.clearance.stock import IN, OUT, SALES_KIND, BondList, Book, Goods, Line, ListLine, Sale, SaleLine, shown

PRICE_DIGITS, TOTAL_DIGITS = 4, 2


def file_book(d: Draft, act: FileBook) -> tuple[str, str]:
    """BWS101: 1 opens a book, 2 adds goods or describes them anew; what a unit is never changes."""
    asked = act.book
    held = d.held.get("books", asked.number) if asked.number else None
    if act.typ == NEW and asked.number and held is not None:
        d.fail("BOND-BOOK-EXISTS", "BwlHead/BwlNo", asked.number, held.company.code)
    elif act.typ != NEW and held is None:
        d.fail("BOND-BOOK-UNKNOWN", "BwlHead/BwlNo", asked.number)
    if held is not None and (held.customs, held.company.code) != (asked.customs, asked.company.code):
        d.fail("BOND-BOOK-PARK", "BwlHead/MasterCuscd", f"{asked.customs} {asked.company.code}",
               f"{held.customs} {held.company.code}")
    if act.typ == GONE and held is not None:
        d.fail("BOND-TYPE", "BwlHead/DclTypeCd", act.typ, "1, 2")
    if d.failed:
        return "book", asked.number
    number = asked.number or f"T{asked.customs}W{d.numbers.next(f'book/{asked.customs}'):06d}"
    seq = asked.seq or (held.seq if held is not None else seq_number(d))
    last = held.last_item if held is not None else 0
    for item, goods in act.goods:
        line = d.held.get("lines", (number, item)) if item else d.held.line_of(number, goods)
        if line is not None and item and line.version and not stock.same_goods(line.goods, goods):
            d.fail("BOND-GOODS", f"BwlList[GdsSeqNo={item}]", named(goods), named(line.goods))
        given = item or (line.item if line is not None else last + 1)
        last = max(last, given)
        d.put("lines", Line(number, given, goods))
    d.put("books", replace(asked, number=number, seq=seq, last_item=last))
    d.answers.append(Answer("CommonResponeMessage", book=d.get("books", number), result="0", at=d.now))
    return ("book opened" if held is None else "book changed"), number


def file_list(d: Draft, act: FileList) -> tuple[str, str]:
    """INV101: 1 a new list, 2 in place of one that customs has not examined, 3 takes one back."""
    if act.typ == GONE:
        return _delete_list(d, act.list)
    before = None
    if act.typ == CHANGED:
        before = _held_list(d, act.list)
        if before is None:
            return "list", act.list.number
        if before.state not in stock.table()["list_waiting"]:
            d.fail("BOND-LIST-STATE", "InvtHeadType/DclTypecd", state_shown("lists", before.state),
                   states_shown("list_waiting"))
            return "list", before.number
        free_list(d, before)
    book = d.held.get("books", act.list.book)
    _check_list_head(d, act, book, before)
    if d.failed:
        return "list", act.list.number
    lines = _check_lines(d, act.list)
    if d.failed:
        return "list", act.list.number
    year2, mark = d.view.day.year % 100, act.list.io
    changes = before.changes + 1 if before is not None else 0
    number = before.number if before is not None else (
        f"QD{book.customs}{year2:02d}{mark}{d.numbers.next(f'list/{book.customs}/{year2:02d}/{mark}'):09d}")
    made = replace(act.list, number=number, seq=before.seq if before is not None else seq_number(d), lines=lines,
                   state=stock.STORED, changes=changes, sales=len(act.sales), declared_at=d.now)
    made = _gather(d, act, made) if made.kind == SALES_KIND else _reserve_or_link(d, made)
    if d.failed:
        return "list", number
    d.put("lists", made)
    d.answers.append(Answer("CommonResponeMessage", made, result="0", at=d.now))
    d.answers.append(Answer("INV201", made, result=result_of(made), at=d.now))
    if d.view.get("bonded.examine") == "at_once":
        pass_list(d, made, "pass")
    return ("list stored" if before is None else "list changed"), number


def _held_list(d: Draft, asked: BondList) -> BondList | None:
    """The list that a change or a deletion names, by its number or its SeqNo; it must be the company's own."""
    held = d.held.get("lists", asked.number)
    if held is None or held.company.code != asked.company.code:
        d.fail("BOND-LIST-UNKNOWN", "InvtHeadType/BondInvtNo", asked.number or asked.seq, asked.company.code)
        return None
    return held


def _check_list_head(d: Draft, act: FileList, book: Book | None, before: BondList | None) -> None:
    """Book, park, company, own number, mode of the day."""
    asked = act.list
    if book is None:
        d.fail("BOND-BOOK-UNKNOWN", "InvtHeadType/PutrecNo", asked.book)
        return
    if asked.customs != book.customs:
        d.fail("BOND-BOOK-PARK", "InvtHeadType/DclPlcCuscd", asked.customs, book.customs)
    if asked.company.code != book.company.code:
        d.fail("BOND-BOOK-COMPANY", "InvtHeadType/BizopEtpsno", asked.company.code, book.company.code)
    day = f"{d.view.day:%Y%m%d}"
    if book.until and day > book.until:
        d.fail("BOND-BOOK-ENDED", "InvtHeadType/PutrecNo", day, book.until)
    if before is not None and (before.io, before.book, before.kind) != (asked.io, asked.book, asked.kind):
        d.fail("BOND-LIST-CHANGED", "InvtHeadType", f"{asked.book} {asked.io} {asked.kind}",
               f"{before.book} {before.io} {before.kind}")
    if before is None:
        other = d.held.own("lists", asked.company.code, asked.own)
        if other is not None:
            d.fail("BOND-OWN-NUMBER", "InvtHeadType/EtpsInnerInvtNo", asked.own, other.number)
    if asked.io not in (IN, OUT):
        d.fail("BOND-TYPE", "InvtHeadType/ImpexpMarkcd", asked.io, "I, E")
    if asked.mode in (d.view.get("bonded.sale_modes") or ()) and not d.view.mode(asked.mode):
        d.fail("BOND-MODE", "InvtHeadType/SupvModecd", asked.mode, f"{d.view.place} {d.view.day}",
               law_source(d.view, f"mode.{asked.mode}"))


def _check_lines(d: Draft, asked: BondList) -> tuple[ListLine, ...]:
    """Each line against the book: item, goods, unit, digits. Gives the lines with their item numbers."""
    made: list[ListLine] = []
    if not asked.lines:
        d.fail("BOND-LINES", "InvtListType", 0, ">= 1")
    seen: set[int] = set()
    for line in asked.lines:
        path = f"InvtListType[GdsSeqno={line.no}]"
        if line.no in seen or line.no < 1:
            d.fail("BOND-LINES", f"{path}/GdsSeqno", line.no)
        seen.add(line.no)
        if line.qty <= 0 or line.qty1 < 0 or line.qty2 < 0:
            d.fail("BOND-QUANTITY", f"{path}/DclQty", shown(line.qty), "> 0")
        for name, amount, digits in (("DclUprcAmt", line.goods.price, PRICE_DIGITS),
                                     ("DclTotalAmt", line.total, TOTAL_DIGITS)):
            exponent = amount.normalize().as_tuple().exponent
            if not isinstance(exponent, int) or -exponent > digits:
                d.fail("BOND-DIGITS", f"{path}/{name}", amount, digits)
        held = d.held.get("lines", (asked.book, line.item)) if line.item else d.held.line_of(asked.book, line.goods)
        if held is None:
            if asked.io == OUT or asked.kind == SALES_KIND:
                d.fail("BOND-ITEM-UNKNOWN", f"{path}/PutrecSeqno", line.item or line.goods.material, asked.book)
            made.append(line)
            continue
        if line.goods.unit != held.goods.unit:
            d.fail("BOND-UNIT", f"{path}/DclUnitcd", line.goods.unit, held.goods.unit)
        elif not stock.same_goods(line.goods, held.goods):
            d.fail("BOND-GOODS", path, named(line.goods), named(held.goods))
        made.append(replace(line, item=held.item))
    return tuple(made)


def _gather(d: Draft, act: FileList, made: BondList) -> BondList:
    """A list of kind 8: its inventories are known, of this book, on no other list; the lines are their sums."""
    if not act.sales:
        d.fail("BOND-SALES", "InvtCbecBillType", 0, ">= 1")
    if len(set(act.sales)) != len(act.sales):
        twice = sorted({number for number in act.sales if act.sales.count(number) > 1})
        d.fail("BOND-SALE-USED", "InvtCbecBillType/CbecBillNo", ", ".join(twice), made.own)
    sums: dict[tuple[int, str], int] = {}
    freed = set(d.freed)
    for number in dict.fromkeys(act.sales):
        sale = d.get("sales", number)
        path = "InvtCbecBillType/CbecBillNo"
        if sale is None:
            d.fail("BOND-SALE-UNKNOWN", path, number)
            continue
        if (sale.book, sale.company) != (made.book, made.company.code):
            d.fail("BOND-BOOK-PARK", path, f"{number} {sale.book} {sale.company}", f"{made.book} {made.company.code}")
        if made.io == OUT:
            if sale.list and number not in freed:
                d.fail("BOND-SALE-USED", path, number, sale.list)
            amounts = [(line, line.out) for line in sale.lines]
        else:
            amounts = _coming_back(d, sale, path)
        if not any(amount for _, amount in amounts):
            d.fail("BOND-SALE-EMPTY", path, number)
        for line, amount in amounts:
            sums[(line.item, line.country)] = sums.get((line.item, line.country), 0) + amount
    _compare_sums(d, made, sums)
    if d.failed:
        return made
    if made.io == OUT:
        d.onto, d.listed = made.number, tuple(act.sales)
        d.freed = tuple(number for number in d.freed if number not in set(act.sales))
    else:
        for number in act.sales:
            d.put("sales", replace(d.get("sales", number), back_list=made.number))
    return made


def _coming_back(d: Draft, sale: Sale, path: str) -> list[tuple[SaleLine, int]]:
    """What of a sale an inbound list may bring back: what a return approved after the goods had left."""
    out = d.held.get("lists", sale.list)
    if sale.back_list:
        d.fail("BOND-SALE-USED", path, sale.invt, sale.back_list)
    elif out is None or out.state != stock.OFF:
        d.fail("BOND-NOT-OUT", path, sale.invt, sale.list)
    return [(line, line.due) for line in sale.lines]


def _compare_sums(d: Draft, made: BondList, sums: Mapping[tuple[int, str], int]) -> None:
    """The lines of the list are the inventories' sums by item and country, no more and no less."""
    asked: dict[tuple[int, str], int] = {}
    for line in made.lines:
        key = (line.item, line.goods.country)
        asked[key] = asked.get(key, 0) + line.qty
    for key in sorted(asked.keys() | sums.keys()):
        if asked.get(key, 0) != sums.get(key, 0):
            d.fail("BOND-SALE-SUM", f"InvtListType[PutrecSeqno={key[0]}]/DclQty", shown(asked.get(key, 0)),
                   shown(sums.get(key, 0)))


def _reserve_or_link(d: Draft, made: BondList) -> BondList:
    """Any other list: what goes out is reserved now; what is carried in names what went out."""
    if made.io == OUT:
        asked: dict[int, int] = {}
        for line in made.lines:
            asked[line.item] = asked.get(line.item, 0) + line.qty
        for item, amount in asked.items():
            held = d.get("lines", (made.book, item))
            if held.free < amount:
                d.fail("BOND-OVERDRAW", f"InvtListType[PutrecSeqno={item}]/DclQty", shown(amount),
                       f"{shown(held.free)} = {shown(held.balance)} - {shown(held.reserved)}")
        if not d.failed:
            for line in made.lines:
                d.move("reserve", made.book, line.item, version_of(made), line.no, line.qty, (line.qty1, line.qty2))
        return made
    return _link(d, made) if made.linked_list else made


def _link(d: Draft, made: BondList) -> BondList:
    """Carried over (区间结转): the same goods in the same amounts as one outbound list of the other book."""
    out = d.held.get("lists", made.linked_list)
    path = "InvtHeadType/RltInvtNo"
    if out is None or out.io != OUT or out.linked_book != made.book or (
            made.linked_book and made.linked_book != out.book):
        d.fail("BOND-CARRY-UNKNOWN", path, made.linked_list, made.book)
        return made
    if out.state not in (stock.PASSED, stock.PRE, stock.OFF):
        d.fail("BOND-LIST-STATE", path, state_shown("lists", out.state), states_shown("list_passable"))
    if out.carried_to and out.carried_to != made.number:
        d.fail("BOND-CARRY-USED", path, made.linked_list, out.carried_to)

    def told(lines: Iterable[ListLine]) -> dict[tuple[Any, ...], tuple[int, int, int]]:
        sums: dict[tuple[Any, ...], tuple[int, int, int]] = {}
        for line in lines:
            goods = line.goods
            key = (goods.gcode, goods.country, goods.unit, goods.unit1, goods.unit2)
            had = sums.get(key, (0, 0, 0))
            sums[key] = (had[0] + line.qty, had[1] + line.qty1, had[2] + line.qty2)
        return sums

    left, came = told(out.lines), told(made.lines)
    for key in sorted(left.keys() | came.keys()):
        if left.get(key) != came.get(key):
            found, expected = came.get(key, (0, 0, 0)), left.get(key, (0, 0, 0))
            d.fail("BOND-CARRY-DIFFERS", f"InvtListType[Gdecd={key[0]}]/DclQty", " / ".join(map(shown, found)),
                   " / ".join(map(shown, expected)))
    if not d.failed:
        d.put("lists", replace(out, carried_to=made.number))
    return replace(made, linked_book=out.book)


def _delete_list(d: Draft, asked: BondList) -> tuple[str, str]:
    """dclTypecd 3: only while nothing of it is on a pass or through the gate."""
    held = _held_list(d, asked)
    if held is None:
        return "list", asked.number
    if held.state not in stock.table()["list_open"]:
        d.fail("BOND-LIST-STATE", "InvtHeadType/DclTypecd", state_shown("lists", held.state), states_shown("list_open"))
    elif any(line.passed for line in held.lines):
        d.fail("BOND-ON-PASS", "InvtHeadType/DclTypecd", held.number, shown(sum(x.passed for x in held.lines)))
    elif held.carried_to:
        d.fail("BOND-CARRY-USED", "InvtHeadType/DclTypecd", held.number, held.carried_to)
    if d.failed:
        return "list", held.number
    free_list(d, held)
    gone = d.put("lists", replace(held, state=stock.step("lists", held.state, stock.DELETED)))
    d.answers.append(Answer("INV201", gone, result=result_of(gone), at=d.now))
    return "list deleted", held.number


def free_list(d: Draft, held: BondList) -> None:
    """What a list took is as it was before it: its sales stay reserved and are free for another list."""
    document = version_of(held)
    for line in held.lines:
        amounts = (line.qty1, line.qty2)
        if held.state == stock.PRE:
            d.move("unpre" if held.io == OUT else "unexpect", held.book, line.item, document, line.no, line.qty,
                   amounts)
        if held.io == OUT and held.kind != SALES_KIND:
            d.move("release", held.book, line.item, document, line.no, line.qty, amounts)
    if held.kind == SALES_KIND:
        if held.io == OUT:
            d.freed = (*d.freed, *[sale.invt for sale in d.held.sales_of(held.number) if sale.list == held.number])
        else:
            for sale in d.held.sales_of(held.number):
                if sale.back_list == held.number:
                    d.put("sales", replace(sale, back_list=""))
    elif held.io == IN and held.linked_list:
        out = d.get("lists", held.linked_list)
        d.put("lists", replace(out, carried_to=""))


def pass_list(d: Draft, held: BondList, result: str) -> None:
    """Passed: new goods get their item numbers; with pre-write-off the book is told at once."""
    to = {"pre": stock.PRE, "passed": stock.PASSED}.get(result) or (
        stock.PASSED if d.view.get("bonded.pass_as") == "passed" else stock.PRE)
    if held.io == IN:
        held = _numbered(d, held)
    after = replace(held, state=stock.step("lists", held.state, to), pre_at=d.now if to == stock.PRE else 0)
    if to == stock.PRE:
        for line in after.lines:
            d.move("pre" if after.io == OUT else "expect", after.book, line.item, version_of(after), line.no, line.qty,
                   (line.qty1, line.qty2))
    d.put("lists", after)
    d.answers.append(Answer("INV201", after, result=result_of(after), at=d.now))
    if not d.view["bonded.inbound_gate"] and after.io == IN:
        write_off(d, replace(after, lines=tuple([replace(x, passed=x.qty, gone=x.qty) for x in after.lines])))


def _numbered(d: Draft, held: BondList) -> BondList:
    """The list with an item number for each good; a good that the book does not know yet becomes a line of it."""
    book, lines = d.get("books", held.book), []
    fresh: dict[Goods, int] = {}
    for line in held.lines:
        item = line.item
        if item and d.get("lines", (held.book, item)) is None:
            book = d.put("books", replace(book, last_item=max(book.last_item, item)))
            d.put("lines", Line(held.book, item, line.goods))
        elif not item:
            known = d.held.line_of(held.book, line.goods)
            identity = replace(line.goods, name="", spec="", price=Decimal(0), currency="")
            item = known.item if known is not None else fresh.get(identity, 0)
            if not item:
                item = fresh[identity] = book.last_item + 1
                book = d.put("books", replace(book, last_item=item))
                d.put("lines", Line(held.book, item, line.goods))
        lines.append(replace(line, item=item))
    return replace(held, lines=tuple(lines))


def release_entry(d: Draft, act: EntryReleased) -> tuple[str, str]:
    """The customs declaration of a list is released: goods that have crossed are written off now."""
    held = d.held.get("lists", act.number)
    if held is None or not held.with_entry:
        d.fail("BOND-LIST-UNKNOWN", "businessId", act.number)
        return "entry", act.number
    if held.state not in stock.table()["list_passable"] or held.entry:
        d.fail("BOND-LIST-STATE", "entryNo", f"{state_shown('lists', held.state)} {held.entry}".strip(),
               states_shown("list_passable"))
        return "entry", act.number
    d.answers.append(Answer("INV202", held, result="1", at=d.now))
    settle(d, d.put("lists", replace(held, entry=act.entry)))
    return "entry released", act.number


def settle(d: Draft, held: BondList) -> None:
    """Write the list off when all of it is through the gate and its customs declaration, if it has one, released."""
    if held.state in stock.table()["list_passable"] and all(line.gone == line.qty for line in held.lines) and (
            held.entry or not held.with_entry):
        write_off(d, held)


def write_off(d: Draft, held: BondList) -> None:
    """核扣: the book changes for good; INV201 says so, INV211 gives the new lines."""
    document, returned = version_of(held), held.io == IN and held.kind == SALES_KIND
    for line in held.lines:
        at = (held.book, line.item, document, line.no, line.qty, (line.qty1, line.qty2))
        if held.io == OUT:
            if held.state == stock.PASSED:
                d.move("pre", *at)
            d.move("off", *at)
        else:
            if held.state == stock.PRE:
                d.move("unexpect", *at)
            d.move("back" if returned else "enter", *at)
    after = d.put("lists", replace(held, state=stock.step("lists", held.state, stock.OFF), off_at=d.now))
    if returned:
        for sale in d.held.sales_of(held.number):
            if sale.back_list == held.number:
                lines = tuple([replace(x, back=x.back + x.due, due=0) for x in sale.lines])
                d.put("sales", replace(sale, lines=lines, back_list=""))
    d.answers.append(Answer("INV201", after, result=result_of(after), at=d.now))
    d.answers.append(Answer("INV211", after, result=result_of(after), at=d.now))
