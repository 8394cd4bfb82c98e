"""Letters of the bonded side: the samples, every field of the facts, round trips, every fault, signatures, pockets."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import bonded_made as made
import jsonschema
import pytest
import referencing
import yaml
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import asdict, replace

from cebport import cli
from cebport.faults import ERROR, WARNING, Malformed, SettingsError, is_valid
from cebport.messages.bonded import making, records, shape
from cebport.messages.bonded.letter import ALL, NONE, Letter, Style, catalog, usual_style
from cebport.messages.bonded.reading import is_bonded, read_bonded
from cebport.messages.bonded.sealing import sign_bonded, verify_bonded
from cebport.messages.bonded.writing import write_bonded
from cebport.messages.certificates import read_certificate
from cebport.messages.trust import Entry, TrustStore
from cebport.messages.wire import LIMITS, Limits
from cebport.testing.keys import TestCard, make_card

FACTS = SHARED / "ceb" / "bonded.yaml"
SAMPLES = SHARED / "ceb" / "local" / "samples" / "bonded"
NAMES = sorted(path.name for path in SAMPLES.glob("*.xml"))
SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas"
SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))


@cache
def card(kind: str, seed: str = "tests") -> TestCard:
    return make_card(kind, made.ZONE, made.NAME, seed=seed, valid=SPAN)


def codes(found: object) -> list[tuple[str, str, str]]:
    """(last three digits, path, severity) of every fault."""
    return [(each.code[-3:], each.path, each.severity) for each in found]


# ── the facts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_read_and_written_again_byte_for_byte(name):
    raw = (SAMPLES / name).read_bytes()
    letter, found = read_bonded(raw)
    assert found == []
    assert (letter.type, letter.kept, letter.blanks) == (name.split("_")[0].removesuffix(".xml"), (), ())
    assert write_bonded(letter) == raw
    assert is_bonded(raw)


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_written_as_their_kind_usually_is(name):
    """Without the style that was read, nothing but the name of the encoding may differ."""
    raw = (SAMPLES / name).read_bytes()
    letter, _ = read_bonded(raw)
    again, came = (etree.fromstring(text) for text in (write_bonded(replace(letter, style=None)), raw))
    assert etree.tostring(again, method="c14n") == etree.tostring(came, method="c14n")


def facts() -> dict:
    """The published facts; without the folder that holds them there is nothing to compare with."""
    if not FACTS.exists():
        return {"messages": {}, "codes": {}}
    return yaml.safe_load(FACTS.read_text(encoding="utf-8"))


def entities_of_the_facts() -> list[tuple[str, dict]]:
    return [(re.sub(r"^[A-Z]{3}\d{3}_", "", name), entry) for name, entry in facts()["messages"].items()]


ALWAYS_WHOLE = {("InvtHeadType", "ChgTmsCnt")}
"""A text in the facts that always holds a whole number."""
UNSAID = {"PutrecSeqno", "EntryGdsSeqno"}
"""Conditional in the facts, which do not say on what."""


@pytest.mark.parametrize(("entity", "entry"), entities_of_the_facts())
def test_fields_are_those_of_the_facts(entity, entry):
    """Names letter by letter in their order, required marks, lengths, types."""
    ours = {field.name: field for field in shape.ENTITIES[entity]}
    order = list(ours)
    last = -1
    for said in entry["fields"]:
        field = ours[said["name"]]
        assert order.index(field.name) > last, f"{entity}/{field.name} is out of order"
        last = order.index(field.name)
        assert field.required == (said["required"] is True), f"{entity}/{field.name}"
        if field.type != "decimal" and field.name not in UNSAID:
            assert bool(field.need) == (said["required"] == "conditional"), f"{entity}/{field.name}"
        if (entity, field.name) not in ALWAYS_WHOLE:
            assert field.type == {"string": "text"}.get(said["type"], said["type"]), f"{entity}/{field.name}"
        if field.type == "text" and (most := said.get("length", said.get("max"))):
            assert field.max == most, f"{entity}/{field.name}"


def test_names_that_the_facts_mention_in_passing_are_there():
    """``then dclPlcCuscd, impexpMarkcd, …`` in a note or meaning."""
    for entity, entry in entities_of_the_facts():
        ours = {field.name for field in shape.ENTITIES[entity]}
        for said in entry["fields"]:
            text = f"{said['en']} {said.get('note', '')}"
            if found := re.search(r"then ((?:[A-Za-z]\w+, )*[A-Za-z]\w+)", text):
                named = {name for name in found[1].split(", ") if re.search(r"[a-z][A-Z]|^[a-z]+\d$|^rmk$", name)}
                assert named <= ours, f"{entity}/{said['name']}: {named - ours}"


LISTS = {"manageResult_INV201": "manageResult", "manageResult_SAS221": "passportResult",
         "passport_stucd": "passportStucd"}  # fmt: skip
PROSE = {"typecd", "duCode", "invtIochkptStucd", "passportUsedTypecd"}
"""Lists that the facts give as a sentence."""


def test_code_lists_are_those_of_the_facts():
    for name, rows in facts()["codes"].items():
        if name not in PROSE:
            assert set(shape.CODES[LISTS.get(name, name)].rows) == set(map(str, rows)), name


def test_numbers_look_like_those_of_the_facts():
    assert making.bond_invt_no("4300", 2026, "E", 1) == "QD430026E000000001"
    assert making.passport_no("4300", "E", date(2026, 11, 1), 1) == made.PASS and len(made.PASS) == 24
    assert making.seq_no(2026, 1) == made.SEQ and len(made.SEQ) == 18
    number = making.message_id("CUS0000", "E010000", made.NOW, 1)
    assert number == "CUS0000E0100002026110112000000000000001" and len(number) == 39
    assert making.answer_name("a.xml", True, made.NOW) == "Successed_a.xml_20261101120000"
    assert making.answer_name("a.xml", False, made.NOW) == "Failed_a.xml_20261101120000"
    assert made.inv101().envelope.file_name == "INV101_E_OWN0001_t-1.zip"
    for wrong in (
        lambda: making.seq_no(2026, -1), lambda: making.seq_no(2026, 10**14),
        lambda: making.bond_invt_no("43", 2026, "E", 1), lambda: making.bond_invt_no("4300", 2026, "X", 1),
        lambda: making.passport_no("4300", "", date(2026, 1, 1), 1),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()


# ── round trips ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", shape.MESSAGES)
def test_every_kind_goes_there_and_back(kind):
    letter = made.every_kind()[kind]
    raw = write_bonded(letter)
    again, found = read_bonded(raw)
    assert found == [] and again.type == kind
    assert write_bonded(again) == raw
    assert again.envelope == letter.envelope and again.pocket == letter.pocket
    if usual_style(kind).empty == NONE:
        assert again.body == letter.body


def test_a_receipt_shows_every_field():
    """What customs does not know it writes as an empty element."""
    raw = write_bonded(made.inv201())
    root = etree.fromstring(raw)
    for entity in ("BondInvtBsc", "BondInvtDt"):
        element = root.find(f".//{{{shape.NAMESPACE}}}{entity}")
        assert [etree.QName(child).localname for child in element] == [f.name for f in shape.ENTITIES[entity]]
    assert raw.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Package xmlns=')
    assert b"business_id" not in raw and b"<business_id>" in write_bonded(made.inv202())
    assert b"BondInvtBsc" not in write_bonded(made.stored())


CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
TEXTS = st.text(CHARACTERS, max_size=8)
SPACED = st.sampled_from(["", " ", "a\tb", "a\nb", "\r\n", "<&>\"'", "]]>", "𠮷", "测试"])
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=5)
INTS = st.integers(0, 2**31 - 1)


@st.composite
def filled(draw, entity: str):
    """A record with any values that can be written."""
    values = []
    for field in shape.ENTITIES[entity]:
        one = {"text": TEXTS | SPACED, "decimal": DECIMALS, "int": INTS}[field.type]
        values.append(draw(one if field.required else one | st.none()))
    return records.RECORDS[entity](*values)


@st.composite
def letters(draw):
    """Any letter that can be written."""
    form = draw(st.sampled_from(list(shape.MESSAGES.values())))
    if not form.parts:
        return Letter(draw(filled(form.leaves)))
    values = {}
    for part in form.parts:
        one = filled(part.entity)
        if part.many:
            values[part.attribute] = tuple(draw(st.lists(one, max_size=2)))
        else:
            values[part.attribute] = draw(one if part.least else one | st.none())
    for field in shape.ENTITIES[form.leaves] if form.leaves else ():
        values[field.name] = draw(TEXTS if field.required else TEXTS | st.none())
    envelope = draw(filled("EnvelopInfo"))
    return Letter(getattr(records, form.type)(**values), envelope, draw(filled("PocketInfo") | st.none()))


STYLES = st.builds(
    Style,
    encoding=st.sampled_from(["", "UTF-8", "utf-8", "GB2312", "gbk", "GB18030"]),
    namespace=st.sampled_from(["", shape.NAMESPACE]),
    indent=st.booleans(),
    empty=st.sampled_from([NONE, ALL]),
)


def blank(record: object, empty: str) -> object:
    """What becomes of a record when absent texts are written as empty elements."""
    if record is None or empty == NONE:
        return record
    fields = shape.ENTITIES[type(record).__name__]
    return replace(record, **{f.name: "" for f in fields if f.type == "text" and getattr(record, f.name) is None})


@settings(max_examples=150, deadline=None)
@given(letters(), STYLES)
def test_any_letter_goes_there_and_back(letter, style):
    raw = write_bonded(letter, style)
    again, _ = read_bonded(raw)
    assert (again.envelope, again.pocket) == (letter.envelope, letter.pocket)
    if not letter.shape.parts:
        assert again.body == letter.body
    for part in letter.shape.parts:
        held, back = getattr(letter.body, part.attribute), getattr(again.body, part.attribute)
        if part.many:
            assert back == tuple(blank(record, style.empty) for record in held)
        else:
            assert back == blank(held, style.empty)
    assert write_bonded(again) == raw
    assert read_bonded(write_bonded(again))[0] == again


def test_what_the_tables_do_not_know_is_kept():
    raw = write_bonded(made.inv101())
    extra = '<InvtDecHeadType a="1"><Any>一</Any><!-- x --></InvtDecHeadType>'
    raw = raw.replace(b"<OperCusRegCode>", extra.encode() + b"<Extra>1</Extra><OperCusRegCode>")
    raw = raw.replace(b"</InvtListType>", b"<Spare>2</Spare></InvtListType>")
    raw = raw.replace(b"</BussinessData>", b"<More/></BussinessData>")
    letter, found = read_bonded(raw)
    assert is_valid(found) and {each.code[-3:] for each in found} == {"002"}
    kept = [(each.path, each.xml) for each in letter.kept]
    assert kept == [
        ("InvtMessage", extra), ("InvtMessage", "<Extra>1</Extra>"),
        ("InvtMessage/InvtListType[1]", "<Spare>2</Spare>"), ("BussinessData", "<More/>"),
    ]  # fmt: skip
    again, _ = read_bonded(write_bonded(letter))
    assert again == letter
    receipt = write_bonded(made.inv201()).replace(b"<rmk/>", b"<rmk/><x>1</x>", 1)
    assert [(each.path, each.xml) for each in read_bonded(receipt)[0].kept] == [("INV201/HdeApprResult", "<x>1</x>")]


def test_blank_numbers_of_a_request_are_kept():
    raw = write_bonded(made.inv101()).replace(b"<LvyrlfModecd>", b"<GrossWt/><NetWt></NetWt><LvyrlfModecd>")
    letter, found = read_bonded(raw)
    assert found == []
    assert letter.blanks == ("InvtMessage/InvtListType[1]/GrossWt", "InvtMessage/InvtListType[1]/NetWt")
    assert write_bonded(letter).count(b"<GrossWt/>") == 1
    assert read_bonded(write_bonded(letter))[0] == letter


@pytest.mark.parametrize("prefix", ["ds", "x"])
def test_prefixes_and_namespaces_do_not_matter(prefix):
    raw = write_bonded(made.inv201(), Style(indent=False, empty=ALL)).decode()
    named = re.sub(r"<(/?)(\w)", rf"<\1{prefix}:\2", raw)
    named = named.replace(f"<{prefix}:Package", f'<{prefix}:Package xmlns:{prefix}="{shape.NAMESPACE}"')
    letter, found = read_bonded(named.encode())
    assert found == [] and letter.body == read_bonded(raw.encode())[0].body
    assert is_bonded(named.encode()) and not is_bonded(b"<ceb:CEB311Message>")
    odd = raw.replace("<Package>", '<Package xmlns="urn:x">')
    assert codes(read_bonded(odd.encode())[1]) == [("021", "Package", WARNING)]


@pytest.mark.parametrize("encoding", ["gb2312", "GBK", "gb18030", "UTF-8", "utf-8", ""])
def test_encodings(encoding):
    letter = made.inv201()
    raw = write_bonded(letter, replace(usual_style("INV201"), encoding=encoding))
    assert read_bonded(raw)[0].body == read_bonded(write_bonded(letter))[0].body
    assert write_bonded(read_bonded(raw)[0]) == raw
    assert read_bonded(b"\xef\xbb\xbf" + write_bonded(letter))[1] == []
    rare = made.sas121(VehicleNo="𠮷A00001")
    again = read_bonded(write_bonded(rare, replace(usual_style("SAS121"), encoding=encoding)))[0]
    assert again.body.head.VehicleNo == "𠮷A00001"
    with pytest.raises(ValueError):
        write_bonded(letter, Style(encoding="big5"))


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────

HEAD, LINE = "InvtMessage/InvtHeadType", "InvtMessage/InvtListType[1]"
REQUEST_FAULTS = [
    ("<PutrecNo>.*?</PutrecNo>", "", [("001", f"{HEAD}/PutrecNo", ERROR)]),
    ("<OperCusRegCode>.*?</OperCusRegCode>", "", [("001", "InvtMessage/OperCusRegCode", ERROR)]),
    ("<DelcareFlag>.*?</DelcareFlag>", "", [("001", "InvtMessage/DelcareFlag", ERROR)]),
    ("(?s)<InvtHeadType>.*</InvtHeadType>", "", [("001", HEAD, ERROR)]),
    ("(?s)<EnvelopInfo>.*</EnvelopInfo>", "", [("001", "EnvelopInfo", ERROR)]),
    ("<Rmk/>", "<Rmkk/>", [("002", f"{HEAD}/Rmkk", WARNING)]),
    ("<DclTypecd>1</DclTypecd>(\\s*)<GenDecFlag>2</GenDecFlag>", "<GenDecFlag>2</GenDecFlag><DclTypecd>1</DclTypecd>",
     [("003", f"{HEAD}/DclTypecd", WARNING)]),
    ("(<OperCusRegCode>.*?</OperCusRegCode>)(\\s*)(<SysId>.*?</SysId>)", "\\3\\1",
     [("003", "InvtMessage/OperCusRegCode", WARNING)]),
    ("<Rmk/>", "<Rmk/><Rmk>2</Rmk>", [("004", f"{HEAD}/Rmk", ERROR)]),
    ("<SysId>", "<SysId>Z8</SysId><SysId>", [("004", "InvtMessage/SysId", ERROR)]),
    ("<InvtHeadType>", '<InvtHeadType id="1">', [("005", HEAD, WARNING)]),
    ("<Rmk/>", '<Rmk a="1">x</Rmk>', [("005", f"{HEAD}/Rmk", WARNING)]),
    ("<PutrecNo>.*?</PutrecNo>", "<PutrecNo> </PutrecNo>", [("006", f"{HEAD}/PutrecNo", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty/>", [("029", f"{LINE}/DclQty", ERROR)]),
    ("<Gdecd>.*?</Gdecd>", "<Gdecd>3304</Gdecd>", [("007", f"{LINE}/Gdecd", ERROR)]),
    ("<GdsMtno>.*?</GdsMtno>", f"<GdsMtno>{'S' * 33}</GdsMtno>", [("007", f"{LINE}/GdsMtno", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>1e3</DclQty>", [("008", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>2,000</DclQty>", [("008", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>NaN</DclQty>", [("008", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>２</DclQty>", [("008", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", f"<DclQty>{'9' * 99}</DclQty>", [("008", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", f"<DclQty>{'9' * 20}</DclQty>", [("011", f"{LINE}/DclQty", WARNING)]),
    ("<DclQty>2</DclQty>", "<DclQty> 2 </DclQty>", []),
    ("<GdsSeqno>1</GdsSeqno>", "<GdsSeqno>1.5</GdsSeqno>", [("009", f"{LINE}/GdsSeqno", ERROR)]),
    ("<GdsSeqno>1</GdsSeqno>", "<GdsSeqno>-1</GdsSeqno>", [("009", f"{LINE}/GdsSeqno", ERROR)]),
    ("<GdsSeqno>1</GdsSeqno>", "<GdsSeqno>9999999999</GdsSeqno>", [("009", f"{LINE}/GdsSeqno", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>-2</DclQty>", [("010", f"{LINE}/DclQty", ERROR)]),
    ("<DclQty>2</DclQty>", "<DclQty>2.123456</DclQty>", [("011", f"{LINE}/DclQty", WARNING)]),
    ("<DclUprcAmt>.*?</DclUprcAmt>", "<DclUprcAmt>1.23456</DclUprcAmt>", [("012", f"{LINE}/DclUprcAmt", ERROR)]),
    ("<DclUprcAmt>.*?</DclUprcAmt>", "<DclUprcAmt>1.23450</DclUprcAmt>", []),
    ("<DclTotalAmt>.*?</DclTotalAmt>", "<DclTotalAmt>1.234</DclTotalAmt>", [("012", f"{LINE}/DclTotalAmt", ERROR)]),
    ("<ImpexpMarkcd>E", "<ImpexpMarkcd>X", [("013", f"{HEAD}/ImpexpMarkcd", ERROR)]),
    ("<InvtType>8", "<InvtType>2", [("014", f"{HEAD}/InvtType", WARNING)]),
    ("<InputTime>20261101", "<InputTime>20261301", [("015", f"{HEAD}/InputTime", ERROR)]),
    ("<send_time>.*?</send_time>", "<send_time>now</send_time>", [("015", "EnvelopInfo/send_time", ERROR)]),
    ("<SecdLawfQty>2</SecdLawfQty>", "", [("016", f"{LINE}/SecdLawfQty", ERROR)]),
    ("<DclcusFlag>2", "<DclcusFlag>1", [("016", f"{HEAD}/DclcusTypecd", ERROR)]),
    ("<GenDecFlag>2", "<GenDecFlag>1", [("016", f"{HEAD}/DecType", ERROR)]),
    ("<InvtHeadType>", "<InvtHeadType>text", [("018", HEAD, ERROR)]),
    ("<Rmk/>", "<Rmk><b>1</b></Rmk>", [("019", f"{HEAD}/Rmk", ERROR)]),
    ("<message_type>INV101", "<message_type>SAS121", [("024", "EnvelopInfo/message_type", ERROR)]),
    ("<cur_pocket_no>1", "<cur_pocket_no>2", [("025", "PocketInfo", ERROR)]),
    ("<PutrecNo>T", "<PutrecNo>X", [("026", f"{HEAD}/PutrecNo", WARNING)]),
    ("<CbecBillNo>4300", "<CbecBillNo>B300", [("026", "InvtMessage/InvtCbecBillType[1]/CbecBillNo", WARNING)]),
    ("<Rmk/>", "<Rmk><!-- a -->x<!-- b -->y</Rmk>", []),
]  # fmt: skip


@pytest.mark.parametrize(("sought", "put", "expected"), REQUEST_FAULTS)
def test_faults_of_a_request(sought, put, expected):
    raw = write_bonded(made.inv101()).decode()
    broken = re.sub(sought, put, raw, count=1)
    assert broken != raw
    letter, found = read_bonded(broken.encode())
    assert codes(found) == expected
    for each in found:
        assert each.message.zh and each.message.en and each.remedy.zh and each.remedy.en and each.source
    assert letter.type == "INV101"
    assert letter.own_number == ("" if "InvtHeadType>.*" in sought else "OWN0001")


BSC = "INV201/BondInvtBsc"
RECEIPT_FAULTS = [
    ("<putrecNo>.*?</putrecNo>", "", [("001", f"{BSC}/putrecNo", ERROR)]),
    ("<putrecNo>.*?</putrecNo>", "<putrecNo/>", [("006", f"{BSC}/putrecNo", WARNING)]),
    ("<dclQty>2</dclQty>", "<dclQty/>", [("029", "INV201/BondInvtDt[1]/dclQty", ERROR)]),
    ("<dclQty>2</dclQty>", "<dclQty>two</dclQty>", [("008", "INV201/BondInvtDt[1]/dclQty", ERROR)]),
    ("<gdecd>.*?</gdecd>", "<gdecd>3304</gdecd>", [("007", "INV201/BondInvtDt[1]/gdecd", WARNING)]),
    ("<dclQty>2</dclQty>", "<dclQty>-2</dclQty>", [("010", "INV201/BondInvtDt[1]/dclQty", WARNING)]),
    ("<impexpMarkcd>E", "<impexpMarkcd>X", [("013", f"{BSC}/impexpMarkcd", WARNING)]),
    ("<manageResult>1", "<manageResult>8", [("014", "INV201/HdeApprResult/manageResult", WARNING)]),
    ("<manageDate>.*?<", "<manageDate>2026/11/01 12:00:00<", [("015", "INV201/HdeApprResult/manageDate", WARNING)]),
    ("<file_name>.*?\\.INV", "<file_name>other.INV", [("027", "EnvelopInfo/file_name", WARNING)]),
    ("(<HdeApprResult>(?s:.*?)</HdeApprResult>)(\\s*)(<BondInvtBsc>(?s:.*?)</BondInvtBsc>)", "\\3\\1",
     [("003", "INV201/HdeApprResult", WARNING)]),
]  # fmt: skip


@pytest.mark.parametrize(("sought", "put", "expected"), RECEIPT_FAULTS)
def test_what_customs_wrote_is_not_refused_for_its_form(sought, put, expected):
    raw = write_bonded(made.inv201()).decode()
    broken = re.sub(sought, put, raw, count=1)
    assert broken != raw
    assert codes(read_bonded(broken.encode())[1]) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"PassportTypecd": "6"}, [("017", name) for name in ("BindTypecd", "RltTbTypecd", "RltNo")]),
        ({"PassportTypecd": "6", "BindTypecd": "", "RltTbTypecd": None, "RltNo": ""}, []),
        ({"BindTypecd": None, "RltNo": ""}, [("016", "BindTypecd"), ("016", "RltNo")]),
        ({"BindTypecd": "9"}, [("013", "BindTypecd")]),
    ],
)
def test_an_empty_vehicle_has_no_documents(head, expected):
    found = read_bonded(write_bonded(made.sas121(**head)))[1]
    said = [(each.code[-3:], each.path) for each in found]
    assert said == [(code, f"PassPortMessage/PassportHead/{name}") for code, name in expected]


def test_personal_values_do_not_stand_in_faults():
    found = read_bonded(write_bonded(made.bws101(ContactTele="", ContactEr="")))[1]
    assert [each.code[-3:] for each in found] == ["006", "006"]
    raw = write_bonded(made.sas121()).replace("<DclErConc>测试人甲".encode(), "<DclErConc>测试人甲<x/>".encode())
    assert all("测试人甲" not in f"{each.found}{each.message.zh}" for each in read_bonded(raw)[1])


MALFORMED = [
    (b"", "CEB-XML-001"),
    (b"<Package><EnvelopInfo>", "CEB-XML-002"),
    (b"no xml", "CEB-XML-003"),
    (b"<!DOCTYPE a><Package/>", "CEB-XML-004"),
    (b"<Package>&x;</Package>", "CEB-XML-005"),
    (b'<?xml version="1.0" encoding="big5"?><Package/>', "CEB-XML-006"),
    (b"<Package>\xff</Package>", "CEB-XML-007"),
    (b"<Package>" + b"<a>" * 40 + b"</a>" * 40 + b"</Package>", "CEB-XML-011"),
    (b"<ceb:CEB311Message xmlns:ceb='http://www.chinaport.gov.cn/ceb'/>", "CEB-BONDXML-020"),
    (b"<Package/>", "CEB-BONDXML-022"),
    (b"<Signature/>", "CEB-BONDXML-022"),
    (b"<Signature><Object><Package/></Object><Object><Package/></Object></Signature>", "CEB-BONDXML-022"),
    (b"<Package><DataInfo><BussinessData/></DataInfo></Package>", "CEB-BONDXML-023"),
    (b"<Package><DataInfo><BussinessData><SAS999/></BussinessData></DataInfo></Package>", "CEB-BONDXML-023"),
    (b"<Package><DataInfo><BussinessData><INV201/><SAS221/></BussinessData></DataInfo></Package>", "CEB-BONDXML-023"),
]


@pytest.mark.parametrize(("raw", "code"), MALFORMED)
def test_what_is_no_letter(raw, code):
    with pytest.raises(Malformed) as refused:
        read_bonded(raw)
    assert [fault.code for fault in refused.value.faults] == [code]
    assert verify_bonded(raw).verdict in ("refused", "unsigned")


def test_limits():
    raw = write_bonded(made.inv101())
    with pytest.raises(Malformed) as refused:
        read_bonded(raw, Limits(bytes_max=1000))
    assert refused.value.faults[0].code == "CEB-XML-010"
    assert read_bonded(raw, LIMITS)[1] == []
    many = raw.replace(b"<Rmk/>", b"<x/>" * 10_050, 1)
    found = read_bonded(many)[1]
    assert (len(found), found[-1].code) == (10_001, "CEB-BONDXML-028")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(shape.MESSAGES)), st.data())
def test_no_bytes_break_the_reader(kind, data):
    """Cut, doubled, overwritten anywhere: a letter with faults or Malformed, and no other exception."""
    raw = bytearray(write_bonded(made.every_kind()[kind]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.integers(at, min(len(raw), at + 60)))
        raw[at:end] = data.draw(st.binary(max_size=12) | st.sampled_from([b"<", b">", b"/>", b"&#0;", b"<!--", b"]]>"]))
    try:
        letter, _ = read_bonded(bytes(raw))
    except Malformed as malformed:
        assert malformed.faults
    else:
        assert letter.type in shape.MESSAGES
    verify_bonded(bytes(raw))


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


def changed(letter: Letter, **head: object) -> Letter:
    return replace(letter, body=replace(letter.body, head=replace(letter.body.head, **head)))


@pytest.mark.parametrize(
    ("letter", "code", "path"),
    [
        (changed(made.inv101(), PutrecNo=None), "041", f"{HEAD}/PutrecNo"),
        (changed(made.inv101(), PutrecNo="a\x00"), "042", f"{HEAD}/PutrecNo"),
        (changed(made.inv101(), PutrecNo=1), "044", f"{HEAD}/PutrecNo"),
        (replace(made.inv101(), body=replace(made.inv101().body, head=None)), "041", HEAD),
        (replace(made.inv101(), body=replace(made.inv101().body, lines=(made.inv101().body.head,))), "044", LINE),
        (changed(made.sas121(), TotalWt=Decimal("NaN")), "044", "PassPortMessage/PassportHead/TotalWt"),
        (changed(made.sas121(), TotalWt="1"), "044", "PassPortMessage/PassportHead/TotalWt"),
    ],
)
def test_what_cannot_be_written(letter, code, path):
    with pytest.raises(Malformed) as refused:
        write_bonded(letter)
    assert [(each.code[-3:], each.path) for each in refused.value.faults] == [(code, path)]


def test_numbers_are_written_digit_by_digit():
    raw = write_bonded(changed(made.sas121(), TotalWt=Decimal("1E+3"), VehicleWt=Decimal("0.00000001")))
    assert b"<TotalWt>1000</TotalWt>" in raw and b"<VehicleWt>0.00000001</VehicleWt>" in raw


# ── from one dialect to the other ───────────────────────────────────────────────────────────────────


def test_a_request_turned_into_a_receipt_loses_nothing():
    head = made.inventory_in_receipt()
    asked = made.inv101().body.head
    assert (head.putrecNo, head.etpsInnerInvtNo, head.bondInvtTypecd) == (asked.PutrecNo, asked.EtpsInnerInvtNo, "8")
    assert (head.rvsngdEtpsSccd, head.rcvgdEtpsno, head.supvModecd) == (asked.RvsngdEtpsSccd, asked.RcvgdEtpsno, "1210")
    row = made.inv201().body.lines[0]
    for name in ("DclQty", "LawfQty", "SecdLawfQty", "Natcd", "DclUprcAmt", "GdsMtno", "PutrecSeqno"):
        assert getattr(made.line(), name) == getattr(row, name[0].lower() + name[1:])
    book_line = made.inv211().body.book_lines[0]
    assert (book_line.gdsSeqno, book_line.natcd, book_line.dclUnitcd, book_line.modfMarkcd) == (1, "116", "140", "3")
    gate = made.sas22x().body
    assert (gate.head.vehicleNo, gate.head.rltNo, gate.linked[0].rltNo) == ("测A00001", made.INVT, made.INVT)
    assert gate.lines[0].passportSeqno == 1


PAIRS = [("InvtListType", "BondInvtDt"), ("PassportList", "SasPassportDt"), ("PassportAcmp", "SasPassportRlt"),
         ("PassportHead", "SasPassportBsc"), ("InvtHeadType", "BondInvtBsc"), ("BwlList", "BwsDt")]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_field_of_a_request_has_its_twin(source, target):
    """What a line of a receipt must say is in the request, but for what only customs knows."""
    number = {"bondInvtNo", "passportNo"}
    record = records.RECORDS[source](*[
        {"text": "1", "int": 1, "decimal": Decimal(1)}[field.type] for field in shape.ENTITIES[source]
    ])
    turned = making.turned(record, records.RECORDS[target])
    if target in ("BondInvtDt", "SasPassportDt", "SasPassportRlt"):
        missing = {f.name for f in shape.ENTITIES[target] if f.required and getattr(turned, f.name) is None}
        assert missing <= number
    for field in shape.ENTITIES[source]:
        if field.like in {each.name for each in shape.ENTITIES[target]} - {""}:
            assert getattr(turned, field.like) is not None


def test_answers():
    good = making.answer("OWN0001", seq_no=made.SEQ)
    assert asdict(good.body) == {"SeqNo": made.SEQ, "EtpsPreentNo": "OWN0001", "CheckInfo": "调用成功", "DealFlag": "0"}
    raw = write_bonded(good)
    assert raw.startswith(b'<?xml version="1.0" encoding="gb2312"?>') and "调用成功".encode("gb2312") in raw
    faults = read_bonded(write_bonded(made.inv101()).replace(b"<PutrecNo>", b"<PutrecNo><x/>"))[1]
    bad = making.answer("OWN0001", faults)
    assert bad.body.DealFlag == "-1" and bad.body.SeqNo is None and "CEB-BONDXML-019" in bad.body.CheckInfo
    assert read_bonded(write_bonded(bad))[1] == []


# ── pockets ─────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(0, 12), st.integers(1, 5), st.randoms())
def test_pockets_hold_the_whole_letter(lines, bills, most, chance):
    letter = made.inv101(lines, bills)
    pockets = making.pocketed(letter, most)
    assert all(len(each.body.lines) <= most and len(each.body.bills) <= most for each in pockets)
    came = [read_bonded(write_bonded(each))[0] for each in [*pockets, chance.choice(pockets)]]
    chance.shuffle(came)
    whole, found = making.gathered(came)
    assert found == [] and whole is not None and whole.body == letter.body
    assert whole.pocket.total_pocket_qty == 1


def test_pockets_that_do_not_go_together():
    pockets = making.pocketed(made.inv101(6), 2)
    assert len({each.pocket.pocket_id for each in pockets}) == 1
    whole, found = making.gathered(pockets[:2])
    assert whole is None and [(each.code[-3:], each.found) for each in found] == [("051", "3")]
    other = replace(pockets[1], body=replace(pockets[1].body, lines=()))
    assert [each.code[-3:] for each in making.gathered([*pockets, other])[1]] == ["052"]
    strange = changed(pockets[1], EtpsInnerInvtNo="OTHER")
    assert [each.code[-3:] for each in making.gathered([pockets[0], strange, pockets[2]])[1]] == ["053"]
    endless = replace(pockets[0], pocket=replace(pockets[0].pocket, total_pocket_qty=2**31 - 1))
    assert len(making.gathered([endless])[1]) == 20
    for wrong in (lambda: making.gathered([]), lambda: making.pocketed(made.inv101(), 0)):
        with pytest.raises(ValueError):
            wrong()


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────

ALGORITHMS = {"rsa-sha1": "rsa", "rsa-sha256": "rsa", "sm2-sm3": "sm2", "sm2-sm3-sha1": "sm2"}


def store(kind: str, seed: str = "tests") -> TrustStore:
    return TrustStore([Entry(read_certificate(card(kind, seed).certificate), frozenset({made.ZONE}))])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", [kind for kind, form in shape.MESSAGES.items() if form.dialect != "answer"])
def test_every_kind_is_signed_and_verified(kind, algorithm):
    signer = card(ALGORITHMS[algorithm])
    raw = sign_bonded(made.every_kind()[kind], signer, algorithm=algorithm)
    places = [raw.index(tag) for tag in (b"<SignedInfo>", b"<SignatureValue>", b"<KeyName>", b"<Object Id=")]
    assert places == sorted(places) and b"X509" not in raw
    verdict = verify_bonded(raw, store(ALGORITHMS[algorithm]), made.NOW)
    assert (verdict.verdict, verdict.algorithm, verdict.owners) == ("strict", algorithm, frozenset({made.ZONE}))
    letter, found = read_bonded(raw)
    assert found == [] and letter.signature.key_name == signer.key_name
    assert write_bonded(letter) == raw
    unknown = verify_bonded(raw)
    assert (unknown.verdict, [each.code for each in unknown.faults]) == ("untrusted", ["CEB-BONDXML-061"])


def test_a_signature_with_its_certificate_needs_no_list():
    raw = sign_bonded(made.inv101(), card("rsa"), with_certificate=True)
    assert verify_bonded(raw).verdict == "strict"
    assert verify_bonded(raw, store("rsa", "others")).verdict == "untrusted"
    assert verify_bonded(raw, None, datetime(2040, 1, 1, tzinfo=UTC)).verdict == "expired"
    assert write_bonded(read_bonded(raw)[0]) == raw


SIGNED_CHANGES = [
    (b"<PutrecNo>T4300W000001", b"<PutrecNo>T4300W000002", "invalid", "CEB-SIGN-021"),
    (b'Id="String"', b'Id="Other"', "refused", "CEB-BONDXML-062"),
    (b'<Reference URI="String">', b'<Reference URI="">', "refused", "CEB-BONDXML-062"),
    (b"<InvtMessage>", b'<InvtMessage Id="String">', "refused", "CEB-BONDXML-062"),
    (b"#rsa-sha1", b"#rsa-md5", "refused", "CEB-BONDXML-064"),
    (b"REC-xml-c14n-20010315", b"REC-xml-c14n-20010316", "refused", "CEB-SIGN-009"),
    (b"<KeyInfo>", b"<Object/><KeyInfo>", "refused", "CEB-BONDXML-063"),
    (b"<DigestMethod", b"<Transforms/><DigestMethod", "refused", "CEB-BONDXML-063"),
    (b"<SignedInfo>", b"<SignedInfo> <!-- -->", "repaired", "CEB-SIGN-041"),
]


@pytest.mark.parametrize(("old", "new", "expected", "code"), SIGNED_CHANGES)
def test_signatures_that_do_not_fit(old, new, expected, code):
    letter = replace(made.inv101(), style=replace(usual_style("INV101"), indent=False))
    raw = sign_bonded(letter, card("rsa"), algorithm="rsa-sha1")
    assert verify_bonded(raw, store("rsa")).verdict == "strict"
    assert raw.count(old) >= 1
    verdict = verify_bonded(raw.replace(old, new, 1), store("rsa"))
    assert (verdict.verdict, verdict.faults[0].code) == (expected, code)


@pytest.mark.parametrize(
    ("element", "text", "expected", "code"),
    [
        ("SignatureValue", "AAAA", "invalid", "CEB-SIGN-024"),
        ("SignatureValue", "!", "invalid", "CEB-SIGN-016"),
        ("DigestValue", "!", "invalid", "CEB-SIGN-016"),
        ("DigestValue", "AAAA", "invalid", "CEB-SIGN-021"),
        ("X509Certificate", "AAAA", "refused", "CEB-SIGN-015"),
        ("KeyName", "12", "strict", "CEB-SIGN-031"),
    ],
)
def test_texts_of_a_signature(element, text, expected, code):
    raw = sign_bonded(made.inv101(), card("rsa"), with_certificate=True)
    broken = re.sub(rf"<{element}>[^<]*<".encode(), f"<{element}>{text}<".encode(), raw)
    verdict = verify_bonded(broken)
    assert (verdict.verdict, verdict.faults[0].code) == (expected, code)


def test_signatures_that_are_not_there_yet():
    letter = made.inv101()
    signed = read_bonded(sign_bonded(letter, card("rsa")))[0]
    client = replace(signed, signature=replace(signed.signature, digest="", value=""))
    assert verify_bonded(write_bonded(client)).verdict == "unsigned"
    assert verify_bonded(write_bonded(letter)).verdict == "unsigned"
    half = replace(signed, signature=replace(signed.signature, value=""))
    assert verify_bonded(write_bonded(half), store("rsa")).verdict == "invalid"


def test_who_cannot_sign():
    with pytest.raises(SettingsError):
        sign_bonded(made.inv101(), card("rsa"), algorithm="sm2-sm3")
    with pytest.raises(Malformed):
        sign_bonded(making.answer("OWN0001"), card("rsa"))


@pytest.mark.parametrize("space", ["", shape.NAMESPACE])
@pytest.mark.parametrize("algorithm", ["rsa-sha1", "rsa-sha256"])
def test_we_verify_what_xmlsec_signs_around_a_package(space, algorithm):
    import xmlsec

    hashes = {"rsa-sha1": xmlsec.Transform.SHA1, "rsa-sha256": xmlsec.Transform.SHA256}
    methods = {"rsa-sha1": xmlsec.Transform.RSA_SHA1, "rsa-sha256": xmlsec.Transform.RSA_SHA256}
    style = Style(namespace=space, indent=True, empty=ALL)
    root = xmlsec.template.create(etree.Element("x"), xmlsec.Transform.C14N, methods[algorithm])
    xmlsec.template.add_reference(root, hashes[algorithm], uri="#P")
    xmlsec.template.add_key_name(xmlsec.template.ensure_key_info(root), card("rsa").key_name)
    content = etree.SubElement(root, f"{{{shape.NAMESPACE}}}Object", Id="P")
    content.append(etree.fromstring(write_bonded(made.inv201(), style)))
    root = etree.fromstring(etree.tostring(root))
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(card("rsa").key_pem(), xmlsec.KeyFormat.PEM, None)
    context.sign(root)
    raw = etree.tostring(root)
    assert verify_bonded(raw, store("rsa"), made.NOW).verdict == "strict"
    letter, found = read_bonded(raw)
    assert found == [] and letter.signature.reference == "#P" and letter.body.head.putrecNo == made.BOOK
    assert verify_bonded(raw.replace(made.BOOK.encode(), b"T4300W000002"), store("rsa")).verdict == "invalid"


# ── the command ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def call(capsys):
    """A command: (exit code, standard output, standard error)."""

    def run(*arguments: object, lang: str = "en") -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run(["--lang", lang, "bonded", "read", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def folder(tmp_path):
    """A letter of every kind, receipts named as they are."""
    for kind, letter in made.every_kind().items():
        suffix = "xml" if letter.shape.dialect != "customs" else letter.envelope.file_name.rpartition(".")[2]
        (tmp_path / f"{kind}.{suffix}").write_bytes(write_bonded(letter))
    return tmp_path


def lines(out: str) -> list[dict]:
    """JSON lines, each held against the committed schema."""
    held = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")}
    resources = [(name, referencing.Resource.from_contents(schema)) for name, schema in held.items()]
    validator = jsonschema.Draft202012Validator(
        held["bonded_read.json"], registry=referencing.Registry().with_resources(resources)
    )
    answers = [json.loads(line) for line in out.splitlines()]
    for answer in answers:
        validator.validate(answer)
    return answers


def test_read_tells_every_kind(call, folder):
    code, out, _ = call(folder, "--json")
    answers = lines(out)
    assert code == 0 and {answer["type"] for answer in answers} == set(shape.MESSAGES)
    by_kind = {answer["type"]: answer for answer in answers}
    assert by_kind["SAS121"]["body"]["head"]["DclErConc"] == "测***"
    assert by_kind["BWS101"]["body"]["head"]["ContactTele"] == "199******01"
    assert by_kind["INV101"]["body"]["lines"][0]["DclTotalAmt"] == "201.00"
    assert by_kind["INV201"]["number"] == made.INVT and by_kind["INV101"]["own_number"] == "OWN0001"
    code, out, _ = call(folder)
    assert code == 0 and "10 files: 10 valid" in out and "测试人甲" not in out
    code, out, _ = call(folder, lang="zh")
    assert code == 0 and "处理结果：1 通过，已核扣" in out and "进口清单" not in out


def test_read_says_what_is_wrong(call, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(write_bonded(made.inv101()).replace(b"<DclQty>2</DclQty>", b"<DclQty>x</DclQty>"))
    code, out, _ = call(bad)
    assert code == 1 and "CEB-BONDXML-008" in out and "InvtMessage/InvtListType[1]/DclQty" in out
    bad.write_bytes(bad.read_bytes().replace(b"<Rmk/>", b"<Rmk/><Phone a='1'>19900000001</Phone>", 1))
    out = call(bad, "--json")[1]
    (answer,) = lines(out)
    assert answer["kept"] == [{"path": "InvtMessage/InvtHeadType", "name": "Phone"}] and "19900000001" not in out
    assert answer["valid"] is False and answer["own_number"] == "OWN0001"
    other = tmp_path / "other.xml"
    other.write_bytes(b"<a/>")
    code, out, _ = call(other, lang="zh")
    assert code == 1 and "不是保税报文" in out
    assert lines(call(other, "--json")[1])[0]["type"] is None
    assert call(tmp_path / "none.xml")[0] == 2
    assert call()[0] == 2


def test_read_weighs_signatures(call, tmp_path):
    file, pem, others = tmp_path / "a.xml", tmp_path / "card.pem", tmp_path / "others.pem"
    raw = sign_bonded(made.inv101(), card("sm2"))
    file.write_bytes(raw)
    pem.write_bytes(card("sm2").certificate_pem())
    others.write_bytes(card("rsa", "others").certificate_pem())
    code, out, _ = call(file)
    assert code == 0 and "nobody knows the certificate" in out
    assert call(file, "--trust", pem, "--on", "2026-11-01T12:00:00")[0] == 0
    code, out, _ = call(file, "--trust", others, "--on", "2026-11-01T12:00:00")
    assert code == 1 and "CEB-BONDXML-061" in out
    assert call(file, "--trust", pem, "--on", "2040-01-01T12:00:00")[0] == 1
    file.write_bytes(raw.replace(made.BOOK.encode(), b"T4300W000002"))
    code, out, _ = call(file, "--trust", pem, "--on", "2026-11-01T12:00:00", "--json")
    (answer,) = lines(out)
    assert code == 1 and answer["signature"]["verdict"] == "invalid" and answer["valid"] is False


# ── the tables ──────────────────────────────────────────────────────────────────────────────────────


def test_every_fault_can_be_said():
    tested = {code for *_, expected in [*REQUEST_FAULTS, *RECEIPT_FAULTS] for code, *_ in expected}
    others = {17, 20, 21, 22, 23, 28, 41, 42, 44, 51, 52, 53, 61, 62, 63, 64}
    assert {code[-3:] for code in catalog()} == tested | {f"{number:03}" for number in others}
    for entry in catalog().values():
        assert re.search("[一-鿿]", entry["message"]["zh"] + entry["remedy"]["zh"])
