"""A company's letters become acts, answers of the desk become letters that customs' side would read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED
from msgspec.structs import replace
from test_bonded import HOUSE, MASK, UNIT
from test_bonded_store import NOW, Stored
from walks_made import Home

from cebport.channels.folder import FolderOut
from cebport.clearance import bonded, stock
from cebport.clearance.stock import PassLine
from cebport.faults import is_valid
from cebport.messages.bonded.reading import read_bonded
from cebport.messages.bonded.writing import write_bonded
from cebport.server.bonded import pass_at
from cebport.server.bonded_letters import act_of, letter_of, list_letter, pass_letter
from cebport.server.booking import Brought
from cebport.server.dispatch import dispatch
from cebport.server.rebuild import check

SENDER, CUSTOMS = "DXPESW0000000001", "DXPENTSWSA000001"


@pytest.fixture
def house(home: Home) -> Stored:
    made = Stored().open(home)
    made.book()
    return made


def read(raw: bytes) -> Any:
    letter, found = read_bonded(raw)
    assert is_valid(found), [fault.message.en for fault in found]
    return letter


def brought(house: Stored, raw: bytes, name: str) -> bonded.Outcome:
    """A letter as its bytes come in."""
    house.now += timedelta(seconds=1)
    posted = house.desk.post(act_of(read(raw)), Brought("folder", "bonded", name, raw), house.now, receiver=SENDER)
    assert posted.outcome is not None
    if posted.outcome.change is not None:
        house.changes.append(posted.outcome.change)
        stock.fold(house.shelf, posted.outcome.change)
    return posted.outcome


def test_letters_all_the_way_and_their_receipts(house: Stored, tmp_path: Path) -> None:
    house.entered(50)
    for n in range(2):
        house.ok(house.sell(f"43032026I00000000{n}", (1, 3)))
    asked = house.gather("43032026I000000000", "43032026I000000001")
    sales = [house.shelf.get("sales", number) for number in asked.sales]
    raw = write_bonded(list_letter(asked.list, sales, moment=NOW, sender=SENDER, receiver=CUSTOMS,
                                   card="0000000000000"))
    made = brought(house, raw, "list.xml")
    assert not made.refused, made.why
    house.ok(bonded.Examine(made.number, "pass", "已审核"))
    shape = house.passing(made.number, bind="3", lines=(PassLine(made.number, 1, 4 * UNIT),))
    goods = {(made.number, 1): MASK}
    raw = write_bonded(pass_letter(shape, goods, "张三 13800000000", moment=NOW, sender=SENDER, receiver=CUSTOMS,
                                   card="0000000000000"))
    first = brought(house, raw, "pass.xml")
    assert not first.refused, first.why
    held = pass_at(house.store, first.number)
    assert held is not None and held.contact.startswith("张*") and "138" not in held.contact
    house.ok(bonded.Examine(first.number, "pass"))
    house.ok(bonded.Cross(first.number, "single", "4303000001", collected=Decimal(3011)))
    rest = house.ok(bonded.FilePass(house.passing(made.number, bind="3", lines=(
        PassLine(made.number, 1, 2 * UNIT),)))).number
    house.ok(bonded.Examine(rest, "pass"))
    house.ok(bonded.Cross(rest, "single"))
    out = FolderOut(tmp_path / "receipts")
    while dispatch(house.store, out):
        pass
    kinds: dict[str, int] = {}
    for path in (tmp_path / "receipts").rglob("*.xml"):
        letter = read(path.read_bytes())
        kinds[letter.type] = kinds.get(letter.type, 0) + 1
    assert set(kinds) == {"CommonResponeMessage", "INV201", "INV211", "SAS221", "SAS223"}
    assert house.line().decreased == 6 * UNIT
    assert check(house.store).differences == []


def test_what_receipts_say(house: Stored) -> None:
    house.entered(50)
    house.ok(house.sell("I0", (1, 3)))
    number = house.ok(house.gather("I0")).number
    passed = house.ok(bonded.Examine(number, "pass", "note")).answers[0]
    letter = read(write_bonded(letter_of(passed, moment=NOW, serial=1)))
    head, line = letter.body.head, letter.body.lines[0]
    assert (letter.body.result.manageResult, head.vrfdedMarkcd, head.invtStucd) == ("4", "1", "0")
    assert (head.bondInvtTypecd, head.invtIochkptStucd, head.passportUsedTypecd) == ("8", "0", "1")
    assert (line.dclQty, line.passportUsedQty, line.putrecSeqno) == (Decimal(3), Decimal(0), 1)
    assert letter.body.check.note == "note"
    way = house.ok(bonded.FilePass(house.passing(number))).number
    house.ok(bonded.Examine(way, "pass"))
    crossed = house.ok(bonded.Cross(way, "single", collected=Decimal(3012)))
    gate, off, booked = [read(write_bonded(letter_of(one, moment=NOW, serial=2))) for one in crossed.answers]
    assert (gate.body.head.stucd, gate.body.head.wtError, gate.body.head.rltNo) == ("2", Decimal(-2), number)
    assert (off.body.result.manageResult, off.body.head.vrfdedMarkcd, off.body.head.invtIochkptStucd) == ("1", "2", "3")
    line = booked.body.book_lines[0]
    assert (line.inQty, line.actlRedcQty, line.prevdRedcQty) == (Decimal(50), Decimal(3), None)
    assert (line.invtNo, line.invtGNo) == (number, 1)


def test_a_refused_letter_is_answered_with_its_reasons(house: Stored, tmp_path: Path) -> None:
    asked = replace(house.list("E", (1, MASK, 5)), own="OWNX")
    raw = write_bonded(list_letter(asked, (), moment=NOW, sender=SENDER, receiver=CUSTOMS, card="0000000000000"))
    made = brought(house, raw, "list.xml")
    assert [why.rule for why in made.why] == ["BOND-ITEM-UNKNOWN"]
    out = FolderOut(tmp_path / "receipts")
    dispatch(house.store, out)
    answers = [read(path.read_bytes()).body for path in (tmp_path / "receipts" / SENDER).rglob("*.xml")]
    assert [(one.DealFlag, one.EtpsPreentNo) for one in answers] == [("-1", "OWNX")]
    assert "BOND-ITEM-UNKNOWN" in answers[0].CheckInfo
    assert check(house.store).differences == []


SAMPLES = SHARED / "ceb" / "local" / "samples" / "bonded"


@pytest.mark.parametrize("folder", [SAMPLES] if SAMPLES.exists() else [])
def test_the_made_up_samples_become_acts(folder: Path) -> None:
    book = act_of(read((folder / "BWS101_book.xml").read_bytes()))
    assert isinstance(book, bonded.FileBook) and book.goods[0][0] == 6
    made = act_of(read((folder / "INV101_type8_exit.xml").read_bytes()))
    assert isinstance(made, bonded.FileList)
    assert (made.list.kind, made.list.io, made.sales, made.list.lines[0].qty) == (
        "8", "E", ("29242026I000000001",), 2 * UNIT)
    way = act_of(read((folder / "SAS121_second_line_exit.xml").read_bytes()))
    assert isinstance(way, bonded.FilePass)
    assert (way.made.lists, way.made.bind, way.made.load.total) == (("QD292426E000000001",), "2", Decimal("3240.4"))
    with pytest.raises(ValueError, match="no request"):
        act_of(read((folder / "INV211_inbound_booked.xml").read_bytes()))


def test_a_quantity_too_fine_is_refused(house: Stored) -> None:
    house.entered(5)
    raw = write_bonded(list_letter(house.list("E", (1, MASK, 5)), (), moment=NOW, sender=SENDER, receiver=CUSTOMS,
                                   card="0000000000000")).replace(b"<DclQty>5<", b"<DclQty>0.000001<")
    letter, _ = read_bonded(raw)
    assert act_of(letter).list.lines[0].qty < 0
    assert HOUSE.code == act_of(letter).list.company.code
