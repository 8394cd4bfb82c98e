"""Rows that a tax cannot be reckoned without (不可缺的规则): they hold while their tax does, overlays included.

A topic of ``topics.yaml`` may say under which tax it lasts. What holds is known only when every overlay is laid, so
this is looked at last: a limit that ends, a row of the nation that gives the word back to nobody, a class of
articles in a band that the day does not have. Each is told with the file and line of the row that causes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from cebport.faults import Words
from cebport.policy.places import NATION, Places
from cebport.policy.reader import Refused
from cebport.policy.schema import ALWAYS, Row, Topic
from cebport.policy.timeline import DAY, FIRST, Timeline, believed, filled, lay, start

if TYPE_CHECKING:
    from cebport.policy.loading import Key

REGIME = "tax.regime"
BANDS, BAND_OF_GOODS = "postal.bands", "postal.band_of_goods"
Refuse = Callable[[str, Refused], None]
"""Takes a complaint with the file that it is of."""


def check_lasting(
    topics: Mapping[str, Topic], places: Places, layers: Sequence[Mapping[Key, list[Row]]], refuse: Refuse
) -> None:
    """Complain of every needed topic that does not hold on a day of its tax, and of bands that are not there."""
    held = _Held(places, layers)
    told: set[tuple[str, str]] = set()
    for row, refused in (*_ended(topics, held), *_bandless(held)):
        if (refused.code, row.where) in told:
            continue
        told.add((refused.code, row.where))
        file, _, line = row.where.rpartition(":")
        refused.line = int(line)
        refuse(file, refused)


class _Held:
    """The timelines of what is looked at, by topic and place, as all layers make them."""

    def __init__(self, places: Places, layers: Sequence[Mapping[Key, list[Row]]]) -> None:
        self.places, self._layers = places, layers
        self._lines: dict[Key, Timeline] = {}

    def line(self, topic: str, place: str) -> Timeline:
        """The rows of a topic at a place, one after the other."""
        if (topic, place) not in self._lines:
            rows: list[Row] = []
            for layer in self._layers:
                over = believed(layer.get((topic, place), ()), None)
                rows = (lay(rows, over) if rows else filled(over)) if over else rows
            self._lines[topic, place] = Timeline(rows)
        return self._lines[topic, place]

    def layer_of(self, row: Row) -> int:
        """The number of the layer that a row stands in, the base first."""
        return max(at for at, layer in enumerate(self._layers)
                   if any(other.where == row.where for other in layer.get((row.topic, row.place), ())))

    def on(self, topic: str, place: str, day: date) -> Row | None:
        """What holds at a place on a day: the nearest row that has a word of its own."""
        for name in self.places.path(place):
            row = self.line(topic, name).on(day)
            if row is not None and not row.inherit:
                return row
        return None

    def near(self, *topics: str) -> Iterator[str]:
        """The nation, and every place with rows of its own of these topics."""
        yield from dict.fromkeys(
            (NATION, *(place for layer in self._layers for topic, place in layer if topic in topics))
        )

    def days(self, place: str, *topics: str) -> list[date]:
        """The days from which something else holds there."""
        rows = [row for topic in topics for name in self.places.path(place) for row in self.line(topic, name).rows]
        return sorted({start(row) for row in rows} | {row.until + DAY for row in rows if row.until is not None})


def _ended(topics: Mapping[str, Topic], held: _Held) -> Iterator[tuple[Row, Refused]]:
    for name, topic in topics.items():
        if not topic.lasts:
            continue
        before: Row | None = None
        for day in held.days(NATION, name, REGIME):
            row, regime = held.on(name, NATION, day), held.on(REGIME, NATION, day)
            if row is not None:
                before = row
                continue
            needed = topic.lasts == ALWAYS or (regime is not None and regime.value == topic.lasts)
            given = held.line(name, NATION).on(day) or before
            if given is None and regime is not None and regime.since == day:
                given = regime  # a tax that begins before what it needs
            if not needed or given is None:
                continue
            what = Words(f"{name} 自 {day} 起没有规则", f"{name} does not hold from {day} on")
            yield given, Refused("CEB-LAW-022", 0, found=what)


def _bandless(held: _Held) -> Iterator[tuple[Row, Refused]]:
    for place in held.near(BANDS, BAND_OF_GOODS):
        for day in held.days(place, BANDS, BAND_OF_GOODS):
            goods, bands = held.on(BAND_OF_GOODS, place, day), held.on(BANDS, place, day)
            if goods is None or bands is None:
                continue
            for kind, names in goods.value.items():
                lost = next((name for name in names if name not in bands.value), None)
                if lost is None and names:
                    continue
                # what broke it is the row that was laid later, then the one that begins later
                later = max(goods, bands, key=lambda row: (held.layer_of(row), row.since or FIRST))
                found = f"{kind}: {lost or '[]'} ({day})"
                yield later, Refused("CEB-LAW-023", 0, found=found, expected=" | ".join(bands.value))
                break
