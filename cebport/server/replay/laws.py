"""The two worlds of a replay (两个世界): a, today's law, and b, the supposed one; and how deep b makes us look.

A plan says all that a replay needs, in plain values, so that any process can begin from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from cebport.messages.fields import TOLERANCES
from cebport.policy import Policy
from cebport.policy.overlay import OF_THE_PLACE, WhatIf, diff
from cebport.policy.schema import jsonable

LIGHT, RULES, TRUST = "none", "rules", "trust"
"""How deep: nothing but refused documents is read from the archive; every document, for its field rules; every
message, for its signature and its filings too."""
TOPICS_TOLD_MAX = 200


class Plan(Struct, frozen=True):
    """What is asked. overlays: of the window itself, in both worlds; overlay: the supposed law. since, until: first and
    last moment of the journal in ms (None = all). horizon: the last moment of the journal that is looked at."""

    store: str
    keys: str | None = None
    overlay: str | None = None
    overlays: tuple[str, ...] = ()
    profile: str | None = "national"
    trust: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    horizon: int = 0
    deep: str = LIGHT
    edition: str = ""
    """Of the supposed law, so that plans of an overlay that was changed differ."""
    unweighed: bool = False
    """Signatures count otherwise under the supposed law, but no certificates to trust were named."""


class Law(NamedTuple):
    """One world's law: its tables and whose practice (None = what each place has on the day)."""

    policy: Policy
    profile: str | None

    def at(self, day: date, place: str) -> Any:
        """The view of a day and a place."""
        return self.policy.at(day, place, profile=self.profile)


def laws_of(plan: Plan) -> tuple[Law, Law]:
    """Both worlds. Raises PolicyError."""
    base = Policy.load(overlays=plan.overlays)
    supposed = WhatIf.read(Path(plan.overlay) if plan.overlay else None, plan.overlays)
    same = supposed.policy.edition == base.edition and supposed.law_of is None
    profile = plan.profile if supposed.profile is None else supposed.profile
    return (Law(base, plan.profile),
            Law(base if same else supposed.policy, None if profile == OF_THE_PLACE else profile))


known_laws: dict[Plan, tuple[Law, Law]] = {}
"""The laws of the plan at hand, read once a process; a process that is forked has those of its parent."""


def laws_once(plan: Plan) -> tuple[Law, Law]:
    """Both worlds of the plan at hand."""
    laws = known_laws.get(plan)
    if laws is None:
        laws = laws_of(plan)
        keep_laws(plan, laws)
    return laws


def keep_laws(plan: Plan, laws: tuple[Law, Law]) -> None:
    """Let ``laws_once`` give these for the plan, and forget those of other plans."""
    known_laws.clear()
    known_laws[plan] = laws


@lru_cache(maxsize=4096)
def _day(number: int) -> date:
    return date.fromordinal(EPOCH_DAY + number)


EPOCH_DAY = 719_163
"""The first day of 1970 in the count of ``date.toordinal``."""
DAY_MS, BEIJING_MS = 86_400_000, 8 * 3_600_000


def day_of(at: int) -> date:
    """The calendar day in China of a moment in ms since 1970; cheap, since it is asked some ten times a decision."""
    return _day((at + BEIJING_MS) // DAY_MS)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def depth(a: Law, b: Law, days: Iterable[date], *, with_trust: bool) -> tuple[str, bool]:
    """How deep the difference of both laws makes us look on these days, and whether we look less deep than that.

    Whether signatures count for more or less can only be told with the certificates that are trusted.
    """
    if a == b:
        return LIGHT, False
    deep, signatures = LIGHT, False
    for day in days:
        left, right = a.at(day, "CN"), b.at(day, "CN")
        signatures = signatures or any(
            topic.topic.startswith(("trust.", "duty.signing.", "dialect.")) for topic in diff(left, right))
        if any(name.startswith("RULE-") or name in TOLERANCES for name in _unequal(left.practice, right.practice)):
            deep = RULES
    return (TRUST, False) if signatures and with_trust else (deep, signatures)


def _unequal(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [name for name in left.keys() | right.keys() if name != "name" and left.get(name) != right.get(name)]


def differing(a: Law, b: Law, days: Iterable[date], places: Iterable[str]) -> list[dict[str, Any]]:
    """Every topic on which both laws differ, first day and place first; at most so many."""
    told: dict[str, dict[str, Any]] = {}
    places = ["CN", *places]
    for day in days:
        for place in places:
            for one in diff(a.at(day, place), b.at(day, place)):
                if one.topic not in told and len(told) < TOPICS_TOLD_MAX:
                    told[one.topic] = {"topic": one.topic, "place": place, "day": day.isoformat(),
                                       "a": jsonable(one.a), "b": jsonable(one.b)}
    return [told[topic] for topic in sorted(told)]


class Compare:
    """On what both laws differ, in value or in the text that it rests on, on a day at a place; asked once each."""

    def __init__(self, a: Law, b: Law) -> None:
        self._a, self._b = a, b
        self.alike = a.policy is b.policy and a.profile == b.profile
        self._known: dict[tuple[date, str], frozenset[str]] = {}

    def same(self, day: date, place: str) -> bool:
        """Whether both laws say the same there, to the last word."""
        return self.alike or not self.differing(day, place)

    def differing(self, day: date, place: str) -> frozenset[str]:
        """The topics; beside them "practice" where any of its topics is among them, "positive_list." likewise."""
        known = self._known.get((day, place))
        if known is None:
            known = self._known[day, place] = frozenset() if self.alike else self._differing(day, place)
        return known

    def _differing(self, day: date, place: str) -> frozenset[str]:
        left, right = self._a.at(day, place), self._b.at(day, place)
        rows, others = left.rows(), right.rows()
        made = {topic for topic in rows.keys() | others.keys()
                if topic not in rows or topic not in others or self._text(left, topic) != self._text(right, topic)}
        for family in ("practice.", "positive_list.", "trust.", "dialect."):
            if any(topic.startswith(family) for topic in made):
                made |= {family, family.rstrip(".")}
        if left.practice is not right.practice and left.practice != right.practice:
            made.add("practice")
        if left.place != right.place or left.profile != right.profile:
            made |= rows.keys() | others.keys() | {"practice", "positive_list.", "tariff.edition"}
        return frozenset(made)

    @staticmethod
    def _text(view: Any, topic: str) -> tuple[Any, ...]:
        row = view.row(topic)
        return row.value, row.instrument, row.confidence, row.since, view.instrument(topic)
