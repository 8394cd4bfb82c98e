"""Code lists and numbers with check digits: complete against the facts, equal to python-stdnum."""

import csv
import os
import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidFormat, InvalidLength

from cebport.messages import codes, shape

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CREDIT_CODE = "91110000600037341L"


def card(district: str, birth: str, serial: str) -> str:
    """An identity number with a good check digit."""
    body = district + birth + serial
    return body + ric.calc_check_digit(body + "0")


# --- lists -------------------------------------------------------------------------------------------------


def test_every_list_is_described_and_has_rows():
    short = set(codes._short_lists())
    long = {path.stem for path in (codes.TABLES / "codes").glob("*.csv")} - {"lists"}
    assert short | long == set(codes.list_names())
    assert not short & long
    for list_name in codes.list_names():
        about = codes.about(list_name)
        assert about.zh and about.en and about.source
        assert about.complete or about.note, f"{list_name}: what is missing?"
        for code, rows in codes.rows(list_name).items():
            assert code.strip() == code and code
            assert all(row.zh for row in rows)


def test_every_list_of_the_fields_exists():
    other = {"returnInfoGrammar", "dxpId"}
    entities = shape.ENTITIES[shape.NEWEST].values()
    named = {field.codes for entity in entities for field in entity if field.codes}
    assert {"unit", "customsDistrict"} <= named
    assert named - other <= set(codes.list_names())


def test_fixed_lists_are_those_of_the_text():
    fixed = {name for name in codes.list_names() if codes.about(name).fixed}
    assert fixed == {
        "appType", "appStatus", "orderType", "ieFlag", "buyerIdType", "dxpMode", "subscribeStatus",
        "taxStatus", "tradeMode",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "mode", "expected"),
    [
        (date(2014, 2, 9), "9610", False),
        (date(2014, 2, 10), "9610", True),
        (date(2014, 7, 31), "1210", False),
        (date(2014, 8, 1), "1210", True),
        (date(2016, 11, 30), "1239", False),
        (date(2016, 12, 1), "1239", True),
        (None, "1239", True),
        (date(2026, 11, 24), "0110", False),
    ],
)
def test_codes_have_days(day, mode, expected):
    assert codes.known("tradeMode", mode, day) is expected


def test_a_row_ends_with_its_last_day():
    row = codes.Row("1", "一", "one", date(2020, 1, 1), date(2020, 12, 31), {})
    assert row.valid(date(2020, 1, 1)) and row.valid(date(2020, 12, 31))
    assert not row.valid(date(2019, 12, 31)) and not row.valid(date(2021, 1, 1))
    assert row.valid(None)


def test_a_list_without_days_is_read_once_for_all_days():
    first = codes.codes_on("adminDivision", date(2020, 1, 1))
    assert codes.codes_on("adminDivision", date(2021, 1, 1)) is first
    assert codes.codes_on("adminDivision") is first


def test_names():
    assert codes.name("unit", "035", "zh") == "千克"
    assert codes.name("unit", "035", "en") == "kilogram"
    assert codes.name("customsDistrict", "4300", "en") == "济南海关", "no English name: the Chinese one"
    assert codes.name("unit", "999", "zh") == ""
    assert len(codes.names("errorCodes", "-621027", "zh")) == 2
    assert codes.status_name("800", "zh") == "放行"
    assert codes.status_name("-621029", "zh") == "验签失败"
    with pytest.raises(KeyError):
        codes.known("noSuchList", "1")


def test_complete():
    assert codes.complete("unit") and codes.complete("errorCodes")
    assert not codes.complete("customsDistrict") and not codes.complete("loctNo")


def test_receipt_codes_are_official_and_cover_every_declaration():
    declared = {kind for kind, form in shape.MESSAGES.items() if not form.receipt}
    table = codes.receipt_codes()
    assert set(table) == declared
    for kind, answers in table.items():
        assert set(answers) == set(codes.REASONS)
        for code in answers.values():
            assert codes.known("errorCodes", code), (kind, code)
        if shape.MESSAGES[kind].full:
            assert answers["limit"] == shape.MESSAGES[kind].full
    assert table["CEB621Message"]["declarant"] == "-621015"
    assert table["CEB511Message"]["signature"] == table["CEB511Message"]["content"] == "-504011"


def test_lists_equal_the_facts():
    if not (SHARED / "ceb/codes.yaml").exists():
        assert len(codes.rows("errorCodes")) > 150
        return
    facts = yaml.safe_load((SHARED / "ceb/codes.yaml").read_text(encoding="utf-8"))
    official = [(entry["code"], entry["doc"].replace(" ", "_")) for entry in facts["errorCodes"]]
    with open(codes.TABLES / "codes/errorCodes.csv", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["origin"] == "official"]
    assert [(row["code"], row["document"]) for row in rows] == official
    for name in ("appType", "appStatus", "logisticsStatus", "dxpMode", "subscribeStatus", "taxStatus"):
        assert set(codes.rows(name)) == {str(code) for code in facts[name]} - {"note"}
    assert set(codes.rows("dxpErrorCodes")) == set(facts["dxpErrorCodes"])
    for name in ("buyerIdType", "wrapType"):
        assert set(codes.rows(name)) == {code for code in facts[name] if code.isdigit()}
    assert set(codes.rows("transportMode")) == set(facts["transportMode"]) - {"en"}
    assert set(codes.rows("currency")) == {str(code) for code in facts["currency"]}
    states = {value["code"] for value in facts["returnStatus"]["values"]}
    assert states <= set(codes.rows("returnStatus"))
    inner = {value["code"] for value in facts["returnInfoGrammar"]["inner_codes"]}
    assert inner == set(codes.rows("returnInfo"))
    for name, file in (("unit", "units"), ("country", "countries"), ("customsDistrict", "customs_districts")):
        with open(SHARED / f"ceb/codes/{file}.csv", encoding="utf-8-sig") as lines:
            expected = {row["code"] for row in csv.DictReader(lines)}
        assert expected <= codes.codes_on(name)
        assert len(codes.codes_on(name) - expected) <= 1
    districts = facts["customsDistrict"]
    offices = [*districts["jinan"], *(code for city in districts["pilot_cities"].values() for code in city)]
    assert len(offices) > 50
    assert all(codes.known("customsDistrict", code) for code in offices)


# --- numbers -----------------------------------------------------------------------------------------------


def stdnum_verdict(number: str) -> str:
    try:
        ric.validate(number)
    except (InvalidLength, InvalidFormat):
        return "form"
    except InvalidChecksum:
        return "check"
    except (InvalidComponent, KeyError):
        return "component"  # 2.2 raises KeyError for an unknown county of a known province
    return ""


@settings(max_examples=400, deadline=None)
@given(st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True) | st.text("0123456789Xx A", max_size=20))
def test_identity_arithmetic_is_that_of_stdnum(number):
    if number != ric.compact(number):
        return  # stdnum forgives spaces and small letters; customs does not forgive spaces
    ours, theirs = codes.identity_problems(number), stdnum_verdict(number)
    assert ("form" in ours) == (theirs == "form")
    assert ("check" in ours) == (theirs == "check")
    if not ours:
        assert theirs in ("", "component"), "stdnum also asks whether the county existed in that year"


def test_good_cards_of_living_counties_are_good():
    rng = random.Random(20261124)
    districts = [code for code in codes.codes_on("adminDivision") if not code.endswith("00")]
    for _ in range(500):
        birth = f"{rng.randint(1930, 2015)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        number = card(rng.choice(districts), birth, f"{rng.randint(0, 999):03d}")
        assert codes.identity_problems(number) == ()
        wrong = "0" if number[-1] != "0" else "1"
        assert codes.identity_problems(number[:-1] + wrong) == ("check",)


@pytest.mark.parametrize(
    ("number", "problems"),
    [
        (card("110108", "19890421", "053"), ()),
        (card("372321", "19700101", "123"), ()),  # a county abolished since
        (card("830000", "19900101", "123"), ()),  # residence permit
        ("990101198904210535", ("district",)),
        (card("110199", "19890421", "053"), ("district",)),
        (card("110108", "19890230", "053"), ("birth",)),
        (card("110108", "19891301", "053")[:-1] + "y", ("form",)),
        ("130681136250023332", ("check", "birth")),
        ("11010819890421053", ("form",)),
        ("１１０１０８１９８９０４２１０５３５", ("form",)),
        ("", ("form",)),
    ],
)
def test_identity_problems(number, problems):
    assert codes.identity_problems(number) == problems


def test_a_small_x_is_as_good():
    cards = (card("110108", "19890421", f"{serial:03d}") for serial in range(200))
    number = next(number for number in cards if number.endswith("X"))
    assert codes.identity_problems(number.lower()) == codes.identity_problems(number) == ()


@settings(max_examples=400, deadline=None)
@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-", min_size=16, max_size=19) | st.text(max_size=18))
def test_credit_code_form_is_that_of_stdnum(code):
    if code == uscc.compact(code):
        assert (codes.credit_code_problem(code) == "") == uscc.is_valid(code)


def test_credit_codes_with_good_and_bad_check_digits():
    rng = random.Random(7)
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    for _ in range(300):
        body = "91" + "".join(rng.choices("0123456789", k=6)) + "".join(rng.choices(letters, k=9))
        good = body + uscc.calc_check_digit(body)
        assert codes.credit_code_problem(good) == ""
        bad = body + letters[(letters.index(good[-1]) + rng.randint(1, 30)) % 31]
        assert codes.credit_code_problem(bad) == "check"
        assert not uscc.is_valid(bad)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("1105910159", ""),
        ("330766TEST", ""),
        (CREDIT_CODE, ""),
        (CREDIT_CODE[:-1] + "M", "check"),
        ("9111000060003734IL", "form"),
        ("330766test", "form"),
        ("33076６TEST", "form"),
        ("123456789", "form"),
        ("JDGW20160310001", "form"),
        ("", "form"),
    ],
)
def test_registration_codes(code, problem):
    assert codes.registration_problem(code) == problem


def test_the_lists_of_a_clean_check_cost_no_yaml_and_no_stdnum():
    script = (
        "import sys; from cebport.messages import codes; "
        "[codes.codes_on(n) for n in ('unit', 'country', 'customsDistrict', 'adminDivision', 'tradeMode')]; "
        "assert codes.identity_problems('990101198904210535') == ('district',); "
        "assert codes.registration_problem('91110000600037341L') == ''; "
        "sys.exit(sum(name in sys.modules for name in ('yaml', 'stdnum')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
