"""Write messages (写报文): records to bytes, in exact order, in the dialect of a profile; and the CEB900.

The text is canonical as it stands (C14N escapes, sorted attributes), so that what is written without a
declaration and without indent hashes as it is. A character that XML cannot carry is refused in a
declaration; in a receipt, where it comes from somebody else's text, it becomes U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from lxml import etree
from msgspec.structs import astuple

from cebport.faults import Fault, Malformed
from cebport.messages.catalog import fault
from cebport.messages.documents import ENTITIES as RECORDS
from cebport.messages.documents import Document, Message, MessageReturn
from cebport.messages.shape import ENTITIES, MESSAGES, NAMESPACE, NEWEST, PREFIX, VERSIONS, Shape

CODECS = {"UTF-8": "utf-8", "GB2312": "gb2312", "GBK": "gbk", "GB18030": "gb18030"}
"""Encodings we write; a character that one of them lacks is written as a numbered character."""
WHOLE_CODECS = ("utf-8", "gb18030")
"""Those that lack none: only there CDATA is safe."""
CDATA_FIELDS = frozenset({"oriBizMessage"})
NOT_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\ufffd"

UNREADABLE = "CEB900Message"
UNREADABLE_STATUS = "-1"
UNKNOWN_TYPE = "Unknown"
RETURN_INFO_CHARS_MAX = 5000
COP_MSG_ID_CHARS_MAX = 255
TYPE_CHARS_MAX = 15
ORIGINAL_CHARS_MAX = 512 * 1024
"""Of an unreadable message so much goes back in its CEB900; a message of 100 documents is some 300 KB."""


class Dialect(NamedTuple):
    """How a place likes its XML.

    prefix: "ceb", another, "" for the default namespace, None = as customs does: ceb in declarations, none
    in receipts. encoding: a key of CODECS. declaration: the <?xml?> line. indent: two blanks a level.
    empty_elements: an absent optional text is written as an empty element where the schema allows one.
    """

    prefix: str | None = None
    encoding: str = "UTF-8"
    declaration: bool = True
    indent: bool = False
    empty_elements: bool = False


DEFAULT = Dialect()


def write(message: Message, *, schema: str = NEWEST, dialect: Dialect = DEFAULT) -> bytes:
    """The bytes of ``message``; unsigned, signing puts the Signature in.

    Both schema versions have the same elements in the same order; ``schema`` says which one is meant.
    Raises Malformed when the message cannot be written (a required field is None, a record of the wrong
    kind, a character XML cannot carry), ValueError for an unknown schema version or encoding.
    """
    if schema not in VERSIONS:
        raise ValueError(f"schema version {schema!r}: one of {', '.join(VERSIONS)}")
    if dialect.encoding.upper() not in CODECS:
        raise ValueError(f"encoding {dialect.encoding!r}: one of {', '.join(CODECS)}")
    shape = MESSAGES.get(message.type)
    if shape is None:
        raise Malformed(fault("CEB-XML-020", path=message.type, found=message.type, expected=", ".join(MESSAGES)))
    writer = _writer(shape.type, dialect)
    codec = CODECS[dialect.encoding.upper()]
    return writer.message(message).encode(codec, "strict" if codec in WHOLE_CODECS else "xmlcharrefreplace")


def write_values(
    message_type: str, guid: str, heads: Sequence[Sequence[str | None]], dialect: Dialect = DEFAULT
) -> bytes:
    """A receipt message from the plain values of its head records, each in schema order (None = absent).

    The same bytes as ``write`` of the records, without making them: a port sends fifteen receipts a parcel.
    Quick where a document is its head alone; with a group or lines ``write`` does it. Raises what ``write`` raises.
    """
    writer = _writer(message_type, dialect)
    entity = writer.head
    said = "".join([value for row in heads for value in row if value is not None])
    codec = CODECS[dialect.encoding.upper()]
    if (
        entity.special
        or writer.shape.group
        or writer.line is not None
        or codec not in WHOLE_CODECS
        or not said.isprintable()
        or "&" in said
        or "<" in said
        or ">" in said
    ):
        documents = tuple([Document(entity.make(*row)) for row in heads])
        return write(Message(message_type, guid, "1.0", documents), dialect=dialect)
    full, out = entity.full, []
    for number, row in enumerate(heads, 1):
        if None in row:
            absent = tuple([at for at, value in enumerate(row) if value is None])
            template = entity.templates.get(absent) or entity.new_template(absent, "", number)
            out.append(template % tuple([value for value in row if value is not None]))
        else:
            out.append(full % tuple(row))
    return writer.around(guid, "1.0", out).encode(codec)


@lru_cache(maxsize=256)
def _writer(message: str, dialect: Dialect) -> _Writer:
    return _Writer(MESSAGES[message], dialect)


class _Writer:
    """Writes one kind of message in one dialect; keeps the templates it has made."""

    def __init__(self, shape: Shape, dialect: Dialect) -> None:
        self.shape = shape
        self.dialect = dialect
        prefix = dialect.prefix
        if prefix is None:
            prefix = "" if shape.receipt else PREFIX
        self.colon = f"{prefix}:" if prefix else ""
        self.xmlns = f'xmlns:{prefix}="{NAMESPACE}"' if prefix else f'xmlns="{NAMESPACE}"'
        self.cdata = CODECS[dialect.encoding.upper()] in WHOLE_CODECS
        level = 2 if shape.group else 1
        self.head = _Entity(self, shape.head, level)
        self.line = _Entity(self, shape.line, level) if shape.line else None
        self.transfer = _Entity(self, "BaseTransfer", 1)
        self.subscribe = _Entity(self, "BaseSubscribe", 1)
        self.extend = _Entity(self, "ExtendMessage", 1)

    def gap(self, level: int) -> str:
        """What stands before a tag of that level."""
        return "\n" + "  " * level if self.dialect.indent else ""

    def message(self, message: Message) -> str:
        """The text of a whole message."""
        shape = self.shape
        out: list[str] = []
        for number, document in enumerate(message.documents, 1):
            self.document(document, number, out)
        if not shape.receipt:
            out.append(self.transfer.text(message.transfer, "", None))
            out += [self.subscribe.text(record, "", None) for record in message.subscribes]
            if message.extend is not None:
                out.append(self.extend.text(message.extend, "", None))
        return self.around(message.guid, message.version, out)

    def around(self, guid: str, version: str, out: list[str]) -> str:
        """The root around what is written of the documents and the tail."""
        shape = self.shape
        guid, version = _attribute(guid, f"{shape.type}@guid"), _attribute(version, f"{shape.type}@version")
        said = f'<?xml version="1.0" encoding="{self.dialect.encoding.upper()}"?>\n' if self.dialect.declaration else ""
        root = f'<{self.colon}{shape.type} {self.xmlns} guid="{guid}" version="{version}">'
        return f"{said}{root}{''.join(out)}{self.gap(0)}</{self.colon}{shape.type}>"

    def document(self, document: Document, number: int, out: list[str]) -> None:
        """One document."""
        group = self.shape.group
        path = f"{group}[{number}]/" if group else ""
        if group:
            out.append(f"{self.gap(1)}<{self.colon}{group}>")
        out.append(self.head.text(document.head, path, number))
        if self.line is not None:
            for record in document.lines:
                out.append(self.line.text(record, path, number))
        elif document.lines:
            where = f"{path}{self.shape.head}"
            values = {"found": "商品行 / lines", "expected": "没有商品行 / no lines"}
            raise Malformed(fault("CEB-XML-044", document=number, path=where, **values))
        if group:
            out.append(f"{self.gap(1)}</{self.colon}{group}>")


class _Entity:
    """Writes the records of one entity: a template for each pattern of absent fields, filled by %."""

    def __init__(self, writer: _Writer, name: str, level: int) -> None:
        self.writer = writer
        self.name = name
        self.level = level
        self.make = RECORDS[name]
        self.fields = ENTITIES[NEWEST][name]
        self.special = any(field.type == "element" or field.name in CDATA_FIELDS for field in self.fields)
        self.full = self.template(())
        self.templates: dict[tuple[int, ...], str] = {}

    def template(self, absent: tuple[int, ...]) -> str:
        """The entity with %s for every field that is there."""
        writer, colon = self.writer, self.writer.colon
        gap = writer.gap(self.level + 1)
        parts = [f"{writer.gap(self.level)}<{colon}{self.name}>"]
        for at, field in enumerate(self.fields):
            if at not in absent:
                parts.append(f"{gap}<{colon}{field.name}>%s</{colon}{field.name}>")
            elif writer.dialect.empty_elements and field.type == "text" and not field.min:
                parts.append(f"{gap}<{colon}{field.name}/>")
        parts.append(f"{writer.gap(self.level)}</{colon}{self.name}>")
        return "".join(parts)

    def text(self, record: Any, path: str, document: int | None) -> str:
        """One record as text; ``path`` is that of its parent, for the fault."""
        if record.__class__ is not self.make:
            found = type(record).__name__
            raise self.refused("CEB-XML-044", path, "", document, found=found, expected=self.name)
        values = astuple(record)
        texts = [value if value.__class__ is str else _number(value) for value in values if value is not None]
        template = self.full
        if len(texts) != len(values):
            absent = tuple(at for at, value in enumerate(values) if value is None)
            template = self.templates.get(absent) or self.new_template(absent, path, document)
        joined = "".join(texts)
        if self.special or not joined.isprintable() or "&" in joined or "<" in joined or ">" in joined:
            present = [at for at, value in enumerate(values) if value is not None]
            texts = [
                self.escaped(self.fields[at].name, text, path, document)
                for at, text in zip(present, texts, strict=True)
            ]
        return template % tuple(texts)

    def new_template(self, absent: tuple[int, ...], path: str, document: int | None) -> str:
        """A template for a pattern not met before; refuses one without a required field."""
        for at in absent:
            if self.fields[at].required:
                raise self.refused("CEB-XML-041", path, self.fields[at].name, document)
        template = self.template(absent)
        if len(self.templates) < TEMPLATES_MAX:
            self.templates[absent] = template
        return template

    def escaped(self, field: str, text: str, path: str, document: int | None) -> str:
        """A value as XML text."""
        bad = NOT_CHARACTERS.search(text)
        if bad:
            if not self.writer.shape.receipt:
                found = f"U+{ord(bad[0]):04X}"
                raise self.refused("CEB-XML-042", path, field, document, found=found)
            text = NOT_CHARACTERS.sub(REPLACEMENT, text)
        if field in CDATA_FIELDS and self.writer.cdata:
            text = text.replace("]]>", "]]]]><![CDATA[>").replace("\r", "]]>&#xD;<![CDATA[")
            return f"<![CDATA[{text}]]>"
        if self.name == "ExtendMessage" and field == "Message":
            return self.extension(text, path, document)
        return _escape(text)

    def extension(self, text: str, path: str, document: int | None) -> str:
        """The extension's one element, as it was given, once it is known to be one that stands alone."""
        if text:
            try:
                parser = etree.XMLParser(resolve_entities=False, no_network=True)
                root = etree.fromstring(text.encode("utf-8"), parser)
            except etree.XMLSyntaxError:
                raise self.refused("CEB-XML-043", path, "Message", document) from None
            if text.lstrip().startswith(("<?", "<!")):
                raise self.refused("CEB-XML-043", path, "Message", document)
            if not self.writer.colon and None not in root.nsmap:
                return _ROOT_NAME.sub(r'\g<0> xmlns=""', text, count=1)  # or it would fall into our namespace
        return text

    def refused(self, code: str, path: str, field: str, document: int | None, **values: Any) -> Malformed:
        """Why the record cannot be written."""
        where = f"{path}{self.name}" + (f"/{field}" if field else "")
        return Malformed(fault(code, document=document, path=where, **values))


_ROOT_NAME = re.compile(r"<[^\s/>]+")
TEMPLATES_MAX = 4096
"""Patterns of absent fields kept an entity; senders have a handful."""


def _number(value: Any) -> str:
    """An int or Decimal without exponent, digits as they are."""
    if value.__class__ is Decimal and not value.is_finite():
        raise Malformed(fault("CEB-XML-044", found=value, expected="数字 / a number"))
    text = str(value)
    return format(value, "f") if "E" in text else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _attribute(text: str, path: str) -> str:
    if NOT_CHARACTERS.search(text):
        raise Malformed(fault("CEB-XML-042", path=path, found=ascii(text)))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


# --- the answer to what cannot be read -------------------------------------------------------------

_TYPE_IN_TEXT = re.compile(r"<(?:[\w.-]+:)?(CEB\d{3}Message)\b")
_GB_DECLARED = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["']gb""", re.IGNORECASE)


def unreadable_receipt(
    raw: bytes,
    faults: Iterable[Fault],
    *,
    guid: str,
    return_time: str,
    ori_cop_msg_id: str = "",
    message_type: str = "",
) -> Message:
    """The CEB900 for a message that cannot be read or does not fit the schema (报文格式校验回执).

    guid: 36 characters, for message and receipt; return_time: YYYYMMDDhhmmssSSS. The state is the official
    code of the first fault that has one, else -1. The original goes back as text: what is not text becomes
    U+FFFD, and it is cut at ORIGINAL_CHARS_MAX.
    """
    listed = list(faults)
    text = _as_text(raw)
    if not message_type:
        found = _TYPE_IN_TEXT.search(text)
        message_type = found[1] if found else UNKNOWN_TYPE
    status = next((each.code for each in listed if each.code.startswith("-")), UNREADABLE_STATUS)
    info = "；".join(f"[{each.code}] {each.message.zh}" for each in listed)
    receipt = MessageReturn(
        guid, status, _cut(info, RETURN_INFO_CHARS_MAX), return_time, ori_cop_msg_id[:COP_MSG_ID_CHARS_MAX],
        message_type[:TYPE_CHARS_MAX], _cut(text, ORIGINAL_CHARS_MAX),
    )  # fmt: skip
    return Message(UNREADABLE, guid, "1.0", (Document(receipt),))


def _as_text(raw: bytes) -> str:
    """The bytes as text, as well as can be, with line feeds only and no character XML cannot carry."""
    head = raw[: 4 * ORIGINAL_CHARS_MAX + 4]
    text = head.decode("gb18030" if _GB_DECLARED.match(head) else "utf-8", "replace").removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return NOT_CHARACTERS.sub(REPLACEMENT, text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
