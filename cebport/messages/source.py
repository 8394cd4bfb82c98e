"""What the bytes of a message look like (报文原文): for ``doctor.py``, which must show what a parser hides.

A parser gives the same tree for a self-closed and an empty element, for one attribute order and another,
for CR LF and LF: exactly what clients trip over. This module reads the source itself, token by token, and
keeps byte offsets. It takes any encoding in which ASCII is ASCII (UTF-8, GB2312, GBK, GB18030: none of them
uses the bytes of ``<``, ``>`` and ``/`` inside a character).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"
EXAMPLES_MAX = 5
HEX_BYTES_MAX = 16

_TOKEN = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<![^>]*>"
    rb"|<(/?)([^\s<>/!?]+)((?:\s+[^\s=<>/]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"([^\s=<>/]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DECLARATION = re.compile(rb"<\?xml\s.*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"\bencoding\s*=\s*[\"']([^\"']+)[\"']")
_REFERENCE = re.compile(rb"&#[0-9xA-Fa-f]+;")
_VISIBLE = str.maketrans({" ": "·", "\n": "⏎", "\r": "␍", "\t": "→", "\ufeff": "[BOM]"})


class Run(NamedTuple):
    """A run of bytes at its offset in the file."""

    offset: int
    data: bytes

    def as_dict(self) -> dict[str, Any]:
        """Offset, length, hex and visible form."""
        return {
            "offset": self.offset,
            "bytes": len(self.data),
            "hex": hexed(self.data),
            "visible": visible(self.data),
        }


def hexed(data: bytes) -> str:
    """``0A 09``: the first bytes in hex."""
    more = " …" if len(data) > HEX_BYTES_MAX else ""
    return data[:HEX_BYTES_MAX].hex(" ").upper() + more


def visible(data: bytes) -> str:
    """Bytes as text in which white space can be seen: ``·`` space, ``⏎`` LF, ``␍`` CR, ``→`` TAB."""
    text = data.decode("utf-8", "backslashreplace").translate(_VISIBLE)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


class Place(NamedTuple):
    """A position in a text: byte offset, line and column, both from 1."""

    offset: int
    line: int
    column: int


def place_of(data: bytes, offset: int) -> Place:
    """Line and column (in bytes) of an offset."""
    start = data.rfind(b"\n", 0, offset) + 1
    return Place(offset, data.count(b"\n", 0, offset) + 1, offset - start + 1)


@dataclass(frozen=True, slots=True)
class Source:
    """What stands in the file. Counts are of the whole file, offsets are of its bytes.

    root_attributes: (name, value) as written, namespace declarations among them. self_closed: how many
    elements close themselves, with the first ones. signature: (start, end) of ds:Signature; beside: the
    white space before and after it; inside: the white space between tags of SignedInfo. after_root: what
    follows the root.
    """

    size: int
    bom: bool
    declaration: str
    encoding: str
    crlf: int
    lf: int
    cr: int
    root_name: str
    root_tag: bytes
    root_attributes: tuple[tuple[str, str], ...]
    self_closed: int
    self_closed_first: tuple[Run, ...]
    single_quoted: int
    comments: int
    instructions: int
    cdata: int
    references: int
    signature: tuple[int, int] | None
    before: Run | None
    after: Run | None
    inside: tuple[Run, ...]
    signed_info: Run | None
    after_root: Run

    @property
    def namespaces(self) -> tuple[tuple[str, str], ...]:
        """(prefix, name) declared at the root, in the order of the source."""
        return tuple(
            (name.partition(":")[2], value)
            for name, value in self.root_attributes
            if name == "xmlns" or name.startswith("xmlns:")
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "bytes": self.size,
            "bom": self.bom,
            "declaration": self.declaration,
            "encoding": self.encoding,
            "line_ends": {"crlf": self.crlf, "lf": self.lf, "cr": self.cr},
            "root": self.root_name,
            "root_attributes": [{"name": name, "value": value} for name, value in self.root_attributes],
            "self_closed": self.self_closed,
            "self_closed_first": [run.as_dict() for run in self.self_closed_first],
            "single_quoted": self.single_quoted,
            "comments": self.comments,
            "processing_instructions": self.instructions,
            "cdata": self.cdata,
            "character_references": self.references,
            "signature": list(self.signature) if self.signature else None,
            "white_space_before_signature": self.before.as_dict() if self.before else None,
            "white_space_after_signature": self.after.as_dict() if self.after else None,
            "white_space_in_signed_info": [run.as_dict() for run in self.inside],
            "after_root": self.after_root.as_dict(),
        }


class Tag(NamedTuple):
    """One tag of the source: kind is "start", "end" or "empty"."""

    kind: str
    start: int
    end: int
    name: bytes
    attributes: bytes


def _local(name: bytes) -> bytes:
    return name.rpartition(b":")[2]


def _tags(raw: bytes, counts: dict[str, int]) -> Iterator[Tag]:
    """The tags in order; comments, instructions and CDATA are counted on the way."""
    for found in _TOKEN.finditer(raw):
        name = found[2]
        if name is None:
            kind = {b"<!--": "comments", b"<![C": "cdata"}.get(found[0][:4])
            if kind is None and found[0].startswith(b"<?") and not found[0].startswith(b"<?xml "):
                kind = "instructions"
            if kind:
                counts[kind] += 1
            continue
        kind = "end" if found[1] else "empty" if found[4] else "start"
        yield Tag(kind, found.start(), found.end(), name, found[3])


def read_source(raw: bytes) -> Source:
    """What stands in the file; of a file that is no XML, what can be told."""
    counts = {"comments": 0, "cdata": 0, "instructions": 0}
    tags = list(_tags(raw, counts))
    root = next((tag for tag in tags if tag.kind != "end"), None)
    end = next((tag.end for tag in reversed(tags) if root and tag.name == root.name), len(raw))
    empties = [tag for tag in tags if tag.kind == "empty"]
    body = raw[len(BOM) :] if raw.startswith(BOM) else raw
    declaration = _DECLARATION.match(body)
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    crlf = raw.count(b"\r\n")
    span, inside, signed_info = _signature_of(raw, tags)
    return Source(
        size=len(raw),
        bom=raw.startswith(BOM),
        declaration=declaration[0].decode("latin-1") if declaration else "",
        encoding=encoding[1].decode("latin-1") if encoding else "",
        crlf=crlf,
        lf=raw.count(b"\n") - crlf,
        cr=raw.count(b"\r") - crlf,
        root_name=root.name.decode("utf-8", "replace") if root else "",
        root_tag=raw[root.start : root.end] if root else b"",
        root_attributes=_attributes(root) if root else (),
        self_closed=len(empties),
        self_closed_first=tuple(Run(tag.start, raw[tag.start : tag.end]) for tag in empties[:EXAMPLES_MAX]),
        single_quoted=sum(tag.attributes.count(b"='") for tag in tags),
        references=len(_REFERENCE.findall(raw)),
        signature=span,
        before=_white_before(raw, span[0]) if span else None,
        after=_white_after(raw, span[1]) if span else None,
        inside=inside,
        signed_info=signed_info,
        after_root=Run(end, raw[end:]),
        **counts,
    )


def _attributes(tag: Tag) -> tuple[tuple[str, str], ...]:
    return tuple(
        (found[1].decode("utf-8", "replace"), (found[2] or found[3] or b"").decode("utf-8", "replace"))
        for found in _ATTRIBUTE.finditer(tag.attributes)
    )


def _white_before(raw: bytes, at: int) -> Run:
    start = at
    while start and raw[start - 1] in b" \t\r\n":
        start -= 1
    return Run(start, raw[start:at])


def _white_after(raw: bytes, at: int) -> Run:
    end = at
    while end < len(raw) and raw[end] in b" \t\r\n":
        end += 1
    return Run(at, raw[at:end])


def _signature_of(raw: bytes, tags: list[Tag]) -> tuple[tuple[int, int] | None, tuple[Run, ...], Run | None]:
    """(span of the last Signature, white space between tags of its SignedInfo, SignedInfo itself)."""
    start = next((i for i in range(len(tags) - 1, -1, -1) if _is(tags[i], b"Signature", "start")), None)
    if start is None:
        return None, (), None
    end = next((i for i in range(len(tags) - 1, start, -1) if _is(tags[i], b"Signature", "end")), None)
    if end is None:
        return None, (), None
    span = tags[start].start, tags[end].end
    opened = next((i for i in range(start, end) if _is(tags[i], b"SignedInfo", "start")), None)
    closed = next((i for i in range(start, end) if _is(tags[i], b"SignedInfo", "end")), None)
    if opened is None or closed is None:
        return span, (), None
    runs = []
    for left, right in zip(tags[opened:closed], tags[opened + 1 : closed + 1], strict=True):
        gap = raw[left.end : right.start]
        if gap and not gap.strip(b" \t\r\n"):
            runs.append(Run(left.end, gap))
    first, last = tags[opened].start, tags[closed].end
    return span, tuple(runs), Run(first, raw[first:last])


def _is(tag: Tag, local: bytes, kind: str) -> bool:
    return tag.kind == kind and _local(tag.name) == local
