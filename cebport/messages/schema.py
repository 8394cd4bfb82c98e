"""Does a message fit the schema, and if not, where and why (结构校验): every fault, not the first.

The verdict is libxml2's on our own XSD (tables/xsd), which says the same as the published one. libxml2 stops
at the first misplaced element of a parent and speaks of facets; so when it says no, our own walker goes
through the tree once more and says document, path, found, expected and remedy for all there is. The walker
alone never makes a message valid or invalid.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from cebport.faults import WARNING, Fault
from cebport.messages.catalog import fault
from cebport.messages.masks import mask
from cebport.messages.shape import (
    DS_ELEMENTS,
    DS_LOCALS,
    DS_NAMESPACE,
    DS_TYPES,
    ENTITIES,
    ENTITY_WORDS,
    MESSAGES,
    NAMESPACE,
    NEWEST,
    ROOT_ATTRIBUTES,
    SEEN,
    TAIL,
    VERSIONS,
    DsType,
    Field,
)

if TYPE_CHECKING:
    from cebport.messages.wire import Tree

XSD = Path(__file__).parent / "tables" / "xsd"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"
BLANKS = " \t\r\n"
FAULTS_MAX = 10_000
"""More faults than this are not listed: they are read by people, and each costs memory."""
SIBLINGS_MAX = 2000
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
SIGNATURE_TAG = f"{{{DS_NAMESPACE}}}Signature"
SIGNATURE_WORDS = ("签名", "signature")
MISSING, UNKNOWN, ORDER, REPEATED, TOO_MANY = (f"CEB-SCHEMA-{n:03}" for n in range(1, 6))
ROOT_CODES = frozenset(("CEB-SCHEMA-017", "CEB-SCHEMA-018"))
"""Attributes of the root: they leave the rest of the message as it is."""
INCOMPLETE = frozenset(("CEB-SCHEMA-098", "CEB-SCHEMA-099"))
"""With one of these there are faults that are not listed."""
EMPTY, TOO_LONG, LENGTH = (f"CEB-SCHEMA-{n:03}" for n in range(6, 9))


def schema_faults(tree: Tree, schema: str = NEWEST) -> list[Fault]:
    """What is wrong with ``tree`` by the schema version ``schema``; [] = valid.

    Raises ValueError for a schema version that there is not.
    """
    judge = _judge(schema)
    if _many_siblings(tree) and not _streams(tree.data, judge) and (faults := walk(tree.root, schema)):
        return faults
    if judge.validate(tree.root):
        return []
    return walk(tree.root, schema) or [_last_resort(judge)]


def _many_siblings(tree: Tree) -> bool:
    """Whether one parent may have so many children that libxml2's report of their faults gets slow.

    lxml notes a path with each finding and counts siblings for it: 100,000 faulty lines take minutes. Only
    parents with an unbounded model matter; elsewhere a child too many ends the validation of the others.
    """
    root, shape = tree.root, tree.shape
    if shape.documents_max is None and len(root) > SIBLINGS_MAX:
        return True
    if shape.line and shape.lines_max is None and any(len(group) > SIBLINGS_MAX for group in root):
        return True
    last = root[-1] if len(root) else None
    if last is None or last.tag != SIGNATURE_TAG:
        return False
    return sum(1 for _ in islice(last.iter(), SIBLINGS_MAX + 1)) > SIBLINGS_MAX


def soften(faults: list[Fault]) -> list[Fault]:
    """The faults of a receipt as a lenient reader weighs them: what is known of live receipts warns."""
    return [found.with_severity(WARNING) if _known_live(found) else found for found in faults]


def _known_live(found: Fault) -> bool:
    *_, parent, name = ["", "", *re.sub(r"\[\d+\]", "", found.path).split("/")]
    if found.code == ORDER:
        return True
    seen = SEEN.get(parent)
    if seen is None:
        return False
    if found.code == UNKNOWN:
        return name in seen.extra
    return found.code in (MISSING, EMPTY, TOO_LONG, LENGTH) and name in seen.loose


def _streams(data: bytes, judge: Any) -> bool:
    """Whether the text is valid as a stream, in which a finding has no path; repeated ids are not found so."""
    try:
        for _, element in etree.iterparse(
            BytesIO(data), events=("end",), schema=judge, resolve_entities=False, no_network=True
        ):
            element.clear()
            parent = element.getparent()
            while element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError:
        return False
    return True


@lru_cache(maxsize=len(VERSIONS))
def _judge(schema: str) -> Any:
    """The compiled XSD of a schema version, once a process."""
    if schema not in VERSIONS:
        raise ValueError(f"schema version {schema!r}: one of {', '.join(VERSIONS)}")
    return etree.XMLSchema(etree.parse(str(XSD / schema / "import.xsd")))


def _last_resort(judge: Any) -> Fault:
    """libxml2's own finding, without its words: they quote the value, which may be personal."""
    error = judge.error_log.last_error  # another thread may just have emptied the log
    return fault("CEB-SCHEMA-099", found=error.type_name if error else "", line=error.line if error else 0)


# --- the walker ------------------------------------------------------------------------------------


def walk(root: Any, schema: str) -> list[Fault]:
    """Every fault below ``root``, a message, in document order; at most FAULTS_MAX and one that says so."""
    walker = _Walker(schema)
    faults: list[Fault] = []
    for found in walker.message(root, ""):
        if len(faults) == FAULTS_MAX:
            faults.append(fault("CEB-SCHEMA-098", expected=FAULTS_MAX))
            break
        faults.append(found)
    return faults


class Slot(NamedTuple):
    """One place in a sequence: the element's {namespace}name, least and most times, its words."""

    tag: str
    low: int
    high: int | None
    zh: str
    en: str

    @property
    def name(self) -> str:
        """The local name, with its prefix where it is not one of ours."""
        namespace, local = _split(self.tag)
        return f"ds:{local}" if namespace == DS_NAMESPACE else local


def _split(tag: str) -> tuple[str, str]:
    """(namespace, name) of {namespace}name; the namespace is "" where there is none."""
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


@lru_cache(maxsize=1)
def _global_names() -> frozenset[tuple[str, str]]:
    """What the schema declares globally."""
    ours = {(NAMESPACE, name) for name in (*MESSAGES, *ENTITY_WORDS)}
    return frozenset(ours | {(DS_NAMESPACE, name) for name in DS_ELEMENTS})


def _ceb(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _entity_slot(name: str, low: int, high: int | None) -> Slot:
    return Slot(_ceb(name), low, high, *ENTITY_WORDS[name])


@lru_cache(maxsize=64)
def _message_slots(name: str) -> tuple[Slot, ...]:
    shape = MESSAGES[name]
    tag = _ceb(shape.group or shape.head)
    slots = [Slot(tag, 1, shape.documents_max, shape.zh, shape.en)]
    if not shape.receipt:
        slots += [_entity_slot(entity, low, high) for entity, (low, high) in TAIL.items()]
        needed = int(shape.signature == "required")
        slots.append(Slot(SIGNATURE_TAG, needed, 1, *SIGNATURE_WORDS))
    return tuple(slots)


@lru_cache(maxsize=64)
def _group_slots(name: str) -> tuple[Slot, ...]:
    shape = MESSAGES[name]
    slots = [_entity_slot(shape.head, 1, 1)]
    if shape.line:
        slots.append(_entity_slot(shape.line, 1, shape.lines_max))
    return tuple(slots)


@lru_cache(maxsize=128)
def _field_slots(schema: str, entity: str) -> tuple[Slot, ...]:
    return tuple(
        Slot(_ceb(field.name), int(field.required), 1, field.zh, field.en) for field in ENTITIES[schema][entity]
    )


@lru_cache(maxsize=128)
def _fields(schema: str, entity: str) -> dict[str, Field]:
    return {_ceb(field.name): field for field in ENTITIES[schema][entity]}


def _elements(parent: Any) -> list[Any]:
    """The child elements: comments and processing instructions do not count."""
    return [child for child in parent if isinstance(child.tag, str)]


def _pieces(element: Any) -> Iterator[str]:
    """The text nodes directly in an element; an empty CDATA section is an empty text node."""
    if element.text is not None:
        yield element.text
    for child in element:
        if child.tail is not None:
            yield child.tail


def _steps(children: list[Any], slots: tuple[Slot, ...]) -> list[str]:
    """The path step of each child: with an index where its kind may or does stand several times."""
    often = {slot.tag for slot in slots if slot.high != 1}
    total, seen, steps = Counter(child.tag for child in children), Counter[str](), []
    for child in children:
        seen[child.tag] += 1
        name = _local(child.tag)
        if child.tag.startswith("{" + DS_NAMESPACE):
            name = f"ds:{name}"
        plural = child.tag in often or total[child.tag] > 1
        steps.append(f"{name}[{seen[child.tag]}]" if plural else name)
    return steps


def _in_order(places: list[int]) -> set[int]:
    """Indexes of a longest non-decreasing run of ``places`` (-1 = unknown): the rest is misplaced."""
    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for index, place in enumerate(places):
        if place < 0:
            continue
        at = bisect_right(tails, place)
        before[index] = ends[at - 1] if at else None
        tails[at : at + 1] = [place]
        ends[at : at + 1] = [index]
    kept: set[int] = set()
    step = ends[-1] if ends else None
    while step is not None:
        kept.add(step)
        step = before[step]
    return kept


def _place(slots: tuple[Slot, ...], place: int, counts: Counter[int]) -> dict[str, str]:
    """The words for where a slot belongs: behind the nearest one before it that is there."""
    slot = slots[place]
    before = [slots[index].name for index in range(place) if counts[index]]
    after_zh, after_en = (f" {before[-1]} 之后", f"behind {before[-1]}") if before else ("最前面", "at the start")
    return {"expected": slot.name, "zh": slot.zh, "en": slot.en, "after_zh": after_zh, "after_en": after_en}


class _Walker:
    """Goes through one message. Every method yields faults; ``path`` is that of the element it is given."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.source = f"报文结构 XSD {schema} / message schema {schema}"
        self.document: int | None = None
        self.ids: set[str] = set()

    def make(self, code: str, path: str, **values: Any) -> Fault:
        """A fault of the document the walker is in."""
        return fault(code, document=self.document, path=path, source=self.source, **values)

    # structure

    def message(self, root: Any, path: str) -> Iterator[Fault]:
        """A message: attributes of its root, documents, tail."""
        name = _local(root.tag)
        shape, slots = MESSAGES[name], _message_slots(name)
        yield from self.root_attributes(root, path)
        children = _elements(root)
        yield from self.sequence(root, children, slots, path)
        number = 0
        for child, step in zip(children, _steps(children, slots), strict=True):
            where = f"{path}/{step}" if path else step
            if child.tag == slots[0].tag:
                number += 1
                if not path:
                    self.document = number
                yield from self.group(child, name, where) if shape.group else self.entity(child, shape.head, where)
                if not path:
                    self.document = None
            elif any(child.tag == slot.tag for slot in slots):
                yield from self.declared(child, where)

    def group(self, element: Any, name: str, path: str) -> Iterator[Fault]:
        """The element around a document."""
        yield from self.attributes(element, path)
        children, slots = _elements(element), _group_slots(name)
        yield from self.sequence(element, children, slots, path)
        for child, step in zip(children, _steps(children, slots), strict=True):
            if any(child.tag == slot.tag for slot in slots):
                yield from self.entity(child, _local(child.tag), f"{path}/{step}")

    def declared(self, element: Any, path: str) -> Iterator[Fault]:
        """An element that the schema declares globally: message, entity or part of a signature."""
        namespace, name = _split(element.tag)
        if namespace == DS_NAMESPACE:
            yield from self.signature_part(element, DS_ELEMENTS[name], path)
        elif name in MESSAGES:
            yield from self.message(element, path)
        else:
            yield from self.entity(element, name, path)

    def entity(self, element: Any, name: str, path: str) -> Iterator[Fault]:
        """The fields of an entity."""
        yield from self.attributes(element, path)
        children, slots, fields = _elements(element), _field_slots(self.schema, name), _fields(self.schema, name)
        yield from self.sequence(element, children, slots, path)
        for child, step in zip(children, _steps(children, slots), strict=True):
            field = fields.get(child.tag)
            if field is not None:
                yield from self.field(child, field, f"{path}/{step}")

    def sequence(self, parent: Any, children: list[Any], slots: tuple[Slot, ...], path: str) -> Iterator[Fault]:
        """Unknown, misplaced, repeated, missing and too many children, and text between them."""
        places = {slot.tag: index for index, slot in enumerate(slots)}
        order = [places.get(child.tag, -1) for child in children]
        kept, counts = _in_order(order), Counter(order)
        prefix, used = (f"{path}/" if path else ""), Counter[int]()
        for index, (child, step) in enumerate(zip(children, _steps(children, slots), strict=True)):
            place, where = order[index], prefix + step
            if place < 0:
                yield self.unknown(child, slots, where)
                continue
            slot = slots[place]
            used[place] += 1
            if slot.high == 1 and used[place] > 1:
                yield self.make(REPEATED, where, found=slot.name, expected="1", zh=slot.zh, en=slot.en)
            elif index not in kept:
                yield self.make(ORDER, where, found=slot.name, **_place(slots, place, counts))
        for place, slot in enumerate(slots):
            count = counts[place]
            if count < slot.low:
                yield self.make(MISSING, prefix + slot.name, **_place(slots, place, counts))
            elif slot.high is not None and slot.high > 1 and count > slot.high:
                values = {"found": count, "expected": at_most(slot.high), "zh": slot.zh, "en": slot.en}
                yield self.make(TOO_MANY, prefix + slot.name, most=slot.high, **values)
        yield from self.no_text(parent, path)

    def unknown(self, child: Any, slots: tuple[Slot, ...], path: str) -> Fault:
        """An element that may not stand here: of another namespace, misspelled, or merely unknown."""
        namespace, name = _split(child.tag)
        known = {slot.name.removeprefix("ds:"): slot for slot in slots}
        if name in known:
            expected = _split(known[name].tag)[0]
            return self.make("CEB-SCHEMA-015", path, found=namespace, expected=expected)
        lower = {slot_name.lower(): slot_name for slot_name in known}
        close = get_close_matches(name.lower(), lower, 1)
        if close:
            right = lower[close[0]]
            hint_zh, hint_en = f"是不是 {right}？名称要逐字相同", f"is it {right}? letter by letter"
        else:
            right = ""
            hint_zh, hint_en = "删去这个元素，或放到扩展信息里", "remove it, or put it into the ExtendMessage"
        return self.make(UNKNOWN, path, found=name, expected=right, hint_zh=hint_zh, hint_en=hint_en)

    def no_text(self, element: Any, path: str) -> Iterator[Fault]:
        """Text beside the children of an element that has children only."""
        text = "".join(_pieces(element)).strip(BLANKS)
        if text:
            yield self.make("CEB-SCHEMA-019", path or _local(element.tag), count=len(text))

    # attributes

    def root_attributes(self, root: Any, path: str) -> Iterator[Fault]:
        """guid and version of the root."""
        where = path or _local(root.tag)
        yield from self.attributes(root, where, frozenset(ROOT_ATTRIBUTES))
        for name, (low, high) in ROOT_ATTRIBUTES.items():
            value = root.get(name)
            if value is None:
                yield self.make("CEB-SCHEMA-017", where, expected=name)
            elif not low <= len(value) <= high:
                values = {"found": value, **_lengths(low, high), "count": len(value)}
                yield self.make("CEB-SCHEMA-018", f"{path}@{name}", **values)

    def attributes(
        self, element: Any, path: str, allowed: frozenset[str] = frozenset(), type_name: str = ""
    ) -> Iterator[Fault]:
        """Attributes that may not stand here; ``type_name``: {namespace}type that xsi:type may name."""
        if not element.attrib:
            return
        for name, value in element.attrib.items():
            namespace, local = _split(name)
            if namespace == XSI and local in ("schemaLocation", "noNamespaceSchemaLocation"):
                continue
            if namespace == XSI and local == "nil":
                yield self.make("CEB-SCHEMA-022", path, found=value)
            elif namespace == XSI and local == "type":
                if not type_name or _qname(element, value) != type_name:
                    yield self.make("CEB-SCHEMA-021", path, found=value)
            elif name not in allowed:
                yield self.make("CEB-SCHEMA-016", path, found=local)

    # values

    def field(self, element: Any, field: Field, path: str) -> Iterator[Fault]:
        """One field: attributes, no children, its value."""
        if field.type == "element":
            yield from self.extension(element, path)
            return
        if field.type == "int" and field.digits is None and f"{{{XSI}}}type" in element.attrib:
            yield from self.retyped(element, "int", path)
            return
        yield from self.attributes(element, path)
        children = _elements(element)
        if children:
            yield self.make("CEB-SCHEMA-020", path, found=_local(children[0].tag))
            return
        pieces = list(_pieces(element))
        if field.fixed and not pieces:
            return  # libxml2 puts the fixed value into an element without content
        text = "".join(pieces)
        if field.type == "text":
            yield from self.text(text, field, path)
        elif field.type == "int":
            yield from self.whole(text, field, path)
        else:
            yield from self.decimal(text, field, path)

    def retyped(self, element: Any, simple: str, path: str) -> Iterator[Fault]:
        """An element of a built-in type that names another by xsi:type: libxml2 knows which may stand for it."""
        alone = etree.Element("v", element.attrib, nsmap=element.nsmap)
        alone.text = "".join(_pieces(element))
        if _elements(element) or not _simple_judge(simple).validate(alone):
            yield self.make("CEB-SCHEMA-021", path, found=element.get(f"{{{XSI}}}type"))

    def extension(self, element: Any, path: str) -> Iterator[Fault]:
        """The one element of any kind that ExtendMessage/Message may hold."""
        yield from self.attributes(element, path, type_name=_ceb("XMLElement"))
        count = len(_elements(element))
        if count > 1:
            yield self.make("CEB-SCHEMA-033", path, found=count, expected=at_most(1))
        yield from self.no_text(element, path)

    def text(self, value: str, field: Field, path: str) -> Iterator[Fault]:
        """Length and fixed value. Blanks count, characters are code points."""
        count = len(value)
        values = {
            "found": mask(field.name, value), **_lengths(field.min, field.max), "count": count,
            "zh": field.zh, "en": field.en,
        }  # fmt: skip
        if field.fixed and value != field.fixed:
            yield self.make("CEB-SCHEMA-009", path, **{**values, "expected": field.fixed})
        elif not value and field.min:
            yield self.make(EMPTY, path, **values, **_empty_words(field))
        elif count < field.min or (field.min == field.max and count != field.min):
            yield self.make(LENGTH, path, **values)
        elif field.max is not None and count > field.max:
            yield self.make(TOO_LONG, path, **values)

    def whole(self, text: str, field: Field, path: str) -> Iterator[Fault]:
        """An integer within the range of its type, with so many digits."""
        span = f"{INT_MIN}..{INT_MAX}"
        expected = f"整数 / a whole number {span}"
        values: dict[str, Any] = {"found": text, "expected": expected, "span": span, "zh": field.zh, "en": field.en}
        bare = text.strip(BLANKS)
        if not bare:
            yield self.make("CEB-SCHEMA-010", path, **values, **_empty_words(field))
        elif not _WHOLE.fullmatch(bare) or not INT_MIN <= _int(bare) <= INT_MAX:
            yield self.make("CEB-SCHEMA-012", path, **values)
        elif field.digits is not None and len(str(abs(_int(bare)))) > field.digits:
            yield self.make("CEB-SCHEMA-013", path, **values | _digits(field.digits))

    def decimal(self, text: str, field: Field, path: str) -> Iterator[Fault]:
        """A decimal number with so many digits, so many of them behind the point."""
        values: dict[str, Any] = {"found": text, "expected": "数字 / a number", "zh": field.zh, "en": field.en}
        bare = text.strip(BLANKS)
        if not bare:
            yield self.make("CEB-SCHEMA-010", path, **values, **_empty_words(field))
            return
        if not _DECIMAL.fullmatch(bare):
            yield self.make("CEB-SCHEMA-011", path, **values)
            return
        whole, _, fraction = bare.lstrip("+-").partition(".")
        whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
        if field.fraction is not None and len(fraction) > field.fraction:
            expected = f"最多 {field.fraction} 位小数 / at most {field.fraction} decimals"
            yield self.make("CEB-SCHEMA-014", path, **{**values, "expected": expected, "most": field.fraction})
        if field.digits is not None and len(whole) + len(fraction) > field.digits:
            yield self.make("CEB-SCHEMA-013", path, **values | _digits(field.digits))

    # the signature

    def signature_part(self, element: Any, type_name: str, path: str) -> Iterator[Fault]:
        """An element of the Signature, of a type of DS_TYPES or a simple one."""
        kind = DS_TYPES.get(type_name)
        if kind is None and f"{{{XSI}}}type" in element.attrib:
            yield from self.retyped(element, type_name, path)
            return
        if kind is None or kind.content is None:
            yield from self.attributes(element, path, type_name=_ds_type(type_name))
            yield from self.signature_text(element, kind.text if kind else type_name, path)
            return
        allowed = frozenset(name for name, _, _ in kind.attributes)
        yield from self.attributes(element, path, allowed, _ds_type(type_name))
        yield from self.signature_attributes(element, kind, path)
        children = _elements(element)
        tokens = [_token(child) for child in children]
        if not _model(kind.content).fullmatch("".join(f"{token} " for token in tokens)):
            found = " ".join("*" if token in ("other", "none") else token for token in tokens)
            yield self.make("CEB-SCHEMA-030", path, found=found or "-", expected=kind.said or "-")
        if not kind.mixed:
            yield from self.no_text(element, path)
        for child, step in zip(children, _steps(children, ()), strict=True):
            name = _local(child.tag)
            if not child.tag.startswith(f"{{{DS_NAMESPACE}}}"):
                yield from self.lax(child, f"{path}/{step}")
            elif name in _names(kind.said):
                part = DS_ELEMENTS.get(name) or DS_LOCALS[name]
                yield from self.signature_part(child, part, f"{path}/{step}")
            elif "any" in _names(kind.said):
                yield from self.lax(child, f"{path}/{step}")

    def lax(self, element: Any, path: str) -> Iterator[Fault]:
        """An element of any kind: checked where the schema knows it, else only what is inside."""
        if _split(element.tag) in _global_names():
            yield from self.declared(element, path)
        elif f"{{{XSI}}}type" in element.attrib:
            yield self.make("CEB-SCHEMA-021", path, found=element.get(f"{{{XSI}}}type"))
        else:
            children = _elements(element)
            for child, step in zip(children, _steps(children, ()), strict=True):
                yield from self.lax(child, f"{path}/{step}")

    def signature_attributes(self, element: Any, kind: DsType, path: str) -> Iterator[Fault]:
        """Attributes of a signature element: there, of their type, ids used once."""
        for name, simple, required in kind.attributes:
            value = element.get(name)
            if value is None:
                if required:
                    yield self.make("CEB-SCHEMA-017", path, expected=name)
            elif not _is_simple(simple, value):
                yield self.make("CEB-SCHEMA-031", f"{path}@{name}", found=value, expected=f"xs:{simple}")
            elif simple == "ID":
                bare = " ".join(value.split())
                if bare in self.ids:
                    yield self.make("CEB-SCHEMA-032", f"{path}@{name}", found=bare)
                self.ids.add(bare)

    def signature_text(self, element: Any, simple: str, path: str) -> Iterator[Fault]:
        """The text of a signature element, of a simple type."""
        children = _elements(element)
        if children:
            yield self.make("CEB-SCHEMA-020", path, found=_local(children[0].tag))
            return
        text = "".join(_pieces(element))
        if not _is_simple(simple, text):
            yield self.make("CEB-SCHEMA-031", path, found=text, expected=f"xs:{simple}")


# --- lexical forms ---------------------------------------------------------------------------------

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def _int(text: str) -> int:
    """The number in ``text``, of which 20 digits are enough to be out of range."""
    number = int(text.lstrip("+-").lstrip("0")[:20] or "0")
    return -number if text.startswith("-") else number


def _span(low: int, high: int | None) -> str:
    return str(low) if low == high else f"{low}..{'' if high is None else high}"


def _lengths(low: int, high: int | None) -> dict[str, str]:
    """How many characters there should be: ``span`` for sentences, ``expected`` with its words."""
    span = _span(low, high)
    return {"span": span, "expected": f"{span} 个字符 / characters"}


def _digits(most: int) -> dict[str, Any]:
    return {"most": most, "expected": f"最多 {most} 位数字 / at most {most} digits"}


def at_most(most: int) -> str:
    """An upper limit as both languages read it."""
    return f"最多 {most} / at most {most}"


def _empty_words(field: Field) -> dict[str, str]:
    """What to do about an empty element: fill it, or leave it out where it may be left out."""
    if field.required:
        return {"empty_zh": f"填上{field.zh}", "empty_en": f"give the {field.en}"}
    return {"empty_zh": "填上值，没有值就不要写这个元素", "empty_en": "give a value or leave it out"}


def _qname(element: Any, text: str) -> str:
    """{namespace}name of a prefixed name as it stands in ``element``; "" when the prefix is not declared."""
    prefix, _, local = text.rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    if namespace is None:
        return "" if prefix else local
    return f"{{{namespace}}}{local}"


def _ds_type(type_name: str) -> str:
    return f"{{{DS_NAMESPACE}}}{type_name}" if type_name in DS_TYPES else f"{{{XS}}}{type_name}"


def _token(child: Any) -> str:
    """A child of a signature element as its content model spells it."""
    namespace, name = _split(child.tag)
    if namespace == DS_NAMESPACE:
        return name
    return "other" if namespace else "none"


@lru_cache(maxsize=64)
def _names(said: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", said))


@lru_cache(maxsize=64)
def _model(content: str) -> re.Pattern[str]:
    return re.compile(content)


@lru_cache(maxsize=16)
def _simple_judge(simple: str) -> Any:
    """libxml2 itself on one simple type: its idea of base64 and of a URI is its own, and it is the judge."""
    return etree.XMLSchema(
        etree.fromstring(f'<xs:schema xmlns:xs="{XS}"><xs:element name="v" type="xs:{simple}"/></xs:schema>')
    )


def _is_simple(simple: str, text: str) -> bool:
    element = etree.Element("v")
    element.text = text
    return bool(_simple_judge(simple).validate(element))
