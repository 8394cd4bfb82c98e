"""The code itself: the ladder of imports, what the pure core may not do, sizes, names, generated files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from cebport.policy import Policy

REPO = Path(__file__).resolve().parents[1]
PACKAGE = REPO / "cebport"
LADDER = {
    "faults": 0, "values": 0,
    "messages": 1, "policy": 1,
    "clearance": 2, "channels": 2,
    "server": 3,
    "reports": 4,
    "testing": 5,
    "doors": 6,
    "cli": 7,
    "__main__": 8,
}  # fmt: skip
"""Part of cebport -> its rung: a part imports only what stands lower; parts of one rung never each other."""
CORE = ("messages", "policy", "clearance")
ORDER_OF_MESSAGES = ("codes", "wire", "rules signature envelope", "doctor")
"""Inside messages each imports only earlier ones (contract of the parts)."""
MODULE_LINES_MAX, FUNCTION_LINES_MAX = 900, 70
READS_GIVEN_FILES = {
    "messages/keys.py": "a key file that the caller names",
    "messages/trust.py": "trust files that the caller names",
    "messages/wire.py": "scan() of a file that the caller names",
    "policy/overlay.py": "an overlay file that the caller names",
    "policy/importing.py": "a published list that the caller names",
}
"""Modules of the core that read what they are given; all other reading is of tables beside the module."""
WRITES_WHAT_IS_ASKED = {"policy/importing.py": "the list and its overlay, into the folder that the caller names"}
BANNED_CALLS = {"now", "today", "utcnow", "time", "time_ns", "monotonic", "perf_counter", "uuid1", "uuid4", "getenv",
                "urandom", "token_bytes", "randbytes", "fromtimestamp_now"}
BANNED_MODULES = {"random", "secrets", "time", "socket", "subprocess", "urllib", "http", "requests", "os.environ",
                  "multiprocessing", "asyncio"}
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes"}
RANDOM_BY_NATURE = {"messages/sm2.py": {"urandom", "token_bytes", "secrets", "randbelow"}}
"""An SM2 signature needs a fresh number a message; test cards derive it instead."""
INVENTED_DAYS = {"testing/market.py": "between which invented buyers are born"}
BAD_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "handlers", "stuff"}


@cache
def modules() -> dict[str, Path]:
    """Dotted name below cebport -> file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def part_of(name: str) -> str:
    return name.split(".")[0]


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """(what of cebport is imported, line), at module level and inside functions; type-only imports left out."""
    def walk(node: ast.AST) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0 and child.module:
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    yield (full if full.removeprefix("cebport.") in modules() else child.module), child.lineno
            else:
                assert not (isinstance(child, ast.ImportFrom) and child.level), f"{path}: relative import"
                yield from walk(child)

    for name, line in walk(tree_of(path)):
        if name.startswith("cebport."):
            yield name.removeprefix("cebport."), line


# ── the ladder ──────────────────────────────────────────────────────────────────────────────────────


def test_every_part_has_a_rung():
    assert {part_of(name) for name in modules() if name} == set(LADDER)


def test_imports_point_down_only():
    wrong = []
    for name, path in modules().items():
        here = part_of(name)
        for target, line in imports_of(path):
            there = part_of(target)
            if name and there != here and LADDER[there] >= LADDER[here]:
                wrong.append(f"{path.relative_to(REPO)}:{line} imports {target}")
    assert wrong == []


def test_order_inside_messages():
    rungs = {module: rung for rung, names in enumerate(ORDER_OF_MESSAGES) for module in names.split()}
    wrong = []
    for name, path in modules().items():
        module = name.removeprefix("messages.")
        if module not in rungs or module == name:
            continue
        for target, line in imports_of(path):
            other = target.removeprefix("messages.").split(".")[0]
            if other in rungs and other != module and rungs[other] >= rungs[module]:
                wrong.append(f"{path.name}:{line} imports {target}")
    assert wrong == []


def test_no_cycles():
    graph = {name: {target for target, _ in imports_of(path) if target in modules() and target != name}
             for name, path in modules().items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name):], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_every_module_is_used():
    """A module that nobody imports is dead, but for the ways in and what is loaded by name."""
    text = "".join(path.read_text(encoding="utf-8") for path in [*modules().values(), *(REPO / "tools").glob("*.py"),
                                                                *(REPO / "bench").rglob("*.py")])
    imported = {target for path in modules().values() for target, _ in imports_of(path)}
    roots = {"", "__main__", "cli"} | {name for name in modules() if (PACKAGE / name.replace(".", "/")).is_dir()}
    unused = [name for name in modules() if name not in imported | roots and "migrations" not in name
              and f"cebport.{name}" not in text and f'"{name.split(".")[-1]}"' not in text]
    assert unused == []


# ── the pure core ───────────────────────────────────────────────────────────────────────────────────


def core() -> list[tuple[str, Path]]:
    return [(str(path.relative_to(PACKAGE)), path) for name, path in modules().items() if part_of(name) in CORE]


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@pytest.mark.parametrize("short", [short for short, _ in core()])
def test_the_core_never_asks(short):
    """No clock, no chance, no environment, no network; files only beside the module, or those it is given."""
    path = PACKAGE / short
    allowed = RANDOM_BY_NATURE.get(short, set())
    wrong = []
    lengths: set[int] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            wrong += [f"{node.lineno} import {alias.name}" for alias in node.names
                      if alias.name.split(".")[0] in BANNED_MODULES - allowed]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in BANNED_MODULES - allowed:
            wrong.append(f"{node.lineno} from {node.module} import")
        elif isinstance(node, ast.Attribute) and node.attr == "environ":
            wrong.append(f"{node.lineno} environ")
        elif isinstance(node, ast.Call):
            name = called(node)
            if name in BANNED_CALLS - allowed:
                wrong.append(f"{node.lineno} {name}()")
            if name == "timedelta":
                lengths |= {id(argument) for argument in [*node.args, *(k.value for k in node.keywords)]}
            if name == "float" and id(node) not in lengths:
                wrong.append(f"{node.lineno} float(): money is Decimal")
            if name in FILE_CALLS and not _reads_tables(node, short):
                wrong.append(f"{node.lineno} {name}()")
    assert wrong == []


def _reads_tables(node: ast.Call, short: str) -> bool:
    """Whether a file is read that lies beside the module (said by a name like TABLES or __file__), or was given."""
    if called(node).startswith("write"):
        return short in WRITES_WHAT_IS_ASKED
    if short in READS_GIVEN_FILES:
        return True
    said = ast.dump(node)
    names = ("__file__", "TABLES", "_FILE", "'tables'", "id='path'", "HERE", "id='directory'", "'TABLE'")
    return any(name in said for name in names)


# ── facts are data ──────────────────────────────────────────────────────────────────────────────────


def strings() -> Iterator[tuple[str, int, str]]:
    """(file, line, text) of every string in the code that is no docstring."""
    for path in modules().values():
        tree = tree_of(path)
        docs = set()
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                said = [item.value for item in body if isinstance(item, ast.Expr)]
                docs |= {id(value) for value in said if isinstance(value, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield str(path.relative_to(REPO)), node.lineno, node.value


def test_no_place_is_named_in_code():
    held = yaml.safe_load((PACKAGE / "policy" / "tables" / "places.yaml").read_text(encoding="utf-8"))
    places = [row for row in held["places"] if row["level"] != "nation"]
    names = {row[key] for row in places for key in ("zh", "en", "id") if len(row[key]) > 2 or not row[key].isdigit()}
    sought = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)), re.IGNORECASE)
    wrong = []
    for file, line, text in strings():
        met = sought.search(text.replace("北京时间", ""))
        if met and (not met[0].isascii() or text.lower() == met[0].lower()):
            wrong.append(f"{file}:{line} {text[:60]}")
    assert wrong == []


def test_no_day_is_written_in_code():
    day = re.compile(r"(?<!\d)20[0-4]\d-[01]\d-[0-3]\d(?!\d)")
    wrong = [f"{file}:{line} {text[:60]}" for file, line, text in strings() if day.search(text)]
    for path in modules().values():
        if str(path.relative_to(PACKAGE)) in INVENTED_DAYS:
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and called(node) in ("date", "datetime") and node.args and all(
                    isinstance(a, ast.Constant) and isinstance(a.value, int) for a in node.args[:3]):
                wrong.append(f"{path.relative_to(REPO)}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []


def test_every_row_of_the_law_cites_an_instrument():
    policy = Policy.load()
    rows = policy.rows()
    assert len(rows) > 100
    assert [row for row in rows if row.instrument not in policy.instruments] == []
    used = {row.instrument for row in rows}
    assert used <= set(policy.instruments)


# ── sizes, names, words ─────────────────────────────────────────────────────────────────────────────


def own_python() -> list[Path]:
    return [*modules().values(), *(REPO / "tools").glob("*.py"), *(REPO / "bench").rglob("*.py")]


def test_modules_and_functions_are_short():
    wrong = []
    for path in own_python():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MODULE_LINES_MAX:
            wrong.append(f"{path.relative_to(REPO)}: {text.count(chr(10))} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    wrong.append(f"{path.relative_to(REPO)}:{node.lineno} {node.name}: {lines} lines")
    assert wrong == []


def test_public_things_are_documented_and_typed():
    wrong = []
    for name, path in modules().items():
        if "migrations" in name:
            continue
        tree = tree_of(path)
        where = path.relative_to(REPO)
        if path.read_text(encoding="utf-8").strip() and ast.get_docstring(tree) is None:
            wrong.append(f"{where}: module")
        for owner in [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]:
            if isinstance(owner, ast.ClassDef) and ast.get_docstring(owner) is None:
                wrong.append(f"{where}: class {owner.name}")
            for node in owner.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    wrong += _untyped(node, f"{where}:{node.lineno} {node.name}")
                    if not node.name.startswith("_") and ast.get_docstring(node) is None:
                        wrong.append(f"{where}:{node.lineno} {node.name}: no docstring")
    assert wrong == []


def _untyped(node: ast.FunctionDef | ast.AsyncFunctionDef, where: str) -> list[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    missing = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls", "_")]
    if node.returns is None and node.name != "__init__":
        missing.append("its answer")
    return [f"{where}: {', '.join(missing)} has no type"] if missing else []


def test_names():
    assert [name for name in modules() if name.split(".")[-1] in BAD_NAMES] == []
    verbs = re.compile(r"^_?(process|handle|manage)(_|$)")
    wrong = [f"{path.relative_to(REPO)}:{node.lineno} {node.name}" for path in modules().values()
             for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef) and verbs.match(node.name)]
    assert wrong == []


def test_nothing_is_left_for_later():
    sought = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplemented(?:Error)?)\b|for now\b", re.IGNORECASE)
    wrong = []
    written = [*(REPO / "tests").rglob("*.py"), *PACKAGE.rglob("*.yaml"), *(REPO / "docs").rglob("*.md")]
    for path in [*own_python(), *written]:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if met := sought.search(line):
                wrong.append(f"{path.relative_to(REPO)}:{number} {met[0]}")
    assert wrong == []


def test_no_test_is_skipped():
    sought = re.compile(r"pytest\.(skip|xfail|importorskip)|mark\.(skip|skipif|xfail)")
    wrong = [str(path) for path in (REPO / "tests").rglob("*.py")
             if path != Path(__file__) and sought.search(path.read_text(encoding="utf-8"))]
    assert wrong == []


@pytest.mark.parametrize("tool", ["gen.py", "gen_docs.py"])
def test_what_is_generated_is_committed(tool):
    check = [sys.executable, str(REPO / "tools" / tool), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_commands_are_said_once():
    """Makefile, CI and CONTRIBUTING name the same two commands."""
    assert "exec make test" in (REPO / ".ci" / "run").read_text()
    makefile = (REPO / "Makefile").read_text()
    for target in ("setup", "demo", "test", "bench", "gen"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    words = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "make test" in words and "make gen" in words
