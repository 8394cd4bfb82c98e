"""The pilots side by side: the same parcels everywhere, fates that differ as the law does, JSON, page, wrong use."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import referencing
import referencing.jsonschema

from cebport import cli
from cebport.doors import pilots as door
from cebport.doors import screen
from cebport.policy import Policy
from cebport.testing import pilots
from cebport.testing.market import cities, pilot_cities

SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in (Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
DAY = date(2015, 6, 1)
"""Under the postal tax; Fuzhou has no 1210 yet, Shanghai is strict and Ningbo flexible."""
CHOSEN = ("shanghai", "ningbo", "fuzhou")


@pytest.fixture(autouse=True)
def english(monkeypatch):
    """An English terminal."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    screen.choose_language("en")


@pytest.fixture(scope="module")
def found() -> pilots.Compared:
    """Three cities, with enough faults for every kind of difference."""
    return pilots.compare(120, DAY, seed=3, faults=0.5, cities=[cities()[name] for name in CHOSEN])


def test_the_same_parcels_everywhere(found):
    first, *others = found.pilots
    assert [pilot.place for pilot in found.pilots] == list(CHOSEN)
    assert first.parcels == 120
    for other in others:
        assert set(other.fate) == set(first.fate)
        assert {n: g for n, g in other.goods.items() if g} == {n: g for n, g in first.goods.items() if g}


def test_shops_of_every_city_ask_the_same_and_stay_themselves():
    """Prices go by the number of the city; the city that stands for another's company is never the city itself."""
    there = pilot_cities()
    for home in there:
        for each in there:
            alike = pilots._priced_as(each, home)
            assert (alike.number - home.number) * len(each.merchants) % pilots.SHOP_PRICES == 0
            assert there[alike.number % len(there)].place != each.place


def test_fates_add_up(found):
    passing = [{n for n, state in pilot.fate.items() if state == "released"} for pilot in found.pilots]
    assert found.everywhere == len(set.intersection(*passing))
    depends = sum(fork.parcels for fork in found.forks)
    assert found.everywhere + found.nowhere + depends == 120
    for pilot in found.pilots:
        assert sum(sum(counts.values()) for counts in pilot.by_mode.values()) == pilot.parcels
        assert sum(pilot.states.values()) == pilot.parcels
        assert sum(pilot.lacking.values()) == pilot.states["waiting"]
        assert pilot.tax == pilot.duty + pilot.vat + pilot.consumption > 0


def test_a_closed_mode_stops_every_parcel_and_the_row_is_named(found):
    fuzhou = next(pilot for pilot in found.pilots if pilot.place == "fuzhou")
    assert fuzhou.by_mode["1210"]["released"] == 0 and fuzhou.by_mode["9610"]["released"] > 0
    closed = [fork for fork in found.forks if fork.rules == ("LAW-MODE",)]
    assert [(fork.stopped, fork.topics) for fork in closed] == [(("fuzhou",), ("mode.1210",))]
    assert closed[0].parcels > 10


def test_strict_and_flexible_ports_differ_as_their_rows_say(found):
    """What the practice of one weighs as an error and that of the other as a warning stops here and passes there."""
    policy, (strict, flexible) = found.policy, found.pilots[:2]
    assert (strict.view.profile, flexible.view.profile) == ("strict-port", "flexible-port")
    met = 0
    for fork in found.forks:
        for topic in fork.topics:
            if topic.startswith("practice.MATCH-") and "ningbo" not in fork.stopped and "shanghai" in fork.stopped:
                assert policy.at(DAY, "shanghai")[topic] == "error" and policy.at(DAY, "ningbo")[topic] == "warning"
                met += 1
    assert met >= 2
    assert any("practice.money_tolerance_cny" in fork.topics for fork in found.forks)
    assert {each.rule for each in flexible.warnings} - {each.rule for each in strict.warnings}


def test_what_differs_in_law(found):
    held = {contrast.topic: contrast for contrast in found.law}
    assert {"mode.1210", "place.profile", "practice.money_tolerance_cny"} <= set(held)
    assert {places for _, places, _ in held["mode.1210"].values} == {("shanghai", "ningbo"), ("fuzhou",)}
    for contrast in found.law:
        assert sorted(place for _, places, _ in contrast.values for place in places) == sorted(CHOSEN)
        assert len(contrast.values) > 1
    assert not pilots.Contrast("pilot.platform", ()).decides and pilots.Contrast("mode.1210", ()).decides


def test_places_stand_together_only_where_their_rows_rest_on_the_same(found):
    for contrast in found.law:
        for _, places, _ in contrast.values:
            rows = [pilot.view.row(contrast.topic) for pilot in found.pilots if pilot.place in places]
            assert len({row and (row.instrument, row.confidence) for row in rows}) == 1
        assert len({repr(value) for value, _, _ in contrast.by_value()}) == len(contrast.by_value())


def test_the_shorter_list_is_said_first_and_one_parcel_is_one(found):
    fork = pilots.Fork(1, CHOSEN[:2], (), (), "1", "")
    assert door.fork_said(found, fork, lambda places: door.all_named(found, places)).en == (
        "1 parcel: pass at Fuzhou; stop at Shanghai, Ningbo")
    fork = fork._replace(parcels=12, stopped=CHOSEN[:1])
    assert door.fork_said(found, fork, lambda places: door.all_named(found, places)).en.startswith(
        "12 parcels: stop at Shanghai; pass at")


def test_on_a_day_on_which_all_are_alike_none_depends_on_the_place():
    """Since 2019 practice and modes are the nation's."""
    alike = pilots.compare(30, date(2024, 11, 11), seed=3, faults=0.3, cities=[cities()[name] for name in CHOSEN])
    assert alike.forks == ()
    assert alike.everywhere + alike.nowhere == 30
    assert len({(*pilot.states.values(), pilot.tax) for pilot in alike.pilots}) == 1


def test_an_overlay_opens_what_is_closed(tmp_path):
    overlay = tmp_path / "open.yaml"
    overlay.write_text("recorded_at: 2026-12-20\nrows:\n  mode.1210:\n  - {value: true, since: 2014-08-01, "
                       "until: 2015-12-31, places: [fuzhou], instrument: cebport-default, confidence: K}\n")
    (pilot,) = pilots.compare(40, DAY, seed=3, faults=0, overlays=[overlay], cities=[cities()["fuzhou"]]).pilots
    assert pilot.states == {"released": 40, "refused": 0, "waiting": 0}


# ── the command ─────────────────────────────────────────────────────────────────────────────────────


class Reading(HTMLParser):
    """Whether every element that begins also ends, and what is linked."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href") and value and value[0] != "#"]
        if tag not in ("meta", "input", "br", "hr", "img", "col", "link"):
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        """An element of SVG that is closed at once."""

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_is_whole_and_in_both_languages(found, language):
    text = door.page_of(found, 3, language)
    reading = Reading()
    reading.feed(text)
    assert reading.opened == [] and reading.links == []
    assert "<script" not in text
    for said in ("试点城市对照", "The pilots side by side", "mode.1210", "福州", "Fuzhou", "此处通、彼处阻",
                 "flexible port", "灵活口岸"):
        assert said in text
    assert door.page_of(found, 3, language) == text, "the same traffic gives the same page"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_terminal(found, capsys, language):
    screen.choose_language(language)
    door.show(found)
    out = capsys.readouterr().out
    screen.choose_language("en")
    assert max(map(screen.width, out.splitlines())) <= 80
    columns = {"zh": "放行票数/申报票数", "en": "released/declared"}[language]
    for said in ("LAW-MODE", "mode.1210", columns, *(pilot.name.at(language) for pilot in found.pilots)):
        assert said in out


def test_the_command(tmp_path, capfd):
    out = tmp_path / "page.html"
    code = cli.run(["pilots", "--parcels", "10", "--on", "2018-06-01", "--faults", "0", "--json", "-o", str(out)])
    told, err = capfd.readouterr()
    assert (code, err) == (0, "")
    validator = jsonschema.Draft202012Validator(SCHEMAS["pilots"], registry=REGISTRY)
    lines = [json.loads(line) for line in told.splitlines()]
    for line in lines:
        validator.validate(line)
    assert [line["place"] for line in lines[:-1]] == [there.place for there in pilot_cities()]
    assert lines[-1]["everywhere"] == 10 and lines[-1]["forks"] == []
    assert all(line["released"] == 10 for line in lines[:-1])
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("arguments", "said"), [
    (["--on", "2010-01-01"], "test traffic begins on"),
    (["--parcels", "0"], "not a number"),
    (["--parcels", "99999999"], "parcels: 1 to"),
    (["--faults", "2"], "a share from 0 to 1"),
    (["--on", "soon"], "not a day"),
])  # fmt: skip
def test_usage_errors(capfd, arguments, said):
    assert cli.run(["pilots", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and said in err


def test_every_pilot_is_a_place_of_the_law():
    policy = Policy.load()
    assert len(pilot_cities()) == 10
    assert all(policy.at(DAY, there.place).path[0] == there.place for there in pilot_cities())
