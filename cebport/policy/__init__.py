"""The law (规则): what is in force on a day at a place. Pure: tables in, answers out.

Reading order: reader (YAML and CSV with lines) -> schema (topics, types, rows) -> places -> lists (positive
list, tariff) -> timeline (days of a topic) -> loading (everything that is refused) -> engine (`Policy`,
`View`) -> overlay (what-if) -> sheets (spreadsheets) -> importing (a published list as ours). Each imports only what
stands before it. The tables are in ``tables/``.
"""

from typing import Any

_HOMES = {
    "Policy": "engine",
    "View": "engine",
    "Row": "schema",
    "Topic": "schema",
    "Place": "places",
    "Listing": "lists",
    "ListRow": "lists",
    "TariffRow": "lists",
    "Instrument": "loading",
    "Profile": "loading",
    "Difference": "overlay",
    "diff": "overlay",
    "Imported": "importing",
    "import_list": "importing",
}


def __getattr__(name: str) -> Any:
    """The names of this package, imported when first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
