"""The same traffic at every pilot city (试点对照): what each city's row of law makes of the same parcels.

For each city one morning of traffic is generated from the same seed, so that goods, prices, buyers and sown faults are
the same and only companies and customs offices are the city's own, and it is cleared in a store of its own under the
law and the profile that the city has on the day. A parcel is known again by its order number, so one sees which pass
everywhere, which stop everywhere, and which stop here and not there, by which rule and which rows of the law.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance.match import links
from cebport.clearance.parts import CLOSED, RELEASED, WAITING, Case, Reason
from cebport.faults import ERROR, WARNING, Words
from cebport.policy import Policy, Row, View
from cebport.testing.market import SHOP_PRICES, City, pilot_cities
from cebport.values import BEIJING, ZERO

AT = time(9)
"""When the morning ends, Beijing time."""
ALGORITHM = "sm2"
"""Of all cards: nobody looks at them here, and an RSA key takes a tenth of a second to find."""
STATES = ("released", "refused", "waiting")
MODES = "mode."
WEIGHED, TOLERANCE = "practice.", "practice.money_tolerance_cny"
DESCRIBING = frozenset({"pilot", "port", "zone", "district"})
"""Families of topics that tell about a place and decide nothing."""
LAW_OF_RULES = {"LAW-MODE": MODES, "LAW-LIMIT-": "tax.", "LAW-LIST-": "positive_list."}
"""How a rule begins -> how the names of the topics begin that it is judged by."""

Progress = Callable[[int], None]


class Told(NamedTuple):
    """A rule that refused or warned: how many parcels (or documents without one), its words with the last values."""

    rule: str
    parcels: int
    words: Words


class Pilot(NamedTuple):
    """What one city made of the traffic. states: parcels by STATES; by_mode: the same for each mode ("" = no inventory
    says it); lacking: what waiting parcels lack; duty, vat, consumption: CNY due; by order number: fate the state,
    stops the rules that refused, goods the name of the first goods."""

    place: str
    name: Words
    view: View
    states: dict[str, int]
    by_mode: dict[str, dict[str, int]]
    refusals: tuple[Told, ...]
    warnings: tuple[Told, ...]
    lacking: dict[str, int]
    duty: Decimal
    vat: Decimal
    consumption: Decimal
    fate: dict[str, str]
    stops: dict[str, tuple[str, ...]]
    goods: dict[str, str]

    @property
    def parcels(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def tax(self) -> Decimal:
        """What is due, CNY."""
        return self.duty + self.vat + self.consumption


class Fork(NamedTuple):
    """Parcels that go one way here and another there. stopped: places where they do not pass; rules: what stopped them
    there; example: an order number and the name of its first goods; topics: differing rows of law behind it."""

    parcels: int
    stopped: tuple[str, ...]
    rules: tuple[str, ...]
    topics: tuple[str, ...]
    example: str
    goods: str


class Contrast(NamedTuple):
    """A topic that is not the same at all pilots: each value with its places and the row of the first of them; places
    whose rows rest on another text, or are less sure, stand apart though the value be the same."""

    topic: str
    values: tuple[tuple[Any, tuple[str, ...], Row | None], ...]

    def by_value(self) -> list[tuple[Any, tuple[str, ...], Row | None]]:
        """Each value once, with all its places and the row of the first of them, whatever the rows rest on."""
        made: dict[tuple[str, bool], tuple[Any, tuple[str, ...], Row | None]] = {}
        for value, places, row in self.values:
            first = made.get((repr(value), row is None), (value, (), row))
            made[repr(value), row is None] = (value, first[1] + places, first[2])
        return list(made.values())

    @property
    def decides(self) -> bool:
        """Whether anything is decided by it, or a place only told about."""
        return self.topic.split(".")[0] not in DESCRIBING


class Compared(NamedTuple):
    """The pilots side by side. everywhere: parcels that pass at every one; nowhere: that pass at none."""

    day: date
    policy: Policy
    pilots: tuple[Pilot, ...]
    everywhere: int
    nowhere: int
    forks: tuple[Fork, ...]
    law: tuple[Contrast, ...]


def compare(parcels: int, day: date, *, seed: int, faults: float, overlays: Sequence[Path] = (),
            cities: Iterable[City] = (), progress: Progress | None = None) -> Compared:
    """Clear the same ``parcels`` at every pilot city on a day.

    faults: share of parcels with a fault of tables/sown.yaml. progress: told how many parcels are cleared.
    Raises ValueError for a day or a number that traffic cannot be made of, PolicyError for a bad overlay.
    """
    policy = Policy.load(overlays=overlays)
    there = tuple(cities) or pilot_cities()
    pilots = []
    for each in there:
        with tempfile.TemporaryDirectory(prefix="cebport-pilots-") as folder:
            alike = _priced_as(each, there[0])
            pilots.append(_clear(Path(folder), alike, parcels, day, seed, faults, overlays, policy))
        if progress is not None:
            progress(parcels)
    law = contrasts(policy, pilots)
    passing = [{number for number, state in pilot.fate.items() if state == STATES[0]} for pilot in pilots]
    union, common = set().union(*passing), set.intersection(*passing)
    numbers = {number for pilot in pilots for number in pilot.fate}
    return Compared(day, policy, tuple(pilots), len(common), len(numbers - union),
                    tuple(forks(pilots, union - common, law)), law)


def _priced_as(there: City, home: City) -> City:
    """The city with the prices of another: shops count through the cities, and every few cities prices are the same."""
    period = SHOP_PRICES // gcd(SHOP_PRICES, len(there.merchants))
    return there._replace(number=there.number + (home.number - there.number) % period)


def _clear(folder: Path, there: City, parcels: int, day: date, seed: int, faults: float, overlays: Sequence[Path],
           policy: Policy) -> Pilot:
    from cebport.server.run import OF_THE_PLACE, clear
    from cebport.server.settings import Settings
    from cebport.server.store.store import Store
    from cebport.testing.traffic import generate

    on = datetime.combine(day, AT, BEIJING)
    made, url = folder / "traffic", f"sqlite:///{folder / 'pilot.db'}"
    generate(made, parcels=parcels, seed=seed, on=on, place=there, faults=faults, algorithm=ALGORITHM)
    settings = Settings(store=url, trust=(str(made / "trust.yaml"),), filings=str(made / "filings.yaml"),
                        receipts=str(folder / "receipts"), profile=OF_THE_PLACE, overlays=tuple(map(str, overlays)))
    clear([made / "messages"], settings, on)
    store = Store.open(url, None)
    try:
        return _pilot(store, there, policy, day)
    finally:
        store.close()


def _pilot(store: Any, there: City, policy: Policy, day: date) -> Pilot:
    """The store of one city summed up."""
    from cebport.server import summary

    by_mode: dict[str, Counter[str]] = {}
    lacking: Counter[str] = Counter()
    duty = vat = consumption = ZERO
    fate, goods = {}, {}
    for case in summary.cases(store):
        state = STATES[0] if case.state in (RELEASED, CLOSED) else case.state
        fate[case.orderNo] = state
        goods[case.orderNo] = _first_goods(case)
        mode = case.inventory.tradeMode if case.inventory is not None else ""
        by_mode.setdefault(mode, Counter())[state] += 1
        if state == WAITING:
            lacking[_lacks(case)] += 1
        if case.bill is not None:
            duty, vat = duty + case.bill.duty, vat + case.bill.vat
            consumption += case.bill.consumption
    refusals, warnings, stops = _told(summary.events(store))
    place = policy.places[there.place]
    return Pilot(
        there.place, Words(place.zh, place.en), policy.at(day, there.place), _states(fate.values()),
        {mode: {state: counts[state] for state in STATES} for mode, counts in sorted(by_mode.items())},
        refusals, warnings, dict(lacking.most_common()), duty, vat, consumption, fate, stops, goods)


def _states(found: Iterable[str]) -> dict[str, int]:
    counts = Counter(found)
    return {state: counts[state] for state in STATES}


def _first_goods(case: Case) -> str:
    held = case.inventory or case.order
    return held.lines[0].name if held is not None and held.lines else ""


def _lacks(case: Case) -> str:
    """What a waiting parcel lacks first: inventory, order, payment; the waybill (or tally) when all three are there."""
    if case.inventory is None:
        return "inventory"
    if case.order is None:
        return "order"
    if not case.payments:
        return "payment"
    return "waybill"


def _told(found: Iterable[Any]) -> tuple[tuple[Told, ...], tuple[Told, ...], dict[str, tuple[str, ...]]]:
    """What refused and what warned, most first; and for each order number the rules that refused it."""
    from cebport.server.trace import reason_fault

    met: dict[str, dict[str, set[object]]] = {ERROR: {}, WARNING: {}}
    last: dict[str, Reason] = {}
    stops: dict[str, dict[str, None]] = {}
    for at, event in enumerate(found):
        for reason in event.why:
            if reason.severity not in met:
                continue
            met[reason.severity].setdefault(reason.rule, set()).add(event.case or at)
            last[reason.rule] = reason
            if reason.severity == ERROR and event.case:
                stops.setdefault(event.case.split("|")[0], {})[reason.rule] = None
    told = {severity: tuple(sorted(
        (Told(rule, len(who), reason_fault(last[rule], None).message) for rule, who in rules.items()),
        key=lambda each: (-each.parcels, each.rule))) for severity, rules in met.items()}
    return told[ERROR], told[WARNING], {number: tuple(sorted(rules)) for number, rules in stops.items()}


# ── what differs ────────────────────────────────────────────────────────────────────────────────────


def contrasts(policy: Policy, pilots: Sequence[Pilot]) -> tuple[Contrast, ...]:
    """Every topic whose value is not the same at all of them, in the order of the tables."""
    names = dict.fromkeys([*policy.topics, *(name for pilot in pilots for name in pilot.view.rows())])
    made = []
    for name in names:
        values: dict[tuple[str, str, str], tuple[Any, list[str], Row | None]] = {}
        for pilot in pilots:
            row = pilot.view.row(name)
            value = None if row is None else row.value
            held = ("", "") if row is None else (row.instrument, row.confidence)
            values.setdefault((repr(value), *held), (value, [], row))[1].append(pilot.place)
        if len({value for value, *_ in values}) > 1 or len({row is None for *_, row in values.values()}) > 1:
            made.append(Contrast(name, tuple((value, tuple(places), row) for value, places, row in values.values())))
    return tuple(made)


def forks(pilots: Sequence[Pilot], numbers: Iterable[str], law: Sequence[Contrast]) -> list[Fork]:
    """The parcels that pass at some pilots only, by where and by what they are stopped; most parcels first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for number in sorted(numbers):
        stopped = tuple(pilot.place for pilot in pilots if pilot.fate.get(number) != STATES[0])
        rules = {rule for pilot in pilots if pilot.place in stopped for rule in pilot.stops.get(number, ())}
        groups.setdefault((stopped, tuple(sorted(rules))), []).append(number)
    goods = {number: name for pilot in pilots for number, name in pilot.goods.items() if name}
    made = [Fork(len(held), stopped, rules, topics_behind(rules, law), held[0], goods.get(held[0], ""))
            for (stopped, rules), held in groups.items()]
    return sorted(made, key=lambda fork: (-fork.parcels, fork.stopped, fork.rules))


def topics_behind(rules: Iterable[str], law: Sequence[Contrast]) -> tuple[str, ...]:
    """The differing topics by which these rules are judged."""
    differing = [contrast.topic for contrast in law]
    by_money = {link.rule for link in links() if link.compare == "money"}
    found: dict[str, None] = {}
    for rule in rules:
        own = WEIGHED + rule
        if own in differing:
            found[own] = None
        if rule in by_money and TOLERANCE in differing:
            found[TOLERANCE] = None
        for begins, topics in LAW_OF_RULES.items():
            if rule.startswith(begins):
                found.update(dict.fromkeys(name for name in differing if name.startswith(topics)))
    return tuple(found)
