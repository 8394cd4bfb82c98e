"""The envelope (传输报文): DxpMsg, DxpMsgSv and the exchange platform's answer DxpRep.

A business message travels as base64 in a DxpMsg (from a company's own client), which third-party platforms
put into a DxpMsgSv with the route between nodes. ``unwrap`` reads both, in any prefix, and bare messages too;
what is wrong but readable comes as faults with the official answer codes, which ``answer`` can send back.

>>> from datetime import datetime
>>> from cebport.values import BEIJING
>>> raw = wrap(b"<CEB311Message/>", message_type="CEB311Message", sender="DXPENT0000000001",
...     receivers=["DXPEDCCEB0000002"], cop_msg_id="1", created_at=datetime(2026, 11, 24, 9, tzinfo=BEIJING))
>>> envelope = unwrap(raw)
>>> envelope.kind, envelope.payload, envelope.sender
('DxpMsg', b'<CEB311Message/>', 'DXPENT0000000001')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pybase64
from lxml import etree

from cebport.faults import ERROR, Fault, Malformed, Words, fault_of
from cebport.messages import codes
from cebport.messages.catalog import syntax_words
from cebport.values import BEIJING

if TYPE_CHECKING:
    from cebport.messages.documents import Message

NAMESPACE = "http://www.chinaport.gov.cn/dxp"
IMPORT_CENTRE = "DXPEDCCEB0000002"
"""The exchange id of customs' import centre: it receives declarations and sends receipts."""

ENVELOPE_BYTES_MAX = 24 << 20
"""Room for the largest message (16 MiB) in base64."""
ENVELOPE_HEAD_BYTES_MAX = 1 << 20
"""So large may be what is not data (a file name, keys, a signature) to be read the fast way."""
WHITE_SPACE = (b"\n", b"\r", b" ", b"\t")
MARKUP_MAX = 10_000
"""So many tags, and so many attributes, an envelope may have: its data has none."""
HUGE_TEXT_BYTES = 10_000_000
"""libxml2 refuses longer texts unless told otherwise."""
HEAD_BYTES = 4096
"""So much of the beginning is looked at to tell an envelope from a message."""
ENCODINGS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030",
}  # fmt: skip
"""Declared encoding -> the one we read with."""

FAULTS_FILE = Path(__file__).with_name("tables") / "faults_dxp.yaml"


class ServerRoute(NamedTuple):
    """The route between nodes in a DxpMsgSv (SvNo).

    msg_id: at most 32 characters: 8 of the node, YYYYMMDDhhmmss, 10 of a serial number.
    send_time: text of the moment as written; wrap also takes a datetime.
    end_node, sta_node: node of destination and of entry, 8 digits.
    sub_msg_id: one character, where one message was split by receivers; else "".
    """

    msg_id: str
    send_time: str | datetime
    end_node: str
    sta_node: str
    sub_msg_id: str = ""


class AddInfo(NamedTuple):
    """What may stand beside the data: file name, card, business keys, character set, mapping id."""

    file_name: str = ""
    ic_card: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    encoding: str = ""
    rec_map_id: str = ""


class Envelope(NamedTuple):
    """What an envelope says. ``kind``: DxpMsg, DxpMsgSv, or bare (no envelope: payload is what came).

    created_at is the text as written; signed tells that a ds:Signature stands on the envelope.
    faults: all that is wrong with the envelope, with answer codes of the exchange platform.
    """

    payload: bytes
    kind: str
    cop_msg_id: str = ""
    sender: str = ""
    receivers: tuple[str, ...] = ()
    created_at: str = ""
    message_type: str = ""
    add_info: AddInfo | None = None
    server: ServerRoute | None = None
    signed: bool = False
    faults: tuple[Fault, ...] = ()


class Result(NamedTuple):
    """What became of an envelope at one of its receivers."""

    receiver: str
    code: str
    meaning: Words
    info: str
    note: str


class Response(NamedTuple):
    """One answer of the exchange platform about one envelope (named by cop_msg_id, sender, message_type)."""

    code: str
    meaning: Words
    info: str
    node: str
    notice_day: str
    cop_msg_id: str
    sender: str
    message_type: str
    results: tuple[Result, ...]
    note: str


# --- structure, as the DXP schemas have it ---------------------------------------------------------------

_CHILDREN: Mapping[str, tuple[tuple[str, int, int], ...]] = {
    "DxpMsgSv": (("SvNo", 1, 1), ("DxpMsg", 1, 1), ("Signature", 0, 1)),
    "SvNo": (("MsgId", 1, 1), ("SubMsgId", 0, 1), ("SendTime", 1, 1), ("EndNode", 1, 1), ("StaNode", 1, 1)),
    "DxpMsg": (("TransInfo", 1, 1), ("Data", 1, 1), ("AddInfo", 0, 1), ("Signature", 0, 1)),
    "TransInfo": (
        ("CopMsgId", 1, 1), ("SenderId", 1, 1), ("ReceiverIds", 1, 1), ("CreatTime", 1, 1), ("MsgType", 1, 1),
    ),
    "ReceiverIds": (("ReceiverId", 1, 5),),
    "AddInfo": (("FileName", 0, 1), ("IcCard", 0, 1), ("BizKey", 0, 1), ("IsText", 0, 1), ("RecMapId", 0, 1)),
    "BizKey": (("Key", 1, 5),),
}  # fmt: skip
"""Element -> its children in order, each with least and most."""

_LENGTHS: Mapping[str, tuple[int, int]] = {
    "MsgId": (1, 32), "SubMsgId": (1, 1), "EndNode": (1, 8), "StaNode": (1, 8), "CopMsgId": (1, 255),
    "SenderId": (1, 16), "ReceiverId": (1, 16), "MsgType": (0, 30), "FileName": (1, 255), "IcCard": (1, 13),
    "Key": (1, 64), "@name": (1, 32),
}  # fmt: skip
"""Element of text -> least and most characters."""

_MOMENTS = frozenset(("SendTime", "CreatTime"))
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
_OLD_ID = re.compile(r"[A-Z]{3}\d{16}").fullmatch
_PROLOG = (
    rb"\A(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*+"
    rb"<(?:[A-Za-z_][\w.-]*:)?"
)
_ENVELOPE_HEAD = re.compile(_PROLOG + rb"(?:DxpMsgSv|DxpMsg)[\s/>]", re.S)
_MESSAGE_HEAD = re.compile(_PROLOG + rb"([A-Za-z][A-Za-z0-9]*)[\s/>]", re.S)
_DATA_TAG = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)Data>")
_DECLARED = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([^"']+)["']""")
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(?:([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)"
    r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?"
).fullmatch


def is_envelope(raw_head: bytes) -> bool:
    """Whether the beginning of a file (HEAD_BYTES are enough) is a DxpMsg or DxpMsgSv."""
    return _ENVELOPE_HEAD.match(raw_head[:HEAD_BYTES]) is not None


@cache
def catalog() -> Mapping[str, Mapping[str, Any]]:
    """The faults of envelopes by our id: answer code, severity, source and words."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(FAULTS_FILE.read_text(encoding="utf-8"), loader)


def _fault(fault_id: str, path: str = "", found: object = "", expected: object = "", **more: Any) -> Fault:
    entry = catalog()[fault_id]
    code = entry["code"]
    return fault_of({code: entry}, code, path=path, found=found, expected=expected, **more)


# --- reading ---------------------------------------------------------------------------------------------


def unwrap(raw: bytes) -> Envelope:
    """Read an envelope; bytes whose root is not DxpMsg or DxpMsgSv come back as a bare message, unread.

    Faults that leave the payload readable are in ``faults`` (severity error: the exchange would refuse it).
    Raises Malformed when the payload cannot be had: not well-formed, too large, with a DTD, without Data, or
    with Data that is not base64.
    """
    if not is_envelope(raw):
        return Envelope(payload=raw, kind="bare")
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise Malformed(_fault("DXP-TOO-LARGE", "", len(raw), ENVELOPE_BYTES_MAX))
    rest, payload = _cut_data(raw)
    root = _read_xml(rest)
    kind = etree.QName(root).localname
    faults: list[Fault] = []
    namespace = etree.QName(root).namespace or ""
    if namespace != NAMESPACE:
        faults.append(_fault("DXP-NAMESPACE", kind, namespace, NAMESPACE))
    _check_structure(root, kind, faults)
    dxp_msg = root if kind == "DxpMsg" else _child(root, "DxpMsg")
    data = _child(dxp_msg, "Data")
    if data is None:
        raise Malformed(*faults)
    if not payload:
        payload = _decode(data, faults)
    info = _child(dxp_msg, "TransInfo")
    message_type = _text(info, "MsgType")
    inside = _MESSAGE_HEAD.match(payload[:HEAD_BYTES])
    if inside is not None and message_type and inside[1].decode("ascii") != message_type:
        faults.append(_fault("DXP-TYPE", "TransInfo/MsgType", message_type, inside[1].decode("ascii")))
    receivers = _children(_child(info, "ReceiverIds"), "ReceiverId")
    return Envelope(
        payload=payload,
        kind=kind,
        cop_msg_id=_text(info, "CopMsgId"),
        sender=_text(info, "SenderId"),
        receivers=tuple((each.text or "").strip() for each in receivers),
        created_at=_text(info, "CreatTime"),
        message_type=message_type,
        add_info=_read_add_info(_child(dxp_msg, "AddInfo")),
        server=_read_route(root) if kind == "DxpMsgSv" else None,
        signed=_child(root, "Signature") is not None or _child(dxp_msg, "Signature") is not None,
        faults=tuple(faults),
    )


def _cut_data(raw: bytes) -> tuple[bytes, bytes]:
    """The envelope without its data, and the decoded data: the XML parser need not see a third of a megabyte.

    Where anything is unusual (comments, CDATA, references, a second Data) the envelope comes back whole, with
    no bytes of data: then the parser decides.
    """
    opening = _DATA_TAG.search(raw)
    if opening is None:
        return raw, b""
    start = opening.end()
    end = raw.find(b"<", start)
    closing = b"</" + opening[1] + b"Data>"
    if not raw.startswith(closing, end):
        return raw, b""
    rest = raw[:start] + raw[end:]
    if rest.count(b"Data") != 2 or b"<!" in rest or len(rest) > ENVELOPE_HEAD_BYTES_MAX:
        return raw, b""
    try:
        return rest, _decode_base64(raw, start, end)
    except ValueError:
        return raw, b""


def _decode_base64(raw: bytes, start: int, end: int) -> bytes:
    """The base64 between two places, line breaks allowed; raises ValueError for all else."""
    if all(raw.find(blank, start, end) < 0 for blank in WHITE_SPACE):
        return pybase64.b64decode(memoryview(raw)[start:end], validate=True)
    data = raw[start:end]
    for blank in WHITE_SPACE:
        data = data.replace(blank, b"")
    return pybase64.b64decode(data, validate=True)


def _read_xml(raw: bytes) -> Any:
    """The root of well-formed bytes. No DTD, no entities, no network, named encodings only."""
    declared = _DECLARED.match(raw[:HEAD_BYTES])
    name = declared.group(1).decode("latin-1").lower() if declared else "utf-8"
    encoding = ENCODINGS.get(name)
    if encoding is None:
        raise Malformed(_fault("DXP-FORBIDDEN", "", name))
    if raw.count(b"<") > MARKUP_MAX or raw.count(b"=") > MARKUP_MAX:
        raise Malformed(_fault("DXP-COSTLY", "", max(raw.count(b"<"), raw.count(b"=")), MARKUP_MAX))
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise Malformed(_fault("DXP-FORBIDDEN", "", "DOCTYPE"))
    parser = etree.XMLParser(
        encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
        remove_pis=True, huge_tree=len(raw) > HUGE_TEXT_BYTES,
    )  # fmt: skip
    try:
        return etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as broken:
        number = broken.code if isinstance(broken, etree.XMLSyntaxError) else 0
        raise Malformed(_fault("DXP-UNREADABLE", **syntax_words("libxml", number, str(broken)))) from None


def _decode(data: Any, faults: list[Fault]) -> bytes:
    """The bytes in Data; line breaks in the base64 are allowed, all else is not."""
    text = data.text or ""
    if len(data):
        raise Malformed(*faults, _fault("DXP-BASE64", "DxpMsg/Data"))
    try:
        encoded = text.encode()
        payload = _decode_base64(encoded, 0, len(encoded))
    except ValueError:
        raise Malformed(*faults, _fault("DXP-BASE64", "DxpMsg/Data")) from None
    if not payload:
        raise Malformed(*faults, _fault("DXP-EMPTY", "DxpMsg/Data"))
    return payload


def _children(parent: Any, name: str) -> list[Any]:
    return [] if parent is None else [child for child in parent if etree.QName(child).localname == name]


def _child(parent: Any, name: str) -> Any:
    found = _children(parent, name)
    return found[0] if found else None


def _text(parent: Any, name: str) -> str:
    child = _child(parent, name)
    return "" if child is None else (child.text or "").strip()


def _read_add_info(element: Any) -> AddInfo | None:
    if element is None:
        return None
    is_text = _child(element, "IsText")
    keys = _children(_child(element, "BizKey"), "Key")
    return AddInfo(
        file_name=_text(element, "FileName"),
        ic_card=_text(element, "IcCard"),
        keys=tuple((key.get("name") or "", key.text or "") for key in keys),
        encoding="" if is_text is None else is_text.get("Encode", ""),
        rec_map_id=_text(element, "RecMapId"),
    )


def _read_route(root: Any) -> ServerRoute:
    number = _child(root, "SvNo")
    return ServerRoute(
        msg_id=_text(number, "MsgId"),
        send_time=_text(number, "SendTime"),
        end_node=_text(number, "EndNode"),
        sta_node=_text(number, "StaNode"),
        sub_msg_id=_text(number, "SubMsgId"),
    )


def _check_structure(element: Any, path: str, faults: list[Fault]) -> None:
    """Elements present, known, not too many, in order, of the right length: every fault."""
    name = etree.QName(element).localname
    version = {"DxpMsg": "ver", "DxpMsgSv": "ver", "SvNo": "Ver"}.get(name)
    if version and element.get(version) != "1.0":
        faults.append(_fault("DXP-VERSION", f"{path}/@{version}", element.get(version) or "", "1.0"))
    expected = _CHILDREN.get(name)
    if expected is None:
        _check_text(element, name, path, faults)
        return
    places = {child: place for place, (child, _, _) in enumerate(expected)}
    counts = dict.fromkeys(places, 0)
    last = 0
    for child in element:
        child_name = etree.QName(child).localname
        child_path = f"{path}/{child_name}"
        if child_name not in places:
            faults.append(_fault("DXP-UNKNOWN", child_path))
            continue
        counts[child_name] += 1
        if places[child_name] < last:
            faults.append(_fault("DXP-ORDER", child_path, child_name, ", ".join(places)))
        last = max(last, places[child_name])
        _check_structure(child, child_path, faults)
    for child_name, least, most in expected:
        if counts[child_name] < least:
            faults.append(_fault("DXP-MISSING", f"{path}/{child_name}"))
        elif counts[child_name] > most:
            faults.append(_fault("DXP-MANY", f"{path}/{child_name}", counts[child_name], most))


def _check_text(element: Any, name: str, path: str, faults: list[Fault]) -> None:
    text = element.text or ""
    if name in _MOMENTS:
        if not _is_date_time(text.strip()):
            faults.append(_fault("DXP-TIME", path, text, "YYYY-MM-DDThh:mm:ss"))
    elif name in _LENGTHS:
        faults.extend(_length_faults(name, path, text))
        if name == "Key" and (key_name := element.get("name")) is not None:
            faults.extend(_length_faults("@name", path + "/@name", key_name))


def _length_faults(name: str, path: str, text: str) -> Iterable[Fault]:
    least, most = _LENGTHS[name]
    if least <= len(text) <= most:
        return
    limit = f"{least}..{most}"
    if name in ("SenderId", "ReceiverId") and _OLD_ID(text):
        yield _fault("DXP-OLD-ID", path, text, most)
    elif name == "ReceiverId":
        yield _fault("DXP-RECEIVER", path, text, limit)
    else:
        yield _fault("DXP-LENGTH", path, text, limit, length=len(text))


def _is_date_time(text: str) -> bool:
    match = _DATE_TIME(text)
    if match is None:
        return False
    try:
        date.fromisoformat(match.group(1))
    except ValueError:
        return False
    return True


def route_faults(envelope: Envelope, message: Message) -> list[Fault]:
    """Whether envelope and message agree who sends: SenderId is the dxpId to which receipts go."""
    transfer = message.transfer
    if envelope.kind == "bare" or transfer is None or not transfer.dxpId or envelope.sender == transfer.dxpId:
        return []
    return [_fault("DXP-ADDRESS", "TransInfo/SenderId", envelope.sender, transfer.dxpId)]


def copies(message: Message) -> list[tuple[str, str]]:
    """Who else gets what of a message (订阅): DXP address and ALL, DATA (documents) or RET (receipts).

    Addresses in the order of the message, each once with all that it asked for; subscriptions without an
    address or of another status deliver nothing.
    """
    wanted: dict[str, set[str]] = {}
    for subscribe in message.subscribes:
        address, what = subscribe.dxpAddress.strip(), subscribe.status.strip()
        if address and what in ("ALL", "DATA", "RET"):
            wanted.setdefault(address, set()).add(what)
    return [(address, what.pop() if len(what) == 1 else "ALL") for address, what in wanted.items()]


# --- writing ---------------------------------------------------------------------------------------------


def wrap(
    payload: bytes,
    *,
    message_type: str,
    sender: str,
    receivers: Sequence[str],
    cop_msg_id: str,
    created_at: datetime,
    file_name: str | None = None,
    ic_card: str | None = None,
    keys: Mapping[str, str] | None = None,
    server: ServerRoute | None = None,
) -> bytes:
    """A DxpMsg (with ``server``: a DxpMsgSv) around a message, valid by the DXP schemas; not yet signed.

    created_at and the route's send_time are written in Beijing time to the second, without a zone; a datetime
    without a zone is taken as Beijing's.
    Raises Malformed with every fault when a part does not fit the schema (a sender of 19 characters).
    """
    texts: list[tuple[str, str | None]] = [
        ("CopMsgId", cop_msg_id), ("SenderId", sender), *(("ReceiverId", each) for each in receivers),
        ("MsgType", message_type), ("FileName", file_name), ("IcCard", ic_card),
        *(("Key", value) for value in (keys or {}).values()), *(("@name", name) for name in keys or {}),
    ]  # fmt: skip
    if server is not None:
        texts += [("MsgId", server.msg_id), ("EndNode", server.end_node), ("StaNode", server.sta_node)]
        texts.append(("SubMsgId", server.sub_msg_id or None))
    faults = _argument_faults([(name, text) for name, text in texts if text is not None])
    if not payload:
        faults.append(_fault("DXP-EMPTY", "DxpMsg/Data"))
    if server is not None and isinstance(server.send_time, str) and not _is_date_time(server.send_time):
        faults.append(_fault("DXP-TIME", "SendTime", server.send_time, "YYYY-MM-DDThh:mm:ss"))
    if faults:
        raise Malformed(*faults)
    start, end = (f'<DxpMsg xmlns="{NAMESPACE}" ver="1.0">', "</DxpMsg>")
    if server is not None:
        start = f'<DxpMsgSv xmlns="{NAMESPACE}" ver="1.0">{_write_route(server)}<DxpMsg ver="1.0">'
        end = "</DxpMsg></DxpMsgSv>"
    info = _write_trans_info(cop_msg_id, sender, receivers, _moment(created_at), message_type)
    more = _element("FileName", file_name) + _element("IcCard", ic_card) + _write_keys(keys or {})
    add_info = f"<AddInfo>{more}</AddInfo>" if more else ""
    before = f'<?xml version="1.0" encoding="UTF-8"?>\n{start}{info}<Data>'
    return b"".join((before.encode(), pybase64.b64encode(payload), f"</Data>{add_info}{end}".encode()))


def _argument_faults(texts: Sequence[tuple[str, str]]) -> list[Fault]:
    """What the schema would say of (element, text) given to wrap; an old 19-character id is an error here."""
    wrong = (fault for name, text in texts for fault in _length_faults(name, name, text))
    faults = [fault.with_severity(ERROR) for fault in wrong]
    faults += [_fault("DXP-TEXT", name) for name, text in texts if _NOT_XML(text)]
    names = [name for name, _ in texts]
    for name in ("ReceiverId", "Key"):
        if names.count(name) > 5:
            faults.append(_fault("DXP-MANY", name, names.count(name), 5))
    if "ReceiverId" not in names:
        faults.append(_fault("DXP-MISSING", "ReceiverId"))
    return faults


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=BEIJING)
    return moment.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")


def escape(text: str) -> str:
    """Text as XML content. (The standard library's own draws in its URL and HTTP packages.)"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoteattr(text: str) -> str:
    """Text as an XML attribute value in its quotes."""
    quoted = escape(text).replace('"', "&quot;").replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
    return f'"{quoted}"'


def _element(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _write_keys(keys: Mapping[str, str]) -> str:
    inner = "".join(f"<Key name={quoteattr(name)}>{escape(value)}</Key>" for name, value in keys.items())
    return f"<BizKey>{inner}</BizKey>" if inner else ""


def _write_trans_info(
    cop_msg_id: str, sender: str, receivers: Iterable[str], created_at: str, message_type: str
) -> str:
    ids = "".join(_element("ReceiverId", each) for each in receivers)
    return (
        f"{_element('CopMsgId', cop_msg_id)}{_element('SenderId', sender)}<ReceiverIds>{ids}</ReceiverIds>"
        f"<CreatTime>{created_at}</CreatTime><MsgType>{escape(message_type)}</MsgType>"
    ).join(("<TransInfo>", "</TransInfo>"))


def _write_route(route: ServerRoute) -> str:
    sent = route.send_time if isinstance(route.send_time, str) else _moment(route.send_time)
    return (
        f'<SvNo Ver="1.0">{_element("MsgId", route.msg_id)}{_element("SubMsgId", route.sub_msg_id)}'
        f"<SendTime>{escape(sent)}</SendTime>{_element('EndNode', route.end_node)}"
        f"{_element('StaNode', route.sta_node)}</SvNo>"
    )


# --- the exchange platform's answer ----------------------------------------------------------------------


def code_meaning(code: str) -> Words:
    """What an answer code of the exchange platform says; from 4000 on they are the receiver's own."""
    if code.isdigit() and len(code) == 4 and code >= "4000":
        code = "4000-9999"
    return Words(codes.name("dxpErrorCodes", code, "zh"), codes.name("dxpErrorCodes", code, "en"))


def answer(
    envelope: Envelope, code: str, info: str = "", *, receiver: str, node: str = "", notice_day: date
) -> bytes:
    """A DxpRep about an envelope: one response with a code of the list, to ``receiver`` (its sender).

    info: at most 300 characters, longer text is cut; node: 8 characters at most, "" = not said.
    What the envelope has too long is cut to the schema, so that the answer itself is valid.
    Raises ValueError for a bare message: nothing was exchanged that could be answered.
    """
    if envelope.kind == "bare":
        raise ValueError("a bare message has no exchange head to answer")
    created_at = envelope.created_at
    if not _is_date_time(created_at):
        created_at = f"{notice_day.isoformat()}T00:00:00"
    head = _write_trans_info(
        envelope.cop_msg_id[:255] or "0",
        envelope.sender[:16] or "0",
        [each[:16] for each in envelope.receivers[:5] if each] or ["0"],
        created_at,
        envelope.message_type[:30],
    )
    ori_head = head.replace("TransInfo>", "OriHead>")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<DxpRep xmlns="{NAMESPACE}" ver="1.0">'
        f"{_element('RecevierId', receiver[:16])}<Response>{_element('NodeId', node[:8])}"
        f"<ResponseCode>{escape(code)}</ResponseCode>{_element('ResponseInfo', info[:300])}"
        f"<NoticeTime>{notice_day.isoformat()}</NoticeTime>{ori_head}</Response></DxpRep>"
    ).encode()


def read_answer(raw: bytes) -> list[Response]:
    """The responses in a DxpRep, with what their codes mean. Raises Malformed when it is none."""
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise Malformed(_fault("DXP-TOO-LARGE", "", len(raw), ENVELOPE_BYTES_MAX))
    root = _read_xml(raw)
    name = etree.QName(root).localname
    if name != "DxpRep":
        raise Malformed(_fault("DXP-OTHER-ROOT", "", name, "DxpRep"))
    return [_read_response(element) for element in _children(root, "Response")]


def _read_response(element: Any) -> Response:
    head = _child(element, "OriHead")
    code = _text(element, "ResponseCode")
    return Response(
        code=code,
        meaning=code_meaning(code),
        info=_text(element, "ResponseInfo"),
        node=_text(element, "NodeId"),
        notice_day=_text(element, "NoticeTime"),
        cop_msg_id=_text(head, "CopMsgId"),
        sender=_text(head, "SenderId"),
        message_type=_text(head, "MsgType"),
        results=tuple(
            Result(
                receiver=_text(result, "RecId"),
                code=_text(result, "Code"),
                meaning=code_meaning(_text(result, "Code")),
                info=_text(result, "Info"),
                note=_text(result, "Note"),
            )
            for result in _children(_child(element, "Results"), "Result")
        ),
        note=_text(element, "Note"),
    )
