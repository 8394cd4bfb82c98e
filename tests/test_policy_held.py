"""Rows that nothing can be reckoned with are refused when they are loaded, by file and line, and never later."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from cebport.faults import PolicyError
from cebport.policy import reader
from cebport.policy.engine import Policy

PACKAGE = Path(reader.__file__).resolve().parents[1]
ROW = "instrument: cebport-default, confidence: K"


def faults(*overlays: Path, tables: Path = reader.TABLES) -> list[tuple[str, str, str]]:
    with pytest.raises(PolicyError) as caught:
        Policy.load(tables, overlays=overlays)
    return [(fault.code, fault.path, fault.message.en) for fault in caught.value.faults]


def overlay(tmp_path: Path, topic: str, *rows: str) -> Path:
    path = tmp_path / "overlay.yaml"
    lines = "".join(f"  - {{{row}, {ROW}}}\n" for row in rows)
    path.write_text(f"recorded_at: 2026-12-20\nrows:\n  {topic}:\n{lines}", encoding="utf-8")
    return path


def spoilt(tmp_path: Path, file: str, old: str, new: str) -> tuple[Path, int]:
    """A copy of the tables with one line changed, and the number of that line."""
    copy = tmp_path / "tables"
    shutil.copytree(reader.TABLES, copy)
    text = (copy / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    return copy, text[:text.index(old)].count("\n") + 1


@pytest.mark.parametrize(("file", "old", "day", "topic"), [
    ("regimes.yaml", 'value: "0.13", since: 2019-04-01', "2025-01-01", "vat.standard"),
    ("regimes.yaml", "value: composite, since: 2016-04-08", "2025-01-01", "tax.regime"),
    ("limits.yaml", 'value: "5000", since: 2019-01-01', "2024-12-31", "tax.limit_single_cny"),
    ("limits.yaml", 'value: "26000", since: 2019-01-01', "2024-12-31", "tax.limit_year_cny"),
])
def test_a_needed_row_may_not_end(tmp_path: Path, file: str, old: str, day: str, topic: str) -> None:
    copy, line = spoilt(tmp_path, file, old, f"{old}, until: {day}")
    found = faults(tables=copy)
    assert [fault[:2] for fault in found] == [("CEB-LAW-022", f"{file}:{line}")]
    assert f"{topic} does not hold from {'2025-01-02' if day > '2025' else '2025-01-01'} on" in found[0][2]


@pytest.mark.parametrize(("topic", "rows", "code", "line"), [
    ("tax.limit_single_cny", ["inherit: true, since: 2024-01-01"], "CEB-LAW-022", 4),
    ("tax.regime", ["value: composite, since: 2015-01-01"], "CEB-LAW-022", 4),  # the limits begin in 2016
    ("postal.bands", ['value: {A: "0.10"}, since: 2015-01-01'], "CEB-LAW-023", 4),
    ("postal.band_of_goods", ["value: {other: [X]}, since: 2017-01-01"], "CEB-LAW-023", 4),
    ("postal.band_of_goods", ["value: {other: [X]}, since: 2017-01-01, places: [hangzhou]"], "CEB-LAW-023", 4),
    ("postal.band_of_goods", ["value: {other: []}, since: 2017-01-01"], "CEB-LAW-023", 4),
    ("consumption.wine", ['value: {kind: ad_valorem, rate: "1"}, since: 2024-01-01'], "CEB-LAW-008", 4),
    ("consumption.wine", ['value: {kind: specific, amount: "1", unit: "035"}, since: 2024-01-01'], "CEB-LAW-008", 4),
    ("tax.rounding", ['value: {unit: "0.05", mode: half_up, level: line}, since: 2024-01-01'], "CEB-LAW-008", 4),
    ("tax.rounding", ['value: {unit: "0.10", mode: half_up, level: line}, since: 2024-01-01'], "CEB-LAW-008", 4),
    ("tax.value_rounding", ['value: {unit: "10", mode: half_up}, since: 2024-01-01'], "CEB-LAW-008", 4),
    ("practice.RULE-NOSUCH", ["value: 'off', since: null, practices: [national]"], "CEB-LAW-004", 3),
])
def test_an_overlay_that_nothing_can_be_reckoned_with(tmp_path: Path, topic: str, rows: list[str], code: str,
                                                      line: int) -> None:
    assert {fault[:2] for fault in faults(overlay(tmp_path, topic, *rows))} == {(code, f"overlay.yaml:{line}")}


@pytest.mark.parametrize(("topic", "row"), [
    ("vat.standard", 'value: "0.10", since: 2020-01-01, until: 2020-12-31'),  # what lay there goes on
    ("tax.limit_single_cny", "inherit: true, since: 2024-01-01, places: [hangzhou]"),
    ("tax.regime", "value: postal, since: 2024-01-01"),
    ("consumption.wine", 'value: {kind: ad_valorem, rate: "0.99"}, since: 2024-01-01'),
    ("tax.rounding", 'value: {unit: "0.1", mode: half_up, level: line}, since: 2024-01-01'),
    ("practice.RULE-GUID-UUID", "value: 'off', since: null, practices: [national]"),
])
def test_an_overlay_that_is_no_trouble(tmp_path: Path, topic: str, row: str) -> None:
    Policy.load(overlays=[overlay(tmp_path, topic, row)])


def test_the_limits_need_not_hold_where_the_tax_went_back(tmp_path: Path) -> None:
    path = overlay(tmp_path, "tax.limit_single_cny", "inherit: true, since: 2024-01-01")
    path.write_text(path.read_text(encoding="utf-8") + "  tax.regime:\n"
                    f"  - {{value: postal, since: 2024-01-01, {ROW}}}\n", encoding="utf-8")
    Policy.load(overlays=[path])


def test_field_rules_that_may_be_weighed_are_those_there_are() -> None:
    topics = yaml.safe_load((reader.TABLES / "topics.yaml").read_text(encoding="utf-8"))["topics"]
    rules = yaml.safe_load((PACKAGE / "messages" / "tables" / "faults_rule.yaml").read_text(encoding="utf-8"))
    assert topics["practice.*"]["more"] == list(rules)


def test_a_family_is_not_listed_by_the_rules_that_may_be_weighed_besides() -> None:
    assert not [name for name in Policy.load().topics if name.startswith("practice.RULE-")]


@pytest.mark.parametrize("cell", ["15", "1.01"])
def test_a_duty_over_the_whole_value_is_a_percentage(tmp_path: Path, cell: str) -> None:
    copy, line = spoilt(tmp_path, "tariff/2024-sample.csv", "Juicer,0.07", f"Juicer,{cell}")
    found = faults(tables=copy)
    assert [fault[:2] for fault in found] == [("CEB-LAW-017", f"tariff/2024-sample.csv:{line}")]


def test_every_topic_is_read_or_says_that_it_only_informs() -> None:
    """Read: the code, or a table of the code, names it or the family it is of; words for the screen do not count."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*")
                     if path.suffix in (".py", ".yaml") and path.parent.name not in ("cases", "reports")
                     and reader.TABLES not in path.parents and not path.name.startswith(("words", "terms")))

    def is_read(name: str) -> bool:
        stem = name.rpartition(".")[0] + "."
        return name in code or re.search("[\"']" + re.escape(stem) + "([\"']|\\{)", code) is not None

    held = [topic for topic in Policy.load().topics.values() if topic.axis == "place"]
    assert [topic.name for topic in held if not topic.informs and not is_read(topic.name)] == []
    assert {"tax.consumption_threshold_base", "postal.value_rule", "window.return_scope", "window.return_effects",
            "window.return_places"} <= {topic.name for topic in held if topic.informs}
    assert not [topic.name for topic in held if topic.informs and topic.lasts]
