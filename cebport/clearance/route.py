"""Which goods, which road (哪些商品走哪条路): for each item and place whether it may come, how, and what it costs.

The roads are the modes of cross-border e-commerce that the tables know, the postal article (个人邮递物品) and general
trade (一般贸易). Every cell of an answer says why: the words, the text that holds, and the row that says so. What is
not known is named as missing, and what a coming row of the tables will change is told.

Reading order: goods (the file) -> alike (places under one law) -> costing (tax of a road) -> route (the answers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance import costing, tax
from cebport.clearance.alike import Group, Kin, Step, alike, standing
from cebport.clearance.costing import Because, Cost, because, said, table
from cebport.clearance.goods import Item
from cebport.faults import Words
from cebport.policy import Policy, View
from cebport.policy.lists import Listing
from cebport.values import ZERO, plain

YES, FEWER, UNCLEAR, NO = "yes", "fewer", "unclear", "no"
RANK = {YES: 0, FEWER: 1, UNCLEAR: 2, NO: 3}
POSTAL, GENERAL = "postal", "general"
MODE, LIST_TOPIC, DOCUMENTS = "mode.", "positive_list.edition", "duty.documents."
WAIVER_TOPIC = "general_trade.duty_waiver_below_cny"
PARCEL_TOPIC, YEAR_RULE = "postal.parcel_limit_cny", "LAW-LIMIT-YEAR"
NEAR = ("110", "121", "143")
"""Country codes of Hong Kong, Macao and Taiwan: their parcels have a limit of their own."""
PIECES_MAX = 1_000_000
NO_WORDS = Words("", "")
ONE = Decimal(1)


class Limits(Struct, frozen=True):
    """What the buyer's limits make of the order of an item. None: no such limit on that day.

    value: what the limits compare, CNY. pieces_an_order: the most that one order may hold inside the limit.
    orders_a_year, pieces_a_year: orders of this size inside the year, and their pieces. person_year_pieces: by the
    remark of the positive list. action: inside, full_tax or refuse, of the order as the file has it; over: the limit
    that says so.
    """

    value: Decimal
    single: Decimal | None
    year: Decimal | None
    action: str
    pieces_an_order: int | None
    orders_a_year: int | None
    pieces_a_year: int | None
    person_year_pieces: int | None
    over: tuple[Because, ...]
    why: tuple[Because, ...]


class Opened(NamedTuple):
    """A row that opens or closes a mode, and the places for which it is this one."""

    why: Because
    places: tuple[str, ...]


class Road(Struct, frozen=True):
    """One road of one item in places of one law.

    may: yes; fewer (not so many pieces in one order); unclear (a fact is missing); no.
    """

    road: str
    may: str
    why: tuple[Because, ...]
    conditions: tuple[Because, ...]
    cost: Cost
    needs: tuple[Because, ...]
    limits: Limits | None
    missing: tuple[Words, ...]
    places: tuple[str, ...] = ()
    opened: tuple[Opened, ...] = ()


class Change(Struct, frozen=True):
    """What a coming day changes: on which roads, in which places, which cell, before and after."""

    day: date
    what: str
    roads: tuple[str, ...]
    places: tuple[str, ...]
    before: Words
    after: Words
    sources: tuple[Because, ...]


class Answer(Struct, frozen=True):
    """All roads of one item, the cheapest open one first; missing facts; coming changes."""

    item: Item
    gcode: str
    roads: tuple[Road, ...]
    missing: tuple[Words, ...]
    changes: tuple[Change, ...]

    @property
    def may(self) -> str:
        """The best that any mode of cross-border e-commerce answers."""
        return min((road.may for road in self.roads if road.road not in (POSTAL, GENERAL)), key=RANK.__getitem__,
                   default=NO)

    @property
    def cheapest(self) -> str | None:
        """The cheapest road that is open; "" = none is, None = not to be said: one that may be open has no sure place.

        That is one without a figure, one of which it is not clear whether it is open, or figures whose ends overlap.
        """
        open_roads = [road for road in self.roads if road.may != NO]
        if not open_roads:
            return ""
        if any(road.may == UNCLEAR or costing.low_end(road.cost) is None for road in open_roads):
            return None
        first = min(open_roads, key=lambda road: costing.order(road.cost))
        others = [costing.order(road.cost)[1] for road in open_roads if road.road != first.road]
        return None if any(first.cost.high is not None and low < first.cost.high for low in others) else first.road


class Basket(Struct, frozen=True):
    """All goods of a file in one order of one buyer: what the limits do to it.

    orders: so many at the least; None: it cannot come, however it is split. baskets_a_year: None where it cannot come
    in one order.
    """

    places: tuple[str, ...]
    items: int
    value: Decimal
    single: Decimal | None
    year: Decimal | None
    action: str
    rule: str
    orders: int | None
    baskets_a_year: int | None
    over: tuple[Because, ...]


class Asked(NamedTuple):
    """A question: the law of a day in places."""

    policy: Policy
    day: date
    groups: tuple[Group, ...]
    modes: tuple[str, ...]


def ask(policy: Policy, day: date, places: Sequence[str] = ()) -> Asked:
    """Prepare the question; no places: every one that exists on the day. Raises KeyError for a place that is none."""
    topics = table()["topics"]
    groups = alike(policy, day, list(places) or standing(policy, day), topics)
    modes = tuple(road for road in table()["roads"] if MODE + road in policy.topics)
    return Asked(policy, day, tuple(groups), modes)


# ── one item ────────────────────────────────────────────────────────────────────────────────────────


def answer(item: Item, asked: Asked) -> Answer:
    """Every road of an item, sorted by what may come and what it costs."""
    gcode, missing = costing.whole_code(item, asked.groups[0].view)
    item_missing = [*missing, *costing.missing_of(item, asked.groups[0].view)]
    known: dict[str, _Cells] = {}

    def cells(step: Step) -> _Cells:
        made = known.get(step.law)
        if made is None:
            roads = roads_of(item, gcode, step.view, asked.modes)
            made = known[step.law] = {road.road: _cells(road) for road in roads}
        return made

    made: list[Road] = []
    changes: list[Change] = []
    for group in asked.groups:
        roads = roads_of(item, gcode, group.view, asked.modes)
        known[group.kin[0].now.law] = {road.road: _cells(road) for road in roads}
        for road in roads:
            opened = _opened(road.road, group) if road.road in asked.modes else ()
            made.append(replace(road, places=group.places, opened=opened))
        for kin in group.kin:
            changes += _changes(kin, cells)
    everywhere = _merged(made)
    everywhere.sort(key=lambda road: (RANK[road.may] == RANK[NO], *costing.order(road.cost), RANK[road.may]))
    return Answer(item, gcode, tuple(everywhere), tuple(dict.fromkeys(item_missing)), _joined(changes))


def roads_of(item: Item, gcode: str, view: View, modes: Sequence[str]) -> tuple[Road, ...]:
    """Every road of an item under one law."""
    made = [_mode_road(mode, item, gcode, view) for mode in modes]
    return (*made, _postal_road(item, gcode, view), _general_road(item, gcode, view))


def _mode_road(mode: str, item: Item, gcode: str, view: View) -> Road:
    """Cross-border e-commerce in one mode."""
    may, why = YES, []
    row = view.row(MODE + mode)
    if view.mode(mode) is None:
        may = NO
        why.append(because(view, MODE + mode, "mode_no_row" if row is None else "mode_closed", mode=mode))
    else:
        why.append(because(view, MODE + mode, "mode_open", mode=mode))
    listing = view.listed(gcode, mode)
    state, listed, conditions, missing = _list_says(listing, gcode, view)
    why.append(listed)
    may = max(may, state, key=RANK.__getitem__)
    conditions += _asked_by_rows("conditions", mode, view)
    person = _person_pieces(item, listing, missing)
    if person is not None:
        conditions.append(because(view, LIST_TOPIC, "limit_person", pieces=person))
        if item.quantity > person:
            may = max(may, FEWER if person else NO, key=RANK.__getitem__)
    limits = _limits(item, gcode, view, person)
    cost = costing.ecommerce(item, gcode, view, limits.action if limits is not None else tax.INSIDE)
    if limits is not None and limits.action == tax.REFUSE:
        why.extend(limits.over)
        may = max(may, FEWER if limits.pieces_an_order else NO, key=RANK.__getitem__)
        if limits.pieces_an_order:
            conditions.append(because(view, "", "fewer", pieces=limits.pieces_an_order))
    elif limits is not None and limits.action == tax.FULL_TAX:
        conditions.extend(limits.over)
    return Road(mode, may, tuple(why), tuple(conditions), cost, _needs(mode, view), limits,
                tuple(dict.fromkeys([*missing, *cost.missing])))


def _list_says(listing: Listing, gcode: str, view: View) -> tuple[str, Because, list[Because], list[Words]]:
    """(may it come, why, conditions, missing facts) by the positive list (正面清单)."""
    hs8, row = gcode[:8], listing.row
    if listing.state == "not_required":
        return YES, because(view, "positive_list.required", "no_list"), [], []
    edition = listing.edition
    if row is None:
        if listing.complete:
            return NO, because(view, LIST_TOPIC, "absent", edition=edition), [], []
        published, loaded = view[LIST_TOPIC]["lines"], view.lines_loaded
        sample = said("sample_list", edition=edition, lines=published, loaded=loaded) if published > loaded else (
            said("sample_loaded", edition=edition, loaded=loaded))  # of an imported list only its rows are known
        return UNCLEAR, because(view, LIST_TOPIC, "absent_sample", edition=edition, hs8=hs8), [], [sample]
    remark = Words(row.remark or row.remark_kind, row.remark_en or row.remark or row.remark_kind)
    name = Words(row.name, row.name_en or row.name)
    if listing.state == "excluded":
        told = because(view, LIST_TOPIC, "excluded", edition=edition, hs8=hs8, remark=remark)
        return NO, told._replace(row=row.where, note=row.note), [], []
    told = because(view, LIST_TOPIC, "listed", edition=edition, hs8=hs8, name=name)
    conditions = []
    if row.remark_kind:
        condition = because(view, LIST_TOPIC, row.remark_kind, remark=remark, unit=costing.unit_words(row.unit),
                            quantity=plain(row.quantity) if row.quantity is not None else "")
        conditions.append(condition._replace(row=row.where))
    return YES, told._replace(row=row.where, note=row.note, confidence=row.confidence), conditions, []


def _postal_road(item: Item, gcode: str, view: View) -> Road:
    """A parcel of a person, taxed as an article."""
    missing = [said("price_table"), said("other_documents")]
    limit = view[PARCEL_TOPIC]
    if view["postal.bands"] is None or limit is None:
        return Road(POSTAL, NO, (because(view, "postal.bands", "postal_none"),), (), costing.NOTHING, (), None, ())
    cost = costing.postal(item, gcode, view)
    if not item.sent_from:
        missing.append(said("no_origin"))
    most = limit["hk_mo_tw" if item.sent_from in NEAR else "other"]
    may, why = YES, []
    if item.price is not None:
        goods = item.price * item.quantity
        within = "postal_within" if goods <= most else "postal_over"
        if goods > most and item.quantity == 1 and limit["single_item_may_exceed"]:
            within = "postal_single"
        pieces = int(most / item.price)
        if within == "postal_over":
            may = FEWER if pieces or limit["single_item_may_exceed"] else NO
        why.append(because(view, PARCEL_TOPIC, within, value=plain(goods), limit=plain(most)))
        if may == FEWER:
            why.append(because(view, PARCEL_TOPIC, "fewer", pieces=max(pieces, 1)))
    return Road(POSTAL, may, tuple(why), (because(view, PARCEL_TOPIC, "own_use"),), cost, (), None,
                tuple(dict.fromkeys([*missing, *cost.missing])))


def _general_road(item: Item, gcode: str, view: View) -> Road:
    """The same goods imported by a firm in general trade."""
    cost = costing.general(item, gcode, view)
    missing = [said("other_documents"), *([said("no_import_price")] if item.import_price is None else []),
               *cost.missing]
    waiver = view.get(WAIVER_TOPIC)
    conditions = (because(view, WAIVER_TOPIC, "small_waiver", waiver=plain(waiver)),) if waiver else ()
    return Road(GENERAL, YES, (because(view, "", "general_open"),), conditions, cost, (), None,
                tuple(dict.fromkeys(missing)))


# ── documents, limits ───────────────────────────────────────────────────────────────────────────────


def _needs(mode: str, view: View) -> tuple[Because, ...]:
    """The documents of a mode, the signed ones named so, and the filings and duties of the day."""
    documents, made = table()["documents"], []
    practice = view.practice.get("documents")
    topic = "practice.documents" if practice else DOCUMENTS + mode
    for name in (*(practice or view.get(DOCUMENTS + mode) or ()), "inventory"):
        document = documents[name]
        signing = f"duty.signing.{document['message']}"
        key = "document_signed" if view.get(signing) else "document"
        made.append(because(view, signing if name == "inventory" else topic, key, message=document["message"],
                            name=Words(document["zh"], document["en"])))
    return (*made, *_asked_by_rows("needs", mode, view))


def _asked_by_rows(kind: str, mode: str, view: View) -> list[Because]:
    """What the table of that kind (needs, conditions) says of a mode, as far as the rows of the day hold it."""
    made = []
    for need in table()[kind]:
        topic = need["topic"].format(mode=mode)
        value = view.get(topic)
        if not value or value != need.get("value", value):
            continue
        if need.get("bonded") and mode not in (view["positive_list.bonded_modes"] or ()):
            continue
        if "modes" in need and mode not in (view[need["modes"]] or ()):
            continue
        made.append(costing.because_words(view, topic, Words(*_with_items(need, value))))
    return made


def _with_items(need: Any, value: Any) -> list[str]:
    """The sentence of a need in both languages; a list in the row is counted and its items named."""
    if not isinstance(value, tuple):
        return [need["zh"], need["en"]]
    words = table()["items"]
    return [need[lang].format(count=len(value), items=comma.join(
        words.get(item, {}).get(lang, item) for item in value if isinstance(item, str)))
        for lang, comma in (("zh", "、"), ("en", ", "))]


def _person_pieces(item: Item, listing: Listing, missing: list[Words]) -> int | None:
    """The pieces that the remark of the list leaves a person in a year; None = no such remark, or not to be counted."""
    row = listing.row
    if row is None or row.quantity is None:
        return None
    person = costing.pieces_of(row.quantity, row.unit, item)
    if person is None:
        missing.append(said("no_quota_measure", unit=costing.unit_words(row.unit)))
    return person


def _limits(item: Item, gcode: str, view: View, person: int | None) -> Limits | None:
    """What the limits of the day say of the order; None without a price."""
    if item.price is None:
        return None

    def ordered(pieces: Decimal) -> tuple[Decimal, tax.Treatment]:
        lines = (costing.line_of(item, gcode, view, pieces, item.price),)
        value = tax.limit_value(lines, item.freight or ZERO, item.insured_fee or ZERO, view)
        return value, tax.treatment(lines, value, 0, view)

    regime = "postal.limit_{}_cny" if view["tax.regime"] == tax.POSTAL else "tax.limit_{}_cny"
    single_topic = regime.format("order" if view["tax.regime"] == tax.POSTAL else "single")
    single, year = view[single_topic], view[regime.format("year")]
    value, treated = ordered(item.quantity)
    pieces = _most_inside(item.price, single, lambda n: ordered(Decimal(n))[1].action == tax.INSIDE)
    orders = int(year / value) if year is not None and value else None
    many = None if orders is None else orders * int(item.quantity)
    why = []
    if single is not None:
        if pieces == 0:
            alone = ordered(ONE)[1].action != tax.REFUSE
            why.append(because(view, single_topic, "limit_single_alone" if alone else "limit_single_none",
                               limit=plain(single)))
        else:
            why.append(because(view, single_topic, "limit_single", limit=plain(single),
                               pieces="-" if pieces is None else pieces))
    if year is not None:
        why.append(because(view, regime.format("year"), "limit_year", limit=plain(year), orders=orders, pieces=many,
                           value=plain(value)))
    return Limits(value, single, year, treated.action, pieces, orders, many, person, _over(treated, value, view),
                  tuple(why))


def _over(treated: tax.Treatment, value: Decimal, view: View) -> tuple[Because, ...]:
    """The limit that an order breaks; nothing inside them."""
    if treated.action == tax.INSIDE:
        return ()
    which = said("year" if treated.rule == YEAR_RULE else "single")
    key = "over_refused" if treated.action == tax.REFUSE else "over_full"
    return (because(view, tax.limit_topic(treated.rule, view), key, value=plain(value), which=which,
                    limit=plain(treated.limit)),)


def _most_inside(price: Decimal, single: Decimal | None, inside: Callable[[int], bool]) -> int | None:
    """The most pieces that one order may hold inside the limits; None = no limit, or more than anybody buys."""
    if single is None or single / price > PIECES_MAX:
        return None
    low, high = 0, int(single / price) + 1
    while low < high:
        middle = (low + high + 1) // 2
        if inside(middle):
            low = middle
        else:
            high = middle - 1
    return low


def baskets(items: Sequence[Item], asked: Asked) -> list[Basket]:
    """All goods that have a price in one order: one answer for each limit that holds somewhere."""
    priced = [item for item in items if item.price is not None]
    made: dict[str, Basket] = {}
    for group in asked.groups if priced else ():
        view = group.view
        lines = [costing.line_of(item, costing.whole_code(item, view)[0], view, item.quantity, item.price, gnum)
                 for gnum, item in enumerate(priced, 1)]
        freight, insured = (sum((getattr(item, name) or ZERO for item in priced), ZERO)
                            for name in ("freight", "insured_fee"))
        value = tax.limit_value(lines, freight, insured, view)
        treated = tax.treatment(lines, value, 0, view)
        postal = view["tax.regime"] == tax.POSTAL
        single = view["postal.limit_order_cny" if postal else "tax.limit_single_cny"]
        year = view["postal.limit_year_cny" if postal else "tax.limit_year_cny"]
        orders, a_year = 1 if single is not None else None, None if year is None or not value else int(year / value)
        if treated.action == tax.REFUSE:
            orders, a_year = None if treated.rule == YEAR_RULE else _orders_at_least(priced, view), None
        basket = Basket(group.places, len(priced), value, single, year, treated.action, treated.rule, orders, a_year,
                        _over(treated, value, view))
        key = repr(replace(basket, places=()))
        held = made.get(key)
        made[key] = basket if held is None else replace(held, places=(*held.places, *group.places))
    return list(made.values())


def _orders_at_least(items: Sequence[Item], view: View) -> int | None:
    """The fewest orders that can hold the goods: a piece over the single limit has its own, the rest goes by value.

    None: one piece may not even come alone, or no single limit holds.
    """
    single = view["postal.limit_order_cny" if view["tax.regime"] == tax.POSTAL else "tax.limit_single_cny"]
    if single is None:
        return None
    alone, rest = 0, []
    for item in items:
        gcode = costing.whole_code(item, view)[0]
        line = costing.line_of(item, gcode, view, ONE, item.price)
        value = tax.limit_value([line], ZERO, ZERO, view)
        if value <= single:
            rest.append(item)
            continue
        if tax.treatment([line], value, 0, view).action == tax.REFUSE:
            return None
        alone += int(item.quantity)
    if not rest:
        return max(1, alone)
    lines = [costing.line_of(item, costing.whole_code(item, view)[0], view, item.quantity, item.price, gnum)
             for gnum, item in enumerate(rest, 1)]
    freight, insured = (sum((getattr(item, name) or ZERO for item in rest), ZERO)
                        for name in ("freight", "insured_fee"))
    value = tax.limit_value(lines, freight, insured, view)
    return alone + max(1, int((value / single).to_integral_value(ROUND_CEILING)))


# ── places and coming days ──────────────────────────────────────────────────────────────────────────


def _opened(mode: str, group: Group) -> tuple[Opened, ...]:
    """Which row opens or closes the mode in which of the places."""
    made: dict[Because, list[str]] = {}
    for kin in group.kin:
        row = kin.view.row(MODE + mode)
        key = "mode_no_row" if row is None else "mode_open" if row.value else "mode_closed"
        made.setdefault(because(kin.view, MODE + mode, key, mode=mode), []).extend(kin.places)
    return tuple(Opened(why, tuple(places)) for why, places in made.items())


def _merged(roads: Sequence[Road]) -> list[Road]:
    """Roads of different laws that answer the same become one."""
    made: dict[str, Road] = {}
    for road in roads:
        key = repr(_cells(road)) + road.road + repr(road.cost.tax)
        held = made.get(key)
        made[key] = road if held is None else replace(
            held, places=(*held.places, *road.places), opened=_together((*held.opened, *road.opened)))
    return list(made.values())


def _together(opened: Sequence[Opened]) -> tuple[Opened, ...]:
    """The same row once, with all its places."""
    made: dict[Because, tuple[str, ...]] = {}
    for one in opened:
        made[one.why] = (*made.get(one.why, ()), *one.places)
    return tuple(Opened(why, places) for why, places in made.items())


class _Cell(NamedTuple):
    """What a coming day may change, in words; parts: those of a list, of which only what is new or gone is told."""

    text: Words
    parts: tuple[Because, ...] = ()


_Cells = dict[str, dict[str, _Cell]]


def _cells(road: Road) -> dict[str, _Cell]:
    """What of a road a coming day may change."""
    limits = road.limits
    told = NO_WORDS
    if limits is not None:
        numbers = {name: "-" if number is None else str(number) for name, number in (
            ("single", limits.single), ("year", limits.year), ("pieces", limits.pieces_an_order))}
        told = said("limits_alone" if limits.pieces_an_order == 0 else "limits", **numbers)
    words = table()["may"]
    return {
        "may": _Cell(Words(words[road.may]["zh"], words[road.may]["en"])),
        "tax": _Cell(costing.tax_words(road.cost)),
        "limits": _Cell(told),
        "conditions": _Cell(NO_WORDS, road.conditions),
        "needs": _Cell(NO_WORDS, road.needs),
    }


def _joined_words(texts: Sequence[Words]) -> Words:
    return Words("；".join(text.zh for text in texts) or "-", "; ".join(text.en for text in texts) or "-")


def _changes(kin: Kin, cells: Callable[[Step], _Cells]) -> Iterator[Change]:
    """What every coming day changes there, cell by cell."""
    last = kin.now
    for step in kin.steps:
        before, after = cells(last), cells(step)
        for road, held in after.items():
            for what, cell in held.items():
                old = before[road][what]
                if old.text != cell.text:
                    yield Change(step.day, what, (road,), kin.places, old.text, cell.text,
                                 _behind(what, road, last.view, step.view))
                gone, new = _only(old.parts, cell.parts), _only(cell.parts, old.parts)
                if gone or new:
                    topics = dict.fromkeys(one.topic for one in (*gone, *new) if one.topic)
                    yield Change(step.day, what, (road,), kin.places, _joined_words([one.text for one in gone]),
                                 _joined_words([one.text for one in new]), _rows_of(topics, step.view))
        last = step


def _only(parts: Sequence[Because], others: Sequence[Because]) -> list[Because]:
    """The parts whose words the others do not have."""
    held = {one.text for one in others}
    return [one for one in parts if one.text not in held]


def _behind(what: str, road: str, view: View, then: View) -> tuple[Because, ...]:
    """The rows that are behind a change of a cell: those of its topics that say something else than before."""
    begins = tuple(table()["changes"][what]["topics"])
    if what == "may" and view.get(MODE + road) != then.get(MODE + road):
        begins = (MODE + road,)
    others = tuple(f".{other}" for other in table()["roads"] if other != road)
    return _rows_of([topic for topic, row in sorted(then.rows().items()) if topic.startswith(begins)
                     and not topic.endswith(others) and view[topic] != row.value], then)


def _rows_of(topics: Iterable[str], view: View) -> tuple[Because, ...]:
    """The rows of topics, each in the words of its topic."""
    made = []
    for topic in topics:
        words = view.policy.topics.get(topic)
        made.append(costing.because_words(view, topic, Words(words.zh, words.en) if words else Words(topic, topic)))
    return tuple(made)


def _joined(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes that are the same in several places and on several roads, told once."""
    for shared in ("places", "roads"):
        made: dict[Any, Change] = {}
        for change in changes:
            key = (change.day, change.what, change.before, change.after,
                   change.roads if shared == "places" else change.places)
            held = made.get(key)
            if held is None:
                made[key] = change
            else:
                both = {name: tuple(dict.fromkeys((*getattr(held, name), *getattr(change, name))))
                        for name in (shared, "sources")}
                made[key] = replace(held, **both)
        changes = list(made.values())
    return tuple(sorted(changes, key=lambda change: change.day))
