"""``cebport ledger``: answers in both languages and as JSON, files written and taken, exit codes."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema
from walks_made import ON, Home, cards, four, one_story, put

from cebport.values import beijing_day

pytestmark = pytest.mark.usefixtures("english")

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in (REPO / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.jsonschema.DRAFT202012.create_resource(schema)) for name, schema in SCHEMAS.items())
PARCELS = 3
LATER = ON + timedelta(days=32)
NOW, THEN = ON.isoformat()[:19], LATER.isoformat()[:19]


def answer(out: str, name: str) -> Any:
    made = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMAS[name], registry=REGISTRY).validate(made)
    return made


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> tuple[str, str]:
    """A store whose parcels are released and summarised, and its guarantor."""
    folder = tmp_path_factory.mktemp("port")
    home = Home("sqlite", f"sqlite:///{folder / 'store.db'}", folder)
    stories = [one_story(number) for number in range(PARCELS)]
    cards()
    messages = {f"{n}{kind}": raw for n, story in enumerate(stories) for kind, raw in four(story).items()}
    home.clear(folder / "in", put(folder / "in", **messages))
    home.clear(folder / "in", [], on=LATER)
    return str(folder), stories[0].inventory.head.assureCode


@pytest.fixture
def store(port, tmp_path) -> str:
    """A copy of it for one test."""
    import shutil

    for name in ("store.db", "store.keys"):
        shutil.copy(Path(port[0]) / name, tmp_path / name)
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def ledger(call, store, tmp_path):
    """``cebport ledger NAME`` on that store."""
    return lambda name, *more: call("ledger", name, "--store", store, "--keys", tmp_path / "store.keys", *more)


def due(ledger) -> dict[str, Any]:
    (one,) = answer(ledger("collect", "--on", THEN, "--json")[1], "ledger_collect")["documents"]
    return one


def payment_rows(one: dict[str, Any], serial="S1", **amounts: str) -> list[list[str]]:
    billed = {kind: held["billed"] for kind, held in one["kinds"].items()} | amounts
    return [["serial", "entDutyNo", "assureCode", "paidOn", "duty", "vat", "consumption", "late_fee"],
            [serial, one["entDutyNo"], one["code"], str(beijing_day(LATER)),
             *[billed.get(kind, "") for kind in ("duty", "vat", "consumption", "late_fee")]]]


def written(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as held:
        csv.writer(held).writerows(rows)
    return path


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_answer_in_both_languages(ledger, tmp_path, lang, port):
    guarantees = written(tmp_path / "g.csv", [["担保编号", "担保企业编号", "金额", "起始日期"],
                                              ["G1", port[1], "1000", "2026-01-01"]])
    words = {"zh": ("担保账户", "缴款书", "对账单", "借贷相平"),
             "en": ("Guarantee accounts", "Payment documents", "Statement", "the books balance")}[lang]
    code, out, _ = ledger("guarantee", "--file", guarantees, "--on", NOW, "--lang", lang, "--code", port[1])
    assert code == 0 and words[0] in out and "1000.00" in out and "G1" in out
    code, out, _ = ledger("collect", "--on", THEN, "--lang", lang)
    assert code == 0 and words[1] in out and port[1] in out
    code, out, _ = ledger("statement", "--month", "2026-11", "--lang", lang)
    assert code == 0 and words[2] in out and words[3] in out
    code, out, _ = ledger("bureau", "--month", "2026-12", "--on", THEN, "--lang", lang)
    assert code == 0 and words[1] in out
    code, out, _ = ledger("reconcile", "--lang", lang)
    assert code == 0 and words[3] in out


def test_guarantees_in_and_out(ledger, tmp_path, port):
    code, out, _ = ledger("guarantee", "--on", NOW, "--json")
    (one,) = answer(out, "ledger_guarantee")["guarantors"]
    assert code == 0 and (one["state"], one["balance"]) == ("none", None) and float(one["taken"]) > 0
    file = written(tmp_path / "g.csv", [["number", "assureCode", "kind", "amount", "since", "until"],
                                        ["G1", port[1], "letter", "9999.99", "2026-01-01", "2026-12-31"]])
    code, out, _ = ledger("guarantee", "--file", file, "--on", NOW, "--json")
    made = answer(out, "ledger_guarantee")
    assert code == 0 and made["taken"]["booked"] and made["taken"]["rows"] == 1
    assert [(g["balance"], g["state"], g["guarantees"][0]["valid"]) for g in made["guarantors"]] == [
        ("9999.99", "ok", True)]
    code, out, _ = ledger("guarantee", "--file", file, "--on", NOW, "--json")
    made = answer(out, "ledger_guarantee")
    assert code == 1 and [fault["code"] for fault in made["taken"]["faults"]] == ["CEB-LEDGER-010"]
    code, out, _ = ledger("guarantee", "--file", file, "--on", NOW)
    assert code == 1 and "nothing booked" in out and "CEB-LEDGER-010" in out
    code, out, err = ledger("guarantee", "--code", "NOBODY")
    assert code == 1 and "NOBODY" in err


def test_payments_are_compared_then_booked(ledger, tmp_path):
    one = due(ledger)
    assert one["state"] == "due" and one["bills"] == PARCELS
    file = written(tmp_path / "p.csv", payment_rows(one))
    code, out, _ = ledger("reconcile", file, "--on", THEN, "--json")
    made = answer(out, "ledger_reconcile")
    assert code == 0 and made["agrees"] and made["balanced"] and made["compared"] == 1
    assert [fault["code"] for fault in made["differences"]] == ["CEB-LEDGER-050"]
    code, out, _ = ledger("collect", "--paid", file, "--on", THEN, "--json")
    made = answer(out, "ledger_collect")
    assert code == 0 and made["taken"]["booked"] and made["documents"] == []
    code, out, _ = ledger("collect", "--all", "--on", THEN, "--json")
    assert [row["state"] for row in answer(out, "ledger_collect")["documents"]] == ["paid"]
    code, out, _ = ledger("reconcile", file, "--on", THEN)
    assert code == 0 and "agrees with the file" in out
    code, out, _ = ledger("collect", "--paid", file, "--on", THEN)
    assert code == 1 and "CEB-LEDGER-010" in out


def test_a_list_that_differs(ledger, tmp_path):
    one = due(ledger)
    file = written(tmp_path / "p.csv", payment_rows(one, vat="0.01"))
    code, out, _ = ledger("reconcile", file, "--on", THEN)
    assert code == 1 and "CEB-LEDGER-042" in out and "differences from the file" in out
    code, out, _ = ledger("reconcile", file, "--on", THEN, "--json", "--month", "2026-12")
    assert code == 1 and not answer(out, "ledger_reconcile")["agrees"]
    bad = written(tmp_path / "bad.csv", [["a", "b"]])
    code, out, _ = ledger("reconcile", bad, "--on", THEN)
    assert code == 1 and "CEB-LEDGER-001" in out and "nothing was compared" in out
    code, out, _ = ledger("collect", "--paid", bad, "--on", THEN, "--json")
    assert code == 1 and not answer(out, "ledger_collect")["taken"]["booked"]


def test_tables_to_take_away(ledger, tmp_path):
    from openpyxl import load_workbook

    code, out, _ = ledger("statement", "--month", "2026-11", "-o", tmp_path / "out", "--json")
    made = answer(out, "ledger_statement")
    assert code == 0 and made["balanced"] and made["debit"] == made["credit"]
    assert {Path(file).name for file in made["files"]} == {"statement-2026-11.csv", "statement-2026-11.xlsx"}
    with (tmp_path / "out" / "statement-2026-11.csv").open(encoding="utf-8-sig", newline="") as held:
        rows = list(csv.reader(held))
    sheet = load_workbook(tmp_path / "out" / "statement-2026-11.xlsx").active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert len(rows) == len(cells) == len(made["rows"]) + 1
    assert [float(row[-1]) for row in rows[1:]] == [float(row[-1]) for row in cells[1:]] == [
        float(row["closing"]) for row in made["rows"]]
    code, out, _ = ledger("bureau", "--month", "2026-12", "--on", THEN, "-o", tmp_path / "b.xlsx", "--json")
    made = answer(out, "ledger_bureau")
    assert code == 0 and made["rows"] and made["files"] == [str(tmp_path / "b.xlsx")]
    assert load_workbook(tmp_path / "b.xlsx").active.max_row == len(made["rows"]) + 1
    assert answer(ledger("bureau", "--month", "2020-01", "--json")[1], "ledger_bureau")["rows"] == []
    assert answer(ledger("statement", "--month", "2020-01", "--json")[1], "ledger_statement")["rows"] == []


@pytest.mark.parametrize("arguments", [
    ("statement",), ("statement", "--month", "2026-13"), ("statement", "--month", "2026-1"),
    ("statement", "--month", "november"), ("bureau", "--month", "2026-11", "-o", "file.pdf"),
    ("collect", "--paid", "/nowhere.csv"), ("guarantee", "--on", "yesterday"), ("nothing",),
])
def test_usage(ledger, arguments):
    code, _, err = ledger(*arguments)
    assert code == 2 and err


def test_a_store_that_is_not_there(call, tmp_path):
    assert call("ledger", "collect", "--store", f"sqlite:///{tmp_path / 'none.db'}")[0] == 2
    (tmp_path / "junk.db").write_bytes(b"junk" * 1000)
    assert call("ledger", "collect", "--store", f"sqlite:///{tmp_path / 'junk.db'}")[0] == 3


def test_books_that_were_altered(ledger, store):
    import sqlite3

    ledger("statement", "--month", "2026-11")
    base = sqlite3.connect(store.removeprefix("sqlite:///"))
    base.execute("UPDATE ledger SET credit_fen = credit_fen + 1 WHERE account = 'revenue'")
    base.commit()
    base.close()
    code, out, _ = ledger("statement", "--month", "2026-11")
    assert code == 1 and "CEB-LEDGER-060" in out
    code, out, _ = ledger("reconcile", "--json")
    made = answer(out, "ledger_reconcile")
    assert code == 1 and not made["balanced"] and made["off"]
    assert ledger("statement", "--month", "2026-11", "--json")[0] == 1
