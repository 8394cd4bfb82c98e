"""`cebport whatif`: what people and programs see of a replay, and what wrong use gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from test_replay import EMPTY, law, limit
from walks_made import Home, Traffic

from cebport.reports.whatif import REPORT
from cebport.server.replay import results

SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas" / "whatif.json").read_text(
    encoding="utf-8"))


@pytest.fixture
def asked(sqlite_home: Home, traffic: Traffic) -> list[object]:
    """A cleared store, as options."""
    sqlite_home.clear(traffic.folder)
    return ["--store", sqlite_home.url, "--keys", sqlite_home.keys]


def lines(out: str) -> list[dict[str, Any]]:
    made = [json.loads(line) for line in out.splitlines()]
    for each in made:
        jsonschema.validate(each, SCHEMA)
    return made


def test_an_empty_overlay_ends_in_a_line_that_says_all_is_the_same(
        call: Any, asked: list[object], tmp_path: Path) -> None:
    for text in (EMPTY, ""):
        (tmp_path / "empty.yaml").write_text(text, encoding="utf-8")
        code, out, _ = call("whatif", *asked, "--overlay", tmp_path / "empty.yaml", "--json")
        told = lines(out)[-1]
        assert code == 0
        assert told["decisions"] == told["same"] == told["reproduced"] > 0
        assert told["different"] == told["not_reproduced"] == told["changed"] == 0
        assert told["report"] is None


def test_what_moves_is_told_as_lines_as_files_and_as_a_short_table(
        call: Any, asked: list[object], tmp_path: Path) -> None:
    overlay = law(tmp_path, *limit("300"))
    code, out, _ = call("whatif", *asked, "--overlay", overlay, "--report", tmp_path / "out", "--json", "--workers", 2)
    *rows, told = lines(out)
    assert code == 0 and told["different"] > 0 and told["not_reproduced"] == 0
    refused = next(row for row in rows if (row["metric"], row["dimension"]) == ("refused", "reason")
                   and row["key"] == "LAW-LIMIT-SINGLE")
    assert refused["a"] == 0 < refused["b"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {*results.FIELDS, results.SUMMARY, REPORT}
    assert told["report"] == str(tmp_path / "out" / REPORT)
    for lang, words in (("en", ("released", "every stored decision")), ("zh", ("放行", "逐项重现"))):
        code, out, _ = call("whatif", *asked, "--overlay", overlay, "--lang", lang)
        assert code == 0 and all(word in out for word in words)


def test_the_law_supposed_is_told_in_words(call: Any, asked: list[object], tmp_path: Path) -> None:
    (tmp_path / "then.yaml").write_text("about: {zh: 旧制, en: the old way}\nlaw_of: 2016-04-07\n", encoding="utf-8")
    told = {"en": ("composite tax → postal tax", "more: in the report"), "zh": ("跨境电商综合税 → 行邮税", "另有")}
    for lang, words in told.items():
        code, out, _ = call("whatif", *asked, "--overlay", tmp_path / "then.yaml", "--report", tmp_path / lang,
                            "--lang", lang)
        assert code == 0 and all(word in out for word in words)
        assert not any(word in out for word in ("True", "None", "{'"))
        page = (tmp_path / lang / REPORT).read_text(encoding="utf-8")
        assert "the old way" in page and "旧制" in page and "是 yes" not in page and "三单比对 / " not in page


def test_places_add_up_with_those_that_no_inventory_gives(call: Any, asked: list[object], tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text(EMPTY, encoding="utf-8")
    rows = lines(call("whatif", *asked, "--overlay", tmp_path / "empty.yaml", "--json")[1])[:-1]
    for metric in ("parcels", "waiting"):
        held = [row for row in rows if row.get("metric") == metric]
        total = sum(row["a"] for row in held if row["dimension"] == "all")
        assert total or metric != "parcels"
        for dimension in ("place", "mode", "day"):
            assert sum(row["a"] for row in held if row["dimension"] == dimension) == total


def test_days_settings_and_profile_are_taken(call: Any, asked: list[object], tmp_path: Path, traffic: Traffic) -> None:
    (tmp_path / "empty.yaml").write_text(EMPTY, encoding="utf-8")
    overlay = ("--overlay", tmp_path / "empty.yaml")
    code, out, _ = call("whatif", *asked, *overlay, "--since", "2026-11-24", "--until", "2026-11-24", "--json")
    assert code == 0 and (lines(out)[-1]["since"], lines(out)[-1]["until"]) == ("2026-11-24", "2026-11-24")
    code, out, _ = call("whatif", *asked, *overlay, "--since", "2030-01-01", "--json")
    assert code == 1 and json.loads(out)["decisions"] == json.loads(out)["different"] == 0
    settings = tmp_path / "window.toml"
    settings.write_text(f'store = "{asked[1]}"\nkeys = "store.keys"\n', encoding="utf-8")
    code, out, _ = call("whatif", "--settings", settings, *overlay, "--json")
    assert code == 0 and lines(out)[-1]["same"] > 0
    code, out, _ = call("whatif", *asked, *overlay, "--profile", "place", "--json")
    assert code == 0 and lines(out)[-1]["not_reproduced"] == 0


@pytest.mark.parametrize(("options", "words"), [
    (["--store", "{store}"], "--overlay"),
    (["--overlay", "{empty}"], "--store"),
    (["--store", "sqlite:////nowhere/at/all.db", "--overlay", "{empty}"], "nowhere"),
    (["--store", "{store}", "--overlay", "nowhere.yaml"], "nowhere.yaml"),
    (["--store", "{store}", "--overlay", "{empty}", "--engine", "spark"], "spark"),
    (["--store", "{store}", "--overlay", "{empty}", "--workers", "0"], "0"),
    (["--store", "{store}", "--overlay", "{empty}", "--since", "yesterday"], "yesterday"),
    (["--store", "{store}", "--overlay", "{empty}", "--since", "2026-02-02", "--until", "2026-02-01"], "2026-02-01"),
    (["--store", "{store}", "--overlay", "{empty}", "--profile", "nobody"], "nobody"),
    (["--store", "{store}", "--study", "{folder}", "--report", "{folder}"], "--study"),
    (["--study", "{folder}"], "--report"),
], ids=lambda value: " ".join(value)[-30:] if isinstance(value, list) else value)
def test_wrong_use_is_told_with_2(
        call: Any, asked: list[object], tmp_path: Path, options: list[str], words: str) -> None:
    (tmp_path / "empty.yaml").write_text(EMPTY, encoding="utf-8")
    known = {"{store}": asked[1], "{empty}": tmp_path / "empty.yaml", "{folder}": tmp_path}
    code, out, err = call("whatif", *[known.get(option, option) for option in options])
    assert (code, out) == (2, "") and words in err


@pytest.mark.parametrize("text", ["rows: [", "rows: {no.such.topic: []}\nrecorded_at: 2026-01-01\n", "law_of: soon\n",
                                  "- a list\n", "profile: nowhere\n"])
def test_bad_overlays_are_told_with_1(call: Any, asked: list[object], tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    code, out, err = call("whatif", *asked, "--overlay", tmp_path / "bad.yaml")
    assert (code, out) == (1, "") and "bad.yaml" in err


def test_a_store_without_its_keys_and_a_damaged_one_are_told(
        call: Any, asked: list[object], sqlite_home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text(EMPTY, encoding="utf-8")
    sqlite_home.close()
    code, _, err = call("whatif", "--store", asked[1], "--keys", tmp_path / "other.keys", "--overlay",
                        tmp_path / "empty.yaml")
    assert code == 1 and "other.keys" in err
    (tmp_path / "store.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    for left in ("-wal", "-shm"):
        (tmp_path / f"store.db{left}").unlink(missing_ok=True)
    code, _, err = call("whatif", *asked, "--overlay", tmp_path / "empty.yaml")
    assert code == 3 and err
