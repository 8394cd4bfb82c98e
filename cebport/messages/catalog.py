"""The words of our faults, from tables/faults.yaml; read when the first fault is made, not at import."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from cebport.faults import Fault, fault_of

TABLES = Path(__file__).parent / "tables"


@lru_cache(maxsize=1)
def catalog() -> dict[str, dict[str, Any]]:
    """code -> {severity, source, message, remedy}, a section's severity and source filled into its codes."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sections = yaml.load((TABLES / "faults.yaml").read_bytes(), loader)
    return {
        code: {"severity": section["severity"], "source": section["source"], **entry}
        for section in sections.values()
        for code, entry in section["codes"].items()
    }


@lru_cache(maxsize=1)
def _syntax() -> dict[str, Any]:
    """tables/syntax.yaml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, Any] = yaml.load((TABLES / "syntax.yaml").read_bytes(), loader)
    return table


def syntax_words(parser: str, number: int, detail: str) -> dict[str, str]:
    """``detail_zh`` and ``detail_en``: our words for the error of a parser ("libxml", "expat"), its own in brackets."""
    words = _syntax()[parser].get(number) or _syntax()["other"]
    zh, en = words["zh"], words["en"]
    return {"detail_zh": f"{zh}（{detail}）" if detail else zh, "detail_en": f"{en} ({detail})" if detail else en}


def fault(code: str, **values: Any) -> Fault:
    """A fault of reading, writing or schema; ``values`` as in faults.fault_of."""
    return fault_of(catalog(), code, **values)
