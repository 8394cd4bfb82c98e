"""Which goods, which road (哪些商品走哪条路): ``cebport route``. Reads the goods file, asks, and shows the answers.

The answers are made by ``clearance/route.py``; here they become a table and lines that fit the terminal, or JSON.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import fields

from cebport.clearance import costing, goods, quote, route, tax
from cebport.clearance.costing import Because, Cost
from cebport.clearance.goods import Goods
from cebport.clearance.route import Answer, Asked, Basket, Road
from cebport.doors import frame, law, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import label, padded, say, spoken, width
from cebport.faults import ERROR, Fault, Words, fault_of
from cebport.policy import Policy, sheets
from cebport.policy.places import NATION
from cebport.reports import terms
from cebport.values import plain

FILE_BYTES_MAX = 20_000_000
COLUMNS_MIN, COLUMNS_MAX = 60, 120
NAMES_SHOWN, ROWS_SHOWN, CHANGES_SHOWN = 4, 4, 8
GAP = "  "
FILL_COLUMNS_MIN = 12


@frame.command("route")
@click.argument("file", type=frame.file_type, metavar="FILE")
@option("--on", type=frame.Day(), required=True)
@option("--place", multiple=True, metavar="ID")
@law.overlay_option
@option("--brief", is_flag=True)
@frame.json_option
def route_command(file: Path, on: date, place: tuple[str, ...], overlays: tuple[Path, ...], brief: bool,
                  as_json: bool) -> int:
    """For each item whether and how it may come; exit code 1 where one cannot come, or a row cannot be read."""
    policy = Policy.load(overlays=overlays)
    places = [law.place_of(policy, name) for name in place]
    early = quote.unrated(policy, policy.at(on))
    if early is not None:
        screen.faults_noted([early])
        return NO
    read = read_file(file)
    asked = route.ask(policy, on, places)
    answers = []
    cannot = False
    with screen.progress(say("route_asking"), len(read.items), quiet=as_json) as step:
        for item in read.items:
            answer = route.answer(item, asked)
            cannot = cannot or answer.may == route.NO
            if as_json:
                screen.emit({"kind": "item", "on": str(on), "may": answer.may, **jsonable(answer)})
            else:
                answers.append(answer)
            step(1)
    baskets = route.baskets(read.items, asked)
    if as_json:
        emit_rest(asked, baskets, read.faults)
    else:
        Page(asked).show(answers, baskets, read.faults, brief=brief)
    bad = any(fault.severity == ERROR for fault in read.faults)
    return NO if bad or cannot else DONE


# ── the file ────────────────────────────────────────────────────────────────────────────────────────


def read_file(path: Path) -> Goods:
    """The goods of a CSV or XLSX file: of the first sheet whose columns have known heads. Unreadable: one fault."""
    size = path.stat().st_size
    if size > FILE_BYTES_MAX:
        return _unread(path, f"{size:,} bytes", f"<= {FILE_BYTES_MAX:,} bytes")
    try:
        found = sheets.read_sheets(path.read_bytes())
    except sheets.Trouble as trouble:
        if isinstance(trouble.__cause__, ModuleNotFoundError):
            raise trouble.__cause__ from trouble
        return _unread(path, str(trouble.values.get("found", trouble.code)),
                       str(trouble.values.get("expected", "CSV, XLSX")))
    if not found:
        return _unread(path, "0 sheets", "CSV, XLSX")
    sheet = next((sheet for sheet in found if goods.head_row(sheet.rows) is not None), found[0])
    return goods.read_goods(f"{path.name} {sheet.name}".rstrip(), sheet.rows)


def _unread(path: Path, found: str, expected: str) -> Goods:
    return Goods((), (fault_of(goods.catalog(), "CEB-GOODS-009", path=path.name, found=found, expected=expected),))


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────


def emit_rest(asked: Asked, baskets: Iterable[Basket], faults: Iterable[Fault]) -> None:
    """Behind the items: a line a basket, and one with everything that is wrong with the file."""
    on = {"on": str(asked.day)}
    for basket in baskets:
        screen.emit({"kind": "basket", **on, **jsonable(basket)})
    screen.emit({"kind": "file", **on, "places": [place for group in asked.groups for place in group.places],
                 "edition": asked.policy.edition, "faults": [fault.as_dict() for fault in faults]})


def jsonable(value: Any) -> Any:
    """An answer as JSON holds it: amounts and days as text, words in both languages."""
    if isinstance(value, Words):
        return {"zh": value.zh, "en": value.en}
    if isinstance(value, Struct):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: jsonable(held) for name, held in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [jsonable(held) for held in value]
    if isinstance(value, Decimal):
        return plain(value)
    return str(value) if isinstance(value, date) else value


# ── the terminal ────────────────────────────────────────────────────────────────────────────────────


class Page:
    """The answers on a terminal of so many columns."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.columns = min(max(shutil.get_terminal_size((100, 24)).columns, COLUMNS_MIN), COLUMNS_MAX)
        self.marks: set[str] = set()

    def show(self, answers: Sequence[Answer], baskets: Sequence[Basket], faults: Sequence[Fault], *,
             brief: bool) -> None:
        """The table of all goods, then each, then the basket, what is wrong with the file, and the marks."""
        if answers:
            count = sum(len(group.places) for group in self.asked.groups)
            screen.out(screen.coloured(
                say("route_title", day=self.asked.day, goods=len(answers), places=count), "1"))
            screen.out()
            self.overview(answers)
        for answer in answers if brief else ():
            self.unknown(answer)
        for answer in () if brief else answers:
            screen.out()
            self.item(answer)
        if len(answers) > 1:
            for basket in baskets:
                screen.out()
                self.basket(basket)
        if faults:
            screen.out()
            screen.faults(faults)
        if self.marks and not brief:
            screen.out()
            for mark in [name for name in terms.SURE if name in self.marks]:
                screen.out(f"[{mark}] {spoken(terms.SURE[mark])}")

    # every table and line

    def grid(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int], fill: int) -> None:
        """A table as wide as the terminal: ``fill`` takes what the others leave, and the widest give where it must.

        A cell that is too long stands on several lines.
        """
        widths = [max(width(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
        room = self.columns - len(GAP) * (len(heads) - 1)
        widths[fill] = min(widths[fill], max(room - sum(widths) + widths[fill], FILL_COLUMNS_MIN))
        while sum(widths) > room:
            widest = max((at for at in range(len(widths)) if at != fill), key=widths.__getitem__)
            widths[widest] -= 1
        for row in (heads, ["-" * wide for wide in widths], *rows):
            cells = [screen.wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)]
            for number in range(max(map(len, cells))):
                screen.out(GAP.join(padded(lines[number] if number < len(lines) else "", widths[at], right=at in right)
                                    for at, lines in enumerate(cells)).rstrip())

    def line(self, text: str, indent: int = 2) -> None:
        """A text, wrapped; its later lines set in."""
        first, *rest = screen.wrapped(text, self.columns - indent - 2)
        screen.out(" " * indent + first)
        for more in rest:
            screen.out(" " * (indent + 2) + more)

    def because(self, why: Because, before: str = "") -> None:
        """A reason: the words, then the text and the row that say so."""
        self.line(f"{before}{spoken(why.text)}{self.source(why)}", 4)
        if why.note:
            self.line(spoken(costing.said("row_note", note=why.note)), 6)

    def source(self, why: Because) -> str:
        """The text and the row behind words."""
        if why.confidence:
            self.marks.add(why.confidence)
        behind = "; ".join(text for text in (spoken(why.source), why.row) if text)
        return f" <{behind}>" if behind else ""

    def names(self, places: Sequence[str]) -> str:
        """The names of places; of many the first ones and how many they are."""
        known = self.asked.policy.places
        everywhere = sum(len(group.places) for group in self.asked.groups)
        if NATION in places and len(places) == everywhere:
            return spoken(costing.said("everywhere"))
        names = [spoken(Words(known[place].zh, known[place].en)) if place in known else place
                 for place in places]
        if NATION in places:
            return spoken(costing.said("elsewhere", count=len(places)))
        if len(names) <= NAMES_SHOWN + 1:
            return screen.listed(names)
        return say("route_places", names=screen.listed(names[:NAMES_SHOWN]), count=len(places))

    # parts of the page

    def overview(self, answers: Sequence[Answer]) -> None:
        """All goods, the cheapest first: may it come, the tax three ways, the cheapest road."""
        heads = [say("number"), say("route_goods"), say("route_may"), say("route_ecommerce"), road_name("postal"),
                 road_name("general"), say("route_cheapest")]
        ordered = sorted(answers, key=lambda answer: costing.order(answer.roads[0].cost))
        rows = []
        for answer in ordered:
            cheapest = answer.cheapest
            best = "?" if cheapest is None else road_name(cheapest, short=True) if cheapest else "-"
            ways = [_cheapest(answer, lambda name: name in self.asked.modes),
                    *(_cheapest(answer, lambda name, way=way: name == way) for way in ("postal", "general"))]
            rows.append([str(answer.item.row), answer.item.name or answer.gcode, may_word(answer.may), *ways, best])
        self.grid(heads, rows, right=(0, 3, 4, 5), fill=1)
        self.line(say("route_unit"), 0)

    def unknown(self, answer: Answer) -> None:
        """In short why an item has no figure in the table, or no cheapest road."""
        found: dict[Words, list[str]] = {}
        for road in answer.roads:
            beside = [other for other in answer.roads if other.may != route.NO and other.road in self.asked.modes]
            if road.may == route.NO and road.road in self.asked.modes and beside:
                continue  # the column has a figure of another mode, or its reason
            for words in _why_no_figure(answer, road):
                found.setdefault(words, []).append(road_word(road.road))
        for words, roads in found.items():
            self.line(f"{answer.item.row} {', '.join(dict.fromkeys(roads))}: {spoken(words)}", 0)

    def item(self, answer: Answer) -> None:
        """One item: its roads, cheapest first, and why each cell is what it is."""
        item = answer.item
        screen.out(screen.coloured(f"{item.row}  {item.name}".rstrip(), "1"))
        if item.price is not None:
            freight = plain(item.freight) if item.freight is not None else "0"
            self.line(say("route_priced", code=answer.gcode, price=plain(item.price), quantity=plain(item.quantity),
                          freight=freight))
        else:
            self.line(answer.gcode)
        heads = [say("route_road"), say("route_may"), say("tax"), say("route_share"), say("place")]
        rows = [[road_name(road.road), may_word(road.may), *_figures(road), self.names(road.places)]
                for road in answer.roads]
        open_roads = [road for road in answer.roads if road.may != route.NO]
        self.grid(heads, rows, right=(2, 3), fill=4)
        self.section("route_why", self._why(answer))
        self.section("route_conditions", _by_road(open_roads, lambda road: road.conditions))
        self.section("route_tax", _by_road(open_roads, lambda road: road.cost.steps))
        self.section("route_needs", _by_road(open_roads, lambda road: road.needs))
        self.section("route_limits", _by_road(open_roads, lambda road: road.limits.why if road.limits else ()))
        self.missing(answer)
        self.changes(answer)

    def section(self, title: str, reasons: Mapping[Because, Sequence[str]]) -> None:
        """Reasons under a title, each with the roads that it concerns."""
        if reasons:
            self.line(label(title).rstrip())
        for why, roads in reasons.items():
            self.because(why, f"{', '.join(dict.fromkeys(roads))}: ")

    def _why(self, answer: Answer) -> dict[Because, list[str]]:
        """The rows that open or close the modes, with their places, then the list and the limits."""
        made: dict[Because, list[str]] = {}
        for road in answer.roads:
            for at, opened in enumerate(road.opened):
                if at >= ROWS_SHOWN:
                    more = say("route_more_rows", count=len(road.opened) - at)
                    made[Because(Words(more, more), Words("", ""), road.road + road.may, "", "", "")] = [road.road]
                    break
                text = f"{spoken(opened.why.text)} ({self.names(opened.places)})"
                made.setdefault(opened.why._replace(text=Words(text, text)), []).append(road.road)
            for why in road.why[1 if road.opened else 0:]:
                made.setdefault(why, []).append(road_word(road.road))
        return made

    def missing(self, answer: Answer) -> None:
        """What nobody said and the answer needs."""
        found: dict[Words, list[str]] = {words: [] for words in answer.missing}
        for road in answer.roads:
            for words in road.missing:
                found.setdefault(words, []).append(road_word(road.road))
        if found:
            self.line(label("route_missing").rstrip())
        for words, roads in found.items():
            self.line((f"{', '.join(dict.fromkeys(roads))}: " if roads else "") + spoken(words), 4)

    def changes(self, answer: Answer) -> None:
        """What coming days change, the next first."""
        if answer.changes:
            self.line(label("route_changes").rstrip())
        for change in answer.changes[:CHANGES_SHOWN]:
            what = costing.table()["changes"][change.what]
            roads = ", ".join(map(road_word, change.roads))
            words = f"{change.day} {roads}, {spoken(Words(what['zh'], what['en']))}: "
            self.line(f"{words}{spoken(change.before)} -> {spoken(change.after)} ({self.names(change.places)})", 4)
            for why in change.sources[:ROWS_SHOWN]:
                self.line(spoken(why.text) + self.source(why), 6)
        if len(answer.changes) > CHANGES_SHOWN:
            self.line(say("route_more_changes", count=len(answer.changes) - CHANGES_SHOWN), 4)

    def basket(self, basket: Basket) -> None:
        """All goods in one order."""
        self.line(say("route_basket", count=basket.items, value=plain(basket.value)), 0)
        if basket.action == "inside":
            self.line(say("route_basket_inside", single="-" if basket.single is None else plain(basket.single)))
        for why in basket.over:
            self.because(why)
        if basket.orders is not None and basket.orders > 1:
            self.line(say("route_basket_orders", orders=basket.orders))
        if basket.year is not None and basket.baskets_a_year is not None:
            self.line(say("route_basket_year", year=plain(basket.year), count=basket.baskets_a_year))


def _by_road(roads: Sequence[Road], part: Any) -> dict[Because, list[str]]:
    """Reasons -> the roads that have them."""
    made: dict[Because, list[str]] = {}
    for road in roads:
        for why in part(road):
            made.setdefault(why, []).append(road_word(road.road))
    return made


def _cheapest(answer: Answer, wanted: Any) -> str:
    """The lowest tax of some roads that are not barred."""
    found = [road for road in answer.roads if wanted(road.road) and road.may != route.NO]
    return amount(min(found, key=lambda road: costing.order(road.cost)).cost) if found else "-"


def _why_no_figure(answer: Answer, road: Road) -> Sequence[Words]:
    """Why a road has no tax in the table, or is not sure to be open; nothing where both are known."""
    if road.may == route.NO:
        over = road.limits.over if road.limits is not None and road.limits.action == tax.REFUSE else ()
        if road.why[0].text != costing.said("mode_open", mode=road.road):
            return [road.why[0].text]
        return [why.text for why in (*over, *road.why[1:])[:1]]
    if road.may == route.UNCLEAR:
        return [why.text for why in road.why if why.topic == route.LIST_TOPIC]
    if costing.low_end(road.cost) is not None:
        return ()
    if answer.item.price is None:
        return [costing.no_price(answer.item)]
    return road.cost.missing or [why.text for why in (road.limits.over if road.limits is not None else ())]


def _figures(road: Road) -> tuple[str, str]:
    """Tax and share; nothing for a road that is barred."""
    return ("", "") if road.may == route.NO else (amount(road.cost), share(road.cost))


def road_name(road: str, *, short: bool = False) -> str:
    """A road as people call it: a mode with its code."""
    held = costing.table()["roads"][road]
    name = spoken(Words(held["zh"], held["en"]))
    if not road.isdigit():
        return name
    return road if short else f"{road} {name}"


def road_word(road: str) -> str:
    """A road in a list."""
    return road_name(road, short=True)


def may_word(may: str) -> str:
    """Whether it may come, in a word."""
    held = costing.table()["may"][may]
    return spoken(Words(held["zh"], held["en"]))


def amount(cost: Cost) -> str:
    """The tax, both ends where a fact is missing; "?" where it is not sure."""
    if cost.tax is None and cost.low is None:
        return "-" if cost.how == tax.REFUSE else "?"
    text = f"{cost.tax:,.2f}" if cost.tax is not None else f"{cost.low:,.2f}–{cost.high:,.2f}"
    return text if cost.sure or cost.tax is None else text + " ?"


def share(cost: Cost) -> str:
    """The tax as a share of the dutiable value."""
    return "" if cost.share is None else costing.percent(cost.share)
