"""Reading and writing: what is refused, what is understood, what comes out."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree
from messages_made import GUID, ORDER, SIGNATURE, made, raw_of, refused, times

from cebport.faults import WARNING, Fault, is_valid
from cebport.messages import documents, rows, wire
from cebport.messages.catalog import catalog, fault
from cebport.messages.documents import BaseSubscribe, BaseTransfer
from cebport.messages.masks import mask
from cebport.messages.schema import FAULTS_MAX, SIBLINGS_MAX, schema_faults
from cebport.messages.shape import ENTITIES, MESSAGES, NAMESPACE, NEWEST, PERSONAL

REPO = Path(__file__).resolve().parent.parent
DECLARATIONS = [name for name, shape in MESSAGES.items() if not shape.receipt]
RECEIPTS = [name for name, shape in MESSAGES.items() if shape.receipt]
DECLARED = b"<?xml version='1.0' encoding='UTF-8'?>"


def code_of(raw: bytes, limits: wire.Limits = wire.LIMITS) -> str:
    return refused(raw, limits)[0].code


# --- what is no message ----------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b" \n\t ", b"\xef\xbb\xbf"])
def test_empty(raw: bytes) -> None:
    assert code_of(raw) == "CEB-XML-001"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_off(share: float) -> None:
    assert code_of(ORDER[: int(len(ORDER) * share)]) == "CEB-XML-002"


def test_cut_off_anywhere_is_refused() -> None:
    for length in range(len(ORDER) - 1, 0, -97):
        assert code_of(ORDER[:length]) in ("CEB-XML-001", "CEB-XML-002", "CEB-XML-003", "CEB-XML-007")


@pytest.mark.parametrize(
    "raw",
    [
        b"hello",
        b'{"message": {}}',
        b"PK\x03\x04 a zip",
        b"<a><b></a>",
        b"<a>&</a>",
        b"<a b=1/>",
        b"<a/>rest",
        b"<x:a/>",
        b"<a>\x01</a>",
        b" <?xml version='1.0'?><a/>",
        b"<?xml version='1.0'?>",
    ],
)
def test_not_xml(raw: bytes) -> None:
    found = refused(raw)[0]
    assert found.code == "CEB-XML-003" and "line" in found.message.en
    ours, brackets, _ = found.message.zh.partition("列：")[2].partition("（")
    assert brackets and re.search("[\u4e00-\u9fff]", ours), "our words, then the parser's own"
    assert "mistake in the markup" not in found.message.en, "a common mistake has its words"


BOMB = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE a>",
        b"<!DOCTYPE a [" + BOMB + b"]>",
        b'<!DOCTYPE a SYSTEM "http://example.invalid/a.dtd">',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b"\n<!-- <a> --> <?p i?>\n<!DOCTYPE a []>",
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_doctype(prolog: bytes, mark: bytes) -> None:
    raw = mark + ORDER.replace(DECLARED, DECLARED + prolog).replace(b"</ceb:note>", b"&l9;</ceb:note>", 1)
    assert code_of(raw) == "CEB-XML-004"
    assert code_of(raw.replace(DECLARED, b"")) == "CEB-XML-004"


def test_a_doctype_in_a_comment_is_no_doctype() -> None:
    raw = ORDER.replace(DECLARED, DECLARED + b"<!-- <!DOCTYPE a> --><?p <!DOCTYPE a> ?>")
    assert wire.parse_tree(raw).type == "CEB311Message"


@pytest.mark.parametrize("name", [b"nbsp", b"l9", b"\xe5\x90\x8d"])
def test_undefined_entity(name: bytes) -> None:
    assert code_of(ORDER.replace(b"</ceb:note>", b"&%s;</ceb:note>" % name, 1)) == "CEB-XML-005"


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "ISO-8859-1", "Big5", "nope", ""])
def test_other_encodings(encoding: str) -> None:
    text = ORDER.decode().replace("'UTF-8'", f"'{encoding}'")
    codec = encoding if encoding.startswith("UTF") else "utf-8"
    assert code_of(text.encode(codec)) == "CEB-XML-006"
    assert code_of(text.encode("utf-8")) == "CEB-XML-006"


def test_wrong_label_says_what_it_looks_like() -> None:
    gbk_as_utf8 = refused(ORDER.decode().replace("值", "中国").encode("gbk"))[0]
    assert gbk_as_utf8.code == "CEB-XML-007" and "GBK" in gbk_as_utf8.message.en
    neither = refused(ORDER.replace(b"'UTF-8'", b"'GBK'").replace(b"</ceb:note>", b"\xff</ceb:note>"))[0]
    assert neither.code == "CEB-XML-007" and "looks like" not in neither.message.en
    utf8_as_gbk = refused(ORDER.replace(b"'UTF-8'", b"'GBK'").replace("值000000".encode(), "值".encode()))[0]
    assert utf8_as_gbk.code == "CEB-XML-007" and "looks like UTF-8" in utf8_as_gbk.message.en


@pytest.mark.parametrize("where", ["</ceb:OrderHead>", "</ceb:Message>", "</ceb:CEB311Message>"])
@pytest.mark.parametrize("namespace", ["http://www.w3.org/2001/XInclude", "http://www.w3.org/2001/X&#73;nclude"])
def test_xinclude(where: str, namespace: str) -> None:
    include = f'<xi:include xmlns:xi="{namespace}" href="file:///etc/passwd" parse="text"/>'
    assert code_of(ORDER.replace(where.encode(), (include + where).encode(), 1)) == "CEB-XML-008"


def test_xinclude_as_text_is_text() -> None:
    raw = ORDER.replace(b"</ceb:note>", b" x=http://www.w3.org/2001/XInclude</ceb:note>", 1)
    assert schema_faults(wire.parse_tree(raw)) == []


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"<a/>", "CEB-XML-020"),
        (b'<CEB311Message guid="a"/>', "CEB-XML-021"),
        (b'<CEB311Message xmlns="http://www.chinaport.gov.cn/ceb/"/>', "CEB-XML-021"),
        (b'<CEB999Message xmlns="http://www.chinaport.gov.cn/ceb"/>', "CEB-XML-020"),
        (b'<OrderHead xmlns="http://www.chinaport.gov.cn/ceb"/>', "CEB-XML-020"),
        (SIGNATURE.encode(), "CEB-XML-020"),
    ],
)
def test_not_a_message(raw: bytes, code: str) -> None:
    assert code_of(raw) == code


# --- limits ----------------------------------------------------------------------------------------


def test_bytes_max() -> None:
    limits = wire.Limits(bytes_max=len(ORDER))
    assert wire.parse_tree(ORDER, limits).type == "CEB311Message"
    found = refused(ORDER + b"\n", limits)
    assert found[0].code == "CEB-XML-010" and found[0].found == str(len(ORDER) + 1)
    default = refused(ORDER + b" " * (16 << 20))
    assert default[0].code == "CEB-XML-010"


@pytest.mark.parametrize("inside", ["ceb:Message", "ceb:OrderHead", "ceb:orderNo"])
def test_depth_max(inside: str) -> None:
    root = etree.fromstring(ORDER)
    element = root.find(f".//{inside}", {"ceb": NAMESPACE})
    level = len(list(element.iterancestors())) + 1
    end = f"</{inside}>".encode()

    def nested(depth: int) -> bytes:
        return ORDER.replace(end, b"<d>" * (depth - level) + b"</d>" * (depth - level) + end, 1)

    assert wire.parse_tree(nested(wire.LIMITS.depth_max)).type == "CEB311Message"
    for depth in (wire.LIMITS.depth_max + 1, 200, 5000):
        assert code_of(nested(depth)) == "CEB-XML-011"


def test_attributes_max() -> None:
    def with_attributes(count: int) -> bytes:
        attributes = b"".join(b' a%d="1"' % n for n in range(count))
        return ORDER.replace(b"<ceb:orderNo", b"<ceb:orderNo" + attributes, 1)

    assert wire.parse_tree(with_attributes(900)).type == "CEB311Message"
    for count in (1001, 30_000):
        assert code_of(with_attributes(count)) == "CEB-XML-012"
    spread = ORDER.replace(b"</ceb:Message>", b'<a b="1" xmlns:c="d"/>' * 600 + b"</ceb:Message>", 1)
    assert code_of(spread) == "CEB-XML-012"
    namespaces = ORDER.replace(b" guid=", b"".join(b' xmlns:a%d="u"' % n for n in range(1001)) + b" guid=", 1)
    assert code_of(namespaces) == "CEB-XML-012"


def test_signs_in_text_are_no_attributes() -> None:
    note = b"<ceb:note>" + b"=" * 900
    raw = re.sub(rb"<ceb:note>[^<]*", note, ORDER)
    assert raw.count(b"=") > 2 * wire.LIMITS.attributes_max and schema_faults(wire.parse_tree(raw)) == []
    cdata = raw_of(made("CEB900Message")).replace(b"<oriBizMessage>", b"<oriBizMessage><![CDATA[" + b'<a b="c">' * 2000)
    cdata = cdata.replace(b"</oriBizMessage>", b"]]></oriBizMessage>")
    assert schema_faults(wire.parse_tree(cdata)) == []


@pytest.mark.parametrize("node", [b"<a/>", b"<!---->", b"<?a?>"])
def test_nodes_max(node: bytes) -> None:
    raw = ORDER.replace(b"</ceb:note>", b"</ceb:note>" + node * (wire.LIMITS.nodes_max + 1), 1)
    tracemalloc.start()
    assert code_of(raw) == "CEB-XML-013"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(raw) + 1_000_000


def test_huge_text_is_refused() -> None:
    raw = ORDER.replace(b"</ceb:note>", b"x" * 10_500_000 + b"</ceb:note>", 1)
    assert code_of(raw) == "CEB-XML-014"


OFFICIAL_FULL = {
    "CEB311Message": "-301015", "CEB411Message": "-401013", "CEB511Message": "-504013", "CEB513Message": "-505017",
    "CEB621Message": "-621030", "CEB623Message": "-623008", "CEB711Message": "-800006",
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n, s in MESSAGES.items() if s.documents_max])
def test_too_many_documents_has_the_official_code(name: str) -> None:
    most = MESSAGES[name].documents_max or 0
    assert schema_faults(wire.parse_tree(times(name, most))) == []
    found = refused(times(name, most + 1))
    assert [f.code for f in found] == [OFFICIAL_FULL.get(name, "CEB-XML-031")]
    assert (found[0].found, found[0].expected) == (str(most + 1), f"最多 {most} / at most {most}")
    assert wire.scan(io.BytesIO(times(name, most + 1))).faults == found


@pytest.mark.parametrize("name", [n for n, s in MESSAGES.items() if s.lines_max])
def test_too_many_lines(name: str) -> None:
    found = refused(raw_of(made(name, full=False, documents=3, lines=100)))
    assert [(f.code, f.document, f.found) for f in found] == [("CEB-XML-032", n, "100") for n in (1, 2, 3)]


def test_limits_may_be_narrower() -> None:
    limits = wire.Limits(documents_max=1, lines_max=1)
    codes = [f.code for f in refused(ORDER, limits)]
    assert codes == ["-301015", "CEB-XML-032", "CEB-XML-032"]


class Endless(io.RawIOBase):
    """A file that is made while it is read: head, then a piece again and again, then tail."""

    def __init__(self, head: bytes, piece: bytes, count: int, tail: bytes) -> None:
        self.head, self.block, self.tail = head, piece * 200, tail
        self.blocks, self.rest = count // 200, b""
        self.state = 0

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size and self.state < 2:
            if self.state == 0 and self.head:
                self.rest, self.head = self.rest + self.head, b""
            elif self.blocks:
                self.rest, self.blocks = self.rest + self.block, self.blocks - 1
            else:
                self.rest, self.state = self.rest + self.tail, 2
        out, self.rest = self.rest[:size], self.rest[size:]
        return out


def order_pieces() -> tuple[bytes, bytes, bytes]:
    start = ORDER.index(b"<ceb:Order>")
    return ORDER[:start], b"<ceb:Order><ceb:OrderHead/></ceb:Order>", ORDER[ORDER.rindex(b"</ceb:Order>") + 12 :]


def test_scan_of_250_000_documents_in_constant_memory() -> None:
    head, piece, tail = order_pieces()
    tracemalloc.start()
    seen = wire.scan(Endless(head, piece, 250_000, tail))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (seen.type, seen.documents, seen.complete) == ("CEB311Message", 250_000, False) or seen.complete
    assert seen.type == "CEB311Message" and seen.documents == 250_000
    assert [f.code for f in seen.faults] == ["-301015"] and seen.bytes_read < wire.LIMITS.bytes_max
    assert peak < 2_000_000


def test_scan_of_a_huge_file_stops() -> None:
    head, piece, tail = order_pieces()
    limits = wire.Limits(scan_bytes_max=1 << 20, bytes_max=1 << 19)
    seen = wire.scan(Endless(head, piece, 10**8, tail), limits)
    assert not seen.complete and seen.bytes_read == 1 << 20
    assert [f.code for f in seen.faults] == ["CEB-XML-010", "-301015"] and seen.faults[1].found.startswith("≥")


def test_scan_of_a_path(tmp_path: Path) -> None:
    path = tmp_path / "order.xml"
    path.write_bytes(ORDER)
    assert wire.scan(path) == wire.Scan("CEB311Message", 2, len(ORDER), True, [])
    assert wire.scan(str(path)).documents == 2
    path.write_bytes(ORDER.decode().replace("UTF-8", "GBK").encode("gbk"))
    assert wire.scan(path).documents == 2 and not wire.scan(path).faults


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "CEB-XML-001"),
        (ORDER[:-9], "CEB-XML-002"),
        (b"hello", "CEB-XML-003"),
        (DECLARED + b"<!DOCTYPE a [" + BOMB + b"]><a>&l9;</a>", "CEB-XML-004"),
        (ORDER.decode().encode("utf-16"), "CEB-XML-006"),
        (
            ORDER.decode().replace("UTF-8", "GBK").encode("gbk").replace(b"</ceb:note>", b"\xff</ceb:note>"),
            "CEB-XML-007",
        ),
        (ORDER.replace(b"</ceb:note>", b"<d>" * 40 + b"</d>" * 40 + b"</ceb:note>"), "CEB-XML-011"),
        (b"<a/>", "CEB-XML-020"),
        (b"<CEB311Message/>", "CEB-XML-021"),
    ],
)
def test_scan_finds_what_parse_refuses(raw: bytes, code: str) -> None:
    assert [f.code for f in wire.scan(io.BytesIO(raw)).faults] == [code]
    assert code_of(raw) == code


def test_many_faulty_lines_are_judged_quickly_and_listed_up_to_a_limit() -> None:
    count = FAULTS_MAX + SIBLINGS_MAX
    raw = raw_of(made("CEB711Message", full=False, lines=1))
    start, end = raw.index(b"<ceb:DeliveryList>"), raw.index(b"</ceb:DeliveryList>") + len(b"</ceb:DeliveryList>")
    line = raw[start:end]
    good = raw[:start] + line * count + raw[end:]
    message, faults = wire.parse(good)
    assert message is not None and len(message.documents[0].lines) == count and not faults
    bad = raw[:start] + line.replace(b">1<", b"><") * count + raw[end:]
    message, faults = wire.parse(bad)
    assert message is None and len(faults) == FAULTS_MAX + 1
    assert faults[-1].code == "CEB-SCHEMA-098" and faults[6].path == "Delivery/DeliveryList[7]/gnum"


# --- what is understood ----------------------------------------------------------------------------

SAME = wire.parse(ORDER)[0]


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "utf8", "GB2312", "gb2312", "GBK", "GB18030"])
@pytest.mark.parametrize("crlf", [False, True])
def test_encodings(encoding: str, crlf: bool) -> None:
    text = ORDER.decode().replace("'UTF-8'", f'"{encoding}"')
    if crlf:
        text = text.replace("><", ">\r\n<")
    raw = text.encode(encoding)
    message, faults = wire.parse(raw)
    assert message == SAME and not faults
    tree = wire.parse_tree(raw)
    assert tree.raw is raw and tree.encoding == (
        "UTF-8" if "8" in encoding[-2:] and "180" not in encoding else encoding.upper()
    )


def test_gb18030_holds_every_character() -> None:
    text = ORDER.decode().replace("note1值000000", "\U0001f600龘é", 1).replace("UTF-8", "GB18030")
    message, _ = wire.parse(text.encode("gb18030"))
    assert message is not None and message.documents[0].head.note == "\U0001f600龘é"


@pytest.mark.parametrize(
    "declared", ["", "<?xml version='1.0'?>", "<?xml version='1.0' encoding='GBK'?>", DECLARED.decode()]
)
def test_byte_order_mark_beats_the_declaration(declared: str) -> None:
    text = ORDER.decode().replace(DECLARED.decode(), declared)
    message, faults = wire.parse(b"\xef\xbb\xbf" + text.encode())
    assert message == SAME and not faults


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("prefix", ["ceb", "", "x", "a.b-c_1"])
def test_prefixes(name: str, prefix: str) -> None:
    raw = raw_of(made(name))
    old = "ceb:" if not MESSAGES[name].receipt else ""
    new = f"{prefix}:" if prefix else ""
    names = {name, *(f.name for fields in ENTITIES[NEWEST].values() for f in fields), *ENTITIES[NEWEST]}
    names |= {shape.group for shape in MESSAGES.values() if shape.group}
    text = re.sub(rf"(</?){old}({'|'.join(sorted(names, key=len, reverse=True))})\b", rf"\1{new}\2", raw.decode())
    text = re.sub(
        r"xmlns(:ceb)?=\"http://www.chinaport", f'xmlns{":" + prefix if prefix else ""}="http://www.chinaport', text
    )
    tree = wire.parse_tree(text.encode())
    assert tree.prefix == prefix
    message, faults = wire.parse(text.encode())
    assert not faults and message == wire.parse(raw)[0]


def test_two_prefixes_for_one_namespace() -> None:
    raw = ORDER.replace(b" guid=", f' xmlns:o="{NAMESPACE}" guid='.encode(), 1)
    raw = raw.replace(b"<ceb:orderNo>", b"<o:orderNo>").replace(b"</ceb:orderNo>", b"</o:orderNo>")
    message, faults = wire.parse(raw)
    assert not faults and message == SAME


def test_cdata_comments_and_instructions_inside_values() -> None:
    head = SAME.documents[0].head  # type: ignore[union-attr]
    value = head.itemName if hasattr(head, "itemName") else head.orderNo
    as_text = f">{value}<"
    for written in (
        f"><![CDATA[{value}]]><",
        f">{value[:3]}<!-- c -->{value[3:]}<",
        f">{value[:3]}<?p i?><![CDATA[{value[3:]}]]><",
        f">&#{ord(value[0])};&#x{ord(value[1]):x};{value[2:]}<",
    ):
        for many in (1, 50):
            base = times("CEB311Message", many).decode() if many > 1 else ORDER.decode()
            raw = base.replace(as_text, written).encode()
            assert raw != base.encode()
            message, faults = wire.parse(raw)
            assert not faults and message == wire.parse(base.encode())[0]


def test_tree_keeps_white_space_and_comments_for_the_signature() -> None:
    raw = ORDER.replace(b"<ceb:OrderHead>", b" \n\t<!-- c --><ceb:OrderHead>  ")
    root = wire.parse_tree(raw).root
    assert etree.tostring(root, method="c14n") == etree.tostring(etree.fromstring(raw), method="c14n")
    assert b" \n\t<!-- c --><ceb:OrderHead>  " in etree.tostring(root)


def test_absent_is_none_and_empty_is_empty() -> None:
    for empty in ("<ceb:note></ceb:note>", "<ceb:note/>", "<ceb:note />", "<ceb:note><![CDATA[]]></ceb:note>"):
        for base in (ORDER, times("CEB311Message", 30)):
            absent = re.sub(rb"<ceb:note>[^<]*</ceb:note>", b"", base)
            raw = absent.replace(b"</ceb:OrderHead>", empty.encode() + b"</ceb:OrderHead>")
            for text, note in ((absent, None), (raw, "")):
                message, faults = wire.parse(text)
                assert not faults and message is not None
                assert {document.head.note for document in message.documents} == {note}


@pytest.mark.parametrize("base", [ORDER, times("CEB311Message", 30)])
def test_an_empty_fixed_element_has_its_value(base: bytes) -> None:
    for empty in (b"<ceb:currency/>", b"<ceb:currency></ceb:currency>"):
        message, faults = wire.parse(base.replace(b"<ceb:currency>142</ceb:currency>", empty))
        assert not faults and message is not None
        assert {document.head.currency for document in message.documents} == {"142"}


def test_numbers() -> None:
    raw = ORDER.replace(b"<ceb:freight>12.5<", b"<ceb:freight> +0012.50\n<", 1).replace(
        b"<ceb:gnum>1<", b"<ceb:gnum> 01 <", 1
    )
    message, faults = wire.parse(raw)
    assert not faults and message is not None
    assert message.documents[0].head.freight == Decimal("12.5") and message.documents[0].lines[0].gnum == 1


def variants(name: str) -> list[bytes]:
    """One message in many spellings, each with more than TEXT_BYTES_MIN bytes."""
    shape = MESSAGES[name]
    count = min(shape.documents_max or 60, 60)
    out = []
    for full in (True, False):
        raw = raw_of(made(name, full=full, documents=count, lines=3 if count > 1 else 90))
        spaced = re.sub(rb"(?<=>)(?=<)", b"\n  ", raw)
        fields = [f.name for f in ENTITIES[NEWEST][shape.head] if f.type == "text" and not f.min]
        colon = "" if shape.receipt else "ceb:"
        empties = raw
        for field in fields:
            empties = re.sub(
                f"<{colon}{field}>[^<]*</{colon}{field}>".encode(), f"<{colon}{field} />".encode(), empties
            )
        out += [
            raw,
            spaced,
            spaced.replace(b"\n", b"\r\n"),
            empties,
            raw.replace("值".encode(), b"&amp;&lt;&#x503c;&#13;"),
        ]
        out.append(re.sub(rb"(?<=\w)>", b"\n>", raw))
    return [raw for raw in out if len(raw) >= rows.TEXT_BYTES_MIN]


@pytest.mark.parametrize("name", MESSAGES)
def test_both_ways_of_reading_agree(name: str) -> None:
    by_text = 0
    for raw in variants(name):
        tree = wire.parse_tree(raw)
        expected = rows.documents_by_tree(tree)
        found = rows.documents_by_text(tree)
        assert found is None or found == expected
        by_text += found is not None
    assert by_text >= len(variants(name)) // 2 if variants(name) else name == "CEB900Message"


def test_documents_in_a_comment_are_not_read() -> None:
    raw = times("CEB311Message", 40)
    start = raw.index(b"<ceb:CEB311Message")
    other = raw[start:].replace(b"orderNo1", b"orderNoX")
    comment = b"<!-- " + other.replace(b"--", b"==") + b" -->"
    for hidden in (raw[:start] + comment + raw[start:], raw.replace(b"<ceb:Order>", comment + b"<ceb:Order>", 1)):
        message, faults = wire.parse(hidden)
        assert not faults and message is not None and message == wire.parse(raw)[0]
    attribute = raw.replace(b" guid=", b' xsi:schemaLocation="> &lt;ceb:Order>" guid=', 1)
    assert wire.parse(attribute)[0] == wire.parse(raw)[0]


def test_the_tail() -> None:
    assert SAME is not None
    assert SAME.transfer == BaseTransfer(*(f"{f}1值".ljust(n, "0")[:n] for f, n in (
        ("copCode", 12), ("copName", 12), ("dxpMode", 3), ("dxpId", 12), ("note", 12))))  # fmt: skip
    assert len(SAME.subscribes) == 1 and SAME.extend is not None
    assert SAME.extend.Message == '<ns0:anything xmlns:ns0="urn:own">content</ns0:anything>'
    assert (SAME.guid, SAME.version, SAME.schema) == (GUID, "1.0", NEWEST)


def test_schema_version_is_told() -> None:
    message, _ = wire.parse(ORDER, schema="2016-08")
    assert message is not None and message.schema == "2016-08"
    with pytest.raises(ValueError, match="2022-05, 2016-08"):
        wire.parse(ORDER, schema="2030-01")
    with pytest.raises(ValueError, match="2022-05, 2016-08"):
        wire.write(message, schema="2030-01")


def test_versions_differ_in_itemNo_and_tradeCountry() -> None:
    raw = raw_of(made("CEB621Message", documents=1, lines=1))
    long = re.sub(rb"<ceb:itemNo>[^<]*", b"<ceb:itemNo>" + b"x" * 25, raw)
    assert [f.code for f in wire.parse(long)[1]] == ["CEB-SCHEMA-007"]
    assert wire.parse(long, schema="2016-08")[1] == []
    short = re.sub(rb"<ceb:tradeCountry>[^<]*", b"<ceb:tradeCountry>11", raw)
    assert wire.parse(short)[1] == []
    assert [f.code for f in wire.parse(short, schema="2016-08")[1]] == ["CEB-SCHEMA-008"]


def test_threads_share_nothing() -> None:
    raw, found = times("CEB311Message", 50), []
    expected = wire.parse(raw)[0]

    def read() -> None:
        found.extend(wire.parse(raw)[0] == expected for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40


# --- every fault -----------------------------------------------------------------------------------


def test_all_faults_not_the_first() -> None:
    raw = raw_of(made("CEB621Message", documents=3, lines=2)).decode()
    documents_raw = re.findall(r"<ceb:Inventory>.*?</ceb:Inventory>", raw, re.DOTALL)
    first, second, third = documents_raw
    bad_first = first.replace("<ceb:freight>12.5<", "<ceb:freight><").replace(
        "<ceb:currency>142<", "<ceb:currency>502<", 1
    )
    line = re.search(r"<ceb:InventoryList>.*?</ceb:InventoryList>", second, re.DOTALL)[0]  # type: ignore[index]
    bad_line = line.replace("<ceb:qty>12.5</ceb:qty>", "").replace("ceb:unit1>", "ceb:Unit1>")
    bad_second = second.replace(line, bad_line, 1)
    name = re.search(r"<ceb:buyerName>([^<]*)<", third)[1]  # type: ignore[index]
    bad_third = third.replace(name, "王" * 61, 1) + "stray"
    for old, new in ((first, bad_first), (second, bad_second), (third, bad_third)):
        raw = raw.replace(old, new, 1) if old != second else raw
    at = raw.index(bad_first) + len(bad_first)
    raw = raw[:at] + raw[at:].replace(second, bad_second, 1)
    message, faults = wire.parse(raw.encode())
    assert message is None
    found = {(f.code, f.document, f.path) for f in faults}
    assert found >= {
        ("CEB-SCHEMA-010", 1, "Inventory[1]/InventoryHead/freight"),
        ("CEB-SCHEMA-009", 1, "Inventory[1]/InventoryHead/currency"),
        ("CEB-SCHEMA-019", None, "CEB621Message"),
    }
    text = str([(f.code, f.path, f.expected) for f in faults])
    assert "InventoryList[1]/qty" in text and "InventoryList[1]/Unit1" in text and "InventoryList[1]/unit1" in text
    long = next(f for f in faults if f.path.endswith("buyerName"))
    assert (
        long.found == "王" + "*" * 60
        and long.expected == "1..60 个字符 / characters"
        and "61" in long.message.en
        and "61" in long.message.zh
    )


@pytest.mark.parametrize("name", ["CEB311Message", "CEB513Message", "CEB623Message"])
def test_the_documents_that_fit_can_be_read(name: str) -> None:
    root = made(name, documents=4)
    whole = wire.parse(raw_of(root))[0]
    assert whole is not None
    raw = raw_of(root).replace(b"<ceb:appType>", b"<ceb:appType>12", 1)
    third = raw.index(b"<ceb:appTime>", raw.index(b"<ceb:appTime>", raw.index(b"<ceb:appTime>") + 1) + 1)
    raw = raw[:third] + b"<ceb:odd/>" + raw[third:]
    tree = wire.parse_tree(raw)
    found = wire.readable(tree, wire.schema_faults(tree))
    assert found is not None
    message, numbers = found
    assert numbers == (2, 4) and message.documents == (whole.documents[1], whole.documents[3])
    assert message.transfer == whole.transfer
    (note,) = wire.unjudged(tree, numbers)
    assert (note.code, note.severity, note.document) == ("CEB-SCHEMA-097", "info", None)
    assert "document 1, 3," in note.message.en and "第 1, 3 份" in note.message.zh
    assert wire.unjudged(tree, (1, 2, 3, 4)) == []
    assert "document 1-4," in wire.unjudged(tree, ())[0].message.en


def test_a_bad_tail_is_left_out_and_a_cut_list_reads_nothing() -> None:
    tree = wire.parse_tree(re.sub(rb"<ceb:dxpMode>[^<]*<", b"<ceb:dxpMode>HTTP<", ORDER))
    faults = wire.schema_faults(tree)
    found = wire.readable(tree, faults)
    assert found is not None and found[0].transfer is None and found[1] == tuple(range(1, len(found[1]) + 1))
    assert wire.readable(tree, [*faults, fault("CEB-SCHEMA-098", expected=1)]) is None


def one_fault(raw: bytes) -> Fault:
    message, faults = wire.parse(raw)
    assert message is None and len(faults) == 1, faults
    return faults[0]


def test_misplaced_is_one_fault_and_says_where_it_belongs() -> None:
    head = re.search(rb"<ceb:appType>[^<]*</ceb:appType>", ORDER)[0]  # type: ignore[index]
    moved = ORDER.replace(head, b"", 1).replace(b"<ceb:currency>", head + b"<ceb:currency>", 1)
    found = one_fault(moved)
    assert (found.code, found.path) == ("CEB-SCHEMA-003", "Order[1]/OrderHead/appType")
    assert found.remedy.en == "move it behind guid" and found.remedy.zh == "移到 guid 之后"


def test_numbers_in_faults_have_words() -> None:
    price = re.search(rb"<ceb:price>[^<]*<", ORDER)[0]  # type: ignore[index]
    for value, code, expected in (
        (b"1.123456", "CEB-SCHEMA-014", "最多 5 位小数 / at most 5 decimals"),
        (b"9" * 20, "CEB-SCHEMA-013", "最多 19 位数字 / at most 19 digits"),
        (b"one", "CEB-SCHEMA-011", "数字 / a number"),
    ):
        found = one_fault(ORDER.replace(price, b"<ceb:price>" + value + b"<", 1))
        assert (found.code, found.expected) == (code, expected)
        assert "/" not in found.message.zh.replace(found.path, "") + found.remedy.zh.replace(found.path, "")


def test_sources_are_read_in_both_languages() -> None:
    from cebport.messages import certificates, envelope, fields

    neutral = re.compile(r"(?:XML 1\.0|X\.509|GB[/T]* \d+|PKCS#\d+|W3C [\w .]+)(?:, (?:GB[/T]* \d+|PKCS#\d+))*")
    for entries in (catalog(), envelope.catalog(), fields.catalog(), certificates.catalog()):
        for code, entry in entries.items():
            zh, _, en = entry["source"].rpartition(" / ")
            whole = re.search("[\u4e00-\u9fff]", zh) and en and not re.search("[\u4e00-\u9fff]", en)
            assert whole or neutral.fullmatch(entry["source"]), f"{code}: {entry['source']}"
    old = wire.schema_faults(wire.parse_tree(ORDER.replace(b"<ceb:price>", b"<ceb:price>x", 1)), "2016-08")
    assert {found.source for found in old} == {"报文结构 XSD 2016-08 / message schema 2016-08"}


def test_the_list_of_messages_is_said_once() -> None:
    found = refused(b"<a/>")[0]
    assert "CEB900Message" in found.expected and "CEB900Message" not in found.remedy.en + found.remedy.zh


def test_misspelled_gets_a_hint() -> None:
    found = wire.parse(ORDER.replace(b"ceb:acturalPaid>", b"ceb:actualPaid>", 2))[1]
    assert [f.code for f in found] == ["CEB-SCHEMA-002", "CEB-SCHEMA-001"]
    assert "acturalPaid" in found[0].remedy.en and "acturalPaid" in found[0].remedy.zh


def test_wrong_namespace_is_said() -> None:
    found = one_fault(ORDER.replace(b"<ceb:note>", b'<note xmlns="urn:x">', 1).replace(b"</ceb:note>", b"</note>", 1))
    assert (found.code, found.found, found.expected) == ("CEB-SCHEMA-015", "urn:x", NAMESPACE)


def test_missing_signature() -> None:
    root = made("CEB621Message", full=False, signed=False)
    found = one_fault(raw_of(root))
    assert (found.code, found.path, found.document) == ("CEB-SCHEMA-001", "ds:Signature", None)


def test_personal_values_never_show() -> None:
    secret = "X9" * 60
    for name in MESSAGES:
        shape = MESSAGES[name]
        for field in ENTITIES[NEWEST][shape.head]:
            if field.name not in PERSONAL or field.max is None:
                continue
            raw = raw_of(made(name, documents=1)).decode()
            raw = re.sub(rf"(<(?:ceb:)?{field.name}>)[^<]*", rf"\g<1>{secret * 5}", raw)
            _, faults = wire.parse(raw.encode())
            said = str([f.as_dict() for f in faults])
            assert faults and secret not in said and secret[:10] not in said
    stray = ORDER.replace(b"<ceb:OrderHead>", b"<ceb:OrderHead>" + secret.encode(), 1)
    assert secret not in str(wire.parse(stray)[1])


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("buyerName", "张三丰", "张**"),
        ("buyerName", "张", "*"),
        ("payerIdNumber", "110101199003078515", "1101************15"),
        ("buyerIdNumber", "123456", "1*****"),
        ("consigneeTelephone", "13800138000", "138******00"),
        ("telephone", "110", "1**"),
        ("consigneeAddress", "广东省广州市天河区", "广东省广州市***"),
        ("consigneeAddress", "广东", "广*"),
        ("consignee", "", ""),
        ("oriBizMessage", "<a/>", "(4 characters)"),
        ("orderNo", "A1", "A1"),
    ],
)
def test_masks(field: str, value: str, shown: str) -> None:
    assert mask(field, value) == shown


def test_fault_words_are_whole() -> None:
    names = (
        "where_zh where_en detail_zh detail_en offset guess_zh guess_en zh en after_zh after_en hint_zh hint_en "
        "empty_zh empty_en"
    )
    values = dict.fromkeys([*names.split(), "count", "line", "most", "span", "documents"], "x")
    for code in catalog():
        made_fault = fault(code, path="p", found="f", expected="e", **values)
        for words in (made_fault.message, made_fault.remedy):
            assert words.zh and words.en and "{" not in words.zh + words.en
            assert re.search("[\u4e00-\u9fff]|x", words.zh) and not re.search("[\u4e00-\u9fff]", words.en)
    assert {shape.full for shape in MESSAGES.values() if shape.full} <= set(catalog())


# --- receipts --------------------------------------------------------------------------------------


def test_live_tax_bill_with_extra_elements_warns() -> None:
    raw = raw_of(made("CEB816Message", documents=1))
    for extra in ("logisticsNo", "logisticNo"):
        live = raw.replace(b"</TaxHeadRd>", f"<orderNo>A</orderNo><{extra}>B</{extra}></TaxHeadRd>".encode())
        message, faults = wire.parse(live)
        assert message == wire.parse(raw)[0]
        assert [(f.code, f.severity) for f in faults] == [("CEB-SCHEMA-002", WARNING)] * 2
        assert not is_valid(schema_faults(wire.parse_tree(live)))
        assert b"orderNo" not in wire.write(message)
    assert wire.parse(raw.replace(b"</TaxHeadRd>", b"<other>A</other></TaxHeadRd>"))[0] is None


@pytest.mark.parametrize("name", ["CEB622Message", "CEB624Message", "CEB626Message"])
def test_swapped_and_loose_fields_of_receipts_warn(name: str) -> None:
    raw = raw_of(made(name, documents=1)).decode()
    echo = [re.search(rf"<{field}>[^<]*</{field}>", raw)[0] for field in ("ebpCode", "ebcCode", "agentCode")]  # type: ignore[index]
    for code in echo:
        raw_moved = raw.replace(code, "", 1).replace("<returnStatus>", f"{code}<returnStatus>", 1)
        message, faults = wire.parse(raw_moved.encode())
        assert message == wire.parse(raw.encode())[0]
        assert [(f.code, f.severity) for f in faults] == [("CEB-SCHEMA-003", WARNING)]
    pre = re.search(r"<preNo>[^<]*</preNo>", raw)[0]  # type: ignore[index]
    for written, value in (
        ("", None),
        ("<preNo/>", ""),
        ("<preNo>B1</preNo>", "B1"),
        (f"<preNo>{'B' * 19}</preNo>", "B" * 19),
    ):
        message, faults = wire.parse(raw.replace(pre, written).encode())
        assert message is not None and message.documents[0].head.preNo == value
        assert [f.severity for f in faults] == [WARNING]
    cop = re.search(r"<copNo>[^<]*</copNo>", raw)[0]  # type: ignore[index]
    assert wire.parse(raw.replace(cop, "").encode())[0] is None


def test_declarations_are_not_read_leniently() -> None:
    head = re.search(rb"<ceb:ebpCode>[^<]*</ceb:ebpCode>", ORDER)[0]  # type: ignore[index]
    assert wire.parse(ORDER.replace(head, b"", 1).replace(b"<ceb:currency>", head + b"<ceb:currency>", 1))[0] is None


# --- tables ----------------------------------------------------------------------------------------


def test_generated_files_are_what_the_tables_say() -> None:
    run = subprocess.run(
        [sys.executable, REPO / "tools/gen.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")


def test_counts_of_the_standard() -> None:
    assert len(MESSAGES) == 19 and len(ENTITIES[NEWEST]) == 27
    assert len({field.name for fields in ENTITIES[NEWEST].values() for field in fields}) == 114
    assert set(documents.ENTITIES) == set(ENTITIES[NEWEST])
    for entity, fields in ENTITIES[NEWEST].items():
        assert documents.ENTITIES[entity].__struct_fields__ == tuple(field.name for field in fields)


def test_records_are_frozen_and_positional() -> None:
    transfer = BaseTransfer("C", "N", "DXP", "D")
    assert transfer.note is None and transfer == BaseTransfer(copCode="C", copName="N", dxpMode="DXP", dxpId="D")
    with pytest.raises(AttributeError):
        transfer.note = "x"  # type: ignore[misc]
    assert BaseSubscribe("ALL", "DXP", "A").note is None
