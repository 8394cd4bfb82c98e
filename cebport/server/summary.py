"""What a store holds, summed up for people (汇总): parcels by place and state, refusals by reason.

Reads the projections and the journal page by page; memory does not grow with the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import msgspec

from cebport.clearance.parts import PARCEL_STATES, Case, Event, Reason
from cebport.faults import ERROR, Words
from cebport.policy import Policy
from cebport.server.store.store import Store
from cebport.server.trace import reason_fault

ROWS_A_PAGE = 1000
CITY_LEVEL = "zone"
_case = msgspec.msgpack.Decoder(Case)
_events = msgspec.msgpack.Decoder(list[Event])
NOWHERE = Words("尚无清单", "no inventory yet")


class PlaceRow(NamedTuple):
    """The parcels of one place: id ("" = no inventory says where), names, count by state."""

    place: str
    name: Words
    states: dict[str, int]


class ReasonRow(NamedTuple):
    """How many documents one rule refused, and its words with the values of the last of them."""

    rule: str
    documents: int
    words: Words


def by_place(store: Store, policy: Policy, day: date) -> list[PlaceRow]:
    """Parcels by city (or the nearest known place) of their inventory's customs office, most parcels first."""
    counts: dict[str, Counter[str]] = {}
    homes: dict[str, str] = {}
    for case in cases(store):
        office = case.inventory.customsCode if case.inventory is not None else ""
        home = homes.get(office)
        if home is None:
            home = homes[office] = _home(policy, day, office) if office else ""
        counts.setdefault(home, Counter())[case.state] += 1
    rows = []
    for home, states in counts.items():
        place = policy.places.get(home)
        name = NOWHERE if place is None else Words(place.zh, place.en)
        rows.append(PlaceRow(home, name, {state: states[state] for state in PARCEL_STATES}))
    return sorted(rows, key=lambda row: (not row.place, -sum(row.states.values()), row.place))


def _home(policy: Policy, day: date, office: str) -> str:
    """The city on the way from a customs office to the nation; else the nearest place."""
    path = policy.at(day, office).path
    return next((place for place in path if policy.places[place].level == CITY_LEVEL), path[0])


def cases(store: Store) -> Iterator[Case]:
    """Every parcel, in the order of the keys."""
    after = ""
    while rows := store.engine.rows("dump_cases", after, ROWS_A_PAGE):
        for row in rows:
            yield _case.decode(row[-1])
        after = rows[-1][0]


def by_reason(store: Store) -> list[ReasonRow]:
    """What refused documents, most first; a document with two errors counts under both."""
    counts: Counter[str] = Counter()
    samples: dict[str, Reason] = {}
    for event in _refusals(store):
        for reason in {reason.rule: reason for reason in event.why if reason.severity == ERROR}.values():
            counts[reason.rule] += 1
            samples[reason.rule] = reason
    return [ReasonRow(rule, count, reason_fault(samples[rule], None).message) for rule, count in counts.most_common()]


def events(store: Store) -> Iterator[Event]:
    """Every line of the journal, in its order."""
    position = 0
    while rows := store.engine.rows("journal_after", position, ROWS_A_PAGE // 20):
        for row in rows:
            yield from _events.decode(store.vault.stretch(row[-1]))
        position = rows[-1][0]


def _refusals(store: Store) -> Iterator[Event]:
    return (event for event in events(store) if any(reason.severity == ERROR for reason in event.why))


def example(store: Store, state: str) -> Any:
    """A parcel in that state, or None: the first in the order of the keys."""
    return next((case for case in cases(store) if case.state == state), None)
