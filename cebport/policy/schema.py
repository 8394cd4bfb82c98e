"""What a row of the law may say: topics, their types, and the row itself (主题与类型).

``tables/topics.yaml`` declares every topic with a type, a unit and its meaning in Chinese and English. A
type reads a YAML node into a frozen value or refuses it by line. Money, rates and other decimals are
quoted text and become Decimal; nothing is ever a float.

A topic holds along one axis. Most hold by place; the rows of a practice (口岸做法), of a trust (信任) and of
a dialect (报文方言) hold by the name of that practice, trust or dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from cebport.faults import Words
from cebport.policy.reader import Refused, Table, day, kind_of, line_of, scalar, shown, text, texts

ALWAYS = "always"
AXES = ("place", "practice", "trust", "dialect")
CONFIDENCE = {
    "S": Words("官方文本或结构", "official text or schema"),
    "V": Words("见于注明的来源", "seen in a named source"),
    "R": Words("见于真实回执", "seen in a real receipt"),
    "L": Words("法规，文字凭记忆", "law, wording from memory"),
    "M": Words("凭记忆，未见原文", "from memory, text not seen"),
    "K": Words("本项目的读法，没有原文", "own reading, no text behind it"),
}
"""The marks of how sure a row is, as a reader is told."""
FIRM = frozenset("SVR")
"""Marks of what was seen; of the others the reader is told that the text was not."""
NOT_SEEN = Words("未见原文", "text not seen")
TOLD_ONLY = Words("（仅供查阅，不参与计算）", "(told, not computed)")
"""What is said of a topic that informs."""

DECIMAL_IN_QUOTES = Words('带引号的小数，如 "0.70"', 'a decimal in quotes, e.g. "0.70"')
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,10})?\Z")
Read = Callable[[Table, Any], Any]


class Fixed(dict):
    """A mapping that cannot be changed: what a record or map of a table becomes."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the law is not changed in place: lay an overlay over it")

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class Row(NamedTuple):
    """One row of the law.

    since, until: first and last day it holds; since None = from before the tables begin, until None = open.
    place: id of the place (or the name of the practice, trust or dialect) that it holds for.
    instrument: id in instruments.yaml. confidence: a mark of `CONFIDENCE`.
    recorded_at, withdrawn_at: the days between which the tables believed it (withdrawn_at None = still).
    where: file and line. inherit: the row has no value of its own and gives the word back to the place above.
    """

    topic: str
    value: Any
    since: date | None
    until: date | None
    place: str
    instrument: str
    confidence: str
    recorded_at: date
    note: str = ""
    where: str = ""
    withdrawn_at: date | None = None
    inherit: bool = False

    @property
    def seen(self) -> bool:
        """Whether somebody saw the text, or a page that tells it; else readers are told `NOT_SEEN`."""
        return self.confidence in FIRM

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: decimals and days as text."""
        return {
            "topic": self.topic,
            "value": jsonable(self.value),
            "since": jsonable(self.since),
            "until": jsonable(self.until),
            "place": self.place,
            "instrument": self.instrument,
            "confidence": self.confidence,
            "recorded_at": jsonable(self.recorded_at),
            "note": self.note,
            "where": self.where,
        }


def jsonable(value: Any) -> Any:
    """A value of a row as JSON holds it: decimals and days become text, tuples lists."""
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    return value


class Topic(NamedTuple):
    """One declared topic. ``type`` names its type for people, ``read`` turns a node into its value.

    lasts: "" or the tax (``tax.regime``) under which a row must hold on every day; `ALWAYS` = under any.
    informs: nothing is computed from its rows, readers are told them.
    """

    name: str
    axis: str
    type: str
    unit: str
    zh: str
    en: str
    read: Read
    lasts: str = ""
    informs: bool = False


class Topics:
    """Every declared topic; families stand for many names (``mode.*``)."""

    def __init__(self, by_name: dict[str, Topic], unlisted: dict[str, Topic]) -> None:
        self.by_name = by_name
        self._unlisted = unlisted

    def find(self, name: str) -> Topic | None:
        """The topic of that name; None = nobody declared it."""
        return self.by_name.get(name) or self._unlisted.get(name)


# ------------------------------------------------------------------------------------------------ types


def _decimal(table: Table, node: Any) -> Decimal:
    value = scalar(node)
    if isinstance(value, str) and _DECIMAL.match(value):
        return Decimal(value)
    raise Refused("CEB-LAW-008", line_of(node), found=shown(value), expected=DECIMAL_IN_QUOTES)


def _rate(table: Table, node: Any) -> Decimal:
    value = _decimal(table, node)
    if value > 1:
        raise Refused(
            "CEB-LAW-008",
            line_of(node),
            found=value,
            expected=Words("0 到 1 的比例：15% 写作 0.15", "a share from 0 to 1: 15 % is 0.15"),
        )
    return value


def _bool(table: Table, node: Any) -> bool:
    value = scalar(node)
    if isinstance(value, bool):
        return value
    raise Refused("CEB-LAW-008", line_of(node), found=shown(value), expected="true | false")


def _int(table: Table, node: Any) -> int:
    value = scalar(node)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Refused(
        "CEB-LAW-008",
        line_of(node),
        found=shown(value),
        expected=Words("非负整数", "a whole number, not negative"),
    )


def _text(table: Table, node: Any) -> str:
    return text(node)


def _day(table: Table, node: Any) -> date:
    return day(node)


_PLAIN: dict[str, Read] = {
    "money": _decimal,
    "rate": _rate,
    "decimal": _decimal,
    "bool": _bool,
    "int": _int,
    "days": _int,
    "text": _text,
    "date": _day,
}
def _one_of(read: Read, options: tuple[str, ...]) -> Read:
    """A plain type of which only some values, as they are written, are known to whoever computes with them."""

    def limited(table: Table, node: Any) -> Any:
        value = read(table, node)
        if scalar(node) not in options:
            raise Refused("CEB-LAW-008", line_of(node), found=shown(scalar(node)), expected=" | ".join(options))
        return value

    return limited


def _below_one(read: Read) -> Read:
    """A share that is taken out of the whole: with 1 nothing would be left to divide by."""

    def limited(table: Table, node: Any) -> Any:
        value = read(table, node)
        if value >= 1:
            expected = Words("小于 1 的比例：15% 写作 0.15", "a share below 1: 15 % is 0.15")
            raise Refused("CEB-LAW-008", line_of(node), found=value, expected=expected)
        return value

    return limited


TYPES = (*_PLAIN, "choice", "list", "record", "map")


def _choice(options: tuple[str, ...]) -> Read:
    def read(table: Table, node: Any) -> str:
        value = scalar(node)
        if value in options and isinstance(value, str):
            return value
        raise Refused("CEB-LAW-008", line_of(node), found=shown(value), expected=" | ".join(options))

    return read


def _list(item: Read) -> Read:
    return lambda table, node: tuple(item(table, one) for one in table.items(node))


def _map(value: Read) -> Read:
    return lambda table, node: Fixed({key: value(table, one) for key, (_, one) in table.pairs(node).items()})


Needs = Mapping[str, tuple[tuple[str, ...], ...]]
"""Value of a field -> alternatives of fields that must then be there."""


def _record(fields: dict[str, Read], optional: frozenset[str], needs: Mapping[str, Needs]) -> Read:
    needed = tuple(key for key in fields if key not in optional)

    def read(table: Table, node: Any) -> Fixed:
        pairs = table.fields(node, needed, tuple(optional))
        made = Fixed({key: one(table, pairs[key][1]) for key, one in fields.items() if key in pairs})
        for key, by_value in needs.items():
            alternatives = by_value.get(made[key])
            if alternatives and not any(made.keys() >= set(names) for names in alternatives):
                wanted = " | ".join(", ".join(names) for names in alternatives)
                raise Refused(
                    "CEB-LAW-013", line_of(node), found=f"{key} {made[key]}: {wanted}", expected=wanted
                )
        return made

    return read


def _read_needs(table: Table, node: Any) -> dict[str, Needs]:
    """``needs: {field: {value: [[fields], [or fields]]}}``."""
    return {
        field: {
            value: tuple(texts(table, names) for names in table.items(alternatives))
            for value, (_, alternatives) in table.pairs(by_value).items()
        }
        for field, (_, by_value) in table.pairs(node).items()
    }


def _nullable(read: Read) -> Read:
    return lambda table, node: (
        None if kind_of(node) == "scalar" and scalar(node) is None else read(table, node)
    )


_TYPE_KEYS = ("type", "of", "fields", "needs", "values", "null", "optional", "below_one")


def read_type(table: Table, node: Any) -> tuple[str, Read, bool]:
    """(name for people, reader, whether the field may be left out) of a type declaration."""
    pairs = table.pairs(node)
    return _type_of(table, node, {key: value for key, value in pairs.items() if key in _TYPE_KEYS})


def _type_of(table: Table, node: Any, pairs: Mapping[str, tuple[int, Any]]) -> tuple[str, Read, bool]:
    if "type" not in pairs:
        raise Refused("CEB-LAW-013", line_of(node), found="type", expected="type")
    name = text(pairs["type"][1])
    if name in _PLAIN:
        title, read = name, _PLAIN[name]
        if "of" in pairs:
            read = _one_of(read, texts(table, pairs["of"][1]))
        if "below_one" in pairs and _bool(table, pairs["below_one"][1]):
            read = _below_one(read)
    elif name == "choice":
        options = texts(table, _needed(pairs, "of", node))
        title, read = " | ".join(options), _choice(options)
    elif name == "list":
        inner_title, inner, _ = read_type(table, _needed(pairs, "of", node))
        title, read = f"list of ({inner_title})", _list(inner)
    elif name == "map":
        inner_title, inner, _ = read_type(table, _needed(pairs, "values", node))
        title, read = f"map to {inner_title}", _map(inner)
    elif name == "record":
        made, optional, titles = {}, set(), []
        for key, (_, field_node) in table.pairs(_needed(pairs, "fields", node)).items():
            field_title, made[key], may_miss = read_type(table, field_node)
            titles.append(f"{key}{'?' if may_miss else ''}: {field_title}")
            if may_miss:
                optional.add(key)
        title, read = (
            "{" + ", ".join(titles) + "}",
            _record(
                made, frozenset(optional), _read_needs(table, pairs["needs"][1]) if "needs" in pairs else {}
            ),
        )
    else:
        raise Refused("CEB-LAW-008", pairs["type"][0], found=name, expected=" | ".join(TYPES))
    if "null" in pairs and _bool(table, pairs["null"][1]):
        title, read = title + " or null", _nullable(read)
    return title, read, "optional" in pairs and _bool(table, pairs["optional"][1])


def _needed(pairs: Mapping[str, tuple[int, Any]], key: str, node: Any) -> Any:
    if key not in pairs:
        raise Refused("CEB-LAW-013", line_of(node), found=key, expected=key)
    return pairs[key][1]


# ----------------------------------------------------------------------------------------------- topics

_TOPIC_KEYS = (*_TYPE_KEYS, "axis", "unit", "zh", "en", "members", "more", "lasts", "informs")


def read_topics(table: Table, refuse: Callable[[Refused], None]) -> Topics:
    """topics.yaml: ``topics: {name: {type, unit, zh, en, ...}}``. What is wrong goes to ``refuse``."""
    by_name: dict[str, Topic] = {}
    unlisted: dict[str, Topic] = {}
    top = table.fields(table.root, ("topics",), ("about",))
    for name, (_, node) in table.pairs(top["topics"][1]).items():
        try:
            _read_topic(table, name, node, by_name, unlisted)
        except Refused as refused:
            refuse(refused)
    return Topics(by_name, unlisted)


def _read_topic(
    table: Table, name: str, node: Any, by_name: dict[str, Topic], unlisted: dict[str, Topic]
) -> None:
    pairs = table.fields(node, ("type", "zh", "en"), _TOPIC_KEYS)
    title, read, _ = _type_of(table, node, pairs)
    axis = text(pairs["axis"][1]) if "axis" in pairs else "place"
    if axis not in AXES:
        raise Refused("CEB-LAW-008", pairs["axis"][0], found=axis, expected=" | ".join(AXES))
    unit = text(pairs["unit"][1]) if "unit" in pairs else ""
    lasts = text(pairs["lasts"][1]) if "lasts" in pairs else ""
    informs = "informs" in pairs and _bool(table, pairs["informs"][1])
    topic = Topic(name, axis, title, unit, text(pairs["zh"][1]), text(pairs["en"][1]), read, lasts, informs)
    if not name.endswith(".*"):
        by_name[name] = topic
        return
    stem = name[:-1]
    for member in texts(table, pairs["members"][1]) if "members" in pairs else ():
        by_name[stem + member] = topic._replace(name=stem + member)
    for member in texts(table, pairs["more"][1]) if "more" in pairs else ():
        unlisted[stem + member] = topic._replace(name=stem + member)
