"""The command line: every command as a person and as a program calls it, and what each wrong use gets."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import jsonschema
import pytest
import referencing
import referencing.jsonschema

from cebport import cli
from cebport.doors import notes, screen, trial, walk, words
from cebport.faults import Fault, Words
from cebport.messages import envelope
from cebport.policy import Policy
from cebport.values import BEIJING

pytestmark = pytest.mark.usefixtures("english")

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in (REPO / "docs" / "reference" / "schemas").glob("*.json")}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
PARCELS = 60
SOFTHSM = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
           "/usr/local/lib/softhsm/libsofthsm2.so")
CLEAR_KEYS = ["messages", "documents", "parcels", "released", "refused", "waiting", "cancelled", "returned", "closed",
              "receipts", "seconds", "parcels_per_second"]


def lines(out: str, schema: str) -> list[dict]:
    """The JSON lines of an answer, each held against its committed schema."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[schema], registry=REGISTRY)
    answers = [json.loads(line) for line in out.splitlines()]
    for answer in answers:
        validator.validate(answer)
    return answers


@pytest.fixture(scope="session")
def traffic(tmp_path_factory) -> Path:
    """A small morning with faults, made once by the command itself."""
    folder = tmp_path_factory.mktemp("traffic")
    asked = ["--parcels", str(PARCELS), "--faults", "0.3", "--place", "ningbo"]
    assert cli.run(["generate", *asked, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def good(tmp_path_factory) -> Path:
    """An order message without faults, of the same companies."""
    folder = tmp_path_factory.mktemp("good")
    assert cli.run(["generate", "--parcels", "12", "--place", "ningbo", "-o", str(folder)]) == 0
    return next((folder / "messages").glob("*-CEB311.xml"))


@pytest.fixture(scope="session")
def unsigned(good, tmp_path_factory) -> Path:
    """The same without its signature."""
    target = tmp_path_factory.mktemp("unsigned") / "order.xml"
    target.write_bytes(re.sub(rb"<ds:Signature.*</ds:Signature>", b"", good.read_bytes(), flags=re.DOTALL))
    return target


@pytest.fixture(scope="session")
def card(traffic) -> tuple[Path, Path]:
    """A signing key of the traffic and its certificate: the platform's, which signs orders."""
    key = sorted((traffic / "cards").glob("9*.key.pem"))[0]
    return key, key.with_name(key.name.replace(".key.pem", ".pem"))


def clear_arguments(traffic: Path, folder: Path, *more: object) -> list[object]:
    return ["clear", traffic / "messages", "--store", f"sqlite:///{folder / 'c.db'}", "--receipts", folder / "receipts",
            "--trust", traffic / "trust.yaml", "--filings", traffic / "filings.yaml", *more]


@pytest.fixture(scope="session")
def cleared(traffic, tmp_path_factory) -> Path:
    """A folder with a store in which that morning is cleared; tests only look at it."""
    folder = tmp_path_factory.mktemp("cleared")
    assert cli.run([str(a) for a in clear_arguments(traffic, folder, "--on", "2024-11-11T09:00:00")]) == 0
    return folder


@pytest.fixture
def store(cleared) -> str:
    return f"sqlite:///{cleared / 'c.db'}"


# ── the frame ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", cli.HOMES)
def test_help_says_every_option_in_both_languages(call, name, lang):
    code, out, _ = call(name, "--help", "--lang", lang)
    assert code == 0
    assert "".join(words.COMMANDS[name].at(lang).split("\n\n")[0].split()) in "".join(out.split())
    command = cli.group.get_command(None, name)
    for parameter in command.params:
        if isinstance(parameter, cli.frame.Option):
            assert parameter.opts[-1] in out
            sentence = words.option_words(name, parameter.opts[-1].lstrip("-")).at(lang)
            assert "".join(sentence.split())[:12] in "".join(out.split())
    assert all(screen.width(line) <= 100 for line in out.splitlines()[1:])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--lang", "zh"]])
def test_no_command_shows_all_commands(call, arguments):
    code, out, _ = call(*arguments)
    assert code == 0
    assert all(f"  {name} " in out for name in cli.HOMES)
    assert ("检查报文" in out) == ("zh" in arguments)


def test_version(call):
    from cebport import __version__

    assert call("--version") == (0, f"cebport {__version__}\n", "")


@pytest.mark.parametrize(("arguments", "said"), [
    (["chek"], "did you mean check?"),
    (["check"], "missing PATH"),
    (["check", "nowhere.xml"], "no such file or folder: nowhere.xml"),
    (["check", "--nope", "."], "no option --nope"),
    (["check", "--schema", "2020", "."], "2020 is none of 2022-05, 2016-08"),
    (["check", "--on", "soon", "."], "not a moment: soon"),
    (["clear", ".", "--receipts", "r"], "missing --store"),
    (["clear", ".", "--store", "x.db", "--receipts", "r"], "sqlite:///FILE"),
    (["clear", ".", "--store", "sqlite:///x.db", "--receipts", "r", "--workers", "0"], "not a number"),
    (["generate", "--parcels", "many", "-o", "x"], "not a number"),
    (["generate", "--parcels", "5", "--faults", "2", "-o", "x"], "a share from 0 to 1"),
    (["generate", "--parcels", "5", "--place", "atlantis", "-o", "x"], "no test city atlantis"),
    (["trace", "1", "--store", "sqlite:///none.db"], "no such database file: none.db"),
    (["rebuild", "--store", "sqlite:///none.db"], "no such database file"),
    (["backup", "--store", "sqlite:///none.db", "-o", "b"], "no such database file"),
])  # fmt: skip
def test_usage_errors(call, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.xml").write_text("<a/>")
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert [path.name for path in tmp_path.iterdir()] == ["some.xml"]


def test_usage_error_in_chinese(call):
    assert "用法错误：没有命令 chek；是不是 check？" in call("chek", "--lang", "zh")[2]
    assert "文件或目录不存在：nowhere" in call("check", "nowhere", "--lang=zh")[2]


def test_folder_without_messages_is_a_usage_error(call, tmp_path):
    assert call("check", tmp_path)[0] == 2


@pytest.mark.parametrize(("locale", "lang"), [
    ("zh_CN.UTF-8", "zh"), ("Chinese_China.936", "zh"), ("en_GB", "en"), ("C", "en")])  # fmt: skip
def test_language_of_the_locale(call, monkeypatch, locale, lang):
    monkeypatch.setenv("LANG", locale)
    assert words.PHRASES["about"].at(lang) in call()[1]


def test_words_fit_what_is_said():
    """Every sentence is used, and both languages name the same values."""
    code = "".join(path.read_text(encoding="utf-8") for path in (REPO / "cebport").glob("**/*.py"))
    for key, pair in words.PHRASES.items():
        fields = [sorted(re.findall(r"\{(\w+)", text)) for text in pair]
        assert fields[0] == fields[1], key
        built = key.startswith(("verdict.", "axis.")) or key in (*walk.TOTALS, "error", "warning", "info", "seconds")
        assert built or f'"{key}"' in code, f"{key} is never said"
    names, below = set(), set()
    for name in cli.HOMES:
        made = cli.group.get_command(None, name)
        inner = getattr(made, "commands", {})
        below |= {f"{name} {each}" for each in inner}
        names |= {f"{name}.{p.opts[-1].lstrip('-')}" for each in (made, *inner.values()) for p in each.params
                  if isinstance(p, cli.frame.Option)}
        names |= {f"{name} {each}.{p.opts[-1].lstrip('-')}" for each, below_it in inner.items()
                  for p in below_it.params if isinstance(p, cli.frame.Option)}
    shared = {name.split(".")[1] for name in names} | {"help", "version"}
    assert set(words.OPTIONS) <= names | shared
    assert list(words.COMMANDS) and set(words.COMMANDS) == set(cli.HOMES)
    assert set(words.SUBCOMMANDS) == below


@pytest.mark.parametrize("name", sorted({"order taken", "inventory refused", "tally stashed", "payment deleted",
                                         "waybill_state refused at the window", "matched", "closed"}))
def test_events_have_chinese_words(name):
    assert not words.event_words(name, "zh").isascii()
    assert words.event_words(name, "en") == name


def test_every_event_of_the_code_has_chinese_words():
    sources = [*(REPO / "cebport" / "clearance").glob("*.py"), REPO / "cebport" / "server" / "pipeline.py"]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    said = re.findall(r'names\.append\("([^"]+)"\)', code) + re.findall(r'name="([a-z ]+)"', code)
    assert len(said) > 10
    assert [name for name in said if name not in words.EVENTS and words.event_words(name, "zh").isascii()] == []


def test_one_fault_of_many_documents_is_told_once(call, good, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(good.read_bytes().replace(b"<ceb:currency>142<", b"<ceb:currency>USD<"))
    count = bad.read_bytes().count(b"<ceb:OrderHead>")
    code, out, _ = call("check", bad, "--level", "schema")
    assert (code, out.count("CEB-SCHEMA-009")) == (1, 2), "of the heads and of the lines"
    assert f"documents 1–{count} ({count} in all) Order[*]/OrderHead/currency" in out
    assert out.count("OrderHead/currency") == 1, "the header has the place, the sentence does not repeat it"
    (answer,) = lines(call("check", bad, "--level", "schema", "--json")[1], "check")
    assert sum(fault["code"] == "CEB-SCHEMA-009" for fault in answer["faults"]) > 2 * count - 1


def test_numbers_of_documents_are_ranges():
    assert screen.ranges([1, 2, 3, 7, 9, 10]) == "1–3, 7, 9–10"
    assert screen.ranges(range(1, 100, 2)).endswith("23, …")


def test_values_that_look_equal_behind_their_mask(capsys):
    words_of = Words("不一致", "differs")
    fault = Fault("X", "error", None, "a/b", "张*", "张*", "ours", words_of, words_of)
    screen.choose_language("zh")
    screen.fault(fault)
    assert "实际：张*   应为：张*   （已脱敏，不同处不显示）" in capsys.readouterr().out
    screen.fault(dataclasses.replace(fault, expected="李*"))
    assert "脱敏" not in capsys.readouterr().out


@pytest.mark.parametrize(("text", "path", "said"), [
    ("p.yaml:3：不认识的键 x", "p.yaml:3", "不认识的键 x"), ("p.yaml:3: unknown key x", "p.yaml:3", "unknown key x"),
    ("缺少 A[1]/B/c（币制）", "A[1]/B/c", "缺少 c（币制）"), ("商不一致（X/a ≠ Y/a）：1", "X/a ≠ Y/a", "商不一致：1"),
    ("nothing of it", "", "nothing of it"),
])  # fmt: skip
def test_a_sentence_without_the_place_that_stands_above_it(text, path, said):
    assert screen.without_path(text, path) == said


@pytest.mark.parametrize(("note", "headline", "zh"), [
    ("backup b: cut off or altered, its digest does not fit", "backup_bad", "b 不完整或被改动过，摘要不符"),
    ("store sqlite:///p.db: not empty; restore into a new one", "restore_bad",
     "目标库 sqlite:///p.db 不是空的，请恢复到新的库"),
    ("settings s.toml: Object contains unknown field `x`", "settings_bad", "s.toml：没有 x 这一项"),
    ("store p.db: database or disk is full", "", "p.db：磁盘已满（database or disk is full）"),
    ("store s.db: cases S1|E1: stored and folded differ", "restore_differs", "s.db：cases S1|E1：表里的与重放的不同"),
    ("something new", "", "something new"),
])  # fmt: skip
def test_what_the_server_says_has_chinese_words(note, headline, zh):
    screen.choose_language("zh")
    assert notes.explained(note) == (headline, zh)


def test_notes_name_the_same_values_in_both_languages():
    for pattern, headline, pair in (*notes.NOTES, *notes.USAGES, *notes.LOGGED, *notes.DIFFERENCES):
        fields = [sorted(re.findall(r"\{(\w+)\}", text)) for text in pair]
        assert fields[0] == fields[1] and set(fields[0]) <= set(re.compile(pattern).groupindex), pattern
        assert not headline or headline in words.PHRASES


@pytest.mark.parametrize(("arguments", "said"), [
    (["check"], "用法：cebport check 路径... [选项]\n用法错误：缺少 路径..."),
    (["check", "nowhere.xml"], "用法错误：文件或目录不存在：nowhere.xml"),
    (["keys", "both", "--store", "sqlite:///x.db"], "用法错误：both 不可用；可用的有 master, hash, rewrap, retire"),
    (["generate", "--parcels", "5", "--place", "bj", "-o", "x"], "用法错误：没有测试地点 bj；可用的有 "),
])  # fmt: skip
def test_usage_errors_are_chinese_throughout(call, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(*arguments, "--lang", "zh")
    assert code == 2 and said in err


def test_end_of_input_where_a_password_is_asked(call, unsigned, card, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: input(prompt))
    code, _, err = call("sign", unsigned, "--key", card[0], "--cert", card[1], "--password", "-o", tmp_path / "s.xml")
    assert code == 1 and "no password was given" in err and "stored" not in err


def test_wrapping_counts_chinese_as_two_columns():
    assert screen.wrapped("依据（甲乙）丙", 6) == ["依据", "（甲", "乙）丙"]
    assert screen.wrapped("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert screen.wrapped("三单比对一致，放行。", 8) == ["三单比对", "一致，放", "行。"]
    assert screen.wrapped("one two three", 7) == ["one two", "three"]
    assert screen.padded("三单", 6) == "三单  "
    assert screen.padded("9", 3, right=True) == "  9"


# ── check ───────────────────────────────────────────────────────────────────────────────────────────


def test_check_says_a_line_a_file(call, traffic, good):
    assert call("check", good) == (0, f"{good}  CEB311Message  valid\n", "")
    code, out, _ = call("check", "--json", traffic / "messages")
    answers = lines(out, "check")
    assert [a["file"] for a in answers] == [str(p) for p in sorted((traffic / "messages").glob("*.xml"))]
    assert code == (0 if all(a["valid"] for a in answers) else 1)
    assert {a["message"] for a in answers} == {"CEB311Message", "CEB411Message", "CEB511Message", "CEB621Message"}
    wrong = [a for a in answers if not a["valid"]]
    assert wrong, "sown faults of the fields are among them"
    assert all(any(f["severity"] == "error" for f in a["faults"]) for a in wrong)


def test_check_lists_all_faults_with_remedies(call, good, tmp_path):
    text = good.read_text(encoding="utf-8")
    text = text.replace("<ceb:currency>142<", "<ceb:currency>CNY1<", 1)
    text = text.replace("<ceb:goodsValue>", "<ceb:goodsValue>x", 1)
    bad = tmp_path / "bad.xml"
    bad.write_text(text, encoding="utf-8")
    code, out, _ = call("check", bad, "--lang", "zh")
    assert code == 1
    assert out.startswith(f"{bad}  CEB311Message  不通过\n")
    assert "OrderHead/currency" in out and "OrderHead/goodsValue" in out
    assert all(word in out for word in ("差错 CEB-SCHEMA-", "实际：", "应为：", "依据：", "改法："))
    assert "\x1b" not in out, "colours only on a terminal"
    (answer,) = lines(call("check", bad, "--json")[1], "check")
    assert len(answer["faults"]) >= 2


def test_check_rules_look_at_the_documents_that_fit_the_schema(call, good, tmp_path):
    text = good.read_text(encoding="utf-8").replace("<ceb:currency>142<", "<ceb:currency>CNY1<", 1)
    head, second = text.rsplit("<ceb:OrderHead>", 1)
    last = text.count("<ceb:OrderHead>")
    bad = tmp_path / "bad.xml"
    bad.write_text(f"{head}<ceb:OrderHead>{second.replace('<ceb:orderType>I<', '<ceb:orderType>E<')}", encoding="utf-8")
    code, out, _ = call("check", bad, "--json")
    (answer,) = lines(out, "check")
    told = [(fault["code"], fault["document"]) for fault in answer["faults"]]
    assert code == 1 and told == [("CEB-SCHEMA-009", 1), ("CEB-RULE-040", last), ("CEB-SCHEMA-097", None)]
    assert answer["faults"][1]["path"] == f"Order[{last}]/OrderHead/orderType"
    assert "字段规则尚未检查" in call("check", bad, "--lang", "zh")[1]
    assert "CEB-SCHEMA-097" not in call("check", bad, "--level", "schema")[1]


def test_check_level_and_schema(call, traffic, unsigned, tmp_path):
    broken = tmp_path / "sum.xml"
    text = unsigned.read_text(encoding="utf-8")
    broken.write_text(re.sub(r"<ceb:acturalPaid>[^<]*<", "<ceb:acturalPaid>0.01<", text, count=1), encoding="utf-8")
    assert call("check", broken)[0] == 1
    assert call("check", "--level", "schema", broken)[0] == 0
    assert call("check", "--schema", "2016-08", unsigned)[0] in (0, 1)


@pytest.mark.parametrize(("raw", "code"), [
    (b"", "CEB-XML-001"), (b"<a", "CEB-XML-00"), (b"\x89PNG", "CEB-XML-00"), (b"<a/>", "CEB-XML-02"),
    (b"<!DOCTYPE a []><a/>", "CEB-XML-004"),
])  # fmt: skip
def test_what_is_no_message_is_a_line_too(call, tmp_path, raw, code):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(raw)
    result, out, _ = call("check", "--json", bad)
    (answer,) = lines(out, "check")
    assert (result, answer["message"], answer["valid"]) == (1, None, False)
    assert answer["faults"][0]["code"].startswith(code)


@pytest.mark.parametrize("start", [b"<CEB311Message>", b"<DxpMsg>"])
@pytest.mark.parametrize("command", ["check", "verify", "unwrap"])
def test_a_giant_file_is_refused_in_little_memory(tmp_path, start, command):
    giant = tmp_path / "giant.xml"
    with giant.open("wb") as out:
        out.write(start)
        out.truncate(400 << 20)
    code = (f"from cebport import cli; import re; code = cli.run([{command!r}, '--json', {str(giant)!r}]);"
            "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read());"  # ru_maxrss is the parent's too
            "print(code, int(peak[1]) // 1024)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer, said = done.stdout.splitlines()
    result, mebibytes = map(int, said.split())
    (answer,) = lines(answer, command)
    assert mebibytes < 250
    assert result == 1 and answer["faults"]


def test_check_profiles(call, good):
    assert call("check", "--profile", "sandbox", good)[0] == 0
    code, _, err = call("check", "--profile", "nobody", good)
    assert code == 2
    assert "national, sandbox" in err


def test_national_practice_weighs_rules_as_their_catalog_does():
    """``check`` leaves the law closed for the national profile: this is why it may."""
    practice = Policy.load().at(date(2026, 11, 24), profile="national").practice
    assert [name for name in practice if name.startswith("RULE-")] == []
    from cebport.messages.rules import TOLERANCES

    assert set(TOLERANCES).isdisjoint(practice)


# ── verify, sign, doctor ────────────────────────────────────────────────────────────────────────────


def test_verify(call, traffic, good, unsigned):
    code, out, _ = call("verify", "--trust", traffic / "trust.yaml", good)
    assert code == 0
    assert f"{good}  strict" in out
    code, out, _ = call("verify", "--json", good, unsigned)
    first, second = lines(out, "verify")
    assert code == 1
    assert list(first) == ["file", "verdict", "strict", "repairs", "algorithm", "key_name", "subject", "faults"]
    assert (first["verdict"], first["strict"], second["verdict"]) == ("strict", True, "unsigned")


def test_verify_tells_who_is_not_trusted(call, traffic, good):
    other = sorted((traffic / "cards").glob("3*[0-9A-Z].pem"))[0]
    code, out, _ = call("verify", "--trust", other, good, "--json")
    assert (code, lines(out, "verify")[0]["verdict"]) == (1, "untrusted")
    code, out, _ = call("verify", "--trust", traffic / "trust.yaml", "--on", "2150-01-01", good, "--json")
    assert (code, lines(out, "verify")[0]["verdict"]) == (1, "untrusted"), "the entry has ended"
    assert lines(call("verify", "--on", "2150-01-01", good, "--json")[1], "verify")[0]["verdict"] == "expired"


def test_verify_of_rubbish_is_refused(call, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(b"<DxpMsg>")
    assert lines(call("verify", "--json", bad)[1], "verify")[0]["verdict"] == "refused"


def test_wrong_trust_file_is_bad_input(call, good, tmp_path):
    trust = tmp_path / "trust.yaml"
    trust.write_text("- certificate: nowhere.pem\n  declarants: any\n")
    code, out, err = call("verify", "--trust", trust, good)
    assert (code, out) == (1, "")
    assert "nowhere.pem" in err and "remedy" in err


def test_sign_and_verify(call, traffic, unsigned, card, tmp_path):
    key, certificate = card
    code, out, err = call("sign", unsigned, "--key", key, "--cert", certificate, "-o", tmp_path / "s.xml")
    assert (code, out) == (0, "") and "signed" in err
    assert call("verify", "--trust", traffic / "trust.yaml", tmp_path / "s.xml")[0] == 0
    code, out, _ = call("sign", unsigned, "--key", key, "--cert", certificate)
    assert (code, out.encode()) == (0, (tmp_path / "s.xml").read_bytes()), "without -o the message is the answer"
    code, out, _ = call("sign", "--json", tmp_path / "s.xml", "--key", key, "--cert", certificate,
                        "-o", tmp_path / "t.xml")
    (answer,) = lines(out, "sign")
    assert (code, answer["out"], answer["faults"][0]["code"]) == (1, None, "CEB-SIGN-061"), "it is signed already"
    assert not (tmp_path / "t.xml").exists()


def test_sign_many_into_a_folder(call, unsigned, card, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.xml", "b.xml"):
        shutil.copy(unsigned, source / name)
    key, certificate = card
    assert call("sign", source, "--key", key, "--cert", certificate)[0] == 2, "two messages need a folder"
    code, out, _ = call("sign", source, "--key", key, "--cert", certificate, "-o", tmp_path / "out", "--json")
    assert code == 0
    assert [Path(a["out"]).name for a in lines(out, "sign")] == ["a.xml", "b.xml"]
    assert call("verify", tmp_path / "out")[0] == 0


def test_sign_with_pkcs12_and_password(call, unsigned, card, tmp_path, monkeypatch):
    key, certificate = card
    box = tmp_path / "card.p12"
    make = ["openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", box, "-passout", "pass:s3"]
    subprocess.run(make, check=True, capture_output=True)
    monkeypatch.setenv("CEBPORT_PASSWORD", "s3")
    assert call("sign", unsigned, "--pkcs12", box, "-o", tmp_path / "s.xml")[0] == 0
    assert call("verify", tmp_path / "s.xml")[0] == 0
    monkeypatch.setenv("CEBPORT_PASSWORD", "wrong")
    said = "wrong password, or none given (CEBPORT_PASSWORD)"
    code, _, err = call("sign", unsigned, "--pkcs12", box, "-o", tmp_path / "t.xml")
    assert code == 1 and "Wrong key, certificate or trust file" in err and said in err
    assert not (tmp_path / "t.xml").exists()
    sealed = tmp_path / "sealed.pem"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", sealed, "-passout", "pass:s3"],
                   check=True, capture_output=True)
    assert said in call("sign", unsigned, "--key", sealed, "--cert", certificate, "-o", tmp_path / "t.xml")[2]
    assert call("sign", unsigned, "--key", key, "--cert", certificate, "-o", tmp_path / "u.xml")[0] == 0, "it has none"
    monkeypatch.delenv("CEBPORT_PASSWORD")
    code, _, err = call("sign", unsigned, "--pkcs12", box, "-o", tmp_path / "t.xml")
    assert code == 1 and said in err, "no terminal to ask on"
    assert "口令不对" in call("sign", unsigned, "--key", sealed, "--cert", certificate, "--lang", "zh")[2]
    assert "give --cert" in call("sign", unsigned, "--key", key)[2]


def test_sign_needs_one_key_that_fits(call, unsigned, card, traffic):
    key, certificate = card
    assert call("sign", unsigned)[0] == 2
    assert call("sign", unsigned, "--key", key, "--pkcs12", key)[0] == 2
    assert call("sign", unsigned, "--pkcs11", key)[0] == 2, "which token?"
    other = next(path for path in sorted((traffic / "cards").glob("*[0-9A-Z].pem")) if path != certificate)
    assert call("sign", unsigned, "--key", key, "--cert", other)[0] == 1
    assert call("sign", unsigned, "--key", certificate, "--cert", certificate)[0] == 1


def test_sign_with_a_card(unsigned, traffic, tmp_path):
    """PKCS#11, with SoftHSM as the card: a process of its own, for the module reads its settings once."""
    module = next((path for path in SOFTHSM if Path(path).exists()), None)
    assert module, "SoftHSM is missing: apt-get install softhsm2"
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf"), "CEBPORT_PIN": "1234"}
    certificate = next(path for path in sorted((traffic / "cards").glob("*[0-9A-Z].pem"))
                       if _algorithm(path) == b"rsa")
    key = certificate.with_name(certificate.name.replace(".pem", ".key.pem"))
    token = ["softhsm2-util", "--token", "T", "--pin", "1234"]
    for arguments in (["--init-token", "--free", "--label", "T", "--so-pin", "1234"],
                      ["--import", key, "--label", "card", "--id", "a1"]):
        subprocess.run([*token, *arguments], check=True, capture_output=True, env=environment)
    sign = [sys.executable, "-m", "cebport", "sign", unsigned, "--pkcs11", module, "--token", "T", "--label", "card",
            "--cert", certificate, "-o", tmp_path / "s.xml"]
    done = subprocess.run(sign, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cli.run(["verify", str(tmp_path / "s.xml"), "--trust", str(certificate)]) == 0
    done = subprocess.run(sign, env={**environment, "CEBPORT_PIN": "4321"}, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def _algorithm(path: Path) -> bytes:
    shown = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-text"], check=True, capture_output=True).stdout
    return b"rsa" if b"rsaEncryption" in shown else b"sm2"


def test_doctor_names_the_cause(call, unsigned, card, good, tmp_path):
    key, certificate = card
    signed = tmp_path / "s.xml"
    assert call("sign", unsigned, "--key", key, "--cert", certificate, "-o", signed)[0] == 0
    assert call("doctor", signed)[0] == 0
    broken = tmp_path / "broken.xml"
    broken.write_bytes(signed.read_bytes().replace(b"<ds:Signature ", b"\n<ds:Signature ", 1))
    code, out, _ = call("doctor", broken, "--lang", "zh")
    assert code == 1 and "原因与改法" in out and "差在哪些字节" in out
    (answer,) = lines(call("doctor", broken, "--json")[1], "doctor")
    assert answer["verdict"] == "repaired" and answer["repairs"] == ["beside_signature"]
    changed = tmp_path / "changed.xml"
    changed.write_bytes(signed.read_bytes().replace(b"<ceb:orderNo>S", b"<ceb:orderNo>T", 1))
    (answer,) = lines(call("doctor", changed, "--reference", signed, "--json")[1], "doctor")
    assert answer["differences"][0]["ours"]["after"][:1] == "T"
    assert answer["differences"][0]["theirs"]["after"][:1] == "S"


# ── wrap, unwrap ────────────────────────────────────────────────────────────────────────────────────


def test_wrap_and_unwrap(call, good, tmp_path):
    code, out, _ = call("wrap", good, "-o", tmp_path / "w.xml", "--on", "2026-11-24T09:00:00", "--json")
    (answer,) = lines(out, "wrap")
    assert (code, answer["receivers"], answer["message"]) == (0, ["DXPEDCCEB0000002"], "CEB311Message")
    assert answer["sender"].startswith("DXP")
    assert call("check", tmp_path / "w.xml")[0] == 0
    assert call("verify", tmp_path / "w.xml")[0] == 0
    code, out, _ = call("unwrap", tmp_path / "w.xml", "-o", tmp_path / "u.xml", "--json")
    (opened,) = lines(out, "unwrap")
    assert (code, opened["kind"], opened["out"]) == (0, "DxpMsg", str(tmp_path / "u.xml"))
    assert (tmp_path / "u.xml").read_bytes() == good.read_bytes()
    assert call("unwrap", tmp_path / "w.xml")[1].encode() == good.read_bytes()


def test_wrap_wants_a_sender_that_fits(call, good, tmp_path):
    code, out, _ = call("wrap", good, "--sender", "DXP" + "1" * 20, "-o", tmp_path / "w.xml", "--json")
    assert code == 1 and lines(out, "wrap")[0]["out"] is None
    bare = tmp_path / "bare.xml"
    bare.write_bytes(re.sub(rb"<ceb:dxpId>[^<]*<", b"<ceb:dxpId><", good.read_bytes()))
    code, _, err = call("wrap", bare)
    assert code == 2 and "--sender" in err


def test_unwrap_says_what_is_wrong(call, good, tmp_path):
    call("wrap", good, "-o", tmp_path / "w.xml")
    wrong = tmp_path / "wrong.xml"
    wrong.write_bytes((tmp_path / "w.xml").read_bytes().replace(b"<ReceiverIds>", b"<Receivers>").replace(
        b"</ReceiverIds>", b"</Receivers>"))
    code, out, _ = call("unwrap", wrong, "--json")
    assert code == 1 and lines(out, "unwrap")[0]["faults"]
    code, out, err = call("unwrap", wrong, "-o", tmp_path / "u.xml", "--lang", "zh")
    assert code == 1 and "改法" in err
    wrong.write_bytes(b"<DxpMsg><Data>***")
    code, out, _ = call("unwrap", wrong, "--json")
    assert (code, lines(out, "unwrap")[0]["kind"]) == (1, "")


def test_unwrap_passes_a_bare_message_on_and_nothing_else(call, good, tmp_path):
    code, out, err = call("unwrap", good)
    assert (code, out.encode()) == (0, good.read_bytes()) and "no envelope" in err
    (answer,) = lines(call("unwrap", good, "--json")[1], "unwrap")
    assert (answer["kind"], answer["message"]) == ("bare", "CEB311Message")
    for raw, wanted in ((b"hello", "CEB-XML-003"), (b"", "CEB-XML-001"), (b"<a/>", "CEB-XML-020")):
        bad = tmp_path / "bad.xml"
        bad.write_bytes(raw)
        code, out, err = call("unwrap", bad)
        assert (code, out) == (1, "") and wanted in err
        (answer,) = lines(call("unwrap", bad, "--json", "-o", tmp_path / "u.xml")[1], "unwrap")
        assert answer["kind"] == "" and answer["faults"][0]["code"] == wanted and not (tmp_path / "u.xml").exists()


def test_unwrap_reads_the_answer_of_the_exchange(call, good, tmp_path):
    call("wrap", good, "-o", tmp_path / "w.xml")
    opened = envelope.unwrap((tmp_path / "w.xml").read_bytes())
    answer = tmp_path / "rep.xml"
    answer.write_bytes(envelope.answer(opened, "0000", receiver=opened.sender, notice_day=date(2026, 11, 24)))
    code, out, _ = call("unwrap", answer, "--json")
    (said,) = lines(out, "unwrap")
    assert (code, said["kind"], said["answers"][0]["code"]) == (0, "DxpRep", "0000")
    assert said["answers"][0]["cop_msg_id"] == opened.cop_msg_id
    assert "0000" in call("unwrap", answer, "--lang", "zh")[2]


# ── generate, clear ─────────────────────────────────────────────────────────────────────────────────


def test_generate_is_deterministic(call, tmp_path):
    arguments = ["generate", "--parcels", "12", "--seed", "9", "--faults", "0.2", "--place", "2991", "--mode", "1210",
                 "--algorithm", "rsa", "--json"]
    code, out, _ = call(*arguments, "-o", tmp_path / "a")
    (summary,) = lines(out, "generate")
    assert (code, summary["parcels"], sum(summary["expected"].values())) == (0, 12, 12)
    assert call(*arguments, "-o", tmp_path / "b")[0] == 0
    first, second = ({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
                     for folder in (tmp_path / "a", tmp_path / "b"))
    assert first == second
    assert {"trust.yaml", "filings.yaml"} <= {str(path) for path in first}
    assert call("generate", "--parcels", "12", "--seed", "10", "--mode", "9610", "-o", tmp_path / "c")[0] == 0


def test_clear_prints_exactly_the_agreed_line(call, traffic, tmp_path):
    expected = json.loads((traffic / "expected.json").read_text(encoding="utf-8"))
    on = ["--on", "2024-11-11T09:00:00", "--json"]
    code, out, err = call(*clear_arguments(traffic, tmp_path, *on))
    (totals,) = lines(out, "clear")
    assert (code, err, list(totals)) == (0, "", CLEAR_KEYS)
    assert totals["parcels"] == PARCELS == sum(totals[state] for state in walk.STATES)
    assert {state: totals[state] for state in expected["states"]} == expected["states"]
    written = sum(1 for _ in (tmp_path / "receipts").rglob("*.xml"))
    assert written and totals["receipts"] >= written
    again = lines(call(*clear_arguments(traffic, tmp_path, *on))[1], "clear")[0]
    assert {key: again[key] for key in CLEAR_KEYS[:-2]} == {key: totals[key] for key in CLEAR_KEYS[:-2]}
    assert again["parcels_per_second"] == 0


def test_clear_refuses_the_law_of_another_day(call, traffic, tmp_path):
    (tmp_path / "then.yaml").write_text("law_of: 2016-04-07\n", encoding="utf-8")
    code, out, err = call(*clear_arguments(traffic, tmp_path, "--overlay", tmp_path / "then.yaml", "--json"))
    assert (code, out) == (1, "") and "CEB-LAW-021" in err and "whatif" in err


def test_clear_with_workers_takes_files_and_envelopes(call, traffic, tmp_path, cleared):
    wrapped = tmp_path / "in"
    assert call("wrap", traffic / "messages", "-o", wrapped)[0] in (0, 1)
    code, out, _ = call("clear", *sorted(wrapped.glob("*.xml")), "--store", f"sqlite:///{tmp_path / 'c.db'}",
                        "--receipts", tmp_path / "r", "--trust", traffic / "trust.yaml",
                        "--filings", traffic / "filings.yaml", "--workers", "2", "--json")
    assert code == 0
    assert lines(out, "clear")[0]["parcels"] > PARCELS // 2
    receipt = next((tmp_path / "r").rglob("CEB622*.xml"))
    assert b"DxpMsg" in receipt.read_bytes()[:200], "who sends in envelopes is answered in envelopes"


def test_clear_for_people(call, traffic, tmp_path):
    code, out, _ = call(*clear_arguments(traffic, tmp_path, "--lang", "zh"))
    assert code == 0
    assert re.search(r"^包裹 +60$", out, re.MULTILINE) and "退单" in out and "回执在" in out
    assert "没有新的包裹" in call(*clear_arguments(traffic, tmp_path, "--lang", "zh"))[1]


def test_clear_by_a_settings_file(call, traffic, tmp_path):
    file = tmp_path / "window.toml"
    file.write_text(
        f'store = "sqlite:///w.db"\nreceipts = "out"\nprofile = "sandbox"\ntrust = ["{traffic}/trust.yaml"]\n')
    code, out, _ = call("clear", traffic / "messages", "--settings", file, "--json")
    assert code == 0 and lines(out, "clear")[0]["parcels"] == PARCELS, "the sandbox files enterprises by itself"
    assert (tmp_path / "w.db").exists() and (tmp_path / "out").is_dir()
    file.write_text('stores = "x"\n')
    code, _, err = call("clear", traffic / "messages", "--settings", file)
    assert code == 1 and "window.toml" in err


def test_clear_with_an_overlay(call, traffic, tmp_path):
    """A lower limit of a year refuses more; the table errors of an overlay say their place once."""
    overlay = tmp_path / "proposal.yaml"
    overlay.write_text("recorded_at: 2026-12-20\nrows:\n  tax.limit_year_cny:\n"
                       "  - {value: '1', since: 2024-01-01, instrument: caiguanshui-2018-49, confidence: K}\n")
    on = ["--on", "2024-11-11T09:00:00", "--json"]
    plain = lines(call(*clear_arguments(traffic, tmp_path, *on))[1], "clear")[0]
    (tmp_path / "laid").mkdir()
    laid = lines(call(*clear_arguments(traffic, tmp_path / "laid", "--overlay", overlay, *on))[1], "clear")[0]
    assert laid["refused"] > plain["refused"]
    overlay.write_text("tax.limit_year_cny: []\n")
    code, _, err = call(*clear_arguments(traffic, tmp_path, "--overlay", overlay))
    assert code == 1 and err.count("proposal.yaml:1") == 1 and "Traceback" not in err


def test_clear_with_the_profile_of_each_place(call, traffic, tmp_path):
    code, out, _ = call(*clear_arguments(traffic, tmp_path, "--profile", "place", "--json"))
    assert code == 0 and lines(out, "clear")[0]["parcels"] == PARCELS


def test_clear_refuses_what_it_cannot_run_with(call, traffic, tmp_path):
    def tried(*more: object) -> int:
        return call(*clear_arguments(traffic, tmp_path, *more))[0]

    assert tried("--profile", "nobody") == 2
    junk = tmp_path / "junk.yaml"
    junk.write_text("enterprises: [{name: no code}]\n")
    assert tried("--filings", junk) == 1
    assert tried("--keys", junk) == 1
    (tmp_path / "file").write_text("not a folder")
    assert tried("--receipts", tmp_path / "file") == 2
    assert not (tmp_path / "receipts").exists()


def test_a_store_that_does_not_answer_is_3(call, traffic, tmp_path):
    (tmp_path / "file").write_text("")
    nowhere = ["--receipts", tmp_path / "r", "--trust", traffic / "trust.yaml"]
    assert call("clear", traffic / "messages", "--store", f"sqlite:///{tmp_path}/file/c.db", *nowhere)[0] == 3
    code, _, err = call("clear", traffic / "messages", "--store", "postgresql://nobody@127.0.0.1:1/none", *nowhere,
                        "--keys", tmp_path / "k")
    assert code == 3 and "does not answer" in err


# ── trace, rebuild, backup, keys ────────────────────────────────────────────────────────────────────


def numbers_of(store: str, state: str) -> dict[str, str]:
    """Order, waybill, inventory and copNo of a parcel in that state."""
    from cebport.server.summary import example

    with walk.opened(store, None) as held:
        case = example(held, state)
    part = case.inventory
    return {"order": case.orderNo, "waybill": part.logisticsNo, "invtNo": part.invtNo, "copNo": part.copNo}


@pytest.mark.parametrize("kind", ["order", "waybill", "invtNo", "copNo"])
def test_trace_finds_a_parcel_by_each_number(call, store, kind):
    numbers = numbers_of(store, "closed")
    code, out, _ = call("trace", "--store", store, numbers[kind], "--json")
    story = next(s for s in lines(out, "trace") if s["orderNo"] == numbers["order"])
    assert (code, story["state"]) == (0, "closed")
    assert {d["type"] for d in story["documents"]} == {"CEB311", "CEB411", "CEB511", "CEB621"}
    assert {r["type"] for r in story["receipts"]} >= {"CEB312", "CEB412", "CEB512", "CEB622", "CEB816"}
    assert story["tax"]["lines"]


def test_trace_explains_a_refusal_to_people(call, store):
    number = numbers_of(store, "refused")["order"]
    story = lines(call("trace", "--store", store, number, "--json")[1], "trace")[0]
    why = [f for d in story["decisions"] for f in d["why"] if f["severity"] == "error"]
    assert why and all(f["found"] and f["expected"] and f["source"] and f["remedy"]["zh"] for f in why)
    for lang in ("zh", "en"):
        code, out, _ = call("trace", "--store", store, number, "--lang", lang)
        assert code == 0
        assert why[0]["code"] in out and why[0]["remedy"][lang] in out
        assert screen.without_path(why[0]["message"][lang], why[0]["path"]) in out


@pytest.mark.parametrize(("lang", "said"), [("zh", "规则：全国 2024-11-11"), ("en", "law: CN 2024-11-11")])
def test_trace_names_the_law_and_every_receipt(call, store, lang, said):
    out = call("trace", "--store", store, numbers_of(store, "closed")["order"], "--lang", lang)[1]
    assert said in out
    assert re.search(rf"CEB816 .*{words.PHRASES['tax_bill'].at(lang)}", out)


def test_trace_says_what_a_parcel_waits_for(call, store):
    number = numbers_of_waiting(store)
    assert "在等：" in call("trace", "--store", store, number, "--lang", "zh")[1]
    assert lines(call("trace", "--store", store, number, "--json")[1], "trace")[0]["waiting_for"]


def numbers_of_waiting(store: str) -> str:
    from cebport.server.summary import example

    with walk.opened(store, None) as held:
        return example(held, "waiting").orderNo


def test_trace_of_nothing_is_a_no(call, store):
    assert call("trace", "--store", store, "nothing")[0] == 1


def test_rebuild_finds_no_difference_until_there_is_one(call, cleared, store, tmp_path):
    code, out, _ = call("rebuild", "--store", store, "--check", "--json")
    assert (code, lines(out, "rebuild")[0]["equal"]) == (0, True)
    shutil.copy(cleared / "c.db", tmp_path / "t.db")
    shutil.copy(cleared / "c.db.keys", tmp_path / "t.db.keys")
    with sqlite3.connect(tmp_path / "t.db") as base:
        base.execute("DELETE FROM keys WHERE key = (SELECT key FROM keys LIMIT 1)")
    base.close()
    code, out, _ = call("rebuild", "--store", f"sqlite:///{tmp_path / 't.db'}", "--check")
    assert code == 1 and "1 differences" in out


def test_backup_and_restore(call, cleared, store, tmp_path):
    code, out, _ = call("backup", "--store", store, "-o", tmp_path / "b", "--json")
    (answer,) = lines(out, "backup")
    assert code == 0 and answer["rows"]["cases"] >= PARCELS - 10
    target = f"sqlite:///{tmp_path / 'r.db'}"
    code, out, _ = call("restore", tmp_path / "b", "--store", target, "--verify", "--keys", cleared / "c.db.keys",
                        "--json")
    assert (code, lines(out, "restore")[0]["verified"]) == (0, True)
    assert call("restore", tmp_path / "b", "--store", target)[0] == 1, "it is not empty any more"
    (tmp_path / "cut").write_bytes((tmp_path / "b").read_bytes()[:-40])
    code, _, err = call("restore", tmp_path / "cut", "--store", f"sqlite:///{tmp_path / 'n.db'}")
    assert code == 1 and "cut" in err


@pytest.fixture
def own_store(cleared, tmp_path) -> str:
    """A copy of the cleared store that a test may change."""
    shutil.copy(cleared / "c.db", tmp_path / "k.db")
    shutil.copy(cleared / "c.db.keys", tmp_path / "k.db.keys")
    return f"sqlite:///{tmp_path / 'k.db'}"


def test_keys_rotate_and_retire(call, own_store, tmp_path):
    file = tmp_path / "k.db.keys"
    code, out, _ = call("keys", "master", "--store", own_store, "--json")
    (answer,) = lines(out, "keys")
    assert code == 0 and answer["ids"] == [json.loads(file.read_text())["master"][0]["id"]]
    assert call("keys", "hash", "--store", own_store)[0] == 0
    number = numbers_of(own_store, "closed")["order"]
    assert call("trace", "--store", own_store, number)[0] == 0, "older keys still read"
    code, out, _ = call("keys", "rewrap", "--store", own_store, "--json")
    assert code == 0 and lines(out, "keys")[0]["rows"] > 0 and len(json.loads(file.read_text())["master"]) == 2
    code, out, _ = call("keys", "retire", "--store", own_store, "--json")
    (answer,) = lines(out, "keys")
    assert (code, answer["rows"], answer["ids"]) == (0, 0, ["m1"]) and len(json.loads(file.read_text())["master"]) == 1
    assert call("open", "1", "--store", own_store, "--who", "a", "--reason", "b", "-o", tmp_path / "one.xml")[0] == 0
    assert call("rebuild", "--store", own_store)[0] == 0


def test_open_records_who_and_why_and_shred_leaves_masks(call, own_store, tmp_path, monkeypatch):
    def opened(number: int) -> str:
        code, out, _ = call("open", number, "--store", own_store, "--who", "Wang", "--reason", "dispute 7")
        assert code == 0
        return out

    first = opened(1)
    identity = re.search(r"<ceb:buyerIdNumber>([^<]+)<", first)[1]
    with sqlite3.connect(tmp_path / "k.db") as base:
        assert base.execute("SELECT who, reason FROM access").fetchall() == [("Wang", "dispute 7")]
    assert call("open", 99999, "--store", own_store, "--who", "a", "--reason", "b")[0] == 1
    assert call("open", 1, "--store", own_store, "--who", " ", "--reason", "b")[0] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(identity + "\n"))
    code, out, _ = call("shred", "--store", own_store, "--who", "Wang", "--reason", "asked for", "--json")
    (answer,) = lines(out, "shred")
    assert code == 0 and answer["documents"] >= 3
    assert identity in first and identity not in opened(1)
    monkeypatch.setattr("sys.stdin", io.StringIO(identity + "\n"))
    assert call("shred", "--store", own_store, "--who", "Wang", "--reason", "again")[0] == 1, "nothing is left of it"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call("shred", "--store", own_store, "--who", "Wang", "--reason", "x")[0] == 2
    assert call("rebuild", "--store", own_store)[0] == 0


# ── bench, demo ─────────────────────────────────────────────────────────────────────────────────────


def test_bench(call):
    code, out, _ = call("bench", "--parcels", "30", "--algorithm", "sm2", "--json")
    (answer,) = lines(out, "bench")
    assert (code, answer["parcels"], answer["store"]) == (0, 30, "sqlite")
    assert 0 < answer["cpu_us_per_parcel"] < 1e6 and answer["peak_memory_mib"] > 10


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_demo(call, tmp_path, lang):
    folder = tmp_path / "demo"
    code, out, err = call("demo", "--parcels", "100", "--dir", folder, "--workers", "1", "--lang", lang)
    assert (code, err) == (0, "")
    for key in ("demo_cities", "demo_reasons", "parcels", "tax"):
        assert words.PHRASES[key].at(lang) in out
    assert len(re.findall("宁波|Ningbo", out)) >= 1
    assert any((folder / "receipts").rglob("CEB622*.xml"))
    for line in out.splitlines():
        if line.startswith("  cebport "):
            arguments = line.split()[1:]
            assert call(*arguments)[0] == 0, line
    assert call("demo", "--parcels", "100", "--dir", folder)[0] == 2, "an earlier demonstration is not overwritten"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, _, err = call("demo", "--dir", tmp_path / "mine", "--again")
    assert code == 2 and "left alone" in err and "--again" not in err, "nor is anybody's folder removed"


def test_defaults_lie_in_the_past():
    """Traffic dated after the clock would be refused."""
    for name in ("generate", "demo"):
        assert trial.default_moment(name) < datetime(2025, 1, 1, tzinfo=BEIJING)


# ── what it costs to start, and what it writes on any system ────────────────────────────────────────


def cpu_ms(limit: float, *arguments: str) -> float:
    """The least CPU of a process among several, until it is below the limit: other work only ever adds to it."""
    best = 1e9
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
        if best < limit:
            break
    return best


def test_import_and_check_start_quickly(good):
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(REPO / "cebport")], check=True)
    assert cpu_ms(100, "-c", "import cebport") < 100
    assert cpu_ms(250, "-m", "cebport", "check", str(good)) < 250


@pytest.mark.parametrize(("code", "heavy"), [
    ("import cebport", ("lxml", "msgspec", "click", "rich", "yaml", "cryptography", "cebport.messages")),
    ("from cebport import cli; cli.run(['check', {good!r}])",
     ("rich", "yaml", "cryptography", "zstandard", "alembic", "sqlalchemy", "cebport.server", "cebport.policy")),
])  # fmt: skip
def test_nothing_heavy_is_imported(code, heavy, good):
    code = code.format(good=str(good)) + f"; import sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_output_is_utf8_whatever_the_locale(good, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(b"<a/>")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "cebport", "check", bad, "--lang", "zh"], env=environment,
                          capture_output=True, check=False)
    assert done.returncode == 1
    assert "不通过" in done.stdout.decode("utf-8")


def test_a_closed_pipe_is_no_error(traffic):
    command = f"{sys.executable} -m cebport check --json {traffic}/messages | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "1", "141")
