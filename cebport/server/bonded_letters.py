"""Letters and acts (保税报文与办理): a company's letter becomes an act, an answer of the desk becomes a letter.

The act keeps of a letter what books need; the name and telephone of a person only masked. A receipt is written from the
records as they were at that moment, in the dialect of customs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from cebport.clearance import bonded, stock
from cebport.clearance.bonded.acts import Answer, fault_of_reason
from cebport.clearance.stock import BondList, Book, Goods, Line, ListLine, Load, Party, Pass, PassLine, Sale
from cebport.faults import ERROR
from cebport.messages.bonded import making, records
from cebport.messages.bonded.letter import Letter
from cebport.messages.bonded.writing import write_bonded
from cebport.messages.masks import masked
from cebport.values import BEIJING

RECEIPTS = frozenset({"CommonResponeMessage", "INV201", "INV202", "INV211", "SAS221", "SAS223"})
FINER = -1
"""Stands for a quantity finer than a book can hold: refused like one below zero."""
_answer = msgspec.msgpack.Decoder(Answer).decode


# ── from letters ────────────────────────────────────────────────────────────────────────────────────────


def act_of(letter: Letter) -> Any:
    """The act that a BWS101, INV101 or SAS121 asks for. Raises ValueError for customs' own letters."""
    body = letter.body
    reply = letter.envelope.sender_id if letter.envelope is not None else ""
    if isinstance(body, records.BWS101):
        return _book(body)
    if isinstance(body, records.INV101):
        return _list(body, reply)
    if isinstance(body, records.SAS121):
        return _pass(body, reply)
    raise ValueError(f"{letter.type} is no request of a company")


def _units(quantity: Decimal | None) -> int:
    if quantity is None:
        return 0
    found = stock.units(quantity)
    return FINER if found is None else found


def _book(body: records.BWS101) -> bonded.FileBook:
    head = body.head
    company = Party(head.BizopEtpsno, head.BizopEtpsSccd, head.BizopEtpsNm)
    book = Book(head.BwlNo or "", head.MasterCuscd, company, head.BwlTypeCd, head.EtpsPreentNo, head.SeqNo or "",
                head.AppendTypeCd, head.DclTime, head.FinishValidTime)
    goods = tuple([(x.GdsSeqNo or 0, Goods(x.GdsMtno, x.Gdecd, x.GdsNm, x.GdsSpcfModelDesc, x.NatCd, x.DclUnitCd,
                                           x.LawfUnitCd, x.SecdLawfUnitCd or "", x.DclUprcAmt, x.DclCurrCd))
                   for x in body.lines])
    return bonded.FileBook(book, goods, head.DclTypeCd)


def _list(body: records.INV101, reply: str) -> bonded.FileList:
    head = body.head
    lines = tuple([
        ListLine(x.GdsSeqno, x.PutrecSeqno or 0,
                 Goods(x.GdsMtno, x.Gdecd, x.GdsNm, x.GdsSpcfModelDesc, x.Natcd, x.DclUnitcd, x.LawfUnitcd,
                       x.SecdLawfUnitcd or "", x.DclUprcAmt, x.DclCurrcd),
                 x.DclTotalAmt, _units(x.DclQty), _units(x.LawfQty), _units(x.SecdLawfQty))
        for x in body.lines])
    made = BondList(
        head.BondInvtNo or "", head.SeqNo or "", head.EtpsInnerInvtNo, head.PutrecNo, head.DclPlcCuscd,
        Party(head.BizopEtpsno, head.BizopEtpsSccd, head.BizopEtpsNm), head.InvtType, head.ImpexpMarkcd,
        head.SupvModecd, lines, Party(head.RcvgdEtpsno, head.RvsngdEtpsSccd, head.RcvgdEtpsNm),
        Party(head.DclEtpsno, head.DclEtpsSccd, head.DclEtpsNm), head.ImpexpPortcd, head.RltInvtNo or "",
        head.RltPutrecNo or "", with_entry=head.DclcusFlag == "1", reply=reply)
    return bonded.FileList(made, tuple([x.CbecBillNo for x in body.bills]), head.DclTypecd)


def _pass(body: records.SAS121, reply: str) -> bonded.FilePass:
    head = body.head
    named = [number for number in (head.RltNo or "").split("\\") if number]
    lists = tuple(dict.fromkeys([*named, *[x.RtlBillNo for x in body.linked if x.RtlBillTypecd == "1"]]))
    lines = tuple([PassLine(lists[0], x.RltGdsSeqno, _units(x.DclQty)) for x in body.lines]) if (
        lists and head.BindTypecd == "3") else ()
    load = Load(head.VehicleNo, head.VehicleIcNo or "", head.VehicleWt, head.VehicleFrameNo or "",
                head.VehicleFrameWt or Decimal(0), head.ContainerNo or "", head.ContainerType or "",
                head.ContainerWt or Decimal(0), head.TotalWt, head.TotalGrossWt, head.TotalNetWt)
    made = Pass(head.PassportNo or "", head.SeqNo or "", head.EtpsPreentNo, head.MasterCuscd,
                Party(head.AreainEtpsno, head.AreainEtpsSccd, head.AreainEtpsNm), head.PassportTypecd, head.IoTypecd,
                head.BindTypecd or "", lists, lines, load, masked("name", head.DclErConc), reply=reply)
    return bonded.FilePass(made, head.DclTypecd)


# ── to letters ──────────────────────────────────────────────────────────────────────────────────────────


def receipt_bytes(packed: bytes, serial: int, created_at: int, receiver: str) -> bytes:
    """The letter of an answer in the outbox; ``serial`` numbers it."""
    answer = _answer(packed)
    moment = datetime.fromtimestamp(created_at / 1000, BEIJING)
    return write_bonded(letter_of(answer, moment=moment, serial=serial, receiver=receiver))


def letter_of(answer: Answer, *, moment: datetime, serial: int, receiver: str = "") -> Letter:
    """An answer as customs writes it."""
    body = _bodies()[answer.type](answer)
    if answer.type == "CommonResponeMessage":
        return Letter(body)
    if answer.type == "INV202":
        return making.receipt(body, moment=moment, serial=serial, receiver=receiver or making.PLATFORM)
    return making.receipt(body, moment=moment, serial=serial)


def _bodies() -> dict[str, Any]:
    return {"CommonResponeMessage": _at_once, "INV201": _examined, "INV202": _declared, "INV211": _booked,
            "SAS221": lambda answer: records.SAS221(*_passed(answer)),
            "SAS223": lambda answer: records.SAS223(*_passed(answer, typed=False))}


def _at_once(answer: Answer) -> records.CommonResponeMessage:
    record = answer.list or answer.made or answer.book
    if record is None or answer.result != "0":
        return records.CommonResponeMessage(None, answer.own, answer.note, answer.result)
    return records.CommonResponeMessage(record.seq, record.own, answer.note or "调用成功", answer.result)


def _time(at: int) -> str | None:
    return making.time19(datetime.fromtimestamp(at / 1000, BEIJING)) if at else None


def _needed_time(at: int) -> str:
    return _time(at) or ""


def _typed(state: str, changes: int) -> str:
    if state in (stock.DELETED, stock.VOID):
        return bonded.GONE
    return bonded.CHANGED if changes else bonded.NEW


def _result(answer: Answer, seq: str, number: str, changes: int, typed: str | None) -> records.HdeApprResult:
    return records.HdeApprResult(seq, number, changes, typed, answer.result, _needed_time(answer.at))


def _examined(answer: Answer) -> records.INV201:
    made = answer.list
    assert made is not None
    check = records.CheckInfo(made.note) if made.note else None
    return records.INV201(_result(answer, made.seq, made.number, made.changes, _typed(made.state, made.changes)),
                          check, _list_head(made), tuple([_list_line(made, line) for line in made.lines]))


def _declared(answer: Answer) -> records.INV202:
    made = answer.list
    assert made is not None
    return records.INV202(records.InvApprResult(made.seq, made.number, made.entry or None, answer.result,
                                                _needed_time(answer.at)))


def _booked(answer: Answer) -> records.INV211:
    made = answer.list
    assert made is not None
    return records.INV211(_list_head(made), tuple([_book_line(line, made) for line in answer.lines]))


def _how_much(part: int, whole: int) -> str:
    """1 none of it, 2 some, 3 all."""
    return "3" if part and part == whole else "2" if part else "1"


def _list_head(made: BondList) -> records.BondInvtBsc:
    row = stock.table()["lists"][made.state]
    receiver, declarant = made.receiver or made.company, made.declarant or made.company
    whole = sum(line.qty for line in made.lines)
    gone, used = sum(line.gone for line in made.lines), sum(line.passed for line in made.lines)
    return records.BondInvtBsc(
        bondInvtNo=made.number, chgTmsCnt=made.changes, invtPreentNo=made.seq, putrecNo=made.book,
        etpsInnerInvtNo=made.own, bizopEtpsSccd=made.company.credit, bizopEtpsno=made.company.code,
        bizopEtpsNm=made.company.name, rvsngdEtpsSccd=receiver.credit, rcvgdEtpsno=receiver.code,
        rcvgdEtpsNm=receiver.name, dclEtpsSccd=declarant.credit, dclEtpsno=declarant.code, dclEtpsNm=declarant.name,
        invtDclTime=_needed_time(made.declared_at), entryNo=made.entry or None, rltInvtNo=made.linked_list or None,
        rltPutrecNo=made.linked_book or None, impexpPortcd=made.port or made.customs, dclPlcCuscd=made.customs,
        impexpMarkcd=made.io, mtpckEndprdMarkcd="I", supvModecd=made.mode, trspModecd="9", stshipTrsarvNatcd="142",
        dclcusFlag="1" if made.with_entry else "2", prevdTime=_time(made.pre_at),
        formalVrfdedTime=_time(made.off_at), invtIochkptStucd={"1": "0", "2": "1", "3": "3"}[_how_much(gone, whole)],
        vrfdedMarkcd=row["written_off"], invtStucd=row["list"], vrfdedModecd="D", bondInvtTypecd=made.kind,
        entryStucd="1" if made.entry else "0", passportUsedTypecd=_how_much(used, whole),
        dclTypecd=_typed(made.state, made.changes))


def _quantity(amount: int) -> Decimal:
    return Decimal(stock.shown(amount))


def _list_line(made: BondList, line: ListLine) -> records.BondInvtDt:
    goods = line.goods
    return records.BondInvtDt(
        bondInvtNo=made.number, chgTmsCnt=made.changes, gdsSeqno=line.no, putrecSeqno=line.item or None,
        gdsMtno=goods.material, gdecd=goods.gcode, gdsNm=goods.name, gdsSpcfModelDesc=goods.spec,
        dclUnitcd=goods.unit, lawfUnitcd=goods.unit1, secdLawfUnitcd=goods.unit2 or None, natcd=goods.country,
        dclUprcAmt=goods.price, dclTotalAmt=line.total, dclCurrcd=goods.currency, lawfQty=_quantity(line.qty1),
        secdLawfQty=_quantity(line.qty2) if goods.unit2 else None, dclQty=_quantity(line.qty), lvyrlfModecd="3",
        actlPassQty=_quantity(line.gone), passportUsedQty=_quantity(line.passed), destinationNatcd="142",
        modfMarkcd="3")


def _book_line(line: Line, made: BondList) -> records.BwsDt:
    goods = line.goods
    return records.BwsDt(
        bwsNo=line.book, chgTmsCnt=0, gdsSeqno=line.item, inDate=_time(line.in_at), gdsMtno=goods.material,
        gdecd=goods.gcode, gdsNm=goods.name, gdsSpcfModelDesc=goods.spec, natcd=goods.country, dclUnitcd=goods.unit,
        lawfUnitcd=goods.unit1, secdLawfUnitcd=goods.unit2 or None, dclUprcAmt=goods.price, dclCurrcd=goods.currency,
        inQty=_quantity(line.entered), inLawfQty=_quantity(line.entered1),
        inSecdLawfQty=_quantity(line.entered2) if goods.unit2 else None, actlIncQty=_given(line.increased),
        actlRedcQty=_given(line.decreased), prevdIncQty=_given(line.pre_increased),
        prevdRedcQty=_given(line.pre_decreased), outDate=_time(line.out_at), invtNo=line.list or made.number,
        invtGNo=line.list_line or 1, cusmExeMarkcd="1", modfMarkcd="3")


def _given(amount: int) -> Decimal | None:
    return _quantity(amount) if amount else None


def _passed(answer: Answer, *, typed: bool = True) -> tuple[Any, ...]:
    """Result, check and head of a receipt about a pass."""
    made = answer.made
    assert made is not None
    load, row = made.load, stock.table()["passes"][made.state]
    approval = {"1": "1", "2": "2", "3": "3"}[row["result"]]
    head = records.SasPassportBsc(
        passportNo=made.number, chgTmsCnt=0, passportTypecd=made.kind, sasPassportPreentNo=made.seq,
        dclTypecd=_typed(made.state, 0), ioTypecd=made.io, bindTypecd=made.bind or None, masterCuscd=made.customs,
        rltTbTypecd="1" if made.lists else None, rltNo="\\".join(made.lists) or None, areainEtpsno=made.company.code,
        areainEtpsNm=made.company.name, areainEtpsSccd=made.company.credit, vehicleNo=load.vehicle,
        vehicleIcNo=load.card or None, containerNo=load.container or None, vehicleWt=load.weight,
        vehicleFrameNo=load.frame or None, vehicleFrameWt=load.frame_weight if load.frame else None,
        containerType=load.container_kind or None, containerWt=load.container_weight if load.container else None,
        totalWt=load.total, passCollectWt=made.collected,
        wtError=load.total - made.collected if made.collected is not None else None, totalGrossWt=load.gross,
        totalNetWt=load.net, dclErConc=made.contact, dclTime=_time(made.declared_at), passID=made.gate1 or None,
        secdPassId=made.gate2 or None, passTime=_time(made.time1), secdPassTime=_time(made.time2), stucd=row["pass"],
        emapvMarkcd=approval, ownerSystem="1")
    check = records.CheckInfo(made.note) if made.note else None
    result = _result(answer, made.seq, made.number, 0, _typed(made.state, 0) if typed else None)
    return result, check, head


def refusal(act: Any, outcome: bonded.Outcome, at: int) -> tuple[Answer, ...]:
    """The answer at once to a letter that was refused: -1 with every reason; none to what no letter asked for."""
    match act:
        case bonded.FileBook():
            own = act.book.own
        case bonded.FileList():
            own = act.list.own
        case bonded.FilePass():
            own = act.made.own
        case _:
            return ()
    said = [fault_of_reason(why) for why in outcome.why if why.severity == ERROR]
    note = "；".join(f"[{fault.code}] {fault.message.zh}" for fault in said)
    return (Answer("CommonResponeMessage", result="-1", at=at, own=own, note=note),)


# ── letters that this window makes for a company ────────────────────────────────────────────────────────


def list_letter(made: BondList, sales: Iterable[Sale], *, moment: datetime, typ: str = bonded.NEW,
                sender: str = "", receiver: str = "", card: str = "") -> Letter:
    """INV101 of a list; its own number names the message."""
    day = f"{moment.astimezone(BEIJING):%Y%m%d}"
    receiver_of, declarant = made.receiver or made.company, made.declarant or made.company
    head = records.InvtHeadType(
        BondInvtNo=made.number, SeqNo=made.seq, ChgTmsCnt=made.changes, PutrecNo=made.book, InvtType=made.kind,
        EtpsInnerInvtNo=made.own, BizopEtpsno=made.company.code, BizopEtpsSccd=made.company.credit,
        BizopEtpsNm=made.company.name, RcvgdEtpsno=receiver_of.code, RvsngdEtpsSccd=receiver_of.credit,
        RcvgdEtpsNm=receiver_of.name, DclEtpsno=declarant.code, DclEtpsSccd=declarant.credit,
        DclEtpsNm=declarant.name, InputCode=declarant.code, InputCreditCode=declarant.credit,
        InputName=declarant.name, InputTime=day, RltInvtNo=made.linked_list or None,
        RltPutrecNo=made.linked_book or None, ImpexpPortcd=made.port or made.customs, DclPlcCuscd=made.customs,
        ImpexpMarkcd=made.io, MtpckEndprdMarkcd="I", SupvModecd=made.mode, TrspModecd="9",
        DclcusFlag="1" if made.with_entry else "2", DclcusTypecd="2" if made.with_entry else None, IcCardNo=card,
        StshipTrsarvNatcd="142", DclTypecd=typ, GenDecFlag="2")
    lines = tuple([records.InvtListType(
        GdsSeqno=x.no, PutrecSeqno=x.item or None, GdsMtno=x.goods.material, Gdecd=x.goods.gcode, GdsNm=x.goods.name,
        GdsSpcfModelDesc=x.goods.spec, DclUnitcd=x.goods.unit, LawfUnitcd=x.goods.unit1,
        SecdLawfUnitcd=x.goods.unit2 or None, Natcd=x.goods.country, DclUprcAmt=x.goods.price, DclTotalAmt=x.total,
        DclCurrcd=x.goods.currency, LawfQty=_quantity(x.qty1),
        SecdLawfQty=_quantity(x.qty2) if x.goods.unit2 else None, DclQty=_quantity(x.qty), LvyrlfModecd="3",
        ClyMarkcd="0", DestinationNatcd="142", ModfMarkcd="3") for x in made.lines])
    bills = tuple([records.InvtCbecBillType("", "", sale.invt) for sale in sales])
    body = records.INV101(head, lines, bills, made.company.code, "Z7", "1")
    return making.request(body, moment=moment, sender=sender, receiver=receiver, ic_card=card)


def pass_letter(made: Pass, goods: dict[tuple[str, int], Goods], contact: str, *, moment: datetime,
                typ: str = bonded.NEW, sender: str = "", receiver: str = "", card: str = "") -> Letter:
    """SAS121 of a pass; ``goods`` describes the parts of a list (bind 3), whose weights go by their share."""
    load, company = made.load, made.company
    head = records.PassportHead(
        SeqNo=made.seq, PassportNo=made.number, PassportTypecd=made.kind, MasterCuscd=made.customs, DclTypecd=typ,
        IoTypecd=made.io, BindTypecd=made.bind or None, RltTbTypecd="1" if made.lists else None,
        RltNo="\\".join(made.lists) or None, AreainEtpsno=company.code, AreainEtpsNm=company.name,
        AreainEtpsSccd=company.credit, DclEtpsno=company.code, DclEtpsNm=company.name, DclEtpsSccd=company.credit,
        InputCode=company.code, InputSccd=company.credit, InputName=company.name, EtpsPreentNo=made.own,
        VehicleNo=load.vehicle, VehicleWt=load.weight, VehicleFrameNo=load.frame or None,
        VehicleFrameWt=load.frame_weight or None, ContainerNo=load.container or None,
        ContainerWt=load.container_weight or None, TotalWt=load.total, TotalGrossWt=load.gross, TotalNetWt=load.net,
        DclErConc=contact, DclTime=f"{moment.astimezone(BEIJING):%Y%m%d}")
    whole = sum(part.qty for part in made.lines)
    lines = tuple([records.PassportList(
        PassportSeqNo=no, GdsMtno=goods[(x.list, x.line)].material, Gdecd=goods[(x.list, x.line)].gcode,
        GdsNm=goods[(x.list, x.line)].name, GrossWt=_share(load.gross, x.qty, whole),
        NetWt=_share(load.net, x.qty, whole), RltGdsSeqno=x.line, DclUnitcd=goods[(x.list, x.line)].unit,
        DclQty=_quantity(x.qty)) for no, x in enumerate(made.lines, 1)])
    linked = tuple([records.PassportAcmp("", "", "1", number) for number in made.lists])
    body = records.SAS121(head, lines, linked, company.code, "1")
    return making.request(body, moment=moment, sender=sender, receiver=receiver, ic_card=card)


def _share(weight: Decimal, part: int, whole: int) -> Decimal:
    return (weight * part / whole).quantize(Decimal("0.00001")).normalize() + 0
