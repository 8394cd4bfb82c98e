"""The documents: every code block of the ways in runs, every link leads somewhere, nothing is left out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cebport import cli
from cebport.doors import words

REPO = Path(__file__).resolve().parents[1]
WAYS_IN = ["README.md", "README.zh-CN.md", "docs/start.md", "docs/start.zh-CN.md"]
PAGES = sorted(path for path in [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "bench").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHINESE = re.compile(r"[一-鿿]")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of every block of a page that names one."""
    return BLOCK.findall((REPO / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", WAYS_IN)
def test_every_block_runs(page, tmp_path, postgres):
    """One after the other in one folder, as a reader would; bash stops at the first command that fails."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "POSTGRESQL": postgres.fresh(),
                   "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    ran = []
    for language, text in blocks(page):
        assert language in ("bash", "python"), f"{page}: a block in {language} is not run"
        command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        answered_no = done.returncode == 1 and language == "bash" and text.lstrip().startswith("cebport")
        assert done.returncode == 0 or (answered_no and "verify" in text), f"{text}\n{done.stdout}\n{done.stderr}"
        ran.append(done.stdout)
    assert len(ran) >= 3
    assert all(out.strip() for out in ran), "every example shows something"


def test_both_readmes_show_the_same():
    """The same commands in the same order; comments and the language of a message apart."""
    def plain(page: str) -> list[str]:
        texts = [re.sub(r"\s+#.*", "", text) for _, text in blocks(page)]
        return [re.sub(r"message\.(zh|en)|remedy\.(zh|en)", "words", text) for text in texts]

    assert plain("README.md") == plain("README.zh-CN.md")
    assert len(CHINESE.findall((REPO / "README.zh-CN.md").read_text(encoding="utf-8"))) > 600


def test_both_starts_show_the_same():
    """Comments and what is echoed apart."""
    def plain(page: str) -> list[str]:
        return [re.sub(r'echo "[^"]*"', "echo", text) for _, text in blocks(page)]

    assert plain("docs/start.md") == plain("docs/start.zh-CN.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_commands_in_pages_exist(page):
    """What a page types is a command with options that it has."""
    typed = re.findall(r"^ *```\w*\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    text = "\n".join(typed).replace("\\\n", " ")
    for name, rest in re.findall(r"^\s*(?:CEBPORT_\w+=\S+ )?cebport ([a-z]+)(.*)$", text, re.MULTILINE):
        assert name in cli.HOMES, f"{page.name}: cebport {name}"
        made = cli.group.get_command(None, name)
        if hasattr(made, "commands") and not rest.strip().startswith(("COMMAND", "-")) and rest.strip():
            below = rest.split()[0]
            assert below in made.commands, f"{page.name}: cebport {name} {below}"
            made = made.commands[below]
        known = {option for parameter in made.params for option in parameter.opts}
        for option in re.findall(r"(?<=\s)(--?[a-z][a-z0-9-]*)", rest.split("#")[0].split("<<")[0].split("||")[0]):
            assert option in known | {"--help"}, f"{page.name}: cebport {name} {option}"


def test_every_page_can_be_found():
    """From the README, link by link, one comes to every page."""
    seen, waiting = set(), [REPO / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            there = (page.parent / target).resolve()
            if there.is_dir():
                waiting += there.glob("*.md")
            elif there.exists():
                waiting.append(there)
    assert {path for path in PAGES if path not in seen} <= {REPO / "CHANGELOG.md", REPO / "bench" / "README.md"}


def test_every_command_has_a_page_and_every_answer_a_schema():
    reference = REPO / "docs" / "reference"
    for name in words.COMMANDS:
        text = (reference / "commands" / f"{name}.md").read_text(encoding="utf-8")
        made = cli.group.get_command(None, name)
        for command in (made, *getattr(made, "commands", {}).values()):
            for parameter in command.params:
                if isinstance(parameter, cli.frame.Option):
                    assert f"`{', '.join(parameter.opts)}" in text
    linked = set(re.findall(r"schemas/(\w+\.json)", (reference / "json.md").read_text(encoding="utf-8")))
    assert linked == {path.name for path in (reference / "schemas").glob("*.json")}


def test_schemas_are_schemas():
    import jsonschema

    for path in (REPO / "docs" / "reference" / "schemas").glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == path.name and schema["title"]


def test_every_fault_is_in_the_reference():
    """Codes that the code says, and every entry of every catalog."""
    text = (REPO / "docs" / "reference" / "faults.md").read_text(encoding="utf-8")
    said = {code for path in (REPO / "cebport").rglob("*.py") for code in
            re.findall(r'"(CEB-[A-Z]+-\d{3})"', path.read_text(encoding="utf-8"))} - {"CEB-DEMO-001"}
    assert len(said) > 50
    assert sorted(code for code in said if f"| {code} |" not in text) == []


def test_every_setting_is_in_the_reference():
    from msgspec.structs import fields

    from cebport.server.settings import Settings

    text = (REPO / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert all(f"`{field.name}`" in text for field in fields(Settings))
    code = "".join(path.read_text(encoding="utf-8") for path in (REPO / "cebport").rglob("*.py"))
    for variable in re.findall(r'environ(?:\.get\(|\[)"(\w+)"', code):
        assert variable in text, f"environment variable {variable}"


def test_glossary_has_one_word_a_term():
    text = (REPO / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    terms = [term.strip() for chinese, _ in rows[2:] for term in chinese.split("、")]
    assert len(terms) > 50
    assert sorted(term for term in set(terms) if terms.count(term) > 1) == []


def test_decisions_have_the_same_parts():
    for page in sorted((REPO / "docs" / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert re.match(rf"# {page.name[:4]} ", text), page.name
        for part in ("Question", "Choice", "(Given up|Turned down)"):
            assert re.search(rf"^(## |\*\*){part}", text, re.MULTILINE), f"{page.name}: {part}"


def test_architecture_is_one_page():
    assert len((REPO / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 80
