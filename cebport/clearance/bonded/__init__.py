"""Account books, lists and gate passes (保税账册、核注清单、核放单): one act meets what the books hold.

decide(act, held, view, now, numbers) -> Outcome, without clock, chance or I/O. An act is refused whole, with every
reason and its numbers, or booked whole. The way of a unit:

    first line   list I -> examined -> pass -> gate -> entered
    sale         released inventory -> reserved -> list E of kind 8 -> pre-written off -> pass -> gate -> written off
    carry over   list E in one book, linked list I in the other; what leaves the one enters the other
    taken off    before the gate: back to free.  returned: after the gate, by a list I of kind 8

Where goods stand on a list that has no pass yet, a cancelled or returned parcel is cut from it.
"""
from __future__ import annotations

from typing import Any

from cebport.clearance.bonded.acts import (
    CHANGED,
    GONE,
    NEW,
    Answer,
    Count,
    Cross,
    Difference,
    Draft,
    EntryReleased,
    Examine,
    FileBook,
    FileList,
    FilePass,
    GiveBack,
    Outcome,
    Sell,
    TakeOff,
)
from cebport.clearance.bonded.lists import file_book, file_list, release_entry
from cebport.clearance.bonded.passes import cross, examine, file_pass
from cebport.clearance.bonded.sales import count, give_back, sell, take_off

__all__ = [
    "CHANGED",
    "GONE",
    "NEW",
    "Answer",
    "Count",
    "Cross",
    "Difference",
    "EntryReleased",
    "Examine",
    "FileBook",
    "FileList",
    "FilePass",
    "GiveBack",
    "Outcome",
    "Sell",
    "TakeOff",
    "decide",
]


def decide(act: Any, held: Any, view: Any, now: int, numbers: Any) -> Outcome:
    """What the act does to the books. ``held`` gives records as stored (see ``stock.Shelf``), ``view`` is the law of
    the book's place, ``now`` in ms, ``numbers`` gives fresh ones."""
    draft = Draft(held, view, now, numbers)
    name, number = TAKERS[type(act)](draft, act)
    return draft.finish(name, number)


TAKERS: dict[type, Any] = {
    FileBook: file_book,
    FileList: file_list,
    FilePass: file_pass,
    Examine: examine,
    Cross: cross,
    EntryReleased: release_entry,
    Sell: sell,
    TakeOff: take_off,
    GiveBack: give_back,
    Count: count,
}
