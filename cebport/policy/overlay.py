"""What if the law were another (假设规则): overlays, and the difference of two views.

An overlay is a YAML file of the same schema as the tables: ``rows`` by topic, and where it needs them
``instruments``, ``places`` and ``sets`` of its own. `Policy.load(overlays=[...])` lays its rows over the
base: one with ``until`` holds for just those days, one without holds to the next row of either, one with
the same ``since`` takes the place of the row there. A row of a place nearer to the case still comes first;
to take it away write ``inherit: true`` for that place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cebport.policy.engine import View
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
