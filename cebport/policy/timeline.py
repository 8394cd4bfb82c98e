"""Rows of one topic and one place in the order of their days (时间轴): no gap, no overlap.

A row holds from its ``since`` through its ``until``; without ``until`` it holds to the day before the next
row. Rows that another correction replaced carry ``withdrawn_at`` and count only for whoever asks what was
known before that day. An overlay is laid over what is there: see `lay`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from cebport.faults import Words
from cebport.policy.reader import Refused
from cebport.policy.schema import Row

FIRST, LAST = date.min, date.max
DAY = timedelta(days=1)


class Timeline:
    """The rows that hold for one topic at one place, one after the other; each row's until is filled in."""

    __slots__ = ("_starts", "rows")

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        self._starts = [start(row) for row in self.rows]

    def on(self, day: date) -> Row | None:
        """The row that holds on a day; None = none does."""
        at = bisect_right(self._starts, day) - 1
        if at < 0:
            return None
        row = self.rows[at]
        return row if row.until is None or day <= row.until else None


def start(row: Row) -> date:
    """The first day of a row, the beginning of days when it has none."""
    return row.since or FIRST


def believed(rows: Iterable[Row], known: date | None) -> list[Row]:
    """The rows that the tables held on the day ``known`` (None = now), in the order of their days."""
    if known is None:
        seen = (row for row in rows if row.withdrawn_at is None)
    else:
        seen = (
            row
            for row in rows
            if row.recorded_at <= known and (row.withdrawn_at is None or known < row.withdrawn_at)
        )
    return sorted(seen, key=start)


def filled(rows: Sequence[Row]) -> list[Row]:
    """Rows in order, each with its last day: the day before the next one begins where it names none."""
    made = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if row.until is None and following is not None:
            row = row._replace(until=start(following) - DAY)
        made.append(row)
    return made


def check(rows: Sequence[Row]) -> list[tuple[Row, Refused]]:
    """What is wrong with the rows of one topic and place: gaps, overlaps, a last day before the first."""
    found = []
    for row in rows:
        if row.until is not None and row.until < start(row):
            found.append(
                (
                    row,
                    Refused(
                        "CEB-LAW-010",
                        0,
                        found=row.until,
                        expected=Words(f"不早于 {row.since}", f"not before {row.since}"),
                    ),
                )
            )
    for row, following in pairwise(rows):
        begins = start(following)
        if begins == start(row) or (row.until is not None and row.until >= begins):
            found.append(
                (
                    following,
                    Refused(
                        "CEB-LAW-012",
                        0,
                        found=following.since,
                        expected=row.where,
                        topic=row.topic,
                        place=row.place,
                    ),
                )
            )
        elif row.until is not None and row.until + DAY < begins:
            found.append(
                (
                    following,
                    Refused(
                        "CEB-LAW-011",
                        0,
                        found=f"{row.until + DAY} – {begins - DAY}",
                        expected=row.where,
                        topic=row.topic,
                        place=row.place,
                    ),
                )
            )
    return found


def epochs(rows: Iterable[Row]) -> list[date]:
    """The days on which what the tables believe changed."""
    return sorted({day for row in rows for day in (row.recorded_at, row.withdrawn_at) if day is not None})


def lay(under: Sequence[Row], over: Sequence[Row]) -> list[Row]:
    """Rows of an overlay over rows that hold (both believed and in order).

    A row with ``until`` holds for just those days, and what lay there before goes on after them. A row
    without ``until`` holds to the next row of either; one with the same ``since`` takes its place.
    """
    made = filled(under)
    for at, row in enumerate(over):
        first = start(row)
        last = row.until
        if last is None:
            later = [start(other) for other in (*made, *over[at + 1 :]) if start(other) > first]
            last = min(later) - DAY if later else LAST
        made = [
            *(part for other in made for part in _around(other, first, last)),
            row._replace(until=None if last == LAST else last),
        ]
        made.sort(key=start)
    return made


def _around(row: Row, first: date, last: date) -> list[Row]:
    """What is left of a row when the days from ``first`` to ``last`` are taken out of it."""
    begins, ends = start(row), row.until or LAST
    if ends < first or last < begins:
        return [row]
    left = []
    if begins < first:
        left.append(row._replace(until=first - DAY))
    if ends > last:
        left.append(row._replace(since=last + DAY))
    return left
