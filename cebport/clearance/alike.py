"""Places under the same law (同一规则的地点), and the coming days on which it changes there.

Two hundred places ask for few answers: those that the same rows speak of, in the same order of places above them,
have the same law on every day. `alike` sorts them so; a `Group` has the view of one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from cebport.policy import Policy, Row, View

PROFILE = "place.profile"
NATION_LEVEL, DISTRICT_LEVEL = "nation", "district"
DAY = timedelta(days=1)


class Step(NamedTuple):
    """The law from a day on; ``law``: its text, equal where the law is."""

    day: date
    view: View
    law: str


class Kin(NamedTuple):
    """Places that the same rows speak of: the law now, and on every coming day on which it differs."""

    places: tuple[str, ...]
    now: Step
    steps: tuple[Step, ...]

    @property
    def view(self) -> View:
        """The law of the day there."""
        return self.now.view


class Group(NamedTuple):
    """Places whose law says the same on the day, though other rows may say it and other days may come."""

    kin: tuple[Kin, ...]

    @property
    def view(self) -> View:
        """The law of the day there."""
        return self.kin[0].view

    @property
    def places(self) -> tuple[str, ...]:
        """Ids of all of them."""
        return tuple(place for kin in self.kin for place in kin.places)


def standing(policy: Policy, day: date) -> list[str]:
    """Every city, zone and park that exists on a day, and the nation for all that has no row."""
    return [place.id for place in policy.places.values() if place.level != DISTRICT_LEVEL and place.stands(day)]


def alike(policy: Policy, day: date, places: Sequence[str], topics: Sequence[str]) -> list[Group]:
    """The places in groups of the same law, as far as topics that begin with one of ``topics`` go.

    Raises KeyError for a place that is none.
    """
    days = [later for later in change_days(policy, topics) if later > day]
    groups: dict[str, list[Kin]] = defaultdict(list)
    for members in _kindred(policy, places, topics):
        view = policy.at(day, members[0])
        now = Step(day, view, law_text(view, topics))
        groups[now.law].append(Kin(tuple(members), now, _steps(policy, members[0], now.law, days, topics)))
    return [Group(tuple(kin)) for kin in groups.values()]


def _steps(policy: Policy, place: str, said: str, days: Iterable[date],
           topics: Sequence[str]) -> tuple[Step, ...]:
    made = []
    for day in days:
        view = policy.at(day, place)
        now = law_text(view, topics)
        if now != said:
            made.append(Step(day, view, now))
            said = now
    return tuple(made)


def law_text(view: View, topics: Sequence[str]) -> str:
    """The values of the topics in one text: equal where the law is."""
    begins = tuple(topics)
    return repr(sorted((topic, row.value) for topic, row in view.rows().items() if topic.startswith(begins)))


def change_days(policy: Policy, topics: Sequence[str]) -> list[date]:
    """Every day on which a row of the topics, or a place, begins or has ended."""
    begins = (*topics, PROFILE)
    held: list[Any] = [row for row in policy.rows() if row.topic.startswith(begins) and row.withdrawn_at is None]
    days = set()
    for one in [*held, *policy.places.values()]:
        if one.since is not None:
            days.add(one.since)
        if one.until is not None and one.until < date.max:
            days.add(one.until + DAY)
    return sorted(days)


def _kindred(policy: Policy, places: Sequence[str], topics: Sequence[str]) -> Iterable[list[str]]:
    """The places sorted by the rows that speak of them and of every place above them."""
    begins = (*topics, PROFILE)
    spoken: dict[str, list[str]] = defaultdict(list)
    for row in policy.rows():
        if row.topic.startswith(begins):
            spoken[row.place].append(_mark(row))
    kindred: dict[Any, list[str]] = defaultdict(list)
    for place in dict.fromkeys(places):
        key, held = [], policy.places.get(place)
        if held is None:  # a customs code: the law finds its place, on another day perhaps another
            kindred[place].append(place)
            continue
        while held is not None:
            key.append((held.since, held.until, tuple(spoken.get(held.id, ()))))
            held = policy.places.get(held.parent)
        kindred[tuple(entry for entry in key if entry != (None, None, ()))].append(place)
    return kindred.values()


def _mark(row: Row) -> str:
    return f"{row.topic} {row.since} {row.until} {row.where}"
