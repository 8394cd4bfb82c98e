"""The law (规则): what is in force on a day at a place. Pure: tables in, answers out.

Reading order: reader (YAML and CSV with lines) -> schema (topics, types, rows) -> places -> lists (positive
list, tariff) -> timeline (days of a topic) -> loading (everything that is refused) -> engine (`Policy`,
`View`) -> overlay (what-if) -> sheets (spreadsheets) -> importing (a published list as ours). Each imports only what
stands before it. The tables are in ``tables/``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers only: the same names as in _HOMES
    from cebport.policy.engine import Policy as Policy
    from cebport.policy.engine import View as View
    from cebport.policy.importing import Imported as Imported
    from cebport.policy.importing import import_list as import_list
    from cebport.policy.lists import Listing as Listing
    from cebport.policy.lists import ListRow as ListRow
    from cebport.policy.lists import TariffRow as TariffRow
    from cebport.policy.loading import Instrument as Instrument
    from cebport.policy.loading import Profile as Profile
    from cebport.policy.overlay import Difference as Difference
    from cebport.policy.overlay import diff as diff
    from cebport.policy.places import Place as Place
    from cebport.policy.schema import Row as Row
    from cebport.policy.schema import Topic as Topic

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


if not TYPE_CHECKING:  # hidden from type checkers, so that they refuse a name that is none

    def __getattr__(name: str) -> Any:
        """The names of this package, imported when first used."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__} has no attribute {name}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
