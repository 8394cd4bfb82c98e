"""The DXP envelope: both forms, both ways, in every dress the field sends; answers; what is refused."""

import base64
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cebport.faults import SEVERITIES, Malformed, is_valid
from cebport.messages import codes, documents, envelope
from cebport.messages.documents import Document, Message
from cebport.messages.envelope import Envelope, ServerRoute, answer, copies, is_envelope, read_answer, unwrap, wrap
from cebport.values import BEIJING

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
PAYLOAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ceb:CEB311Message>订单</ceb:CEB311Message>'.encode()
ROUTE = ServerRoute("00000001202611240900000000000001", "2026-11-24T09:00:01", "00000002", "00000001", "1")
GOOD = {
    "message_type": "CEB311Message",
    "sender": "DXPENT0000000001",
    "receivers": ["DXPEDCCEB0000002"],
    "cop_msg_id": "00000000-0000-4000-8000-000000000001",
    "created_at": datetime(2026, 11, 24, 9, tzinfo=BEIJING),
}


def letter(data: str = base64.b64encode(PAYLOAD).decode(), **changes: str) -> bytes:
    """A DxpMsg written by hand, each part replaceable."""
    part = {
        "open": '<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp" ver="1.0">', "close": "</DxpMsg>",
        "cop": "<CopMsgId>1</CopMsgId>", "sender": "<SenderId>DXPENT0000000001</SenderId>",
        "receivers": "<ReceiverIds><ReceiverId>DXPEDCCEB0000002</ReceiverId></ReceiverIds>",
        "created": "<CreatTime>2026-11-24T09:00:00</CreatTime>", "type": "<MsgType>CEB311Message</MsgType>",
        "data": f"<Data>{data}</Data>", "add": "", "prolog": "",
    } | changes  # fmt: skip
    return (
        part["prolog"] + part["open"] + "<TransInfo>" + part["cop"] + part["sender"] + part["receivers"]
        + part["created"] + part["type"] + "</TransInfo>" + part["data"] + part["add"] + part["close"]
    ).encode()  # fmt: skip


def schema(name: str) -> etree.XMLSchema | None:
    path = SHARED / "ceb/xsd/2018" / name
    return etree.XMLSchema(etree.parse(str(path))) if path.exists() else None


# --- there and back ------------------------------------------------------------------------------------------


def test_a_message_goes_in_and_comes_out():
    raw = wrap(PAYLOAD, **GOOD, file_name="CEB311Message1", ic_card="1", keys={"DealFlag": "1", "RetType": "1"})
    assert unwrap(raw) == Envelope(
        payload=PAYLOAD,
        kind="DxpMsg",
        cop_msg_id=GOOD["cop_msg_id"],
        sender="DXPENT0000000001",
        receivers=("DXPEDCCEB0000002",),
        created_at="2026-11-24T09:00:00",
        message_type="CEB311Message",
        add_info=envelope.AddInfo("CEB311Message1", "1", (("DealFlag", "1"), ("RetType", "1"))),
    )


def test_a_server_route_goes_in_and_comes_out():
    raw = wrap(PAYLOAD, **GOOD, server=ROUTE)
    found = unwrap(raw)
    assert (found.kind, found.server, found.payload, found.faults) == ("DxpMsgSv", ROUTE, PAYLOAD, ())
    moment = datetime(2026, 11, 24, 1, 0, 1, tzinfo=UTC)
    assert wrap(PAYLOAD, **GOOD, server=ROUTE._replace(send_time=moment)) == raw


def test_times_are_beijing_times():
    for moment in (datetime(2026, 11, 24, 1, tzinfo=UTC), datetime(2026, 11, 24, 9)):
        assert wrap(PAYLOAD, **GOOD | {"created_at": moment}) == wrap(PAYLOAD, **GOOD)


@settings(max_examples=150, deadline=None)
@given(
    payload=st.binary(min_size=1, max_size=500),
    text=st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="￾￿"), min_size=1, max_size=60),
    receivers=st.lists(st.text("DXPENT0123456789", min_size=1, max_size=16), min_size=1, max_size=5),
    in_server=st.booleans(),
)
def test_anything_that_fits_comes_back_and_fits_the_schema(payload, text, receivers, in_server):
    given_ = GOOD | {"receivers": receivers, "cop_msg_id": text}
    raw = wrap(payload, **given_, file_name=text, keys={"k": text}, server=ROUTE if in_server else None)
    found = unwrap(raw)
    assert found.payload == payload
    assert found.receivers == tuple(receivers)
    assert found.cop_msg_id == text.strip() and found.add_info.keys == (("k", text),)
    assert [fault.code for fault in found.faults] in ([], ["CEB-DXP-001"])
    if (official := OFFICIAL[in_server]) is not None:
        official.assertValid(etree.fromstring(raw))


OFFICIAL = (schema("terminal-dxp.xsd"), schema("transfer-dxp.xsd"))


# --- what the field sends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        letter(),
        letter(prolog="\ufeff<?xml version='1.0' encoding='utf-8'?>\n<!-- sent by <DxpMsg> -->\n<?x y?>\n"),
        letter().replace(b"<", b"<dxp:").replace(b"<dxp:/", b"</dxp:").replace(b"xmlns=", b"xmlns:dxp="),
        letter(data="\n" + base64.encodebytes(PAYLOAD).decode() + "  "),
        letter(data=base64.encodebytes(PAYLOAD).decode().replace("\n", "\r\n\t")),
        letter(data=f"<![CDATA[{base64.b64encode(PAYLOAD).decode()}]]>"),
        letter(data=f"<!-- now --> {base64.b64encode(PAYLOAD).decode()}"),
        letter(data=base64.b64encode(PAYLOAD).decode().replace("=", "&#61;").replace("+", "&#x2b;")),
        letter(add="<AddInfo><FileName>Data.xml</FileName></AddInfo>"),
        letter(add="<AddInfo><FileName>订单.xml</FileName><IsText Encode='GBK'/></AddInfo>"),
        letter(created="<CreatTime>2026-11-24T09:00:00.1234567+08:00</CreatTime>"),
        letter(created="<CreatTime>2026-11-24T01:00:00Z</CreatTime>"),
        letter(created="<CreatTime>2026-11-24T24:00:00</CreatTime>"),
        letter(open='<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp" '
                    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Id="a1" ver="1.0">'),
    ],
)  # fmt: skip
def test_dresses(raw):
    found = unwrap(raw)
    assert found.payload == PAYLOAD
    assert found.faults == ()
    assert (found.sender, found.receivers) == ("DXPENT0000000001", ("DXPEDCCEB0000002",))
    assert is_envelope(raw) and is_envelope(raw[: envelope.HEAD_BYTES])


def test_an_envelope_in_gbk():
    add = "<AddInfo><FileName>订单.xml</FileName></AddInfo>"
    text = letter(prolog='<?xml version="1.0" encoding="GB2312"?>', add=add).decode()
    found = unwrap(text.encode("gbk"))
    assert found.add_info.file_name == "订单.xml"
    assert found.payload == PAYLOAD


@pytest.mark.parametrize(
    "raw",
    [PAYLOAD, b"", b"<DxpRep/>", b"<x><DxpMsg/></x>", b"<!-- <DxpMsg> --><CEB311Message/>", b"<DxpMsgs/>",
     b"PK\x03\x04", "<DxpMsg/>".encode("utf-16")],
)  # fmt: skip
def test_what_is_no_envelope_comes_back_bare(raw):
    assert not is_envelope(raw)
    assert unwrap(raw) == Envelope(payload=raw, kind="bare")


def test_a_signature_is_seen():
    signature = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    assert unwrap(letter(add=signature)).signed
    assert unwrap(letter(add=signature)).faults == ()
    assert not unwrap(letter()).signed
    outer = wrap(PAYLOAD, **GOOD, server=ROUTE).replace(b"</DxpMsgSv>", signature.encode() + b"</DxpMsgSv>")
    assert unwrap(outer).signed


def test_a_large_envelope():
    payload = b"<CEB311Message>" + os.urandom(1) * 12_000_000
    raw = wrap(payload, **GOOD)
    assert unwrap(raw).payload == payload
    slow = raw.replace(b"<Data>", b"<Data><!-- the long way -->")
    assert unwrap(slow).payload == payload


# --- what is wrong but readable ------------------------------------------------------------------------------

RECEIVER = "<ReceiverId>DXPENT0000000002</ReceiverId>"


@pytest.mark.parametrize(
    ("raw", "code", "severity", "path"),
    [
        (letter(sender="<SenderId>DXPENT00000000001</SenderId>"), "0002", "error", "TransInfo/SenderId"),
        (letter(sender="<SenderId>EXP2016522002580001</SenderId>"), "0002", "warning", "TransInfo/SenderId"),
        (letter(sender=""), "0002", "error", "TransInfo/SenderId"),
        (letter(cop="<CopMsgId/>"), "0002", "error", "TransInfo/CopMsgId"),
        (letter(cop=f"<CopMsgId>{'1' * 256}</CopMsgId>"), "0002", "error", "TransInfo/CopMsgId"),
        (letter(receivers="<ReceiverIds><ReceiverId/></ReceiverIds>"), "2001", "error", "ReceiverIds/ReceiverId"),
        (letter(receivers=f"<ReceiverIds>{RECEIVER * 6}</ReceiverIds>"), "0002", "error", "ReceiverIds/ReceiverId"),
        (letter(receivers="<ReceiverIds/>"), "0002", "error", "ReceiverIds/ReceiverId"),
        (letter(created="<CreatTime>2026-11-24 09:00:00</CreatTime>"), "0002", "error", "TransInfo/CreatTime"),
        (letter(created="<CreatTime>2026-02-30T09:00:00</CreatTime>"), "0002", "error", "TransInfo/CreatTime"),
        (letter(type=f"<MsgType>{'x' * 31}</MsgType>", data="eA=="), "0002", "error", "MsgType"),
        (letter(type="<MsgType>CEB411Message</MsgType>"), "CEB-DXP-001", "warning", "TransInfo/MsgType"),
        (letter(type=""), "0002", "error", "TransInfo/MsgType"),
        (letter(add="<AddInfo><Extra/></AddInfo>"), "0002", "warning", "AddInfo/Extra"),
        (letter(add="<AddInfo><IcCard>1</IcCard><FileName>a</FileName></AddInfo>"), "0002", "warning", "FileName"),
        (letter(add="<AddInfo><IcCard>12345678901234</IcCard></AddInfo>"), "0002", "error", "AddInfo/IcCard"),
        (letter(add=f'<AddInfo><BizKey><Key name="{"k" * 33}">1</Key></BizKey></AddInfo>'), "0002", "error", "@name"),
        (letter(open='<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp">'), "0002", "warning", "DxpMsg/@ver"),
        (letter(open='<DxpMsg ver="1.0">'), "0002", "error", "DxpMsg"),
    ],
)
def test_faults_have_answer_codes(raw, code, severity, path):
    found = unwrap(raw)
    assert found.payload in (PAYLOAD, b"x")
    assert [(fault.code, fault.severity) for fault in found.faults] == [(code, severity)]
    assert found.faults[0].path.endswith(path)


def test_all_faults_are_told():
    raw = letter(sender="<SenderId/>", cop="", created="<CreatTime>now</CreatTime>")
    assert len(unwrap(raw).faults) == 3


def test_a_route_that_is_wrong():
    raw = wrap(PAYLOAD, **GOOD, server=ROUTE)
    wrong = raw.replace(b"2026-11-24T09:00:01", b"today").replace(b"<EndNode>00000002", b"<EndNode>000000002")
    assert [fault.path for fault in unwrap(wrong).faults] == ["DxpMsgSv/SvNo/SendTime", "DxpMsgSv/SvNo/EndNode"]
    assert [fault.path for fault in unwrap(raw.replace(b' Ver="1.0"', b"")).faults] == ["DxpMsgSv/SvNo/@Ver"]


# --- what cannot be read -------------------------------------------------------------------------------------

LAUGHS = '<!DOCTYPE DxpMsg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (letter()[:-3], "0001"),
        (letter(data="!!!!"), "0001"),
        (letter(data="QUJ"), "0001"),
        (letter(data=""), "0001"),
        (letter(data="<x/>"), "0001"),
        (letter(data="QUJD\u00a0"), "0001"),
        (letter(data="QU JD&b;"), "0001"),
        (letter().replace(b"<Data>", b"<Dat>").replace(b"</Data>", b"</Dat>"), "0002"),
        (b"<DxpMsgSv ver='1.0' xmlns='http://www.chinaport.gov.cn/dxp'/>", "0002"),
        (letter(prolog=LAUGHS), "0999"),
        (letter(prolog='<?xml version="1.0" encoding="UTF-7"?>'), "0999"),
        (letter(prolog='<?xml version="1.0" encoding="IBM037"?>'), "0999"),
        (letter(add="<x/>" * 10_001), "0999"),
        (letter(data="&#65;" * 4, add="<x " + " ".join(f'a{n}=""' for n in range(10_001)) + "/>"), "0999"),
        (letter(data="A" * envelope.ENVELOPE_BYTES_MAX), "0999"),
    ],
)
def test_unreadable(raw, code):
    with pytest.raises(Malformed) as caught:
        unwrap(raw)
    assert code in [fault.code for fault in caught.value.faults]


def test_a_hostile_beginning_is_told_apart_quickly():
    assert not is_envelope(b"<?a?>" * 800 + b"<x>")
    assert not is_envelope(b"<!-- -->" * 500 + b"<x>")
    assert not is_envelope(b"<!DOCTYPE a [" * 300)


# --- writing what cannot be written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "codes_expected"),
    [
        ({"sender": "EXP2016522002580001"}, ["0002"]),
        ({"receivers": []}, ["0002"]),
        ({"receivers": ["DXPENT0000000001"] * 6}, ["0002"]),
        ({"receivers": ["", "DXPENT00000000001"]}, ["2001", "2001"]),
        ({"cop_msg_id": ""}, ["0002"]),
        ({"cop_msg_id": "a\x00"}, ["0001"]),
        ({"message_type": "x" * 31}, ["0002"]),
        ({"file_name": "x" * 256}, ["0002"]),
        ({"ic_card": "1" * 14}, ["0002"]),
        ({"keys": {"k" * 33: ""}}, ["0002", "0002"]),
        ({"keys": {str(n): "1" for n in range(6)}}, ["0002"]),
        ({"server": ROUTE._replace(end_node="123456789", send_time="today")}, ["0002", "0002"]),
        ({"server": ROUTE._replace(sub_msg_id="12", msg_id="")}, ["0002", "0002"]),
        ({"payload": b""}, ["0001"]),
    ],
)
def test_what_does_not_fit_is_not_written(changes, codes_expected):
    with pytest.raises(Malformed) as caught:
        wrap(**{"payload": PAYLOAD} | GOOD | changes)
    assert [fault.code for fault in caught.value.faults] == codes_expected
    assert not is_valid(caught.value.faults)


# --- answers -------------------------------------------------------------------------------------------------

SENDER = "DXPENT0000000001"


def test_an_answer_goes_out_and_comes_back():
    raw = answer(unwrap(wrap(PAYLOAD, **GOOD)), "2001", "no <such> id", receiver=SENDER, node="00000001",
                 notice_day=date(2026, 11, 24))  # fmt: skip
    (response,) = read_answer(raw)
    assert response.code == "2001"
    assert response.meaning.zh == "接收方不存在"
    assert response.info == "no <such> id"
    assert (response.node, response.notice_day) == ("00000001", "2026-11-24")
    assert (response.cop_msg_id, response.sender, response.message_type) == (
        GOOD["cop_msg_id"], SENDER, "CEB311Message",
    )  # fmt: skip
    assert not is_envelope(raw)
    if OFFICIAL[0] is not None:
        OFFICIAL[0].assertValid(etree.fromstring(raw))


def test_an_answer_about_a_bad_envelope_is_itself_good():
    bad = letter(sender="<SenderId>EXP2016522002580001</SenderId>", cop=f"<CopMsgId>{'1' * 300}</CopMsgId>",
                 created="<CreatTime>now</CreatTime>", receivers=f"<ReceiverIds>{RECEIVER * 7}</ReceiverIds>",
                 type=f"<MsgType>{'x' * 40}</MsgType>")  # fmt: skip
    raw = answer(unwrap(bad), "0002", "长" * 400, receiver=SENDER, notice_day=date(2026, 11, 24))
    (response,) = read_answer(raw)
    assert response.sender == "EXP2016522002580"
    assert len(response.info) == 300
    assert unwrap(letter(cop="", sender="", type="")).faults
    empty = answer(unwrap(letter(cop="", sender="", receivers="", type="")), "0002", receiver=SENDER,
                   notice_day=date(2026, 11, 24))  # fmt: skip
    assert read_answer(empty)[0].info == ""
    if OFFICIAL[0] is not None:
        OFFICIAL[0].assertValid(etree.fromstring(raw))
        OFFICIAL[0].assertValid(etree.fromstring(empty))


def test_an_answer_with_results():
    head = letter().split(b"<TransInfo>")[1].split(b"</TransInfo>")[0].decode()
    raw = (
        '<d:DxpRep xmlns:d="http://www.chinaport.gov.cn/dxp" ver="1.0"><RecevierId>1</RecevierId>'
        "<Response><ResponseCode>4711</ResponseCode><Results><Result><RecId>DXPENT0000000002</RecId>"
        "<Code>3003</Code><Info>slow</Info><Note>n</Note></Result></Results>"
        f"<NoticeTime>2026-11-24</NoticeTime><Note>m</Note><OriHead>{head}</OriHead></Response>"
        "<Response><ResponseCode>77</ResponseCode></Response></d:DxpRep>"
    ).encode()
    first, second = read_answer(raw)
    assert first.meaning.en == codes.name("dxpErrorCodes", "4000-9999", "en")
    assert first.note == "m"
    assert first.results[0].meaning.zh == "远程超时"
    assert first.results[0][:2] == ("DXPENT0000000002", "3003")
    assert (second.meaning.en, second.sender, second.results) == ("", "", ())


def test_what_is_no_answer():
    with pytest.raises(Malformed):
        read_answer(letter())
    with pytest.raises(Malformed):
        read_answer(b"<DxpRep")
    with pytest.raises(Malformed):
        read_answer(b"<!DOCTYPE DxpRep><DxpRep/>")
    with pytest.raises(ValueError, match="bare"):
        answer(unwrap(PAYLOAD), "0001", receiver=SENDER, notice_day=date(2026, 11, 24))


# --- who gets a copy, who sent it ----------------------------------------------------------------------------


def message(*subscribes: tuple[str, str], dxp_id: str = SENDER) -> Message:
    return Message(
        type="CEB513Message", guid="g", version="1.0", documents=(Document(None),),
        transfer=documents.BaseTransfer(copCode="3302000TE5", copName="", dxpMode="DXP", dxpId=dxp_id),
        subscribes=tuple(documents.BaseSubscribe(what, "DXP", address) for what, address in subscribes),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("subscribes", "expected"),
    [
        ([], []),
        ([("ALL", "A"), ("DATA", "B"), ("RET", "C")], [("A", "ALL"), ("B", "DATA"), ("C", "RET")]),
        ([("DATA", "B"), ("ALL", "A"), ("RET", "B")], [("B", "ALL"), ("A", "ALL")]),
        ([("DATA", "B"), ("DATA", " B ")], [("B", "DATA")]),
        ([("all", "A"), ("", "B"), ("RET", " ")], []),
    ],
)
def test_copies(subscribes, expected):
    assert copies(message(*subscribes)) == expected


def test_the_sender_is_the_one_of_the_message():
    found = unwrap(wrap(PAYLOAD, **GOOD))
    assert envelope.route_faults(found, message()) == []
    assert envelope.route_faults(found, message(dxp_id="")) == []
    assert envelope.route_faults(unwrap(PAYLOAD), message(dxp_id="DXPENT0000000009")) == []
    (fault,) = envelope.route_faults(found, message(dxp_id="DXPENT0000000009"))
    assert (fault.code, fault.severity) == ("2002", "warning")


# --- catalog and samples -------------------------------------------------------------------------------------


def test_catalog_is_well_made():
    for name, entry in envelope.catalog().items():
        assert name.startswith("DXP-")
        assert codes.known("dxpErrorCodes", entry["code"]) or entry["code"].startswith("CEB-DXP-")
        assert entry["severity"] in SEVERITIES and entry["source"]
        assert set(entry["message"]) == set(entry["remedy"]) == {"zh", "en"}
        used = f'"{name}"'
        assert used in Path(envelope.__file__).read_text(encoding="utf-8")


def test_shared_samples():
    folder = SHARED / "ceb/local/samples"
    for path in sorted(folder.glob("Dxp*CEB622.xml")):
        found = unwrap(path.read_bytes())
        assert found.faults == ()
        assert found.kind == path.name.split("_")[0]
        assert found.payload == (folder / "CEB622.xml").read_bytes()
        assert (found.sender, found.receivers) == (envelope.IMPORT_CENTRE, (SENDER,))
    for path in sorted(folder.glob("DxpRep*.xml")):
        assert read_answer(path.read_bytes())[0].code
