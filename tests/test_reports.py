"""Pages, charts, tables and the report of a what-if: what stands in them; no data can break them."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import etree
from results_made import make_results

from cebport.faults import Words
from cebport.reports import charts, findings, page, tables, whatif
from cebport.reports.charts import Line, Series
from cebport.server.replay import results

TODAY, SUPPOSED = Words("现行", "today"), Words("假设", "supposed")
STATES = [Words("放行", "released"), Words("退单", "refused")]
TITLE = Words("题", "title")
LIMITS = ((date(2016, 4, 8), Decimal("2000")), (date(2019, 1, 1), Decimal("5000")))
PAIRS = [Series(TODAY, (12, 3)), Series(SUPPOSED, (9, None))]
DRAWN = {
    "bars": lambda: charts.bars(TITLE, STATES, PAIRS),
    "stacked": lambda: charts.stacked(TITLE, STATES, PAIRS),
    "steps": lambda: charts.steps(TITLE, [Line(TODAY, LIMITS)], until=date(2026, 1, 1)),
    "curves": lambda: charts.curves(TITLE, ["01", "02"], PAIRS),
    "matrix": lambda: charts.matrix(TITLE, ["杭州"], STATES, [[90, 10]], unit="%"),
    "no data": lambda: charts.bars(TITLE, [], []),
}


class Reader(HTMLParser):
    """Every element with its attributes, and whether elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in page.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("part", "expected"), [
    ("<script>&\"'", "&lt;script&gt;&amp;&quot;&#x27;"),
    (Words("一<", "one"), '<span class="zh" lang="zh-CN">一&lt;</span><span class="en" lang="en">one</span>'),
    (Words("A1", "A1"), "A1"),
    (None, ""),
    (page.Html("<b>x</b>"), "<b>x</b>"),
    (7, "7"),
])
def test_everything_is_escaped_once(part, expected):
    assert page.said(part) == expected


def test_attributes_are_escaped_and_may_be_left_out():
    made = page.element("a", "x", class_="k", title='"><img>', hidden=True, id=None, open=False)
    assert made == '<a class="k" title="&quot;&gt;&lt;img&gt;" hidden>x</a>'


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_stands_alone(language):
    """Both languages inside, one chosen; nothing is fetched, nothing runs."""
    text = page.page(Words("题", "Title"), page.section(Words("节", "Part"), "text"), lead="lead", language=language)
    reader = read(text)
    chosen = [attrs["id"] for tag, attrs in reader.elements if tag == "input" and "checked" in attrs]
    assert chosen == [f"in-{language}"]
    tags = {tag for tag, _ in reader.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "img"})
    assert "@import" not in text and "url(" not in page.style()
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in reader.elements


def test_a_table_marks_numbers_and_names_its_rows():
    made = page.table(["place", "parcels"], [["a<b", 3], ["c", 4]], right=[1], tones=["bad", ""])
    reader = read(made)
    assert [tag for tag, _ in reader.elements].count("tr") == 3
    assert ("td", {"class": "number"}) in reader.elements and ("tr", {"class": "bad"}) in reader.elements
    assert [attrs["scope"] for tag, attrs in reader.elements if tag == "th"] == ["col", "col", "row", "row"]
    assert "a<b" in reader.text


# ── charts ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_one_svg_in_either_language_and_the_same_again(name):
    first, again = DRAWN[name](), DRAWN[name]()
    assert first == again
    for text in first:
        root = etree.fromstring(text.encode())
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("role") == "img" and root.get("viewBox")
        assert "width" not in root.attrib
        ids = root.xpath("//@id")
        assert len(ids) == len(set(ids))
        pointed = set(re.findall(r'(?:url\(#|href="#)([\w.-]+)', text))
        assert pointed == set(ids)


def test_letters_of_a_chart_stay_text():
    drawn = DRAWN["bars"]()
    said = {lang: etree.fromstring(text.encode()).xpath("//*[local-name()='text']/text()")
            for lang, text in zip(("zh", "en"), drawn, strict=True)}
    assert {"放行", "退单", "12", "3", "–"} <= set(said["zh"])
    assert "released" in said["en"] and "放行" not in said["en"]


def test_ids_of_two_charts_in_one_page_differ():
    first, second = DRAWN["steps"](), DRAWN["curves"]()
    ids = [re.findall(r' id="([^"]+)"', text) for text in (first.zh, first.en, second.zh, second.en)]
    assert sum(map(len, ids)) == len({one for some in ids for one in some}) > 0


@pytest.mark.parametrize(("value", "expected"), [
    (None, "–"), (0, "0"), (Decimal("1234.50"), "1,234.50"), (Decimal("26000"), "26,000"), (0.7, "0.70"), (-3, "-3")])
def test_numbers(value, expected):
    assert charts.shown(value) == expected


@pytest.mark.parametrize(("value", "expected"), [
    (Decimal(0), "0"), (Decimal("-13962.38"), "−13,962.38"), (Decimal(100), "+100")])
def test_differences_have_a_sign(value, expected):
    assert whatif.signed(value) == expected


def test_a_long_label_is_cut():
    assert charts.short("很" * 30, "zh").endswith("…") and charts.short("short", "en") == "short"


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("value", "written"), [
    ("=1+1", "'=1+1"), ("@x", "'@x"), ("-x", "'-x"), (Decimal("-1.50"), "-1.50"), (None, ""), (True, "yes"),
    (["b", "a"], "b a"), ("杭州", "杭州")])
def test_a_csv_reckons_nothing(tmp_path, value, written):
    path = tmp_path / "t.csv"
    assert tables.write_csv(path, ["v", "n"], [(value, 1)]) == 1
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as held:
        assert list(csv.reader(held)) == [["v", "n"], [written, "1"]]


def test_questions_spill_instead_of_growing():
    """A sort of half a gigabyte within a limit of 256 MiB."""
    with tables.questions(memory_mib=256) as ask:
        rows = ask.each("select hash(range) as h, repeat('x', 600) || range from range(800000) order by h")
        last, count = None, 0
        for row in rows:
            assert last is None or row[0] >= last
            last, count = row[0], count + 1
    assert count == 800_000


# ── the report ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_results(tmp_path_factory.mktemp("result"), 300)


@pytest.fixture(scope="module")
def text(folder) -> str:
    return whatif.write_report(folder).read_text(encoding="utf-8")


def test_the_report_says_what_moved_in_both_languages(text):
    reader = read(text)
    said = " ".join(reader.text)
    for words in ("140 票有变化", "140 change", "258 → 172", "0 → 100", "单次交易超过限值", "over the single limit",
                  "尚不能推演", "not replayed yet", "重演精确", "The replay is exact"):
        assert words in said, words
    assert {"script", "link", "img"}.isdisjoint({tag for tag, _ in reader.elements})


def test_every_link_has_its_place(text):
    names = re.findall(r'<section id="([^"]+)"', text)
    assert names == ["customs", "taxation", "inspection", "forex", "assumed", "parcels"]


def test_each_difference_opens_down_to_parcels_with_both_explanations(folder, text):
    with tables.questions() as ask:
        moves = findings.moves(ask, folder)
        assert sum(move.parcels for move in moves) == 140
        limit = next(move for move in moves if move.state_b == "refused" and move.state_a == "closed")
        parcels = findings.parcels_of(ask, folder, limit, 3)
    assert [parcel.order_no for parcel in parcels] == sorted(parcel.order_no for parcel in parcels)
    assert parcels[0].why_a == (Words("放行", "released"),)
    assert parcels[0].why_b[0].en == "value 150 is over the single limit of 100"
    assert limit.tax_b == 0 < limit.tax_a
    opened = text[text.index('<section id="parcels"'):]
    for words in (parcels[0].order_no, parcels[0].why_b[0].zh, "622 100"):
        assert words in opened, words
    assert opened.count("<details>") == len(moves) + sum(min(m.parcels, whatif.OPENED_MAX) for m in moves)


def test_what_is_assumed_stands_apart(folder, text):
    with tables.questions() as ask:
        moves = findings.moves(ask, folder)
    assumed = sum(move.parcels for move in moves if move.assumed)
    assert assumed == findings.Findings.read(folder).counts["assumed"] > 0
    part = read(text[text.index('<section id="assumed"'):text.index('<section id="parcels"')])
    rows = "".join(part.text)
    assert str(assumed) in rows and "assume.*" in rows and ("tr", {"class": "assumed"}) in part.elements


def test_tables_to_take_away_hold_everything(folder, text):
    with (folder / whatif.DIFFERENCES).open(encoding="utf-8-sig", newline="") as held:
        rows = list(csv.DictReader(held))
    assert len(rows) == 140
    assert {row["assumed"] for row in rows} == {"yes", "no"}
    with (folder / whatif.FIGURES).open(encoding="utf-8-sig", newline="") as held:
        figures = list(csv.DictReader(held))
    refused = next(row for row in figures if row["metric"] == "refused" and row["dimension"] == "reason")
    assert (refused["a"], refused["b"], refused["difference"]) == ("0", "100", "100")
    assert refused["key_zh"].startswith("单次交易超过限值")


def test_the_short_table(folder):
    rows = {name.en: (a, b, difference) for name, a, b, difference in whatif.short_table(folder)}
    assert rows["refused"] == ("0", "100", "+100")
    assert rows["tax in all (CNY)"] == ("41,881.14", "27,918.76", "−13,962.38")
    assert rows["parcels that rest on an assumption"][1] == "40"


def test_a_study_says_its_question(folder):
    study = whatif.Study(Words("题", "Title"), Words("会怎样？", "What happens?"), Words("更少", "less"))
    said = " ".join(read(whatif.write_report(folder, study, language="en").read_text(encoding="utf-8")).text)
    assert "What happens?" in said and "更少" in said


def test_decisions_that_did_not_come_out_the_same_are_told(tmp_path):
    folder = make_results(tmp_path / "r", 30)
    summary = results.read_summary(folder)
    summary["counts"]["not_reproduced"] = 2
    summary["not_reproduced"] = [{"position": 7, "document": "CEB621", "event": "x", "key": "ORDER7|X",
                                  "stored": "closed", "again": "refused"}]
    results.write_summary(folder, summary)
    said = " ".join(read(whatif.write_report(folder).read_text(encoding="utf-8")).text)
    assert "2 of 120 stored decisions did not come out the same" in said and "ORDER7|X" in said


def test_signatures_that_were_not_weighed_are_told(tmp_path):
    folder = make_results(tmp_path / "r", 30)
    told = "no certificates to trust were given"
    assert told not in whatif.write_report(folder).read_text(encoding="utf-8")
    summary = results.read_summary(folder)
    summary["meta"]["unweighed"] = True
    results.write_summary(folder, summary)
    assert told in whatif.write_report(folder).read_text(encoding="utf-8")


def test_what_companies_write_cannot_break_the_page(tmp_path):
    """Order numbers and words come from outside."""
    folder = make_results(tmp_path / "r", 30)
    summary = results.read_summary(folder)
    summary["rules"]["LAW-LIMIT-SINGLE"] = {"zh": "<script>alert(1)</script>", "en": "</span><script>"}
    summary["meta"]["overlay"] = '"><img src=x>'
    results.write_summary(folder, summary)
    reader = read(whatif.write_report(folder).read_text(encoding="utf-8"))
    assert {"script", "img"}.isdisjoint({tag for tag, _ in reader.elements})


@pytest.mark.parametrize("text", ["{}", '{"links": {"customs": [{"metric": "x"}]}}', "[", '{"links": 3}'])
def test_a_folder_that_is_no_result_is_a_value_error(tmp_path, text):
    (tmp_path / results.SUMMARY).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError):
        findings.Findings.read(tmp_path)
