"""Sign and verify: the samples, every accepted pair, every refusal, repairs, trust, keys, and other programs."""

import base64
import json
import os
import re
import subprocess
import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cebport.faults import Malformed, SettingsError
from cebport.messages import canonical, certificates, keys, signature, sm2, wire, xmldsig
from cebport.messages.certificates import pem_of, read_certificate, read_crl
from cebport.messages.signature import declarant_fault, sign, verify
from cebport.messages.trust import Entry, TrustStore
from cebport.testing.keys import TestCA, TestCard, make_card, rsa_key
from cebport.values import BEIJING

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SAMPLES = SHARED / "ceb" / "local" / "samples"
SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 11, 24, 9, tzinfo=BEIJING)
ALGORITHMS = {"rsa-sha1": "rsa", "rsa-sha256": "rsa", "sm2-sm3": "sm2", "sm2-sm3-sha1": "sm2"}
XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
ROOT = '<ceb:CEB311Message guid="g" version="1.0" xmlns:ceb="http://www.chinaport.gov.cn/ceb"'
BODY = """>
  <ceb:Order>
    <ceb:OrderHead><ceb:guid>g</ceb:guid><ceb:ebpName>平台</ceb:ebpName><ceb:note></ceb:note></ceb:OrderHead>
  </ceb:Order>
</ceb:CEB311Message>"""
MESSAGE = f'<?xml version="1.0" encoding="UTF-8"?>\n{ROOT}{XSI}{BODY}'.encode()


@cache
def card(kind: str, declarant: str = "3302000TE5") -> TestCard:
    return make_card(kind, declarant, "测试申报企业有限公司", seed="tests", valid=SPAN)


@cache
def ca(kind: str, seed: str = "ca") -> TestCA:
    return TestCA(kind, seed=seed, valid=SPAN)


@cache
def signed(algorithm: str = "rsa-sha1") -> bytes:
    return sign(MESSAGE, card(ALGORITHMS[algorithm]), algorithm=algorithm)


def codes(verdict: signature.Verdict) -> list[str]:
    return [fault.code for fault in verdict.faults]


# --- the samples -----------------------------------------------------------------------------------

EXPECTED = {
    "CEB621_signed_sm2_2022.xml": ("strict", (), "sm2-sm3"),
    "CEB311_signed_sm2_sha1.xml": ("strict", (), "sm2-sm3-sha1"),
    "CEB711_signed.xml": ("strict", (), "rsa-sha1"),
    "CEB621_signed_compact.xml": ("repaired", ("signedinfo_whitespace",), "rsa-sha1"),
    "CEB311_signed_reindented.xml": ("repaired", ("signedinfo_whitespace", "beside_signature"), "rsa-sha1"),
    "CEB311_signed_xsi_assumed.xml": ("repaired", ("assumed_namespaces",), "rsa-sha1"),
    "CEB622.xml": ("unsigned", (), ""),
}


@pytest.mark.parametrize("name", EXPECTED if SAMPLES.is_dir() else [])
def test_samples_get_the_verdict_that_their_table_says(name):
    raw = (SAMPLES / name).read_bytes()
    found = verify(raw)
    assert (found.verdict, found.repairs, found.algorithm) == EXPECTED[name]
    assert found.strict == (found.verdict == "strict")
    if found.verdict == "strict":
        assert verify(raw.replace(b"20261124", b"20261125")).verdict in ("invalid", "strict")
        damaged = verify(raw.replace(b"</ceb:guid>", b"x</ceb:guid>", 1))
        assert damaged.verdict == "invalid" and "CEB-SIGN-021" in codes(damaged)


def test_official_samples_of_2018_have_a_digest_that_fits_none():
    for path in (SHARED / "ceb" / "samples").glob("CEB*1Message.xml"):
        assert "CEB-SIGN-021" in codes(verify(path.read_bytes()))


# --- sign and verify -------------------------------------------------------------------------------

DRESSES = {
    "plain": MESSAGE,
    "no declaration": MESSAGE.partition(b"?>\n")[2],
    "no xsi": f"{ROOT}{BODY}".encode(),
    "other prefix": MESSAGE.replace(b"ceb:", b"x:").replace(b"xmlns:ceb", b"xmlns:x"),
    "default namespace": MESSAGE.replace(b"ceb:", b"").replace(b"xmlns:ceb", b"xmlns"),
    "ds at the root": MESSAGE.replace(b" guid", b' xmlns:ds="http://www.w3.org/2000/09/xmldsig#" guid'),
    "ds means something else": MESSAGE.replace(b" guid", b' xmlns:ds="urn:other" guid'),
    "xml:lang": MESSAGE.replace(b" guid", b' xml:lang="zh" guid'),
    "byte order mark": b"\xef\xbb\xbf" + MESSAGE,
    "GB18030": MESSAGE.decode().replace("UTF-8", "GB18030").encode("gb18030"),
    "CR LF": MESSAGE.replace(b"\n", b"\r\n"),
    "self-closed": MESSAGE.replace(b"<ceb:note></ceb:note>", b"<ceb:note/>"),
    "schemaLocation": MESSAGE.replace(b" guid", b' xsi:schemaLocation="http://www.chinaport.gov.cn/ceb a.xsd" guid'),
    "white space in tags": MESSAGE.replace(b"</ceb:Order>", b"</ceb:Order\n>"),
    "instructions and comments": MESSAGE.replace(b"?>\n", b"?><!-- <a> --><?one <ds:Signature> ?>\n", 1)
    + b"<?two </ds:Signature> ?>\n<!-- </ceb:CEB311Message> -->\n",
    "quotes in text": MESSAGE.replace("平台".encode(), b'L\'Or\xc3\xa9al = "1" &amp; &#x41; &lt;'),
    "CDATA": MESSAGE.replace("平台".encode(), b"<![CDATA[<ds:Signature>]]>"),
    "nothing in the root": f"{ROOT}/>".encode(),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_we_sign_verifies_strictly(dress, algorithm):
    xml = DRESSES[dress]
    out = sign(xml, card(ALGORITHMS[algorithm]), algorithm=algorithm)
    found = verify(out)
    assert (found.verdict, found.strict, found.repairs, found.faults) == ("strict", True, (), ())
    assert found.algorithm == algorithm and found.key_name == card(ALGORITHMS[algorithm]).key_name
    assert "测试申报企业有限公司" in found.subject
    block = re.search(rb"<ds:Signature .*</ds:Signature>", out, re.DOTALL)
    assert b"\n" not in block[0] and b"/>" not in block[0]
    if dress == "nothing in the root":
        return
    start = out.rindex(b"<ds:Signature xmlns")
    end = out.index(b"</ds:Signature>", start) + len(b"</ds:Signature>")
    assert out[:start] + out[end:] == xml


def test_default_algorithms_and_the_wrong_key():
    assert verify(sign(MESSAGE, card("rsa"))).algorithm == "rsa-sha1"
    assert verify(sign(MESSAGE, card("sm2"))).algorithm == "sm2-sm3"
    with pytest.raises(SettingsError) as refused:
        sign(MESSAGE, card("rsa"), algorithm="sm2-sm3")
    assert refused.value.faults[0].code == "CEB-SIGN-062"
    with pytest.raises(SettingsError):
        sign(MESSAGE, card("rsa"), algorithm="rsa-md5")


def test_a_signed_message_is_not_signed_again():
    with pytest.raises(Malformed) as refused:
        sign(signed(), card("sm2"))
    assert refused.value.faults[0].code == "CEB-SIGN-061"


def test_dxp_envelopes_carry_signatures_by_the_same_rules():
    letter = b'<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp" ver="1.0"><Data>QQ==</Data></DxpMsg>'
    out = sign(letter, card("sm2"))
    assert verify(out).verdict == "strict"
    assert verify(out.replace(b"QQ==", b"QUE=")).verdict == "invalid"
    assert verify(letter).verdict == "unsigned"


def test_verify_reads_a_tree_once_and_leaves_it_as_it_is(monkeypatch):
    for xml in (signed(), signed().replace(b"<ds:Signature ", b"\n <ds:Signature ")):
        tree = wire.parse_tree(xml)
        before = etree.tostring(tree.root.getroottree())
        monkeypatch.setattr(wire, "parse_tree", None)
        first = verify(tree)
        assert verify(tree) == first and first.certificate == card("rsa").certificate
        assert etree.tostring(tree.root.getroottree()) == before
        monkeypatch.undo()


def test_verdict_as_json():
    found = verify(signed())
    assert json.loads(json.dumps(found.as_dict())) == {
        "verdict": "strict",
        "strict": True,
        "repairs": [],
        "algorithm": "rsa-sha1",
        "key_name": card("rsa").key_name,
        "subject": found.subject,
        "faults": [],
    }


# --- the canonical bytes ---------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "<ceb:a></ceb:a>", "<ceb:a/>", "<ceb:a />", "<ceb:a ></ceb:a>", "<ceb:a></ceb:a\n>", "text", "平台",
        "a > b", "]] >", "/>", "'", '"', "=", 'x="1"', "&amp;", "&lt;", "&gt;", "&quot;", "&#65;", "&#13;", "&#xA;",
        "\n", "\t", " ", "\r", "\r\n", "<!-- c -->", "<?pi x?>", "<![CDATA[<a>]]>", "!", "?", "/", "//", "< / >"[1:4],
        '<ceb:a b="1"></ceb:a>', "<ceb:a b='1'></ceb:a>", '<ceb:a b="x/y>"></ceb:a>', '<ceb:a xmlns:q="urn:q"></ceb:a>',
        "<ceb:a\tb='/'></ceb:a>", "<ceb:a>/</ceb:a>", "<ceb:a><ceb:b></ceb:b>\n</ceb:a>", '<ceb:a b = "1"/>',
        "<ceb:a\n></ceb:a>", "<ceb:a><ceb:b/></ceb:a>", "<q:a xmlns:q='urn:q'/>",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=8), st.sampled_from(["", "\n", "<?pi?>", "<!--c-->"]), st.booleans())
def test_bytes_are_taken_verbatim_only_where_libxml2_writes_the_same(pieces, beside, with_signature):
    xml = f"{ROOT}>{''.join(pieces)}</ceb:CEB311Message>{beside}"
    if with_signature:
        xml = sign(xml.encode(), card("rsa")).decode()
    tree = wire.parse_tree(xml.encode())
    own = xmldsig.last_element(tree.root) if with_signature else None
    taken, made = canonical._verbatim(tree, own), canonical.serialised(tree.root, own)
    if taken is not None:
        assert taken.text == made.text
        assert (taken.before, taken.after) == (made.before, made.after) or own is None
    if with_signature:
        assert verify(tree).verdict == "strict"


def test_ordinary_messages_go_the_quick_way():
    for xml in (MESSAGE, DRESSES["default namespace"], DRESSES["GB18030"], DRESSES["no xsi"]):
        tree = wire.parse_tree(sign(xml, card("sm2")))
        assert canonical._verbatim(tree, xmldsig.last_element(tree.root)) is not None
    text = MESSAGE.replace("平台".encode(), b'L\'Or = "7" &amp; a/b')
    assert (
        canonical._verbatim(wire.parse_tree(text), None).text
        == canonical.serialised(wire.parse_tree(text).root, None).text
    )


def test_canonical_signed_info_is_that_of_libxml2_on_the_subset():
    for dress in ("plain", "default namespace", "ds at the root", "xml:lang", "schemaLocation"):
        tree = wire.parse_tree(sign(DRESSES[dress], card("rsa")))
        info = xmldsig.last_element(tree.root)[0]
        namespaces = {"n": "http://www.w3.org/2000/09/xmldsig#"}
        assert info is tree.root.xpath("//n:SignedInfo", namespaces=namespaces)[0]
        text = canonical.canonical_signed_info(tree.root, info)
        assert ('xml:lang="zh"' in text.decode()) == (dress == "xml:lang")
        start = canonical.start_tag("ds:SignedInfo", info.nsmap, {"{http://www.w3.org/XML/1998/namespace}lang": "zh"}
                                    if dress == "xml:lang" else {})  # fmt: skip
        assert text.startswith(start)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_changed_document_stays_strict(data):
    xml = signed(data.draw(st.sampled_from(sorted(ALGORITHMS))))
    end = xml.index(b"<ds:KeyInfo>")
    at = data.draw(st.integers(xml.index(b"<ceb:CEB"), end - 1))
    byte = data.draw(st.integers(0x20, 0x7E))
    if xml[at] == byte:
        byte = 0x21 if byte != 0x21 else 0x22
    changed = xml[:at] + bytes((byte,)) + xml[at + 1 :]
    found = verify(changed)
    if found.strict:  # the same characters written in another way, or white space inside a base64 text
        tree, was = wire.parse_tree(changed), wire.parse_tree(xml)
        mine, own = xmldsig.last_element(tree.root), xmldsig.last_element(was.root)
        assert canonical.serialised(tree.root, mine) == canonical.serialised(was.root, own)
        value = mine[1].text
        assert base64.b64decode(value) == base64.b64decode(own[1].text)


# --- the form that is refused ----------------------------------------------------------------------

C14N = b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED = b"http://www.w3.org/2000/09/xmldsig#enveloped-signature"


HIDDEN = b"<ds:KeyValue><ds:Object/></ds:KeyValue>"
SHORT = b"<ds:X509Certificate>AAAA</ds:X509Certificate>"
EMPTY = b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'


def cut(xml: bytes, name: str) -> bytes:
    return re.sub(rf"<ds:{name}[ >].*</ds:{name}>".encode(), b"", xml, flags=re.DOTALL)


def block(xml: bytes, name: str = "Signature") -> bytes:
    return re.search(rf"<ds:{name}[ >].*</ds:{name}>".encode(), xml, re.DOTALL)[0]


def doubled(xml: bytes, name: str) -> bytes:
    return xml.replace(block(xml, name), block(xml, name) * 2)


def moved(xml: bytes) -> bytes:
    """The signature inside the order."""
    return cut(xml, "Signature").replace(b"  </ceb:Order>", block(xml) + b"</ceb:Order>")


REFUSALS = {
    "two signatures": (lambda x: x.replace(b"<ds:Signature ", block(x) + b"<ds:Signature "), "CEB-SIGN-002"),
    "wrapped": (lambda x: x.replace(b"</ceb:Order>", block(x) + b"</ceb:Order>"), "CEB-SIGN-004"),
    "inside the order": (moved, "CEB-SIGN-004"),
    "not the last child": (lambda x: x.replace(b"</ceb:CEB311", b"<ceb:BaseTransfer/></ceb:CEB311"), "CEB-SIGN-003"),
    "no SignedInfo": (lambda x: cut(x, "SignedInfo"), "CEB-SIGN-005"),
    "no value": (lambda x: cut(x, "SignatureValue"), "CEB-SIGN-005"),
    "object": (lambda x: x.replace(b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:Object></ds:Object>"), "CEB-SIGN-005"),
    "empty": (lambda x: x.replace(block(x), EMPTY), "CEB-SIGN-005"),
    "two references": (lambda x: doubled(x, "Reference"), "CEB-SIGN-006"),
    "reference by id": (lambda x: x.replace(b'URI=""', b'URI="#a"'), "CEB-SIGN-007"),
    "reference outside": (lambda x: x.replace(b'URI=""', b'URI="http://example.com/"'), "CEB-SIGN-007"),
    "no URI": (lambda x: x.replace(b' URI=""', b""), "CEB-SIGN-007"),
    "no transforms": (lambda x: cut(x, "Transforms"), "CEB-SIGN-005"),
    "other transform": (lambda x: x.replace(ENVELOPED, C14N), "CEB-SIGN-008"),
    "two transforms": (lambda x: doubled(x, "Transform"), "CEB-SIGN-008"),
    "xpath in a transform": (lambda x: x.replace(b"</ds:Transform>", b"<ds:XPath>1</ds:XPath></ds:Transform>"),
                             "CEB-SIGN-008"),
    "exclusive": (lambda x: x.replace(C14N, b"http://www.w3.org/2001/10/xml-exc-c14n#"), "CEB-SIGN-009"),
    "with comments": (lambda x: x.replace(C14N, C14N + b"#WithComments"), "CEB-SIGN-009"),
    "id of SignedInfo": (lambda x: x.replace(b"<ds:SignedInfo>", b'<ds:SignedInfo Id="a">'), "CEB-SIGN-011"),
    "type of the reference": (lambda x: x.replace(b'URI=""', b'URI="" Type="a"'), "CEB-SIGN-011"),
    "key value": (lambda x: x.replace(block(x, "X509Data"), b"<ds:KeyValue></ds:KeyValue>"), "CEB-SIGN-012"),
    "retrieval": (lambda x: x.replace(b"<ds:X509Data>", b'<ds:RetrievalMethod URI="http://e/"/><ds:X509Data>'),
                  "CEB-SIGN-012"),
    "hidden in a key value": (lambda x: x.replace(b"<ds:X509Data>", HIDDEN + b"<ds:X509Data>"), "CEB-SIGN-012"),
    "no KeyInfo": (lambda x: cut(x, "KeyInfo"), "CEB-SIGN-013"),
    "no certificate": (lambda x: cut(x, "X509Certificate"), "CEB-SIGN-013"),
    "two certificates": (lambda x: doubled(x, "X509Certificate"), "CEB-SIGN-014"),
    "no certificate in it": (lambda x: x.replace(block(x, "X509Certificate"), SHORT), "CEB-SIGN-015"),
    "certificate as PEM": (lambda x: x.replace(b"<ds:X509Certificate>", b"<ds:X509Certificate>-----BEGIN-----"),
                           "CEB-SIGN-015"),
    "comment": (lambda x: x.replace(b"<ds:DigestValue>", b"<ds:DigestValue><!---->"), "CEB-SIGN-017"),
    "comment and element": (lambda x: x.replace(b"<ds:KeyName>", b"<ds:KeyName><!----><ds:a/>"), "CEB-SIGN-005"),
    "instruction": (lambda x: x.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo><?a?>"), "CEB-SIGN-017"),
    "stray text": (lambda x: x.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo>a"), "CEB-SIGN-017"),
    "document type": (lambda x: x.replace(b"<ceb:CEB3", b"<!DOCTYPE a><ceb:CEB3", 1), "CEB-XML-004"),
    "relative namespace": (lambda x: x.replace(b" guid", b' xmlns:r="relative" guid'), "CEB-SIGN-019"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("algorithm", ["rsa-sha1", "sm2-sm3"])
def test_other_forms_are_refused(name, algorithm):
    change, code = REFUSALS[name]
    changed = change(signed(algorithm))
    assert changed != signed(algorithm)
    found = verify(changed)
    assert found.verdict == "refused" and not found.strict
    assert code in codes(found)


def test_every_other_pair_of_methods_is_refused_by_name():
    uris = [pair.signature_uri for pair in xmldsig.METHODS] + ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"]
    digests = sorted({pair.digest_uri for pair in xmldsig.METHODS} | {"http://www.w3.org/2001/04/xmlenc#sha512"})
    accepted = {(pair.signature_uri, pair.digest_uri) for pair in xmldsig.METHODS}
    own = xmldsig.METHOD_BY_NAME["rsa-sha1"]
    for uri in uris:
        for hashed in digests:
            xml = signed().replace(f'"{own.signature_uri}"'.encode(), f'"{uri}"'.encode())
            found = verify(xml.replace(f'"{own.digest_uri}"'.encode(), f'"{hashed}"'.encode()))
            assert ("CEB-SIGN-010" in codes(found)) == ((uri, hashed) not in accepted)
            if (uri, hashed) not in accepted:
                assert found.verdict == "refused" and uri in found.faults[0].found and hashed in found.faults[0].found


def test_ids_where_the_schema_has_them_and_key_values_beside_the_certificate_do_no_harm():
    value = b"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus></ds:RSAKeyValue></ds:KeyValue><ds:X509Data>"
    xml = signed().replace(b"<ds:Signature ", b'<ds:Signature Id="a" ').replace(b"<ds:X509Data>", value)
    assert verify(xml).verdict == "strict"


def test_unreadable_bytes_are_refused_with_the_faults_of_reading():
    for raw in (b"", b"<a", b"not xml", b"<other/>"):
        found = verify(raw)
        assert found.verdict == "refused" and found.faults


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ALGORITHMS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_no_damage_to_a_message_or_its_certificate_raises(algorithm, changes):
    def damaged(data: bytes) -> bytes:
        out = bytearray(data)
        for at, byte in changes:
            out[at % len(out)] = byte
        return bytes(out)

    xml, der = signed(algorithm), damaged(card(ALGORITHMS[algorithm]).certificate)
    text = b"<ds:X509Certificate>" + base64.b64encode(der) + b"</ds:X509Certificate>"
    trust = store(card("rsa").certificate, ca("sm2").certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for raw in (damaged(xml), xml.replace(block(xml, "X509Certificate"), text)):
            assert verify(raw, trust, NOW).verdict in VERDICTS


VERDICTS = {"strict", "repaired", "unsigned", "invalid", "refused", "untrusted", "expired", "revoked"}


# --- what does not fit -----------------------------------------------------------------------------


def test_a_changed_document_names_the_digest_and_a_changed_signed_info_the_value():
    body = verify(signed().replace("平台".encode(), "坪台".encode()))
    assert (body.verdict, codes(body)) == ("invalid", ["CEB-SIGN-021"])
    assert body.faults[0].found != body.faults[0].expected
    value = block(signed(), "SignatureValue")
    other = block(sign(MESSAGE.replace(b"g</ceb", b"h</ceb"), card("rsa")), "SignatureValue")
    assert codes(verify(signed().replace(value, other))) == ["CEB-SIGN-022"]


@pytest.mark.parametrize(
    ("algorithm", "text", "code"),
    [
        ("rsa-sha1", b"AAAA", "CEB-SIGN-024"),
        ("sm2-sm3", base64.b64encode(b"\1" * 70), "CEB-SIGN-024"),
        ("sm2-sm3", base64.b64encode(b"\0" * 64), "CEB-SIGN-022"),
        ("sm2-sm3", base64.b64encode(b"\xff" * 64), "CEB-SIGN-022"),
        ("rsa-sha1", b"not base64!", "CEB-SIGN-016"),
        ("rsa-sha1", b"", "CEB-SIGN-024"),
    ],
)
def test_values_that_cannot_be(algorithm, text, code):
    xml = signed(algorithm)
    changed = xml.replace(block(xml, "SignatureValue"), b"<ds:SignatureValue>" + text + b"</ds:SignatureValue>")
    assert (verify(changed).verdict, codes(verify(changed))) == ("invalid", [code])


def test_a_signed_info_without_a_canonical_form():
    found = verify(signed().replace(b"<ds:SignedInfo>", b'<ds:SignedInfo xmlns:r="relative">'))
    assert (found.verdict, codes(found)) == ("invalid", ["CEB-SIGN-019"])


def test_digests_that_cannot_be():
    for text, code in ((b"AAAA", "CEB-SIGN-025"), (b"?", "CEB-SIGN-016")):
        changed = signed().replace(block(signed(), "DigestValue"), b"<ds:DigestValue>" + text + b"</ds:DigestValue>")
        assert code in codes(verify(changed))


def test_a_key_of_another_kind_than_the_method():
    other = base64.b64encode(card("sm2").certificate)
    certificate = b"<ds:X509Certificate>" + other + b"</ds:X509Certificate>"
    found = verify(signed().replace(block(signed(), "X509Certificate"), certificate))
    assert found.verdict == "invalid" and "CEB-SIGN-023" in codes(found)


def test_key_name_differs_or_is_missing_is_a_warning():
    name = card("rsa").key_name
    padded = signed().replace(f">{name}<".encode(), f">00{name.upper()}<".encode())
    assert verify(padded).faults == ()
    other = verify(signed().replace(f">{name}<".encode(), b">77<"))
    assert (other.verdict, codes(other)) == ("strict", ["CEB-SIGN-031"])
    none = verify(cut(signed(), "KeyName"))
    assert (none.verdict, codes(none)) == ("strict", ["CEB-SIGN-032"])


# --- repairs ---------------------------------------------------------------------------------------


def spaced(xml: bytes) -> bytes:
    info = block(xml, "SignedInfo")
    return xml.replace(info, info.replace(b"><", b">\n<"))


def beside(xml: bytes, before: bytes = b"\n", after: bytes = b"\n") -> bytes:
    return xml.replace(b"<ds:Signature ", before + b"<ds:Signature ").replace(
        b"</ds:Signature>", b"</ds:Signature>" + after
    )


def assumed(xml: bytes, algorithm: str) -> bytes:
    """Signed by somebody who takes ceb, ds and xsi for declared."""
    signer = card(ALGORITHMS[algorithm])
    info = block(sign(xml, signer, algorithm=algorithm), "SignedInfo")
    names = "".join(f' xmlns:{p}="{u}"' for p, u in sorted(signature.ASSUMED_NAMESPACES.items()))
    value = signer.sign(info.replace(b"<ds:SignedInfo>", f"<ds:SignedInfo{names}>".encode()), algorithm)
    text = b"<ds:SignatureValue>" + base64.b64encode(value) + b"</ds:SignatureValue>"
    out = sign(xml, signer, algorithm=algorithm)
    return out.replace(block(out, "SignatureValue"), text)


BARE = MESSAGE.replace(b"\n</ceb:CEB311Message>", b"</ceb:CEB311Message>")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_repair_is_named_and_only_where_it_is_needed(algorithm):
    signer = card(ALGORITHMS[algorithm])
    plain = sign(BARE, signer, algorithm=algorithm)
    no_xsi = assumed(BARE.replace(XSI.encode(), b""), algorithm)
    for xml, repairs in (
        (plain, ()),
        (spaced(plain), ("signedinfo_whitespace",)),
        (beside(plain, after=b""), ("beside_signature",)),
        (beside(plain, before=b""), ("beside_signature",)),
        (beside(plain, b"\r\n\t ", b"\n \n"), ("beside_signature",)),
        (beside(spaced(plain)), ("signedinfo_whitespace", "beside_signature")),
        (no_xsi, ("assumed_namespaces",)),
        (spaced(no_xsi), ("signedinfo_whitespace", "assumed_namespaces")),
        (beside(spaced(no_xsi)), ("signedinfo_whitespace", "beside_signature", "assumed_namespaces")),
    ):
        found = verify(xml)
        assert (found.verdict, found.repairs) == ("repaired" if repairs else "strict", repairs)
        assert found.strict == (not repairs)
        assert len([fault for fault in found.faults if fault.severity == "warning"]) == len(repairs)


def test_nothing_else_is_repaired():
    plain = sign(BARE, card("rsa"))
    for xml in (
        plain.replace(b"<ceb:Order>", b"<ceb:Order>\n", 1),
        beside(plain, before="　".encode()),
        beside(plain, before=b"<?a?>"),
        plain.replace(b"<ds:DigestValue>", b"<ds:DigestValue>\n"),
    ):
        assert verify(xml).verdict == "invalid"


# --- trust -----------------------------------------------------------------------------------------


def store(*certificates_der: bytes, declarants=None, crls=(), since=None, until=None) -> TrustStore:
    entries = [Entry(read_certificate(der), declarants, since, until) for der in certificates_der]
    return TrustStore(entries, [read_crl(der) for der in crls])


def verdict_of(signer: TestCard, trust: TrustStore, on: datetime | None = NOW) -> tuple[str, list[str]]:
    found = verify(sign(MESSAGE, signer), trust, on)
    assert found.strict
    return found.verdict, codes(found)


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_pins_and_strangers(kind):
    assert verdict_of(card(kind), store(card(kind).certificate)) == ("strict", [])
    assert verdict_of(card(kind), store(card(kind, "other").certificate)) == ("untrusted", ["CEB-SIGN-051"])
    assert verdict_of(card(kind), TrustStore()) == ("untrusted", ["CEB-SIGN-051"])
    (alone,) = verify(sign(MESSAGE, card(kind)), TrustStore()).faults
    assert alone.expected == "" and "issuer" not in alone.message.en, "a self-signed card has no issuer to name"
    (issued,) = verify(sign(MESSAGE, ca(kind).issue(kind, "3302000TE5", "公司", seed=1)), TrustStore()).faults
    assert issued.expected and f"nor its issuer {issued.expected}" in issued.message.en


@pytest.mark.parametrize("issuer", ["rsa", "sm2"])
@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_cas_of_either_kind_issue_cards_of_either_kind(issuer, kind):
    leaf = ca(issuer).issue(kind, "3302000TE5", "公司", seed=1)
    assert verdict_of(leaf, store(ca(issuer).certificate)) == ("strict", [])
    assert verdict_of(leaf, store(ca(issuer, "same name, other key").certificate)) == ("untrusted", ["CEB-SIGN-052"])
    assert verdict_of(card(kind), store(ca(issuer).certificate)) == ("untrusted", ["CEB-SIGN-051"])


def test_a_pinned_card_is_no_ca():
    leaf = ca("rsa").issue("rsa", "3302000TE5", "公司", seed=1)
    assert not read_certificate(leaf.certificate).is_ca and read_certificate(ca("rsa").certificate).is_ca
    assert verdict_of(card("rsa"), store(leaf.certificate))[0] == "untrusted"


def test_validity_is_to_the_second_and_only_with_a_moment():
    pin = store(card("sm2").certificate)
    second = timedelta(seconds=1)
    assert verdict_of(card("sm2"), pin, SPAN[0] - second) == ("expired", ["CEB-SIGN-055"])
    assert verdict_of(card("sm2"), pin, SPAN[0])[0] == "strict"
    assert verdict_of(card("sm2"), pin, SPAN[1])[0] == "strict"
    assert verdict_of(card("sm2"), pin, SPAN[1] + second) == ("expired", ["CEB-SIGN-054"])
    assert verdict_of(card("sm2"), pin, None)[0] == "strict"
    assert verify(signed(), None, SPAN[1] + second).verdict == "expired"


def test_an_expired_ca_vouches_for_nobody():
    old = TestCA("sm2", seed="old", valid=(SPAN[0], NOW - timedelta(days=1)))
    leaf = old.issue("rsa", "A", "公司", seed=1, valid=SPAN)
    assert verdict_of(leaf, store(old.certificate)) == ("expired", ["CEB-SIGN-058"])
    assert verdict_of(leaf, store(old.certificate, leaf.certificate))[0] == "strict"


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_revocation_counts_from_its_moment(kind):
    leaf = ca(kind).issue("sm2", "A", "公司", seed=1)
    other = ca(kind).issue("sm2", "B", "公司", seed=1)
    times = {"this_update": NOW - timedelta(days=1), "next_update": NOW + timedelta(days=30)}
    crl = ca(kind).crl({leaf.serial: NOW}, **times)
    trust = store(ca(kind).certificate, crls=[crl])
    assert verdict_of(leaf, trust, NOW - timedelta(seconds=1))[0] == "strict"
    assert verdict_of(leaf, trust, NOW) == ("revoked", ["CEB-SIGN-056"])
    assert verdict_of(leaf, trust, None)[0] == "revoked"
    assert verdict_of(other, trust) == ("strict", [])
    assert verdict_of(other, trust, NOW + timedelta(days=31)) == ("strict", ["CEB-SIGN-057"])
    assert verdict_of(leaf, store(ca(kind).certificate, leaf.certificate, crls=[crl]))[0] == "revoked"


def test_a_list_that_no_ca_of_the_store_signed_is_refused():
    crl = ca("rsa", "stranger").crl({}, this_update=NOW, next_update=NOW)
    for trust in ([ca("rsa").certificate], []):
        with pytest.raises(SettingsError) as refused:
            store(*trust, crls=[crl])
        assert refused.value.faults[0].code == "CEB-SIGN-065"


def test_entries_hold_on_their_days_in_beijing():
    trust = store(
        card("sm2").certificate, declarants=frozenset({"A"}), since=date(2026, 11, 24), until=date(2026, 11, 25)
    )
    der = card("sm2").certificate
    midnight = datetime(2026, 11, 24, tzinfo=BEIJING)
    assert verdict_of(card("sm2"), trust, midnight)[0] == "strict"
    assert verdict_of(card("sm2"), trust, midnight - timedelta(seconds=1)) == ("untrusted", ["CEB-SIGN-053"])
    assert verdict_of(card("sm2"), trust, midnight + timedelta(hours=47))[0] == "strict"
    assert verdict_of(card("sm2"), trust, midnight + timedelta(days=2))[0] == "untrusted"
    assert trust.owners(der, date(2026, 11, 24)) == {"A"} == trust.owners(der, midnight)
    assert trust.owners(der, date(2026, 11, 26)) == frozenset()


def test_owners_add_up_and_any_wins():
    der = card("sm2").certificate
    pin = Entry(read_certificate(der), frozenset({"A"}))
    assert TrustStore([pin, pin._replace(declarants=frozenset({"B"}))]).owners(der, NOW) == {"A", "B"}
    assert TrustStore([pin, pin._replace(declarants=None)]).owners(der, NOW) is None
    assert TrustStore().owners(der, NOW) == frozenset()


def test_trust_files(tmp_path):
    leaf = ca("sm2").issue("rsa", "A", "公司", seed=1)
    crl = ca("sm2").crl({leaf.serial: NOW}, this_update=NOW, next_update=NOW + timedelta(days=9))
    (tmp_path / "ca.pem").write_bytes(ca("sm2").certificate_pem() + card("rsa").certificate_pem())
    (tmp_path / "ca.crl").write_bytes(pem_of("X509 CRL", crl))
    (tmp_path / "card.der").write_bytes(card("sm2").certificate)
    inline = "\n".join("    " + line for line in card("sm2", "B").certificate_pem().decode().splitlines())
    (tmp_path / "trust.yaml").write_text(
        "- certificate: card.der\n  declarants: ['3302000TE5', C]\n  since: 2026-01-01\n  until: '2026-12-31'\n"
        f"- certificate: |\n{inline}\n  declarants: any\n  note: by hand\n"
    )
    trust = TrustStore.load([tmp_path / name for name in ("ca.pem", "ca.crl", "trust.yaml")])
    assert verdict_of(leaf, trust)[0] == "revoked"
    assert verdict_of(card("rsa"), trust)[0] == "strict"
    assert trust.owners(card("sm2").certificate, NOW) == {"3302000TE5", "C"}
    assert trust.owners(card("sm2").certificate, date(2027, 1, 1)) == frozenset()
    assert trust.owners(card("sm2", "B").certificate, NOW) is None
    assert len(trust.certificates) == 4
    assert TrustStore.load(str(tmp_path / "card.der")).owners(card("sm2").certificate) is None


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pem", b"nothing", "CEB-SIGN-063"),
        ("a.pem", b"-----BEGIN CERTIFICATE-----\nAAAA", "CEB-SIGN-063"),
        ("a.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "CEB-SIGN-063"),
        ("a.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "CEB-SIGN-063"),
        ("a.yaml", b"certificate: a.der", "CEB-SIGN-064"),
        ("a.yaml", b"- {declarants: any}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: card.der}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: card.der, declarants: [1]}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: card.der, declarants: all}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: card.der, declarants: any, sinse: 2026-01-01}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: card.der, declarants: any, since: soon}", "CEB-SIGN-064"),
        ("a.yaml", b"- {certificate: gone.der, declarants: any}", "CEB-SIGN-063"),
        ("a.yaml", b"- [", "CEB-SIGN-063"),
    ],
)
def test_wrong_trust_files_stop_the_start_and_name_the_file(tmp_path, name, content, code):
    (tmp_path / "card.der").write_bytes(card("sm2").certificate)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        TrustStore.load([tmp_path / name])
    fault = refused.value.faults[0]
    assert fault.code == code and str(tmp_path) in fault.message.en
    with pytest.raises(SettingsError):
        TrustStore.load(tmp_path / "not there.pem")


def test_the_fault_of_another_declarant():
    fault = declarant_fault(["A", None], {"C", "B"}, "CN=公司", path="agentCode", document=3)
    assert (fault.code, fault.document, fault.found, fault.expected) == ("CEB-SIGN-059", 3, "A", "B, C")
    assert "CN=公司" in fault.message.zh


def test_every_fault_has_its_words():
    entries = certificates.catalog()
    assert len(entries) > 40
    for code, entry in entries.items():
        assert re.fullmatch(r"CEB-SIGN-\d{3}", code)
        values = dict.fromkeys(("subject", "issuer_zh", "issuer_en", "detail", "what"), "x")
        fault = certificates.sign_fault(code, found="f", expected="e", path="p", **values)
        assert all((*fault.message, *fault.remedy, entry["source"])) and "{" not in fault.message.zh + fault.message.en


# --- SM2 -------------------------------------------------------------------------------------------


def test_sm2_agrees_with_the_example_of_the_standard():
    key = sm2.PrivateKey(0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8)
    assert key.public.hex().startswith("09f9df311e5421a150dd7d161e4bc5c672179fad1833fc07")
    r = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    s = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    assert sm2.PublicKey.of(key.public).verify(b"message digest", bytes.fromhex(r + s))
    assert sm2.sm3(b"a", b"bc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize("name", ["179_3_signed_text.txt"] if SAMPLES.is_dir() else [])
def test_sm2_agrees_with_the_sample_of_another_program(name):
    value = base64.b64decode(json.loads((SAMPLES / "179_4_payExInfoStr.json").read_bytes())["signValue"])
    public = bytes.fromhex((SAMPLES / "179_sm2_public_key.hex").read_text().strip())
    text = (SAMPLES / name).read_bytes()
    assert sm2.PublicKey.of(public).verify(text, value)
    assert not sm2.PublicKey.of(public).verify(text + b"\n", value)
    assert not sm2.PublicKey.of(public).verify(text, value, b"another id")


def test_without_libcrypto_gmssl_gives_the_same_with_a_warning(monkeypatch):
    def none() -> None:
        raise OSError("no such library")

    zero_four = next(key for n in range(2000) if (key := sm2.PrivateKey.from_entropy(b"%d" % n)).public[0] == 4)
    native = zero_four.sign_derived(b"text")
    monkeypatch.setattr(sm2, "Libcrypto", none)
    sm2.backend.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="pure Python"):
            assert sm2.backend().name == "gmssl"
        key = sm2.PrivateKey(zero_four.scalar)
        assert key.public == zero_four.public and key.sign(b"text") == native
        public = sm2.PublicKey(key.public)
        assert public.verify(b"text", native) and not public.verify(b"texT", native)
    finally:
        monkeypatch.undo()
        sm2.backend.cache_clear()
    assert sm2.backend().name == "libcrypto"


def test_sm3_without_the_hash_in_openssl(monkeypatch):
    right = sm2.sm3(b"ab", b"c")
    monkeypatch.setattr(sm2, "HAS_SM3", False)
    assert sm2.sm3(b"ab", b"c") == right


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=64, max_size=64))
def test_der_and_raw_signatures_are_two_ways(raw):
    assert sm2.from_der(sm2.to_der(raw)) == raw
    assert sm2.from_der(sm2.to_der(raw)[:-1]) is None


def test_keys_and_signatures_out_of_range_are_refused():
    for raw in (b"", b"\0" * 64, b"\1" * 64, b"\xff" * 64):
        with pytest.raises(ValueError):
            sm2.PublicKey(raw)
    for scalar in (0, sm2.N - 1, -1):
        with pytest.raises(ValueError):
            sm2.PrivateKey(scalar)
    key = sm2.PrivateKey.from_entropy(b"x")
    n = sm2.N.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    for bad in (n + one, one + n, b"\0" * 32 + one, one + (sm2.N - 1).to_bytes(32, "big"), b"", one):
        assert not sm2.PublicKey.of(key.public).verify(b"t", bad)
    assert key.sign(b"t") != key.sign(b"t") and key.sign_derived(b"t") == key.sign_derived(b"t")


# --- keys from files -------------------------------------------------------------------------------


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def files(tmp_path: Path, kind: str) -> tuple[Path, Path]:
    key, certificate = tmp_path / "key.pem", tmp_path / "card.pem"
    key.write_bytes(card(kind).key_pem())
    certificate.write_bytes(card(kind).certificate_pem())
    return key, certificate


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_keys_in_every_wrapping(tmp_path, kind):
    key, certificate = files(tmp_path, kind)
    wrappings = {
        "pkcs8.der": (["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], None),
        "sealed.pem": (["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:secret"], "secret"),
        "sealed.der": (["pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:secret"], "secret"),
    }
    if kind == "rsa":
        wrappings["traditional.pem"] = (["pkey", "-traditional"], None)
    for name, (arguments, password) in wrappings.items():
        out = tmp_path / name
        out.write_bytes(openssl(*arguments, "-in", str(key)))
        signer = keys.load_signer(out, certificate, password=password)
        assert verify(sign(MESSAGE, signer)).verdict == "strict"
        if password:
            for wrong in ("wrong", None):
                with pytest.raises(SettingsError) as refused:
                    keys.load_signer(out, certificate, password=wrong)
                assert refused.value.faults[0].code == "CEB-SIGN-068"
        else:
            assert keys.load_signer(out, certificate, password="needless").key_name == signer.key_name
    box = tmp_path / "card.p12"
    box.write_bytes(
        openssl("pkcs12", "-export", "-inkey", str(key), "-in", str(certificate), "-passout", "pass:secret")
    )
    signer = keys.load_signer(str(box), password="secret")
    assert (signer.certificate, signer.key_name) == (card(kind).certificate, card(kind).key_name)
    assert verify(sign(MESSAGE, signer)).verdict == "strict"
    for wrong in ("wrong", None):
        with pytest.raises(SettingsError) as refused:
            keys.load_signer(box, password=wrong)
        assert refused.value.faults[0].code == "CEB-SIGN-068"
        assert "CEBPORT_PASSWORD" in refused.value.faults[0].message.en
    if kind == "sm2":  # the form that other SM2 programs write: EC PRIVATE KEY with its curve
        scalar, public = card(kind)._key.private.scalar, card(kind)._key.private.public
        curve = bytes.fromhex("a00a06082a811ccf5501822da14403420004")
        sec1 = bytes.fromhex("30770201010420") + scalar.to_bytes(32, "big") + curve + public
        for data in (pem_of("EC PRIVATE KEY", sec1), sec1):
            assert keys.load_signer(data, certificate).certificate == card(kind).certificate
    both = card(kind).certificate_pem() + card(kind).key_pem() + card(kind, "other").certificate_pem()
    assert keys.load_signer(both).certificate == card(kind).certificate


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_a_key_with_somebody_elses_certificate_is_refused(tmp_path, kind):
    key, _ = files(tmp_path, kind)
    for certificate, code in (
        (card(kind, "other").certificate, "CEB-SIGN-067"),
        (card("sm2" if kind == "rsa" else "rsa").certificate_pem(), "CEB-SIGN-067"),
        (b"", "CEB-SIGN-066"),
        (None, "CEB-SIGN-069"),
        (key, "CEB-SIGN-066"),
        (tmp_path / "gone.pem", "CEB-SIGN-066"),
    ):
        with pytest.raises(SettingsError) as refused:
            keys.load_signer(key, certificate)
        assert refused.value.faults[0].code == code
    with pytest.raises(SettingsError):
        keys.load_signer(b"no key", card(kind).certificate)
    with pytest.raises(SettingsError):
        keys.load_signer(key, card(kind).certificate, algorithm="rsa-sha1" if kind == "sm2" else "sm2-sm3")


def test_keys_of_other_curves_are_refused(tmp_path):
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    with pytest.raises(SettingsError):
        keys.load_signer(key, card("sm2").certificate)


# --- test cards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_the_same_seed_gives_the_same_card_and_signature(kind):
    again = make_card(kind, "3302000TE5", "测试申报企业有限公司", seed="tests", valid=SPAN)
    assert again.certificate == card(kind).certificate and again.key_pem() == card(kind).key_pem()
    assert sign(MESSAGE, again) == sign(MESSAGE, card(kind))
    other = make_card(kind, "3302000TE5", "测试申报企业有限公司", seed="other", valid=SPAN)
    assert other.certificate != again.certificate
    assert len(card(kind).key_name) == {"rsa": 8, "sm2": 16}[kind]
    shown = read_certificate(card(kind).certificate).extensions
    assert shown[certificates.EPORT_ARC + ".5.1"] == "测试申报企业有限公司"


def test_primes_without_libcrypto_are_the_same(monkeypatch):
    right = rsa_key("small", bits=1024).private_numbers()
    monkeypatch.setattr(sm2, "backend", lambda: None)
    assert rsa_key("small", bits=1024).private_numbers() == right
    assert rsa_key("small", bits=1024).key_size == 1024


def test_openssl_reads_our_certificates_and_lists(tmp_path):
    for kind in ("rsa", "sm2"):
        leaf = ca(kind).issue("sm2", "A", "公司", seed=1)
        (tmp_path / "ca.pem").write_bytes(ca(kind).certificate_pem())
        (tmp_path / "leaf.pem").write_bytes(leaf.certificate_pem())
        options = ["-vfyopt", "distid:1234567812345678"] if kind == "sm2" else []
        chain = ["-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")]
        said = openssl("verify", *options, "-attime", str(int(NOW.timestamp())), *chain)
        assert said.strip().endswith(b"OK")
        crl = ca(kind).crl({leaf.serial: NOW}, this_update=NOW, next_update=NOW)
        assert leaf.key_name.upper().encode() in openssl("crl", "-inform", "DER", "-noout", "-text", data=crl)


# --- other programs --------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["rsa-sha1", "rsa-sha256"])
@pytest.mark.parametrize("dress", ["plain", "default namespace", "GB18030", "instructions and comments", "CDATA"])
def test_xmlsec_verifies_what_we_sign(algorithm, dress):
    import xmlsec

    out = sign(DRESSES[dress], card("rsa"), algorithm=algorithm)
    node = etree.fromstring(out).getroottree().getroot()[-1]
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(card("rsa").certificate_pem(), xmlsec.KeyFormat.CERT_PEM, None)
    context.verify(node)
    broken = etree.fromstring(out.replace(b'version="1.0" xmlns', b'version="1.1" xmlns'))
    broken.set("version", "2")
    with pytest.raises(xmlsec.Error):
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(card("rsa").certificate_pem(), xmlsec.KeyFormat.CERT_PEM, None)
        context.verify(broken[-1])


@pytest.mark.parametrize("space", ["", "http://www.chinaport.gov.cn/ceb"])
def test_we_verify_what_xmlsec_signs_without_a_prefix(space):
    """A Signature in the default namespace, in a message with prefixes or in its own default namespace."""
    import xmlsec

    root = etree.fromstring(DRESSES["default namespace"] if space else MESSAGE)
    node = xmlsec.template.create(root, xmlsec.Transform.C14N, xmlsec.Transform.RSA_SHA1)
    root.append(node)
    reference = xmlsec.template.add_reference(node, xmlsec.Transform.SHA1, uri="")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    info = xmlsec.template.ensure_key_info(node)
    xmlsec.template.add_key_name(info, card("rsa").key_name)
    xmlsec.template.add_x509_data(info)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(card("rsa").key_pem(), xmlsec.KeyFormat.PEM, None)
    context.key.load_cert_from_memory(card("rsa").certificate_pem(), xmlsec.KeyFormat.CERT_PEM)
    context.sign(node)
    raw = etree.tostring(root)
    assert b"<Signature xmlns=" in raw
    assert verify(raw).verdict == "strict"


def test_we_verify_what_signxml_signs():
    from signxml import CanonicalizationMethod, XMLSigner, methods

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signer = XMLSigner(methods.enveloped, "rsa-sha256", "sha256", CanonicalizationMethod.CANONICAL_XML_1_0)
        signer.namespaces = {"ds": xmldsig.DS}
        root = signer.sign(
            etree.fromstring(MESSAGE), key=card("rsa").key_pem(), cert=card("rsa").certificate_pem().decode()
        )
    single = root.find(f".//{{{xmldsig.DS}}}Transforms")
    found = verify(etree.tostring(root))
    if len(single) == 1:
        assert found.verdict == "strict"
    else:  # signxml names the canonicalisation as a second transform: not the form that customs takes
        assert codes(found)[0] == "CEB-SIGN-008"


def test_openssl_verifies_our_sm2_signature(tmp_path):
    out = sign(MESSAGE, card("sm2"))
    tree = wire.parse_tree(out)
    own = xmldsig.last_element(tree.root)
    (tmp_path / "data").write_bytes(canonical.canonical_signed_info(tree.root, own[0]))
    (tmp_path / "value").write_bytes(sm2.to_der(base64.b64decode(own[1].text)))
    (tmp_path / "card.pem").write_bytes(card("sm2").certificate_pem())
    (tmp_path / "public.pem").write_bytes(openssl("x509", "-in", str(tmp_path / "card.pem"), "-noout", "-pubkey"))
    said = openssl("dgst", "-sm3", "-verify", str(tmp_path / "public.pem"), "-sigopt", "distid:1234567812345678",
                   "-signature", str(tmp_path / "value"), str(tmp_path / "data"))  # fmt: skip
    assert said.strip() == b"Verified OK"
