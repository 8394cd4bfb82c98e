"""Values of the law as people read them (数值的说法): one line in a language, the same at the terminal and on a page.

>>> from cebport.policy import Policy
>>> topic = Policy.load().topics["tax.limit_single_cny"]
>>> said("5000", topic, "en"), said(True, None, "zh")
('5,000 CNY', '是')
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cebport.faults import Words
from cebport.messages import codes
from cebport.policy import Policy, Topic
from cebport.reports import terms

YES, NO = Words("是", "yes"), Words("否", "no")
NONE, NULL = Words("无", "none"), Words("无此规定", "no such rule")
AMOUNTS = ("money", "rate", "decimal")
"""Types whose values JSON holds as text."""


def topic_of(policy: Policy, name: str) -> Topic | None:
    """A declared topic, or one of a family of names that match a pattern."""
    held = policy.topics.get(name)
    if held is not None:
        return held
    stem = name.rpartition(".")[0]
    return next((topic._replace(name=name) for topic in policy.topics.values()
                 if topic.name.rpartition(".")[0] == stem and topic.axis != "place"), None)


def sides(a: Any, b: Any, topic: Topic | None) -> tuple[Words, Words]:
    """Two values that differ, each in one line in both languages; fields of a record that are equal are left out."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        a, b = _apart(a, b), _apart(b, a)
    one, other = (Words(said(value, topic, "zh"), said(value, topic, "en")) for value in (a, b))
    return one, other


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {key: held for key, held in one.items() if other.get(key, ...) != held}


def said(value: Any, topic: Topic | None, lang: str) -> str:
    """A value, also as JSON holds it, with its unit in one line."""
    name = topic.name if topic is not None else ""
    if isinstance(value, Mapping) and value.keys() != {"zh", "en"}:
        kinds, between = field_kinds(topic), "；" if lang == "zh" else "; "
        colon = "：" if lang == "zh" else ": "
        told = [f"{word(key, name, lang)}{colon}{field(key, held, kinds.get(key, kinds.get('*', '')), name, lang)}"
                for key, held in in_language(value, lang)]
        return between.join(told) or NONE.at(lang)
    text = plain(value, topic.type if topic is not None else "", name, lang)
    return f"{text} {unit_of(topic, lang) if value is not None else ''}".rstrip()


def field(key: str, value: Any, kind: str, topic: str, lang: str) -> str:
    """A field of a record in one line; the code of a unit of measure by its name."""
    if key == "unit" and isinstance(value, str) and codes.known("unit", value):
        return codes.name("unit", value, lang)
    return plain(value, kind, topic, lang)


def plain(value: Any, kind: str, topic: str, lang: str) -> str:
    """A value in one line. kind: the type that the topic declares, "" = seen from the value. topic: its name."""
    if value is None:
        return NULL.at(lang)
    if isinstance(value, bool):
        return (YES if value else NO).at(lang)
    if isinstance(value, str) and kind.split(" ")[0] in AMOUNTS:
        value = _amount(value)
    if isinstance(value, Decimal):
        return _decimal(value, kind)
    if isinstance(value, int):
        return f"{value:,}" if value > 9999 else str(value)
    if isinstance(value, Mapping) and value.keys() == {"zh", "en"}:
        return str(value[lang])
    if isinstance(value, Mapping):
        told = [f"{word(key, topic, lang)} {field(key, held, '', topic, lang)}"
                for key, held in in_language(value, lang)]
        return ("；" if lang == "zh" else "; ").join(told) or NONE.at(lang)
    if isinstance(value, tuple | list | frozenset):
        held = sorted(value) if isinstance(value, frozenset) else value
        inner = kind.removeprefix("list of (").removesuffix(")") if kind.startswith("list of (") else ""
        return ("、" if lang == "zh" else ", ").join(plain(item, inner, topic, lang) for item in held) or NONE.at(lang)
    return word(str(value), topic, lang) or '""'


def _amount(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def in_language(value: Mapping[str, Any], lang: str) -> list[tuple[str, Any]]:
    """The fields of a record, but for what it says in the other language (zh, ..._en)."""
    other = "zh" if lang == "en" else "en"
    return [(key, held) for key, held in value.items() if key != other and not key.endswith("_" + other)]


def _decimal(value: Decimal, kind: str) -> str:
    """Money with commas; a share as the tables write it and in percent, as people say it."""
    if "rate" in kind.split() and not kind.startswith("{"):
        return f"{percent(value)} ({value})"
    return f"{value:,}" if value >= 1000 else str(value)


def percent(share: Decimal) -> str:
    """A share as percent: 0.055 -> 5.5 %."""
    text = format((share * 100).normalize(), "f")
    return f"{text} %"


def field_kinds(topic: Topic | None) -> dict[str, str]:
    """The types of a record's fields by name, of a map's values by "*", read from how the topic names its type."""
    if topic is None:
        return {}
    if topic.type.startswith("map to "):
        return {"*": topic.type.removeprefix("map to ")}
    if not topic.type.startswith("{"):
        return {}
    kinds = {}
    for part in topic.type.strip("{}").split(", "):
        name, _, kind = part.partition(": ")
        kinds[name.rstrip("?")] = kind
    return kinds


def word(token: str, topic: str, lang: str) -> str:
    """A word of the tables as its topic, or the family of it, means it; else as it is."""
    names = (f"{topic}.{token}", f"{topic.split('.')[0]}.{token}", token)
    pair = next((terms.TERMS[name] for name in names if name in terms.TERMS), None)
    return token if pair is None else pair.at(lang)


def unit_of(topic: Topic | None, lang: str) -> str:
    """The unit of a topic; a share needs none, its percent sign says it."""
    if topic is None or not topic.unit or topic.unit.startswith("share"):
        return ""
    return topic.unit if lang == "en" else terms.UNITS.get(topic.unit, topic.unit)
