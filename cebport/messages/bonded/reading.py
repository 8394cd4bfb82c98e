"""Read a letter of the bonded side: bytes to records, and every fault on the way.

Size, encoding, DTD, entities, depth are weighed as for all messages (``wire.safe_root``). Elements are known by their
local names: receipts come with the namespace of XML Signature, without one, or with a prefix. No interface text is
published, so what is new or out of order is said and kept, and what customs wrote is not refused for its form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from lxml import etree

from cebport.faults import WARNING, Fault, Malformed
from cebport.messages import catalog, wire
from cebport.messages.bonded import records
from cebport.messages.bonded.letter import (
    ALL,
    NONE,
    NUMBERS_ONLY,
    Kept,
    Letter,
    Signature,
    Style,
    fault,
    pattern,
    places,
    usual_style,
)
from cebport.messages.bonded.letter import catalog as words
from cebport.messages.bonded.shape import (
    CODES,
    DIGITS,
    ENTITIES,
    ENTITY_WORDS,
    FRACTION,
    MESSAGES,
    NAMESPACE,
    NUMBERS,
    Field,
    Shape,
)
from cebport.messages.masks import masked

ROOTS = ("Signature", "Package", "CommonResponeMessage")
LAYERS = "Signature/Object/Package/(EnvelopInfo, DataInfo/(PocketInfo, BussinessData))"
FAULTS_MAX = 10_000
INT_MAX = (1 << 31) - 1
BLANKS = " \t\r\n"
FLAG = "DelcareFlag"
AROUND = ("EnvelopInfo", "PocketInfo")
"""Entities around the content: what is absent there is never written."""
TIMES = {
    "day8": ("%Y%m%d", "YYYYMMDD", 8), "time19": ("%Y-%m-%d %H:%M:%S", "YYYY-MM-DD HH:MM:SS", 19),
    "timeT": ("%Y-%m-%dT%H:%M:%S", "YYYY-MM-DDTHH:MM:SS", 19),
}  # fmt: skip
_BY_ROOT = {shape.root: shape for shape in MESSAGES.values()}
_INDEX = re.compile(r"\[\d+\]")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_WHOLE = re.compile(r"\+?\d+", re.ASCII)
_DECLARED = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")


class Layers(NamedTuple):
    """The elements of a letter around its content; ``signature`` and ``package`` None where there is none."""

    root: Any
    signature: Any
    package: Any
    envelope: Any
    pocket: Any
    data: Any
    content: Any
    shape: Shape


def is_bonded(raw: bytes) -> bool:
    """Whether the bytes begin as a letter of the bonded side; nothing else is looked at."""
    head = raw[:4096]
    return any(re.search(rb"<(?:[\w.-]+:)?" + name.encode() + rb"[\s>]", head) is not None for name in ROOTS)


def read_bonded(raw: bytes, limits: wire.Limits = wire.LIMITS) -> tuple[Letter, list[Fault]]:
    """The letter in ``raw`` and everything that is wrong with it.

    The letter holds whatever could be read; a field that is not there, or that is no number, is None. Use it only when
    ``faults.is_valid(found)``, except to say whose it was (``own_number``). In a receipt mistakes of form are warnings.
    Raises Malformed when there is no letter at all.
    """
    root = root_of(raw, limits)
    found: list[Fault] = []
    layers = layers_of(root, found)
    reader = _Reader(layers.shape, found)
    envelope = reader.record("EnvelopInfo", layers.envelope, "EnvelopInfo")
    pocket = reader.record("PocketInfo", layers.pocket, "PocketInfo") if layers.pocket is not None else None
    body = reader.body(layers)
    if envelope is not None:
        reader.check_envelope(envelope, pocket)
    style, blanks = reader.style(layers, _declared(raw))
    letter = Letter(
        body, envelope, pocket, signature_of(layers.signature), style, tuple(reader.kept), tuple(blanks)
    )
    return letter, _weighed(found, layers.shape.receipt)


def _weighed(found: list[Fault], receipt: bool) -> list[Fault]:
    if receipt:
        known = words()
        found = [each.with_severity(WARNING) if known.get(each.code, {}).get("lenient") else each for each in found]
    if len(found) > FAULTS_MAX:
        found = [*found[:FAULTS_MAX], fault(28, expected=FAULTS_MAX)]
    return found


def root_of(raw: bytes, limits: wire.Limits = wire.LIMITS) -> Any:
    """The root element, read safely whatever it is; raises Malformed."""
    if len(raw) > limits.bytes_max:
        raise Malformed(catalog.fault(wire.TOO_LARGE, found=len(raw), expected=limits.bytes_max))
    return wire.safe_root(raw, limits)[0]


def _declared(raw: bytes) -> str:
    """The encoding as the declaration spells it; "" where there is no declaration."""
    said = _DECLARED.match(raw)
    if said:
        return said[1].decode("latin-1")
    return "UTF-8" if raw.removeprefix(wire.BOM).startswith(b"<?xml") else ""


# --- layers ----------------------------------------------------------------------------------------


def local(element: Any) -> str:
    """The local name of an element."""
    name: str = element.tag
    return name.rpartition("}")[2]


def elements(parent: Any, name: str = "") -> Iterator[Any]:
    """The child elements, all or those of one local name; comments and instructions are passed over."""
    for child in parent:
        if isinstance(child.tag, str) and (not name or local(child) == name):
            yield child


def _only(parent: Any, name: str, path: str) -> Any:
    """The one child of that name; raises Malformed when there is none or more than one."""
    found = list(elements(parent, name))
    if len(found) != 1:
        raise Malformed(fault(22, path=f"{path}/{name}", found=len(found), expected=LAYERS))
    return found[0]


def _first(parent: Any, name: str) -> Any:
    return next(elements(parent, name), None)


def layers_of(root: Any, found: list[Fault]) -> Layers:
    """The layers of a letter. Raises Malformed where the content cannot be found, or two might be meant."""
    name = local(root)
    if name not in ROOTS:
        raise Malformed(fault(20, path=name, found=name, expected=", ".join(ROOTS)))
    namespace = etree.QName(root).namespace or ""
    if namespace not in ("", NAMESPACE):
        found.append(fault(21, path=name, found=namespace, expected=NAMESPACE))
    if name == "CommonResponeMessage":
        return Layers(root, None, None, None, None, None, root, MESSAGES[name])
    signature = root if name == "Signature" else None
    package = root
    if signature is not None:
        package = _only(_only(root, "Object", "Signature"), "Package", "Signature/Object")
    data_info = _only(package, "DataInfo", "Package")
    data = _only(data_info, "BussinessData", "Package/DataInfo")
    contents = [child for child in elements(data) if local(child) != FLAG]
    known = [child for child in contents if local(child) in _BY_ROOT and local(child) != "CommonResponeMessage"]
    if len(known) != 1:
        said = ", ".join(map(local, known or contents)) or "-"
        raise Malformed(fault(23, path="BussinessData", found=said, expected=", ".join(sorted(_BY_ROOT))))
    envelope, pocket = _first(package, "EnvelopInfo"), _first(data_info, "PocketInfo")
    return Layers(root, signature, package, envelope, pocket, data, known[0], _BY_ROOT[local(known[0])])


def signature_of(element: Any) -> Signature | None:
    """The texts of a Signature, whatever they are; None for none."""
    if element is None:
        return None

    def at(*names: str) -> Any:
        here = element
        for name in names:
            here = None if here is None else _first(here, name)
        return here

    def text(*names: str) -> str:
        here = at(*names)
        return "" if here is None else here.text or ""

    def value(attribute: str, *names: str) -> str:
        here = at(*names)
        return "" if here is None else here.get(attribute) or ""

    certificate = at("KeyInfo", "X509Data", "X509Certificate")
    return Signature(
        signature_method=value("Algorithm", "SignedInfo", "SignatureMethod"),
        digest_method=value("Algorithm", "SignedInfo", "Reference", "DigestMethod"),
        canonicalization=value("Algorithm", "SignedInfo", "CanonicalizationMethod"),
        reference=value("URI", "SignedInfo", "Reference"),
        digest=text("SignedInfo", "Reference", "DigestValue"),
        value=text("SignatureValue"),
        key_name=text("KeyInfo", "KeyName"),
        certificate=None if certificate is None else certificate.text or "",
        object_id=value("Id", "Object"),
    )


# --- records ---------------------------------------------------------------------------------------


class _Reader:
    """Reads the entities of one letter."""

    def __init__(self, shape: Shape, found: list[Fault]) -> None:
        self.shape = shape
        self.found = found
        self.kept: list[Kept] = []
        self.blanks: list[str] = []
        self.fixed_blanks: list[str] = []
        self.absent_texts = self.absent_numbers = 0

    def say(self, number: int, path: str, field: Field | None = None, **values: Any) -> None:
        """One more fault, up to FAULTS_MAX of them and one."""
        if len(self.found) <= FAULTS_MAX:
            entity = _INDEX.sub("", path).rpartition("/")[2]
            zh, en = (field.zh, field.en) if field else ENTITY_WORDS.get(entity, (entity, entity))
            self.found.append(fault(number, path=path, **{"zh": zh, "en": en, **values}))

    def body(self, layers: Layers) -> Any:
        """The record of the whole content."""
        shape, content = self.shape, layers.content
        name = local(content)
        if not shape.parts:
            return self.record(shape.leaves, content, name)
        leaves = [field for field in ENTITIES[shape.leaves] if field.name != FLAG] if shape.leaves else []
        held = self.sorted_parts(content, name, leaves)
        values: dict[str, Any] = {}
        for part in shape.parts:
            made = [self.record(part.entity, element, path) for element, path in held[part.entity]]
            if not made and part.least:
                self.say(1, f"{name}/{part.entity}", expected=part.entity)
            values[part.attribute] = tuple(made) if part.many else made[0] if made else None
        if shape.leaves:
            given = {field.name: held[field.name][0][0] for field in leaves if held[field.name]}
            if shape.flag:
                given[FLAG] = _first(layers.data, FLAG)
            for field in ENTITIES[shape.leaves]:
                path = f"{name}/{field.name}"
                values[field.name] = self.value(shape.leaves, field, given.get(field.name), path)
        allowed = {id(content), id(_first(layers.data, FLAG)) if shape.flag else 0}
        for child in elements(layers.data):
            if id(child) not in allowed:
                self.keep(child, "BussinessData", [])
        return getattr(records, shape.type)(**values)

    def sorted_parts(self, content: Any, name: str, leaves: list[Field]) -> dict[str, list[tuple[Any, str]]]:
        """Entity or leaf -> its elements with their paths; what is unknown, twice or out of order is said."""
        forms = {field.name: field for field in leaves}
        names = [*(part.entity for part in self.shape.parts), *forms]
        order = {each: at for at, each in enumerate(names)}
        many = {part.entity for part in self.shape.parts if part.many}
        held: dict[str, list[tuple[Any, str]]] = {each: [] for each in names}
        last = 0
        self.plain(content, name)
        for child in elements(content):
            tag = local(child)
            place = order.get(tag)
            if place is None:
                self.keep(child, name, names)
                continue
            if place < last:
                self.say(3, f"{name}/{tag}", forms.get(tag), expected=", ".join(names))
            last = max(last, place)
            if tag in many:
                held[tag].append((child, f"{name}/{tag}[{len(held[tag]) + 1}]"))
            elif held[tag]:
                self.say(4, f"{name}/{tag}", forms.get(tag))
                self.keep(child, name, None)
            else:
                held[tag].append((child, f"{name}/{tag}"))
        return held

    def plain(self, element: Any, path: str) -> None:
        """An element that holds elements: no attributes, no text."""
        if element.attrib:
            self.say(5, path, found=", ".join(element.attrib))
        text = "".join(filter(None, [element.text, *(child.tail for child in element)])).strip(BLANKS)
        if text:
            self.say(18, path, count=len(text))

    def keep(self, child: Any, path: str, known: list[str] | None) -> None:
        """An element that the tables do not know, or that is there again; ``known`` None: nothing is said of it."""
        tag = local(child)
        if known is not None:
            near = get_close_matches(tag, known, n=1)
            hints = (f"是不是 {near[0]}", f"is {near[0]} meant?") if near else ("核对元素名", "compare the name")
            self.say(2, f"{path}/{tag}", found=tag, hint_zh=hints[0], hint_en=hints[1])
        text = etree.tostring(child, encoding="unicode", with_tail=False)
        around = child.getroottree().getroot()
        for prefix, uri in around.nsmap.items():  # what the root declares need not be said again
            if prefix != around.prefix or prefix is None:
                name = f"xmlns:{prefix}" if prefix else "xmlns"
                text = text.replace(f' {name}="{uri}"', "", 1)
        self.kept.append(Kept(path, text))

    def record(self, entity: str, element: Any, path: str) -> Any:
        """The record of an element; None where there is no element."""
        if element is None:
            if entity == "EnvelopInfo" and self.shape.dialect != "answer":
                self.say(1, entity, expected=entity)
            return None
        at = places(entity)
        fields = ENTITIES[entity]
        given: list[Any] = [None] * len(fields)
        last = -1
        self.plain(element, path)
        for child in elements(element):
            tag = local(child)
            place = at.get(tag)
            if place is None:
                self.keep(child, path, list(at))
                continue
            if given[place] is not None:
                self.say(4, f"{path}/{tag}", fields[place])
                self.keep(child, path, None)
                continue
            if place < last:
                before = fields[place - 1].name if place else ""
                self.say(3, f"{path}/{tag}", fields[place], expected=f"{before}, {tag}".lstrip(", "))
            last = max(last, place)
            given[place] = child
        values = [
            self.value(entity, field, child, f"{path}/{field.name}") for field, child in zip(fields, given, strict=True)
        ]
        made = records.RECORDS[entity](*values)
        for field, value in zip(fields, values, strict=True):
            if field.need or field.void:
                self.conditions(made, field, value, f"{path}/{field.name}")
        return made

    def conditions(self, record: Any, field: Field, value: Any, path: str) -> None:
        """Fields that must or may not have a value because another one has."""
        for rule, number in ((field.need, 16), (field.void, 17)):
            if rule is None:
                continue
            name, sign, listed = rule
            other = getattr(record, name)
            if other in (None, ""):
                continue
            holds = sign == "any" or (str(other) in listed) == (sign == "=")
            if holds and (value in (None, "")) == (number == 16):
                said, because = masked(field.personal, str(value or "")), f"{name} = {other}"
                self.say(number, path, field, because_zh=because, because_en=because, found=said)

    # one value

    def value(self, entity: str, field: Field, element: Any, path: str) -> Any:
        """The value of a field; None when it is not there, or is no number."""
        if element is None:
            if entity not in AROUND:
                self.absent_texts += field.type == "text"
                self.absent_numbers += field.type != "text"
            if field.required:
                self.say(1, path, field, expected=field.name)
            return None
        text = element.text or ""
        if len(element) or element.attrib:
            text = self.inner(element, path)
        if field.type == "text":
            return self.text(entity, field, text, path)
        said = text.strip(BLANKS)
        if not said:
            if field.required:
                self.say(29, path, field)
            (self.fixed_blanks if entity in AROUND else self.blanks).append(path)
            return None
        return self.whole(field, said, path) if field.type == "int" else self.decimal(field, said, path)

    def inner(self, element: Any, path: str) -> str:
        """The text of an element that holds more than text: comments are passed over, elements are said."""
        if element.attrib:
            self.say(5, path, found=", ".join(element.attrib))
        inside = [local(child) for child in elements(element)]
        if inside:
            self.say(19, path, found=", ".join(inside))
        return "".join(filter(None, [element.text, *(child.tail for child in element)]))

    def text(self, entity: str, field: Field, text: str, path: str) -> str:
        """A text, its length, its codes, its form."""
        if not text.strip(BLANKS):
            if field.required:
                self.say(6, path, field)
            return text
        if (field.max is not None and len(text) > field.max) or len(text) < field.min:
            span = str(field.max) if field.min == field.max else f"{field.min}..{field.max}"
            self.say(7, path, field, found=masked(field.personal, text), expected=span, count=len(text))
        name = self.shape.codes.get((entity, field.name), field.codes)
        if name and text not in CODES[name].rows:
            self.say(13 if CODES[name].complete else 14, path, field, found=text, expected=", ".join(CODES[name].rows))
        if field.form:
            self.moment(field, text, path)
        if field.number and not pattern(field.number).fullmatch(text):
            self.say(26, path, field, found=text, expected=NUMBERS[field.number].say)
        return text

    def moment(self, field: Field, text: str, path: str) -> None:
        """Days and moments that exist."""
        form, said, length = TIMES[field.form]
        try:
            if len(text) != length or not text.isascii():
                raise ValueError
            datetime.strptime(text, form)
        except ValueError:
            self.say(15, path, field, found=text, expected=said)

    def whole(self, field: Field, text: str, path: str) -> int | None:
        """A whole number from 0."""
        if not _WHOLE.fullmatch(text) or len(text) > 10 or int(text) > INT_MAX:
            self.say(9, path, field, found=text, expected=INT_MAX)
            return None
        return int(text)

    def decimal(self, field: Field, text: str, path: str) -> Decimal | None:
        """A decimal number, digits as they are."""
        if not _DECIMAL.fullmatch(text) or len(text) > 2 * DIGITS:
            self.say(8, path, field, found=text)
            return None
        number = Decimal(text)
        whole, _, fraction = text.lstrip("+-").partition(".")
        digits, behind = len(whole.lstrip("0")) + len(fraction), len(fraction.rstrip("0"))
        if number < 0 and not field.signed:
            self.say(10, path, field, found=text)
        if field.fraction is not None and behind > field.fraction:
            self.say(12, path, field, found=text, expected=field.fraction)
        elif digits > DIGITS or (field.fraction is None and behind > FRACTION):
            self.say(11, path, field, found=text, digits=DIGITS, fraction=FRACTION)
        return number

    # the letter as a whole

    def check_envelope(self, envelope: Any, pocket: Any) -> None:
        """What the envelope says of its content."""
        fields = {field.name: field for field in ENTITIES["EnvelopInfo"]}
        if envelope.message_type and envelope.message_type != self.shape.type:
            where = "EnvelopInfo/message_type"
            self.say(24, where, fields["message_type"], found=envelope.message_type, expected=self.shape.type)
        name, number = envelope.file_name or "", envelope.message_id or ""
        if self.shape.receipt and name and number and name.rpartition(".")[0] != number:
            expected = f"{number}.{name.rpartition('.')[2]}" if "." in name else f"{number}.{self.shape.type[:3]}"
            self.say(27, "EnvelopInfo/file_name", fields["file_name"], found=name, expected=expected)
        counted = pocket is not None and None not in (pocket.cur_pocket_no, pocket.total_pocket_qty)
        if counted and not 1 <= pocket.cur_pocket_no <= pocket.total_pocket_qty:
            self.say(25, "PocketInfo", found=pocket.cur_pocket_no, expected=pocket.total_pocket_qty)

    def style(self, layers: Layers, declared: str) -> tuple[Style, list[str]]:
        """How the letter is written, and the blank numbers that the style does not speak of."""
        empty, blanks = NONE, self.blanks
        if blanks and not self.absent_numbers:
            empty, blanks = (ALL if not self.absent_texts else NUMBERS_ONLY), []
        elif not self.absent_numbers and not self.absent_texts:
            empty = usual_style(self.shape.type).empty
        root, package = layers.root, layers.package if layers.package is not None else layers.root
        indent = "\n" in (root.text or "") and not (root.text or "").strip(BLANKS)
        others = {prefix: uri for prefix, uri in root.nsmap.items() if prefix and prefix != root.prefix}
        declares = tuple(sorted(others.items()))
        space = etree.QName(package).namespace or ""
        outer = (etree.QName(layers.signature).namespace or "") if layers.signature is not None else ""
        return Style(declared, space, outer, declares, indent, empty), [*blanks, *self.fixed_blanks]
