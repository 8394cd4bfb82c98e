"""Every rule of the message text: what breaks it, what does not, how it is told, what a practice changes."""

import os
import subprocess
import sys
import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from stdnum.cn import ric

from cebport.faults import SEVERITIES, is_valid
from cebport.messages import codes, documents, fields, rules, shape
from cebport.messages.documents import Document, Message
from cebport.values import BEIJING, is_time14

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=BEIJING)
D = Decimal


def card(birth: str = "19890421", district: str = "110108", serial: str = "053") -> str:
    body = district + birth + serial
    return body + ric.calc_check_digit(body + "0")


PERSON = card()


def guid() -> str:
    return str(uuid.uuid4()).upper()


STAMP = {"appType": "1", "appTime": "20261124082617", "appStatus": "2"}
PARTIES = {"ebpCode": "3302000TE1", "ebpName": "平台", "ebcCode": "3302000TE2", "ebcName": "电商"}
CARRIER = {"logisticsCode": "3302000TE4", "logisticsName": "物流"}
BUYER = {"buyerIdType": "1", "buyerIdNumber": PERSON, "buyerName": "张测试", "buyerTelephone": "13000000000"}
DECLARANT = {"agentCode": "3302000TE5", "agentName": "申报"}


def order() -> Document:
    lines = tuple(
        documents.OrderList(
            gnum=gnum, itemName="奶粉", gmodel="800g", unit="122", qty=D(2), price=D(price),
            totalPrice=D(price) * 2, currency="142", country="305",
        )
        for gnum, price in ((1, "189"), (2, "0"))
    )  # fmt: skip
    head = documents.OrderHead(
        guid=guid(), **STAMP, **PARTIES, **BUYER, orderType="I", orderNo="TM1", goodsValue=D(378), freight=D(10),
        discount=D("8.40"), taxTotal=D("34.40"), acturalPaid=D(414), currency="142", buyerRegNo="u1",
        payCode="3302000TE3", payName="支付", consignee="张测试", consigneeTelephone="13000000000",
        consigneeAddress="北京市海淀区", consigneeDistrict="110108",
    )  # fmt: skip
    return Document(head, lines)


def payment() -> Document:
    return Document(documents.PaymentHead(
        guid=guid(), **STAMP, payCode="3302000TE3", payName="支付", payTransactionId="P1", orderNo="TM1",
        ebpCode="3302000TE1", ebpName="平台", payerIdType="1", payerIdNumber=PERSON, payerName="张测试",
        amountPaid=D(414), currency="142", payTime="20261124082000",
    ))  # fmt: skip


def waybill() -> Document:
    return Document(documents.LogisticsHead(
        guid=guid(), **STAMP, **CARRIER, logisticsNo="L1", orderNo="TM1", freight=D(10), insuredFee=D(0),
        currency="142", weight=D("3.8"), packNo=1, consignee="张测试", consigneeAddress="北京市海淀区",
        consigneeTelephone="13000000000",
    ))  # fmt: skip


def waybill_state() -> Document:
    return Document(documents.LogisticsStatus(
        guid=guid(), **STAMP, **CARRIER, logisticsNo="L1", logisticsStatus="S", logisticsTime="20261124080000",
    ))  # fmt: skip


def inventory(mode: str = "9610") -> Document:
    bonded = mode != "9610"
    lines = tuple(
        documents.InventoryList(
            gnum=gnum, itemRecordNo=f"000{gnum}" if bonded else "", gcode="1901101090", gname="奶粉", gmodel="800g",
            country="305", tradeCountry="305", currency="142", qty=D(2), unit="122", qty1=D("1.6"), unit1="035",
            qty2=D(2) if gnum == 2 else None, unit2="122" if gnum == 2 else None, price=D("94.50"),
            totalPrice=D(189),
        )
        for gnum in (1, 2)
    )  # fmt: skip
    head = documents.InventoryHead(
        guid=guid(), **STAMP, **PARTIES, **CARRIER, **BUYER, **DECLARANT, orderNo="TM1", logisticsNo="L1",
        copNo="NB1", preNo="", assureCode="3302000TE2", emsNo="T3109W000088" if bonded else "", invtNo="",
        ieFlag="I", declTime="20261124", customsCode="3109", portCode="3109", ieDate="20261124",
        consigneeAddress="北京市海淀区", areaCode="3302000TE6" if bonded else "", areaName="仓库" if bonded else "",
        tradeMode=mode, trafMode="5", trafNo="" if bonded else "B737", voyageNo="" if bonded else "CZ3001",
        billNo="" if bonded else "999-1", loctNo="", country="142" if bonded else "305", freight=D(10),
        insuredFee=D(0), currency="142", wrapType="2", packNo=1, grossWeight=D("3.8"), netWeight=D("3.2"),
    )  # fmt: skip
    return Document(head, lines)


def cancel() -> Document:
    return Document(documents.InvtCancel(
        guid=guid(), **STAMP, **PARTIES, **CARRIER, **BUYER, **DECLARANT, customsCode="3109", orderNo="TM1",
        logisticsNo="L1", copNo="CX1", invtNo="31092026I000000001", reason="买家取消",
    ))  # fmt: skip


def refund() -> Document:
    lines = tuple(
        documents.InvtRefundList(gnum=gnum, gcode="1901101090", gname="奶粉", qty=D(1), unit="122") for gnum in (2, 7)
    )
    head = documents.InvtRefundHead(
        guid=guid(), **STAMP, **PARTIES, **CARRIER, **BUYER, **DECLARANT, customsCode="3109", orderNo="TM1",
        logisticsNo="L1", copNo="TH1", invtNo="31092026I000000001", reason="七天无理由",
    )  # fmt: skip
    return Document(head, lines)


def tally() -> Document:
    lines = tuple(documents.DeliveryList(gnum=gnum, logisticsNo=f"L{gnum}") for gnum in (1, 2, 3))
    head = documents.DeliveryHead(
        guid=guid(), **STAMP, **CARRIER, customsCode="3109", copNo="RK1", operatorCode="3302000TE7",
        operatorName="场站", ieFlag="I", trafMode="5", trafNo="B737", voyageNo="CZ3001", billNo="999-1",
    )  # fmt: skip
    return Document(head, lines)


def receipt() -> Document:
    return Document(documents.OrderReturn(
        guid=guid(), ebpCode="3302000TE1", ebcCode="3302000TE2", orderNo="TM1", returnStatus="2",
        returnTime="20261124090000000", returnInfo="新增申报成功",
    ))  # fmt: skip


def tax_bill() -> Document:
    line = documents.TaxListRd(
        gnum=1, gcode="1901101090", taxPrice=D(378), customsTax=D(0), valueAddedTax=D("34.40"), consumptionTax=D(0)
    )
    head = documents.TaxHeadRd(
        guid=guid(), returnTime="20261124090000000", invtNo="31092026I000000001", taxNo="TX1", customsTax=D(0),
        valueAddedTax=D("34.40"), consumptionTax=D(0), status="1",
    )  # fmt: skip
    return Document(head, (line,))


def bonded() -> Document:
    return inventory("1210")


MAKERS = {
    "CEB311Message": order, "CEB411Message": payment, "CEB511Message": waybill, "CEB513Message": waybill_state,
    "CEB621Message": inventory, "CEB623Message": cancel, "CEB625Message": refund, "CEB711Message": tally,
    "CEB312Message": receipt, "CEB816Message": tax_bill,
}  # fmt: skip
TRANSFER = documents.BaseTransfer(copCode="3302000TE5", copName="传输", dxpMode="DXP", dxpId="DXPENT0000012345")


def message(kind: str, *docs: Document, **more) -> Message:
    transfer = None if shape.MESSAGES[kind].receipt else TRANSFER
    return Message(**{
        "type": kind, "guid": guid(), "version": "1.0", "documents": docs or (MAKERS[kind](),),
        "transfer": transfer, **more,
    })  # fmt: skip


def with_head(document: Document, **changes) -> Document:
    return Document(replace(document.head, **changes), document.lines)


def with_line(document: Document, row: int = 1, **changes) -> Document:
    lines = list(document.lines)
    lines[row - 1] = replace(lines[row - 1], **changes)
    return Document(document.head, tuple(lines))


def rule_of(fault, kind: str) -> str:
    """The id of the rule behind a fault."""
    found = [
        rule
        for rule, entry in rules.catalog().items()
        if fault.code in (entry["code"], entry.get("official", {}).get(kind))
    ]
    assert len(found) == 1, (fault.code, found)
    return found[0]


def broken(kind: str, document: Document, practice=rules.NO_PRACTICE, on=DAY, now=NOW) -> list[str]:
    faults = rules.check(message(kind, document), practice, on, now)
    return [rule_of(fault, kind) for fault in faults]


# --- good documents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
def test_a_good_document_breaks_nothing(kind):
    assert rules.check(message(kind), {}, DAY, NOW) == []


@pytest.mark.parametrize("mode", ["1210", "1239"])
def test_a_good_bonded_inventory_breaks_nothing(mode):
    assert broken("CEB621Message", inventory(mode)) == []


@pytest.mark.parametrize("kind", shape.MESSAGES)
def test_every_message_has_rules(kind):
    assert kind in rules.RULES


# --- broken documents: (kind, document, rule ids, field of the path) -----------------------------------------

FUTURE = "20261124091000"
ORD, PAY, WAY, STA, INV, CAN, RET, TAL = (
    "CEB311Message", "CEB411Message", "CEB511Message", "CEB513Message", "CEB621Message", "CEB623Message",
    "CEB625Message", "CEB711Message",
)  # fmt: skip
CASES = [
    # every declared document
    (ORD, with_head(order(), guid="A1"), ["RULE-GUID-FORM"], "guid"),
    (INV, with_head(inventory(), guid="CEB311_HNZB_FXJK_20220215175237_0013"), ["RULE-GUID-UUID"], "guid"),
    (PAY, with_head(payment(), appType="4"), ["RULE-APP-TYPE"], "appType"),
    (CAN, with_head(cancel(), appType="2"), ["RULE-CANCEL-APP-TYPE"], "appType"),
    (CAN, with_head(cancel(), appType="9"), ["RULE-APP-TYPE"], "appType"),
    (WAY, with_head(waybill(), appStatus="3"), ["RULE-APP-STATUS"], "appStatus"),
    (STA, with_head(waybill_state(), appTime="20260230080000"), ["RULE-TIME"], "appTime"),
    (STA, with_head(waybill_state(), appTime="20260228240000"), ["RULE-TIME"], "appTime"),
    (ORD, with_head(order(), appTime=FUTURE), ["RULE-FUTURE"], "appTime"),
    (TAL, with_head(tally(), appTime=FUTURE), ["RULE-FUTURE"], "appTime"),
    (PAY, with_head(payment(), payTime="2026112408000x"), ["RULE-TIME"], "payTime"),
    (PAY, with_head(payment(), payTime=FUTURE), ["RULE-EVENT-FUTURE"], "payTime"),
    (STA, with_head(waybill_state(), logisticsTime=FUTURE), ["RULE-EVENT-FUTURE"], "logisticsTime"),
    (INV, with_head(inventory(), declTime="20261125"), ["RULE-EVENT-FUTURE"], "declTime"),
    (INV, with_head(inventory(), declTime="20261131"), ["RULE-DAY"], "declTime"),
    (INV, with_head(inventory(), ieDate="20260230"), ["RULE-DAY"], "ieDate"),
    (ORD, with_head(order(), orderNo="  "), ["RULE-BLANK"], "orderNo"),
    (PAY, with_head(payment(), payerName=" "), ["RULE-BLANK"], "payerName"),
    (CAN, with_head(cancel(), invtNo=" "), ["RULE-BLANK"], "invtNo"),
    (TAL, with_line(tally(), 2, logisticsNo=" "), ["RULE-BLANK"], "logisticsNo"),
    (ORD, with_head(order(), currency="502"), ["RULE-CURRENCY"], "OrderHead/currency"),
    (INV, with_line(inventory(), 2, currency="502"), ["RULE-CURRENCY"], "InventoryList[2]/currency"),
    (PAY, with_head(payment(), amountPaid=D(-1)), ["RULE-NEGATIVE"], "amountPaid"),
    (WAY, with_head(waybill(), insuredFee=D("-0.01")), ["RULE-NEGATIVE"], "insuredFee"),
    (INV, with_head(inventory(), freight=D(-1)), ["RULE-NEGATIVE"], "freight"),
    (ORD, with_head(order(), ebcCode="123"), ["RULE-REGISTRATION"], "ebcCode"),
    (ORD, with_head(order(), payCode="91110000600037341M"), ["RULE-REGISTRATION"], "payCode"),
    (TAL, with_head(tally(), operatorCode="x"), ["RULE-REGISTRATION"], "operatorCode"),
    # people
    (ORD, with_head(order(), buyerIdType="2"), ["RULE-ID-TYPE"], "buyerIdType"),
    (PAY, with_head(payment(), payerIdType="2"), ["RULE-ID-TYPE"], "payerIdType"),
    (PAY, with_head(payment(), payerIdNumber="E12345678"), ["RULE-ID-FORM"], "payerIdNumber"),
    (INV, with_head(inventory(), buyerIdNumber=PERSON[:-1] + "0"), ["RULE-ID-CHECK"], "buyerIdNumber"),
    (RET, with_head(refund(), buyerIdNumber=card("19891301")), ["RULE-ID-BIRTH"], "buyerIdNumber"),
    (RET, with_head(refund(), buyerIdNumber=card("20261125")), ["RULE-ID-BIRTH"], "buyerIdNumber"),
    (CAN, with_head(cancel(), buyerIdNumber=card(district="990101")), ["RULE-ID-DISTRICT"], "buyerIdNumber"),
    # orders
    (ORD, with_head(order(), orderType="E"), ["RULE-ORDER-TYPE"], "orderType"),
    (ORD, with_head(order(), acturalPaid=D("414.01")), ["RULE-ORDER-TOTAL"], "acturalPaid"),
    (ORD, with_head(order(), goodsValue=D(379), acturalPaid=D(415)), ["RULE-GOODS-SUM"], "goodsValue"),
    (ORD, with_head(order(), discount=D(-8), acturalPaid=D("430.40")), ["RULE-NEGATIVE"], "discount"),
    (ORD, with_line(order(), 2, qty=D(0)), ["RULE-QTY"], "OrderList[2]/qty"),
    (ORD, with_line(order(), 1, qty=D(-2)), ["RULE-QTY", "RULE-LINE-TOTAL"], "OrderList[1]/qty"),
    (ORD, with_line(order(), 1, price=D(188)), ["RULE-LINE-TOTAL"], "OrderList[1]/totalPrice"),
    (ORD, with_line(order(), 1, qty=D(6), price=D("62.995")), ["RULE-LINE-ROUNDING"], "OrderList[1]/totalPrice"),
    (ORD, with_line(order(), 2, gnum=1), ["RULE-GNUM-TWICE"], "OrderList[2]/gnum"),
    (ORD, with_line(order(), 2, gnum=3), ["RULE-GNUM-GAP"], "OrderList[2]/gnum"),
    (ORD, with_line(order(), 1, unit="999"), ["RULE-CODE-UNIT"], "OrderList[1]/unit"),
    (ORD, with_line(order(), 1, country="998"), ["RULE-CODE-COUNTRY"], "OrderList[1]/country"),
    (ORD, with_head(order(), consigneeDistrict="072750"), ["RULE-CODE-DISTRICT"], "consigneeDistrict"),
    # waybills
    (WAY, with_head(waybill(), freight=None), ["RULE-WAYBILL-FEES"], "freight"),
    (WAY, with_head(waybill(), weight=D(0)), ["RULE-WEIGHT"], "weight"),
    (WAY, with_head(waybill(), weight=D(-1)), ["RULE-NEGATIVE"], "weight"),
    (WAY, with_head(waybill(), packNo=6000), ["RULE-PACK-NO"], "packNo"),
    (STA, with_head(waybill_state(), logisticsStatus="R"), ["RULE-LOGISTICS-STATUS"], "logisticsStatus"),
    # inventories
    (INV, with_head(inventory(), ieFlag="E"), ["RULE-IE-FLAG"], "ieFlag"),
    (TAL, with_head(tally(), ieFlag="E"), ["RULE-IE-FLAG"], "ieFlag"),
    (INV, with_head(inventory(), copNo=None), ["RULE-COP-NO"], "copNo"),
    (INV, with_head(inventory(), copNo=" "), ["RULE-COP-NO"], "copNo"),
    (CAN, with_head(cancel(), copNo=""), ["RULE-COP-NO"], "copNo"),
    (RET, with_head(refund(), copNo=None), ["RULE-COP-NO"], "copNo"),
    (TAL, with_head(tally(), copNo=None), ["RULE-COP-NO-TALLY"], "copNo"),
    (INV, with_head(inventory(), tradeMode="0110"), ["RULE-TRADE-MODE"], "tradeMode"),
    (INV, with_head(inventory(), billNo=""), ["RULE-9610-TRANSPORT"], "billNo"),
    (INV, with_head(inventory(), trafNo=None, voyageNo=""), ["RULE-9610-TRANSPORT"] * 2, "trafNo"),
    (INV, with_head(inventory(), emsNo="T3109W000088"), ["RULE-9610-EMPTY"], "emsNo"),
    (INV, with_line(inventory(), 2, itemRecordNo="0001"), ["RULE-9610-EMPTY"], "InventoryList[2]/itemRecordNo"),
    (INV, with_head(inventory(), country="142"), ["RULE-9610-COUNTRY"], "country"),
    (INV, with_head(bonded(), emsNo=""), ["RULE-BONDED-REQUIRED"], "emsNo"),
    (INV, with_head(bonded(), areaName=" "), ["RULE-BONDED-REQUIRED"], "areaName"),
    (INV, with_head(bonded(), areaCode="", emsNo="S1501"), ["RULE-BONDED-REQUIRED", "RULE-EMS-FORM"], "areaCode"),
    (INV, with_head(bonded(), areaCode=None, areaName=None), ["RULE-BONDED-REQUIRED"] * 2, "areaCode"),
    (INV, with_line(bonded(), 1, itemRecordNo=None), ["RULE-BONDED-REQUIRED"], "InventoryList[1]/itemRecordNo"),
    (INV, with_head(bonded(), billNo="999-1"), ["RULE-BONDED-EMPTY"], "billNo"),
    (INV, with_head(bonded(), country="305"), ["RULE-BONDED-COUNTRY"], "country"),
    (INV, with_head(bonded(), emsNo="S1501"), ["RULE-EMS-FORM"], "emsNo"),
    (INV, with_head(inventory(), grossWeight=D(3)), ["RULE-WEIGHT"], "grossWeight"),
    (INV, with_head(inventory(), netWeight=D(0)), ["RULE-WEIGHT"], "netWeight"),
    (INV, with_head(inventory(), netWeight=D(-1)), ["RULE-NEGATIVE"], "netWeight"),
    (INV, with_head(inventory(), packNo=2), ["RULE-PACK-NO"], "packNo"),
    (INV, with_head(inventory(), customsCode="8030"), ["RULE-CODE-CUSTOMS"], "customsCode"),
    (INV, with_head(inventory(), trafMode="Q"), ["RULE-CODE-TRANSPORT"], "trafMode"),
    (INV, with_head(inventory(), wrapType="9"), ["RULE-CODE-WRAP"], "wrapType"),
    (INV, with_head(inventory(), loctNo="999999"), ["RULE-CODE-PLACE"], "loctNo"),
    (INV, with_head(inventory(), loctNo="514101"), [], ""),
    (INV, with_head(inventory(), country="998"), ["RULE-CODE-COUNTRY"], "InventoryHead/country"),
    (INV, with_line(inventory(), 1, tradeCountry="998"), ["RULE-CODE-COUNTRY"], "tradeCountry"),
    (INV, with_line(inventory(), 2, unit2="999"), ["RULE-CODE-UNIT"], "unit2"),
    (INV, with_line(inventory(), 2, unit2=None), ["RULE-UNIT2"], "qty2"),
    (INV, with_line(inventory(), 2, qty2=None), ["RULE-UNIT2"], "qty2"),
    (INV, with_line(inventory(), 2, qty2=D(0)), ["RULE-UNIT2"], "qty2"),
    (INV, with_line(inventory(), 1, qty2=D(0)), [], ""),
    (INV, with_line(inventory(), 1, qty1=D(0)), ["RULE-QTY"], "qty1"),
    (INV, with_line(inventory(), 1, gcode="190110109A"), ["RULE-GCODE"], "gcode"),
    (INV, with_line(inventory(), 1, totalPrice=D("189.02")), ["RULE-LINE-TOTAL"], "totalPrice"),
    (INV, with_line(inventory(), 2, gnum=1), ["RULE-GNUM-TWICE"], "gnum"),
    # cancels, returns, tallies
    (CAN, with_head(cancel(), invtNo="15003213300400111"), ["RULE-INVT-NO-FORM"], "invtNo"),
    (CAN, with_head(cancel(), customsCode="0001"), ["RULE-CODE-CUSTOMS"], "customsCode"),
    (RET, with_line(refund(), 1, qty=D(0)), ["RULE-QTY"], "InvtRefundList[1]/qty"),
    (RET, with_line(refund(), 2, gnum=2), ["RULE-GNUM-TWICE"], "InvtRefundList[2]/gnum"),
    (RET, with_line(refund(), 1, unit="999"), ["RULE-CODE-UNIT"], "unit"),
    (RET, with_line(refund(), 1, gcode="19011010９0"), ["RULE-GCODE"], "gcode"),
    (TAL, with_line(tally(), 3, gnum=5), ["RULE-GNUM-GAP"], "DeliveryList[3]/gnum"),
    (TAL, with_line(tally(), 3, logisticsNo="L1"), ["RULE-TALLY-TWICE"], "DeliveryList[3]/logisticsNo"),
    (TAL, with_head(tally(), trafMode="Q"), ["RULE-CODE-TRANSPORT"], "trafMode"),
    (TAL, with_head(tally(), customsCode="8030"), ["RULE-CODE-CUSTOMS"], "customsCode"),
    # receipts
    ("CEB312Message", with_head(receipt(), returnStatus="42"), ["RULE-RETURN-STATUS"], "returnStatus"),
    ("CEB312Message", with_head(receipt(), returnStatus="-301010"), [], ""),
    ("CEB312Message", with_head(receipt(), returnTime="20261324090000000"), ["RULE-RETURN-TIME"], "returnTime"),
    ("CEB816Message", with_head(tax_bill(), status="4"), ["RULE-TAX-STATUS"], "status"),
    ("CEB816Message", with_head(tax_bill(), valueAddedTax=D(34)), ["RULE-TAX-SUM"], "valueAddedTax"),
]


@pytest.mark.parametrize(("kind", "document", "expected", "path"), CASES)
def test_broken_documents(kind, document, expected, path):
    faults = rules.check(message(kind, document), {}, DAY, NOW)
    assert [rule_of(fault, kind) for fault in faults] == expected
    if path:
        assert path in faults[0].path
        assert faults[0].document == 1


def test_every_rule_has_a_case():
    told = {rule for _, _, expected, _ in CASES for rule in expected}
    elsewhere = {
        "RULE-INCOMPLETE", "RULE-VERSION", "RULE-GUID-TWICE", "RULE-KEY-TWICE", "RULE-MORE", "RULE-DXP-MODE",
        "RULE-DXP-ID", "RULE-SUBSCRIBE", "RULE-NET-SUM", "RULE-WAYBILL-BILL", "RULE-TRADE-MODE-DAY",
    }  # fmt: skip
    assert told | elsewhere == set(rules.catalog())
    assert not told & elsewhere


def test_all_faults_of_a_document_are_told():
    wrong = with_line(with_head(order(), buyerIdNumber="130681136250023332", appType="9", orderType="E",
                                acturalPaid=D(1)), 1, unit="999", qty=D(-1))  # fmt: skip
    assert broken(ORD, wrong) == [
        "RULE-APP-TYPE", "RULE-ORDER-TYPE", "RULE-ORDER-TOTAL", "RULE-ID-CHECK", "RULE-ID-BIRTH",
        "RULE-CODE-UNIT", "RULE-QTY", "RULE-LINE-TOTAL",
    ]  # fmt: skip


# --- the message as a whole ----------------------------------------------------------------------------------


def test_the_tail_of_a_message():
    transfer = replace(TRANSFER, dxpMode="FTP", dxpId="EXP2016522002580001", copCode="JDGW20160310001")
    subscribes = (
        documents.BaseSubscribe(status="ALL", dxpMode="DXP", dxpAddress="DXPENT0000000002"),
        documents.BaseSubscribe(status="all", dxpMode="FTP", dxpAddress=" "),
    )
    letter = message(PAY, transfer=transfer, subscribes=subscribes, version="2.0", guid="G")
    faults = rules.check(letter, {}, DAY, NOW)
    assert [(rule_of(fault, PAY), fault.path) for fault in faults] == [
        ("RULE-VERSION", "@version"),
        ("RULE-GUID-FORM", "@guid"),
        ("RULE-DXP-MODE", "BaseTransfer/dxpMode"),
        ("RULE-DXP-ID", "BaseTransfer/dxpId"),
        ("RULE-REGISTRATION", "BaseTransfer/copCode"),
        ("RULE-SUBSCRIBE", "BaseSubscribe[2]/status"),
        ("RULE-SUBSCRIBE", "BaseSubscribe[2]/dxpMode"),
        ("RULE-SUBSCRIBE", "BaseSubscribe[2]/dxpAddress"),
    ]
    assert {fault.document for fault in faults} == {None}


def test_twice_in_one_message():
    first = order()
    same = with_head(order(), guid=first.head.guid)
    change = with_head(order(), appType="2")
    faults = rules.check(message(ORD, first, same, change), {}, DAY, NOW)
    assert [rule_of(fault, ORD) for fault in faults] == ["RULE-GUID-TWICE", "RULE-KEY-TWICE"]
    assert {fault.document for fault in faults} == {2}
    assert "TM1 + 3302000TE1" in faults[1].found
    assert "document 1" in faults[1].message.en
    assert is_valid(faults)


@pytest.mark.parametrize("kind", rules.KEYS)
def test_every_business_key_is_watched(kind):
    faults = rules.check(message(kind, MAKERS[kind](), MAKERS[kind]()), {}, DAY, NOW)
    assert [rule_of(fault, kind) for fault in faults] == ["RULE-KEY-TWICE"]


def test_an_inventory_without_cop_no_is_known_by_its_order():
    letter = message(INV, with_head(inventory(), copNo=""), with_head(inventory(), copNo="", orderNo="TM2"))
    assert "RULE-KEY-TWICE" not in [rule_of(fault, INV) for fault in rules.check(letter, {}, DAY, NOW)]


def test_faults_name_their_document_and_stand_in_order():
    second = with_head(order(), orderNo="TM2", orderType="E")
    letter = message(ORD, order(), second, with_head(order(), guid="x" * 36))
    faults = rules.check(letter, {}, DAY, NOW)
    assert [fault.document for fault in faults] == [2, 3, 3]
    assert faults[0].path == "Order[2]/OrderHead/orderType"


def test_documents_keep_their_numbers_when_others_are_left_out():
    first = order()
    other, again = with_head(order(), orderNo="TM2", orderType="E"), with_head(order(), guid=first.head.guid)
    letter = message(ORD, first, other, again)
    faults = rules.check(letter, {}, DAY, NOW, numbers=(2, 4, 7))
    assert [(rule_of(fault, ORD), fault.document) for fault in faults] == [
        ("RULE-ORDER-TYPE", 4), ("RULE-GUID-TWICE", 7), ("RULE-KEY-TWICE", 7),
    ]  # fmt: skip
    assert faults[0].path == "Order[4]/OrderHead/orderType" and "document 2" in faults[1].message.en


def test_no_message_is_said_in_words():
    with pytest.raises(TypeError, match="does not fit the schema"):
        rules.check(None)


def test_entities_that_stand_alone_have_short_paths():
    fault = rules.check(message(CAN, cancel(), with_head(cancel(), copNo="")), {}, DAY, NOW)[0]
    assert fault.path == "InvtCancel[2]/copNo"


def test_a_document_built_by_hand_that_lacks_fields_is_told_so():
    unfinished = with_line(with_head(inventory(), grossWeight=None, agentCode=None), 2, qty1=None)
    letter = message(INV, inventory(), unfinished, with_head(inventory(), ieFlag="E"))
    faults = rules.check(letter, {}, DAY, NOW)
    told = [(rule_of(fault, INV), fault.document, fault.path.split("/", 1)[1]) for fault in faults]
    assert ("RULE-INCOMPLETE", 2, "InventoryHead/grossWeight") in told
    assert ("RULE-INCOMPLETE", 2, "InventoryHead/agentCode") in told
    assert ("RULE-INCOMPLETE", 2, "InventoryList[2]/qty1") in told
    assert ("RULE-IE-FLAG", 3, "InventoryHead/ieFlag") in told
    assert not [line for line in told if line[1] == 1]


def test_our_own_mistakes_are_not_hidden():
    with pytest.raises(AttributeError):
        rules.check(message(INV, order()), {}, DAY, NOW)


def test_faults_are_limited_by_document_and_severity():
    lines = tuple(documents.DeliveryList(gnum=1, logisticsNo="L1") for _ in range(fields.FAULTS_MAX + 500))
    faults = rules.check(message(TAL, Document(tally().head, lines)), {}, DAY, NOW)
    by_rule = [rule_of(fault, TAL) for fault in faults]
    assert by_rule.count("RULE-GNUM-TWICE") == fields.FAULTS_MAX
    assert by_rule.count("RULE-TALLY-TWICE") == fields.FAULTS_MAX
    assert by_rule.count("RULE-MORE") == 2
    assert not is_valid(faults)


# --- day and clock -------------------------------------------------------------------------------------------


def test_without_a_clock_nothing_is_in_the_future():
    document = with_head(payment(), appTime="20991231235959", payTime="20991231235959")
    assert broken(PAY, document, now=None) == []


def test_the_clock_is_beijing_time_and_has_a_tolerance():
    utc = NOW.astimezone(tz=None)
    just = (NOW + timedelta(minutes=5)).strftime("%Y%m%d%H%M%S")
    assert broken(PAY, with_head(payment(), appTime=just), now=utc) == []
    assert broken(PAY, with_head(payment(), appTime=just), {"clock_tolerance_minutes": "0"}) == ["RULE-FUTURE"]


def test_modes_begin_on_a_day():
    document = with_head(bonded(), tradeMode="1239", appTime="20161101000000", declTime="20161101")
    assert broken(INV, document, on=date(2016, 11, 30)) == ["RULE-TRADE-MODE-DAY"]
    assert broken(INV, document, on=date(2016, 12, 1)) == []
    assert broken(INV, document, on=None, now=None) == []


@pytest.mark.parametrize(
    "text", ["20261124082617", "20261124082660", "20261124086017", "20261124242617", "20260229000000",
             "20240229235959", "2026112408261", "２０２６１１２４０８２６１７", "2026112408261 ", "00000101000000"],
)  # fmt: skip
def test_moments_are_those_of_the_calendar(text):
    assert fields.is_moment(text) == is_time14(text)


# --- practice ------------------------------------------------------------------------------------------------


def test_a_practice_weighs_rules():
    document = with_head(order(), acturalPaid=D(1))
    for severity in SEVERITIES:
        faults = rules.check(message(ORD, document), {"RULE-ORDER-TOTAL": severity}, DAY, NOW)
        assert [fault.severity for fault in faults] == [severity]
    assert broken(ORD, document, {"RULE-ORDER-TOTAL": "off"}) == []


def test_every_rule_with_a_case_can_be_turned_off():
    for kind, document, expected, _ in CASES:
        assert broken(kind, document, dict.fromkeys(expected, "off")) == []


def test_rules_that_only_a_practice_turns_on():
    off = {rule for rule, entry in rules.catalog().items() if entry["severity"] == "off"}
    assert off == fields.OFF_BY_DEFAULT
    assert broken(WAY, waybill(), {"RULE-WAYBILL-BILL": "info"}) == ["RULE-WAYBILL-BILL"]
    assert broken(WAY, with_head(waybill(), billNo="999-1"), {"RULE-WAYBILL-BILL": "info"}) == []
    assert broken(INV, inventory(), {"RULE-NET-SUM": "warning"}) == []
    assert broken(INV, with_head(inventory(), netWeight=D("3.3")), {"RULE-NET-SUM": "warning"}) == ["RULE-NET-SUM"]
    pieces = with_line(with_head(inventory(), netWeight=D("3.3")), 1, unit1="007")
    assert broken(INV, pieces, {"RULE-NET-SUM": "warning"}) == []


def test_tolerances_are_named():
    document = with_head(order(), acturalPaid=D("414.02"))
    assert broken(ORD, document, {"order_total_tolerance_cny": "0.02"}) == []
    assert broken(ORD, document, {"order_total_tolerance_cny": D("0.01")}) == ["RULE-ORDER-TOTAL"]
    line = with_line(inventory(), 1, totalPrice=D("189.05"))
    assert broken(INV, line) == ["RULE-LINE-TOTAL"]
    assert broken(INV, line, {"line_total_tolerance_cny": "0.05"}) == []
    assert broken(INV, line, {"price_rounding_cny": "0.025"}) == ["RULE-LINE-ROUNDING"]
    goods = with_head(order(), goodsValue=D("378.03"), acturalPaid=D("414.03"))
    assert broken(ORD, goods) == ["RULE-GOODS-SUM"]
    assert broken(ORD, goods, {"goods_sum_tolerance_cny": 0.03}) == []


# --- words, codes, masks -------------------------------------------------------------------------------------


def test_words_are_whole_in_both_languages():
    for kind, document, _, _ in CASES:
        for fault in rules.check(message(kind, document), {}, DAY, NOW):
            for words in (fault.message, fault.remedy):
                assert words.zh and words.en and "{" not in words.zh + words.en
                assert not words.en.endswith((".", " "))
            assert fault.source and fault.severity in SEVERITIES


def test_numbers_of_people_are_masked():
    for number in (PERSON[:-1] + "0", card(district="990101"), "E12345678", "130681136250023332"):
        for kind, maker, field in ((ORD, order, "buyerIdNumber"), (PAY, payment, "payerIdNumber")):
            faults = rules.check(message(kind, with_head(maker(), **{field: number})), {}, DAY, NOW)
            assert faults
            assert not [fault for fault in faults if number in str(fault.as_dict())]


def test_catalog_is_well_made():
    seen = set()
    for rule, entry in rules.catalog().items():
        assert rule.startswith("RULE-")
        assert entry["code"].startswith("CEB-RULE-") and entry["code"] not in seen
        seen.add(entry["code"])
        assert entry["severity"] in (*SEVERITIES, "off")
        assert entry["source"] and set(entry["message"]) == set(entry["remedy"]) == {"zh", "en"}
        for kind, code in entry.get("official", {}).items():
            assert kind in shape.MESSAGES and codes.known("errorCodes", code)


def test_the_official_code_stands_where_there_is_one():
    fault = rules.check(message(ORD, with_line(order(), 2, gnum=1)), {}, DAY, NOW)[0]
    assert fault.code == "-301002"
    fault = rules.check(message(TAL, with_line(tally(), 2, gnum=1)), {}, DAY, NOW)[0]
    assert fault.code == "CEB-RULE-053"


def test_receipt_code():
    def answer(kind, document, practice=rules.NO_PRACTICE):
        return rules.receipt_code(kind, rules.check(message(kind, document), practice, DAY, NOW))

    assert answer(ORD, order()) == ""
    assert answer(ORD, with_head(order(), consigneeDistrict="072750")) == "", "a warning refuses nothing"
    assert answer(ORD, with_head(order(), acturalPaid=D(1))) == "-301008"
    assert answer(ORD, with_line(with_head(order(), acturalPaid=D(1)), 2, gnum=1)) == "-301002"
    assert answer(CAN, with_head(cancel(), copNo="")) == "-623001"
    assert answer(WAY, with_head(waybill(), appType="x")) == "-504011"
    assert answer(CAN, with_head(cancel(), copNo=""), {"RULE-COP-NO": "warning"}) == ""
    assert rules.RECEIPT_CODES["CEB711Message"]["limit"] == "-800006"
    with pytest.raises(AttributeError):
        _ = rules.NO_SUCH_NAME


# --- cost and official samples -------------------------------------------------------------------------------


def test_a_clean_check_reads_no_yaml():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_rules as t; "
        "[sys.modules.pop(name, None) for name in list(sys.modules) if name.split('.')[0] == 'yaml']; "
        "t.fields.catalog.cache_clear(); t.codes._described.cache_clear(); "
        "assert all(t.rules.check(t.message(kind), {}, t.DAY, t.NOW) == [] for kind in t.MAKERS); "
        "sys.exit('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(Path(__file__).parent)], check=False).returncode == 0


SAMPLE_ERRORS = {
    "CEB311Message": {"RULE-LINE-TOTAL", "RULE-ID-CHECK", "RULE-ID-BIRTH"},
    "CEB411Message": {"RULE-ID-CHECK", "RULE-ID-BIRTH"},
    "CEB511Message": set(),
    "CEB513Message": set(),
    "CEB621Message": {"RULE-LINE-TOTAL", "RULE-ID-CHECK", "RULE-ID-BIRTH"},
    "CEB623Message": {"RULE-ID-CHECK", "RULE-ID-BIRTH"},
    "CEB625Message": set(),
    "CEB711Message": set(),
}
"""What the published samples really break: prices that do not multiply, identity numbers of nobody."""


def test_published_samples_break_no_more_than_they_do():
    from cebport.messages.wire import parse

    for path in sorted((SHARED / "ceb/samples").glob("CEB*.xml")):
        letter, _ = parse(path.read_bytes())
        faults = rules.check(letter, {}, date(2018, 6, 30))
        errors = {rule_of(fault, letter.type) for fault in faults if fault.severity == "error"}
        assert errors == SAMPLE_ERRORS.get(letter.type, set()), path.name


def test_made_up_samples_are_valid():
    from cebport.messages.wire import parse

    for path in sorted((SHARED / "ceb/local/samples").glob("CEB*.xml")):
        letter, _ = parse(path.read_bytes())
        assert is_valid(rules.check(letter, {}, DAY, NOW + timedelta(days=30))), path.name
