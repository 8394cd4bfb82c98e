"""Valid messages of every kind, made from the tables, and thousands of ways to break them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from cebport.faults import ERROR, Fault, Malformed
from cebport.messages import wire
from cebport.messages.shape import DS_NAMESPACE, ENTITIES, MESSAGES, NAMESPACE, NEWEST, Field

XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"
GUID = "00000000-0000-4000-8000-00000000C0DE"
SIGNATURE = f"""<ds:Signature xmlns:ds="{DS_NAMESPACE}" Id="s1">
<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
<ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>
<ds:Reference Id="r1" URI=""><ds:Transforms>
<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></ds:Transforms>
<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/><ds:DigestValue>QUJD</ds:DigestValue>
</ds:Reference></ds:SignedInfo><ds:SignatureValue>QUJDRA==</ds:SignatureValue>
<ds:KeyInfo><ds:KeyName>01691fe9</ds:KeyName>
<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>QUJD</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>
<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=a</ds:X509IssuerName>
<ds:X509SerialNumber>7</ds:X509SerialNumber></ds:X509IssuerSerial><ds:X509Certificate>QUJD</ds:X509Certificate>
</ds:X509Data></ds:KeyInfo></ds:Signature>"""


def ceb(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def value_of(field: Field, number: int = 1) -> str:
    """A valid value of a field."""
    if field.fixed:
        return field.fixed
    if field.type == "decimal":
        return f"{number}2.5"
    if field.type == "int":
        return str(number)
    length = field.min if field.min == field.max else max(field.min, min(field.max or 12, 12))
    return f"{field.name}{number}值".ljust(length, "0")[:length]


def put(parent: etree._Element, entity: str, full: bool, number: int = 1, schema: str = NEWEST) -> etree._Element:
    """An entity below ``parent``, all its fields or the required ones."""
    element = etree.SubElement(parent, ceb(entity))
    for field in ENTITIES[schema][entity]:
        if field.required or full:
            child = etree.SubElement(element, ceb(field.name))
            if field.type == "element":
                etree.SubElement(child, "{urn:own}anything").text = "content"
            else:
                child.text = value_of(field, number)
    return element


def made(
    name: str,
    *,
    full: bool = True,
    documents: int = 2,
    lines: int = 2,
    schema: str = NEWEST,
    signed: bool | None = None,
) -> etree._Element:
    """A valid message. ``signed`` None: signed when the schema wants it or the message is full."""
    shape = MESSAGES[name]
    prefix = None if shape.receipt else "ceb"
    root = etree.Element(ceb(name), nsmap={prefix: NAMESPACE, "xsi": XSI, "xs": XS})
    root.set("guid", GUID)
    root.set("version", "1.0")
    for number in range(1, min(documents, shape.documents_max or documents) + 1):
        parent = etree.SubElement(root, ceb(shape.group)) if shape.group else root
        put(parent, shape.head, full, number, schema)
        for line in range(1, lines + 1) if shape.line else ():
            put(parent, shape.line, full, line, schema)
    if not shape.receipt:
        put(root, "BaseTransfer", full, schema=schema)
        if full:
            put(root, "BaseSubscribe", full, schema=schema)
            put(root, "ExtendMessage", full, schema=schema)
        if signed if signed is not None else (full or shape.signature == "required"):
            root.append(etree.fromstring(SIGNATURE))
    return root


def raw_of(root: etree._Element, encoding: str = "UTF-8") -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding=encoding)


ORDER = raw_of(made("CEB311Message"))
"""An order message with everything in it."""


def times(name: str, documents: int) -> bytes:
    """A message of so many equal documents."""
    raw = raw_of(made(name, full=False, documents=1, lines=1))
    shape = MESSAGES[name]
    tag = f"ceb:{shape.group or shape.head}" if not shape.receipt else shape.group or shape.head
    start, end = raw.index(f"<{tag}>".encode()), raw.index(f"</{tag}>".encode()) + len(tag) + 3
    return raw[:start] + raw[start:end] * documents + raw[end:]


def refused(raw: bytes, limits: wire.Limits = wire.LIMITS) -> list[Fault]:
    with pytest.raises(Malformed) as caught:
        wire.parse_tree(raw, limits)
    for each in caught.value.faults:
        assert each.severity == ERROR and each.message.zh and each.message.en and each.remedy.zh and each.remedy.en
    return list(caught.value.faults)


# --- breaking --------------------------------------------------------------------------------------

Change = Callable[[etree._Element], None]
"""Changes one element of a message in place."""

NUMBERS = (
    "", " ", "\n", ".", "-", "+", "+.", "1.", ".5", "-.5", "+1", "-1", "--1", "1.2.3", "0", "-0", "00.10", "1e3",
    "INF", "NaN", "1,0", "１", "٥", "1_0", " 1 ", "\t1\n", "\u00a01", "1 0", "\u30001", "0x1", "1.00000", "1.00001",
    "1.000001", "1.0000010", "1.100000000000", "0" * 30 + "1", "1." + "0" * 30, "9" * 14 + ".99999", "1E+2",
    "9" * 15 + ".12345",
    "9" * 19, "9" * 20, "9" * 25, "1" + "0" * 18, "0" * 24 + "1" * 19, "2147483647", "2147483648", "-2147483648",
    "-2147483649", "999999999", "1000000000", "-999999999", "-1000000000", "0999999999", "+999999999", "1.0",
    "¥5", "5元", "0.000001", "0.12345", "-0.123456", "99999999999999.123450", "1" * 5000,
)  # fmt: skip
TEXTS = ("", " ", "\n", "a", "142", "142 ", " 142", "143", "中文", "\U0001f600", "a\u0301", "<&>", "]]>")


def texts_for(field: Field | None) -> tuple[str, ...]:
    """Values at and beyond the edges of a field's form."""
    if field is None:
        return TEXTS + NUMBERS
    if field.type in ("decimal", "int"):
        return NUMBERS
    lengths = {
        field.min - 1,
        field.min,
        field.min + 1,
        1,
        *((field.max - 1, field.max, field.max + 1) if field.max else ()),
    }
    edges = [sign * length for length in lengths if length >= 0 for sign in ("x", " ", "中", "\U0001f600")]
    return tuple(dict.fromkeys((*TEXTS, *edges)))


def with_text(text: str) -> Change:
    def change(element: etree._Element) -> None:
        element.text = text

    return change


def with_cdata(text: str) -> Change:
    def change(element: etree._Element) -> None:
        element.text = etree.CDATA(text)

    return change


def with_attribute(name: str, value: str) -> Change:
    def change(element: etree._Element) -> None:
        element.set(name, value)

    return change


def without_attribute(name: str) -> Change:
    def change(element: etree._Element) -> None:
        element.attrib.pop(name, None)

    return change


def renamed(make: Callable[[str, str], tuple[str, str]]) -> Change:
    def change(element: etree._Element) -> None:
        name = etree.QName(element)
        namespace, local = make(name.namespace or "", name.localname)
        element.tag = f"{{{namespace}}}{local}" if namespace else local

    return change


def drop(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def double(element: etree._Element) -> None:
    if element.getparent() is not None:
        element.addnext(copy.deepcopy(element))


def swap(element: etree._Element) -> None:
    following = element.getnext()
    if following is not None and element.getparent() is not None:
        following.addnext(element)


def to_front(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.insert(0, element)


def to_end(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.append(element)


def up(element: etree._Element) -> None:
    """Out of its parent, to stand beside it."""
    parent = element.getparent()
    if parent is not None and parent.getparent() is not None:
        parent.addnext(element)


def emptied(element: etree._Element) -> None:
    for child in list(element):
        element.remove(child)
    element.text = None


def with_child(name: str) -> Change:
    def change(element: etree._Element) -> None:
        etree.SubElement(element, name).text = "1"

    return change


def with_node(make: Callable[[], etree._Element]) -> Change:
    """A comment or processing instruction as first child, in the middle of the text if there is any."""

    def change(element: etree._Element) -> None:
        node, text = make(), element.text
        if text:
            element.text, node.tail = text[: len(text) // 2] or None, text[len(text) // 2 :]
        element.insert(0, node)

    return change


def with_tail(text: str) -> Change:
    def change(element: etree._Element) -> None:
        if element.getparent() is not None:
            element.tail = text

    return change


def padded(before: str, after: str) -> Change:
    def change(element: etree._Element) -> None:
        element.text = f"{before}{element.text or ''}{after}"

    return change


STRUCTURE: dict[str, Change] = {
    "drop": drop,
    "double": double,
    "swap": swap,
    "to_front": to_front,
    "to_end": to_end,
    "up": up,
    "emptied": emptied,
    "upper": renamed(lambda ns, name: (ns, name.upper())),
    "lower_first": renamed(lambda ns, name: (ns, name[:1].swapcase() + name[1:])),
    "typo": renamed(lambda ns, name: (ns, name[:-1])),
    "other_field": renamed(lambda ns, name: (ns, "note")),
    "other_entity": renamed(lambda ns, name: (ns, "BaseSubscribe")),
    "signature_name": renamed(lambda ns, name: (ns, "Signature")),
    "no_namespace": renamed(lambda ns, name: ("", name)),
    "slash_namespace": renamed(lambda ns, name: (NAMESPACE + "/", name)),
    "ds_namespace": renamed(lambda ns, name: (DS_NAMESPACE, name)),
    "ceb_namespace": renamed(lambda ns, name: (NAMESPACE, name)),
    "child": with_child(ceb("note")),
    "child_none": with_child("note"),
    "child_other": with_child("{urn:own}note"),
    "child_ds": with_child(f"{{{DS_NAMESPACE}}}KeyName"),
    "child_object": with_child(f"{{{DS_NAMESPACE}}}Object"),
    "comment": with_node(lambda: etree.Comment(" a ")),
    "instruction": with_node(lambda: etree.ProcessingInstruction("a", "b")),
    "tail": with_tail("x"),
    "tail_blank": with_tail(" \n\t"),
    "tail_nbsp": with_tail("\u00a0"),
    "pad_left": padded(" ", ""),
    "pad_right": padded("", " "),
    "pad_lines": padded("\n  ", "\n"),
    "cdata": with_cdata("142"),
    "cdata_empty": with_cdata(""),
    "cdata_blank": with_cdata(" "),
    "attribute": with_attribute("x", "1"),
    "attribute_guid": with_attribute("guid", GUID),
    "attribute_id": with_attribute("Id", "a1"),
    "attribute_id_again": with_attribute("Id", "s1"),
    "attribute_id_digit": with_attribute("Id", "1a"),
    "attribute_uri": with_attribute("URI", "#a"),
    "attribute_uri_bad": with_attribute("URI", "http://["),
    "attribute_algorithm": with_attribute("Algorithm", ""),
    "attribute_lang": with_attribute("{http://www.w3.org/XML/1998/namespace}lang", "zh"),
    "attribute_ceb": with_attribute(ceb("guid"), GUID),
    "nil_true": with_attribute(f"{{{XSI}}}nil", "true"),
    "nil_false": with_attribute(f"{{{XSI}}}nil", "false"),
    "nil_bad": with_attribute(f"{{{XSI}}}nil", "maybe"),
    "xsi_location": with_attribute(f"{{{XSI}}}schemaLocation", f"{NAMESPACE} CEB.xsd"),
    "xsi_other": with_attribute(f"{{{XSI}}}other", "1"),
    "type_int": with_attribute(f"{{{XSI}}}type", "xs:int"),
    "type_byte": with_attribute(f"{{{XSI}}}type", "xs:byte"),
    "type_decimal": with_attribute(f"{{{XSI}}}type", "xs:decimal"),
    "type_string": with_attribute(f"{{{XSI}}}type", "xs:decimal"),
    "type_entity": with_attribute(f"{{{XSI}}}type", "ceb:OrderHead"),
    "type_element": with_attribute(f"{{{XSI}}}type", "ceb:XMLElement"),
    "type_unknown": with_attribute(f"{{{XSI}}}type", "nope:nope"),
    "type_empty": with_attribute(f"{{{XSI}}}type", ""),
    "guid_short": with_attribute("guid", GUID[:-1]),
    "guid_long": with_attribute("guid", GUID + "0"),
    "version_empty": with_attribute("version", ""),
    "version_10": with_attribute("version", "1" * 10),
    "version_11": with_attribute("version", "1" * 11),
    "no_guid": without_attribute("guid"),
    "no_version": without_attribute("version"),
    "no_algorithm": without_attribute("Algorithm"),
}  # fmt: skip


def elements_of(root: etree._Element) -> list[etree._Element]:
    return list(root.iter(etree.Element))


def field_at(element: etree._Element, schema: str) -> Field | None:
    """The field an element of a valid message is, if it is one."""
    parent = element.getparent()
    if parent is None:
        return None
    for field in ENTITIES[schema].get(etree.QName(parent).localname, ()):
        if ceb(field.name) == element.tag:
            return field
    return None


def every_single_change(name: str, schema: str) -> Iterator[tuple[str, etree._Element]]:
    """(what was done, the message): changes of STRUCTURE at every element, every edge of every field.

    What is in every declaration alike, tail and Signature, is changed in one kind of message only; and every
    element gets a third of the changes of structure, its neighbours the others.
    """
    base = made(name, schema=schema, documents=1, lines=1, signed=True)
    for index, element in enumerate(elements_of(base)):
        above = {etree.QName(each).localname for each in (element, *element.iterancestors())}
        if name != "CEB621Message" and above & {"Signature", "BaseTransfer", "BaseSubscribe", "ExtendMessage"}:
            continue
        changes = dict(list(STRUCTURE.items())[index % 3 :: 3])
        if len(element) == 0:
            changes |= {f"text {text[:30]!r}": with_text(text) for text in texts_for(field_at(element, schema))}
        for label, change in changes.items():
            root = copy.deepcopy(base)
            change(elements_of(root)[index])
            yield f"{label} at {etree.QName(element).localname}", root
