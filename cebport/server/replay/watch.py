"""A view that notices (旁观): whether a decision asked for anything that the two laws say differently.

A decision depends on the law only through the view that it is handed. When it asked for nothing that differs, it
comes out the same under the other law, and need not be taken there. Whatever the view does not know to be harmless
counts as asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from cebport.server.replay.laws import Compare

HARMLESS = frozenset({"day", "place", "path", "place_note", "profile", "known"})
LISTS, TARIFF = "positive_list.", "tariff.edition"


class Notice:
    """What is remembered of one decision."""

    __slots__ = ("compare", "touched")

    def __init__(self, compare: Compare) -> None:
        self.compare, self.touched = compare, False


class Watched:
    """A view of world a, for one decision."""

    __slots__ = ("_differs", "_notice", "_view")

    def __init__(self, view: Any, notice: Notice, place: str) -> None:
        self._view, self._notice = view, notice
        self._differs = notice.compare.differing(view.day, place)

    def _ask(self, topic: str) -> None:
        if topic in self._differs:
            self._notice.touched = True

    def __getitem__(self, topic: str) -> Any:
        if topic in self._differs:
            self._notice.touched = True
        return self._view[topic]

    def get(self, topic: str, default: Any = None) -> Any:
        """As of the view."""
        if topic in self._differs:
            self._notice.touched = True
        return self._view.get(topic, default)

    def __contains__(self, topic: object) -> bool:
        self._ask(str(topic))
        return topic in self._view

    def __iter__(self) -> Iterator[str]:
        self._notice.touched = True
        return iter(self._view)

    def row(self, topic: str) -> Any:
        """As of the view."""
        self._ask(topic)
        return self._view.row(topic)

    def instrument(self, topic: str) -> Any:
        """As of the view."""
        self._ask(topic)
        return self._view.instrument(topic)

    def mode(self, mode: str) -> Any:
        """As of the view."""
        self._ask("mode." + mode)
        return self._view.mode(mode)

    def tariff(self, gcode: str) -> Any:
        """As of the view."""
        self._ask(TARIFF)
        return self._view.tariff(gcode)

    def listed(self, gcode: str, mode: str) -> Any:
        """As of the view."""
        self._ask(LISTS)
        return self._view.listed(gcode, mode)

    @property
    def counted(self) -> Any:
        """As of the view."""
        self._ask(LISTS)
        return self._view.counted

    @property
    def practice(self) -> Any:
        """As of the view."""
        self._ask("practice")
        return self._view.practice

    @property
    def policy(self) -> Any:
        """The policy, whose views are watched too."""
        return _WatchedPolicy(self._view.policy, self._notice)

    def __getattr__(self, name: str) -> Any:
        if name not in HARMLESS:
            self._notice.touched = True
        return getattr(self._view, name)


class _WatchedPolicy:
    """A policy of world a, for one decision."""

    __slots__ = ("_notice", "_policy")

    def __init__(self, policy: Any, notice: Notice) -> None:
        self._policy, self._notice = policy, notice

    def at(self, day: date, place: str, **more: Any) -> Any:
        """As of the policy."""
        return Watched(self._policy.at(day, place, **more), self._notice, place)

    def __getattr__(self, name: str) -> Any:
        self._notice.touched = True
        return getattr(self._policy, name)
