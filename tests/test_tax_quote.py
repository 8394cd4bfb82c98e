"""cebport tax: questions read, answers with steps and sources, exit codes, CEB621 as input, the library; and what must
hold of the tax itself: exact sums, monotonic, splitting, limits to the fen, an oracle in fractions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from hypothesis import given, settings
from hypothesis import strategies as st
from world import line, papers, rows

from cebport import cli, tax
from cebport.clearance import tax as reckoning
from cebport.clearance.asking import read_request
from cebport.clearance.quote import Quote, quote, reckon
from cebport.doors import screen
from cebport.messages import documents, envelope, wire
from cebport.messages.documents import Message
from cebport.policy import Policy
from cebport.values import spread

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = {path.name: json.loads(path.read_text(encoding="utf-8"))
           for path in (REPO / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (name, referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMAS["tax.json"], registry=REGISTRY)
Run = Callable[..., tuple[int, str, str]]
BAG = "4202119090"


def asked(*lines: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """A question: lines of (goods code, price) or (goods code, price, pieces)."""
    made = {"on": "2026-11-24", "place": "3118", "mode": "1210", "freight": "0", "insured_fee": "0", "year_used": "0",
            "lines": [{"gcode": code, "qty": more[0] if more else "1", "unit": "011", "total_price": total}
                      for code, total, *more in lines]}
    return {**made, **changes}


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        class Stream(io.TextIOWrapper):
            pass

        monkeypatch.setattr("sys.stdin", Stream(io.BytesIO(stdin), encoding="utf-8"))
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        return code, out, err

    return run


def answer_of(out: str) -> dict[str, Any]:
    (answer,) = [json.loads(one) for one in out.splitlines()]
    VALIDATOR.validate(answer)
    return answer


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────


def test_the_question_of_the_reference(run: Run, tmp_path: Path) -> None:
    """Two bags and wine, freight 10 and insurance 1.50: shares 6.25 + 3.75 and 0.94 + 0.56 by hand."""
    question = asked((BAG, "500"), freight="10", insured_fee="1.50")
    question["lines"].append({
        "gcode": "2204210000", "qty": "2", "unit": "142", "qty1": "1.5", "unit1": "095", "qty2": "2.4", "unit2": "035",
        "total_price": "300", "rates": {"mfn": "0.14", "vat": "0.13", "consumption": "0.10"}})
    path = tmp_path / "q.json"
    path.write_text(json.dumps(question), encoding="utf-8")
    code, out, _ = run("tax", path, "--json")
    answer = answer_of(out)
    assert code == 0 and (answer["regime"], answer["inside_limits"], answer["refused"]) == ("composite", True, False)
    assert answer["lines"] == [
        {"dutiable": "507.19", "duty": "0.00", "consumption_tax": "0.00", "vat": "46.15"},
        {"dutiable": "304.31", "duty": "0.00", "consumption_tax": "23.67", "vat": "30.77"},
    ]
    assert (answer["duty"], answer["consumption_tax"], answer["vat"], answer["total"]) == (
        "0.00", "23.67", "76.92", "100.59")
    assert answer["reason"] == "inside" and answer["value"] == "811.50" and answer["limits"]["year_after"] == "811.50"
    topics = {source["topic"] for source in answer["sources"]}
    assert {"tax.regime", "tax.limit_single_cny", "tax.limit_year_cny", "tax.share_within", "tax.rounding",
            "tax.freight_split"} <= topics
    assert "consumption.wine" not in topics and "vat.standard" in topics, "given rates rest on no row"
    assert tax(question) == answer, "the library says the same"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_step_is_told(run: Run, lang: str) -> None:
    question = asked(("2208300000", "5600"), freight="10")
    question["lines"][0] |= {"qty1": "0.7", "unit1": "095"}
    code, out, _ = run("tax", "-", "--lang", lang, stdin=json.dumps(question).encode())
    assert code == 0
    words = ("Caiguanshui 2018-49", "text not seen") if lang == "en" else ("财关税〔2018〕49号", "未见原文")
    for figure in ("5610.00 > 5000.00", "5610.00 × 0.1 = 561.00", "÷ (1 − 0.2) × 0.2", "0.13", "3107.", "[K]", *words):
        assert figure in out, figure
    assert max(map(len, out.splitlines())) <= 120


THEN = "2018-06-01"
CHANNELS = [
    # question, exit code, inside, refused, reason
    (asked((BAG, "5000", "2")), 0, True, False, "inside"),
    (asked((BAG, "5000.01")), 0, False, False, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "5000.01", "2")), 1, False, True, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "4000"), (BAG, "1000.01")), 1, False, True, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "5000.01"), year_used="20999.99"), 0, False, False, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "5000.01"), year_used="21000.00"), 1, False, True, "LAW-LIMIT-YEAR"),
    (asked((BAG, "4990", "2"), freight="10", insured_fee="0.01"), 1, False, True, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "2000.01", "2"), on=THEN), 0, False, False, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "1"), on=THEN, year_used="19999.01"), 0, False, False, "LAW-LIMIT-YEAR"),
    (asked((BAG, "1000.01", "2"), on="2015-06-01"), 1, False, True, "LAW-LIMIT-SINGLE"),
    (asked((BAG, "1000.01"), on="2015-06-01"), 0, True, False, "inside"),
    (asked(("9999999999", "6000")), 1, False, False, "unanswered"),
]


@pytest.mark.parametrize(("question", "code", "inside", "refused", "reason"), CHANNELS)
def test_exit_codes_and_channels(run: Run, question: dict[str, Any], code: int, inside: bool, refused: bool,
                                 reason: str) -> None:
    found, out, _ = run("tax", "-", "--json", stdin=json.dumps(question).encode())
    answer = answer_of(out)
    assert (found, answer["inside_limits"], answer["refused"], answer["reason"]) == (code, inside, refused, reason)
    errors = [fault["code"] for fault in answer["faults"] if fault["severity"] == "error"]
    assert errors == ([reason] if refused else ["LAW-RATE-MISSING"] if code else [])
    assert (answer["total"] is None) == (code == 1) == (answer["lines"] == [])
    for lang in ("zh", "en"):
        told, text, _ = run("tax", "-", "--lang", lang, stdin=json.dumps(question).encode())
        assert told == code and (reason in text or reason in ("inside", "unanswered") or not refused)


def test_the_postal_tax_has_its_band() -> None:
    answer = tax(asked((BAG, "600"), ("3303000020", "100"), on="2016-04-07", freight="50"))
    assert answer["regime"] == "postal" and answer["postal_tax"] == answer["total"] == "110.00"
    assert [(one["postal_tax"], one["band"], one["dutiable"]) for one in answer["lines"]] == [
        ("60.00", "A", "600.00"), ("50.00", "D", "100.00")]
    assert answer["band"] == "A+D" and answer["waived"] == "0.00" and answer["duty"] == answer["vat"] == "0.00"
    waived = tax(asked((BAG, "500"), on="2016-04-07"))
    assert (waived["total"], waived["waived"]) == ("0.00", "50.00")
    assert "postal_tax" not in tax(asked((BAG, "500"), on="2016-04-08"))
    dear = tax(asked((BAG, "1000.01"), on="2016-04-07"))
    assert dear["inside_limits"] and any("cannot be divided" in step["en"] for step in dear["steps"])
    given = tax(asked((BAG, "600"), on="2016-04-07") | {"lines": [
        {"gcode": BAG, "qty": "1", "total_price": "600", "rates": {"band": "C"}}]})
    assert (given["total"], given["band"]) == ("180.00", "C")
    VALIDATOR.validate(given)


def test_places_modes_and_lists_are_told_as_warnings() -> None:
    def codes(**changes: Any) -> list[str]:
        return [fault["code"] for fault in tax(asked((BAG, "100"), **changes))["faults"]]

    assert codes() == []
    assert codes(place="jinan", on=THEN) == ["LAW-MODE"]
    assert codes(mode="9999") == ["LAW-MODE"]
    assert codes(mode="") == []
    assert tax(asked((BAG, "100"), place="jinan", on=THEN))["total"] == "11.20"
    unknown = tax(asked((BAG, "100"), place="9999"))
    assert unknown["total"] == "9.10" and any("9999" in step["en"] for step in unknown["steps"])


def test_another_law_is_asked_by_an_overlay(run: Run, tmp_path: Path) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text("recorded_at: 2026-12-20\nrows:\n  tax.share_within:\n  - {value: '0.50', since: 2026-01-01, "
                       "instrument: caiguanshui-2018-49, confidence: K}\n", encoding="utf-8")
    question = json.dumps(asked((BAG, "100"))).encode()
    assert answer_of(run("tax", "-", "--json", stdin=question)[1])["total"] == "9.10"
    assert answer_of(run("tax", "-", "--json", "--overlay", overlay, stdin=question)[1])["total"] == "6.50"
    overlay.write_text("rows: {tax.share: []}", encoding="utf-8")
    assert run("tax", "-", "--overlay", overlay, stdin=question)[0] == 1


def test_the_law_of_another_day_is_asked_by_an_overlay(run: Run, tmp_path: Path) -> None:
    overlay = tmp_path / "then.yaml"
    overlay.write_text("law_of: 2016-04-07\n", encoding="utf-8")
    question = json.dumps(asked((BAG, "100"))).encode()
    then = answer_of(run("tax", "-", "--json", "--overlay", overlay, stdin=question)[1])
    assert then["regime"] == "postal" and then["total"] != "9.10"
    overlay.write_text("law_of: soon\n", encoding="utf-8")
    assert run("tax", "-", "--overlay", overlay, stdin=question)[0] == 1


def test_the_command_line_goes_before_the_file(run: Run) -> None:
    question = json.dumps(asked((BAG, "1000"))).encode()
    answer = answer_of(run("tax", "-", "--json", "--on", "2016-04-08", "--place", "zhengzhou", "--year-used",
                           "19000.01", stdin=question)[1])
    assert (answer["on"], answer["place"], answer["reason"]) == ("2016-04-08", "zhengzhou", "LAW-LIMIT-YEAR")
    assert answer["duty"] == "60.00" and answer["vat"] == "180.20"


def test_other_ways_of_reckoning_are_told() -> None:
    """Tax counted in the limit, rounding by head, fees together, a duty share inside the limits, a waiver."""
    def made(*lines: tuple[str, str], law: dict[str, Any], **changes: Any) -> Quote:
        request, _ = read_request(asked(*lines, **changes))
        assert request is not None
        found = quote(request, rows(law))
        assert isinstance(found, Quote)
        return found

    found = made((BAG, "4600"), law={"tax.limit_base": "with_tax"})
    assert found.treated.value == Decimal("5018.60") and not found.inside
    assert any("tax counted" in step.words.en for step in found.steps)
    head = made((BAG, "3.33"), (BAG, "3.33"), (BAG, "3.33"),
                law={"tax.rounding": {"unit": "0.01", "mode": "half_up", "level": "head"}})
    assert head.total == Decimal("0.91") and any("once for the whole" in step.words.en for step in head.steps)
    split = {"by": "total_price", "fees": "together", "remainder": "last"}
    found = made((BAG, "1"), (BAG, "1"), (BAG, "1"), law={"tax.freight_split": split}, freight="0.02",
                 insured_fee="0.02")
    assert [one.dutiable for one in found.assessed.lines] == [Decimal("1.01"), Decimal("1.01"), Decimal("1.02")]
    assert any("the last line" in step.words.en for step in found.steps)
    found = made((BAG, "100"), law={"tax.duty_share_within": "0.5"})
    assert (found.assessed.duty, found.assessed.vat) == (Decimal("3.00"), Decimal("9.37"))
    found = made((BAG, "100"), law={"tax.small_tax_waiver_cny": "50"})
    assert found.total == 0 and found.as_dict()["total"] == "0.00"
    assert any("waived" in step.words.en for step in found.steps)


# ── questions that are wrong ────────────────────────────────────────────────────────────────────────

LINE = {"gcode": BAG, "qty": "1", "total_price": "1"}
WRONG: list[tuple[object, str, str]] = [
    ([], "CEB-QUOTE-001", ""), ("x", "CEB-QUOTE-001", ""), (None, "CEB-QUOTE-001", ""),
    ({"lines": [LINE]}, "CEB-QUOTE-002", "on"), ({"on": "2026-11-24"}, "CEB-QUOTE-002", "lines"),
    ({"on": "soon", "lines": [LINE]}, "CEB-QUOTE-003", "on"), (
        {"on": 20261124, "lines": [LINE]}, "CEB-QUOTE-003", "on"),
    ({"on": "2026-02-30", "lines": [LINE]}, "CEB-QUOTE-003", "on"),
    (asked(), "CEB-QUOTE-002", "lines"), (asked(lines={}), "CEB-QUOTE-003", "lines"),
    (asked(lines=[LINE] * 1001), "CEB-QUOTE-003", "lines"), (asked(lines=["x"]), "CEB-QUOTE-003", "lines[1]"),
    (asked(lines=[{}]), "CEB-QUOTE-002", "lines[1]/gcode"),
    (asked((BAG, "-1")), "CEB-QUOTE-003", "lines[1]/total_price"),
    (asked((BAG, "1e9")), "CEB-QUOTE-003", "lines[1]/total_price"),
    (asked((BAG, "١")), "CEB-QUOTE-003", "lines[1]/total_price"),
    (asked((BAG, "NaN")), "CEB-QUOTE-003", "lines[1]/total_price"),
    (asked((BAG, "1", "0")), "CEB-QUOTE-003", "lines[1]/qty"),
    (asked((BAG, "1", True)), "CEB-QUOTE-003", "lines[1]/qty"),
    (asked(("42", "1")), "CEB-QUOTE-003", "lines[1]/gcode"), (asked((["a"], "1")), "CEB-QUOTE-003", "lines[1]/gcode"),
    (asked((BAG, "1"), freight="ten"), "CEB-QUOTE-003", "freight"),
    (asked((BAG, "1"), freight=[]), "CEB-QUOTE-003", "freight"),
    (asked((BAG, "1"), freight=float("inf")), "CEB-QUOTE-003", "freight"),
    (asked((BAG, "1"), freight=Decimal("1e999999")), "CEB-QUOTE-003", "freight"),
    (asked((BAG, "1"), year_used="0.001"), "CEB-QUOTE-003", "year_used"),
    (asked((BAG, "1"), place="atlantis"), "CEB-QUOTE-005", "place"),
    (asked((BAG, "1"), place={}), "CEB-QUOTE-003", "place"),
    (asked((BAG, "1"), on="2010-06-01"), "CEB-QUOTE-006", "postal.bands"),
    (asked(lines=[{**LINE, "rates": 1}]), "CEB-QUOTE-003", "lines[1]/rates"),
    (asked(lines=[{**LINE, "rates": {"vat": "13"}}]), "CEB-QUOTE-003", "lines[1]/rates/vat"),
    (asked(lines=[{**LINE, "rates": {"consumption": "1"}}]), "CEB-QUOTE-003", "lines[1]/rates/consumption"),
    (asked(lines=[{**LINE, "rates": {"band": "Z"}}], on="2015-01-01"), "CEB-QUOTE-003", "lines[1]/rates/band"),
]


@pytest.mark.parametrize(("question", "code", "path"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_wrong_questions_are_told_not_thrown(question: object, code: str, path: str) -> None:
    answer = tax(question)
    assert list(answer) == ["faults"]
    VALIDATOR.validate(json.loads(json.dumps(answer)))
    assert (code, path) in [(fault["code"], fault["path"]) for fault in answer["faults"]]


@pytest.mark.parametrize("raw", [
    b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"on": "2026-11-24", "on": "2026-11-25"}', b"NaN",
    b'{"freight": Infinity}',
    b'{"on": "2026-11-24", "freight": ' + b"1" * 6000 + b"}", b"not json", b"<xml", b"<CEB311Message/>", b"<a>" * 50,
])
def test_bytes_that_are_no_question(run: Run, raw: bytes) -> None:
    code, out, _ = run("tax", "-", "--json", stdin=raw)
    assert code == 1 and answer_of(out)["faults"][0]["severity"] == "error"


def test_usage(run: Run, tmp_path: Path) -> None:
    assert run("tax")[0] == 2 and run("tax", tmp_path)[0] == 2 and run("tax", tmp_path / "none.json")[0] == 2
    for option in (("--on", "soon"), ("--year-used", "-1"), ("--year-used", "1.001")):
        assert run("tax", "-", *option)[0] == 2


def test_numbers_are_taken_as_they_are_written(run: Run) -> None:
    """JSON numbers lose nothing; unknown fields are told and not used; days and decimals of Python are taken."""
    raw = (b'{"on": "2026-11-24T08:00:00", "freigth": 5, '
           b'"lines": [{"gcode": 4202119090, "qty": 1, "total_price": 1000.10}]}')
    code, out, _ = run("tax", "-", "--json", stdin=raw)
    answer = answer_of(out)
    assert code == 0 and answer["lines"][0]["dutiable"] == "1000.10"
    assert [(fault["code"], fault["path"]) for fault in answer["faults"]] == [("CEB-QUOTE-004", "freigth")]
    for on in (date(2026, 11, 24), datetime(2026, 11, 24, 3)):
        made = tax({"on": on, "freight": Decimal(1),
                    "lines": [{"gcode": BAG, "qty": 1, "total_price": 1000.1, "unit": None}]})
        assert made["lines"][0]["dutiable"] == "1001.10"


# ── inventories ─────────────────────────────────────────────────────────────────────────────────────


def message_of(*found: Any) -> bytes:
    made = Message("CEB621Message", "0" * 36, "1.0", tuple(one.story.inventory for one in found),
                   documents.BaseTransfer("C", "N", "DXP", "DXPENT0000000001"))
    return wire.write(made)


def test_inventories_are_asked_as_they_are(run: Run, tmp_path: Path) -> None:
    made = [papers(seed, basket=None, fees=None, seed=seed, mode="1210") for seed in (5, 6, 7)]
    path = tmp_path / "inventory.xml"
    path.write_bytes(message_of(*made))
    code, out, _ = run("tax", path, "--json")
    answers = [json.loads(one) for one in out.splitlines()]
    for answer, one in zip(answers, made, strict=True):
        VALIDATOR.validate(answer)
        assert answer["total"] == f"{one.story.tax:.2f}" and answer["order"] == one.inventory.orderNo
        assert answer["place"] == one.inventory.customsCode and answer["mode"] == "1210"
        told = tax(one.story.inventory)
        assert told == {**answer, "faults": told["faults"]}
        assert [(fault["path"], fault["severity"]) for fault in answer["faults"] if fault not in told["faults"]] == [
            ("ds:Signature", "warning")], "a signature is not asked for"
    assert code == 0
    code, out, _ = run("tax", path, "--lang", "en", "--year-used", "26000", "--on", "2026-11-25")
    assert code == 1 and out.count("over the limit: may not come") == 3


@pytest.mark.parametrize(("old", "new", "path"), [
    ("<ceb:freight>", "<ceb:freight>-1", "Inventory[1]/InventoryHead/freight"),
    ("<ceb:appTime>20", "<ceb:appTime>99", "Inventory[1]/appTime"),
    ("<ceb:tradeMode>1210<", "<ceb:tradeMode>12<", "Inventory[1]/InventoryHead/tradeMode"),
])
def test_an_inventory_that_gives_no_tax_is_told_and_the_next_is_asked(run: Run, old: str, new: str, path: str) -> None:
    made = [papers(seed, basket=None, fees=None, seed=seed, mode="1210") for seed in (5, 6)]
    raw = message_of(*made).decode()
    assert old in raw
    raw = raw.replace(old, new, 1)
    if "99" in new:  # a month that does not exist
        raw = raw.replace("<ceb:appTime>99", "<ceb:appTime>2099", 1)
        at = raw.index("<ceb:appTime>2099") + len("<ceb:appTime>")
        raw = raw[:at] + "20991399000000" + raw[raw.index("<", at):]
    code, out, _ = run("tax", "-", "--json", stdin=raw.encode())
    answers = [json.loads(one) for one in out.splitlines()]
    for answer in answers:
        VALIDATOR.validate(answer)
    assert code == 1 and len(answers) == 2
    (bad,) = [answer for answer in answers if "total" not in answer]
    assert path in [fault["path"] for fault in bad["faults"]]
    (good,) = [answer for answer in answers if "total" in answer]
    assert good["total"] == f"{made[1].story.tax:.2f}"


def test_an_envelope_is_opened_and_other_messages_are_refused(run: Run) -> None:
    one = papers(5, basket=None, fees=None, seed=5, mode="1210")
    wrapped = envelope.wrap(message_of(one), message_type="CEB621Message", sender="DXPENT0000000001",
                            receivers=["DXPEDCCEB0000002"], cop_msg_id="1" * 36,
                            created_at=datetime.fromisoformat("2026-11-24T09:00:00+08:00"))
    assert answer_of(run("tax", "-", "--json", stdin=wrapped)[1])["total"] == f"{one.story.tax:.2f}"
    order = Message("CEB311Message", "0" * 36, "1.0", (one.story.order,),
                    documents.BaseTransfer("C", "N", "DXP", "DXPENT0000000001"))
    code, out, _ = run("tax", "-", "--json", stdin=wire.write(order))
    assert code == 1 and answer_of(out)["faults"][0]["code"] == "CEB-QUOTE-007"


# ── what must hold of the tax ───────────────────────────────────────────────────────────────────────

DAYS = st.dates(date(2014, 8, 1), date(2026, 12, 31))
FENS = st.integers(0, 3_000_000)
GOODS = [BAG, "0409000000", "3303000010", "3304990029", "2204210000", "2208300000", "2203000000", "9506320000",
         "1901101090", "9102110000"]
VAT = ((date(2016, 4, 8), 17, 13), (date(2017, 7, 1), 17, 11), (date(2018, 5, 1), 16, 10), (date(2019, 4, 1), 13, 9))


def yuan(fens: int) -> str:
    return f"{fens // 100}.{fens % 100:02d}"


@settings(max_examples=300, deadline=None)
@given(st.lists(FENS, min_size=1, max_size=30), st.integers(0, 1_000_000), st.integers(0, 1_000_000), st.booleans(),
       st.sampled_from(["largest", "last"]))
def test_apportioned_sums_are_exact(prices: list[int], freight: int, insured: int, full: bool, remainder: str) -> None:
    """Shares are whole fen, never negative, add up to the fee; two lines of one price differ by the remainder only."""
    view = rows({"tax.freight_split": {"by": "total_price", "fees": "each", "remainder": remainder}}).at(
        date(2026, 11, 24), "3118")
    lines = [line(BAG, yuan(fens), gnum=number) for number, fens in enumerate(prices, 1)]
    fees = [Decimal(yuan(freight)), Decimal(yuan(insured))]
    for shares, fee in zip(reckoning.fee_shares(lines, *fees, view), fees, strict=True):
        assert sum(shares) == fee and all(share >= 0 and share == round(share, 2) for share in shares)
    made = reckoning.assess(lines, *fees, view, full=full)
    assert sum(one.dutiable for one in made.lines) == sum(one.total for one in lines) + sum(fees)
    assert made.total == sum(one.duty + one.vat + one.consumption for one in made.lines)


def test_a_share_is_the_nearest_fen_but_for_the_one_that_takes_the_rest() -> None:
    weights = [Decimal(11 * n) for n in range(1, 8)]
    shares = spread(Decimal("7.77"), weights)
    assert shares == [Decimal(x) for x in ("0.28", "0.56", "0.83", "1.11", "1.39", "1.67", "1.93")]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOODS), DAYS, FENS, FENS, st.integers(1, 9), st.booleans())
def test_tax_is_monotonic_in_one_rate_class(code: str, day: date, low: int, more: int, qty: int, full: bool) -> None:
    """A dearer line bears no less of any tax, over the thresholds of the classes too."""
    view = Policy.load().at(day, "3118")

    def taxes(fens: int) -> tuple[Decimal, Decimal, Decimal]:
        one = line(code, yuan(fens), qty=str(qty), qty1="0.7", unit1="095")
        made = reckoning.assess([one], Decimal(0), Decimal(0), view, full=full)
        return made.duty, made.vat, made.consumption

    cheap, dear = taxes(low), taxes(low + more)
    if view["tax.regime"] == "postal":  # a watch of ten thousand is of another class, and fifty yuan are waived
        assert cheap[0] <= dear[0]
    else:
        assert all(a <= b for a, b in zip(cheap, dear, strict=True))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([code for code in GOODS if code not in ("2203000000", "2208300000")]),
       st.dates(date(2016, 4, 8), date(2026, 12, 31)), st.lists(st.integers(0, 400_000), min_size=2, max_size=12),
       st.booleans(), st.sampled_from(["0", "0.15", "0.30"]))
def test_splitting_a_line_moves_a_tax_by_half_a_fen_a_line(code: str, day: date, parts: list[int], full: bool,
                                                           rate: str) -> None:
    view = Policy.load().at(day, "3118")
    own = reckoning.Rates(consumption=Decimal(rate))

    def made(*prices: int) -> reckoning.Assessment:
        lines = [line(code, yuan(fens), gnum=number) for number, fens in enumerate(prices, 1)]
        return reckoning.assess(lines, Decimal(0), Decimal(0), view, full=full, given=[own] * len(lines))

    whole, split = made(sum(parts)), made(*parts)
    most = Decimal("0.005") * (len(parts) + 1)
    for name in ("duty", "vat", "consumption"):
        assert abs(getattr(whole, name) - getattr(split, name)) <= most, name


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([(date(2016, 4, 8), 2000, 20000), (date(2018, 12, 31), 2000, 20000),
                        (date(2019, 1, 1), 5000, 26000), (date(2026, 11, 24), 5000, 26000)]),
       st.integers(0, 99_999), st.integers(0, 99_999),
       st.sampled_from([-1, 0, 1]), st.booleans(), st.sampled_from(["1", "2"]))
def test_limits_are_exact_to_the_fen(law: tuple[date, int, int], freight: int, insured: int, off: int, at_year: bool,
                                     qty: str) -> None:
    """One fen below, at and above the single limit, and the year's; fees are part of the value."""
    day, single, year = law
    value = single * 100 + off if not at_year else 100_000 + freight + insured
    used = 0 if not at_year else year * 100 - value + off
    answer = tax(asked((BAG, yuan(value - freight - insured), qty), on=str(day), freight=yuan(freight),
                       insured_fee=yuan(insured), year_used=yuan(used)))
    if at_year and value > single * 100:
        return
    assert answer["value"] == yuan(value)
    assert answer["inside_limits"] is (off <= 0)
    if off > 0:
        lenient = day < date(2019, 1, 1)
        assert answer["reason"] == ("LAW-LIMIT-YEAR" if at_year else "LAW-LIMIT-SINGLE")
        assert answer["refused"] is not (lenient or (not at_year and qty == "1"))


def _half_up(amount: Fraction) -> Decimal:
    return Decimal((amount * 200 + 1) // 2) / 100


def _rates(code: str, day: date, value: Fraction, litres: Fraction, pieces: int) -> tuple[Fraction, ...]:
    """(MFN, VAT, consumption rate, tax by quantity) as the texts say them, without the tables."""
    standard, reduced = [(Fraction(s, 100), Fraction(r, 100)) for since, s, r in VAT if since <= day][-1]
    dear = value >= 10 * litres * 1000
    reform = day >= date(2016, 10, 1)
    zero = Fraction(0)
    beer = Fraction("0.253") if value >= Fraction("2.6576767") * litres else Fraction("0.2227")
    return {
        BAG: (Fraction(6, 100), standard, zero, zero),
        "0409000000": (Fraction(15, 100), reduced, zero, zero),
        "3303000010": (Fraction(3, 100), standard, Fraction(15, 100) * dear if reform else Fraction(30, 100), zero),
        "3304990029": (Fraction(1, 100), standard, Fraction(15, 100) * (dear and reform), zero),
        "2204210000": (Fraction(14, 100), standard, Fraction(10, 100), zero),
        "2208300000": (Fraction(10, 100), standard, Fraction(20, 100), litres * Fraction(912, 1000)),
        "2203000000": (zero, standard, zero, litres * beer),
        "9506320000": (Fraction(6, 100), standard, Fraction(10, 100), zero),
        "1901101090": (Fraction(5, 100), standard, zero, zero),
        "9102110000": (Fraction(10, 100), standard, Fraction(20, 100) * (value >= 10000 * pieces), zero),
    }[code]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(GOODS), st.integers(0, 600_000), st.integers(1, 4), st.integers(1, 4000)),
                min_size=1, max_size=6),
       st.integers(0, 20_000), st.integers(0, 3_000), st.dates(date(2016, 4, 8), date(2026, 12, 31)),
       st.integers(0, 2_600_000))
def test_an_oracle_in_fractions_agrees(basket: list[tuple[str, int, int, int]], freight: int, insured: int, day: date,
                                       used: int) -> None:
    """The formulas of the law written a second time, in fractions, with rates typed from the texts."""
    question = asked(on=str(day), freight=yuan(freight), insured_fee=yuan(insured), year_used=yuan(used), mode="")
    question["lines"] = [
        {"gcode": code, "qty": str(pieces), "unit": "011" if code != "9102110000" else "008", "total_price": yuan(fens),
         "qty1": str(Decimal(ml) / 1000), "unit1": "095"} for code, fens, pieces, ml in basket]
    answer = tax(question)
    shares = [_split(fee, [fens for _, fens, _, _ in basket]) for fee in (freight, insured)]
    value = sum(fens for _, fens, _, _ in basket) + freight + insured
    single, year = (200_000, 2_000_000) if day < date(2019, 1, 1) else (500_000, 2_600_000)
    over = value > single or value + used > year
    passes = not over or day < date(2019, 1, 1) or (value + used <= year and len(basket) == 1 and basket[0][2] == 1)
    assert (answer["inside_limits"], answer["refused"]) == (not over, not passes)
    if not passes:
        return
    part = Fraction(1) if over else Fraction(7, 10)
    for number, ((code, fens, pieces, ml), line_made) in enumerate(zip(basket, answer["lines"], strict=True)):
        dutiable = Fraction(fens + shares[0][number] + shares[1][number], 100)
        litres = Fraction(ml, 1000)
        mfn, vat, rate, q = _rates(code, day, dutiable, litres, pieces)
        duty = dutiable * mfn if over else Fraction(0)
        consumption = (dutiable + duty + q) / (1 - rate) * rate + q
        assert line_made == {
            "dutiable": yuan(int(dutiable * 100)), "duty": f"{_half_up(duty):.2f}",
            "consumption_tax": f"{_half_up(consumption * part):.2f}",
            "vat": f"{_half_up((dutiable + duty + consumption) * vat * part):.2f}"}, code
    assert Decimal(answer["total"]) == sum(
        Decimal(one[name]) for one in answer["lines"] for name in ("duty", "consumption_tax", "vat"))


def _split(fee: int, prices: list[int]) -> list[int]:
    """A fee over lines in fen: half up, the rest to the dearest, cut instead where that would be below zero."""
    whole = sum(prices)
    if not whole:
        return [fee, *[0] * (len(prices) - 1)]
    taker = prices.index(max(prices))
    shares = [(2 * fee * price + whole) // (2 * whole) for price in prices]
    if shares[taker] + fee - sum(shares) < 0:
        shares = [fee * price // whole for price in prices]
    shares[taker] += fee - sum(shares)
    return shares


@pytest.fixture
def shown(capfd, tmp_path):
    def run(*arguments: object) -> tuple[int, str, str]:
        path = tmp_path / "asked.json"
        path.write_text(json.dumps({"on": "2015-06-01", "place": "杭州", "lines": [
            {"gcode": "4202119090", "qty": "1", "total_price": "500"}]}), encoding="utf-8")
        capfd.readouterr()
        code = cli.run(["tax", str(path), *map(str, arguments)])
        return code, *capfd.readouterr()

    return run


def test_a_place_may_be_named_as_people_call_it(shown):
    assert json.loads(shown("--json")[1])["place"] == "hangzhou"
    assert json.loads(shown("--json", "--place", "宁波")[1])["place"] == "ningbo"
    code, out, err = shown("--place", "hangzou")
    assert (code, out) == (2, "") and "hangzhou" in err
    (fault,) = reckon(asked((BAG, "1"), place="hangzou"))["faults"]
    assert fault["code"] == "CEB-QUOTE-005" and "hangzhou" in fault["remedy"]["en"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_tax_fits_eighty_columns_and_speaks_the_language(shown, lang):
    out = shown("--lang", lang)[1]
    assert max(map(screen.width, out.splitlines())) <= 80
    assert ("鞋包" if lang == "zh" else "shoes and bags") in out and "shoes_bags" not in out


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_cases_fit_eighty_columns(capfd, lang):
    cli.run(["cases", "--all", "--lang", lang])
    assert max(map(screen.width, capfd.readouterr()[0].splitlines())) <= 80


def test_a_case_that_differs_is_told_in_chinese(capfd, tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text("cases:\n- {zh: 试, en: trial, day: 2024-06-01, channel: refused, goods: "
                    "[{gcode: '4202119090', qty: '1', total_price: '500'}]}\n", encoding="utf-8")
    assert cli.run(["cases", str(path), "--lang", "zh"]) == 1
    out = capfd.readouterr()[0]
    assert "去向" in out and "退单" in out and "限值以内" in out
    assert not any(word in out for word in ("channel", "inside", "refused"))


def test_what_is_missing_is_told_in_chinese():
    (fault,) = reckon({"on": "2024-06-01", "lines": [{"gcode": "4202119090", "qty": "1"}]})["faults"]
    assert "in quotes" not in fault["remedy"]["zh"] and "加引号" in fault["remedy"]["zh"]
    assert "加引号" not in fault["remedy"]["en"]


def test_the_single_limit_says_in_both_languages_that_splitting_does_not_help():
    (fault,) = [each for each in reckon(asked((BAG, "5000.01", "2")))["faults"] if each["code"] == "LAW-LIMIT-SINGLE"]
    assert "拆分无效" in fault["remedy"]["zh"] and "splitting" in fault["remedy"]["en"]
