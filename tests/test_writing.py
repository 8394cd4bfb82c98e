"""Writing: every message back to the bytes it was, in every dialect; and the CEB900, whatever came."""

from __future__ import annotations

import io
import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from messages_made import GUID, ORDER, SIGNATURE, made, raw_of, refused, times

from cebport.faults import Malformed
from cebport.messages import documents, rows, wire, writing
from cebport.messages.documents import Document, ExtendMessage, Message
from cebport.messages.shape import ENTITIES, MESSAGES, NAMESPACE, NEWEST, VERSIONS

DECLARED = b"<?xml version='1.0' encoding='UTF-8'?>"
SAME = wire.parse(ORDER)[0]
BOMB = b'<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;"><!ENTITY l9 "&b;&b;&b;">'


XML_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12)
ANY_TEXT = st.one_of(
    XML_TEXT, st.sampled_from(["&<>\"'", "]]>", "\t\n\r", " a ", "\u3000", "%s %d", "\U0001f600", "&amp;"])
)


def record_of(draw: st.DrawFn, entity: str) -> object:
    values = []
    for field in ENTITIES[NEWEST][entity]:
        if not field.required and draw(st.booleans()):
            values.append(None)
        elif field.fixed:
            values.append(field.fixed)
        elif field.type == "decimal":
            values.append(draw(st.decimals("-99999999", "99999999", places=draw(st.integers(0, 5)))))
        elif field.type == "int":
            values.append(draw(st.integers(0, 99999)))
        elif field.type == "element":
            values.append(draw(st.sampled_from(["", "<a></a>", '<n:a xmlns:n="urn:n" b="&lt;">x<!-- c --></n:a>'])))
        else:
            low, high = field.min, field.max if field.max is not None else 40
            text = draw(ANY_TEXT)
            values.append((text * (low // max(1, len(text)) + 1) if len(text) < low else text)[:high].ljust(low, "0"))
    return documents.ENTITIES[entity](*values)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    name = draw(st.sampled_from(list(MESSAGES)))
    shape = MESSAGES[name]
    count = 1 if shape.documents_max == 1 else draw(st.integers(1, 3))
    made_documents = tuple(
        Document(
            record_of(draw, shape.head),
            tuple(record_of(draw, shape.line) for _ in range(draw(st.integers(1, 2)))) if shape.line else (),
        )
        for _ in range(count)
    )
    tail = ()
    if not shape.receipt:
        subscribes = tuple(record_of(draw, "BaseSubscribe") for _ in range(draw(st.integers(0, 2))))
        extend = record_of(draw, "ExtendMessage") if draw(st.booleans()) else None
        tail = (record_of(draw, "BaseTransfer"), subscribes, extend)
    guid = draw(st.text("0123456789ABCDEF-", min_size=36, max_size=36))
    return Message(name, guid, draw(st.sampled_from(["1.0", '"<&', "2\n"])), made_documents, *tail)


DIALECTS = st.builds(
    wire.Dialect,
    prefix=st.sampled_from([None, "ceb", "", "x"]),
    encoding=st.sampled_from(list(writing.CODECS)),
    declaration=st.just(True),
    indent=st.booleans(),
    empty_elements=st.just(False),
)


def signed(raw: bytes, name: str) -> bytes:
    """With a Signature where the schema wants one."""
    if MESSAGES[name].signature != "required":
        return raw
    end = raw.rindex(b"</")
    return raw[:end] + SIGNATURE.encode() + raw[end:]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(messages(), DIALECTS)
def test_round_trip(message: Message, dialect: wire.Dialect) -> None:
    raw = signed(wire.write(message, dialect=dialect), message.type)
    again, faults = wire.parse(raw)
    assert not faults and again == message
    assert rows.documents_by_text(wire.parse_tree(raw)) in (None, message.documents)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(messages())
def test_what_is_written_is_canonical(message: Message) -> None:
    """Declarations without an XML declaration are their own C14N, so that signing hashes what was written."""
    raw = wire.write(message, dialect=wire.Dialect(declaration=False))
    if message.type == "CEB900Message" or (message.extend and message.extend.Message):
        return
    assert etree.tostring(etree.fromstring(raw), method="c14n") == raw


def test_written_text() -> None:
    receipt = documents.OrderReturn(GUID, "P1", "E1", "A&B", "2", "20261101100005000", "新增<成功>")
    raw = wire.write(Message("CEB312Message", GUID, "1.0", (Document(receipt),)))
    assert raw.decode() == (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<CEB312Message xmlns="{NAMESPACE}" guid="{GUID}" version="1.0">'
        f"<OrderReturn><guid>{GUID}</guid><ebpCode>P1</ebpCode><ebcCode>E1</ebcCode><orderNo>A&amp;B</orderNo>"
        "<returnStatus>2</returnStatus><returnTime>20261101100005000</returnTime>"
        "<returnInfo>新增&lt;成功&gt;</returnInfo></OrderReturn></CEB312Message>"
    )


def test_dialects() -> None:
    assert SAME is not None
    raw = wire.write(SAME)
    assert raw.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<ceb:CEB311Message xmlns:ceb=')
    plain = wire.write(SAME, dialect=wire.Dialect(prefix="", declaration=False))
    assert plain.startswith(b'<CEB311Message xmlns="')
    indented = wire.write(SAME, dialect=wire.Dialect(indent=True)).decode()
    assert "\n  <ceb:Order>\n    <ceb:OrderHead>\n      <ceb:guid>" in indented
    gbk = wire.write(SAME, dialect=wire.Dialect(encoding="GBK"))
    assert "值".encode("gbk") in gbk and b'encoding="GBK"' in gbk and wire.parse(gbk)[0] == SAME
    sparse = wire.parse(raw_of(made("CEB311Message", full=False)))[0]
    assert sparse is not None and b"note" not in wire.write(sparse)
    empties = wire.write(sparse, dialect=wire.Dialect(empty_elements=True))
    assert b"<ceb:note/>" in empties and b"consigneeDistrict" not in empties
    again, faults = wire.parse(empties)
    assert not faults and again is not None and again.documents[0].head.note == ""
    with pytest.raises(ValueError, match="UTF-8"):
        wire.write(SAME, dialect=wire.Dialect(encoding="UTF-16"))


def test_a_character_the_encoding_lacks_is_numbered() -> None:
    receipt = documents.OrderReturn(GUID, "P1", "E1", "\U0001f600龘", "2", "20261101100005000", "é")
    message = Message("CEB312Message", GUID, "1.0", (Document(receipt),))
    for encoding in writing.CODECS:
        assert wire.parse(wire.write(message, dialect=wire.Dialect(encoding=encoding)))[0] == message
    unreadable = wire.unreadable_receipt("😀]]>\r\n".encode(), [], guid=GUID, return_time="2" * 17)
    for encoding in writing.CODECS:
        again, faults = wire.parse(wire.write(unreadable, dialect=wire.Dialect(encoding=encoding)))
        assert not faults and again == unreadable


def writing_code(message: Message) -> str:
    with pytest.raises(Malformed) as caught:
        wire.write(message)
    return caught.value.faults[0].code


def test_what_cannot_be_written() -> None:
    assert SAME is not None
    replace = msgspec.structs.replace
    head = SAME.documents[0].head

    def with_head(**changes: object) -> Message:
        return replace(SAME, documents=(Document(replace(head, **changes), SAME.documents[0].lines),))

    assert writing_code(with_head(consignee=None)) == "CEB-XML-041"
    assert writing_code(with_head(guid=None)) == "CEB-XML-041"
    for bad in ("\x00", "\x1f", "\ud800", "\uffff"):
        assert writing_code(with_head(note=f"a{bad}")) == "CEB-XML-042"
    assert writing_code(replace(SAME, guid="\x01")) == "CEB-XML-042"
    for bad in ("text", "<a>", "<a/><b/>", "<?xml version='1.0'?><a/>", "<!DOCTYPE a><a/>", "<x:a/>"):
        assert writing_code(replace(SAME, extend=ExtendMessage("a", "1", bad))) == "CEB-XML-043"
    assert writing_code(replace(SAME, documents=(Document(SAME.transfer),))) == "CEB-XML-044"
    assert writing_code(replace(SAME, transfer=None)) == "CEB-XML-044"
    assert writing_code(with_head(freight=Decimal("NaN"))) == "CEB-XML-044"
    assert writing_code(replace(SAME, type="OrderHead")) == "CEB-XML-020"
    cancel = wire.parse(raw_of(made("CEB623Message")))[0]
    assert cancel is not None
    extra = replace(cancel, documents=(Document(cancel.documents[0].head, (cancel.documents[0].head,)),))
    assert writing_code(extra) == "CEB-XML-044"


def test_numbers_are_written_without_exponent() -> None:
    assert SAME is not None
    head = SAME.documents[0].head
    for number, text in (
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-5"), "0.00001"),
        (Decimal("2.50"), "2.50"),
        (Decimal(0), "0"),
    ):
        changed = msgspec.structs.replace(head, freight=number)
        raw = wire.write(msgspec.structs.replace(SAME, documents=(Document(changed, SAME.documents[0].lines),)))
        assert f"<ceb:freight>{text}</ceb:freight>".encode() in raw


def test_control_characters_in_receipts_become_replacements() -> None:
    receipt = documents.OrderReturn(GUID, "P1", "E1", "A", "2", "20261101100005000", "a\x00b\ud800\x0bc\td")
    again, faults = wire.parse(wire.write(Message("CEB312Message", GUID, "1.0", (Document(receipt),))))
    assert not faults and again is not None and again.documents[0].head.returnInfo == "a\ufffdb\ufffd\ufffdc\td"


# --- CEB900 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", VERSIONS)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\xff\xfe",
        b"hello ]]> ]]]]>> <![CDATA[ &amp;",
        ORDER[:1000],
        ORDER.decode().replace("UTF-8", "GBK").encode("gbk")[:-5],
        "😀".encode("utf-16"),
        b"\r\n<a>\r</a>\n",
        b"x" * 2_000_000,
        DECLARED + b"<!DOCTYPE a [" + BOMB + b"]><a>&l9;</a>",
    ],
)
def test_unreadable_receipt_is_valid_whatever_came(raw: bytes, schema: str) -> None:
    faults = refused(raw)
    receipt = wire.unreadable_receipt(raw, faults, guid=GUID, return_time="20261101100005000")
    written = wire.write(receipt, schema=schema)
    again, found = wire.parse(written, schema=schema)
    assert not found and again is not None and again.documents == receipt.documents
    head = receipt.documents[0].head
    assert head.returnStatus == "-1" and faults[0].code in head.returnInfo and faults[0].message.zh in head.returnInfo
    assert len(head.oriBizMessage) <= writing.ORIGINAL_CHARS_MAX


def test_unreadable_receipt_says_what_and_whose() -> None:
    raw = ORDER[:3000]
    receipt = wire.unreadable_receipt(
        raw, refused(raw), guid=GUID, return_time="20261101100005000", ori_cop_msg_id="M1"
    )
    head = receipt.documents[0].head
    assert (receipt.type, receipt.guid, head.guid, head.returnTime) == (
        "CEB900Message",
        GUID,
        GUID,
        "20261101100005000",
    )
    assert (head.oriCopMsgId, head.oriMessageType) == ("M1", "CEB311Message")
    assert head.oriBizMessage == raw.decode("utf-8", "replace").replace("\r\n", "\n")
    assert b"<![CDATA[<?xml" in wire.write(receipt)
    unknown = wire.unreadable_receipt(b"?", [], guid=GUID, return_time="2" * 17)
    assert unknown.documents[0].head.oriMessageType == "Unknown"
    named = wire.unreadable_receipt(b"?", [], guid=GUID, return_time="2" * 17, message_type="CEB621Message")
    assert named.documents[0].head.oriMessageType == "CEB621Message"


def test_unreadable_receipt_carries_the_official_code() -> None:
    raw = times("CEB621Message", 101)
    head = wire.unreadable_receipt(raw, refused(raw), guid=GUID, return_time="2" * 17).documents[0].head
    assert head.returnStatus == "-621030"


def test_unreadable_receipt_is_cut() -> None:
    faults = wire.parse(re.sub(rb"<ceb:(freight|price|qty)>[^<]*", rb"<ceb:\1>", times("CEB621Message", 60)))[1]
    assert len(faults) > 100
    receipt = wire.unreadable_receipt(
        b"<" * 1_000_000, faults, guid=GUID, return_time="2" * 17, ori_cop_msg_id="M" * 300
    )
    head = receipt.documents[0].head
    assert len(head.returnInfo) == 5000 and head.returnInfo.endswith("…")
    assert len(head.oriBizMessage) == writing.ORIGINAL_CHARS_MAX and len(head.oriCopMsgId) == 255
    again, found = wire.parse(wire.write(receipt))
    assert not found and again == receipt


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of any kind with some of its bytes cut, doubled or replaced."""
    raw = raw_of(made(draw(st.sampled_from(list(MESSAGES))), documents=1, lines=1))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 40)))
        put_in = draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b"<", b">", b"&", b"<!--", b"]]>", b"\xff", b'"']))
        )
        raw = raw[:start] + draw(st.sampled_from([b"", put_in, raw[start:end] * 2])) + raw[end:]
    return raw


@settings(max_examples=600, deadline=None, derandomize=True)
@given(damaged())
def test_damaged_bytes_are_read_or_refused_and_always_answered(raw: bytes) -> None:
    try:
        message, faults = wire.parse(raw)
    except Malformed as malformed:
        message, faults = None, list(malformed.faults)
    assert message is not None or faults
    wire.scan(io.BytesIO(raw))
    if message is None:
        receipt = wire.unreadable_receipt(raw, faults, guid=GUID, return_time="2" * 17)
        assert wire.parse(wire.write(receipt)) == (receipt, [])
