"""The worked cases of the law: all of them hold, their sums are reckoned apart from the program, bad ones are told."""

from __future__ import annotations

import ast
import json
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
import referencing
import yaml
from hypothesis import given
from hypothesis import strategies as st
from world import rows

from cebport import cli
from cebport.faults import PolicyError
from cebport.policy import Policy
from cebport.testing import cases
from cebport.testing.cases import Case, case_files, read_cases, run_case, stated, worked

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = {path.name: json.loads(path.read_text(encoding="utf-8"))
           for path in (REPO / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (name, referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
FILES = case_files()
READ = {path.name: read_cases(path) for path in FILES}
ALL = [case for found, _ in READ.values() for case in found]


@pytest.mark.parametrize("name", sorted(READ))
def test_every_worked_case_holds(name: str) -> None:
    found, faults = READ[name]
    assert [fault.message.en for fault in faults] == []
    wrong = [(result.case.where, result.case.title.en, result.differences) for case in found
             if not (result := run_case(case, Policy.load())).holds]
    assert wrong == []


def test_the_cases_cover_the_law() -> None:
    """So many, in both regimes, on both sides of every day on which a limit or a rate changes; titles once each."""
    assert len(ALL) >= 150
    days = {case.day for case in ALL}
    for day in ("2016-04-07", "2016-04-08", "2016-09-30", "2016-10-01", "2017-06-30", "2017-07-01", "2018-04-30",
                "2018-05-01", "2018-12-31", "2019-01-01", "2019-03-31", "2019-04-01", "2013-06-30", "2013-07-01",
                "2014-02-28", "2014-03-01"):
        assert date.fromisoformat(day) in days, day
    assert Counter(case.expected["channel"] for case in ALL).keys() == set(cases.CHANNELS)
    policy = Policy.load()
    regimes = Counter(policy.at(case.day)["tax.regime"] for case in ALL)
    assert regimes["postal"] >= 30 and regimes["composite"] >= 120
    titles = Counter((case.day, case.title.zh) for case in ALL)
    assert [title for title, count in titles.items() if count > 1] == []
    goods = {line["gcode"] for case in ALL for line in case.question["lines"]}
    classes = {row.consumption for code in goods if (row := policy.at(date(2026, 1, 1)).tariff(code)) is not None}
    loaded = {"cosmetics", "skin_care", "wine", "spirits", "beer", "watch", "golf", "other_jewellery",
              "gold_silver_platinum_diamond_jewellery"}
    assert classes >= loaded - {"other_jewellery"}


def test_every_case_shows_its_sum() -> None:
    """No tax stands there without the sum that gives it, but for a price that is itself the answer."""
    for path in FILES:
        for row in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]:
            for name in cases.TAXES:
                assert name not in row or "=" in row[name], (path.name, row["en"])


def _oracle(text: str) -> Decimal:
    """The sum by Python's own grammar and fractions: not the reader of the program."""
    text = re.sub(r"(\d+(?:\.\d+)?)(%?)", lambda m: f"F('{m[1]}', {100 if m[2] else 1})", text)
    text = text.replace("×", "*").replace("÷", "/").replace("[", "R(").replace("]", ")")
    tree = ast.parse(text.strip(), mode="eval")
    made = eval(compile(tree, "sum", "eval"), {"__builtins__": {}, "F": lambda n, d: Fraction(n) / d, "R": _fen})
    return Decimal(int(_fen(made) * 100)) / 100


def _fen(amount: Fraction) -> Fraction:
    whole, rest = divmod(amount * 100, 1)
    return Fraction(whole + (rest >= Fraction(1, 2)), 100)


def test_the_sums_are_right_by_another_reckoning() -> None:
    sums = [text for path in FILES for row in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
            for name in (*cases.TAXES, "waived", "year_after", "dutiable") for text in cases._texts(row.get(name))]
    assert len(sums) > 300
    for text in sums:
        left, equals, right = text.rpartition("=")
        assert _oracle(left if equals else right) == stated(text), text


@given(st.recursive(st.decimals("0.01", "9999", places=2).map(str),
                    lambda inner: st.one_of(
                        st.tuples(inner, st.sampled_from(["+", "×", "÷"]), inner).map(" ".join),
                        inner.map("({})".format), inner.map("[{} × 2]".format),
                        inner.filter(lambda one: one[-1].isdigit()).map("{}%".format)), max_leaves=8))
def test_sums_are_read_as_they_are_meant(text: str) -> None:
    try:
        expected = _oracle(text)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="no sum"):
            worked(text)
        return
    assert worked(text) == expected


@pytest.mark.parametrize("text", ["", "=", "1 +", "(1", "[1", "1]", "1 1", "a", "1 ÷ 0", "1 × 2 = x", "--1", "1%%2",
                                  "1.2.3"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        worked(text)
        stated(text)


# ── bad files, and cases that differ ────────────────────────────────────────────────────────────────

GOOD = {"zh": "箱包", "en": "a bag", "day": date(2026, 11, 24), "vat": "1000 × 13% × 70% = 91.00",
        "goods": [{"gcode": "4202119090", "qty": 1, "total_price": "1000"}]}


def write(path: Path, *found: object) -> Path:
    path.write_text(yaml.safe_dump({"cases": list(found)}, allow_unicode=True), encoding="utf-8")
    return path


BAD = [
    ({}, "CEB-CASE-002"), ("text", "CEB-CASE-002"), ({**GOOD, "vatt": "1"}, "CEB-CASE-002"),
    ({**GOOD, "day": "soon"}, "CEB-CASE-002"), ({**GOOD, "channel": "maybe"}, "CEB-CASE-002"),
    ({**GOOD, "channel": "refused"}, "CEB-CASE-002"), ({**GOOD, "goods": "bags"}, "CEB-CASE-002"),
    ({**GOOD, "goods": [{"code": "1"}]}, "CEB-CASE-002"), ({**GOOD, "vat": "much = 91.00"}, "CEB-CASE-002"),
    ({**GOOD, "vat": "1000 × 13% × 70%"}, "CEB-CASE-002"),
    ({**GOOD, "vat": "1000 × 13% × 70% = 91.01"}, "CEB-CASE-003"),
    ({**GOOD, "dutiable": ["1 = 2.00"]}, "CEB-CASE-003"),
]


@pytest.mark.parametrize(("row", "code"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_bad_case_is_told_and_the_others_are_read(tmp_path: Path, row: object, code: str) -> None:
    found, faults = read_cases(write(tmp_path / "a.yaml", GOOD, row))
    assert [case.title.en for case in found] == ["a bag"]
    assert {fault.code for fault in faults} == {code} and faults[0].path == "a.yaml 2"
    assert all(fault.message.zh and fault.remedy.en for fault in faults)


@pytest.mark.parametrize("raw", [b"", b"cases: 1", b"cases: []", b"- 1", b"\xff\xfe\x00", b"a: [", b"cases: &a [*a]"])
def test_a_file_that_is_none_is_told(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(raw)
    found, faults = read_cases(path)
    assert found == [] and {fault.code for fault in faults} <= {"CEB-CASE-001", "CEB-CASE-002"} and faults


@pytest.mark.parametrize(("change", "what"), [
    ({"vat": "1000 × 13% = 130.00"}, {"vat", "total"}), ({"channel": "full_tax"}, {"channel"}),
    ({"limit": "year"}, {"limit"}), ({"band": "A"}, {"band"}), ({"warns": ["LAW-MODE"]}, {"warns"}),
    ({"year_after": "2000"}, {"year_after"}), ({"dutiable": ["999.99"]}, {"dutiable"}),
    ({"place": "atlantis"}, {"channel"}),
    ({"consumption": "1 = 1.00"}, {"consumption", "total"}),
])
def test_a_case_that_differs_says_where(tmp_path: Path, change: dict[str, object], what: set[str]) -> None:
    (case,), faults = read_cases(write(tmp_path / "a.yaml", {**GOOD, **change}))
    assert faults == []
    result = run_case(case, Policy.load())
    assert not result.holds and {name for name, _, _ in result.differences} >= what
    assert result.as_dict()["differences"]


def test_a_change_of_the_law_fails_the_cases_it_concerns() -> None:
    """A case must be able to fail: another share, another limit, another threshold."""
    def failing(**law: object) -> int:
        changed = rows({name.replace("__", "."): value for name, value in law.items()})
        return sum(not run_case(case, changed).holds for case in ALL)

    assert failing(tax__share_within="0.71") > 80
    assert failing(tax__limit_single_cny="5000.01") >= 3
    assert failing(tax__rounding={"unit": "0.01", "mode": "half_up", "level": "head"}) >= 1
    assert failing(postal__waiver_cny="0") >= 2


# ── the command ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        return code, out, err

    return run


def test_the_command_tells_that_all_hold(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("cases", "--lang", "en")
    assert code == 0 and f"{len(ALL)} cases, {len(ALL)} hold" in out
    code, out, _ = run("cases", "--lang", "zh", "--all")
    assert code == 0 and "限值以内" not in out.splitlines()[-1] and out.count("相符") > len(ALL)


def test_the_command_as_json(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMAS["cases.json"], registry=REGISTRY)
    bad = write(tmp_path / "a.yaml", GOOD, {**GOOD, "vat": "1 = 1.00"}, {**GOOD, "vat": "1 = 2.00"})
    code, out, _ = run("cases", bad, "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    for answer in answers:
        validator.validate(answer)
    assert code == 1 and [answer.get("holds") for answer in answers] == [True, False, None]
    assert answers[1]["differences"][0] == {"what": "vat", "expected": "1.00", "found": "91.00"}
    assert answers[2]["faults"][0]["code"] == "CEB-CASE-003"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_command_tells_what_differs(run: Callable[..., tuple[int, str, str]], tmp_path: Path, lang: str) -> None:
    code, out, _ = run("cases", write(tmp_path / "a.yaml", {**GOOD, "vat": "1 = 1.00"}), "--lang", lang)
    assert code == 1 and "a.yaml 1" in out and "91.00" in out and ("不符" if lang == "zh" else "differs") in out


def test_usage_of_the_command(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert run("cases", tmp_path / "none.yaml")[0] == 2
    assert run("cases", tmp_path)[0] == 2, "a folder without cases"


def test_cases_by_an_overlay(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """A proposal and the case that shows it, before anything of the tables is changed."""
    overlay = tmp_path / "proposal.yaml"
    overlay.write_text(
        "recorded_at: 2026-12-20\nrows:\n  tax.limit_year_cny:\n  - {value: '30000', since: 2018-06-10, "
        "until: 2018-06-20, instrument: caiguanshui-2018-49, confidence: K}\n", encoding="utf-8")
    case = {**GOOD, "day": date(2018, 6, 15), "year_used": "29000", "year_after": "29000 + 1000 = 30000.00",
            "vat": "1000 × 16% × 70% = 112.00"}
    path = write(tmp_path / "case.yaml", case)
    assert run("cases", path)[0] == 1
    assert run("cases", path, "--overlay", overlay)[0] == 0
    assert run("cases", "--overlay", overlay)[0] == 0, "the cases of other days hold as they did"


# ── the recipe ──────────────────────────────────────────────────────────────────────────────────────


def _blocks_of_the_recipe() -> list[str]:
    """The three blocks that a newcomer copies: the text, the rows of the limit, the case."""
    page = (REPO / "docs" / "how-to" / "change-the-law.md").read_text(encoding="utf-8").split("## ")[0]
    found = re.findall(r"^   ```yaml\n(.*?)^   ```$", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def test_a_newcomer_changes_the_year_limit_by_two_rows_and_one_case(tmp_path: Path) -> None:
    """As the page says, to the letter: the case differs before the rows are there, and then it holds, as all others do.

    The rows of the copy begin as the page shows them, so that this holds when somebody has done it.
    """
    instrument, limit, case = _blocks_of_the_recipe()
    tables, held = tmp_path / "tables", tmp_path / "cases"
    shutil.copytree(REPO / "cebport" / "policy" / "tables", tables)
    shutil.copytree(cases.CASES, held)
    (held / "newcomer.yaml").write_text("cases:\n" + case, encoding="utf-8")
    before, after = limit.rstrip("\n").rsplit("\n", 1)
    shown = textwrap.indent(textwrap.dedent(before), "  ") + "\n"
    limits = (tables / "limits.yaml").read_text(encoding="utf-8")
    limits = re.sub(r"^  tax\.limit_year_cny:\n(?:  - .*\n)+", shown, limits, flags=re.MULTILINE)
    assert limits.count(shown) == 1
    (tables / "limits.yaml").write_text(limits, encoding="utf-8")

    def differing(policy: Policy) -> set[str]:
        found = [read_cases(path) for path in case_files([held])]
        assert [fault for _, faults in found for fault in faults] == []
        return {one.where for some, _ in found for one in some if not run_case(one, policy).holds}

    without = differing(Policy.load(tables))
    assert "newcomer.yaml 1" in without
    (tables / "limits.yaml").write_text(limits.replace(shown, f"{shown}  {after.strip()}\n"), encoding="utf-8")
    texts = (tables / "instruments.yaml").read_text(encoding="utf-8")
    added = textwrap.indent(textwrap.dedent(instrument), "  ")
    if added not in texts:
        with pytest.raises(PolicyError, match="instrument"):
            Policy.load(tables)
        (tables / "instruments.yaml").write_text(texts + added, encoding="utf-8")
    assert without - differing(Policy.load(tables)) >= {"newcomer.yaml 1"}
    assert len(without) == 1 or len(differing(Policy.load(tables))) < len(without)


def test_contributing_shows_the_recipe() -> None:
    text = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for said in ("two rows and one case", "policy/tables/instruments.yaml", "policy/tables/limits.yaml",
                 "policy/cases/limits.yaml", "cebport cases", "docs/how-to/change-the-law.md"):
        assert said in " ".join(text.split()), said


def test_a_case_is_a_record() -> None:
    assert isinstance(ALL[0], Case) and ALL[0].where.endswith(" 1")
