"""Steps of a retail parcel and its account book: reserved at release, taken off, returned; too little stops it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from test_bonded import HOUSE, MASK, PARKS, UNIT
from test_bonded_store import Stored
from walks_made import Home

from cebport.clearance.bonded import parcels
from cebport.clearance.parts import Blind, Case, InventoryPart, Line, Reply, ReturnLine, ReturnPart
from cebport.server.bonded import Held, follow, line_at
from cebport.server.bonded_fold import prove

NOBODY = Blind(b"0" * 16, "*")


def inventory(number: int = 1, *, qty: str = "3", item: str = "1", status: int = 120, **more: Any) -> InventoryPart:
    line = Line(1, "mask", MASK.unit, Decimal(qty), Decimal(100), Decimal(100) * Decimal(qty), MASK.country, MASK.gcode,
                Decimal(qty) / 10, MASK.unit1, Decimal(qty), MASK.unit2, item)
    made = InventoryPart(
        1, 1, f"G{number}", "1", "20261125090000", "2", f"ORDER{number}", "EBP", "EBC", f"WB{number}", "LOG",
        f"COP{number}", "AGENT", "ASSURE", PARKS["4303"], "4303", "", HOUSE.code, "1210", "", NOBODY, NOBODY, NOBODY,
        Decimal(0), Decimal(0), Decimal(1), (line,), Reply("R"), status, invtNo=f"43032026I{number:09d}")
    return replace(made, **more)


def case(part: InventoryPart, *returns: ReturnPart) -> Case:
    return Case(part.orderNo, part.ebpCode, 1, inventory=part, returns=returns)


@pytest.fixture
def house(home: Home) -> Stored:
    made = Stored().open(home)
    made.book()
    made.entered(10)
    return made


def step(house: Stored, before: Case | None, after: Case) -> list[str]:
    held, view = Held(house.store), house.view_of("4303")
    house.clock += 1000
    made = follow(held, before, after, view, house.clock, 1)
    with house.store.transaction():
        held.write(house.store.slot)
    return [one.name for one in made]


def reserved(house: Stored) -> int:
    line = line_at(house.store, PARKS["4303"], 1)
    assert line is not None
    return line.reserved // UNIT


@pytest.mark.parametrize("item", ["1", MASK.material])
def test_a_release_reserves_once(house: Stored, item: str) -> None:
    stored = case(inventory(item=item))
    released = case(inventory(item=item, status=800))
    assert step(house, None, stored) == []
    assert step(house, stored, released) == ["stock reserved"]
    assert step(house, released, case(inventory(item=item, status=899))) == []
    assert reserved(house) == 3
    assert prove(house.store).differences == []


def test_a_row_may_reserve_earlier_and_a_cancel_takes_off(house: Stored) -> None:
    house.rows = {"bonded.reserve_at": "stored"}
    stored, gone = case(inventory()), case(inventory(status=10))
    assert step(house, None, stored) == ["stock reserved"]
    assert step(house, stored, gone) == ["parcel taken off"]
    assert step(house, gone, gone) == []
    assert reserved(house) == 0


def test_an_approved_return_gives_back(house: Stored) -> None:
    released = case(inventory(status=899))
    step(house, None, released)
    back = ReturnPart(2, 1, "R1", "1", "20261126090000", "2", "4303", "ORDER1", "EBP", "EBC", "AGENT", "RC1",
                      released.inventory.invtNo, (ReturnLine(1, MASK.gcode, Decimal(2), MASK.unit),), Reply("R"), 399,
                      preNo="T1")
    after = case(inventory(status=899), back)
    assert step(house, released, after) == ["return booked"]
    assert step(house, after, after) == []
    assert reserved(house) == 1


def test_a_book_that_lacks_stock_stops(house: Stored) -> None:
    held, view = Held(house.store), house.view_of("4303")
    assert parcels.stock_stop(inventory(qty="10"), held, view) == []
    told = parcels.stock_stop(inventory(qty="11"), held, view)
    assert [(one.rule, one.found, one.expected) for one in told] == [("BOND-OVERDRAW", "11", "10 = 10 - 0")]
    assert [one.rule for one in parcels.stock_stop(inventory(item="9"), held, view)] == ["BOND-ITEM-UNKNOWN"]
    assert [one.rule for one in parcels.stock_stop(inventory(areaCode="X"), held, view)] == ["BOND-BOOK-COMPANY"]


@pytest.mark.parametrize("more", [{"emsNo": ""}, {"emsNo": "T9999W000001"}, {"tradeMode": "9610"}])
def test_other_parcels_go_their_way(house: Stored, more: dict[str, Any]) -> None:
    held, view = Held(house.store), house.view_of("4303")
    part = inventory(status=800, qty="99", **more)
    assert parcels.stock_stop(part, held, view) == []
    assert parcels.acts_of(None, case(part), held, view) == []
