"""Write a letter of the bonded side: records to bytes, in the manner of whoever writes such letters.

Read and written again a letter says the same: texts, numbers digit by digit, empty elements, what the tables do not
know. Comments, the order of elements that stood in the wrong place, and prefixes are not kept.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from cebport.faults import Malformed
from cebport.messages.bonded.letter import ALL, NONE, Letter, Signature, Style, fault, usual_style
from cebport.messages.bonded.records import RECORDS, Body
from cebport.messages.bonded.shape import ENTITIES, Field, Part
from cebport.messages.writing import NOT_CHARACTERS

CODECS = {"utf-8": "utf-8", "utf8": "utf-8", "gb2312": "gb2312", "gbk": "gbk", "gb18030": "gb18030"}
FLAG = "DelcareFlag"


def write_bonded(letter: Letter, style: Style | None = None) -> bytes:
    """The bytes of a letter in ``style``, else in its own, else as letters of its kind are usually written.

    A character that the encoding lacks is written as a number. Raises Malformed when a required field is None, a record
    is of the wrong kind, or a text holds a character XML cannot carry; ValueError for an encoding that we do not write.
    """
    style = style or letter.style or usual_style(letter.type)
    codec = CODECS.get((style.encoding or "utf-8").lower())
    if codec is None:
        raise ValueError(f"encoding {style.encoding!r}: one of {', '.join(CODECS)}")
    text = _Writer(letter, style).text()
    return text.encode(codec, "strict" if codec in ("utf-8", "gb18030") else "xmlcharrefreplace")


class _Writer:
    """Writes one letter."""

    def __init__(self, letter: Letter, style: Style) -> None:
        self.letter = letter
        self.style = style
        self.out: list[str] = []
        self.blanks = frozenset(letter.blanks)
        self.kept: dict[str, list[str]] = {}
        for each in letter.kept:
            self.kept.setdefault(each.path, []).append(each.xml)

    def text(self) -> str:
        """The whole text."""
        letter, style = self.letter, self.style
        if style.encoding:
            self.out.append(f'<?xml version="1.0" encoding="{style.encoding}"?>\n')
        outer = "".join(f' xmlns:{prefix}="{_attribute(uri)}"' for prefix, uri in style.declares)
        space = f' xmlns="{_attribute(style.namespace)}"' if style.namespace else ""
        if letter.shape.dialect == "answer":
            self.content(0, outer + space)
        elif letter.signature is None:
            self.package(0, outer + space)
        else:
            own = f' xmlns="{_attribute(style.signature_namespace)}"' if style.signature_namespace else ""
            differs = style.signature_namespace != style.namespace
            self.signed(letter.signature, outer + own, (space or ' xmlns=""') if differs else "")
        return "".join(self.out) + ("\n" if style.indent else "")

    def gap(self, level: int) -> str:
        """What stands before a tag of that level."""
        if not self.style.indent or not self.out or self.out[-1].endswith("?>\n"):
            return ""
        return "\n" + "  " * level

    def start(self, level: int, name: str, attributes: str = "") -> None:
        """A start tag."""
        self.out.append(f"{self.gap(level)}<{name}{attributes}>")

    def end(self, level: int, name: str) -> None:
        """An end tag."""
        self.out.append(f"{self.gap(level)}</{name}>")

    def leaf(self, level: int, name: str, text: str, attributes: str = "") -> None:
        """An element with a text, short when it has none."""
        tag = f"<{name}{attributes}>{text}</{name}>" if text else f"<{name}{attributes}/>"
        self.out.append(self.gap(level) + tag)

    # around the content

    def signed(self, signature: Signature, attributes: str, package: str) -> None:
        """Signature/Object around the Package."""
        self.start(0, "Signature", attributes)
        self.start(1, "SignedInfo")
        self.method(2, "CanonicalizationMethod", signature.canonicalization)
        self.method(2, "SignatureMethod", signature.signature_method)
        self.start(2, "Reference", f' URI="{_attribute(signature.reference)}"')
        self.method(3, "DigestMethod", signature.digest_method)
        self.leaf(3, "DigestValue", _escape(signature.digest))
        self.end(2, "Reference")
        self.end(1, "SignedInfo")
        self.leaf(1, "SignatureValue", _escape(signature.value))
        self.start(1, "KeyInfo")
        self.leaf(2, "KeyName", _escape(signature.key_name))
        if signature.certificate is not None:
            self.start(2, "X509Data")
            self.leaf(3, "X509Certificate", _escape(signature.certificate))
            self.end(2, "X509Data")
        self.end(1, "KeyInfo")
        self.start(1, "Object", f' Id="{_attribute(signature.object_id)}"')
        self.package(2, package)
        self.end(1, "Object")
        self.end(0, "Signature")

    def method(self, level: int, name: str, algorithm: str) -> None:
        """An element whose Algorithm says all; clients write its end tag."""
        self.out.append(f'{self.gap(level)}<{name} Algorithm="{_attribute(algorithm)}"></{name}>')

    def package(self, level: int, attributes: str) -> None:
        """Envelope, pocket, content."""
        letter = self.letter
        self.start(level, "Package", attributes)
        if letter.envelope is not None:
            self.record(level + 1, "EnvelopInfo", letter.envelope, "EnvelopInfo", NONE)
        self.start(level + 1, "DataInfo")
        if letter.pocket is not None:
            self.record(level + 2, "PocketInfo", letter.pocket, "PocketInfo", NONE)
        self.start(level + 2, "BussinessData")
        self.content(level + 3, "")
        if letter.shape.flag:
            field = next(field for field in ENTITIES[letter.shape.leaves] if field.name == FLAG)
            self.field(level + 3, field, getattr(letter.body, FLAG), f"{letter.shape.root}/{FLAG}", NONE)
        self.add_kept(level + 3, "BussinessData")
        self.end(level + 2, "BussinessData")
        self.end(level + 1, "DataInfo")
        self.end(level, "Package")

    def content(self, level: int, attributes: str) -> None:
        """The records."""
        shape, body, empty = self.letter.shape, self.letter.body, self.style.empty
        if not shape.parts:
            self.record(level, shape.leaves, body, shape.root, NONE, attributes)
            return
        self.start(level, shape.root, attributes)
        for part in shape.parts:
            self.part(level + 1, part, body, shape.root)
        if shape.leaves:
            for field in ENTITIES[shape.leaves]:
                if field.name != FLAG:
                    value = getattr(body, field.name)
                    self.field(level + 1, field, value, f"{shape.root}/{field.name}", empty)
        self.add_kept(level + 1, shape.root)
        self.end(level, shape.root)

    def part(self, level: int, part: Part, body: Body, root: str) -> None:
        """The records of one entity."""
        held = getattr(body, part.attribute)
        if not part.many:
            if held is not None:
                self.record(level, part.entity, held, f"{root}/{part.entity}", self.style.empty)
            elif part.least:
                raise Malformed(fault(41, path=f"{root}/{part.entity}"))
            return
        for number, record in enumerate(held, 1):
            self.record(level, part.entity, record, f"{root}/{part.entity}[{number}]", self.style.empty)

    # records

    def record(self, level: int, entity: str, record: Any, path: str, empty: str, attributes: str = "") -> None:
        """One record."""
        if record.__class__ is not RECORDS[entity]:
            raise Malformed(fault(44, path=path, found=type(record).__name__, expected=entity))
        self.start(level, entity, attributes)
        for field in ENTITIES[entity]:
            self.field(level + 1, field, getattr(record, field.name), f"{path}/{field.name}", empty)
        self.add_kept(level + 1, path)
        self.end(level, entity)

    def field(self, level: int, field: Field, value: Any, path: str, empty: str) -> None:
        """One value."""
        if value is None:
            if path in self.blanks:
                self.leaf(level, field.name, "")
            elif field.required:
                raise Malformed(fault(41, path=path))
            elif empty == ALL or (empty != NONE and field.type != "text"):
                self.leaf(level, field.name, "")
            return
        self.leaf(level, field.name, _text(value, path) if field.type == "text" else _number(value, path))

    def add_kept(self, level: int, path: str) -> None:
        """What came beside the fields of a record."""
        for xml in self.kept.get(path, ()):
            self.out.append(self.gap(level) + xml)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise Malformed(fault(44, path=path, found=type(value).__name__, expected="文字 / text"))
    bad = NOT_CHARACTERS.search(value)
    if bad:
        raise Malformed(fault(42, path=path, found=f"U+{ord(bad[0]):04X}"))
    return _escape(value)


def _number(value: Any, path: str) -> str:
    """An int or Decimal without exponent, digits as they are."""
    if value.__class__ not in (int, Decimal) or not Decimal(value).is_finite():
        raise Malformed(fault(44, path=path, found=value, expected="数字 / a number"))
    text = str(value)
    return format(value, "f") if "E" in text else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


_CONTROL = re.compile("[\t\n\r]")


def _attribute(text: str) -> str:
    bad = NOT_CHARACTERS.search(text)
    if bad:
        raise Malformed(fault(42, path="@", found=f"U+{ord(bad[0]):04X}"))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return _CONTROL.sub(lambda met: f"&#x{ord(met[0]):X};", text)
