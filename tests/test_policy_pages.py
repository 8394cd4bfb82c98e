"""The pages of the law over time: every row is on them, every text is named, the picture is the tables drawn."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from cebport.doors import rows  # noqa: E402
from cebport.policy import Policy  # noqa: E402
from cebport.reports import wording  # noqa: E402
from tools import gen_policy  # noqa: E402


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return gen_policy.files(Policy.load())


def test_the_same_tables_give_the_same_bytes(pages):
    assert gen_policy.files(Policy.load()) == pages


def test_every_topic_with_a_row_has_its_place(pages):
    policy = Policy.load()
    for name in {row.topic for row in policy.rows()} | set(policy.topics):
        assert f"\n## {name}\n" in pages[f"{rows.family_of(name)}.md"]


def test_every_line_of_the_tables_is_told_with_its_text(pages):
    policy = Policy.load()
    told = {(row.topic, row.where, row.since) for row in policy.rows()}
    topics = [topic for held in gen_policy.families(policy).values() for topic in held]
    shown = sum(len(gen_policy.groups(policy, topic)) for topic in topics)
    assert shown == len(told) > 300
    for row in policy.rows():
        assert f"(#text-{row.instrument})" in pages[f"{rows.family_of(row.topic)}.md"]


def test_texts_that_are_cited_stand_on_the_page(pages):
    for name, text in pages.items():
        if name.endswith(".md"):
            assert set(re.findall(r"\(#(text-[^)]+)\)", text)) <= set(re.findall(r'<a id="([^"]+)"></a>', text)), name


def test_an_open_row_ends_where_the_next_of_its_places_begins():
    policy = Policy.load()
    topic = policy.topics["tax.limit_single_cny"]
    held = [row for row, places in gen_policy.groups(policy, topic) if places == ["CN"]]
    for row, following in pairwise(held):
        assert row.until == following.since - timedelta(days=1)
    assert held[-1].until is None


def test_a_line_for_many_places_is_one_row_that_counts_them(pages):
    assert re.search(r"\| [^|]*\+\d+ \|", pages["mode.md"])


def test_the_picture_is_drawn_from_the_tables(pages):
    root = ET.fromstring(pages[gen_policy.PICTURE])
    said = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    policy = Policy.load()
    for topic in ("tax.limit_single_cny", "tax.limit_year_cny"):
        assert all(f"{row.value:,}" in said for row in policy.history(topic))
    for topic in ("vat.standard", "vat.reduced"):
        assert all(wording.percent(row.value) in said for row in policy.history(topic))
    assert "D 档 band D" in said and "25 %" in said, "also what ended, and what held for half a year"
    assert any("86 cities" in one and "88 in all" in one for one in said if one)
    (track,) = gen_policy.panels(policy)[-1].tracks
    counts = [count for _, count in track.points]
    assert counts == sorted(counts) and counts[0] > 0, "cities only ever became more"
    width = float(root.attrib["viewBox"].split()[2])
    for node in root.iter("{http://www.w3.org/2000/svg}line"):
        assert all(0 <= float(node.attrib[key]) <= width for key in ("x1", "x2"))


def test_check_names_what_differs_and_writing_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gen_policy, "FOLDER", tmp_path)
    assert gen_policy.main([]) == 0
    capsys.readouterr()
    assert gen_policy.main(["--check"]) == 0 and capsys.readouterr().out == ""
    (tmp_path / "tax.md").write_text("other", encoding="utf-8")
    (tmp_path / "stray.md").write_text("left over", encoding="utf-8")
    assert gen_policy.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "tax.md: differs" in out and "stray.md: differs" in out
    assert gen_policy.main([]) == 0 and not (tmp_path / "stray.md").exists()
    assert gen_policy.main(["--check"]) == 0
