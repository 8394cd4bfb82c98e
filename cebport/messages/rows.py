"""From a read message to its records: the hot path (热路径), some thousands of documents a second.

A valid message without comments, attributes or CDATA inside its documents, which is nearly every message,
is read by one regular expression an entity: it spells the whole element out, in order, optional fields as
optional groups, so that its groups are the record's row. A text that is not exactly so does not match and
the message is read from the tree instead. Both ways give the same records; a test holds them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from cebport.messages.documents import ENTITIES as RECORDS
from cebport.messages.documents import Document, Message
from cebport.messages.shape import ENTITIES, MESSAGES, NAMESPACE, NEWEST

if TYPE_CHECKING:
    from cebport.messages.wire import Tree

TEXT_BYTES_MIN = 16_384
"""A smaller message is read from the tree: making the expressions takes longer than that."""
TEXT_PREFIXES = ("ceb", "")
"""Prefixes worth expressions of their own; a sender who varies his prefix must not make us compile."""

Row = list[Any]


def message_of(tree: Tree, schema: str = NEWEST) -> Message:
    """The records of a tree without faults, or of a receipt whose faults are warnings.

    An absent field is None, an empty one "", an empty one with a fixed value that value, as a schema
    processor has it. Fields that the records do not know are passed over.
    """
    documents = None
    if tree.prefix in TEXT_PREFIXES and len(tree.data) >= TEXT_BYTES_MIN:
        documents = documents_by_text(tree)
    if documents is None:
        documents = documents_by_tree(tree)
    return _message(tree, documents, schema)


def _message(tree: Tree, documents: tuple[Document, ...], schema: str, *, tail: bool = True) -> Message:
    """The message around its documents; without its tail where that does not fit the schema."""
    root = tree.root
    transfer, subscribes, extend = None, [], None
    if tail and not tree.shape.receipt:
        for child in root.iterchildren(*_TAIL_TAGS):
            name = child.tag.rpartition("}")[2]
            if name == "BaseTransfer":
                transfer = _record(child, name)
            elif name == "BaseSubscribe":
                subscribes.append(_record(child, name))
            else:
                extend = _record(child, name)
    guid, version = root.get("guid", ""), root.get("version", "")
    return Message(tree.type, guid, version, documents, transfer, tuple(subscribes), extend, schema)


def part_of(tree: Tree, numbers: tuple[int, ...], schema: str = NEWEST, *, tail: bool = True) -> Message:
    """The message with only the documents of these numbers (from 1, rising), which must fit the schema."""
    wanted = frozenset(numbers)
    documents = tuple(_documents(tree, wanted))
    return _message(tree, documents, schema, tail=tail)


_TAIL_TAGS = tuple(f"{{{NAMESPACE}}}{name}" for name in ("BaseTransfer", "BaseSubscribe", "ExtendMessage"))


# --- rows to records -------------------------------------------------------------------------------


class _Entity(NamedTuple):
    """How the row of an entity becomes its record."""

    make: Callable[..., Any]
    width: int
    places: dict[str, int]  # {namespace}name -> place in the row
    conversions: tuple[tuple[int, Callable[[str], Any]], ...]
    elements: tuple[int, ...]

    def record(self, row: Row) -> Any:
        """The record of a row of texts; None = the element is absent."""
        for at, convert in self.conversions:
            text = row[at]
            if text is not None:
                row[at] = convert(text)
        return self.make(*row)


@lru_cache(maxsize=64)
def _entity(name: str) -> _Entity:
    """The reading of one entity; both schema versions have the same fields in the same order."""
    fields = list(enumerate(ENTITIES[NEWEST][name]))
    conversions: list[tuple[int, Callable[[str], Any]]] = []
    for at, field in fields:
        if field.type in ("decimal", "int"):
            conversions.append((at, Decimal if field.type == "decimal" else int))
        elif field.fixed:
            conversions.append((at, {"": field.fixed, field.fixed: field.fixed}.__getitem__))
    return _Entity(
        make=RECORDS[name],
        width=len(fields),
        places={f"{{{NAMESPACE}}}{field.name}": at for at, field in fields},
        conversions=tuple(conversions),
        elements=tuple(at for at, field in fields if field.type == "element"),
    )


# --- by tree ---------------------------------------------------------------------------------------


def documents_by_tree(tree: Tree) -> tuple[Document, ...]:
    """The documents, element by element: any order of fields, comments, CDATA, any prefix."""
    return tuple(_documents(tree, None))


def _documents(tree: Tree, wanted: frozenset[int] | None) -> Iterator[Document]:
    """The documents with these numbers, None = all."""
    shape = tree.shape
    head, line = shape.head, shape.line
    head_tag, line_tag = f"{{{NAMESPACE}}}{head}", f"{{{NAMESPACE}}}{line}"
    for number, group in enumerate(tree.root.iterchildren(f"{{{NAMESPACE}}}{shape.group or head}"), 1):
        if wanted is not None and number not in wanted:
            continue
        if not shape.group:
            yield Document(_record(group, head))
            continue
        found = group.find(head_tag)
        lines = tuple(_record(child, line) for child in group.iterchildren(line_tag)) if line else ()
        yield Document(_record(found, head), lines)


def _record(element: Any, name: str) -> Any:
    entity = _entity(name)
    row: Row = [None] * entity.width
    places = entity.places
    for child in element:
        at = places.get(child.tag)  # a comment's tag is a function: not there
        if at is not None:
            row[at] = (child.text or "") if not len(child) else str(child.xpath("string()"))
            if at in entity.elements:
                row[at] = _serialised(child)
    return entity.record(row)


def _serialised(parent: Any) -> str:
    """The one child element as text that stands on its own (exclusive C14N), "" when there is none."""
    for child in parent.iterchildren(tag=etree.Element):
        return etree.tostring(child, method="c14n", exclusive=True, with_comments=True).decode("utf-8")
    return ""


# --- by text ---------------------------------------------------------------------------------------

_PROLOG = re.compile(r"(?:\s++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_REFERENCE = re.compile(r"&(?:#([0-9]+)|#x([0-9A-Fa-f]+)|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def documents_by_text(tree: Tree) -> tuple[Document, ...] | None:
    """The documents, by expressions over the text; None when the text is not exactly as they say."""
    text = tree.data.decode("utf-8")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    colon = f"{tree.prefix}:" if tree.prefix else ""
    start = _PROLOG.match(text).end()  # type: ignore[union-attr]
    opening = _start_tag(f"{colon}{tree.type}").match(text, start)
    if opening is None:
        return None
    shape = tree.shape
    tail = f"</{colon}{tree.type}" if shape.receipt else f"<{colon}BaseTransfer"
    documents: list[Document] = []
    at = opening.end()
    for empties in (False, True):
        at = _read(text, at, _plan(tree.type, colon, empties), "&" in text, documents)
        if documents and text.startswith(tail, at):
            return tuple(documents)
    return None


@lru_cache(maxsize=64)
def _start_tag(name: str) -> re.Pattern[str]:
    """A root's start tag; a > may stand in an attribute's value."""
    return re.compile(rf"""<{name}(?:\s++[^\s=<>/]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'))*+\s*+>\s*+""")


class _Plan(NamedTuple):
    """The expressions of one kind of message: a document's start with its head, a line, its end.

    empties: whether <a/> is understood, at two groups a field, the text and the mark of emptiness.
    """

    empties: bool
    head: re.Pattern[str]
    line: re.Pattern[str] | None
    end: re.Pattern[str] | None
    head_entity: _Entity
    line_entity: _Entity | None


@lru_cache(maxsize=128)
def _plan(message: str, colon: str, empties: bool) -> _Plan:
    shape = MESSAGES[message]
    head = _expression(shape.head, colon, empties)
    if not shape.group:
        return _Plan(empties, re.compile(head), None, None, _entity(shape.head), None)
    return _Plan(
        empties,
        re.compile(rf"<{colon}{shape.group}>\s*+{head}"),
        re.compile(_expression(shape.line, colon, empties)) if shape.line else None,
        re.compile(rf"</{colon}{shape.group}>\s*+"),
        _entity(shape.head),
        _entity(shape.line) if shape.line else None,
    )


def _expression(name: str, colon: str, empties: bool) -> str:
    """An entity spelled out."""
    parts = [rf"<{colon}{name}>\s*+"]
    for field in ENTITIES[NEWEST][name]:
        tag = f"{colon}{field.name}"
        if empties:
            part = rf"<{tag}(?:>([^<]*+)</{tag}>|(\s*+/>))\s*+"
        else:
            part = rf"<{tag}>([^<]*+)</{tag}>\s*+"
        parts.append(part if field.required else f"(?:{part})?+")
    return "".join(parts) + rf"</{colon}{name}>\s*+"


def _read(text: str, at: int, plan: _Plan, references: bool, documents: list[Document]) -> int:
    """Read documents from ``at`` on as long as they match; returns where they end."""
    line, end, empties = plan.line, plan.end, plan.empties
    head_record = plan.head_entity.record
    line_record = plan.line_entity.record if plan.line_entity else None
    head_match = plan.head.match
    while (match := head_match(text, at)) is not None:
        head, after = head_record(_row(match, empties, references)), match.end()
        lines = []
        if line is not None and line_record is not None:
            while (match := line.match(text, after)) is not None:
                lines.append(line_record(_row(match, empties, references)))
                after = match.end()
        if end is not None:
            match = end.match(text, after)
            if match is None:
                break
            after = match.end()
        documents.append(Document(head, tuple(lines)))
        at = after
    return at


def _row(match: re.Match[str], empties: bool, references: bool) -> Row:
    """The texts of one entity."""
    if empties:
        groups = match.groups()
        row = ["" if empty else text for text, empty in zip(groups[::2], groups[1::2], strict=True)]
    else:
        row = list(match.groups())
    if references:
        row = [_dereferenced(text) if text is not None and "&" in text else text for text in row]
    return row


def _dereferenced(text: str) -> str:
    return _REFERENCE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    return _NAMED[name] if name else chr(int(decimal) if decimal else int(hexadecimal, 16))
