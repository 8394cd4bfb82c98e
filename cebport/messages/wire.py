"""Read the messages (报文的读写): bytes to a safe tree, to faults, to records; and back to bytes.

    raw --parse_tree--> Tree --schema_faults--> [Fault]      (schema.py: every fault, not the first)
                             --message_of-----> Message      (rows.py: the hot path)
    Message --write--> bytes                                 (writing.py)

What is refused before there is a document at all (Malformed, the caller answers with a CEB900): empty or cut
off, not XML, a DTD or an undefined entity, an encoding other than UTF-8, GB2312, GBK, GB18030, XInclude,
more than the limits allow, a root that is no message. A byte order mark beats the declared encoding.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from lxml import etree

from cebport.faults import ERROR, Fault, Malformed, is_valid
from cebport.messages.catalog import fault, syntax_words
from cebport.messages.documents import Message
from cebport.messages.rows import message_of, part_of
from cebport.messages.schema import INCOMPLETE, ROOT_CODES, at_most, schema_faults, soften
from cebport.messages.shape import MESSAGES, NAMESPACE, NEWEST, Shape
from cebport.messages.writing import DEFAULT, Dialect, unreadable_receipt, write, write_values

__all__ = [
    "DEFAULT", "LIMITS", "ROOT_CODES", "Dialect", "Limits", "Scan", "Tree", "message_of", "parse", "parse_tree",
    "readable", "safe_root", "scan", "schema_faults", "unjudged", "unreadable_receipt", "write", "write_values",
]  # fmt: skip

ENCODINGS = {"UTF-8": "utf-8", "UTF8": "utf-8", "GB2312": "gb18030", "GBK": "gb18030", "GB18030": "gb18030"}
"""declared name -> codec; GB18030 holds the other two, so a wrong label among them does no harm."""
ENCODINGS_SAID = "UTF-8, GB2312, GBK, GB18030"
BOM = b"\xef\xbb\xbf"
NOT_ASCII_BASED = (b"\xff\xfe", b"\xfe\xff", b"\x00")
XINCLUDE = "http://www.w3.org/2001/XInclude"
UNJUDGED_RANGES_MAX = 20
TOO_LARGE = "CEB-XML-010"
SCAN_CHUNK_BYTES = 1 << 16
SMALL_BYTES_MAX = 1 << 20
"""A message up to here cannot hold enough nodes to be dear; they are not counted."""


class Limits(NamedTuple):
    """What one message may cost. Documents and lines are bounded by the message's own schema too."""

    bytes_max: int = 16 << 20
    depth_max: int = 32
    attributes_max: int = 1000  # attributes and namespace declarations of the whole message
    nodes_max: int = 400_000  # elements, comments, instructions; one costs some 300 bytes until it is judged
    documents_max: int = 100
    lines_max: int = 99
    scan_bytes_max: int = 64 << 20  # scan() counts up to here and then says "at least"


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Tree:
    """A message that was read safely.

    root: the lxml root, white space and comments as they came (signature.py hashes it); raw: the bytes as
    they came; type: CEB311Message and its like; encoding: one of ENCODINGS_SAID; prefix: of the root, ""
    for the default namespace; data: the same text in UTF-8, from which root was made.
    """

    root: Any
    raw: bytes
    type: str
    encoding: str
    prefix: str
    data: bytes

    @property
    def shape(self) -> Shape:
        """The shape of this kind of message."""
        return MESSAGES[self.type]


# --- the whole way ---------------------------------------------------------------------------------


def parse(raw: bytes, *, schema: str = NEWEST, limits: Limits = LIMITS) -> tuple[Message | None, list[Fault]]:
    """The message in ``raw`` and what is wrong with it; the message is None when it is schema-invalid.

    Receipts are read leniently: what live receipts are known to have against the schema is a warning.
    Raises Malformed when there is no message at all, ValueError for an unknown schema version.
    """
    tree = parse_tree(raw, limits)
    faults = schema_faults(tree, schema)
    if faults and tree.shape.receipt:
        faults = soften(faults)
    if not is_valid(faults):
        return None, faults
    return message_of(tree, schema), faults


def readable(tree: Tree, faults: Iterable[Fault], schema: str = NEWEST) -> tuple[Message, tuple[int, ...]] | None:
    """The part of a schema-invalid message that the rules can still judge, and the numbers of its documents.

    faults: all that ``schema_faults`` says of the tree. The message holds only the documents without an error,
    its tail only where that has none. None when no document is left, or when the list of faults is not complete.
    """
    errors = [found for found in faults if found.severity == ERROR]
    if any(found.code in INCOMPLETE for found in errors):
        return None
    bad = {found.document for found in errors}
    numbers = tuple(number for number in range(1, _count(tree) + 1) if number not in bad)
    tail = all(found.document is not None or found.code in ROOT_CODES for found in errors)
    return (part_of(tree, numbers, schema, tail=tail), numbers) if numbers else None


def _count(tree: Tree) -> int:
    shape = tree.shape
    return sum(1 for _ in tree.root.iterchildren(f"{{{NAMESPACE}}}{shape.group or shape.head}"))


def unjudged(tree: Tree, judged: Iterable[int]) -> list[Fault]:
    """One information: which documents the rules did not look at because of their schema faults; [] = none."""
    rest = sorted(set(range(1, _count(tree) + 1)).difference(judged))
    return [fault("CEB-SCHEMA-097", documents=_ranges(rest))] if rest else []


def _ranges(numbers: list[int]) -> str:
    """``1, 3-5, 9``; cut after UNJUDGED_RANGES_MAX ranges."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    said = [str(low) if low == high else f"{low}-{high}" for low, high in ranges[:UNJUDGED_RANGES_MAX]]
    return ", ".join(said) + (" …" if len(ranges) > UNJUDGED_RANGES_MAX else "")


def parse_tree(raw: bytes, limits: Limits = LIMITS) -> Tree:
    """Read ``raw`` within ``limits``, without network, DTD or entities; raises Malformed."""
    if len(raw) > limits.bytes_max:
        others = (found for found in scan(io.BytesIO(raw), limits).faults if found.code != TOO_LARGE)
        raise Malformed(fault(TOO_LARGE, found=len(raw), expected=limits.bytes_max), *others)
    root, data, encoding = safe_root(raw, limits)
    name = _message_name(root.tag)
    tree = Tree(root, raw, name, encoding, root.prefix or "", data)
    _refuse_too_many(tree, limits)
    return tree


def safe_root(raw: bytes, limits: Limits = LIMITS) -> tuple[Any, bytes, str]:
    """(root, the text in UTF-8 from which it was made, encoding as declared) of any XML; raises Malformed.

    The bytes are weighed before and after there is a tree, but for their number and the root's name.
    """
    data, encoding = _as_utf8(raw)
    _refuse_doctype(data)
    attributes = _attribute_text(data)
    _refuse_costly(data, attributes, limits)
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        raise Malformed(_syntax_fault(error, data, limits)) from None
    _refuse_inside(root, attributes, limits)
    return root, data, encoding


_local = threading.local()


def _parser() -> Any:
    """One parser a thread: making one costs more than a small message."""
    parser = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
            attribute_defaults=False, huge_tree=False, remove_comments=False, remove_pis=False,
            remove_blank_text=False, collect_ids=False,
        )  # fmt: skip
    return parser


# --- bytes -----------------------------------------------------------------------------------------

_DECLARATION = re.compile(rb"<\?xml\s[^>]*?\?>")
_DECLARED_ENCODING = re.compile(rb"""\sencoding\s*=\s*["']([^"']*)["']""")
_PROLOG = re.compile(rb"(?:\s++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_SPAN = re.compile(
    rb"""<!\[CDATA\[.*?(?:\]\]>|\Z)"""
    rb"""|(?P<other><!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z))"""
    rb"""|(?P<tag><[^\s!?/<>](?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>)""",
    re.DOTALL,
)
"""What is not plain text or an end tag: CDATA, which is text, comments and instructions, start tags."""
_ROOT_NAME = re.compile(rb"<([^\s<>/!?]+)[\s/>]")


def _declared(raw: bytes) -> tuple[bytes, str, str]:
    """(bytes without mark, declared name as written, codec); raises Malformed for other encodings."""
    if not raw.removeprefix(BOM).strip():
        raise Malformed(fault("CEB-XML-001"))
    if raw.startswith(NOT_ASCII_BASED) or b"\x00" in raw[:4]:
        raise Malformed(fault("CEB-XML-006", found="UTF-16/UTF-32", expected=ENCODINGS_SAID))
    marked = raw.startswith(BOM)
    raw = raw.removeprefix(BOM)
    declaration = _DECLARATION.match(raw)
    name = _DECLARED_ENCODING.search(declaration[0]) if declaration else None
    said = name[1].decode("latin-1") if name else "UTF-8"
    codec = ENCODINGS.get(said.upper())
    if codec is None:
        raise Malformed(fault("CEB-XML-006", found=said, expected=ENCODINGS_SAID))
    return raw, ("UTF-8" if codec == "utf-8" or marked else said.upper()), ("utf-8" if marked else codec)


def _as_utf8(raw: bytes) -> tuple[bytes, str]:
    """The text in UTF-8 with a declaration that does not contradict it, and the encoding it came in."""
    data, encoding, codec = _declared(raw)
    declaration = _DECLARATION.match(data)
    if codec != "utf-8":
        try:
            data = data.decode(codec).encode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(_encoding_fault(data, encoding, error.start)) from None
    if declaration and (name := _DECLARED_ENCODING.search(declaration[0])) and name[1].upper() != b"UTF-8":
        data = data[: name.start(1)] + b"UTF-8" + data[name.end(1) :]
    return data, encoding


def _encoding_fault(data: bytes, encoding: str, offset: int) -> Fault:
    """The bytes are not what they claim; say what they look like, for that went wrong at the sender."""
    guess_zh = guess_en = ""
    other = "gb18030" if encoding == "UTF-8" else "utf-8"
    try:
        data.decode(other)
    except UnicodeDecodeError:
        pass
    else:
        said = "GBK" if other == "gb18030" else "UTF-8"
        guess_zh, guess_en = f"，看起来是 {said}", f"; it looks like {said}"
    return fault("CEB-XML-007", offset=offset, expected=encoding, guess_zh=guess_zh, guess_en=guess_en)


def _refuse_doctype(data: bytes) -> None:
    prolog = _PROLOG.match(data)
    if prolog and data.startswith(b"<!DOCTYPE", prolog.end()):
        raise Malformed(fault("CEB-XML-004"))


def _attribute_text(data: bytes) -> bytes:
    """The part of the text that holds every attribute: up to the root's first >, and from the next = on.

    The documents of a message have no attributes, so that this is nearly always the root's start tag and
    the Signature: looking for what only an attribute can bring need not go through the whole text.
    """
    root_end = max(0, data.find(b">", data.find(b"?>") + 2))
    first = data.find(b"=", root_end)
    return data[:root_end] + (data[first:] if first >= 0 else b"")


def _refuse_costly(data: bytes, attributes: bytes, limits: Limits) -> None:
    """Refuse what would take much memory as a tree, before there is one."""
    if attributes.count(b"=") <= limits.attributes_max and len(data) <= SMALL_BYTES_MAX:
        return
    nodes = count = 0
    for span in _SPAN.finditer(data):
        if span.lastgroup is None:
            continue
        nodes += 1
        if span.lastgroup == "tag":
            count += data.count(b"=", span.start(), span.end())
        if nodes > limits.nodes_max:
            raise Malformed(fault("CEB-XML-013", found=f"≥{nodes}", expected=limits.nodes_max))
        if count > limits.attributes_max:
            raise Malformed(fault("CEB-XML-012", found=f"≥{count}", expected=limits.attributes_max))


def _syntax_fault(error: etree.XMLSyntaxError, data: bytes, limits: Limits) -> Fault:
    line, column = error.position
    detail = re.sub(r",? line \d+, column \d+.*", "", error.msg or "", flags=re.DOTALL)
    where = {"where_zh": f"第 {line} 行第 {column} 列", "where_en": f"at line {line}, column {column}"}
    said = {**where, **syntax_words("libxml", error.code, detail)}
    if error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        code = "CEB-XML-011" if "depth" in detail else "CEB-XML-014"
        return fault(code, expected=limits.depth_max, **where)
    if error.code == etree.ErrorTypes.ERR_UNDECLARED_ENTITY:
        return fault("CEB-XML-005", **said)
    if error.code == etree.ErrorTypes.ERR_INVALID_ENCODING:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as decoding:
            return _encoding_fault(data, "UTF-8", decoding.start)
    root = _ROOT_NAME.search(data, _PROLOG.match(data).end())  # type: ignore[union-attr]
    whole = error.code == etree.ErrorTypes.ERR_DOCUMENT_END or data.rstrip().endswith(b"/>")
    cut = root is not None and not whole and b"</" + root[1] not in data
    return fault("CEB-XML-002" if cut else "CEB-XML-003", **said)


# --- the tree --------------------------------------------------------------------------------------

_XINCLUDED = etree.XPath("boolean(//xi:*)", namespaces={"xi": XINCLUDE})


@lru_cache(maxsize=8)
def _depth_test(depth_max: int) -> Any:
    return etree.XPath(f"boolean({'/*' * (depth_max + 1)})")


def _refuse_inside(root: Any, attributes: bytes, limits: Limits) -> None:
    if _depth_test(limits.depth_max)(root):
        raise Malformed(fault("CEB-XML-011", expected=limits.depth_max))
    if (b"XInclude" in attributes or b"&#" in attributes) and _XINCLUDED(root):
        raise Malformed(fault("CEB-XML-008"))
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed(fault("CEB-XML-004"))


def _message_name(tag: str) -> str:
    """The kind of message a root's {namespace}name stands for; raises Malformed."""
    namespace, _, name = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    if name not in MESSAGES:
        raise Malformed(fault("CEB-XML-020", path=name, found=name, expected=", ".join(MESSAGES)))
    if namespace != NAMESPACE:
        raise Malformed(fault("CEB-XML-021", path=name, found=namespace, expected=NAMESPACE))
    return name


def _most(own: int | None, limit: int) -> int | None:
    return None if own is None else min(own, limit)


def _too_many_documents(shape: Shape, count: int | str, most: int) -> Fault:
    values = {"found": count, "expected": at_most(most), "most": most}
    return fault(shape.full or "CEB-XML-031", path=shape.group or shape.head, **values)


def _refuse_too_many(tree: Tree, limits: Limits) -> None:
    """Documents in the message and lines in a document: before the schema, for they have own codes."""
    shape, root, faults = tree.shape, tree.root, []
    documents_max = _most(shape.documents_max, limits.documents_max)
    tag = f"{{{NAMESPACE}}}{shape.group or shape.head}"
    if documents_max is not None and len(root) > documents_max:
        count = sum(1 for _ in root.iterchildren(tag))
        if count > documents_max:
            faults.append(_too_many_documents(shape, count, documents_max))
    lines_max = _most(shape.lines_max, limits.lines_max)
    if lines_max is not None:
        line_tag = f"{{{NAMESPACE}}}{shape.line}"
        for number, group in enumerate(root.iterchildren(tag), 1):
            if len(group) > lines_max and (count := sum(1 for _ in group.iterchildren(line_tag))) > lines_max:
                values = {"path": f"{shape.group}[{number}]", "found": count, "expected": at_most(lines_max)}
                faults.append(fault("CEB-XML-032", document=number, most=lines_max, **values))
    if faults:
        raise Malformed(*faults)


# --- files of any size -----------------------------------------------------------------------------


class Scan(NamedTuple):
    """What scan() saw: root name, documents, bytes read, whether that was the whole file, what is wrong."""

    type: str
    documents: int
    bytes_read: int
    complete: bool
    faults: list[Fault]


class _Stop(Exception):
    """Ends a scan early; ``fault`` says why."""

    def __init__(self, why: Fault) -> None:
        self.fault = why


def scan(source: BinaryIO | Path | str, limits: Limits = LIMITS) -> Scan:
    """Kind and number of documents of a file of any size, in constant memory and bounded time.

    Reads at most limits.scan_bytes_max bytes, keeps nothing, follows no entity. The faults are those that a
    reader may not pass over: size, encoding, syntax, DTD, depth, no message, too many documents.
    """
    if not isinstance(source, (str, Path)):
        return _Scanner(limits).run(source)
    with open(source, "rb") as stream:
        return _Scanner(limits).run(stream)


class _Scanner:
    """Counts start tags by depth as expat meets them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.depth = 0
        self.documents = 0
        self.type = ""
        self.wanted = ""

    def run(self, stream: BinaryIO) -> Scan:
        from codecs import getincrementaldecoder
        from xml.parsers import expat

        parser = expat.ParserCreate("utf-8", "}")
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self.doctype
        faults: list[Fault] = []
        read, complete, decoder, encoding = 0, False, None, "UTF-8"
        try:
            while read < self.limits.scan_bytes_max:
                chunk = stream.read(SCAN_CHUNK_BYTES)
                complete = not chunk
                read += len(chunk)
                if decoder is None:
                    chunk, encoding, codec = _declared(chunk)
                    decoder = getincrementaldecoder(codec)()
                parser.Parse(decoder.decode(chunk, complete).encode("utf-8"), complete)
                if complete:
                    break
        except _Stop as stop:
            faults.append(stop.fault)
        except Malformed as error:
            faults += error.faults
        except UnicodeDecodeError:
            faults.append(fault("CEB-XML-007", offset=read, expected=encoding, guess_zh="", guess_en=""))
        except expat.ExpatError as error:
            where = {"where_zh": f"第 {error.lineno} 行", "where_en": f"at line {error.lineno}"}
            code = "CEB-XML-002" if complete and self.depth else "CEB-XML-003"
            said = syntax_words("expat", error.code, expat.errors.messages[error.code])
            faults.append(fault(code, **where, **said))
        return self.result(read, complete, faults)

    def result(self, read: int, complete: bool, faults: list[Fault]) -> Scan:
        shape = MESSAGES.get(self.type)
        most = _most(shape.documents_max, self.limits.documents_max) if shape else None
        if shape and most is not None and self.documents > most:
            said = self.documents if complete else f"≥{self.documents}"
            faults.insert(0, _too_many_documents(shape, said, most))
        if read > self.limits.bytes_max:
            faults.insert(0, fault(TOO_LARGE, found=read, expected=self.limits.bytes_max))
        return Scan(self.type, self.documents, read, complete, faults)

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 2 and name == self.wanted:
            self.documents += 1
        elif self.depth == 1:
            self.root(name)
        elif self.depth > self.limits.depth_max:
            raise _Stop(fault("CEB-XML-011", expected=self.limits.depth_max))

    def root(self, name: str) -> None:
        namespace, _, local = name.rpartition("}")
        self.type = local
        _message_name(f"{{{namespace}}}{local}" if namespace else local)
        shape = MESSAGES[local]
        self.wanted = f"{NAMESPACE}}}{shape.group or shape.head}"

    def end(self, _name: str) -> None:
        self.depth -= 1

    def doctype(self, *_parts: object) -> None:
        raise _Stop(fault("CEB-XML-004"))
