"""The ready-made studies, small: each shows what it says it shows, on a replay that is exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cebport import cli
from cebport.faults import SettingsError
from cebport.policy.overlay import WhatIf
from cebport.reports import whatif
from cebport.reports.findings import Findings
from cebport.testing import studies

STUDIES = Path(__file__).resolve().parents[1] / "studies"
NAMES = sorted(path.parent.name for path in STUDIES.glob(f"*/{studies.STUDY}"))
SMALL = 200
"""Parcels enough that every finding shows."""
FILE = (STUDIES / "limits" / studies.STUDY).read_text(encoding="utf-8")


def test_the_studies_are_there():
    assert NAMES == ["every-city", "limits", "one-park-or-four", "strict-or-flexible", "two-systems"]
    assert {path.name for path in STUDIES.iterdir()} - {"README.md"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_shows_what_it_says(name, tmp_path):
    """Generated, cleared, replayed, told."""
    answers = list(studies.run(STUDIES / name, tmp_path / "out", parcels=SMALL))
    study = studies.read_study(STUDIES / name)
    assert [answer.overlay for answer in answers] == [each.file for each in study.overlays]
    for answer in answers:
        assert [(one.finding.metric, one.pair, one.finding.moves) for one in answer.seen if not one.holds] == []
        counts = Findings.read(answer.folder).counts
        assert counts["not_reproduced"] == 0
        assert counts["parcels"] >= SMALL and counts["decisions"] >= 3 * SMALL
        assert 0 < counts["changed"] <= counts["parcels"]
        text = (answer.folder / whatif.REPORT).read_text(encoding="utf-8")
        assert study.question.zh in text and study.expected.en.replace("'", "&#x27;") in text
        assert "{found}" not in text and "{expected}" not in text


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_is_law_and_every_figure_is_a_column(name):
    from cebport.clearance.replay import COLUMNS, DIMENSIONS

    study = studies.read_study(STUDIES / name)
    for supposed in study.overlays:
        assert WhatIf.read(STUDIES / name / supposed.file)
        assert len(supposed.findings) >= 2
        for finding in supposed.findings:
            column = next(column for column in COLUMNS if column.name == finding.metric)
            assert column.filled and finding.dimension in DIMENSIONS
            assert (finding.dimension == "all") == (finding.key == "")


@pytest.mark.parametrize(("moves", "a", "b", "holds"), [
    ("up", 1, 2, True), ("up", 2, 2, False), ("up", 2, 1, False), ("down", 2, 1, True), ("down", 1, 1, False),
    ("same", 3, 3, True), ("same", 3, 4, False), ("same", 0, 0, False)])
def test_a_finding_can_fail(moves, a, b, holds):
    """What stays the same must be something."""
    finding = studies.Finding("released", moves, "放行", "released")
    assert finding.holds(whatif.Pair(a, b, 0)) is holds


@pytest.mark.parametrize(("before", "after", "says"), [
    ("moves: down", "moves: sideways", "sideways"),
    ("seed: 19", "seeds: 19", "seeds"),
    ("limits-of-2016.yaml", "none.yaml", "none.yaml"),
    ("parcels: 2000", "parcels: many", "parcels"),
    ("title:", "titel:", "titel"),
    ("title:", "title: [", "study.yaml"),
])
def test_a_bad_study_is_told_with_its_file(tmp_path, before, after, says):
    assert before in FILE
    (tmp_path / studies.STUDY).write_text(FILE.replace(before, after), encoding="utf-8")
    (tmp_path / "limits-of-2016.yaml").write_text("law_of: 2016-04-07\n", encoding="utf-8")
    with pytest.raises(SettingsError) as wrong:
        studies.read_study(tmp_path)
    assert says in str(wrong.value) and studies.STUDY in str(wrong.value)


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(SettingsError, match=r"study\.yaml"):
        studies.read_study(tmp_path)


@pytest.fixture
def small(tmp_path) -> Path:
    """The study of parks with so few parcels that it is quick, and a folder beside it."""
    folder = tmp_path / "study"
    folder.mkdir()
    for path in (STUDIES / "one-park-or-four").iterdir():
        text = path.read_text(encoding="utf-8").replace("parcels: 1600", "parcels: 24")
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def test_the_command_tells_a_study_as_json(small, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.run(["whatif", "--study", str(small), "--report", str(out), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 1 and lines[0]["parcels"] == 24 and lines[0]["not_reproduced"] == 0
    assert {"decisions", "same", "different"} <= set(lines[0])
    assert all(finding["seen"] for finding in lines[0]["findings"])
    assert Path(lines[0]["report"]).is_file()
    assert cli.run(["whatif", "--study", str(small), "--report", str(out), "--json"]) == 2, "what is there is kept"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_finding_that_is_not_seen_answers_no(small, tmp_path, capsys, language):
    path = small / studies.STUDY
    path.write_text(path.read_text(encoding="utf-8").replace("moves: down", "moves: up"), encoding="utf-8")
    code = cli.run(["--lang", language, "whatif", "--study", str(small), "--report", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert code == 1
    assert {"zh": "没看到  税款减少", "en": "not seen  less tax"}[language] in said
    assert {"zh": "看到  9610 不变", "en": "seen      mode 9610 does not change"}[language] in said


@pytest.mark.parametrize("arguments", [
    ["--report", "out"], ["--study", "none", "--report", "out"], ["--study", "study"],
    ["--study", "study", "--report", "out", "--overlay", "study/one-park.yaml"],
    ["--study", "study", "--report", "out", "--parcels", "99999999"]])
def test_wrong_use(small, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["whatif", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_broken_study_is_bad_input(small, tmp_path, capsys):
    (small / studies.STUDY).write_text("title: x", encoding="utf-8")
    assert cli.run(["whatif", "--study", str(small), "--report", str(tmp_path / "out")]) == 1
    assert studies.STUDY in capsys.readouterr().err


def test_every_word_is_in_both_languages():
    for name in NAMES:
        for said in _sentences(yaml.safe_load((STUDIES / name / studies.STUDY).read_text(encoding="utf-8"))):
            assert said["zh"].strip() and said["en"].strip()
            assert any("一" <= letter <= "鿿" for letter in said["zh"]), said
            assert not any("一" <= letter <= "鿿" for letter in said["en"]), said


def _sentences(held):
    if isinstance(held, dict):
        if "zh" in held:
            yield held
        for inner in held.values():
            yield from _sentences(inner)
    elif isinstance(held, list):
        for inner in held:
            yield from _sentences(inner)
