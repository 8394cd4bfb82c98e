"""States of documents and the steps between them (单证状态). The table is ``tables/states.yaml``.

>>> allowed("inventory", 120, 800), allowed("inventory", 899, 800)
(True, False)
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from cebport.clearance.parts import CANCELLED, CLOSED, REFUSED, RELEASED, RETURNED, WAITING
from cebport.faults import Words

DELETED, STASHED, DECLARING, SENT = 0, 1, 2, 3
GONE_BACK, SENT_BACK = 10, 11
REFUSED_100, STORED, REVIEW, CONCLUDED, RELEASED_800, CLOSED_899 = 100, 120, 300, 399, 800, 899


@cache
def table() -> dict[str, Any]:
    """The table as read, with sets for the lists."""
    import yaml

    raw = yaml.safe_load((Path(__file__).parent / "tables" / "states.yaml").read_text(encoding="utf-8"))
    raw["moves"] = {
        kind: {state: frozenset(nexts) for state, nexts in rows.items()} for kind, rows in raw["moves"].items()
    }
    for name in ("cancel_open", "return_open", "change_open", "in_use"):
        raw[name] = frozenset(raw[name])
    return raw


@cache
def _moves() -> dict[str, dict[int, frozenset[int]]]:
    return table()["moves"]


def allowed(kind: str, current: int, to: int) -> bool:
    """Whether a document of that kind may go from one state to the other. No row = terminal."""
    return to in table()["moves"][kind].get(current, ())


def advance(kind: str, current: int, to: int) -> int:
    """``to``, after asserting that the table allows the step: a wrong step is our own mistake."""
    if current == to or to in _moves()[kind].get(current, ()):
        return to
    raise AssertionError(f"{kind}: {current} -> {to} is no step of tables/states.yaml")


def name_of(state: int) -> Words:
    """The state in words."""
    row = table()["names"][state]
    return Words(row["zh"], row["en"])


def parcel_state(inventory_status: int | None) -> str:
    """What the parcel is, from the state of its inventory."""
    if inventory_status is None:
        return WAITING
    return _PARCEL.get(inventory_status, WAITING)


_PARCEL = {
    REFUSED_100: REFUSED,
    700: REFUSED,
    RELEASED_800: RELEASED,
    CLOSED_899: CLOSED,
    GONE_BACK: CANCELLED,
    SENT_BACK: RETURNED,
}
