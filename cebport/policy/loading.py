"""From table files to rows: read everything, refuse everything that is wrong, by file and line (读入与拒绝).

The order is fixed: words first (topics, instruments, places, profiles), then rows, then the lists that rows
name. Mistakes of one stage are gathered and raised together as PolicyError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import Words
from cebport.policy.lasting import check_lasting
from cebport.policy.lists import ListRow, TariffRow, read_list, read_tariff
from cebport.policy.places import IN_THE_TABLES, Places, read_places
from cebport.policy.reader import (
    FILE_BYTES_MAX,
    Complaints,
    Refused,
    Table,
    day,
    day_or_none,
    each,
    line_of,
    scalar,
    shown,
    text,
    texts,
)
from cebport.policy.schema import AXES, CONFIDENCE, Row, Topic, Topics, read_topics
from cebport.policy.timeline import believed, check, epochs

TOPICS, INSTRUMENTS, PLACES, PROFILES, WORDS = (
    "topics.yaml",
    "instruments.yaml",
    "places.yaml",
    "profiles.yaml",
    "faults.yaml",
)
LIST_EDITION, TARIFF_EDITION = "positive_list.edition", "tariff.edition"
PROFILE_TOPIC = "place.profile"
LAW_OF = "law_of"
"""The key of an overlay that names the day whose law is supposed to hold; no run can clear under it."""
SCOPE_KEYS = {"place": "places", "practice": "practices", "trust": "trusts", "dialect": "dialects"}
"""Axis -> the key of a row that names what it holds for."""
Key = tuple[str, str]
"""(topic, place)"""
EditionKey = tuple[str, tuple[str, ...]]
"""(edition, files)"""


class Instrument(NamedTuple):
    """The text that a row rests on (依据文件): number, title in our own words, days."""

    id: str
    no: Words
    title: Words
    issued: date | None
    since: date | None
    confidence: str
    note: str


class Profile(NamedTuple):
    """A named choice of trust, practice and dialect."""

    name: str
    trust: str
    practice: str
    dialect: str
    title: Words


class Names(NamedTuple):
    """The named trusts, practices and dialects with what each is built on, and the profiles."""

    parents: dict[str, dict[str, str]]
    titles: dict[str, dict[str, Words]]
    profiles: dict[str, Profile]

    def path(self, axis: str, name: str) -> tuple[str, ...]:
        """The name and what it is built on, nearest first."""
        made = []
        while name:
            made.append(name)
            name = self.parents[axis][name]
        return tuple(made)


class Loaded(NamedTuple):
    """All tables, read and found good. layers: the base rows, then those of each overlay."""

    edition: str
    topics: Topics
    instruments: dict[str, Instrument]
    places: Places
    names: Names
    layers: tuple[dict[Key, list[Row]], ...]
    tariffs: dict[EditionKey, dict[str, TariffRow]]
    lists: dict[EditionKey, dict[str, ListRow]]


def edition_key(value: Mapping[str, Any]) -> EditionKey:
    """What an edition row's list is kept under: its name and its files."""
    return value["edition"], value["files"]


def load_tables(directory: Path, overlays: Iterable[Path], *, supposing: bool = False) -> Loaded:
    """Read tables, then overlays. supposing: whether an overlay may name the day whose law holds.

    Raises PolicyError with all mistakes of the first bad stage.
    """
    loading = _Loading(directory, supposing=supposing)
    loading.read_words()
    base = loading.read_rows()
    layers = [base, *(loading.read_overlay(path) for path in overlays)]
    check_lasting(
        loading.topics.by_name, loading.places, layers, lambda file, refused: loading.complaints.take(file, refused)
    )
    tariffs, lists = loading.read_lists(layers)
    return Loaded(
        loading.digest.hexdigest(),
        loading.topics,
        loading.instruments,
        loading.places,
        loading.names,
        tuple(layers),
        tariffs,
        lists,
    )


class _Loading:
    """The state of one load: what was read so far and what is wrong with it."""

    def __init__(self, directory: Path, *, supposing: bool) -> None:
        self.directory = directory
        self.supposing = supposing
        self.complaints = Complaints()
        self.digest = hashlib.sha256()
        self.roots = {}
        self.raw = {}
        if not directory.is_dir():
            self.complaints.add("CEB-LAW-014", str(directory), 0, found=directory)
            self.complaints.stop()
        for path in sorted(path for pattern in ("*.yaml", "*/*.csv") for path in directory.glob(pattern)):
            name = path.relative_to(directory).as_posix()
            self.raw[name] = self._bytes(name, path)
            self.roots[name] = directory
        self.topics: Topics
        self.places: Places
        self.names: Names
        self.instruments: dict[str, Instrument] = {}

    def _bytes(self, name: str, path: Path) -> bytes:
        try:
            raw = path.read_bytes()
        except OSError as error:
            self.complaints.add("CEB-LAW-014", name, 0, found=error.strerror)
            self.complaints.stop()
            raise AssertionError("unreachable: stop raises") from error
        self.digest.update(f"{name}\0{len(raw)}\0".encode())
        self.digest.update(raw)
        return raw

    def _table(self, file: str) -> Table:
        """The parsed table. Raises PolicyError when it is missing or no YAML."""
        raw = self.raw.get(file)
        if raw is None:
            self.complaints.add("CEB-LAW-014", file, 0, found=file)
        elif len(raw) > FILE_BYTES_MAX:
            self.complaints.add("CEB-LAW-018", file, 1, found=len(raw), expected=FILE_BYTES_MAX)
        else:
            try:
                return Table(file, raw)
            except Refused as refused:
                self.complaints.take(file, refused)
        self.complaints.stop()
        raise AssertionError("unreachable: stop raises")

    def _within(self, file: str, read: Callable[[Table], Any]) -> Any:
        """Read a table whose own shape may be wrong; a mistake that nobody caught inside ends up here."""
        table = self._table(file)
        try:
            return read(table)
        except Refused as refused:
            self.complaints.take(file, refused)
            return None

    # ----------------------------------------------------------------------------------------- words

    def read_words(self) -> None:
        """Topics, instruments, places, and the names of practices, trusts, dialects and profiles."""
        self.topics = self._within(TOPICS, lambda table: read_topics(table, self._noting(TOPICS)))
        self._within(
            INSTRUMENTS,
            lambda table: self._read_instruments(
                table, table.fields(table.root, ("instruments",), ("about",))
            ),
        )
        self.places = self._within(
            PLACES,
            lambda table: read_places(
                table, table.fields(table.root, ("places",), ("about", "sets")), self._noting(PLACES)
            ),
        )
        self.names = self._within(PROFILES, self._read_profiles)
        self.complaints.stop()

    def _noting(self, file: str) -> Callable[[Refused], None]:
        return lambda refused: self.complaints.take(file, refused)

    def _read_instruments(self, table: Table, top: dict[str, tuple[int, Any]]) -> None:
        where: dict[str, str] = {}
        for name, (line, node) in table.pairs(top["instruments"][1]).items():
            try:
                if name in self.instruments:
                    raise Refused("CEB-LAW-002", line, found=name, expected=where.get(name, IN_THE_TABLES))
                self.instruments[name] = _instrument(table, name, node)
                where[name] = f"{table.file}:{line}"
            except Refused as refused:
                self.complaints.take(table.file, refused)

    def _read_profiles(self, table: Table) -> Names:
        top = table.fields(table.root, ("profiles", *(SCOPE_KEYS[axis] for axis in AXES[1:])), ("about",))
        parents: dict[str, dict[str, str]] = {}
        titles: dict[str, dict[str, Words]] = {}
        for axis in AXES[1:]:
            parents[axis], titles[axis] = {}, {}
            for name, (line, node) in table.pairs(top[SCOPE_KEYS[axis]][1]).items():
                pairs = table.fields(node, ("zh", "en"), ("of",))
                above = text(pairs["of"][1]) if "of" in pairs else ""
                if above and above not in parents[axis]:
                    raise Refused(
                        "CEB-LAW-005",
                        line,
                        found=above,
                        expected=Words("本文件前面的名称", "a name further up in the file"),
                    )
                parents[axis][name] = above
                titles[axis][name] = _words(pairs)
        profiles = {}
        for name, (_, node) in table.pairs(top["profiles"][1]).items():
            pairs = table.fields(node, ("trust", "practice", "dialect", "zh", "en"))
            chosen = {axis: text(pairs[axis][1]) for axis in AXES[1:]}
            for axis, value in chosen.items():
                if value not in parents[axis]:
                    raise Refused(
                        "CEB-LAW-005",
                        pairs[axis][0],
                        found=value,
                        expected=Words(f"本文件 {SCOPE_KEYS[axis]} 中的名称", f"a {axis} of this file"),
                    )
            profiles[name] = Profile(
                name, chosen["trust"], chosen["practice"], chosen["dialect"], _words(pairs)
            )
        return Names(parents, titles, profiles)

    # ------------------------------------------------------------------------------------------ rows

    def read_rows(self) -> dict[Key, list[Row]]:
        """Every row of every other YAML file, by topic and place, checked for gaps and overlaps."""
        rows: dict[Key, list[Row]] = {}
        for file in self.raw:
            if file.endswith(".yaml") and file not in (TOPICS, INSTRUMENTS, PLACES, PROFILES, WORDS):
                self._within(
                    file,
                    lambda table: self._read_file(
                        table, table.fields(table.root, ("rows",), ("about", "recorded_at")), rows
                    ),
                )
        self.complaints.stop()
        self._check_spans(rows)
        self.complaints.stop()
        return rows

    def read_overlay(self, path: Path) -> dict[Key, list[Row]]:
        """The rows of one overlay, which may also bring instruments, places and sets of its own."""
        file = path.name
        rows: dict[Key, list[Row]] = {}
        self.raw[file] = self._bytes(file, path)

        def read(table: Table) -> None:
            top = table.fields(
                table.root,
                (),
                ("rows", "about", "recorded_at", "instruments", "places", "sets", LAW_OF, "profile"),
            )
            if LAW_OF in top and not self.supposing:
                line, node = top[LAW_OF]
                raise Refused("CEB-LAW-021", line, found=text(node))
            if "rows" not in top:
                raise Refused("CEB-LAW-013", line_of(table.root), found="rows", expected="rows")
            if "instruments" in top:
                self._read_instruments(table, top)
            self.places = read_places(table, top, self._noting(file), self.places)
            self._read_file(table, top, rows)

        self._within(file, read)
        self.complaints.stop()
        self._check_spans(rows, gaps=False)
        self.complaints.stop()
        for key in rows:
            for row in rows[key]:
                self.roots[row.where.rpartition(":")[0]] = path.parent
        return rows

    def _read_file(self, table: Table, top: dict[str, tuple[int, Any]], rows: dict[Key, list[Row]]) -> None:
        recorded_at = day(top["recorded_at"][1]) if "recorded_at" in top else None
        for name, (line, node) in table.pairs(top["rows"][1]).items():
            topic = self.topics.find(name)
            if topic is None:
                self.complaints.add("CEB-LAW-004", table.file, line, found=name)
                continue

            def read(item: Any, topic: Topic = topic) -> None:
                for row in self._read_row(table, topic, item, recorded_at):
                    rows.setdefault((row.topic, row.place), []).append(row)

            try:
                each(self.complaints, table.file, table.items(node), read)
            except Refused as refused:
                self.complaints.take(table.file, refused)

    def _read_row(self, table: Table, topic: Topic, node: Any, recorded_at: date | None) -> list[Row]:
        scope_key = SCOPE_KEYS[topic.axis]
        pairs = table.fields(
            node,
            ("since", "confidence"),
            ("value", "inherit", "until", "instrument", "recorded_at", "withdrawn_at", "note", scope_key),
        )
        line = line_of(node)
        if "instrument" not in pairs:
            raise Refused("CEB-LAW-006", line, found=topic.name)
        instrument = text(pairs["instrument"][1])
        if instrument not in self.instruments:
            raise Refused("CEB-LAW-007", pairs["instrument"][0], found=instrument)
        mark = text(pairs["confidence"][1])
        if mark not in CONFIDENCE:
            raise Refused("CEB-LAW-020", pairs["confidence"][0], found=mark, expected=" | ".join(CONFIDENCE))
        inherit = "inherit" in pairs
        if inherit and scalar(pairs["inherit"][1]) is not True:
            raise Refused(
                "CEB-LAW-008", pairs["inherit"][0], found=shown(scalar(pairs["inherit"][1])), expected="true"
            )
        if inherit == ("value" in pairs):
            raise Refused(
                "CEB-LAW-013",
                line,
                found="value",
                expected=Words("value，或 inherit: true", "value, or inherit: true"),
            )
        if "recorded_at" in pairs:
            recorded_at = day(pairs["recorded_at"][1])
        if recorded_at is None:
            raise Refused("CEB-LAW-013", line, found="recorded_at", expected="recorded_at")
        withdrawn_at = day(pairs["withdrawn_at"][1]) if "withdrawn_at" in pairs else None
        if withdrawn_at is not None and withdrawn_at <= recorded_at:
            raise Refused(
                "CEB-LAW-010",
                pairs["withdrawn_at"][0],
                found=withdrawn_at,
                expected=Words(f"晚于 {recorded_at}", f"after {recorded_at}"),
            )
        value = None if inherit else topic.read(table, pairs["value"][1])
        if topic.name == PROFILE_TOPIC and not inherit and value not in self.names.profiles:
            raise Refused(
                "CEB-LAW-005",
                pairs["value"][0],
                found=value,
                expected=Words(f"{PROFILES} 中的 profile", f"a profile of {PROFILES}"),
            )
        row = Row(
            topic=topic.name,
            value=value,
            since=day_or_none(pairs["since"][1]),
            until=day(pairs["until"][1]) if "until" in pairs else None,
            place="",
            instrument=instrument,
            confidence=mark,
            recorded_at=recorded_at,
            note=text(pairs["note"][1]) if "note" in pairs else "",
            where=f"{table.file}:{line}",
            withdrawn_at=withdrawn_at,
            inherit=inherit,
        )
        return [row._replace(place=place) for place in self._scopes(table, topic, pairs.get(scope_key), line)]

    def _scopes(self, table: Table, topic: Topic, pair: tuple[int, Any] | None, line: int) -> list[str]:
        """What a row holds for: places (the nation when none is named), practices, trusts or dialects."""
        if topic.axis == "place":
            if pair is None:
                return ["CN"]
            made: list[str] = []
            for name in texts(table, pair[1]):
                expanded = self.places.expand(name)
                if expanded is None:
                    raise Refused(
                        "CEB-LAW-005",
                        pair[0],
                        found=name,
                        expected=Words("places.yaml 中的 id 或集合", "an id or set of places.yaml"),
                    )
                made += expanded
        else:
            if pair is None:
                key = SCOPE_KEYS[topic.axis]
                raise Refused("CEB-LAW-013", line, found=key, expected=key)
            made = list(texts(table, pair[1]))
            for name in made:
                if name not in self.names.parents[topic.axis]:
                    raise Refused(
                        "CEB-LAW-005",
                        pair[0],
                        found=name,
                        expected=Words(
                            f"{PROFILES} 的 {SCOPE_KEYS[topic.axis]} 中的名称",
                            f"a {topic.axis} of {PROFILES}",
                        ),
                    )
        if not made or len(set(made)) != len(made):
            raise Refused(
                "CEB-LAW-005",
                line,
                found=", ".join(made),
                expected=Words("每个地点一次，至少一个", "each place once, at least one"),
            )
        return made

    def _check_spans(self, rows: dict[Key, list[Row]], *, gaps: bool = True) -> None:
        """Gaps and overlaps of each topic and place, at every day on which the tables changed their mind."""
        found: set[tuple[str, str]] = set()
        for group in rows.values():
            if len(group) == 1 and group[0].until is None:
                continue
            for known in epochs(group):
                for row, refused in check(believed(group, known)):
                    file, _, line = row.where.rpartition(":")
                    if (refused.code, row.where) in found or (refused.code == "CEB-LAW-011" and not gaps):
                        continue
                    found.add((refused.code, row.where))
                    refused.line = int(line)
                    self.complaints.take(file, refused)

    # ----------------------------------------------------------------------------------------- lists

    def read_lists(
        self, layers: list[dict[Key, list[Row]]]
    ) -> tuple[dict[EditionKey, dict[str, TariffRow]], dict[EditionKey, dict[str, ListRow]]]:
        """The CSV files that the edition rows name: edition and files -> code -> row."""
        stem = "consumption."
        classes = frozenset(name.removeprefix(stem) for name in self.topics.by_name if name.startswith(stem))
        tariffs: dict[EditionKey, dict[str, TariffRow]] = {}
        lists: dict[EditionKey, dict[str, ListRow]] = {}
        for row in (row for layer in layers for group in layer.values() for row in group):
            if row.topic not in (LIST_EDITION, TARIFF_EDITION) or row.value is None:
                continue
            edition, key = row.value["edition"], edition_key(row.value)
            into: dict[EditionKey, Any] = tariffs if row.topic == TARIFF_EDITION else lists
            if key in into:
                continue
            merged: dict[str, Any] = into.setdefault(key, {})
            for file in row.value["files"]:
                found = self._read_list(row, file, edition, classes)
                both = sorted(merged.keys() & found.keys())
                if both:
                    at, _, line = row.where.rpartition(":")
                    self.complaints.add(
                        "CEB-LAW-002",
                        at,
                        int(line),
                        found=f"{both[0]} ({file})",
                        expected=", ".join(row.value["files"]),
                    )
                merged.update(found)
        self.complaints.stop()
        return tariffs, lists

    def _read_list(self, row: Row, file: str, edition: str, classes: frozenset[str]) -> dict[str, Any]:
        at, _, line = row.where.rpartition(":")
        if file not in self.raw:
            path = self.roots[at] / file
            if not path.is_file():
                self.complaints.add("CEB-LAW-014", at, int(line), found=file)
                return {}
            self.raw[file] = self._bytes(file, path)
        raw, note = self.raw[file], self._noting(file)
        if row.topic == TARIFF_EDITION:
            return read_tariff(file, raw, edition, classes, note)
        return read_list(file, raw, note)


def _words(pairs: dict[str, tuple[int, Any]]) -> Words:
    return Words(text(pairs["zh"][1]), text(pairs["en"][1]))


def _instrument(table: Table, name: str, node: Any) -> Instrument:
    pairs = table.fields(node, ("no", "title", "issued", "from", "confidence"), ("note",))
    mark = text(pairs["confidence"][1])
    if mark not in CONFIDENCE:
        raise Refused("CEB-LAW-020", pairs["confidence"][0], found=mark, expected=" | ".join(CONFIDENCE))
    return Instrument(
        id=name,
        no=_words(table.fields(pairs["no"][1], ("zh", "en"))),
        title=_words(table.fields(pairs["title"][1], ("zh", "en"))),
        issued=day_or_none(pairs["issued"][1]),
        since=day_or_none(pairs["from"][1]),
        confidence=mark,
        note=text(pairs["note"][1]) if "note" in pairs else "",
    )
