# ruff: noqa: E501 (rows of values)
"""Letters of the bonded side for tests: every kind once, all invented."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from cebport.messages.bonded import making
from cebport.messages.bonded.letter import Letter
from cebport.messages.bonded.records import (
    BWS101,
    INV101,
    INV201,
    INV202,
    INV211,
    SAS121,
    SAS221,
    SAS223,
    SAS224,
    BondInvtBsc,
    BondInvtDt,
    BwlHead,
    BwlList,
    BwsDt,
    CheckInfo,
    HdeApprResult,
    InvApprResult,
    InvtCbecBillType,
    InvtHeadType,
    InvtListType,
    PassportAcmp,
    PassportHead,
    PassportList,
    SasPassportBsc,
    SasPassportDt,
    SasPassportRlt,
)
from cebport.values import BEIJING

D = Decimal
NOW = datetime(2026, 11, 1, 12, tzinfo=BEIJING)
BOOK, INVT, PASS, SEQ = "T4300W000001", "QD430026E000000001", "Z4300E261101000000000001", "202600000000000001"
ZONE, CREDIT, NAME = "370196TEST", "91370100TESTSAMP0X", "测试保税仓储有限公司"
SENDER, RECEIVER, CARD = "DXPESW0000000001", "DXPENTSWSA000001", "0000000000000"


def inv101(lines: int = 1, bills: int = 1, **head: object) -> Letter:
    """A write-off list of type 8 out of the zone."""
    values = {
        "SeqNo": "", "BondInvtNo": "", "ChgTmsCnt": 0, "PutrecNo": BOOK, "InvtType": "8", "EtpsInnerInvtNo": "OWN0001",
        "BizopEtpsno": ZONE, "BizopEtpsSccd": CREDIT, "BizopEtpsNm": NAME, "RcvgdEtpsno": ZONE, "RvsngdEtpsSccd": CREDIT,
        "RcvgdEtpsNm": NAME, "DclEtpsno": ZONE, "DclEtpsSccd": CREDIT, "DclEtpsNm": NAME, "InputCode": ZONE,
        "InputCreditCode": CREDIT, "InputName": NAME, "InputTime": "20261101", "ImpexpPortcd": "4300",
        "DclPlcCuscd": "4300", "ImpexpMarkcd": "E", "MtpckEndprdMarkcd": "I", "SupvModecd": "1210", "TrspModecd": "9",
        "DclcusFlag": "2", "IcCardNo": CARD, "Rmk": "", "StshipTrsarvNatcd": "142", "DclTypecd": "1", "GenDecFlag": "2",
    } | head  # fmt: skip
    body = INV101(
        InvtHeadType(**values),
        tuple(line(number) for number in range(1, lines + 1)),
        tuple(InvtCbecBillType("", "", f"43002026I{number:09}") for number in range(1, bills + 1)),
        OperCusRegCode=ZONE, SysId="Z7", DelcareFlag="1",
    )  # fmt: skip
    return making.request(body, moment=NOW, sender=SENDER, receiver=RECEIVER, ic_card=CARD)


def line(number: int = 1) -> InvtListType:
    """A line of two pieces of one book item."""
    return InvtListType(
        GdsSeqno=number, PutrecSeqno=number, GdsMtno=f"SKU{number:04}", Gdecd="3304990029", GdsNm="测试面膜",
        GdsSpcfModelDesc="测试品牌|25g/片", DclUnitcd="140", LawfUnitcd="035", SecdLawfUnitcd="011", Natcd="116",
        DclUprcAmt=D("100.5"), DclTotalAmt=D("201.00"), DclCurrcd="142", LawfQty=D("0.35"), SecdLawfQty=D(2), DclQty=D(2),
        LvyrlfModecd="3", ClyMarkcd="0", DestinationNatcd="142", ModfMarkcd="3",
    )  # fmt: skip


def sas121(**head: object) -> Letter:
    """A gate pass of one vehicle for one write-off list."""
    values = {
        "SeqNo": "", "PassportNo": "", "PassportTypecd": "3", "MasterCuscd": "4300", "DclTypecd": "1", "IoTypecd": "E",
        "BindTypecd": "2", "RltTbTypecd": "1", "RltNo": INVT, "AreainOriactNo": BOOK, "AreainEtpsno": ZONE,
        "AreainEtpsNm": NAME, "AreainEtpsSccd": CREDIT, "DclEtpsno": ZONE, "DclEtpsNm": NAME, "DclEtpsSccd": CREDIT,
        "InputCode": ZONE, "InputSccd": CREDIT, "InputName": NAME, "EtpsPreentNo": "OWN0002", "VehicleNo": "测A00001",
        "VehicleWt": D(3190), "VehicleFrameNo": "1", "VehicleFrameWt": D(50), "TotalWt": D("3240.4"),
        "TotalGrossWt": D("0.4"), "TotalNetWt": D("0.35"), "DclErConc": "测试人甲", "DclTime": "20261101", "Rmk": "",
    } | head  # fmt: skip
    row = PassportList(
        PassportSeqNo=1, GdsMtno="SKU0001", Gdecd="3304990029", GdsNm="测试面膜", GrossWt=D("0.4"), NetWt=D("0.35"),
        RltGdsSeqno=1, DclUnitcd="140", DclQty=D(2),
    )  # fmt: skip
    linked = PassportAcmp(RtlBillTypecd="1", RtlBillNo=INVT)
    body = SAS121(PassportHead(**values), (row,), (linked,), OperCusRegCode=ZONE, DelcareFlag="1")
    return making.request(body, moment=NOW, sender=SENDER, receiver=RECEIVER, ic_card=CARD)


def bws101(**head: object) -> Letter:
    """An account book with one line."""
    values = {
        "SeqNo": "", "BwlNo": BOOK, "EtpsPreentNo": "OWN0003", "DclTypeCd": "2", "BwlTypeCd": "B", "MasterCuscd": "4300",
        "BizopEtpsSccd": CREDIT, "BizopEtpsno": ZONE, "BizopEtpsNm": NAME, "DclEtpsSccd": CREDIT, "DclEtpsno": ZONE,
        "DclEtpsNm": NAME, "DclEtpsTypeCd": "2", "ContactEr": "测试人甲", "ContactTele": "19900000001", "HouseTypeCd": "B",
        "HouseNo": ZONE, "HouseNm": NAME, "HouseArea": D(1000), "HouseVolume": D(3000), "HouseAddress": "测试路 1 号",
        "DclTime": "20261001", "TaxTypeCd": "1", "FinishValidTime": "20291231", "AppendTypeCd": "1", "InputCode": ZONE,
        "InputSccd": CREDIT, "InputName": NAME, "UsageTypeCd": "1",
    } | head  # fmt: skip
    row = BwlList(
        GdsSeqNo=1, GdsMtno="SKU0001", Gdecd="3304990029", GdsNm="测试面膜", GdsSpcfModelDesc="测试品牌|25g/片", NatCd="116",
        DclUnitCd="140", LawfUnitCd="035", SecdLawfUnitCd="011", DclUprcAmt=D(100), DclCurrCd="142", MODF_MARKCD="3",
    )  # fmt: skip
    body = BWS101(BwlHead(**values), (row,), OperCusRegCode=ZONE, DelcareFlag="1")
    return making.request(body, moment=NOW, sender=SENDER, receiver=RECEIVER, ic_card=CARD)


def result(number: str, outcome: str, kind: str | None = "1") -> HdeApprResult:
    """What was decided."""
    return HdeApprResult(SEQ, number, 0, kind, outcome, making.time19(NOW), "")


def inventory_in_receipt(**changes: object) -> BondInvtBsc:
    """The head of ``inv101`` as customs writes it, written off."""
    values = {
        "bondInvtNo": INVT, "chgTmsCnt": 0, "invtPreentNo": SEQ, "invtDclTime": making.time19(NOW),
        "formalVrfdedTime": making.time19(NOW), "invtIochkptStucd": "3", "vrfdedMarkcd": "2", "invtStucd": "0",
        "vrfdedModecd": "D", "duCode": "O1", "entryStucd": "0", "passportUsedTypecd": "3",
    } | changes  # fmt: skip
    return making.turned(inv101().body.head, BondInvtBsc, **values)


def inv201(outcome: str = "1", lines: int = 1) -> Letter:
    """The examination receipt of a write-off list."""
    rows = tuple(
        making.turned(line(number), BondInvtDt, bondInvtNo=INVT, chgTmsCnt=0, actlPassQty=D(2), passportUsedQty=D(2))
        for number in range(1, lines + 1)
    )
    return making.receipt(INV201(result(INVT, outcome), None, inventory_in_receipt(), rows), moment=NOW, serial=1)


def stored() -> Letter:
    """The receipt that says that a write-off list was stored: no head, a note."""
    return making.receipt(INV201(result(INVT, "Y"), CheckInfo("报文入库成功")), moment=NOW, serial=2)


def inv202() -> Letter:
    """The receipt about the customs declaration."""
    body = INV202(InvApprResult(SEQ, INVT, "E20260000000000001", "1", making.time19(NOW), ""))
    return making.receipt(body, moment=NOW, serial=3, receiver=SENDER)


def inv211() -> Letter:
    """The booking receipt."""
    row = making.turned(
        bws101().body.lines[0], BwsDt, bwsNo=BOOK, chgTmsCnt=0, inDate=making.time19(NOW), avgPrice=D("14.125"),
        totalAmt=D(14125), inQty=D(1000), inLawfQty=D(175), inSecdLawfQty=D(1000), invtNo=INVT, invtGNo=1, cusmExeMarkcd="1",
    )  # fmt: skip
    return making.receipt(INV211(inventory_in_receipt(), (row,)), moment=NOW, serial=4)


def sas22x(kind: type = SAS223, outcome: str = "1", **changes: object) -> Letter:
    """A receipt of a gate pass that crossed both gates."""
    asked = sas121().body
    values = {
        "passportNo": PASS, "chgTmsCnt": 0, "sasPassportPreentNo": SEQ, "passCollectWt": D(3241), "wtError": D("-0.6"),
        "dclTime": making.time19(NOW), "secdPassId": "4300210209", "passTime": making.time19(NOW),
        "secdPassTime": making.time19(NOW), "stucd": "4", "emapvMarkcd": "1", "logisticsStucd": "1", "ownerSystem": "1",
    } | changes  # fmt: skip
    head = making.turned(asked.head, SasPassportBsc, **values)
    rows = tuple(making.turned(row, SasPassportDt, passportNo=PASS, chgTmsCnt=0) for row in asked.lines)
    linked = tuple(making.turned(row, SasPassportRlt, passportNo=PASS) for row in asked.linked)
    body = kind(result(PASS, outcome, None), None, head, rows, linked)
    return making.receipt(body, moment=NOW, serial=5)


def every_kind() -> dict[str, Letter]:
    """A letter of every kind by its name."""
    letters = [bws101(), inv101(2, 3), sas121(), inv201(), inv202(), inv211(), sas22x(SAS221), sas22x(SAS223),
               sas22x(SAS224), making.answer("OWN0001", seq_no=SEQ)]
    return {letter.type: letter for letter in letters}
