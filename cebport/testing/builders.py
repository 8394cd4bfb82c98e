"""Valid documents from a seed: one story is one parcel (一票) with all its papers.

``story`` gives order, payment, waybill and inventory that agree in everything the match looks at; the
functions behind it give what may follow: the waybill's state, a cancel, a return, a tally. All chance comes
from the ``random.Random`` passed in, all time from the moment passed in.

>>> from random import Random
>>> from cebport.values import parse_time
>>> from cebport.testing.market import city
>>> made = story(Random(1), city("ningbo"), 1, parse_time("2026-11-24T09:00:00"), mode="9610")
>>> made.order.head.acturalPaid == made.payment.head.amountPaid
True
>>> made.inventory.head.customsCode
'3118'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from cebport.messages.documents import (
    DeliveryHead,
    DeliveryList,
    Document,
    InventoryHead,
    InventoryList,
    InvtCancel,
    InvtRefundHead,
    InvtRefundList,
    LogisticsHead,
    LogisticsStatus,
    OrderHead,
    OrderList,
    PaymentHead,
)
from cebport.testing.market import (
    DIRECT,
    SHOP_PRICES,
    Article,
    City,
    Company,
    Person,
    line_tax,
    market,
    person,
    season,
    society,
)
from cebport.values import BEIJING, CNY, ZERO, spread

HUNDRED = Decimal(100)
CHINA = "142"
LIMIT_PERCENT, DEAREST_FEES_FEN = 95, 5000
"""A good basket with its fees stays below this part of the single limit."""
LINES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5)
"""How many goods lines a parcel has: mostly one."""
FREIGHT_FEN = {True: (0, 0, 1200, 1800, 2500, 3800), False: (0, 0, 0, 0, 600, 1000)}
"""What freight costs: direct from abroad, or from the bonded store."""
PACKING_KG = {True: Decimal("0.35"), False: Decimal("0.2")}
"""Weight of the packing of a big and of a small parcel."""
PAY_S, CARRY_S, ORDER_S = 1500, 600, 1800
"""Seconds before the inventory at which the order was paid, handed to the carrier, and placed."""


class Item(NamedTuple):
    """One line of a basket: pieces and the price of one in fen."""

    article: Article
    qty: int
    price: int


class Fees(NamedTuple):
    """Freight, insurance and discount of a parcel, in fen."""

    freight: int = 0
    insured: int = 0
    discount: int = 0


class Story(NamedTuple):
    """One parcel. Documents may be None where a test leaves them out.

    value: goods, freight and insurance, CNY: what the limits compare. tax: what the seller collects.
    """

    number: int
    city: City
    mode: str
    buyer: Person
    order: Document | None
    payment: Document | None
    waybill: Document | None
    inventory: Document | None
    value: Decimal
    tax: Decimal


def guid(rng: Random) -> str:
    """A random UUID (version 4) in capitals, as E-Port clients write them."""
    return _guids(rng, 1)[0]


def _guids(rng: Random, count: int) -> list[str]:
    """So many of them that differ in their last digit alone: the papers of one parcel."""
    text = f"{rng.getrandbits(120):030X}"
    start = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-{VARIANTS[text[15]]}{text[16:19]}-{text[19:]}"
    return [start + digit for digit in LAST_DIGITS[:count]]


VARIANTS = dict(zip("0123456789ABCDEF", "89AB" * 4, strict=True))
LAST_DIGITS = "0123456789ABCDEF"


def clock(at: datetime) -> tuple[str, int]:
    """A moment in Beijing as (YYYYMMDD, seconds since midnight); without a zone it is Beijing already."""
    local = at.astimezone(BEIJING) if at.tzinfo is not None and at.tzinfo is not BEIJING else at
    day = f"{local.year}{local.month:02d}{local.day:02d}"
    return day, local.hour * 3600 + local.minute * 60 + local.second


@lru_cache(maxsize=16384)
def stamp(day: str, second: int) -> str:
    """YYYYMMDDhhmmss of a second of that day; seconds before midnight become midnight."""
    minutes, seconds = divmod(max(second, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{day}{hours:02d}{minutes:02d}{seconds:02d}"


def draw_basket(rng: Random, cap_fen: int, shop: int = 0) -> list[Item]:
    """A basket of everyday goods worth at most ``cap_fen``, at the prices of that shop; never empty."""
    often, chance = market().often, rng.random
    wanted = LINES[int(chance() * len(LINES))]
    basket: list[Item] = []
    left = cap_fen
    while True:
        article = often[int(chance() * len(often))]
        price = article.prices[shop % SHOP_PRICES]
        if price > left or any(item.article is article for item in basket):
            if basket:
                return basket
            continue
        qty = min(1 + int(chance() * chance() * article.most), left // price)
        basket.append(Item(article, qty, price))
        if len(basket) == wanted:
            return basket
        left -= price * qty


def draw_fees(rng: Random, mode: str, goods_fen: int) -> Fees:
    """Freight often, insurance and a discount now and then."""
    chance = rng.random
    table = FREIGHT_FEN[mode == DIRECT]
    freight = table[int(chance() * len(table))]
    luck = chance()
    insured = 100 + int(chance() * 40) * 10 if luck < 0.05 else 0
    discount = min(500 + int(chance() * 45) * 100, goods_fen // 10) if luck > 0.9 else 0
    return Fees(freight, insured, discount)


@lru_cache(maxsize=1024)
def cny(amount_fen: int) -> Decimal:
    """Fen as CNY, without trailing zeros."""
    return Decimal(amount_fen) / HUNDRED


def basket_tax(basket: Sequence[Item], fees: Fees, day: date, *, full: bool = False) -> Decimal:
    """The tax that the seller collects with an order (代收税款), CNY. full: above the single limit."""
    rates = season(day)
    if rates.postal:
        return ZERO
    totals = [cny(item.price * item.qty) for item in basket]
    weights = totals
    for fee in (fees.freight, fees.insured):
        if fee:
            totals = [total + share for total, share in zip(totals, spread(cny(fee), weights), strict=True)]
    tax = ZERO
    for item, value in zip(basket, totals, strict=True):
        tax += line_tax(item.article, item.qty, value, rates, full=full)
    return tax


def story(
    rng: Random,
    city: City,
    number: int,
    at: datetime,
    *,
    mode: str,
    tag: str = "TEST0",
    buyer: Person | None = None,
    basket: Sequence[Item] | None = None,
    fees: Fees | None = None,
    full: bool = False,
    bill_no: str = "",
) -> Story:
    """One parcel of ``city``, inventory sent at ``at``, the other papers in the half hour before.

    number: makes every business number of the parcel, with ``tag`` (five characters) in front; the same
    pair twice is the same parcel. buyer, basket, fees: drawn when not given. full: collect the tax of an
    order above the single limit. bill_no: the master bill of a direct parcel.
    """
    day, second = clock(at)
    on = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    shop = int(rng.random() * len(city.merchants))
    seller = city.number * len(city.merchants) + shop
    if basket is None:
        basket = draw_basket(rng, season(on).single * LIMIT_PERCENT - DEAREST_FEES_FEN, seller)
    goods_fen, net = 0, ZERO
    for item in basket:
        goods_fen += item.price * item.qty
        net += item.article.kg * item.qty
    if fees is None:
        fees = draw_fees(rng, mode, goods_fen)
    frame = _Frame(
        guids=_guids(rng, 4),
        number=number,
        serial=f"{tag}{number:09d}",
        city=city,
        mode=mode,
        day=day,
        second=second,
        buyer=buyer if buyer is not None else person(number),
        merchant=city.merchants[shop],
        bill_no=bill_no or f"MB{day}{number // 100:06d}",
        freight=cny(fees.freight),
        insured=cny(fees.insured),
        tax=basket_tax(basket, fees, on, full=full),
        net=net,
        gross=net + PACKING_KG[len(basket) > 2],
    )
    goods = Decimal(goods_fen) / HUNDRED
    lines = [
        _lines(item.article, gnum, item.qty, item.price, mode, seller) for gnum, item in enumerate(basket, 1)
    ]
    order = _order(rng, frame, goods, cny(fees.discount), tuple([line for line, _ in lines]))
    return Story(
        number=number,
        city=city,
        mode=mode,
        buyer=frame.buyer,
        order=order,
        payment=_payment(frame, order.head.acturalPaid),
        waybill=_waybill(frame, order.head, basket[0].article.goods_name),
        inventory=_inventory(frame, tuple([line for _, line in lines])),
        value=goods + frame.freight + frame.insured,
        tax=frame.tax,
    )


class _Frame(NamedTuple):
    """What the papers of one parcel share."""

    guids: list[str]
    number: int
    serial: str
    city: City
    mode: str
    day: str
    second: int
    buyer: Person
    merchant: Company
    bill_no: str
    freight: Decimal
    insured: Decimal
    tax: Decimal
    net: Decimal
    gross: Decimal


@lru_cache(maxsize=32768)
def _lines(
    article: Article, gnum: int, pieces: int, price_fen: int, mode: str, seller: int
) -> tuple[OrderList, InventoryList]:
    """The same goods line as the order and as the inventory write it; a seller buys in one country."""
    qty, price = Decimal(pieces), Decimal(price_fen) / HUNDRED
    total = Decimal(price_fen * pieces) / HUNDRED
    origin = article.countries[seller % len(article.countries)]
    ordered = OrderList(
        gnum=gnum,
        itemNo=article.item_no,
        itemName=article.name,
        gmodel=article.model,
        barCode=article.bar_code,
        unit=article.unit,
        qty=qty,
        price=price,
        totalPrice=total,
        currency=CNY,
        country=origin,
    )
    declared = InventoryList(
        gnum=gnum,
        itemRecordNo=None if mode == DIRECT else article.record_no,
        itemNo=article.item_no,
        itemName=article.name,
        gcode=article.hs,
        gname=article.goods_name,
        gmodel=article.model,
        barCode=article.bar_code,
        country=origin,
        tradeCountry=origin,
        currency=CNY,
        qty=qty,
        unit=article.unit,
        qty1=article.per1 * qty,
        unit1=article.unit1,
        qty2=None if article.per2 is None else article.per2 * qty,
        unit2=article.unit2,
        price=price,
        totalPrice=total,
    )
    return ordered, declared


def _order(
    rng: Random, frame: _Frame, goods: Decimal, discount: Decimal, lines: tuple[OrderList, ...]
) -> Document:
    city, buyer, merchant = frame.city, frame.buyer, frame.merchant
    named = rng.random() < 0.15
    head = OrderHead(
        guid=frame.guids[0],
        appType="1",
        appTime=stamp(frame.day, frame.second - PAY_S + 60),
        appStatus="2",
        orderType="I",
        orderNo=f"SO{frame.serial}",
        ebpCode=city.platform.code,
        ebpName=city.platform.name,
        ebcCode=merchant.code,
        ebcName=merchant.name,
        goodsValue=goods,
        freight=frame.freight,
        discount=discount,
        taxTotal=frame.tax,
        acturalPaid=goods + frame.freight + frame.tax - discount,
        currency=CNY,
        buyerRegNo=f"user{frame.number:09d}",
        buyerName=buyer.name,
        buyerTelephone=buyer.phone,
        buyerIdType="1",
        buyerIdNumber=buyer.id_number,
        payCode=city.payment.code,
        payName=city.payment.name,
        payTransactionId=f"{frame.day}{frame.serial}",
        consignee=_family_member(rng, buyer) if named else buyer.name,
        consigneeTelephone=buyer.phone,
        consigneeAddress=buyer.address,
        consigneeDistrict=buyer.district,
    )
    return Document(head, lines)


def _family_member(rng: Random, buyer: Person) -> str:
    """Somebody of the same surname: the recipient need not be the buyer."""
    given = society().given
    return buyer.name[:1] + given[int(rng.random() * len(given))]


def _payment(frame: _Frame, amount: Decimal) -> Document:
    city, buyer = frame.city, frame.buyer
    return Document(
        PaymentHead(
            guid=frame.guids[1],
            appType="1",
            appTime=stamp(frame.day, frame.second - PAY_S + 120),
            appStatus="2",
            payCode=city.payment.code,
            payName=city.payment.name,
            payTransactionId=f"{frame.day}{frame.serial}",
            orderNo=f"SO{frame.serial}",
            ebpCode=city.platform.code,
            ebpName=city.platform.name,
            payerIdType="1",
            payerIdNumber=buyer.id_number,
            payerName=buyer.name,
            telephone=buyer.phone,
            amountPaid=amount,
            currency=CNY,
            payTime=stamp(frame.day, frame.second - PAY_S),
        )
    )


def _waybill(frame: _Frame, order: OrderHead, goods_name: str) -> Document:
    carrier = frame.city.logistics
    return Document(
        LogisticsHead(
            guid=frame.guids[2],
            appType="1",
            appTime=stamp(frame.day, frame.second - CARRY_S),
            appStatus="2",
            logisticsCode=carrier.code,
            logisticsName=carrier.name,
            logisticsNo=f"WB{frame.serial}",
            billNo=frame.bill_no if frame.mode == DIRECT else None,
            orderNo=order.orderNo,
            freight=frame.freight,
            insuredFee=frame.insured,
            currency=CNY,
            weight=frame.gross,
            packNo=1,
            goodsInfo=goods_name,
            consignee=order.consignee,
            consigneeAddress=order.consigneeAddress,
            consigneeTelephone=order.consigneeTelephone,
        )
    )


def _inventory(frame: _Frame, lines: tuple[InventoryList, ...]) -> Document:
    city, buyer, merchant = frame.city, frame.buyer, frame.merchant
    site = city.site(frame.mode)
    direct = frame.mode == DIRECT
    vehicles = society().vehicles
    head = InventoryHead(
        guid=frame.guids[3],
        appType="1",
        appTime=stamp(frame.day, frame.second),
        appStatus="2",
        orderNo=f"SO{frame.serial}",
        ebpCode=city.platform.code,
        ebpName=city.platform.name,
        ebcCode=merchant.code,
        ebcName=merchant.name,
        logisticsNo=f"WB{frame.serial}",
        logisticsCode=city.logistics.code,
        logisticsName=city.logistics.name,
        copNo=frame.serial,
        assureCode=city.guarantor.code,
        emsNo=None if direct else city.ems_no,
        ieFlag="I",
        declTime=frame.day,
        customsCode=site.customs,
        portCode=site.port,
        ieDate=frame.day if direct else None,
        buyerIdType="1",
        buyerIdNumber=buyer.id_number,
        buyerName=buyer.name,
        buyerTelephone=buyer.phone,
        consigneeAddress=buyer.address,
        agentCode=city.agent.code,
        agentName=city.agent.name,
        areaCode=None if direct else city.operator.code,
        areaName=None if direct else city.operator.name,
        tradeMode=frame.mode,
        trafMode=site.traf,
        trafNo=vehicles[sum(frame.bill_no.encode()) % len(vehicles)] if direct else None,
        voyageNo=frame.day if direct else None,
        billNo=frame.bill_no if direct else None,
        country=lines[0].country if direct else CHINA,
        freight=frame.freight,
        insuredFee=frame.insured,
        currency=CNY,
        wrapType="2",
        packNo=1,
        grossWeight=frame.gross,
        netWeight=frame.net,
    )
    return Document(head, lines)


# ── what may follow ─────────────────────────────────────────────────────────────────────────────────────


def _papers(of: Story) -> tuple[InventoryHead, tuple[InventoryList, ...], LogisticsHead]:
    if of.inventory is None or of.waybill is None:
        raise ValueError(f"parcel {of.number} has no inventory or no waybill to follow up")
    return of.inventory.head, of.inventory.lines, of.waybill.head


def signed_for(rng: Random, of: Story, at: datetime) -> Document:
    """513: the parcel was handed over (签收) an hour before ``at``, or on its day's midnight."""
    carried = _papers(of)[2]
    day, second = clock(at)
    return Document(
        LogisticsStatus(
            guid=guid(rng),
            appType="1",
            appTime=stamp(day, second),
            appStatus="2",
            logisticsCode=carried.logisticsCode,
            logisticsName=carried.logisticsName,
            logisticsNo=carried.logisticsNo,
            logisticsStatus="S",
            logisticsTime=stamp(day, second - 3600),
        )
    )


def _request(rng: Random, of: Story, invt_no: str, at: datetime, letter: str) -> dict[str, str]:
    """The fields that a cancel and a return have in common, letter by letter."""
    head = _papers(of)[0]
    day, second = clock(at)
    same = (
        "customsCode", "orderNo", "ebpCode", "ebpName", "ebcCode", "ebcName", "logisticsNo",
        "logisticsCode", "logisticsName", "buyerIdType", "buyerIdNumber", "buyerName", "buyerTelephone",
        "agentCode", "agentName",
    )  # fmt: skip
    return {
        "guid": guid(rng),
        "appType": "1",
        "appTime": stamp(day, second),
        "appStatus": "2",
        "copNo": f"{letter}{head.copNo}"[:20],
        "invtNo": invt_no,
        **{field: getattr(head, field) for field in same},
    }


def cancel(
    rng: Random, of: Story, invt_no: str, at: datetime, *, reason: str = "订购人取消订单"
) -> Document:
    """623: take the declaration ``invt_no`` back before release (撤销申请单)."""
    return Document(InvtCancel(reason=reason, **_request(rng, of, invt_no, at, "C")))


def refund(
    rng: Random,
    of: Story,
    invt_no: str,
    at: datetime,
    *,
    quantities: Mapping[int, Decimal] | None = None,
    reason: str = "订购人不满意，原物退回",
) -> Document:
    """625: send goods back after release (退货申请单). quantities: gnum -> pieces, default everything."""
    lines = _papers(of)[1]
    asked = quantities if quantities is not None else {line.gnum: line.qty for line in lines}
    back = tuple(
        InvtRefundList(
            gnum=line.gnum, gcode=line.gcode, gname=line.gname, qty=asked[line.gnum], unit=line.unit
        )
        for line in lines
        if line.gnum in asked
    )
    return Document(InvtRefundHead(reason=reason, **_request(rng, of, invt_no, at, "T")), back)


def tally(rng: Random, stories: Sequence[Story], at: datetime) -> Document:
    """711: the site has received these direct parcels of one city (入库明细单)."""
    head = _papers(stories[0])[0]
    city = stories[0].city
    day, second = clock(at)
    lines = tuple(
        DeliveryList(gnum=gnum, logisticsNo=_papers(one)[2].logisticsNo)
        for gnum, one in enumerate(stories, 1)
    )
    return Document(
        DeliveryHead(
            guid=guid(rng),
            appType="1",
            appTime=stamp(day, second),
            appStatus="2",
            customsCode=head.customsCode,
            copNo=f"R{head.copNo}"[:20],
            operatorCode=city.operator.code,
            operatorName=city.operator.name,
            ieFlag="I",
            trafMode=head.trafMode,
            trafNo=head.trafNo or "",
            voyageNo=head.voyageNo or "",
            billNo=head.billNo or "",
            logisticsCode=head.logisticsCode,
            logisticsName=head.logisticsName,
            unloadLocation="A01",
        ),
        lines,
    )


def changed(document: Document, **fields: object) -> Document:
    """The document with other values in its head, e.g. ``changed(order, appType="2", note="…")``."""
    return Document(replace(document.head, **fields), document.lines)
