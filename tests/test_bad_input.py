"""What bad input gets: a clear fault, the original in it, and nothing lost: every good message beside it is cleared."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from walks_made import (
    ON,
    Home,
    Traffic,
    assert_sound,
    cards,
    events,
    four,
    one_story,
    pages,
    put,
    receipts_in,
    sent,
    spawn_clear,
)

from cebport.faults import ChannelDown
from cebport.messages import envelope, wire
from cebport.messages.signature import sign
from cebport.server.run import MESSAGES_A_CLAIM
from cebport.server.store.store import POISON
from cebport.testing import builders

NAMESPACE = "http://www.chinaport.gov.cn/ceb"
XINCLUDE = "http://www.w3.org/2001/XInclude"
MEMORY_MB_MAX = 300


def order_xml(change: Any = lambda text: text, encoding: str = "utf-8") -> bytes:
    """A signed order message as text, changed."""
    return change(sent("CEB311", [one_story(900).order]).decode()).encode(encoding)


def bomb() -> bytes:
    """Billion laughs."""
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "' + f"&a{n - 1};" * 10 + '">' for n in range(1, 10))
    return f"<?xml version='1.0'?><!DOCTYPE x [{entities}]><CEB311Message>&a9;</CEB311Message>".encode()


def dxp(payload: bytes, **more: Any) -> bytes:
    plain: dict[str, Any] = {"message_type": "CEB311Message", "sender": "DXPENT0000000009",
                             "receivers": ["DXPEDCCEB0000002"], "created_at": ON,
                             "cop_msg_id": "00000000-0000-4000-8000-0000000000d1"}
    return envelope.wrap(payload, **{**plain, **more})


def unreadable() -> dict[str, bytes]:
    """Inputs in which there is no document for customs; each gets one CEB900."""
    good = sent("CEB311", [one_story(900).order])
    return {
        "empty": b"",
        "blank": b" \n\t ",
        "bom-only": b"\xef\xbb\xbf",
        "binary": bytes(range(256)) * 40,
        "zeros": b"\0" * 5000,
        "zip": b"PK\x03\x04" + os.urandom(64) * 20,
        "text": "订单在附件里，请查收".encode(),
        "json": b'{"CEB311Message": {}}',
        "cut-off": good[: len(good) // 2],
        "cut-in-tag": good[: good.index(b"<ceb:ebcCode") + 6],
        "two-roots": good + good,
        "bomb": bomb(),
        "doctype": good.replace(b"?>", b'?><!DOCTYPE CEB311Message SYSTEM "http://127.0.0.1:9/x.dtd">', 1),
        "external-entity": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        "undefined-entity": order_xml(lambda text: text.replace("<ceb:orderNo>", "<ceb:orderNo>&nbsp;", 1)),
        "deep": b"<a>" * 100_000 + b"</a>" * 100_000,
        "attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>",
        "same-attribute": b'<CEB311Message guid="1" guid="2"/>',
        "utf16": order_xml(lambda text: text.replace("UTF-8", "UTF-16"), "utf-16"),
        "gbk-called-utf8": order_xml(encoding="gbk"),
        "big5": order_xml(lambda text: text.replace("UTF-8", "Big5")),
        "unknown-encoding": order_xml(lambda text: text.replace("UTF-8", "x-none")),
        "broken-utf8": good.replace(b"</ceb:ebpName>", b"\xe4\xb8</ceb:ebpName>", 1),
        "control-character": good.replace(b"</ceb:ebpName>", b"\x01</ceb:ebpName>", 1),
        "xinclude": order_xml(lambda text: text.replace(
            "<ceb:Order>", f'<xi:include xmlns:xi="{XINCLUDE}" href="/etc/passwd"/><ceb:Order>', 1)),
        "other-namespace": good.replace(NAMESPACE.encode(), b"http://www.chinaport.gov.cn/other"),
        "no-message": b"<html><body>502 Bad Gateway</body></html>",
        "unknown-message": good.replace(b"CEB311Message", b"CEB399Message"),
        "a-receipt": wire.write(wire.unreadable_receipt(b"x", [], guid="0" * 36, return_time="2" * 17)),
        "schema": good.replace(b"<ceb:orderType>I</ceb:orderType>", b"", 1),
        "no-documents": re.sub(rb"<ceb:Order>.*</ceb:Order>", b"", good, flags=re.S),
        "101-documents": wire.write(wire.message_of(wire.parse_tree(good))).replace(
            b"</ceb:Order>", b"</ceb:Order>" + re.search(rb"<ceb:Order>.*</ceb:Order>", good, re.S)[0] * 100, 1),
        "long-dxp-id": re.sub(rb"(<ceb:dxpId>)[^<]*", rb"\1" + b"D" * 3000, good),
        "path-as-dxp-id": re.sub(rb"(<ceb:dxpId>)[^<]*", rb"\1../../../tmp/../etc/passwd-and-more", good),
        "envelope-of-junk": dxp(b"junk"),
        "envelope-of-cut-off": dxp(good[:900]),
        "envelope-cut-off": dxp(good)[:2000],
        "envelope-bad-base64": dxp(good).replace(b"<Data>", b"<Data>!!", 1),
        "envelope-in-envelope": dxp(dxp(good)),
    }


def answers(home: Home) -> dict[str, list[tuple[str, bytes]]]:
    """Name of an input file -> (type, bytes) of every message that answers it."""
    files = {Path(name).stem.split("_")[1]: raw for name, raw in receipts_in(home.receipts).items()}
    rows = home.open().engine.connection.execute(
        "SELECT inbox.name, outbox.id, outbox.type FROM inbox LEFT JOIN outbox ON outbox.inbox = inbox.id").fetchall()
    found: dict[str, list[tuple[str, bytes]]] = {}
    for name, row, kind in rows:
        found.setdefault(name.removesuffix(".xml"), [])
        if row is not None:
            found[name.removesuffix(".xml")].append((kind, files[f"{row:012d}"]))
    return found


def ceb900(raw: bytes) -> Any:
    """The receipt in a CEB900 message, bare or in an envelope; the message must fit the schema."""
    if envelope.is_envelope(raw):
        opened = envelope.unwrap(raw)
        assert opened.faults == ()
        raw = opened.payload
    tree = wire.parse_tree(raw)
    assert wire.schema_faults(tree) == []
    (document,) = wire.message_of(tree).documents
    return document.head


def test_every_unreadable_input_gets_its_answer_and_harms_no_other(home: Home, tmp_path: Path) -> None:
    bad = unreadable()
    put(tmp_path / "in", **{f"5-{kind}": raw for kind, raw in four(one_story(901)).items()}, **bad)
    ran = home.clear(tmp_path / "in")
    store = home.open()
    assert poisoned(store) == []
    assert (ran.totals["closed"], ran.totals["parcels"], ran.totals["documents"]) == (1, 1, 4)
    assert ran.totals["messages"] == len(bad) + 4
    found = answers(home)
    for name, raw in bad.items():
        assert len(found[name]) == 1, name
        ((kind, answer),) = found[name]
        if kind == "DxpRep":
            assert envelope.read_answer(answer)[0].code != "0000", name
            continue
        assert kind == "900", name
        head = ceb900(answer)
        assert head.returnStatus.startswith("-"), name
        assert re.search(r"\[[^\]]+\] \S", head.returnInfo), name
        carried = raw
        if envelope.is_envelope(raw) and kind == "900" and "envelope-of" in name:
            carried = envelope.unwrap(raw).payload
        as_text = carried.decode("gb18030" if b'"GBK"' in carried[:60] else "utf-8", "replace").lstrip("\ufeff")
        kept = head.oriBizMessage
        shown = re.sub(r"[^\w<>:]", "", as_text)[:200]
        assert re.sub(r"[^\w<>:]", "", kept).startswith(shown[: len(shown) - 3] if shown else ""), name
    assert not (tmp_path / "etc").exists()
    assert {Path(name).parts[0] for name in receipts_in(home.receipts)} == {
        p.name for p in home.receipts.iterdir() if p.name != ".part"}  # one folder deep, inside
    assert_sound(store)
    again = home.clear(tmp_path / "in")
    assert again.totals == ran.totals


def poisoned(store: Any) -> list[Any]:
    return store.engine.connection.execute(f"SELECT name, note FROM inbox WHERE state = {POISON}").fetchall()


# ── envelopes ───────────────────────────────────────────────────────────────────────────────────────────


def test_bad_envelopes_get_the_exchange_s_answer_each_its_own(home: Home, tmp_path: Path) -> None:
    good = sent("CEB311", [one_story(910).order])
    bad = {
        "2-no-sender": dxp(good).replace(b"<SenderId>DXPENT0000000009</SenderId>", b"<SenderId></SenderId>"),
        "3-long-sender": dxp(good).replace(b"<SenderId>", b"<SenderId>X" + b"Y" * 400),
        "4-no-receiver": re.sub(rb"<ReceiverIds>.*</ReceiverIds>", b"", dxp(good)),
    }
    put(tmp_path / "in", **bad)
    ran = home.clear(tmp_path / "in")
    assert (ran.totals["messages"], ran.totals["parcels"]) == (3, 0)
    found = answers(home)
    for name in bad:
        ((kind, raw),) = found[name]
        assert kind == "DxpRep", name
        (response,) = envelope.read_answer(raw)
        assert response.code != "0000" and response.info, name


def test_the_payload_of_a_refused_envelope_may_come_in_a_better_one(home: Home, tmp_path: Path) -> None:
    good = sent("CEB311", [one_story(911).order])
    put(tmp_path / "in", **{"1": re.sub(rb"<ReceiverIds>.*</ReceiverIds>", b"", dxp(good))})
    assert home.clear(tmp_path / "in").totals["parcels"] == 0
    put(tmp_path / "in", **{"2": dxp(good)})
    assert home.clear(tmp_path / "in").totals["parcels"] == 1


def test_an_envelope_to_nobody_who_can_be_named(home: Home, tmp_path: Path) -> None:
    """A DXP id of 30 characters fits the message but no envelope: the receipts come bare."""
    story = one_story(912)
    raw = dxp(sign(re.sub(rb"(<ceb:dxpId>)[^<]*", rb"\1" + b"LONGER-THAN-AN-ENVELOPE-ALLOWS", wire.write(
        wire.message_of(wire.parse_tree(sent("CEB311", [story.order]))))), cards()["platform"]))
    put(tmp_path / "in", **{"1": raw})
    assert home.clear(tmp_path / "in").totals["parcels"] == 1
    found = receipts_in(home.receipts)
    assert {wire.parse_tree(each).type for each in found.values()} == {"CEB312Message"}
    assert {name.split("/")[0] for name in found} == {"LONGER-THAN-AN-ENVELOPE-ALLOWS"}


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────


def wrapping(raw: bytes) -> dict[str, bytes]:
    """What wrapping attacks do: the signed text stays somewhere, another text is where it is read."""
    forged = re.search(rb"<ceb:Order>.*</ceb:Order>", raw, re.S)[0].replace(b"<ceb:orderNo>SO", b"<ceb:orderNo>XX")
    signature = re.search(rb"<ds:Signature.*</ds:Signature>", raw, re.S)[0]
    return {
        "second-order": raw.replace(b"</ceb:Order>", b"</ceb:Order>" + forged, 1),
        "original-in-object": raw.replace(b"</ds:Signature>", b"<ds:Object>" + re.search(
            rb"<ceb:Order>.*</ceb:Order>", raw, re.S)[0] + b"</ds:Object></ds:Signature>").replace(
            re.search(rb"<ceb:Order>.*</ceb:Order>", raw, re.S)[0], forged, 1),
        "other-uri": raw.replace(b'URI=""', b'URI="#o"', 1).replace(b"<ceb:Order>", b'<ceb:Order Id="o">', 1),
        "two-signatures": raw.replace(signature, signature + signature),
        "no-transform": re.sub(rb"<ds:Transforms>.*</ds:Transforms>", b"", raw, flags=re.S),
        "xpath-transform": raw.replace(b"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
                                       b"http://www.w3.org/TR/1999/REC-xpath-19991116", 1),
        "empty-value": re.sub(rb"(<ds:SignatureValue[^>]*>)[^<]*", rb"\1", raw),
    }


def test_signature_wrapping_takes_nothing(home: Home, tmp_path: Path) -> None:
    attacks = wrapping(sent("CEB311", [one_story(920).order]))
    put(tmp_path / "in", **attacks)
    ran = home.clear(tmp_path / "in")
    assert (ran.totals["messages"], ran.totals["parcels"]) == (len(attacks), 0)
    found = answers(home)
    for name in attacks:
        for kind, raw in found[name]:
            if kind == "900":
                assert ceb900(raw).returnStatus.startswith("-"), name
            else:
                told = wire.message_of(wire.parse_tree(raw)).documents
                assert {document.head.returnStatus for document in told} == {"-301020"}, name
        assert found[name], name
    assert list(pages(home.open(), "dump_keys")) == []


def test_a_valid_signature_of_somebody_else(home: Home, tmp_path: Path) -> None:
    from cebport.testing.keys import make_card

    story = one_story(921)
    span = (ON - timedelta(days=10), ON + timedelta(days=10))
    stranger = make_card("sm2", story.order.head.ebpCode, story.order.head.ebpName, seed="stranger", valid=span)
    put(tmp_path / "in", **{
        "1-other-company": sent("CEB311", [story.order], card=cards()["agent"]),
        "2-unknown-card-of-the-same-name": sent("CEB311", [story.order], card=stranger),
        "3-agent-by-platform": sent("CEB621", [story.inventory], card=cards()["platform"])})
    ran = home.clear(tmp_path / "in")
    assert ran.totals["parcels"] == 0
    said = {name: [d.head.returnStatus for _, raw in found for d in wire.message_of(wire.parse_tree(raw)).documents]
            for name, found in answers(home).items()}
    assert said == {"1-other-company": ["-301008"], "2-unknown-card-of-the-same-name": ["-301020"],
                    "3-agent-by-platform": ["-621015"]}
    assert any(reason.rule == "CEB-SIGN-059" for _, event in events(home.open()) for reason in event.why)


# ── the same again, many times; strange files ───────────────────────────────────────────────────────────


def test_the_same_message_a_thousand_times(home: Home, tmp_path: Path) -> None:
    messages = four(one_story(930))
    put(tmp_path / "in", **messages, **{f"x{n:04d}": messages["CEB311"] for n in range(999)})
    ran = home.clear(tmp_path / "in", workers=2)
    assert (ran.totals["messages"], ran.totals["documents"], ran.totals["closed"]) == (4, 4, 1)
    assert len([name for name in receipts_in(home.receipts) if "CEB312" in name]) == 2  # 2 and 3 together, then 120
    assert_sound(home.open())


def test_strange_file_names(home: Home, tmp_path: Path) -> None:
    put(tmp_path / "in")
    names = [b"\xff\xfe.xml", "订单 一.xml".encode(), b"a\nb.xml", b"..xml", b"'; DROP TABLE inbox; --.xml",
             b"x" * 251 + b".xml"]
    for number, (name, raw) in enumerate(zip(names, four(one_story(931)).values(), strict=False)):
        with open(os.fsencode(tmp_path / "in" / "messages") + b"/" + name, "wb") as out:
            out.write(raw if number < 4 else b"junk %d" % number)
    with open(os.fsencode(tmp_path / "in" / "messages") + b"/" + names[4], "wb") as out:
        out.write(b"junk")
    ran = home.clear(tmp_path / "in")
    assert ran.totals["parcels"] == 1
    assert ran.totals["messages"] == 4  # "..xml" begins with a dot: somebody still writes it


def test_files_that_are_gone_or_locked_are_told_and_hold_up_nobody(home: Home, tmp_path: Path) -> None:
    paths = put(tmp_path / "in", **four(one_story(932)))
    gone = [paths[0].with_name(name) for name in ("CEB000.xml", "CEB999.xml")]
    with pytest.raises(ChannelDown, match=r"all else is done, but 2 files could not be read: .*CEB000\.xml: No such"):
        home.clear(tmp_path / "in", [gone[0], *paths, gone[1]])
    assert home.open().totals()["closed"] == 1


# ── odd amounts ─────────────────────────────────────────────────────────────────────────────────────────


def test_odd_amounts_break_no_book(home: Home, tmp_path: Path) -> None:
    """Prices of a hundred-thousandth, amounts as large as the schema lets them be: decided, never set aside."""
    from decimal import Decimal
    from itertools import product

    from msgspec.structs import replace

    from cebport.messages.documents import Document

    prices = map(Decimal, ("0.00001", "0", "33.33333", "10.125", "5000.001", "99999999999999.99999"))
    freights = map(Decimal, ("0", "1.005", "99999999999999.99999"))
    documents: dict[str, list[Any]] = {"CEB311": [], "CEB411": [], "CEB511": [], "CEB621": []}
    for number, (price, freight, qty) in enumerate(product(prices, freights, (Decimal(1), Decimal("0.5")))):
        made = one_story(960 + number, mode=("9610", "1210")[number % 2])
        total = (price * qty).quantize(Decimal("0.00001"))
        paid = total + freight
        if paid >= Decimal(10) ** 14:
            continue
        line, declared = (replace(of.lines[0], price=price, qty=qty, totalPrice=total)
                          for of in (made.order, made.inventory))
        documents["CEB311"].append(Document(replace(made.order.head, goodsValue=total, freight=freight, taxTotal=0,
                                                    discount=Decimal(0), acturalPaid=paid), (line,)))
        documents["CEB411"].append(builders.changed(made.payment, amountPaid=paid))
        documents["CEB511"].append(builders.changed(made.waybill, freight=freight, insuredFee=Decimal("0.12345")))
        documents["CEB621"].append(Document(replace(made.inventory.head, freight=freight,
                                                    insuredFee=Decimal("0.12345")), (declared,)))
    put(tmp_path / "in", **{kind: sent(kind, made) for kind, made in documents.items()})
    ran = home.clear(tmp_path / "in")
    store = home.open()
    assert poisoned(store) == []
    assert ran.totals["parcels"] == len(documents["CEB311"]) > 20
    assert ran.totals["closed"] > 5 and ran.totals["refused"] > 5
    assert_sound(store)


# ── fuzz ────────────────────────────────────────────────────────────────────────────────────────────────


def test_broken_at_random_nothing_breaks(home: Home, tmp_path: Path) -> None:
    """Two hundred messages with bytes changed, dropped, doubled: every one is answered, none stops the run."""
    from random import Random

    rng = Random(2026)
    story = one_story(940, mode="1210")
    sources = [*four(story).values(), dxp(four(story)["CEB311"]),
               sent("CEB623", [builders.cancel(Random(1), story, "311820261I" + "0" * 8, ON)]),
               sent("CEB625", [builders.refund(Random(1), story, "311820261I" + "0" * 8, ON)]),
               sent("CEB711", [builders.tally(Random(1), [one_story(941)], ON)])]
    broken = {}
    for number in range(200):
        raw = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 4)):
            at, size = rng.randrange(len(raw)), rng.randint(1, 40)
            junk = bytes(rng.randrange(256) for _ in range(size))
            start, end, new = rng.choice((
                (at, at + 1, junk[:1]), (at, at + size, b""), (at, at, raw[at : at + size]), (at, at, junk),
                (at, at + size, b"9" * size)))
            raw[start:end] = new
        broken[f"{number:03d}"] = bytes(raw)
    put(tmp_path / "in", **broken)
    ran = home.clear(tmp_path / "in", workers=2)
    store = home.open()
    assert poisoned(store) == []
    assert store.engine.connection.execute("SELECT id FROM outbox WHERE state <> 2").fetchall() == []
    found = answers(home)
    assert all(found.values()) and len(found) == ran.totals["messages"]
    for name, given in found.items():
        for kind, raw in given:
            if kind == "900":
                ceb900(raw)
            elif kind != "DxpRep" and not envelope.is_envelope(raw):
                assert wire.schema_faults(wire.parse_tree(raw)) == [], name
    assert_sound(store)


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────


def big_files(folder: Path) -> dict[str, Path]:
    """A gigabyte of nothing, a file that begins like a message and never ends, 250,000 documents in 32 MB and in 6."""
    folder.mkdir(parents=True, exist_ok=True)
    good = wire.write(wire.message_of(wire.parse_tree(sent("CEB311", [one_story(950).order]))))
    head, document, tail = re.fullmatch(rb"(.*?)(<ceb:Order>.*</ceb:Order>)(.*)", good, re.S).groups()
    made = {name: folder / f"{name}.xml" for name in ("hole", "begins", "250000", "250000-small", "deep", "dense")}
    for name, start, size in (("hole", b"", 1 << 30), ("begins", head + document * 2000, 1 << 28)):
        with made[name].open("wb") as out:
            out.write(start)
            out.truncate(size)
    small = (b"<ceb:Order><ceb:OrderHead><ceb:guid>00000000-0000-4000-8000-000000000001</ceb:guid>"
             b"</ceb:OrderHead></ceb:Order>")
    made["250000"].write_bytes(head + small * 250_000 + tail)
    made["250000-small"].write_bytes(head + b"<ceb:Order></ceb:Order>" * 250_000 + tail)
    made["deep"].write_bytes(b"<a>" * 7_000_000)
    made["dense"].write_bytes(head + b"<a>1</a>" * 390_000 + tail)
    return made


def test_files_of_any_size_in_little_memory(sqlite_home: Home, tmp_path: Path) -> None:
    made = big_files(tmp_path / "big")
    put(tmp_path / "in", **four(one_story(951)))
    run = spawn_clear(sqlite_home, tmp_path / "in", [tmp_path / "big", tmp_path / "in" / "messages"], workers=2)
    out, err = run.communicate(timeout=90)
    assert run.returncode == 0, err
    peak, totals = map(json.loads, out.splitlines()[-2:])
    assert peak["peak_kib"] < MEMORY_MB_MAX * 1024
    assert (totals["messages"], totals["closed"], totals["parcels"]) == (len(made) + 4, 1, 1)
    found = answers(sqlite_home)
    heads = {name: ceb900(found[name][0][1]) for name in made}
    assert all(head.returnStatus.startswith("-") and head.returnInfo for head in heads.values())
    assert str(1 << 30) in heads["hole"].returnInfo and str(1 << 28) in heads["begins"].returnInfo
    assert all("250000" in heads[name].returnInfo for name in ("250000", "250000-small"))
    assert heads["250000"].oriMessageType == "CEB311Message"
    assert heads["250000"].oriBizMessage.startswith("<?xml")
    for path in made.values():
        path.unlink()


def test_many_large_messages_at_once_in_little_memory(sqlite_home: Home, tmp_path: Path) -> None:
    """As many messages as a worker claims at once, each of 16 MB that do not compress."""
    limit = wire.LIMITS.bytes_max
    (tmp_path / "big").mkdir()
    good = wire.write(wire.message_of(wire.parse_tree(sent("CEB311", [one_story(952).order]))))
    for number in range(MESSAGES_A_CLAIM):
        text = os.urandom(limit // 4 - 4000).hex().encode()
        raw = good.replace(b"<ceb:Order>", b"<ceb:Order>" + text + b"<a/>" + text, 1)
        assert len(raw) < limit
        (tmp_path / "big" / f"{number}.xml").write_bytes(raw + b"\n" * number)
    put(tmp_path / "in", **four(one_story(953)))
    run = spawn_clear(sqlite_home, tmp_path / "in", [tmp_path / "big", tmp_path / "in" / "messages"], workers=2)
    out, err = run.communicate(timeout=90)
    assert run.returncode == 0, err
    peak, totals = map(json.loads, out.splitlines()[-2:])
    assert (totals["messages"], totals["closed"]) == (MESSAGES_A_CLAIM + 4, 1)
    assert peak["peak_kib"] < MEMORY_MB_MAX * 1024


# ── a full disk ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_database_says_so_and_resumes(sqlite_home: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch,
                                             caplog: pytest.LogCaptureFixture) -> None:
    """Room for some pages more at a time; with every pause a little more room is made."""
    from cebport.server import run as running
    from cebport.server.store.engines import SqliteEngine

    plain, pauses = SqliteEngine.__init__, []
    room: dict[str, Any] = {"pages": 60}
    sqlite_home.open()

    def narrow(self: SqliteEngine, path: Path) -> None:
        plain(self, path)
        room["engine"] = self
        grow()

    def grow(*_: object) -> None:
        room["pages"] += 8
        room["engine"].connection.execute(f"PRAGMA max_page_count = {room['pages']}")

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        grow()

    monkeypatch.setattr(SqliteEngine, "__init__", narrow)
    monkeypatch.setattr(running.time, "sleep", sleep)
    ran = sqlite_home.clear(traffic.folder)
    monkeypatch.undo()
    assert len(pauses) >= 5
    assert "full; waiting, nothing is lost" in caplog.text and "goes on" in caplog.text
    assert ran.totals["closed"] == traffic.expected["parcels"]
    assert_sound(sqlite_home.open())


class SmallDisk:
    """A folder in which only so much room is: a tmpfs where one may be mounted, else a limit of the run's files."""

    def __init__(self) -> None:
        self.path = path = Path(tempfile.mkdtemp(prefix="cebport-disk-"))
        path.chmod(0o755)
        self.mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", str(path)],
            capture_output=True, check=False).returncode == 0

    def room(self, kib: int, run: subprocess.Popen[str]) -> None:
        """Make room. ``run``: the process whose files are limited where nothing can be mounted."""
        if self.mounted:
            subprocess.run(["mount", "-o", f"remount,size={kib}k", str(self.path)], check=True)
        else:
            resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (kib * 1024, resource.RLIM_INFINITY))

    def away(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)
        shutil.rmtree(self.path)


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    disk = SmallDisk()
    try:
        yield disk
    finally:
        disk.away()


def wait_for_words(log: Path, words: str, count: int, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while log.read_text().count(words) < count:
        assert time.monotonic() < deadline and run.poll() is None, log.read_text()
        time.sleep(0.02)


def test_a_full_disk_is_waited_for(small_disk: SmallDisk, tmp_path: Path, traffic: Traffic) -> None:
    """Database and receipts on a disk that fills up twice; when there is room again the run goes on by itself."""
    home = Home("sqlite", f"sqlite:///{small_disk.path / 'store.db'}", tmp_path)
    log = tmp_path / "words"
    home.open()
    home.close()
    if not small_disk.mounted:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    run = spawn_clear(home, traffic.folder, [traffic.messages], log=log, receipts=str(small_disk.path / "receipts"))
    small_disk.room(700, run)
    wait_for_words(log, "waiting, nothing is lost", 1, run)
    small_disk.room(1200, run)
    wait_for_words(log, "waiting, nothing is lost", 2, run)
    small_disk.room(65536, run)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0, log.read_text()
    assert json.loads(out.splitlines()[-1])["closed"] == traffic.expected["parcels"]
    assert "goes on after" in log.read_text()
    try:
        store = home.open()
        assert_sound(store)
        documents = sum(len(wire.message_of(wire.parse_tree(raw)).documents)
                        for raw in receipts_in(small_disk.path / "receipts").values())
        assert documents == store.totals()["receipts"]
    finally:
        home.close()


def test_a_full_tablespace_is_waited_for(small_disk: SmallDisk, postgres: Any, tmp_path: Path,
                                         traffic: Traffic) -> None:
    """PostgreSQL's tables on a disk that fills up; without the right to mount one, its error alone."""
    import psycopg

    if not small_disk.mounted:
        home = Home("postgresql", postgres.fresh(), tmp_path)
        try:
            with pytest.raises(ChannelDown), home.open().transaction():
                raise psycopg.errors.DiskFull("could not extend file: No space left on device")
        finally:
            home.close()
        return
    run_as = postgres.who
    os.chown(small_disk.path, run_as.pw_uid, run_as.pw_gid)
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk.path)], check=True)
    postgres.run(f"CREATE TABLESPACE small LOCATION '{small_disk.path}'")
    home = Home("postgresql", postgres.url("narrow"), tmp_path)
    try:
        postgres.run("CREATE DATABASE narrow TABLESPACE small")
        home.open().close()
        home.opened.clear()
        held = sum(p.stat().st_blocks * 512 for p in small_disk.path.rglob("*") if p.is_file())
        subprocess.run(["mount", "-o", f"remount,size={held // 1024 + 300}k", str(small_disk.path)], check=True)
        log = tmp_path / "words"
        run = spawn_clear(home, traffic.folder, [traffic.messages], log=log, workers=2)
        wait_for_words(log, "waiting, nothing is lost", 1, run)
        small_disk.room(held // 1024 + 60_000, run)
        out, _ = run.communicate(timeout=60)
        assert run.returncode == 0, log.read_text()
        assert json.loads(out.splitlines()[-1])["closed"] == traffic.expected["parcels"]
        assert_sound(home.open())
    finally:
        home.close()
        postgres.run("DROP DATABASE IF EXISTS narrow WITH (FORCE)")
        postgres.run("DROP TABLESPACE small")
