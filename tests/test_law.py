"""Questions to the law: `cebport policy at | history | can | diff`, for people and as JSON, and what wrong use gets."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest
import referencing
import referencing.jsonschema

from cebport import cli
from cebport.doors import frame, law, rows, screen, words
from cebport.policy import Policy
from cebport.reports import terms

pytestmark = pytest.mark.usefixtures("english")

SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in (Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
OVERLAY = """
recorded_at: 2026-12-20
rows:
  tax.limit_year_cny:
  - {value: "30000", since: 2024-01-01, until: 2025-12-31, instrument: caiguanshui-2018-49, confidence: K}
  mode.1210:
  - {value: true, since: 2016-01-01, places: [yantai], instrument: cebport-default, confidence: K}
"""


@pytest.fixture
def overlay(tmp_path) -> Path:
    path = tmp_path / "proposal.yaml"
    path.write_text(OVERLAY, encoding="utf-8")
    return path


def answers(out: str, schema: str) -> list[dict]:
    """The JSON lines, each held against its schema."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[schema], registry=REGISTRY)
    made = [json.loads(line) for line in out.splitlines()]
    for answer in made:
        validator.validate(answer)
    return made


# ── the group ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_group_alone_shows_its_commands(call, lang):
    for arguments in (["policy"], ["policy", "--help"]):
        code, out, _ = call(*arguments, "--lang", lang)
        assert code == 0
        for name in law.policy_command.commands:
            assert re.search(rf"^  {name} +{words.command_words(f'policy {name}').at(lang)[:6]}", out, re.MULTILINE)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", law.policy_command.commands)
def test_help_says_every_option(call, name, lang):
    code, out, _ = call("policy", name, "--help", "--lang", lang)
    assert code == 0 and words.command_words(f"policy {name}").at(lang).split("\n\n")[0] in out
    for parameter in law.policy_command.commands[name].params:
        if isinstance(parameter, frame.Option):
            sentence = words.option_words(f"policy {name}", parameter.opts[-1].lstrip("-")).at(lang)
            assert parameter.opts[-1] in out and "".join(sentence.split())[:12] in "".join(out.split())


@pytest.mark.parametrize(("arguments", "said"), [
    (["policy", "att"], "no command att; did you mean at?"),
    (["policy", "at", "tax.limit_singel_cny"], "no such topic: tax.limit_singel_cny; did you mean"),
    (["policy", "at", "--place", "hangzou"], "no such place: hangzou"),
    (["policy", "at", "--place", "zz"], "no such place: zz"),
    (["policy", "at", "--place", "wuhn"], "did you mean Wuhan"),
    (["policy", "at", "--place", "zzzz"], "no such place: zzzz"),
    (["policy", "at", "--place", ""], "missing --place"),
    (["policy", "can", "--mode", "1210", "--place", "aksu"], "no such place: aksu"),
    (["policy", "can", "--mode", "declared_by"], "--mode: declared_by"),
    (["policy", "at", "--on", "2019-02-30"], "not a day: 2019-02-30"),
    (["policy", "at", "--on", "20190201"], "not a day: 20190201"),
    (["policy", "at", "--on", "2019-02-01T00:00:00"], "not a day"),
    (["policy", "at", "--on", "0019-02-01"], "not a day"),
    (["policy", "at", "--profile", "lax"], "lax is none of national"),
    (["policy", "at", "--overlay", "none.yaml"], "no such file or folder"),
    (["policy", "history"], "missing TOPIC"),
    (["policy", "can", "--place", "4312"], "missing --mode"),
    (["policy", "can", "--mode", "0110"], "0110 is none of 9610"),
    (["policy", "diff"], "give --and"),
    (["policy", "diff", "--and", "2019-01-01"], "missing --on"),
    (["policy", "diff", "--and", "ningbo"], "missing --place"),
    (["policy", "diff", "--place", "ningbo", "--and", "2019-13-01"], "--and: no such place"),
    (["policy", "diff", "nope", "--on", "2019-01-01", "--and", "2020-01-01"], "no such topic: nope"),
])  # fmt: skip
def test_usage_errors(call, arguments, said):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_bad_overlay_is_told_with_file_and_line(call, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("recorded_at: 2026-12-20\nrows:\n  tax.limit_year_cny:\n  - {value: 30000, since: 2024-01-01}\n")
    code, out, err = call("policy", "at", "--overlay", bad)
    assert (code, out) == (1, "") and "bad.yaml:4" in err


# ── at ──────────────────────────────────────────────────────────────────────────────────────────────


def test_at_one_topic_says_all_about_it(call):
    code, out, _ = call("policy", "at", "tax.limit_single_cny", "--on", "2018-12-31", "--place", "hangzhou")
    assert code == 0
    for said in ("2,000 CNY an order", "2016-04-08 – 2018-12-31", "Caiguanshui 2016-18", "seen in a source",
                 "from China", "limits.yaml:", "Hangzhou < Hangzhou customs district < China"):
        assert said in out
    zh = call("policy", "at", "tax.limit_single_cny", "--on", "2018-12-31", "--place", "杭州", "--lang", "zh")[1]
    for said in ("2,000 元/单", "2016-04-08 至 2018-12-31", "财关税〔2016〕18号", "见于所列来源",
                 "承自全国", "单次交易限值"):
        assert said in zh


@pytest.mark.parametrize("asked", ["weifang-bonded-zone", "4312", "潍坊综合保税区",
                                   "weifang comprehensive bonded zone"])  # fmt: skip
def test_a_place_is_an_id_a_code_or_a_name(call, asked):
    told = call("policy", "at", "mode.1210", "--on", "2020-02-01", "--place", asked, "--json")[1]
    (answer,) = answers(told, "policy_at")
    assert answer["place"] == "weifang-bonded-zone" and answer["path"][-1] == "CN"
    assert answer["row"]["value"] is True and answer["row"]["place"] == "weifang" and answer["row"]["inherited"] is True


def test_a_code_that_no_place_has_falls_to_its_district_and_is_told(call):
    code, out, _ = call("policy", "at", "mode.9610", "--on", "2020-02-01", "--place", "4399")
    assert code == 0 and "has no row" in out


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("day", ["2014-01-01", "2018-06-01", "2024-11-11"])
def test_everything_fits_eighty_columns(call, lang, day):
    code, out, _ = call("policy", "at", "--on", day, "--place", "shanghai", "--lang", lang)
    assert code == 0
    assert max(map(screen.width, out.splitlines())) <= rows.COLUMNS
    assert "{" not in out and "None" not in out and "Decimal" not in out


def test_at_json_tells_every_topic_that_holds(call):
    view = Policy.load().at(date(2024, 11, 11), "hangzhou")
    told = answers(call("policy", "at", "--on", "2024-11-11", "--place", "hangzhou", "--json")[1], "policy_at")
    assert {answer["topic"] for answer in told} == set(view.rows())
    assert len(told) > 100
    for answer in told:
        assert answer["row"]["sure"]["en"] == terms.SURE[answer["row"]["confidence"]].en


def test_a_topic_with_no_row_is_a_no(call):
    code, out, _ = call("policy", "at", "tax.limit_single_cny", "--on", "2015-01-01")
    assert code == 1 and "no row holds" in out
    code, out, _ = call("policy", "at", "tax.limit_single_cny", "--on", "2015-01-01", "--json")
    assert code == 1 and answers(out, "policy_at")[0]["row"] is None


def test_at_knows_what_was_known(call):
    """Nothing was recorded before the tables were written."""
    first = min(row.recorded_at for row in Policy.load().rows())
    before = first - timedelta(days=1)
    assert call("policy", "at", "tax.limit_single_cny", "--on", "2020-01-01", "--known", before)[0] == 1
    assert call("policy", "at", "tax.limit_single_cny", "--on", "2020-01-01", "--known", first)[0] == 0


def test_an_overlay_is_seen(call, overlay):
    asked = ["policy", "at", "tax.limit_year_cny", "--on", "2024-06-01", "--json"]
    plain, laid = (answers(call(*asked, *more)[1], "policy_at")[0] for more in ([], ["--overlay", overlay]))
    assert (plain["row"]["value"], laid["row"]["value"]) == ("26000", "30000")
    assert laid["row"]["until"] == "2025-12-31"


@pytest.mark.parametrize("name", ["tax.limit_single_cny", "mode.1210", "vat.standard",
                                  "practice.MATCH-INVENTORY-ADDRESS"])  # fmt: skip
def test_the_days_of_a_row_are_those_on_which_it_holds_there(name):
    """On the first and last day said the same row holds; on the days around another or none."""
    policy = Policy.load()
    for place in ("shanghai", "yantai", "weifang-bonded-zone"):
        view = policy.at(date(2018, 6, 1), place)
        row = law.as_held(view, name)
        assert row is not None
        for day in (row.since, row.until):
            if day is not None:
                assert policy.at(day, place).row(name).where == row.where
        for day in (row.since and row.since - timedelta(days=1), row.until and row.until + timedelta(days=1)):
            if day is not None:
                other = policy.at(day, place).row(name)
                assert other is None or other.where != row.where


# ── history ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("topic", "place", "told"), [
    ("tax.limit_year_cny", "hangzhou", [("2016-04-08", "2018-12-31", "20000"), ("2019-01-01", None, "26000")]),
    ("mode.1210", "yantai", [("2014-08-01", "2020-01-16", False), ("2020-01-17", None, True)]),
    ("practice.MATCH-INVENTORY-ADDRESS", "shanghai", [(None, "2018-12-31", "error"), ("2019-01-01", None, "warning")]),
    ("practice.MATCH-INVENTORY-ADDRESS", "hangzhou", [(None, None, "warning")]),
])  # fmt: skip
def test_history(call, topic, place, told):
    asked = ("policy", "history", topic, "--place", place, "--known", "2026-11-24")
    code, out, _ = call(*asked, "--json")
    found = answers(out, "policy_history")
    assert code == 0
    assert [(each["row"]["since"], each["row"]["until"], each["row"]["value"]) for each in found] == told
    shown = call(*asked)[1]
    for since, until, _ in told:
        assert (since or "") in shown and (until or "") in shown
    assert shown.count("→") == 1, "what holds today is marked"


def test_history_of_a_family_tells_each(call):
    out = call("policy", "history", "vat", "--lang", "zh")[1]
    assert "vat.standard" in out and "vat.reduced" in out and "17 % (0.17)" in out and "13 % (0.13)" in out


def test_history_of_what_never_held_is_a_no(call, tmp_path):
    known = min(row.recorded_at for row in Policy.load().rows()) - timedelta(days=1)
    assert call("policy", "history", "tax.limit_year_cny", "--known", known)[0] == 1


# ── can ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("topic", "told"), [("postal.value_rule", True), ("tax.value_rounding", False)])
def test_what_only_informs_says_so(call, topic, told):
    for lang, said in (("en", "(told,notcomputed)"), ("zh", "（仅供查阅，不参与计算）")):
        assert (said in "".join(call("policy", "at", topic, "--lang", lang)[1].split())) is told


@pytest.mark.parametrize("asked", ["0000", "9998"])
def test_digits_that_no_district_has_are_the_nation_and_told(call, asked):
    code, out, _ = call("policy", "at", "mode.9610", "--on", "2020-02-01", "--place", asked)
    assert code == 0
    assert f"customs code {asked} has no row" in out


@pytest.mark.parametrize(("mode", "place", "day", "code", "turns"), [
    ("1239", "CN", "2021-03-17", 0, "2021-03-18"),
    ("1239", "CN", "2021-03-18", 1, None),
    ("1210", "4312", "2020-02-01", 0, None),
    ("1210", "4312", "2020-01-16", 1, "2020-01-17"),
    ("1210", "hangzhou", "2014-08-01", 0, None),
    ("1210", "fuzhou", "2015-06-01", 1, "2016-01-01"),
    ("1239", "hangzhou", "2017-01-01", 1, None),
    ("9610", "lanzhou", "2014-02-10", 0, None),
    ("9610", "lanzhou", "2014-02-09", 1, "2014-02-10"),
])  # fmt: skip
def test_can(call, mode, place, day, code, turns):
    got, out, _ = call("policy", "can", "--mode", mode, "--place", place, "--on", day)
    assert got == code
    assert out.startswith("No" if code else "Yes")
    got, told, _ = call("policy", "can", "--mode", mode, "--place", place, "--on", day, "--json")
    (answer,) = answers(told, "policy_can")
    assert got == code and answer["open"] is (code == 0)
    assert (answer["next"] or {}).get("since") == turns
    if answer["row"] is not None:
        assert answer["row"]["value"] is (code == 0)
        assert answer["row"]["where"] in out and f"mode.{mode} = {'no' if code else 'yes'}" in out
    if turns:
        assert turns in out


# ── diff ────────────────────────────────────────────────────────────────────────────────────────────


def test_diff_of_two_days(call):
    asked = ["policy", "diff", "--on", "2018-12-31", "--and", "2019-01-01", "--place", "hangzhou"]
    found = {each["topic"]: each for each in answers(call(*asked, "--json")[1], "policy_diff")}
    assert found["tax.limit_single_cny"]["value_a"] == "2000" and found["tax.limit_single_cny"]["value_b"] == "5000"
    assert found["tax.limit_single_cny"]["a"] == {"on": "2018-12-31", "place": "hangzhou", "overlay": False}
    assert "vat.standard" not in found
    code, out, _ = call(*asked)
    assert code == 0 and "A  2,000 CNY an order" in out and f"differ: {len(found)}" in out
    assert "one single item: " not in out, "fields of a record that are equal are left out"


def test_diff_of_two_places(call):
    asked = ["policy", "diff", "--place", "shanghai", "--and", "zhengzhou", "--on", "2016-05-01"]
    found = answers(call(*asked, "--json")[1], "policy_diff")
    assert {"place.profile", "practice.money_tolerance_cny"} <= {each["topic"] for each in found}
    code, out, _ = call(*asked, "practice.money_tolerance_cny")
    assert code == 0 and "practice flexible" in out and "place.profile" not in out


def test_diff_of_nothing(call):
    assert call("policy", "diff", "--on", "2020-06-01", "--and", "2020-06-01")[:2] == (0, "nothing differs\n")


def test_diff_of_an_overlay_over_all_time(call, overlay):
    code, out, _ = call("policy", "diff", "--overlay", overlay, "--json")
    found = answers(out, "policy_diff")
    spans = [(each["topic"], each["b"]["place"], each["since"], each["until"], each["value_b"]) for each in found]
    assert code == 0
    assert spans == [("tax.limit_year_cny", "CN", "2024-01-01", "2025-12-31", "30000"),
                     ("mode.1210", "yantai", "2016-01-01", "2020-01-16", True)]
    assert all(each["b"]["overlay"] and not each["a"]["overlay"] and each["a"]["on"] is None for each in found)
    assert "2024-01-01 – 2025-12-31 · China" in call("policy", "diff", "--overlay", overlay)[1]


def test_diff_takes_the_law_of_another_day(call, tmp_path):
    then = tmp_path / "then.yaml"
    then.write_text("law_of: 2016-04-07\n", encoding="utf-8")
    code, out, err = call("policy", "diff", "tax.limit_single_cny", "--overlay", then, "--on", "2024-06-01", "--json")
    (found,) = answers(out, "policy_diff")
    assert (code, err) == (0, "")
    assert (found["value_a"], found["value_b"]) == ("5000", None)
    code, out, _ = call("policy", "diff", "tax.regime", "--overlay", then)
    assert code == 0 and "composite tax" in out and "postal tax" in out and "until 2016-04-07" in out


@pytest.mark.parametrize("command", [
    ["policy", "at"], ["policy", "history", "tax"], ["policy", "can", "--mode", "1210"]])
def test_the_law_of_another_day_is_refused_where_every_day_has_its_own(call, tmp_path, command):
    then = tmp_path / "then.yaml"
    then.write_text("law_of: 2016-04-07\n", encoding="utf-8")
    code, out, err = call(*command, "--overlay", then)
    assert (code, out) == (1, "") and "CEB-LAW-021" in err and "then.yaml:1" in err and "rows" not in err


def test_diff_of_an_overlay_on_a_day(call, overlay):
    found = answers(call("policy", "diff", "--overlay", overlay, "--on", "2024-06-01", "--json")[1], "policy_diff")
    assert [each["topic"] for each in found] == ["tax.limit_year_cny"]
    assert call("policy", "diff", "--overlay", overlay, "--on", "2023-06-01")[1] == "nothing differs\n"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_diff_and_history_fit_eighty_columns(call, lang, overlay):
    for asked in (["diff", "--on", "2015-12-31", "--and", "2024-01-01", "--place", "shanghai"],
                  ["diff", "--overlay", overlay], ["history", "tax"], ["history", "practice", "--place", "shanghai"],
                  ["can", "--mode", "1210", "--place", "weifang-bonded-zone", "--on", "2019-01-01"]):
        out = call("policy", *asked, "--lang", lang)[1]
        assert max(map(screen.width, out.splitlines())) <= rows.COLUMNS


# ── import-list ─────────────────────────────────────────────────────────────────────────────────────

LIST = "税则号列,货品名称,备注\n0405.10.00,黄油,\n03061790,其他冻小虾,仅限网购保税商品\n"


def imported(call, folder: Path, text: str, *more: object) -> tuple[int, str, str]:
    source = folder / "list.csv"
    source.write_text(text, encoding="utf-8")
    return call("policy", "import-list", source, "--edition", "full", "--since", "2022-03-01", "--instrument",
                "mof-2022-7", "-o", folder / "lists", *more)


def test_an_imported_list_is_in_force_with_its_overlay(call, tmp_path):
    code, out, _ = imported(call, tmp_path, LIST, "--complete", "--json")
    (answer,) = answers(out, "policy_import_list")
    assert (code, answer["rows"], answer["complete"]) == (0, 2, True)
    asked = ["policy", "at", "positive_list.edition", "--on", "2022-03-01", "--json", "--overlay", answer["overlay"]]
    (held,) = answers(call(*asked)[1], "policy_at")
    assert (held["row"]["value"]["edition"], held["row"]["value"]["complete"]) == ("full", True)
    assert held["row"]["recorded_at"] == str(law.today())
    found = answers(call("policy", "diff", "--overlay", answer["overlay"], "--json")[1], "policy_diff")
    assert [each["topic"] for each in found] == ["positive_list.edition"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_row_that_cannot_be_read_is_told_and_the_list_is_no_longer_whole(call, tmp_path, lang):
    code, out, _ = imported(call, tmp_path, LIST + "12,什么,\n", "--complete", "--lang", lang)
    assert code == 1
    assert words.PHRASES["list_part"].at(lang) in out and "CEB-LIST-" in out


@pytest.mark.parametrize("more", [["--column", "hs8"], ["--kind", "other"], ["--since", "soon"]])
def test_wrong_use_of_import_list(call, tmp_path, more):
    code, out, err = imported(call, tmp_path, LIST, *more)
    assert (code, out) == (2, "") and err
    assert not (tmp_path / "lists").exists()


def test_a_file_without_a_list_is_bad_input(call, tmp_path):
    code, out, err = imported(call, tmp_path, "nothing\n")
    assert (code, out) == (1, "") and "CEB-LIST-" in err


# ── words ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_mark_has_words():
    assert {row.confidence for row in Policy.load().rows()} <= set(terms.SURE)


def test_every_family_and_unit_has_words():
    """A unit that is said behind a value; that of a record is no part of what is shown."""
    topics = Policy.load().topics.values()
    assert {rows.family_of(topic.name) for topic in topics} <= set(terms.FAMILIES)
    said = {topic.unit for topic in topics if topic.unit and not topic.type.startswith(("{", "map"))}
    assert {unit for unit in said if not unit.startswith("share")} <= set(terms.UNITS)


@pytest.mark.parametrize(("topic", "said", "gone"), [
    ("window.return_other_customs", "未开放", "结关"), ("quota.consume_at", "接收清单时", "入库"),
    ("zone.ecommerce_count", "新增", "计入"), ("postal.waiver_cny", "元/票", "元/件"),
    ("consumption.spirits", "单位：升", "095"), ("postal.band_of_goods", "其他物品", "其他地区"),
    ("bonded", "关员审核", "officer"), ("bonded", "单卡口", "single"), ("bonded", "保税账册", "pre_written_off"),
    ("forex.remittable", "整单退货", "whole_return"), ("forex.remittable", "境外运费", "foreign_freight_modes"),
])  # fmt: skip
def test_a_word_means_what_its_topic_says(call, topic, said, gone):
    out = call("policy", "at", topic, "--on", "2024-06-01", "--lang", "zh")[1]
    assert said in out and gone not in out


def test_declared_by_is_no_mode(call):
    assert "declared_by" not in call("policy", "can", "--mode", "9999")[2]
    assert call("policy", "can", "--mode", "declared_by")[0] == 2


def test_a_limit_that_the_other_tax_has_is_pointed_to(call):
    assert "see postal.limit_order_cny" in call("policy", "at", "tax.limit_single_cny", "--on", "2015-06-01")[1]
    assert "see " not in call("policy", "at", "tax.limit_single_cny", "--on", "2024-06-01")[1]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_help_fits_eighty_columns(call, lang):
    for name in (*cli.HOMES, ""):
        out = call(*([name] if name else []), "--help", "--lang", lang)[1]
        assert max(map(screen.width, out.splitlines())) <= rows.COLUMNS, name
