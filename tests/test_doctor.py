"""The doctor: every known habit is made by hand and must be named, with the byte that differs and the cure."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml
from lxml import etree

from cebport.messages import canonical, diagnosis, sm2, wire, xmldsig
from cebport.messages.certificates import read_certificate
from cebport.messages.diagnosis import Diagnosis
from cebport.messages.doctor import doctor, first_difference
from cebport.messages.signature import ASSUMED_NAMESPACES, sign, verify
from cebport.messages.source import read_source, visible
from cebport.messages.trust import Entry, TrustStore
from cebport.testing.keys import TestCard, make_card

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SAMPLES = SHARED / "ceb" / "local" / "samples"
SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
MESSAGE = f"""<?xml version="1.0" encoding="UTF-8"?>
<ceb:CEB621Message guid="g" version="1.0" xmlns:ceb="http://www.chinaport.gov.cn/ceb"{XSI}>
\t<ceb:Inventory>
\t\t<ceb:InventoryHead>
\t\t\t<ceb:ebpName>平台</ceb:ebpName>
\t\t\t<ceb:agentCode>3302000TE5</ceb:agentCode>
\t\t\t<ceb:note></ceb:note>
\t\t</ceb:InventoryHead>
\t</ceb:Inventory>
\t<ceb:BaseTransfer>
\t\t<ceb:copCode>3302000TE5</ceb:copCode>
\t</ceb:BaseTransfer>
</ceb:CEB621Message>""".encode()
CLOSED = MESSAGE.replace(b"<ceb:note></ceb:note>", b"<ceb:note/>")
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


@cache
def card(kind: str, declarant: str = "3302000TE5") -> TestCard:
    return make_card(kind, declarant, "测试申报企业有限公司", seed="doctor", valid=SPAN)


def c14n(xml: bytes, **options: object) -> bytes:
    return etree.tostring(etree.fromstring(xml).getroottree(), method="c14n", **{"with_comments": False, **options})


def put(xml: bytes, name: str, text: str) -> bytes:
    return re.sub(f"(<ds:{name}>)[^<]*(</ds:{name}>)".encode(), rf"\g<1>{text}\g<2>".encode(), xml)


def part(xml: bytes, name: str) -> bytes:
    return re.search(f"<ds:{name}[ >].*</ds:{name}>".encode(), xml, re.DOTALL)[0]


def signed_info(xml: bytes) -> bytes:
    tree = wire.parse_tree(xml)
    return canonical.canonical_signed_info(tree.root, xmldsig.last_element(tree.root)[0])


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hashing(
    text: bytes | Callable[[bytes], bytes], *, message: bytes = MESSAGE, name: str = "sha1",
    form: Callable[[bytes], str] = b64, change: Callable[[bytes], bytes] = lambda xml: xml,
) -> bytes:  # fmt: skip
    """A client that hashes another text (given, or made from the canonical one), then signs as it should."""
    made = text(c14n(message)) if callable(text) else text
    xml = put(sign(message, card("rsa")), "DigestValue", form(hashlib.new(name, made).digest()))
    return change(put(xml, "SignatureValue", b64(card("rsa").sign(signed_info(xml)))))


def signing(
    data: Callable[[bytes], bytes] = lambda info: info, *, kind: str = "rsa", message: bytes = MESSAGE,
    value: Callable[[bytes], bytes] | None = None, form: Callable[[bytes], str] = b64,
    change: Callable[[bytes], bytes] = lambda xml: xml,
) -> bytes:  # fmt: skip
    """A client that signs another text, or in another way, or changes the message afterwards."""
    xml = sign(message, card(kind))
    made = data(signed_info(xml))
    return change(put(xml, "SignatureValue", form(value(made) if value else card(kind).sign(made))))


def rsa_raw(inner: bytes) -> bytes:
    """PKCS#1 padding around anything, as NONEwithRSA makes it."""
    numbers = card("rsa")._key.private.private_numbers()
    n = numbers.public_numbers.n
    padded = b"\0\1" + b"\xff" * (256 - 3 - len(inner)) + b"\0" + inner
    return pow(int.from_bytes(padded, "big"), numbers.d, n).to_bytes(256, "big")


def rsa_pss(data: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    scheme = padding.PSS(padding.MGF1(hashes.SHA1()), 20)
    return card("rsa")._key.private.sign(data, scheme, hashes.SHA1())


def sm2_over(e: bytes) -> bytes:
    return sm2._sign_with_nonces(sm2.backend(), card("sm2")._key.private.scalar, e)


def z(user_id: bytes = sm2.USER_ID) -> bytes:
    return sm2.z_value(card("sm2")._key.private.public, user_id)


def with_tag(info: bytes, names: str) -> bytes:
    return b"<ds:SignedInfo" + names.encode() + info[info.index(b">") :]


def line_feeds(info: bytes) -> bytes:
    return re.sub(rb"(<[^/<>][^<>]*>)\n(?=</)", rb"\1", info.replace(b"><", b">\n<"))


DS = f' xmlns:ds="{xmldsig.DS}"'
ALL = "".join(f' xmlns:{p}="{u}"' for p, u in sorted(ASSUMED_NAMESPACES.items()))
NO_XSI = MESSAGE.replace(XSI.encode(), b"")
COMMENTED = MESSAGE.replace(b"\t<ceb:BaseTransfer>", b"\t<!-- to the centre --><ceb:BaseTransfer>")
COMPACT = re.sub(rb">\s+<", b"><", MESSAGE)


def spaces(xml: bytes, space: str) -> bytes:
    root = etree.fromstring(xml)
    etree.indent(root, space)
    return etree.tostring(root, method="c14n")


def emptied(xml: bytes) -> bytes:
    return put(put(xml, "DigestValue", ""), "SignatureValue", "")


def in_place() -> bytes:
    """Hashed with the template of the signature in the document."""
    return hashing(c14n(emptied(sign(MESSAGE, card("rsa")))))


def beside(xml: bytes) -> bytes:
    return xml.replace(b"<ds:Signature ", b"\n<ds:Signature ")


def swapped_certificate() -> bytes:
    xml = sign(MESSAGE, card("rsa", "3302000TE9"))
    mine = f"<ds:X509Certificate>{b64(card('rsa').certificate)}</ds:X509Certificate>".encode()
    return xml.replace(part(xml, "X509Certificate"), mine)


def other_methods(xml: bytes) -> bytes:
    """Signed as rsa-sha1, the URIs of rsa-sha256 put in afterwards."""
    old, new = xmldsig.METHOD_BY_NAME["rsa-sha1"], xmldsig.METHOD_BY_NAME["rsa-sha256"]
    xml = xml.replace(f'"{old.signature_uri}"'.encode(), f'"{new.signature_uri}"'.encode())
    xml = xml.replace(f'"{old.digest_uri}"'.encode(), f'"{new.digest_uri}"'.encode())
    return put(xml, "DigestValue", b64(hashlib.sha256(c14n(MESSAGE)).digest()))


def named_sm2(xml: bytes) -> bytes:
    """An RSA signature under the URIs of SM2."""
    old, new = xmldsig.METHOD_BY_NAME["rsa-sha1"], xmldsig.METHOD_BY_NAME["sm2-sm3-sha1"]
    return xml.replace(f'"{old.signature_uri}"'.encode(), f'"{new.signature_uri}"'.encode())


HABITS: dict[str, tuple[str, Callable[[], bytes]]] = {
    # what was hashed
    "beside_signature": ("beside_signature", lambda: beside(sign(MESSAGE, card("rsa")))),
    "other_hash": ("other_hash", lambda: hashing(c14n(MESSAGE), name="sha256")),
    "sm3 instead": ("other_hash", lambda: hashing(c14n(MESSAGE), name="sm3")),
    "md5 instead": ("other_hash", lambda: hashing(c14n(MESSAGE), name="md5")),
    "with_declaration": ("with_declaration", lambda: hashing(lambda text: DECLARATION + text)),
    "declaration, LF": ("with_declaration", lambda: hashing(lambda text: DECLARATION + b"\n" + text)),
    "line_end_added": ("line_end_added", lambda: hashing(lambda text: text + b"\r\n")),
    "crlf_text": ("crlf_text", lambda: hashing(lambda text: text.replace(b"\n", b"\r\n"))),
    "lf_text": ("lf_text", lambda: hashing(
        CLOSED, message=CLOSED, change=lambda xml: xml.replace(b"\n", b"\r\n"))),
    "gbk_text": ("gbk_text", lambda: hashing(lambda text: text.decode().encode("gbk"))),
    "self_closed": ("self_closed", lambda: hashing(
        lambda text: text.replace(b"<ceb:note></ceb:note>", b"<ceb:note/>"))),
    "source_root_tag": ("source_root_tag", lambda: hashing(MESSAGE.partition(b"\n")[2], message=CLOSED)),
    "root_namespaces": ("root_namespaces", lambda: hashing(c14n(MESSAGE), message=NO_XSI)),
    "raw_bytes": ("raw_bytes", lambda: hashing(CLOSED, message=CLOSED)),
    "raw_bytes, no declaration": ("raw_bytes", lambda: hashing(CLOSED.partition(b"\n")[2], message=CLOSED)),
    "exclusive_c14n": ("exclusive_c14n", lambda: hashing(c14n(
        MESSAGE.replace(b" guid", b' xmlns:own="urn:own" guid'), exclusive=True),
        message=MESSAGE.replace(b" guid", b' xmlns:own="urn:own" guid'))),
    "with_comments": ("with_comments", lambda: hashing(c14n(COMMENTED, with_comments=True), message=COMMENTED)),
    "compact_text": ("compact_text", lambda: hashing(c14n(COMPACT))),
    "reindented": ("reindented", lambda: hashing(spaces(MESSAGE, "  "), message=COMPACT)),
    "signature_in_place": ("signature_in_place", in_place),
    "added_later": ("added_later", lambda: hashing(c14n(
        re.sub(rb"\t<ceb:BaseTransfer>.*</ceb:BaseTransfer>\n", b"", MESSAGE, flags=re.DOTALL)))),
    "only_part": ("only_part", lambda: hashing(etree.tostring(etree.fromstring(MESSAGE)[0], method="c14n",
                                                              with_comments=False).rstrip())),
    "empty_text": ("empty_text", lambda: hashing(b"")),
    "hash_of_hash": ("hash_of_hash", lambda: hashing(lambda text: hashlib.sha1(text).hexdigest().encode())),
    # how it was written
    "base64_of_hex": ("base64_of_hex", lambda: hashing(c14n(MESSAGE), form=lambda d: b64(d.hex().encode()))),
    "double_base64": ("double_base64", lambda: hashing(c14n(MESSAGE), form=lambda d: b64(b64(d).encode()))),
    "hex_value": ("hex_value", lambda: hashing(c14n(MESSAGE), form=bytes.hex)),
    "urlsafe_base64": ("urlsafe_base64", lambda: signing(form=lambda v: base64.urlsafe_b64encode(v).decode())),
    "plus_became_space": ("plus_became_space", lambda: signing(form=lambda v: b64(v).replace("+", " "))),
    "base64_without_padding": ("base64_without_padding", lambda: signing(form=lambda v: b64(v).rstrip("="))),
    # what was signed
    "signedinfo_whitespace": ("signedinfo_whitespace", lambda: (lambda xml: xml.replace(
        part(xml, "SignedInfo"), part(xml, "SignedInfo").replace(b"><", b">\n<")))(sign(MESSAGE, card("rsa")))),
    "signedinfo_line_feeds": ("signedinfo_line_feeds", lambda: signing(line_feeds)),
    "signed self-closed": ("self_closed", lambda: signing(
        lambda info: re.sub(rb"<([^<>/][^<>]*)></[^<>]+>", rb"<\1/>", info))),
    "assumed_namespaces": ("assumed_namespaces", lambda: signing(
        lambda info: with_tag(info, ALL), message=NO_XSI)),
    "signedinfo_namespaces": ("signedinfo_namespaces", lambda: signing(lambda info: with_tag(info, DS))),
    "no namespaces at all": ("signedinfo_namespaces", lambda: signing(lambda info: with_tag(info, ""))),
    "signedinfo_verbatim": ("signedinfo_verbatim", lambda: (lambda xml: put(xml, "SignatureValue", b64(card("rsa").sign(
        part(xml, "SignedInfo")))))(sign(MESSAGE, card("rsa")).replace(b"<ds:DigestMethod A", b"<ds:DigestMethod  A"))),
    "empty_digest_signed": ("empty_digest_signed", lambda: signing(lambda info: put(info, "DigestValue", ""))),
    "digest_changed_later": ("digest_changed_later", lambda: signing(
        change=lambda xml: put(xml, "DigestValue", b64(b"x" * 20)))),
    "methods_changed_later": ("methods_changed_later", lambda: signing(
        lambda info: info, change=lambda xml: put(other_methods(xml), "SignatureValue", b64(card("rsa").sign(
            signed_info(put(sign(MESSAGE, card("rsa")), "DigestValue", b64(hashlib.sha256(c14n(MESSAGE)).digest()))),
            "rsa-sha256"))))),
    "digest_signed": ("digest_signed", lambda: signing(lambda info: hashlib.sha1(c14n(MESSAGE)).digest())),
    "digest_signed as text": ("digest_signed", lambda: signing(lambda info: b64(
        hashlib.sha1(c14n(MESSAGE)).digest()).encode())),
    "document_signed": ("document_signed", lambda: signing(lambda info: c14n(MESSAGE))),
    "other_text_signed": ("other_text_signed", lambda: signing(lambda info: b"who knows")),
    "signed with another hash": ("other_hash", lambda: signing(
        value=lambda data: card("rsa").sign(data, "rsa-sha256"))),
    "no_digest_info": ("no_digest_info", lambda: signing(value=lambda data: rsa_raw(hashlib.sha1(data).digest()))),
    "no_hash": ("no_hash", lambda: signing(
        lambda info: hashlib.sha1(c14n(MESSAGE)).hexdigest().encode(), value=rsa_raw)),
    "rsa_pss": ("rsa_pss", lambda: signing(value=rsa_pss)),
    "reversed_bytes": ("reversed_bytes", lambda: signing(value=lambda data: card("rsa").sign(data)[::-1])),
    "reversed_bytes, SM2": ("reversed_bytes", lambda: signing(kind="sm2", value=lambda data: (
        lambda v: v[:32][::-1] + v[32:][::-1])(card("sm2").sign(data)))),
    "method_of_other_key": ("method_of_other_key", lambda: (lambda xml: put(xml, "SignatureValue", b64(
        card("rsa").sign(signed_info(xml)))))(named_sm2(sign(MESSAGE, card("rsa"))))),
    "sm2_der": ("sm2_der", lambda: signing(kind="sm2", value=lambda data: sm2.to_der(card("sm2").sign(data)))),
    "sm2_swapped": ("sm2_swapped", lambda: signing(kind="sm2", value=lambda data: (
        lambda v: v[32:] + v[:32])(card("sm2").sign(data)))),
    "sm2_without_z": ("sm2_without_z", lambda: signing(kind="sm2", value=lambda data: sm2_over(sm2.sm3(data)))),
    "sm2_user_id": ("sm2_user_id", lambda: signing(kind="sm2", value=lambda data: sm2_over(sm2.sm3(z(b""), data)))),
    "sm2_of_hash": ("sm2_of_hash", lambda: signing(
        kind="sm2", value=lambda data: sm2_over(sm2.sm3(z(), sm2.sm3(data))))),
    "sm2_other_hash": ("sm2_other_hash", lambda: signing(
        kind="sm2", value=lambda data: sm2_over(hashlib.sha256(data).digest()))),
    "wrong_key": ("wrong_key", swapped_certificate),
}  # fmt: skip


@cache
def everybody() -> TrustStore:
    cards = [card(kind, code) for kind in ("rsa", "sm2") for code in ("3302000TE5", "3302000TE9")]
    return TrustStore([Entry(read_certificate(one.certificate), frozenset({one.declarant})) for one in cards])


def examined(raw: bytes, **options: object) -> Diagnosis:
    found = doctor(raw, everybody(), NOW, "en", **options)
    for lang in ("zh", "en"):
        text = found.text(lang)
        assert found.summary.at(lang) in text and "{" not in text.split("<ds:SignedInfo")[0]
    json.dumps(found.as_dict(), ensure_ascii=False)
    return found


@pytest.mark.parametrize("name", HABITS)
def test_each_habit_is_named_with_its_cure(name):
    habit, make = HABITS[name]
    raw = make()
    assert verify(raw).verdict in ("invalid", "repaired")
    found = examined(raw)
    certain = [finding.id for finding in found.causes if finding.certain]
    assert habit in certain
    if habit not in ("digest_changed_later", "methods_changed_later", "wrong_key"):
        assert all(finding.certain for finding in found.causes)
    cause = next(finding for finding in found.causes if finding.id == habit)
    for lang in ("zh", "en"):
        assert cause.message.at(lang) in found.text(lang) and cause.remedy.at(lang) in found.text(lang)


def test_every_row_of_the_table_is_made_by_a_test():
    table = yaml.safe_load((Path(diagnosis.__file__).parent / "tables" / "habits.yaml").read_bytes())
    assert set(table["habits"]) == {habit for habit, _ in HABITS.values()}


def test_good_messages_have_no_cause():
    for kind in ("rsa", "sm2"):
        found = examined(sign(MESSAGE, card(kind)))
        assert (found.causes, found.differences, found.verdict.verdict) == ((), (), "strict")
        assert found.text("zh").startswith("签名有效") and found.text("en").startswith("the signature is good")
        assert found.tried == {}


@pytest.mark.parametrize(
    ("name", "habits"),
    [
        ("CEB621_signed_compact.xml", ["signedinfo_whitespace"]),
        ("CEB311_signed_reindented.xml", ["beside_signature", "signedinfo_whitespace"]),
        ("CEB311_signed_xsi_assumed.xml", ["assumed_namespaces"]),
        ("CEB711_signed.xml", []),
        ("CEB621_signed_sm2_2022.xml", []),
    ]
    if SAMPLES.is_dir()
    else [],
)
def test_samples(name, habits):
    assert [cause.id for cause in doctor((SAMPLES / name).read_bytes()).causes] == habits


def test_two_mistakes_at_once_are_both_named():
    raw = hashing(lambda text: (DECLARATION + text).replace(b"\n", b"\n"), name="sha256", change=beside)
    ids = [cause.id for cause in examined(raw).causes]
    assert ids == ["beside_signature", "with_declaration", "other_hash"]


# --- which bytes differ ----------------------------------------------------------------------------


def test_the_first_differing_byte_is_shown_with_both_surroundings():
    found = examined(hashing(lambda text: text.replace(b"\n", b"\r\n")))
    difference = found.differences[0]
    assert difference.id == "habit_digest"
    offset = c14n(MESSAGE).index(b"\n")
    assert difference.ours.place == difference.theirs.place == (offset, 1, offset + 1)
    assert difference.ours.after.startswith("⏎→<ceb:Inventory>") and difference.theirs.after.startswith("␍⏎→<ceb:")
    assert difference.ours.hex.startswith("0A 09") and difference.theirs.hex.startswith("0D 0A 09")
    assert difference.ours.bytes + MESSAGE.count(b"\n") - 1 == difference.theirs.bytes


def test_an_unknown_text_is_found_with_a_reference():
    original = MESSAGE.replace("平台".encode(), "平 台".encode())
    raw = sign(original, card("rsa")).replace("平 台".encode(), "平台".encode())
    alone = examined(raw)
    assert [(cause.id, cause.certain) for cause in alone.causes] == [("digest_unexplained", False)]
    assert "--reference" in alone.text("zh")
    for reference in (original, sign(original, card("sm2"))):
        found = examined(raw, reference=reference)
        assert [(cause.id, cause.certain) for cause in found.causes] == [("changed_after_signing", True)]
        offset = c14n(original).index(" 台".encode())
        assert found.summary.en.endswith(f"first difference at byte {offset} of the canonical text: 平·台 → 平台")
        assert f"第 {offset} 字节：平·台 → 平台" in found.text("zh").splitlines()[0]
        assert "    本文件: " in found.text("zh") and "    reference: " in found.text("en")
        assert "ours" not in found.text("en") and "对方" not in found.text("zh")
        assert "reference_differs" not in [remark.id for remark in found.remarks]
        assert found.differences[0].ours.after.startswith("台")
        assert found.differences[0].theirs.after.startswith("·台")
    text = examined(raw, reference=c14n(original))
    assert "reference_hashed" in [remark.id for remark in text.remarks]
    assert [cause.id for cause in text.causes] == ["changed_after_signing"]
    other = examined(raw, reference=original.replace(b"3302000TE5", b"3302000TE6"))
    assert [cause.id for cause in other.causes] == ["digest_unexplained"], "that reference was not signed either"
    assert "reference_differs" in [remark.id for remark in other.remarks]
    assert text.differences[0].theirs.after.startswith("·台")


def test_other_references():
    raw = sign(MESSAGE, card("rsa"))
    same = examined(raw, reference=MESSAGE)
    assert "reference_hashed" not in [r.id for r in same.remarks] and same.differences == ()
    assert "reference_same" in [remark.id for remark in same.remarks]
    signed = examined(raw, reference=with_tag(signed_info(raw), DS))
    assert signed.differences[0].id == "reference_signed"
    assert "reference_same" in [r.id for r in examined(raw, reference=signed_info(raw)).remarks]
    noise = examined(raw, reference=b"no xml")
    assert "reference_unreadable" in [r.id for r in noise.remarks] and noise.differences[0].id == "reference_text"


def test_the_changed_value_is_shown_whole():
    raw = sign(MESSAGE, card("rsa"))
    for old, new, said in (
        (b"3302000TE5</ceb:agent", b"330200XTE5</ceb:agent", "3302000TE5 → 330200XTE5"),
        (b"<ceb:note></ceb:note>", b"<ceb:note>x</ceb:note>", '"" → x'),
        (b'guid="g"', b'guid="h"', "g → h"),
        (b"<ceb:note></ceb:note>", b"<ceb:note>" + "长".encode() * 50 + b"</ceb:note>", '"" → ' + "长" * 20 + "…"),
    ):
        cause = examined(raw.replace(old, new, 1), reference=raw).causes[0]
        assert cause.message.en.endswith(f": {said}") and cause.message.zh.endswith(f"：{said}")


def test_first_difference():
    assert first_difference(b"abc", b"abc") is None
    assert first_difference(b"abc", b"abd") == 2
    assert first_difference(b"ab", b"abc") == 2
    assert first_difference(b"", b"x") == 0
    long = b"a" * 100_000
    assert first_difference(long + b"x", long + b"y") == 100_000


# --- the certificate -------------------------------------------------------------------------------


def test_somebody_elses_key_is_told_from_an_unknown_one():
    found = examined(swapped_certificate())
    assert [cause.id for cause in found.causes] == ["wrong_key"]
    assert card("rsa", "3302000TE9").key_name in found.causes[0].message.en
    unknown = doctor(swapped_certificate())
    assert [(cause.id, cause.certain) for cause in unknown.causes] == [("key_not_a_pair", False)]
    mixed = sign(MESSAGE, card("sm2", "unknown"))
    mine = f"<ds:X509Certificate>{b64(card('sm2').certificate)}</ds:X509Certificate>".encode()
    found = examined(mixed.replace(part(mixed, "X509Certificate"), mine))
    assert [(cause.id, cause.certain) for cause in found.causes] == [("value_unexplained", False)]


def test_the_certificate_of_another_declarant():
    found = examined(sign(MESSAGE, card("rsa", "3302000TE9")))
    assert found.declarants == ("3302000TE5",) and found.owners == {"3302000TE9"}
    assert [cause.id for cause in found.causes] == ["not_declarant"]
    assert "3302000TE9" in found.text("zh")
    assert examined(sign(MESSAGE, card("rsa"))).causes == ()


def test_expired_and_untrusted_are_said_first():
    raw = sign(MESSAGE, card("rsa"))
    late = doctor(raw, everybody(), SPAN[1] + timedelta(days=1), "en")
    assert late.text().splitlines()[0].startswith("the signature fits, the certificate is not valid")
    stranger = doctor(raw, TrustStore(), NOW, "zh")
    assert "不受信任" in stranger.text().splitlines()[0]
    for found, code in ((late, "CEB-SIGN-054"), (stranger, "CEB-SIGN-051")):
        (cause,) = found.causes
        (fault,) = found.verdict.faults
        assert (cause.id, cause.certain, fault.code) == (code, True, code)
        assert fault.message.zh in found.summary.zh and fault.remedy.zh in found.text("zh")
        assert found.owners is None and "(-)" not in found.text("en") and "（-）" not in found.text("zh")
        assert "[Certificate]" in found.text("en") and "(certain)" in found.text("en")
    borrowed = doctor(sign(MESSAGE, card("rsa", "3302000TE9")), everybody(), SPAN[1] + timedelta(days=1), "en")
    assert [cause.id for cause in borrowed.causes] == ["CEB-SIGN-054"], "nothing else is said of it"


def test_card_extensions_are_masked():
    text = examined(sign(MESSAGE, card("sm2"))).text("zh")
    extensions = [line for line in text.splitlines() if "5315.100" in line]
    assert len(extensions) == 2 and all("**" in line for line in extensions)
    assert not any("有限公司" in line for line in extensions)


# --- the file --------------------------------------------------------------------------------------


def test_facts_of_the_file_with_offsets():
    xml = b"\xef\xbb\xbf" + hashing(lambda text: text, message=CLOSED).replace(b"\n", b"\r\n", 3)
    xml = xml.replace(b"<ds:Signature ", b"\n\t<ds:Signature ").replace(b"<ds:SignedInfo>", b"<ds:SignedInfo>\n ")
    source = read_source(xml)
    assert source.bom and source.crlf == 3 and source.root_name == "ceb:CEB621Message"
    assert [name for name, _ in source.root_attributes] == ["guid", "version", "xmlns:ceb", "xmlns:xsi"]
    assert source.namespaces[0] == ("ceb", "http://www.chinaport.gov.cn/ceb")
    assert source.self_closed == 1 and source.self_closed_first[0].data == b"<ceb:note/>"
    assert xml[source.self_closed_first[0].offset :].startswith(b"<ceb:note/>")
    assert source.before.data == b"\n\n\t" and xml[source.before.offset :].startswith(b"\n\n\t<ds:Signature")
    assert source.after.data == b"" and source.inside[0].data == b"\n "
    assert xml[source.signature[0] : source.signature[1]] == part(xml, "Signature")
    ids = {remark.id for remark in examined(xml).remarks}
    assert {"bom", "carriage_returns", "white_beside", "white_inside", "self_closing", "root_order"} <= ids
    assert "no_xsi" not in ids and "no_xsi" in {r.id for r in examined(sign(NO_XSI, card("rsa"))).remarks}


def test_gbk_and_comments_and_references_are_remarked():
    xml = COMMENTED.replace(b"UTF-8", b"GBK").replace("平台".encode(), "平&#53488;台".encode()).decode().encode("gbk")
    ids = {remark.id for remark in examined(sign(xml, card("rsa"))).remarks}
    assert {"encoding", "comments", "references"} <= ids


def test_visible_white_space():
    assert visible(b" \t\r\n\xff\x01" + "平".encode()) == "·→␍⏎\\xff\\u0001平"


def test_unsigned_and_unreadable_files():
    unsigned = examined(MESSAGE)
    assert unsigned.verdict.verdict == "unsigned" and unsigned.causes == () and unsigned.canonical == c14n(MESSAGE)
    for raw in (b"", b"<a", b"\0", MESSAGE[:100], b"<!DOCTYPE a><a/>"):
        broken = examined(raw)
        assert broken.verdict.verdict == "refused" and broken.verdict.faults


def test_refused_forms_are_examined_all_the_same():
    xml = hashing(lambda text: DECLARATION + text)
    for change in (
        xml.replace(b'URI=""', b'URI="#a"'),
        xml.replace(b"#rsa-sha1", b"#rsa-md5"),
        xml.replace(b"</ds:Signature>", b"</ds:Signature>" + part(xml, "Signature")),
        xml.replace(b"<ds:DigestValue>", b"<ds:DigestValue><!-- x -->"),
        xml.replace(part(xml, "SignedInfo"), b""),
        xml.replace(b"</ds:X509Certificate>", part(xml, "Signature") + b"</ds:X509Certificate>"),
        xml.replace(part(xml, "KeyInfo"), b""),
    ):
        found = examined(change)
        assert found.verdict.verdict == "refused"
    assert "with_declaration" in [cause.id for cause in examined(xml.replace(b"#rsa-sha1", b"#rsa-md5")).causes]
