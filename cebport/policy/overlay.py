"""What if the law were another (假设规则): overlays, and the difference of two views.

An overlay is a YAML file of the same schema as the tables: ``rows`` by topic, and where it needs them
``instruments``, ``places`` and ``sets`` of its own. `Policy.load(overlays=[...])` lays its rows over the
base: one with ``until`` holds for just those days, one without holds to the next row of either, one with
the same ``since`` takes the place of the row there. A row of a place nearer to the case still comes first;
to take it away write ``inherit: true`` for that place.

To suppose with, the file may also say ``law_of: 2016-04-07`` (whatever the day of a parcel, the law of that day holds)
and ``profile: NAME`` (of profiles.yaml; ``place`` = what each place has); ``rows`` may then be left out. `WhatIf.read`
reads such a file for a what-if, `supposed` for a question; `Policy.load` refuses ``law_of``: no run can clear under it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cebport.faults import PolicyError, Words
from cebport.policy.engine import Policy, View, _Asked
from cebport.policy.loading import LAW_OF, load_tables
from cebport.policy.places import Found
from cebport.policy.reader import TABLES
from cebport.policy.schema import Row, jsonable


class Difference(NamedTuple):
    """One topic on which two views differ: values and the rows that give them (None = no row there)."""

    topic: str
    a: Any
    b: Any
    row_a: Row | None
    row_b: Row | None

    @property
    def source_a(self) -> str:
        """The instrument id of the first value, "" where no row holds."""
        return self.row_a.instrument if self.row_a is not None else ""

    @property
    def source_b(self) -> str:
        """The instrument id of the second value, "" where no row holds."""
        return self.row_b.instrument if self.row_b is not None else ""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "topic": self.topic,
            "a": jsonable(self.a),
            "b": jsonable(self.b),
            "row_a": self.row_a.as_dict() if self.row_a is not None else None,
            "row_b": self.row_b.as_dict() if self.row_b is not None else None,
        }


def diff(a: View, b: View) -> list[Difference]:
    """Every topic whose value differs between two views (of two days, places, profiles or policies), by name.

    Topics that rest on another text but say the same are not differences.
    """
    rows_a, rows_b = a.rows(), b.rows()
    made = []
    for topic in sorted(rows_a.keys() | rows_b.keys()):
        row_a, row_b = rows_a.get(topic), rows_b.get(topic)
        value_a, value_b = (row.value if row is not None else None for row in (row_a, row_b))
        if value_a != value_b or (row_a is None) != (row_b is None):
            made.append(Difference(topic, value_a, value_b, row_a, row_b))
    return made


class LawOf(Policy):
    """A policy under which every day has the law of one day; dates of parcels, years and windows stay their own."""

    __slots__ = ("law_day",)
    law_day: date

    @classmethod
    def of(cls, policy: Policy, law_day: date) -> LawOf:
        """The same tables, looked at as they stood on ``law_day``."""
        made = cls(policy._loaded)
        made.law_day = law_day
        made.edition = hashlib.sha256(f"{policy.edition} {law_day}".encode()).hexdigest()
        return made

    def _view(self, day: date, place: str, profile: str | None, known: date | None) -> View:
        then = super()._view(self.law_day, place, profile, known)
        return View(self, then._resolved, Found(then.path, then.place_note), _Asked(day, then.profile, known))


ALONE = frozenset({"about", "recorded_at", "law_of", "profile"})
"""Keys of an overlay file that need no row of the law."""


class WhatIf(NamedTuple):
    """A supposed law: its policy, whose day's law holds (None = each day its own), the profile (None = as asked,
    "place" = what each place has on the day), and what the file says of itself."""

    policy: Policy
    law_of: date | None = None
    profile: str | None = None
    about: Words | None = None

    @classmethod
    def read(cls, file: Path | None, overlays: Iterable[Path | str] = ()) -> WhatIf:
        """The law that an overlay file supposes, laid over the tables and ``overlays``; an empty file supposes none.

        Raises PolicyError, with file, line and reason.
        """
        laid = list(overlays)
        top = _top(file) if file is not None else {}
        if file is not None and set(top) - ALONE:
            laid.append(file)
        policy = _laid(laid)
        law_of, profile = _law_of(file, top), top.get("profile")
        there = (OF_THE_PLACE, *policy.profiles)
        if profile is not None and profile not in there:
            raise PolicyError(note=f"{file}: profile {profile!r}: there are {', '.join(there)}")
        return cls(policy if law_of is None else LawOf.of(policy, law_of), law_of, profile, _about(top.get("about")))


OF_THE_PLACE = "place"


def supposed(overlays: Iterable[Path]) -> Policy:
    """The law that overlays suppose, for a question; the last ``law_of`` among them names the day whose law holds.

    Raises PolicyError, with file, line and reason.
    """
    laid, day = [], None
    for file in overlays:
        top = _top(file)
        day = _law_of(file, top) or day
        if LAW_OF not in top or set(top) - ALONE:
            laid.append(file)
    policy = _laid(laid)
    return policy if day is None else LawOf.of(policy, day)


def _laid(overlays: Iterable[Path | str]) -> Policy:
    """The tables with overlays over them, of which any may also name a day."""
    laid = [Path(path) for path in overlays]
    return Policy(load_tables(TABLES, laid, supposing=True)) if laid else Policy.load()


def _law_of(file: Path | None, top: dict[str, Any]) -> date | None:
    """The day whose law a file supposes, None where it names none."""
    day = top.get(LAW_OF)
    if day is None:
        return None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise PolicyError(note=f"{file}: law_of: {day!r} is no day (YYYY-MM-DD)")
    return day


def _about(said: Any) -> Words | None:
    """What an overlay says of itself, in one language or in both."""
    if isinstance(said, dict):
        held = [said.get(lang) for lang in ("zh", "en")]
        return Words(*map(str, held)) if all(held) else None
    return Words(said, said) if isinstance(said, str) and said else None


def _top(file: Path) -> dict[str, Any]:
    """The keys of an overlay file; {} where it is empty or no mapping (the loader then says what is wrong)."""
    try:
        held = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {"rows": None}
    if held is None:
        return {}
    return held if isinstance(held, dict) else {"rows": None}
