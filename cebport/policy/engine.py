"""The law of a day and a place (某日某地适用的规则): load the tables, ask them.

A `Policy` is all tables, read once and never changed. `Policy.at` gives the `View` of a day and a place:
every topic with the value that holds there, the nearest place first (park, zone, district, nation). Who asks
twice gets the same view, so asking costs one look-up; a topic of a view costs one more.

>>> from datetime import date
>>> view = Policy.load().at(date(2019, 1, 1), "hangzhou")
>>> view["tax.limit_single_cny"], view.row("tax.limit_single_cny").instrument
(Decimal('5000'), 'caiguanshui-2018-49')
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import Words
from cebport.policy.lists import NO_LIST, Listing, ListRow, TariffRow, listing
from cebport.policy.loading import (
    LIST_EDITION,
    PROFILE_TOPIC,
    TARIFF_EDITION,
    Instrument,
    Key,
    Loaded,
    Profile,
    edition_key,
    load_tables,
)
from cebport.policy.places import NATION, Found, Place
from cebport.policy.reader import TABLES
from cebport.policy.schema import AXES, NOT_SEEN, Fixed, Row, Topic
from cebport.policy.timeline import DAY, Timeline, believed, epochs, filled, lay, start

NATIONAL = "national"
VERDICTS, SIGNING = "trust.verdicts.", "duty.signing."
VIEWS_MAX = 1024
"""Views kept: a replay over years asks for thousands of days, each view holds some ten kilobytes."""
LISTINGS_MAX = 10_000
ACCEPT, WARN, REFUSE, BY_DUTY = "accept", "warn", "refuse", "by_duty"
"""What a verdict on a signature does; by_duty: what the signing duty of that message says."""

_default: Policy | None = None


class Policy:
    """All tables of the law. Immutable; ``edition`` is the SHA-256 of every byte of them."""

    __slots__ = ("_compiled", "_days", "_epochs", "_kept", "_loaded", "_resolved", "_views", "edition")

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.edition = loaded.edition
        self._views: dict[tuple[date, str, str | None, date | None], View] = {}
        self._resolved: dict[tuple[Any, ...], _Resolved] = {}
        self._compiled: dict[int | None, _Compiled] = {}
        self._kept: dict[str, Fixed] = {}
        self._days = _change_days(loaded)
        self._epochs = epochs(row for layer in loaded.layers for group in layer.values() for row in group)

    @classmethod
    def load(cls, directory: Path | str | None = None, overlays: Iterable[Path | str] = ()) -> Policy:
        """Read the tables (those of the package by default) and lay overlays over them, in their order.

        Raises PolicyError, one fault a mistake, each with file, line and reason. The plain tables of the
        package are read once a program.
        """
        global _default
        laid = [Path(path) for path in overlays]
        if directory is None and not laid:
            if _default is None:
                _default = cls(load_tables(TABLES, ()))
            return _default
        return cls(load_tables(Path(directory) if directory is not None else TABLES, laid))

    def at(
        self, day: date, place: str = NATION, *, profile: str | None = None, known: date | None = None
    ) -> View:
        """What holds on a day at a place.

        place: an id of places.yaml or a customs code; a well-formed code that no place has falls to its
        district or the nation, and the view's ``place_note`` says so. profile: a name of profiles.yaml;
        None = the one that the place has on that day, else national. known: only rows recorded by that day,
        as they were believed then. Raises KeyError for a place or profile that is none.
        """
        try:
            return self._views[day, place, profile, known]
        except KeyError:
            pass
        if isinstance(day, datetime) or isinstance(known, datetime):
            raise TypeError("a day, not a moment: the law changes at midnight in Beijing")
        view = self._view(day, place, profile, known)
        if len(self._views) >= VIEWS_MAX:
            del self._views[next(iter(self._views))]
        self._views[day, place, profile, known] = view
        return view

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Every declared topic by name (field rules that a practice may weigh besides are not listed)."""
        return self._loaded.topics.by_name

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument by id."""
        return self._loaded.instruments

    @property
    def places(self) -> Mapping[str, Place]:
        """Every place by id."""
        return self._loaded.places.by_id

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Every profile by name."""
        return self._loaded.names.profiles

    def rows(self) -> list[Row]:
        """Every row as the tables write it, overlays last."""
        return [row for layer in self._loaded.layers for group in layer.values() for row in group]

    def history(self, topic: str, place: str = NATION, *, known: date | None = None) -> tuple[Row, ...]:
        """The rows of a topic that hold one after the other at a place; each as far as it holds there.

        Raises KeyError for an unknown topic or place.
        """
        declared = self._loaded.topics.find(topic)
        if declared is None:
            raise KeyError(f"{topic}: no such topic")
        days = [date.min, *self._days]
        made: list[Row] = []
        for begins, following in zip(days, [*days[1:], None], strict=True):
            path = (
                self._loaded.places.find(place, begins).path
                if declared.axis == "place"
                else (self._loaded.names.path(declared.axis, place))
            )
            row = self._compile(known).row(topic, path, begins)
            if row is None:
                continue
            until = None if following is None else following - DAY
            last = made[-1] if made else None
            if (
                last is not None
                and last.where == row.where
                and last.until is not None
                and (last.until + DAY == begins)
            ):
                made[-1] = last._replace(until=until)
            else:
                made.append(row._replace(since=None if begins == date.min else begins, until=until))
        return tuple(made)

    def _compile(self, known: date | None) -> _Compiled:
        """The timelines as believed on ``known``: made once an epoch of the tables."""
        at = None if known is None else bisect_right(self._epochs, known)
        compiled = self._compiled.get(at)
        if compiled is None:
            compiled = self._compiled[at] = _Compiled(self._loaded, known)
        return compiled

    def _view(self, day: date, place: str, profile: str | None, known: date | None) -> View:
        loaded = self._loaded
        found = loaded.places.find(place, day)
        compiled = self._compile(known)
        if profile is None:
            row = compiled.row(PROFILE_TOPIC, found.path, day)
            profile = row.value if row is not None else NATIONAL
        chosen = loaded.names.profiles.get(profile)
        if chosen is None:
            raise KeyError(f"{profile}: no such profile; there are {', '.join(loaded.names.profiles)}")
        key = (bisect_right(self._days, day), found.path, profile, known)
        resolved = self._resolved.get(key)
        if resolved is None:
            paths = {"place": found.path}
            for axis in AXES[1:]:
                paths[axis] = loaded.names.path(axis, getattr(chosen, axis))
            if len(self._resolved) >= VIEWS_MAX:
                del self._resolved[next(iter(self._resolved))]
            resolved = self._resolved[key] = _Resolved(compiled, loaded, paths, day, self._keep)
        return View(self, resolved, found, _Asked(day, profile, known))

    def _keep(self, name: str, values: dict[str, Any]) -> Fixed:
        """The same mapping object for equal contents: readers compile a practice once, by its identity."""
        key = f"{name} {sorted(values.items())!r}"
        return self._kept.setdefault(key, Fixed({"name": name, **values}))


class _Compiled:
    """The timelines of every topic and place, as the tables believed them on one day."""

    __slots__ = ("by_axis", "topics")

    def __init__(self, loaded: Loaded, known: date | None) -> None:
        rows: dict[Key, list[Row]] = {}
        for layer in loaded.layers:
            for key, group in layer.items():
                over = believed(group, known)
                if over:
                    rows[key] = lay(rows[key], over) if key in rows else filled(over)
        self.topics: dict[str, dict[str, Timeline]] = {}
        for (topic, place), group in rows.items():
            self.topics.setdefault(topic, {})[place] = Timeline(group)
        self.by_axis: dict[str, list[tuple[str, dict[str, Timeline]]]] = {axis: [] for axis in AXES}
        for topic, lines in self.topics.items():
            declared = loaded.topics.find(topic)
            assert declared is not None, topic
            self.by_axis[declared.axis].append((topic, lines))

    def row(self, topic: str, path: tuple[str, ...], day: date) -> Row | None:
        """The nearest row along a path of places (or names) on a day."""
        return _nearest(self.topics.get(topic, {}), path, day)


def _nearest(lines: Mapping[str, Timeline], path: tuple[str, ...], day: date) -> Row | None:
    for name in path:
        line = lines.get(name)
        row = line.on(day) if line is not None else None
        if row is not None and not row.inherit:
            return row
    return None


class _Resolved:
    """Every topic of a place and profile between two days of change; shared by the views of those days."""

    __slots__ = (
        "bonded_modes",
        "counted",
        "dialect",
        "edition",
        "listings",
        "practice",
        "rows",
        "tariff",
        "trust",
        "values",
        "verdicts",
    )

    def __init__(
        self, compiled: _Compiled, loaded: Loaded, paths: Mapping[str, tuple[str, ...]], day: date, keep: Any
    ) -> None:
        self.values: dict[str, Any] = {}
        self.rows: dict[str, Row] = {}
        for axis, topics in compiled.by_axis.items():
            path = paths[axis]
            for topic, lines in topics:
                row = _nearest(lines, path, day)
                if row is not None:
                    self.rows[topic] = row
                    self.values[topic] = row.value
        self.trust, self.practice, self.dialect = (
            keep(paths[axis][0], self._of(axis)) for axis in ("trust", "practice", "dialect")
        )
        self.verdicts = self._verdicts(loaded.topics.by_name)
        self.bonded_modes = self.values.get("positive_list.bonded_modes") or ()
        self.edition = self.values.get(LIST_EDITION)
        rows = loaded.lists[edition_key(self.edition)] if self.edition else {}
        self.counted = frozenset(hs8 for hs8, row in rows.items() if row.quantity is not None)
        edition = self.values.get(TARIFF_EDITION)
        self.tariff: Mapping[str, TariffRow] = loaded.tariffs[edition_key(edition)] if edition else {}
        self.listings: dict[tuple[str, str], Listing] = {}

    def _of(self, axis: str) -> dict[str, Any]:
        """The topics of an axis without its name in front: ``practice.MATCH-LINES`` -> ``MATCH-LINES``."""
        stem = axis + "."
        return {
            topic.removeprefix(stem): value for topic, value in self.values.items() if topic.startswith(stem)
        }

    def _verdicts(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Message type -> verdict -> accept, warn or refuse. What a type leaves open the row for all says."""
        made: dict[str, dict[str, str]] = {}
        general = self.values.get(VERDICTS + "all") or {}
        for kind in (topic.removeprefix(VERDICTS) for topic in topics if topic.startswith(VERDICTS)):
            actions = {**general, **(self.values.get(VERDICTS + kind) or {})}
            duty = REFUSE if self.values.get(SIGNING + kind) else ACCEPT
            made[kind] = {
                verdict: duty if action == BY_DUTY else action for verdict, action in actions.items()
            }
        return made


class _Asked(NamedTuple):
    """What a view was asked for."""

    day: date
    profile: str
    known: date | None


class View(Fixed):
    """What is in force on a day at a place: topic -> value.

    ``view[topic]`` of a declared topic without a row there is None, ``view.get(topic, default)`` the default;
    an undeclared topic is a KeyError.

    day; place: id of the place that was found; path: ids from it up to the nation; place_note: words where
    the place asked for is not in the table or does not exist that day, else None. profile: its name.
    practice, trust, dialect: mappings of what the profile names, keys without the axis in front
    (``view.practice["MATCH-LINES"]``), each with its ``name``. known: see `Policy.at`.
    """

    __slots__ = (
        "_resolved", "day", "dialect", "known", "path", "place", "place_note",
        "policy", "practice", "profile", "trust",
    )  # fmt: skip
    policy: Policy
    day: date
    place: str
    path: tuple[str, ...]
    place_note: Words | None
    profile: str
    known: date | None
    practice: Fixed
    trust: Fixed
    dialect: Fixed
    _resolved: _Resolved

    def __init__(self, policy: Policy, resolved: _Resolved, found: Found, asked: _Asked) -> None:
        super().__init__(resolved.values)
        put = object.__setattr__
        put(self, "policy", policy)
        put(self, "_resolved", resolved)
        put(self, "path", found.path)
        put(self, "place", found.path[0])
        put(self, "place_note", found.note)
        for name, value in asked._asdict().items():
            put(self, name, value)
        for axis in AXES[1:]:
            put(self, axis, getattr(resolved, axis))

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse()

    def __missing__(self, topic: str) -> None:
        """A declared topic of which no row holds is None; an undeclared one is a KeyError."""
        if self.policy._loaded.topics.find(topic) is None:
            raise KeyError(f"{topic}: no such topic")

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a view belongs to its policy: send the day, the place and the profile")

    def __repr__(self) -> str:
        return f"<View {self.day} {self.place} {self.profile}>"

    def row(self, topic: str) -> Row | None:
        """The row that gives a topic its value; None = no row holds. Raises KeyError for an unknown topic."""
        row = self._resolved.rows.get(topic)
        if row is None:
            self.__missing__(topic)
        return row

    def rows(self) -> Mapping[str, Row]:
        """Every row that holds here, by topic."""
        return Fixed(self._resolved.rows)

    def instrument(self, topic: str) -> Instrument | None:
        """The instrument that a topic's row rests on; None = no row holds."""
        row = self.row(topic)
        return None if row is None else self.policy.instruments[row.instrument]

    def source(self, topic: str, lang: str = "en") -> str:
        """One line that says by which text a topic holds, since when and how sure: for faults and reports."""
        row = self.row(topic)
        if row is None:
            return ""
        since = f", {row.since}" if row.since else ""
        mark = row.confidence if row.seen else f"{row.confidence} {NOT_SEEN.at(lang)}"
        return f"{self.policy.instruments[row.instrument].no.at(lang)} [{mark}{since}]"

    def mode(self, mode: str) -> Row | None:
        """The row that permits a mode (监管方式) here on this day; None = it is not permitted."""
        row = self._resolved.rows.get("mode." + mode)
        return row if row is not None and row.value else None

    def tariff(self, gcode: str) -> TariffRow | None:
        """The tariff line of a 10-digit goods code; None = not in the loaded edition."""
        return self._resolved.tariff.get(gcode)

    @property
    def counted(self) -> frozenset[str]:
        """The lines of the positive list (8 digits) of which a person may have so much a year."""
        return self._resolved.counted if self["positive_list.required"] else frozenset()

    def listed(self, gcode: str, mode: str) -> Listing:
        """How goods stand on the positive list of the day (正面清单) for a mode."""
        resolved = self._resolved
        known = resolved.listings.get((gcode, mode))
        if known is None:
            known = self._listing(gcode, mode)
            if len(resolved.listings) >= LISTINGS_MAX:
                resolved.listings.clear()
            resolved.listings[gcode, mode] = known
        return known

    @property
    def lines_loaded(self) -> int:
        """How many lines of the positive list of the day are loaded."""
        edition = self._resolved.edition
        return 0 if edition is None else len(self.policy._loaded.lists[edition_key(edition)])

    def _listing(self, gcode: str, mode: str) -> Listing:
        resolved = self._resolved
        if not self["positive_list.required"] or resolved.edition is None:
            return NO_LIST
        rows: Mapping[str, ListRow] = self.policy._loaded.lists[edition_key(resolved.edition)]
        name, complete = resolved.edition["edition"], resolved.edition["complete"]
        return listing(gcode, mode, name, complete, rows, resolved.bonded_modes)

    def verdict_action(self, message_type: str, verdict: str) -> str:
        """accept, warn or refuse: what a verdict on a signature does to "CEB621Message" (or "621")."""
        kind = message_type[3:6] if message_type.startswith("CEB") else message_type
        verdicts = self._resolved.verdicts
        return (verdicts.get(kind) or verdicts["all"]).get(verdict, REFUSE)


def _change_days(loaded: Loaded) -> list[date]:
    """Every day on which any row begins or ends, or a place does."""
    days: set[date] = set()
    for layer in loaded.layers:
        for group in layer.values():
            for row in group:
                days.add(start(row))
                if row.until is not None:
                    days.add(row.until + DAY)
    for place in loaded.places.by_id.values():
        if place.since is not None:
            days.add(place.since)
        if place.until is not None:
            days.add(place.until + DAY)
    days.discard(date.min)
    return sorted(days)
