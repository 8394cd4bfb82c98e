"""The PKCS#11 door, with SoftHSM (Debian package softhsm2) as the token: the key never leaves it."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pkcs11
import pytest

from cebport.faults import SettingsError
from cebport.messages.keys import Pkcs11Signer
from cebport.messages.signature import sign, verify
from cebport.testing.keys import make_card

SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))
PIN = "123456"
TOKEN = "cebport tests"
CARD = make_card("rsa", "3302000TE5", "测试申报企业有限公司", seed="pkcs11", valid=SPAN)
OTHER = make_card("rsa", "3302000TE6", "别家公司", seed="pkcs11", valid=SPAN)
MESSAGE = (
    '<ceb:CEB621Message guid="g" version="1.0" xmlns:ceb="http://www.chinaport.gov.cn/ceb">'
    "<ceb:Inventory><ceb:note>甲</ceb:note></ceb:Inventory></ceb:CEB621Message>"
).encode()
PLACES = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
]


def module() -> str:
    """Where SoftHSM's library lies."""
    found = next((place for place in PLACES if Path(place).exists()), None)
    assert found, "SoftHSM is missing: apt-get install softhsm2"
    return found


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A fresh token with the card's key and certificate, and a second key without a certificate."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    was = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    try:
        run = ["softhsm2-util", "--token", TOKEN, "--label", TOKEN, "--pin", PIN, "--so-pin", PIN]
        subprocess.run([*run, "--init-token", "--free"], check=True, capture_output=True)
        for label, key_id, card in (("card", "a1", CARD), ("bare", "b2", OTHER)):
            (folder / "key.pem").write_bytes(card.key_pem())
            load = ["softhsm2-util", "--import", str(folder / "key.pem"), "--token", TOKEN, "--label", label]
            subprocess.run([*load, "--id", key_id, "--pin", PIN], check=True, capture_output=True)
        with pkcs11.lib(module()).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True) as session:
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.LABEL: "card",
                    pkcs11.Attribute.ID: b"\xa1",
                    pkcs11.Attribute.SUBJECT: b"0\0",
                    pkcs11.Attribute.VALUE: CARD.certificate,
                }
            )
        yield module()
    finally:
        if was is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = was


@pytest.mark.parametrize("algorithm", ["rsa-sha1", "rsa-sha256"])
def test_a_signature_made_in_the_token_verifies_and_equals_that_of_the_key(token, algorithm):
    with Pkcs11Signer.open(token, token=TOKEN, pin=PIN, label="card") as signer:
        assert (signer.certificate, signer.key_name) == (CARD.certificate, CARD.key_name)
        out = sign(MESSAGE, signer, algorithm=algorithm)
    assert out == sign(MESSAGE, CARD, algorithm=algorithm)
    assert verify(out).verdict == "strict"


def test_a_key_by_its_id_with_a_certificate_from_a_file(token):
    with Pkcs11Signer.open(
        token, token=TOKEN, pin=PIN, key_id=b"\xb2", certificate=OTHER.certificate_pem(), algorithm="rsa-sha256"
    ) as signer:
        found = verify(sign(MESSAGE, signer))
    assert (found.verdict, found.algorithm, found.certificate) == ("strict", "rsa-sha256", OTHER.certificate)


def test_threads_share_one_session(token):
    with Pkcs11Signer.open(token, token=TOKEN, pin=PIN, label="card") as signer, ThreadPoolExecutor(4) as pool:
        texts = [b"%d" % number for number in range(40)]
        assert list(pool.map(signer.sign, texts)) == [CARD.sign(text) for text in texts]


def test_what_is_wrong_with_a_token_is_said_at_once(token):
    good = {"token": TOKEN, "pin": PIN, "label": "card"}
    for change, code in (
        ({"pin": "000000"}, "CEB-SIGN-071"),
        ({"token": "no such token"}, "CEB-SIGN-073"),
        ({"label": "no such key"}, "CEB-SIGN-074"),
        ({"label": "bare"}, "CEB-SIGN-074"),
        ({"certificate": OTHER.certificate}, "CEB-SIGN-067"),
        ({"certificate": b"nothing"}, "CEB-SIGN-066"),
        ({"algorithm": "sm2-sm3"}, "CEB-SIGN-062"),
    ):
        with pytest.raises(SettingsError) as refused:
            Pkcs11Signer.open(token, **{**good, **change})
        assert refused.value.faults[0].code == code
        for words in (refused.value.faults[0].message, refused.value.faults[0].remedy):
            assert words.zh and words.en
    with pytest.raises(SettingsError) as refused:
        Pkcs11Signer.open("/no/such/library.so", **good)
    assert refused.value.faults[0].code == "CEB-SIGN-075"
    with Pkcs11Signer.open(token, **good) as signer, pytest.raises(SettingsError):
        signer.sign(b"text", "sm2-sm3")
