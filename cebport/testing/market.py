"""Who sells, carries, pays and buys in test traffic, and what: companies, people, goods (测试市场).

Everything here is invented, and says so: companies are called 样例, their organisation codes begin with
CEBX, the sequence number of every identity number is the one that is never given out. What is fact
(customs codes, goods codes, statutory units, rates, county codes) comes from the tables.

>>> person(7).id_number[14:17], person(7) == person(7)
('000', True)
>>> city("shanghai") is city("2216")
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

from cebport.messages import codes
from cebport.values import ZERO, fen

TABLES = Path(__file__).with_name("tables")
DIRECT, BONDED = "9610", "1210"
ONE = Decimal(1)
KILOGRAM, GRAM, LITRE = "035", "036", "095"


def read_table(name: str) -> Any:
    """A table of ours, as YAML reads it."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((TABLES / name).read_text(encoding="utf-8"), loader)


# ── companies ───────────────────────────────────────────────────────────────────────────────────────────


class Company(NamedTuple):
    """One company. role: platform, merchant, payment, logistics, agent, operator or guarantor.

    signs: the message type that it signs, "" when none. dxp_id: where its receipts go.
    """

    role: str
    place: str
    code: str
    name: str
    dxp_id: str
    signs: str


class Site(NamedTuple):
    """Where goods are cleared: customs office (申报海关), port (口岸海关), transport mode of the last leg."""

    customs: str
    port: str
    traf: str


class City(NamedTuple):
    """A place with its sites and companies; ``number`` counts the places from 1."""

    number: int
    place: str
    zh: str
    direct: Site
    bonded: Site
    companies: tuple[Company, ...]
    merchants: tuple[Company, ...]
    platform: Company
    payment: Company
    logistics: Company
    agent: Company
    operator: Company
    guarantor: Company
    pilot: bool
    ems_no: str

    def site(self, mode: str) -> Site:
        """Where parcels of a trade mode are cleared."""
        return self.direct if mode == DIRECT else self.bonded


_CREDIT_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def credit_code(division: str, organisation: str) -> str:
    """A social credit code (统一社会信用代码) of six division digits and eight of the organisation."""
    weighted = zip(organisation, _ORGANISATION_WEIGHTS, strict=True)
    rest = 11 - sum(int(letter, 36) * weight for letter, weight in weighted) % 11
    body = f"91{division}{organisation}" + ("0" if rest == 11 else "X" if rest == 10 else str(rest))
    total = sum(_CREDIT_LETTERS.index(letter) * (3**place % 31) for place, letter in enumerate(body))
    return body + _CREDIT_LETTERS[-total % 31]


def _company(row: Mapping[str, Any], city_row: Mapping[str, Any], of_place: int, number: int) -> Company:
    division, serial = city_row["division"], of_place * 100 + number
    if row["form"] == "credit":
        code = credit_code(division + "00", f"CEBX{serial:04d}")
    else:
        code = f"{division}96{serial:04d}"
    return Company(
        role=row["role"],
        place=city_row["place"],
        code=code,
        name=row["zh"].format(city=city_row["zh"]),
        dxp_id=f"DXPENT{division}{serial:06d}",
        signs=row.get("signs", ""),
    )


@cache
def cities() -> Mapping[str, City]:
    """Every place of tables/cities.yaml, by its id."""
    table = read_table("cities.yaml")
    made = {}
    for of_place, row in enumerate(table["cities"], 1):
        companies = tuple(_company(firm, row, of_place, at) for at, firm in enumerate(table["companies"], 1))
        by_role = {company.role: company for company in reversed(companies)}
        bonded = Site(**row["bonded"])
        made[row["place"]] = City(
            number=of_place,
            place=row["place"],
            zh=row["zh"],
            direct=Site(**row["direct"]),
            bonded=bonded,
            companies=companies,
            merchants=tuple(company for company in companies if company.role == "merchant"),
            platform=by_role["platform"],
            payment=by_role["payment"],
            logistics=by_role["logistics"],
            agent=by_role["agent"],
            operator=by_role["operator"],
            guarantor=by_role["guarantor"],
            pilot=row["pilot"],
            ems_no=f"T{bonded.customs}W{of_place:06d}",
        )
    return made


def city(name: str) -> City:
    """The city of a place id or of a customs code that is its alone. Raises ValueError when it has none."""
    found = cities().get(name) or next(
        (row for row in cities().values() if name in (row.direct.customs, row.bonded.customs)), None
    )
    if found is None:
        raise ValueError(f"no test city {name}: there are {', '.join(cities())}")
    return found


def pilot_cities() -> tuple[City, ...]:
    """The ten pilot cities (试点城市)."""
    return tuple(row for row in cities().values() if row.pilot)


@cache
def filed() -> tuple[date, date]:
    """From when to when the companies are filed."""
    row = read_table("cities.yaml")["filed"]
    return row["since"], row["until"]


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────


class Person(NamedTuple):
    """A buyer (订购人): name, resident identity number, phone, address with its county's code."""

    name: str
    id_number: str
    phone: str
    address: str
    district: str


NO_COUNTY = frozenset(("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"))
BORN_FIRST, BORN_LAST = date(1955, 1, 1), date(2003, 12, 31)
NEVER_GIVEN = "000"
"""The sequence number of an identity number starts at 001: nobody alive has one of ours."""


class _Society(NamedTuple):
    counties: tuple[tuple[str, str], ...]
    births: tuple[str, ...]
    surnames: tuple[str, ...]
    given: tuple[str, ...]
    roads: tuple[str, ...]
    homes: tuple[str, ...]
    brands: tuple[str, ...]
    vehicles: tuple[str, ...]
    stride: int


@cache
def society() -> _Society:
    """What people are made of; the stride visits every (county, birth) once before it repeats."""
    rows = codes.rows("adminDivision")
    names = {code: found[-1].zh for code, found in rows.items()}
    counties = []
    for code, name in names.items():
        if code.endswith("00") or name in NO_COUNTY or code[:2] > "65":
            continue
        middle = names.get(code[:4] + "00", "")
        above = "" if middle in NO_COUNTY else middle
        counties.append((code, names[code[:2] + "0000"] + above + name))
    days = (BORN_LAST - BORN_FIRST).days + 1
    births = tuple((BORN_FIRST + timedelta(days=day)).strftime("%Y%m%d") for day in range(days))
    table = read_table("people.yaml")
    parts = {key: tuple(table[key]) for key in ("surnames", "given", "roads", "homes", "brands", "vehicles")}
    stride = 7_368_787
    while gcd(stride, len(counties) * days) != 1:
        stride += 2
    return _Society(tuple(counties), births, stride=stride, **parts)


def person(number: int) -> Person:
    """The person of that number: the same number the same person, other numbers other identity numbers.

    Numbers repeat after tens of millions (counties times birth days).
    """
    people = society()
    counties, births = people.counties, people.births
    at = number * people.stride % (len(counties) * len(births))
    born, where = divmod(at, len(counties))
    district, region = counties[where]
    digits = district + births[born] + NEVER_GIVEN
    check = (1 - 2 * int(digits, 13)) % 11
    surnames, given, roads, homes = people.surnames, people.given, people.roads, people.homes
    mixed = at * 2_654_435_761 >> 3
    first = given[mixed % len(given)]
    second = given[(mixed >> 7) % len(given)] if mixed & 3 else ""
    house = f"{(mixed >> 9) % 298 + 1}号{homes[(mixed >> 4) % len(homes)]}{(mixed >> 11) % 30 + 1}幢"
    return Person(
        name=surnames[(mixed >> 5) % len(surnames)] + first + second,
        id_number=digits + ("X" if check == 10 else str(check)),
        phone=f"1{3 + mixed % 7}{at % 1_000_000_000:09d}",
        address=f"{region}{roads[(mixed >> 6) % len(roads)]}{house}{(mixed >> 8) % 1900 + 101}室",
        district=district,
    )


# ── goods ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False, slots=True)
class Article:
    """One article on sale. per1, per2: statutory quantities of one piece.

    prices: what the shops ask for one, in fen, from cheap to dear; each shop has its own place in the row.
    """

    hs: str
    item_no: str
    record_no: str
    bar_code: str
    name: str
    goods_name: str
    model: str
    unit: str
    unit1: str
    unit2: str | None
    per1: Decimal
    per2: Decimal | None
    kg: Decimal
    litres: Decimal
    prices: tuple[int, ...]
    countries: tuple[str, ...]
    vat: str
    duty: Decimal
    consumption: Mapping[str, Decimal]
    most: int


class Market(NamedTuple):
    """What is on sale: ``often`` has every article as often as it is bought, ``alone`` the dear ones."""

    articles: tuple[Article, ...]
    often: tuple[Article, ...]
    alone: tuple[Article, ...]
    plain: Article


def _bar_code(serial: int) -> str:
    """An EAN-13 of the range for use inside a shop (2...), which no maker gets."""
    digits = f"2{serial:011d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-weighted % 10)


def _prices(low_yuan: int, high_yuan: int) -> tuple[int, ...]:
    """List prices between the two, ending as shop prices do."""
    step = (high_yuan - low_yuan) / (SHOP_PRICES - 1)
    return tuple(int(low_yuan + step * place) * 100 + ENDINGS[place] for place in range(SHOP_PRICES))


SHOP_PRICES = 8
ENDINGS = (0, 90, 0, 50, 80, 0, 99, 0)


def _statutory(unit: str, kg: Decimal, litres: Decimal) -> Decimal:
    """How much of a statutory unit one piece is."""
    return {KILOGRAM: kg, GRAM: kg * 1000, LITRE: litres}.get(unit, ONE)


@cache
def market() -> Market:
    """The articles of tables/goods.yaml: every goods row under two brands."""
    brands = society().brands
    classes = {
        name: {key: Decimal(value) for key, value in rule.items()}
        for name, rule in read_table("rates.yaml")["consumption"].items()
    }
    articles: list[Article] = []
    often: list[Article] = []
    alone: list[Article] = []
    for row in read_table("goods.yaml")["goods"]:
        for _ in range(2):
            serial = len(articles) + 1
            brand = brands[serial * 5 % len(brands)]
            kg, litres = Decimal(row["kg"]), Decimal(row.get("l", "0"))
            unit2 = row.get("u2")
            article = Article(
                hs=row["hs"],
                item_no=f"SKU{serial:05d}",
                record_no=str(serial),
                bar_code=_bar_code(serial),
                name=f"{brand}{row['zh']} {row['pack']}",
                goods_name=row["zh"],
                model=f"品牌:{brand}|规格:{row['pack']}|用途:个人自用",
                unit=row["unit"],
                unit1=row["u1"],
                unit2=unit2,
                per1=_statutory(row["u1"], kg, litres),
                per2=_statutory(unit2, kg, litres) if unit2 else None,
                kg=kg,
                litres=litres,
                prices=_prices(*row["yuan"]),
                countries=tuple(row["from"]),
                vat=row["vat"],
                duty=Decimal(row["duty"]),
                consumption=classes[row["ct"]] if "ct" in row else {},
                most=row["most"],
            )
            articles.append(article)
            if row.get("alone"):
                alone.append(article)
            else:
                often.extend([article] * row["often"])
    plain = next(article for article in articles if article.hs == PLAIN_HS)
    return Market(tuple(articles), tuple(often), tuple(alone), plain)


PLAIN_HS = "4202119090"
"""Goods that may cost anything and bear VAT alone: for baskets of a given value."""


# ── the tax that the seller collects ────────────────────────────────────────────────────────────────────


class Season(NamedTuple):
    """What holds on a day: VAT by kind, limits of a purchase and of a year (CNY), share of tax inside; whether it is
    the time of the postal tax, which no seller collects."""

    since: date
    vat: Mapping[str, Decimal]
    single: int
    year: int
    share: Decimal
    postal: bool = False


@cache
def seasons() -> tuple[Season, ...]:
    """The rows of tables/rates.yaml, oldest first."""
    table = read_table("rates.yaml")
    share = Decimal(table["share"])
    return tuple(
        Season(row["from"], {kind: Decimal(rate) for kind, rate in row["vat"].items()}, row["single"],
               row["year"], share, row.get("postal", False))
        for row in table["seasons"]
    )  # fmt: skip


@lru_cache(maxsize=256)
def season(day: date) -> Season:
    """The row of a day. Raises ValueError for a day before the first."""
    found = [row for row in seasons() if row.since <= day]
    if not found:
        raise ValueError(f"test traffic begins on {seasons()[0].since}, not on {day}")
    return found[-1]


SHEET = "020"
"""片: goods that come by the sheet are dear or cheap by the sheet, not by the gram."""


def line_tax(article: Article, qty: int, value: Decimal, rates: Season, *, full: bool) -> Decimal:
    """Duty, consumption tax and VAT of one line in CNY; ``value`` is its price with its share of the fees.

    full: the order is above the single limit, so duty is due and nothing is taken off.
    """
    share = ONE if full else rates.share
    duty = value * article.duty if full else ZERO
    rule = article.consumption
    rate, by_litre = _consumption(article, qty, value, rule) if rule else (ZERO, ZERO)
    base, rest = value + duty, ONE - rate
    vat = fen((base + by_litre) * rates.vat[article.vat] * share / rest)
    consumption = fen((base * rate + by_litre) * share / rest)
    return fen(duty) + vat + consumption


def _consumption(
    article: Article, qty: int, value: Decimal, rule: Mapping[str, Decimal]
) -> tuple[Decimal, Decimal]:
    """Rate and tax by the litre of a line's consumption tax, which is inside the price that it is taken of."""
    if "sheet" in rule and article.unit == SHEET:
        if value / qty < rule["sheet"]:
            return ZERO, ZERO
    elif "gram" in rule and value / (article.kg * 1000 * qty) < rule["gram"]:
        return ZERO, ZERO
    if "each" in rule and value / qty < rule["each"]:
        return ZERO, ZERO
    return rule.get("rate", ZERO), rule.get("litre", ZERO) * article.litres * qty
