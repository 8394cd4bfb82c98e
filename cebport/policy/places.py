"""Places: nation, customs district, city or zone, park (地点: 全国, 关区, 城市, 园区).

A place is a row of ``tables/places.yaml``. It is found by its id or by a customs code (关区代码) that is its
alone. Whatever else of four characters a document calls its customs falls to its customs district by its first two
characters, or to the home of that district where the row names one (a district that is one city), and
else to the nation; the finding says so. A place that does not yet, or no longer, exist on the day gives
the word to the place above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple

from cebport.faults import Words
from cebport.policy.reader import Refused, Table, day_or_none, line_of, text, texts

NATION = "CN"
LEVELS = ("nation", "district", "zone", "park")
_CODE = re.compile(r"[0-9A-Z]{4}\Z")
CODE_CHARS, _PREFIX = 4, 2


class Place(NamedTuple):
    """One place.

    level: nation, district (关区), zone (city or zone), park. parent: id of the place above, "" at the top.
    codes: customs codes that are its alone. area_codes: administrative division codes (行政区划代码).
    home: for a district, the place that its unlisted codes belong to. since, until: first and last day.
    """

    id: str
    level: str
    parent: str
    zh: str
    en: str
    codes: tuple[str, ...] = ()
    area_codes: tuple[str, ...] = ()
    home: str = ""
    since: date | None = None
    until: date | None = None
    note: str = ""

    def stands(self, day: date) -> bool:
        """Whether the place exists on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class Found(NamedTuple):
    """What a look-up found: the places from the one asked for up to the nation, and what to know about it."""

    path: tuple[str, ...]
    note: Words | None


class Places:
    """Every place, by id and by customs code."""

    def __init__(self, by_id: Mapping[str, Place], sets: Mapping[str, tuple[str, ...]]) -> None:
        self.by_id = by_id
        self.sets = sets
        self.by_code = {code: place.id for place in by_id.values() for code in place.codes}
        self._by_prefix = {
            place.id[:_PREFIX]: place.home or place.id
            for place in by_id.values()
            if place.level == "district"
        }

    def find(self, name: str, day: date) -> Found:
        """The place of an id or customs code on a day. Raises KeyError when it is neither."""
        place = self.by_id.get(name)
        note: Words | None = None
        if place is None and name in self.by_code:
            place = self.by_id[self.by_code[name]]
        if place is None and len(name) == CODE_CHARS:
            place = self.by_id[self._by_prefix.get(name[:_PREFIX], NATION)]
            note = Words(
                f"关区代码 {name} 不在地点表中，按前两位归入 {place.zh}",
                f"customs code {name} has no row; by its first two digits it is taken as {place.en}",
            )
        if place is None:
            raise KeyError(f"{name}: neither a place nor a customs code of four characters")
        while not place.stands(day) and place.parent:
            above = self.by_id[place.parent]
            note = Words(
                f"{place.zh} 在 {day} 不存在，适用上级 {above.zh}",
                f"{place.en} does not exist on {day}; {above.en} above it holds",
            )
            place = above
        return Found(self.path(place.id), note)

    def path(self, place_id: str) -> tuple[str, ...]:
        """Ids from the place up to the nation."""
        made = []
        while place_id:
            made.append(place_id)
            place_id = self.by_id[place_id].parent
        return tuple(made)

    def expand(self, name: str) -> tuple[str, ...] | None:
        """The places that a row names: one place, or the members of a named set; None = unknown."""
        if name in self.by_id:
            return (name,)
        return self.sets.get(name)


def named(places: Mapping[str, Place], asked: str) -> str | None:
    """The id of the place that an id or a name in either language means; None = no place is called so."""
    if asked in places:
        return asked
    wanted = asked.strip().casefold()
    return next((place.id for place in places.values()
                 if wanted in (place.id.casefold(), place.zh, place.en.casefold())), None)


def nearest(places: Mapping[str, Place], asked: str) -> list[str]:
    """Ids and names that are written nearly like what was asked for."""
    return get_close_matches(asked, [name for place in places.values() for name in (place.id, place.zh, place.en)], n=3)


IN_THE_TABLES = Words("规则表中已有", "the tables have it")
_PLACE_KEYS = ("codes", "area_codes", "home", "since", "until", "note")


def read_places(
    table: Table,
    top: Mapping[str, tuple[int, Any]],
    refuse: Callable[[Refused], None],
    base: Places | None = None,
) -> Places:
    """``places: [row...]`` and ``sets: {name: [place ids]}`` of a table, on top of ``base`` where given."""
    by_id: dict[str, Place] = dict(base.by_id) if base else {}
    sets: dict[str, tuple[str, ...]] = dict(base.sets) if base else {}
    owners: dict[str, str] = dict(base.by_code) if base else {}
    lines: dict[str, int] = {}

    def where(name: str) -> Words | str:
        return f"{table.file}:{lines[name]}" if name in lines else IN_THE_TABLES

    for node in table.items(top["places"][1]) if "places" in top else ():
        try:
            place = _read_place(table, node)
            if place.id in by_id or place.id in sets:
                raise Refused("CEB-LAW-002", line_of(node), found=place.id, expected=where(place.id))
            by_id[place.id] = place
            lines[place.id] = line_of(node)
        except Refused as refused:
            refuse(refused)
    for name, (line, node) in table.pairs(top["sets"][1]).items() if "sets" in top else ():
        try:
            if name in by_id or name in sets:
                raise Refused("CEB-LAW-002", line, found=name, expected=where(name))
            sets[name] = texts(table, node)
            _known(sets[name], by_id, line)
        except Refused as refused:
            refuse(refused)
    for place_id, line in lines.items():
        try:
            _check_place(by_id[place_id], by_id, owners, line)
        except Refused as refused:
            refuse(refused)
    return Places(by_id, sets)


def _read_place(table: Table, node: Any) -> Place:
    pairs = table.fields(node, ("id", "level", "zh", "en"), ("parent", *_PLACE_KEYS))

    def one(key: str) -> str:
        return text(pairs[key][1]) if key in pairs else ""

    level = one("level")
    if level not in LEVELS:
        raise Refused("CEB-LAW-008", pairs["level"][0], found=level, expected=" | ".join(LEVELS))
    codes = texts(table, pairs["codes"][1]) if "codes" in pairs else ()
    for code in codes:
        if not _CODE.match(code):
            raise Refused(
                "CEB-LAW-008",
                pairs["codes"][0],
                found=code,
                expected=Words("4 位关区代码", "a customs code of 4 characters"),
            )
    return Place(
        id=one("id"),
        level=level,
        parent=one("parent"),
        zh=one("zh"),
        en=one("en"),
        codes=codes,
        area_codes=texts(table, pairs["area_codes"][1]) if "area_codes" in pairs else (),
        home=one("home"),
        since=day_or_none(pairs["since"][1]) if "since" in pairs else None,
        until=day_or_none(pairs["until"][1]) if "until" in pairs else None,
        note=one("note"),
    )


def _check_place(place: Place, by_id: Mapping[str, Place], owners: dict[str, str], line: int) -> None:
    """Parents exist and are of a higher level (so that no circle can be), and codes are claimed once."""
    if place.level == "nation":
        if place.parent or place.id != NATION:
            raise Refused("CEB-LAW-015", line, found=place.id, expected=NATION)
        return
    _known((place.parent, *((place.home,) if place.home else ())), by_id, line)
    parent = by_id[place.parent]
    if LEVELS.index(parent.level) >= LEVELS.index(place.level):
        raise Refused(
            "CEB-LAW-015",
            line,
            found=f"{place.parent} ({parent.level})",
            expected=Words("更高一级的地点", "a higher level"),
        )
    for code in place.codes:
        owner = owners.setdefault(code, place.id)
        if owner != place.id:
            raise Refused("CEB-LAW-016", line, found=code, expected=owner)


def _known(ids: tuple[str, ...], by_id: Mapping[str, Place], line: int) -> None:
    for place_id in ids:
        if place_id not in by_id:
            raise Refused(
                "CEB-LAW-005",
                line,
                found=place_id,
                expected=Words("places.yaml 中的 id", "an id of places.yaml"),
            )
