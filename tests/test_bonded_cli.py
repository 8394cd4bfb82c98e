"""cebport bonded book, enter, batch, examine, pass, gate, count: answers, exit codes, JSON against the schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from test_bonded import HOUSE, MASK, PARKS, UNIT, House
from test_bonded_desk import CUSTOMS, NOW, SENDER

from cebport import cli
from cebport.clearance import bonded, stock
from cebport.clearance.stock import Sale, SaleLine
from cebport.messages.bonded import making, records
from cebport.messages.bonded.writing import write_bonded
from cebport.policy import Policy
from cebport.server.bonded import Desk
from cebport.server.bonded_letters import list_letter
from cebport.server.booking import Brought
from cebport.server.rebuild import check
from cebport.server.store.store import Store

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in (REPO / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
BOOK = PARKS["4303"]
LOAD = ["--vehicle", "鲁A00001", "--vehicle-weight", "3000", "--gross", "10", "--net", "9", "--contact", "张三 138"]


class Window:
    """The commands on one store; the clock goes on by itself."""

    def __init__(self, folder: Path, capfd: Any) -> None:
        self.folder, self.capfd = folder, capfd
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.minute = 0

    def run(self, name: str, *arguments: object, clock: bool = True, lang: str = "en") -> tuple[int, str, str]:
        self.minute += 1
        on = ["--on", f"2026-11-25T10:{self.minute:02}:00"] if clock else []
        self.capfd.readouterr()
        code = cli.run(["bonded", name, *map(str, arguments), "--store", self.url, *on, "--lang", lang])
        out, err = self.capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    def json(self, name: str, *arguments: object, clock: bool = True) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(name, *arguments, "--json", clock=clock)
        validator = jsonschema.Draft202012Validator(SCHEMAS[f"bonded_{name}"], registry=REGISTRY)
        answers = [json.loads(line) for line in out.splitlines()]
        for answer in answers:
            validator.validate(answer)
        return code, answers[-1] if answers else {}

    def letter(self, name: str, raw: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(raw)
        return path

    def sell(self, number: str, qty: int) -> None:
        """What the walk does when it releases an inventory."""
        store = Store.open(self.url)
        line = SaleLine(1, 1, qty * UNIT, qty * UNIT // 10, qty * UNIT, MASK.price * qty, MASK.country)
        act = bonded.Sell(Sale(number, BOOK, HOUSE.code, "4303", (line,)), (MASK,))
        posted = Desk(store, Policy.load()).post(act, Brought("walk", "bonded", number, number.encode()), NOW)
        store.close()
        assert posted.outcome is not None and not posted.outcome.refused, posted

    def entered(self, qty: int = 100) -> None:
        """A book by its letter, and goods in it by a list, a pass and the gate."""
        assert self.json("enter", self.letter("book.xml", book_letter()))[0] == 0
        asked = House().list("I", (0, MASK, qty))
        raw = write_bonded(list_letter(asked, (), moment=NOW, sender=SENDER, receiver=CUSTOMS, card="0" * 13))
        code, made = self.json("enter", self.letter("list.xml", raw))
        assert (code, [one["type"] for one in made["receipts"]]) == (0, ["CommonResponeMessage", "INV201"])
        self.through(made["number"])

    def through(self, number: str) -> str:
        assert self.json("examine", number, "pass", "--who", "officer")[0] == 0
        code, way = self.json("pass", number, *LOAD)
        assert code == 0, way
        assert self.json("examine", way["number"], "pass", "--who", "officer")[0] == 0
        code, gone = self.json("gate", way["number"], "--collected", "3011")
        assert (code, gone["receipts"][-1]["type"]) == (0, "INV211")
        return way["number"]


def book_letter(own: str = "BOOK1") -> bytes:
    head = records.BwlHead(
        BwlNo=BOOK, EtpsPreentNo=own, DclTypeCd="1", BwlTypeCd="B", MasterCuscd="4303", BizopEtpsSccd=HOUSE.credit,
        BizopEtpsno=HOUSE.code, BizopEtpsNm=HOUSE.name, DclEtpsSccd=HOUSE.credit, DclEtpsno=HOUSE.code,
        DclEtpsNm=HOUSE.name, DclEtpsTypeCd="2", ContactEr="张三", ContactTele="13800000000", HouseTypeCd="B",
        HouseNo=HOUSE.code, HouseNm=HOUSE.name, HouseArea=MASK.price, HouseVolume=MASK.price, HouseAddress="测试路",
        DclTime="20261101", FinishValidTime="20291231", AppendTypeCd="1", InputCode=HOUSE.code, InputSccd=HOUSE.credit,
        InputName=HOUSE.name)
    return write_bonded(making.request(records.BWS101(head, (), HOUSE.code, "1"), moment=NOW, sender=SENDER,
                                       receiver=CUSTOMS, ic_card="0" * 13))


@pytest.fixture
def window(tmp_path: Path, capfd: Any) -> Window:
    return Window(tmp_path, capfd)


def test_the_whole_way_by_commands(window: Window) -> None:
    window.entered()
    code, held = window.json("book", BOOK, clock=False)
    assert (code, held["totals"]["balance"], held["lines"][0]["free"]) == (0, "100", "100")
    for n in range(3):
        window.sell(f"43032026I00000000{n}", 4)
    code, made = window.json("batch", BOOK, "-o", window.folder / "made.xml", "--receipts", window.folder / "out")
    assert code == 0 and (window.folder / "made.xml").read_bytes().startswith(b"<?xml")
    assert list((window.folder / "out").rglob("INV201_*.xml"))
    number = made["number"]
    code, part = window.json("examine", number, "pre", "--who", "officer", "--note", "ok")
    assert (code, part["receipts"]) == (0, [{"type": "INV201", "result": "4"}])
    code, first = window.json("pass", number, *LOAD, "--part", "1=5")
    assert code == 0
    code, over = window.json("pass", number, *LOAD, "--part", "1=8")
    assert (code, [one["code"] for one in over["faults"]]) == (1, ["BOND-PASS-QUANTITY"])
    assert window.json("pass", "--void", first["number"])[0] == 0
    way = window.json("pass", number, *LOAD)[1]["number"]
    assert window.json("examine", way, "pass", "--who", "officer")[0] == 0
    code, out, _ = window.run("gate", way)
    assert code == 0 and "INV211 1" in out
    code, held = window.json("book", BOOK, "--item", "1", "--prove", clock=False)
    assert (code, held["lines"][0]["balance"], held["proof"]["differences"]) == (0, "88", [])
    assert [one["kind"] for one in held["movements"]][:2] == ["off", "pre"]
    store = Store.open(window.url)
    assert check(store).differences == []
    store.close()


def test_the_same_file_again_and_what_is_no_letter(window: Window) -> None:
    path = window.letter("book.xml", book_letter())
    assert window.json("enter", path)[1]["repeated"] is False
    code, again = window.json("enter", path)
    assert (code, again["repeated"]) == (0, True)
    assert "came before" in window.run("enter", path)[1]
    code, other = window.json("enter", window.letter("x.xml", b"<nothing/>"))
    assert (code, other["refused"], bool(other["faults"])) == (1, True, True)
    answer = write_bonded(making.answer("OWN1", seq_no="202600000000000001"))
    code, out, _ = window.run("enter", window.letter("answer.xml", answer))
    assert code == 1 and "no letter that a company declares" in out
    code, refused = window.json("enter", window.letter("b2.xml", book_letter("BOOK2")))
    assert (code, refused["faults"][0]["code"]) == (1, "BOND-BOOK-EXISTS")


def test_counting(window: Window) -> None:
    window.entered(10)
    sheet = window.folder / "counted.csv"
    sheet.write_text("项号,盘点数量\n1,9\n", encoding="utf-8")
    code, made = window.json("count", BOOK, sheet, "--who", "keeper")
    assert (code, made["differences"][0]["booked"], made["differences"][0]["counted"]) == (1, "10", "9")
    code, out, _ = window.run("count", BOOK, sheet, "--who", "keeper", lang="zh")
    assert code == 1 and "账面" in out and "QD4303" in out
    assert window.json("count", BOOK, sheet, "--who", "keeper", "--settle")[0] == 0
    assert window.json("book", BOOK, clock=False)[1]["totals"]["balance"] == "9"
    sheet.write_text("item,counted\n1,x\n", encoding="utf-8")
    code, _, err = window.run("count", BOOK, sheet, "--who", "keeper")
    assert code == 2 and "row 2" in err
    sheet.write_text("a,b\n1,2\n", encoding="utf-8")
    assert window.run("count", BOOK, sheet, "--who", "keeper")[0] == 2


@pytest.mark.parametrize(("arguments", "code"), [
    (("book", "T4303W999999"), 1),
    (("book", "--item", "1"), 2),
    (("book", BOOK, "--item", "9"), 1),
    (("batch", BOOK), 1),
    (("batch", "T4303W999999"), 1),
    (("examine", "QD430326E000000009", "pass", "--who", "x"), 1),
    (("examine", "QD430326E000000009", "released", "--who", "x"), 2),
    (("examine", "QD430326E000000009", "pass", "--entry", "1", "--who", "x"), 2),
    (("examine", "QD430326E000000009", "pass"), 2),
    (("pass",), 2),
    (("pass", "QD430326E000000009", *LOAD), 1),
    (("pass", "QD430326I000000001"), 2),
    (("pass", "QD430326I000000001", *LOAD, "--part", "9=1"), 2),
    (("pass", "--void", "Z1"), 1),
    (("gate", "Z1"), 1),
    (("gate", "Z1", "--collected", "-1"), 2),
])
def test_exit_codes(window: Window, arguments: tuple[str, ...], code: int) -> None:
    window.entered(10)
    name, *rest = arguments
    assert window.run(name, *rest, clock=name != "book")[0] == code


def test_a_store_that_is_not_there(window: Window) -> None:
    assert window.run("book", clock=False)[0] == 2
    assert not (window.folder / "store.db").exists()


def test_every_event_has_chinese_words() -> None:
    import re

    from cebport.doors.words import event_words

    folder = Path(bonded.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    names = set(re.findall(r'return "([a-z ]+)", ', text)) | set(re.findall(r'\("([a-z ]+)" if', text)) | set(
        re.findall(r'else "([a-z ]+)"\)', text))
    assert len(names) > 15
    for name in names - stock.effects().keys():
        said = [event_words(f"bonded: {one}", "zh") for one in (name, f"{name} not booked")]
        assert any(not one.startswith("bonded:") for one in said), name
