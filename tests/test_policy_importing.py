"""Import of published lists: spreadsheets as people write them, and everything in them that cannot be read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from cebport.faults import PolicyError
from cebport.policy import importing, lists, reader, sheets
from cebport.policy.engine import Policy
from cebport.policy.importing import Imported, import_list, remark_of

D = date.fromisoformat
SINCE = D("2025-01-01")


def book(path: Path, *rows: Sequence[Any], merge: Sequence[str] = (), more: Callable[[Workbook], None] | None = None,
         title: str = "正面清单") -> Path:
    """An XLSX of these rows, with these cells merged."""
    made = Workbook()
    sheet = made.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for area in merge:
        sheet.merge_cells(area)
    if more:
        more(made)
    made.save(path)
    return path


def bring(source: Path, kind: str = "positive_list", **more: Any) -> Imported:
    said = {"edition": "full", "since": SINCE, "complete": True, "instrument": "mof-2022-7"}
    return import_list(source, kind=kind, **{**said, "out": source.parent / "out", **more})


def refused(source: Path, kind: str = "positive_list", **more: Any) -> list[tuple[str, str]]:
    with pytest.raises(PolicyError) as caught:
        bring(source, kind, **more)
    return [(fault.code, fault.path) for fault in caught.value.faults]


PUBLISHED = (
    ("跨境电子商务零售进口商品清单（2022年版）",),
    ("序号", "税则号列", "货品名称（简称）", "备注"),
    (1, "0306.1790", "其他冻小虾", "仅限网购保税商品"),
    (2, "04051000", "黄油", None),
    (3, 4100041, "鲜蜂王浆", "列入《进出口野生动植物种商品目录》的除外"),
    (4, "1701.99.10", "砂糖", "每人每年限 2 千克"),
    (5, "1006 3020", "长粒米", "每人每年累计不超过20公斤"),
    (6, "32151900", "其他印刷油墨", "仅限家用打印机墨水"),
    (None, None, None, None),
    ("注：1. 税则号列为 8 位。",),
)


def test_the_published_list(tmp_path: Path) -> None:
    done = bring(book(tmp_path / "清单.xlsx", *PUBLISHED, merge=("A1:D1", "A10:D10")))
    assert (done.rows, done.complete) == (6, True)
    assert [(fault.code, fault.severity, fault.path, fault.found) for fault in done.faults] == [
        ("CEB-LIST-015", "info", "清单.xlsx 正面清单!B5", "1")]
    view = Policy.load(overlays=[done.overlay]).at(SINCE)
    row = view["positive_list.edition"]
    assert (row["edition"], row["lines"], row["complete"]) == ("full", 6, True)
    assert view.row("positive_list.edition").instrument == "mof-2022-7"
    shrimps, royal, sugar, rice, ink = (
        view.listed(code + "00", "9610") for code in ("03061790", "04100041", "17019910", "10063020", "32151900"))
    assert (shrimps.state, shrimps.remark_kind) == ("excluded", "bonded_only")
    assert (royal.state, royal.remark_kind, royal.row.name) == ("listed", "exclude", "鲜蜂王浆")
    assert (sugar.row.quantity, sugar.row.unit, sugar.remark_kind) == (Decimal(2), "035", "person_year_quantity")
    assert (rice.row.quantity, rice.row.unit) == (Decimal(20), "035")
    assert ink.remark_kind == "only_goods"
    assert (view.listed("0402100000", "1210").state, view.listed("0402100000", "1210").complete) == ("absent", True)
    assert view.listed("0405100000", "1210").row.source == "清单.xlsx"
    before = Policy.load(overlays=[done.overlay]).at(D("2024-12-31"))
    assert before["positive_list.edition"]["edition"] == "2022"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_any_usual_writing(tmp_path: Path, encoding: str, delimiter: str) -> None:
    source = tmp_path / "list.csv"
    lines = [("HS Code", "Name", "Remark"), ("0405.10.00", "Butter", ""), ("4061000", "Fresh cheese", "bonded only")]
    source.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode(encoding))
    done = bring(source)
    assert (done.rows, [fault.code for fault in done.faults]) == (2, ["CEB-LIST-015"])
    cheese = Policy.load(overlays=[done.overlay]).at(SINCE).listed("0406100000", "9610")
    assert (cheese.state, cheese.row.name) == ("excluded", "Fresh cheese")


def test_english_and_chinese_names_and_our_own_csv_again(tmp_path: Path) -> None:
    first = bring(book(tmp_path / "a.xlsx", ("Tariff Code", "Chinese", "English name", "Remarks"),
                       ("04051000", "黄油", "Butter", "")), columns={"name_zh": "chinese"})
    row = Policy.load(overlays=[first.overlay]).at(SINCE).listed("0405100000", "1210").row
    assert (row.name, row.name_en) == ("黄油", "Butter")
    again = bring(first.written, out=tmp_path / "again")
    assert again.faults == ()
    assert again.written.read_bytes() == first.written.read_bytes()


@pytest.mark.parametrize("file", ["2016-2-sample.csv", "memory-sample.csv", "remarks-sample.csv"])
def test_the_samples_come_through_unchanged(tmp_path: Path, file: str) -> None:
    source = reader.TABLES / "positive_list" / file
    done = bring(source, out=tmp_path)
    assert done.faults == ()
    read = lists.read_list("x", done.written.read_bytes(), pytest.fail)
    real = lists.read_list("x", source.read_bytes(), pytest.fail)
    assert {code: row._replace(where="") for code, row in read.items()} == {
        code: row._replace(where="") for code, row in real.items()}


def test_codes_of_ten_digits_become_lines(tmp_path: Path) -> None:
    done = bring(book(tmp_path / "a.xlsx", ("商品编码", "商品名称", "备注"),
                      ("3303000010", "香水（按重量）", ""), ("3303000020", "香水（按体积）", ""),
                      ("1901101010", "特殊配方奶粉", "须注册的除外"), ("1901101090", "其他配方奶粉", "")))
    assert (done.rows, done.faults) == (2, ())
    view = Policy.load(overlays=[done.overlay]).at(SINCE)
    assert view.listed("3303000010", "1210").row.name == "香水（按重量）; 香水（按体积）"
    assert view.listed("1901101090", "1210").remark_kind == "exclude"


def test_merged_cells_titles_and_several_codes_in_a_cell(tmp_path: Path) -> None:
    done = bring(book(tmp_path / "a.xlsx",
                      ("附件",), ("清单",), ("税则号列", "货品名称", "备注"),
                      ("第一章 活动物", None, None),
                      ("04051000", "黄油", "仅限网购保税"), (None, "无水黄油", None),
                      ("04061000、04063000", "乳酪", ""),
                      ("税则号列", "货品名称", "备注"),
                      ("04069000", "其他乳酪", ""),
                      merge=("A1:C1", "A2:C2", "A4:C4", "A5:A6", "C5:C6")))
    assert (done.rows, done.faults) == (4, ())
    butter = Policy.load(overlays=[done.overlay]).at(SINCE).listed("0405100000", "1210").row
    assert (butter.name, butter.remark_kind) == ("黄油; 无水黄油", "bonded_only")


def test_several_sheets_hidden_ones_and_sheets_without_a_list(tmp_path: Path) -> None:
    def more(made: Workbook) -> None:
        made.create_sheet("说明").append(["本清单自发布之日起"])
        second = made.create_sheet("续表")
        second.append(["税号", "品名"])
        second.append(["04061000", "鲜乳酪"])
        hidden = made.create_sheet("旧")
        hidden.append(["税号", "品名"])
        hidden.append(["99999999", "旧行"])
        hidden.sheet_state = "hidden"

    done = bring(book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油"), more=more))
    assert (done.rows, done.faults) == (2, ())


BAD_ROWS = [
    # row below the header (税则号列 | 货品名称 | 备注), code of the fault, cell
    (("0405100", "黄油", "", "x"), "CEB-LIST-004", "A3"),
    (("040510", "黄油", ""), "CEB-LIST-004", "A3"),
    (("040510001", "黄油", ""), "CEB-LIST-004", "A3"),
    (("4051000", "黄油", ""), "CEB-LIST-015", "A3"),
    (("405100010", "黄油", ""), "CEB-LIST-015", "A3"),
    (("04051000123", "黄油", ""), "CEB-LIST-004", "A3"),
    (("黄油", "04051000", ""), "CEB-LIST-004", "A3"),
    (("O4051000", "黄油", ""), "CEB-LIST-004", "A3"),
    (("", "黄油", ""), "CEB-LIST-003", "A3"),
    (("04021000", "另一个名称", ""), "CEB-LIST-005", "A3"),
    (("04021000", "脱脂奶粉", ""), None, None),
    (("04051000", "黄油", "参见附件二"), "CEB-LIST-010", "A3"),
]


@pytest.mark.parametrize(("row", "code", "cell"), BAD_ROWS)
def test_a_row_that_cannot_be_read(tmp_path: Path, row: Sequence[str], code: str | None, cell: str | None) -> None:
    done = bring(book(tmp_path / "a.xlsx", ("税则号列", "货品名称", "备注"), ("04021000", "脱脂奶粉", ""), row))
    told = [(fault.code, fault.path) for fault in done.faults]
    if code is None:
        assert (told, done.complete) == ([], True)
    elif code in ("CEB-LIST-010", "CEB-LIST-015"):
        assert (told, done.rows, done.complete) == ([(code, f"a.xlsx 正面清单!{cell}")], 2, True)
    else:
        assert told == [(code, f"a.xlsx 正面清单!{cell}"), ("CEB-LIST-007", "a.xlsx")]
        assert (done.rows, done.complete) == (1, False)
        view = Policy.load(overlays=[done.overlay]).at(SINCE)
        assert view.listed("0405100000", "1210")[:2] == ("absent", False), "goods of a lost row must not be refused"
    for fault in done.faults:
        assert fault.message.zh != fault.message.en
        assert fault.remedy.zh


def test_a_sample_stays_a_sample(tmp_path: Path) -> None:
    done = bring(book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油")), complete=False)
    assert not done.complete
    assert Policy.load(overlays=[done.overlay]).at(SINCE).listed("0402100000", "9610").complete is False


REMARKS = [
    ("", "", "", ""), ("—", "", "", ""), ("无", "", "", ""),
    ("仅限网购保税商品", "bonded_only", "", ""),
    ("仅限网购保税商品。列入《进出口野生动植物种商品目录》的商品除外", "bonded_only", "", ""),
    ("列入《两用物项和技术进出口许可证管理目录》的商品除外", "exclude", "", ""),
    ("不包括须注册或备案的特殊食品", "exclude", "", ""),
    ("仅限家用打印机墨水", "only_goods", "", ""),
    ("每人每年限2kg", "person_year_quantity", "2", "035"),
    ("消费者每人每年购买总量不超过 20 千克", "person_year_quantity", "20", "035"),
    ("up to 2.5 kg: no", "exclude", "", ""),
    ("per person and year 500 ml", "exclude", "", ""),
    ("per person and year 3 pieces", "person_year_quantity", "3", "007"),
]


@pytest.mark.parametrize(("text", "kind", "quantity", "unit"), REMARKS)
def test_kinds_of_remark(text: str, kind: str, quantity: str, unit: str) -> None:
    assert remark_of(text)[:3] == (kind, quantity, unit)


# ------------------------------------------------------------------------------------------------- tariff


def percent(made: Workbook) -> None:
    for row in made.active.iter_rows(min_row=4):
        row[2].number_format = "0.0%"


def test_a_tariff_with_a_header_of_two_rows(tmp_path: Path) -> None:
    source = book(
        tmp_path / "tariff.xlsx",
        ("2025 年进口税则", None, None, None, None, None, None),
        ("商品编码", "商品名称", "进口税率", None, "增值税", "消费税", "法定单位"),
        (None, None, "最惠国税率(%)", "暂定税率(%)", None, None, None),
        ("04.01", "乳及奶油", None, None, None, None, None),
        ("0401200000", "液态奶", 0.15, None, "9%", "", "千克"),
        ("1901101090", "婴儿配方奶粉", 0.15, "5", "13%", None, "千克"),
        ("33049900.29", "护肤品", 0.01, "", 13, "15%", "千克/件"),
        ("2208300000", "威士忌", 0.1, "", "13", "20%+0.912元/升", "升/千克"),
        ("9102110000", "石英手表", 0.1, "", "13%", "高档手表", "只/千克"),
        ("95063200", "高尔夫球", 0.065, "免", "13%", "golf", "035"),
        merge=("A1:G1", "A2:A3", "B2:B3", "C2:D2", "E2:E3", "F2:F3", "G2:G3"), more=percent, title="税则")
    done = bring(source, "tariff", edition="2025", instrument="tariff-pages")
    assert (done.rows, done.faults) == (6, ())
    view = Policy.load(overlays=[done.overlay]).at(SINCE)
    milk, formula, skin, whisky, watch, golf = (
        view.tariff(code)
        for code in ("0401200000", "1901101090", "3304990029", "2208300000", "9102110000", "9506320000"))
    assert (milk.mfn, milk.provisional) == (Decimal("0.15"), None)
    assert (milk.vat, milk.consumption, milk.unit1) == ("r", None, "035")
    assert (formula.provisional, formula.vat) == (Decimal("0.05"), "s")
    assert (skin.consumption, skin.unit1, skin.unit2) == ("skin_care", "035", "011")
    assert (whisky.consumption, whisky.unit1, whisky.unit2) == ("spirits", "095", "035")
    assert (watch.consumption, golf.consumption) == ("watch", "golf")
    assert (golf.mfn, golf.provisional) == (Decimal("0.065"), Decimal(0))
    assert view["tariff.edition"]["complete"] is True


def test_the_tariff_sample_comes_through_unchanged(tmp_path: Path) -> None:
    source = reader.TABLES / "tariff" / "2024-sample.csv"
    done = bring(source, "tariff", edition="2024-sample", instrument="tariff-pages", out=tmp_path)
    assert (done.rows, done.faults) == (66, ())
    law, again = Policy.load(), Policy.load(overlays=[done.overlay])
    for code, row in next(iter(law._loaded.tariffs.values())).items():
        assert again.at(SINCE).tariff(code) == row


@pytest.mark.parametrize(("cells", "lost"), [
    (("15%", "0.06", "10"), ["C3"]), (("15%", "0.06", "1"), ["C3", "C4"]), (("0.06", "10", "0.065"), ["C2", "C4"]),
    (("15%", 0.06, "0"), ["C3"]), (("15%", "1", "10"), []), (("15%", "０．０６", "10"), ["C3"]),
])
def test_a_column_of_rates_in_several_ways_is_not_guessed_at(tmp_path: Path, cells: tuple[Any, ...],
                                                             lost: list[str]) -> None:
    goods = [(f"040{at}100000", "黄油", cell, "千克") for at, cell in enumerate(cells, 1)]
    done = bring(book(tmp_path / "a.xlsx", ("税号", "品名", "最惠国税率", "单位"), *goods), "tariff",
                 instrument="tariff-pages")
    found = [(fault.code, fault.path.rpartition("!")[2]) for fault in done.faults if fault.code == "CEB-LIST-016"]
    assert found == [("CEB-LIST-016", cell) for cell in lost]
    assert done.rows == len(cells) - len(lost)


@pytest.mark.parametrize(("cells", "fraction"), [
    (("6.5%", "10%"), "0.065"), (("6.5", "10"), "0.065"), ((6.5, 10), "0.065"), (("0.065", "0.1"), "0.065"),
    (("0", "0"), "0"), (("1", "1"), "0.01"), (("0.5%", "10%"), "0.005"), (("0.5", "10"), "0.005"),
    (("免税", "10"), "0"),
    (("６．５％", "10"), "0.065"),
])
def test_rates_as_people_write_them(tmp_path: Path, cells: tuple[Any, Any], fraction: str) -> None:
    source = book(tmp_path / "a.xlsx", ("税号", "品名", "最惠国税率", "单位"), ("0405100000", "黄油", cells[0], "千克"),
                  ("0406100000", "乳酪", cells[1], "千克"))
    done = bring(source, "tariff", instrument="tariff-pages")
    assert done.faults == ()
    assert Policy.load(overlays=[done.overlay]).at(SINCE).tariff("0405100000").mfn == Decimal(fraction)


@pytest.mark.parametrize(("column", "cell", "at"), [
    ("mfn", "见附表", "C3"), ("mfn", "-5", "C3"), ("vat", "12%", "D3"), ("vat", "免征", "D3"),
    ("consumption", "甲类", "E3"), ("consumption", "15%", "E3"), ("unit", "担", "F3"), ("unit", "", "F3"),
])
def test_a_cell_that_cannot_be_read(tmp_path: Path, column: str, cell: str, at: str) -> None:
    good = {"mfn": "5%", "vat": "13%", "consumption": "", "unit": "千克"}
    rows = [("税号", "品名", "最惠国税率", "增值税率", "消费税", "单位"), ("0406100000", "乳酪", *good.values()),
            ("0405100000", "黄油", *{**good, column: cell}.values())]
    done = bring(book(tmp_path / "a.xlsx", *rows), "tariff", instrument="tariff-pages")
    assert [(fault.code, fault.path) for fault in done.faults] == [
        ("CEB-LIST-006", f"a.xlsx 正面清单!{at}"), ("CEB-LIST-007", "a.xlsx")]
    assert (done.rows, done.complete) == (1, False)


def test_vat_is_read_by_the_rates_of_its_day(tmp_path: Path) -> None:
    source = book(tmp_path / "a.xlsx", ("税号", "品名", "最惠国税率", "增值税率", "单位"),
                  ("0405100000", "黄油", 10, "13%", "千克"), ("0405900000", "其他", 10, "17", "千克"))
    old = bring(source, "tariff", edition="old", instrument="tariff-pages", since=D("2016-04-08"))
    view = Policy.load(overlays=[old.overlay]).at(D("2016-04-08"))
    assert (view.tariff("0405100000").vat, view.tariff("0405900000").vat) == ("r", "s")
    new = bring(source, "tariff", edition="new", instrument="tariff-pages")
    assert [fault.code for fault in new.faults] == ["CEB-LIST-006", "CEB-LIST-007"]


# ---------------------------------------------------------------------------------- what is no list at all


def xls() -> bytes:
    return sheets.XLS_MAGIC + b"\0" * 600


def broken_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("[Content_Types].xml", "<no")
    return made.getvalue()


@pytest.mark.parametrize(("raw", "code"), [
    (b"", "CEB-LIST-002"), (b"hello\nworld\n", "CEB-LIST-002"), (xls(), "CEB-LIST-001"), (broken_zip(), "CEB-LIST-001"),
    (b"PK\x03\x04 not a zip", "CEB-LIST-001"), (b"\xff\xff\xff\x00", "CEB-LIST-001"), (b"a,b\0c", "CEB-LIST-001"),
    ("税号,备注\n04051000,无\n".encode(), "CEB-LIST-002"), ("税号,品名\n".encode(), "CEB-LIST-008"),
    ("税号,品名\nx,y\n".encode(), "CEB-LIST-004"),
])
def test_no_list_in_it(tmp_path: Path, raw: bytes, code: str) -> None:
    source = tmp_path / "x.bin"
    source.write_bytes(raw)
    assert refused(source)[0][0] == code
    assert not (tmp_path / "out").exists(), "nothing is written where nothing was read"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.xlsx") == [("CEB-LIST-001", "none.xlsx")]


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油"))
    text = tmp_path / "a.csv"
    text.write_text("税号,品名\n04051000,黄油\n", encoding="utf-8")
    for name, file in (("SHEET_BYTES_MAX", text), ("UNPACKED_BYTES_MAX", source), ("ROWS_MAX", source),
                       ("ROWS_MAX", text), ("COLUMNS_MAX", text)):
        with monkeypatch.context() as patch:
            patch.setattr(sheets, name, 1)
            assert refused(file)[0][0] == "CEB-LIST-011"
    with monkeypatch.context() as patch:
        patch.setattr(importing, "FAULTS_MAX", 2)
        text.write_text("税号,品名\n04051000,黄油\n" + "x,y\n" * 9, encoding="utf-8")
        assert len(bring(text).faults) == 2


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    source = book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油"))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert refused(source)[0][0] == "CEB-LIST-012"


def test_columns_that_are_given(tmp_path: Path) -> None:
    source = book(tmp_path / "a.xlsx", ("甲", "乙"), ("04051000", "黄油"))
    assert refused(source)[0][0] == "CEB-LIST-002"
    for given_columns in ({"hs8": "甲", "name_zh": "乙"}, {"hs8": "A", "name_zh": "b"}):
        assert bring(source, columns=given_columns).rows == 1
    assert refused(source, columns={"hs": "甲"})[0][0] == "CEB-LIST-009"
    with pytest.raises(ValueError, match="no such kind"):
        bring(source, "prices")


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    source = book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油"))
    (tmp_path / "out").write_text("a file")
    assert refused(source)[0][0] == "CEB-LIST-013"


@pytest.mark.parametrize("instrument", ["some-new-text", "财关税〔2027〕1号", "it's: {odd}", "2027"])
def test_an_instrument_that_the_tables_lack(tmp_path: Path, instrument: str) -> None:
    source = book(tmp_path / "a.xlsx", ("税号", "品名"), ("04051000", "黄油"))
    done = bring(source, instrument=instrument, edition="2027: 'new' #1", recorded_at=D("2026-11-25"))
    assert [(fault.code, fault.severity) for fault in done.faults] == [("CEB-LIST-014", "warning")]
    view = Policy.load(overlays=[done.overlay]).at(SINCE)
    assert view.row("positive_list.edition").instrument == instrument
    assert view.row("positive_list.edition").recorded_at == D("2026-11-25")
    assert view["positive_list.edition"]["edition"] == "2027: 'new' #1"


CELLS = ["", "04051000", "x", "税号", "品名", "1", "注：", "仅限", "ex", "²"]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode),
                 st.text(max_size=120).map(lambda text: ("税号,品名,备注\n04051000,黄油,\n" + text).encode()),
                 st.lists(st.lists(st.sampled_from(CELLS), max_size=5), max_size=8).map(
                     lambda rows: "\n".join(map(",".join, rows)).encode())))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("raw")
    (folder / "x").write_bytes(raw)
    for kind in importing.KINDS:
        try:
            done = bring(folder / "x", kind)
        except PolicyError as error:
            assert error.faults
        else:
            assert done.rows == len(done.written.read_text(encoding="utf-8").splitlines()) - 1


def test_words_of_every_fault() -> None:
    source = Path(importing.__file__).read_text(encoding="utf-8") + Path(sheets.__file__).read_text(encoding="utf-8")
    for code, entry in importing.catalog().items():
        assert f'"{code}"' in source, code
        for words in (entry["message"], entry["remedy"]):
            assert words["zh"], code
            assert words["en"], code


def test_names_of_columns_units_and_classes_are_known_to_the_tables() -> None:
    law = Policy.load()
    known = importing._yaml("columns.yaml")
    for kind, columns in importing.KINDS.items():
        assert known["headers"][kind].keys() <= set(columns)
        assert set(known["needed"][kind]) <= set(columns)
    classes = {name.removeprefix("consumption.") for name in law.topics if name.startswith("consumption.")}
    assert known["classes"]["words"].keys() == classes
    assert set(known["classes"]["digits"].values()) <= classes
    assert {row["kind"] for row in known["remarks"]} == set(lists.REMARK_KINDS[1:])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1_000_000, 97_999_999),
                          st.sampled_from(["黄油", "Butter", "a,b", 'q"q', "线\n二"]),
                          st.sampled_from(["", "仅限网购保税", "每人每年限 2 千克", "除外"]),
                          st.sampled_from(["", ".", "00", " "])),
                min_size=1, max_size=30, unique_by=lambda row: row[0]))
def test_any_list_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("list")
    written = []
    for number, name, remark, way in rows:
        code = f"{number:08d}"
        shown = {"": code, ".": f"{code[:4]}.{code[4:]}", "00": code + "00", " ": f"{code[:4]} {code[4:]}"}[way]
        written.append((shown, name, remark))
    done = bring(book(folder / "a.xlsx", ("税则号列", "货品名称", "备注"), *written))
    assert (done.rows, done.faults) == (len(rows), ())
    read = lists.read_list("x", done.written.read_bytes(), pytest.fail)
    assert read.keys() == {f"{number:08d}" for number, *_ in rows}
    for number, name, remark, _ in rows:
        row = read[f"{number:08d}"]
        assert (row.name, row.remark, row.remark_kind) == (" ".join(name.split()), remark, remark_of(remark).kind)
