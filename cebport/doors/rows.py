"""Rows of the law as a reader sees them (规定的写法): values, days, texts, how sure, where from; and their JSON.

Everything fits a screen of 80 columns. What a table calls by a word of its own (full_tax, half_up) is said in the
language of the screen where `terms` has it, and else as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cebport.doors import screen
from cebport.doors.screen import say
from cebport.faults import Words
from cebport.policy import Instrument, Policy, Row, Topic, View
from cebport.policy.places import NATION
from cebport.policy.schema import TOLD_ONLY, jsonable
from cebport.reports import terms, wording

COLUMNS = 80
NAME_COLUMNS = 34
"""So wide is the name of a topic in front of its value; a longer one has the line to itself."""


# ── values ──────────────────────────────────────────────────────────────────────────────────────────


def value_lines(value: Any, topic: Topic | None, columns: int) -> list[str]:
    """A value with its unit as lines of at most so many columns; a record has one line a field."""
    name = topic.name if topic is not None else ""
    if isinstance(value, Mapping) and value.keys() != {"zh", "en"}:
        lines: list[str] = []
        kinds = wording.field_kinds(topic)
        for key, held in wording.in_language(value, screen.language()):
            kind = kinds.get(key, kinds.get("*", ""))
            text = screen.labelled(word(key, name)) + wording.field(key, held, kind, name, screen.language())
            lines += hung(text, columns)
        return lines or [screen.spoken(wording.NONE)]
    text = plain_value(value, topic.type if topic is not None else "", name)
    unit = unit_of(topic) if value is not None else ""
    return screen.wrapped(f"{text} {unit}".rstrip(), columns)


def hung(text: str, columns: int, indent: str = "  ") -> list[str]:
    """The lines of a text, those behind the first set in."""
    first, *rest = screen.wrapped(text, columns)
    if rest:
        behind = text[len(first):].strip() if text.startswith(first) else " ".join(rest)
        rest = [indent + line for line in screen.wrapped(behind, columns - len(indent))]
    return [first, *rest]


def plain_value(value: Any, kind: str = "", topic: str = "") -> str:
    """A value in one line. kind: the type that the topic declares, "" = seen from the value. topic: its name."""
    return wording.plain(value, kind, topic, screen.language())


def word(token: str, topic: str = "") -> str:
    """A word of the tables in the language of the screen, as its topic or family means it; else as it is."""
    return wording.word(token, topic, screen.language())


def unit_of(topic: Topic | None) -> str:
    """The unit of a topic in the language of the screen; a share needs none, its percent sign says it."""
    return wording.unit_of(topic, screen.language())


# ── a row ───────────────────────────────────────────────────────────────────────────────────────────


def days(row: Row) -> str:
    """From when to when a row holds."""
    if row.since is None and row.until is None:
        return say("law_always")
    if row.since is None:
        return say("law_until", until=row.until)
    if row.until is None:
        return say("law_since", since=row.since)
    return say("law_span", since=row.since, until=row.until)


def sure(mark: str) -> str:
    """How sure a row is, in words."""
    pair = terms.SURE.get(mark)
    return mark if pair is None else screen.spoken(pair)


def place_name(policy: Policy, place: str) -> str:
    """A place in the language of the screen; the id where the tables have none of that name."""
    found = policy.places.get(place)
    return place if found is None else screen.spoken(Words(found.zh, found.en))


def where_from(policy: Policy, row: Row, topic: Topic | None, asked: str) -> str:
    """Which place (or practice, trust, dialect) a row belongs to, and whether the place asked for has it from there."""
    if topic is not None and topic.axis != "place":
        return say("law_axis", axis=say(f"axis.{topic.axis}"), name=word(row.place))
    if row.place == asked == NATION:
        return place_name(policy, NATION)
    if row.place == asked:
        return say("law_own", place=place_name(policy, row.place))
    return say("law_inherited", place=place_name(policy, row.place))


def basis(policy: Policy, row: Row, topic: Topic | None, asked: str) -> str:
    """Days, text, how sure, where from: the line below a value."""
    return say("dot").join(
        (days(row), text_of(policy, row), sure(row.confidence), where_from(policy, row, topic, asked)))


def text_of(policy: Policy, row: Row) -> str:
    """The number of the text that a row rests on."""
    held = policy.instruments.get(row.instrument)
    return row.instrument if held is None else screen.spoken(held.no)


def show_row(policy: Policy, name: str, row: Row | None, asked: str, *, full: bool = False, means: bool = True) -> None:
    """A topic: its name and value, what it means, and on what it rests. full: note, file and line as well."""
    topic = topic_of(policy, name)
    headed(name, [say("law_no_row")] if row is None else value_lines(row.value, topic, COLUMNS - NAME_COLUMNS))
    if means:
        meaning(topic)
    if row is not None:
        lines(basis(policy, row, topic, asked))
        if full:
            details(policy, row)


def headed(name: str, values: Sequence[str]) -> None:
    """The name of a topic with the lines of its value beside it, or below where it is long."""
    shown = screen.coloured(name, "1")
    if len(name) < NAME_COLUMNS:
        screen.out(shown + " " * (NAME_COLUMNS - len(name)) + values[0])
        values = values[1:]
    else:
        screen.out(shown)
    for line in values:
        screen.out(" " * NAME_COLUMNS + line)


def meaning(topic: Topic | None) -> None:
    """What a topic is about, and whether it is told only."""
    if topic is not None:
        only = TOLD_ONLY if topic.informs else Words("", "")
        lines(screen.spoken(Words(topic.zh + only.zh, f"{topic.en} {only.en}".rstrip())))


def details(policy: Policy, row: Row) -> None:
    """The title of the text, the note of the row, its file and line."""
    held = policy.instruments.get(row.instrument)
    if held is not None and (said := title_of(held)) != text_of(policy, row):
        lines(screen.label("law_text") + said)
    if row.note:
        lines(screen.label("law_note") + row.note)
    lines(screen.label("law_where") + f"{row.where}{say('dot')}{say('law_recorded', day=row.recorded_at)}")


def title_of(held: Instrument) -> str:
    """What a text is about, and since when it is in force."""
    return screen.spoken(held.title)


def lines(text: str, indent: str = "  ") -> None:
    """A text below its heading, broken to the screen."""
    for line in screen.wrapped(text, COLUMNS - len(indent)):
        screen.out(indent + line)


def heading(family: str) -> None:
    """The title of a family of topics."""
    pair = terms.FAMILIES.get(family)
    heading_line(family if pair is None else screen.spoken(pair))


def heading_line(said: str) -> None:
    """A title with a line behind it."""
    bar = "─" * max(0, COLUMNS - screen.width(said) - 4)
    screen.out(screen.coloured(f"── {said} {bar}", "36"))


# ── topics ──────────────────────────────────────────────────────────────────────────────────────────


def topic_of(policy: Policy, name: str) -> Topic | None:
    """A declared topic, or one of a family of names that match a pattern."""
    return wording.topic_of(policy, name)


def family_of(name: str) -> str:
    """The first part of a topic's name."""
    return name.split(".")[0]


def below(names: Iterable[str], asked: str) -> list[str]:
    """The topics that a word leads to: that topic, or all whose names begin with it."""
    held = list(names)
    if asked in held:
        return [asked]
    stem = asked.rstrip(".*")
    return [name for name in held if name == stem or name.startswith(stem + ".")]


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────


def row_answer(policy: Policy, row: Row | None, asked: str) -> dict[str, Any] | None:
    """A row as JSON: docs/reference/schemas/law_row.json. ``asked``: the place for which it was looked up."""
    if row is None:
        return None
    held, place = policy.instruments.get(row.instrument), policy.places.get(row.place)
    pair = terms.SURE.get(row.confidence, Words(row.confidence, row.confidence))
    return {
        "value": jsonable(row.value),
        "since": jsonable(row.since),
        "until": jsonable(row.until),
        "place": row.place,
        "place_name": {"zh": place.zh, "en": place.en} if place is not None else None,
        "inherited": row.place != asked,
        "instrument": row.instrument,
        "instrument_name": {"zh": held.no.zh, "en": held.no.en} if held is not None else None,
        "confidence": row.confidence,
        "sure": {"zh": pair.zh, "en": pair.en},
        "note": row.note,
        "recorded_at": jsonable(row.recorded_at),
        "where": row.where,
    }


def topic_answer(policy: Policy, name: str) -> dict[str, Any]:
    """What a topic is, as JSON."""
    topic = topic_of(policy, name)
    if topic is None:
        return {"topic": name, "zh": "", "en": "", "unit": ""}
    return {"topic": name, "zh": topic.zh, "en": topic.en, "unit": topic.unit}


def own_place(view: View, topic: Topic | None) -> str:
    """What the rows of a topic are looked up by in a view: the place, or the practice, trust or dialect."""
    if topic is None or topic.axis == "place":
        return view.place
    return str(getattr(view, topic.axis)["name"])
