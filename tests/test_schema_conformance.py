"""Our schema verdict is the published schema's, and the walker finds something exactly when it is no.

With the published schemas at hand (CEBPORT_SHARED, else ../shared) verdicts are compared with theirs, else
with our own generated XSD; the walker is compared in both cases.
"""

from __future__ import annotations

import copy
import os
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from messages_made import (
    STRUCTURE,
    ceb,
    elements_of,
    every_single_change,
    field_at,
    made,
    put,
    raw_of,
    texts_for,
    with_text,
)

from cebport.faults import Malformed
from cebport.messages import wire
from cebport.messages.schema import XSD, walk
from cebport.messages.shape import ENTITIES, MESSAGES, NAMESPACE, VERSIONS

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
OFFICIAL = {"2022-05": SHARED / "ceb/xsd/2022-05/import.xsd", "2016-08": SHARED / "ceb/xsd/2018/import.xsd"}
COUNTS = {"CEB-XML-031", "CEB-XML-032", *(shape.full for shape in MESSAGES.values() if shape.full)}
EXAMPLES = int(os.environ.get("CEBPORT_EXAMPLES", "4000"))


@lru_cache(maxsize=4)
def judge(schema: str, official: bool) -> etree.XMLSchema:
    path = OFFICIAL[schema] if official and OFFICIAL[schema].exists() else XSD / schema / "import.xsd"
    return etree.XMLSchema(etree.parse(str(path)))


def reference_verdict(raw: bytes, schema: str, official: bool) -> bool:
    try:
        return judge(schema, official).validate(etree.fromstring(raw))
    except etree.XMLSyntaxError:
        return False


def compare(raw: bytes, schema: str, what: str) -> bool:
    """Check one message against the reference; returns the verdict."""
    valid = reference_verdict(raw, schema, official=True)
    try:
        tree = wire.parse_tree(raw)
    except Malformed as malformed:
        codes = {fault.code for fault in malformed.faults}
        root = etree.fromstring(raw)
        not_a_message = codes == {"CEB-XML-020"} and etree.QName(root).localname not in MESSAGES
        assert not valid or not_a_message, (what, schema, codes)
        return False
    faults = wire.schema_faults(tree, schema)
    assert (not faults) == valid, (what, schema, [(f.code, f.path) for f in faults])
    walked = walk(tree.root, schema) if valid else faults
    assert bool(walked) == (not valid), (what, schema, [(f.code, f.path, f.found) for f in walked])
    assert all(fault.code != "CEB-SCHEMA-099" for fault in faults), (what, schema, faults)
    for fault in faults:
        assert fault.message.zh and fault.message.en and fault.remedy.zh and fault.remedy.en
    return valid


@pytest.mark.parametrize("schema", VERSIONS)
@pytest.mark.parametrize("name", MESSAGES)
def test_made_messages_are_valid(name: str, schema: str) -> None:
    for full in (True, False):
        assert compare(raw_of(made(name, full=full, schema=schema)), schema, name)


@pytest.mark.parametrize("schema", VERSIONS)
@pytest.mark.parametrize("name", MESSAGES)
def test_every_single_change(name: str, schema: str) -> None:
    verdicts = [compare(raw_of(root), schema, what) for what, root in every_single_change(name, schema)]
    assert verdicts.count(True) > 30 and verdicts.count(False) > 90


CHANGES = tuple(STRUCTURE.values())


@st.composite
def broken(draw: st.DrawFn) -> tuple[bytes, str, str]:
    """A message with one to four changes, one upon the other."""
    schema = draw(st.sampled_from(VERSIONS))
    name = draw(st.sampled_from(list(MESSAGES)))
    root = made(name, full=draw(st.booleans()), schema=schema, documents=draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(1, 4))):
        elements = elements_of(root)
        element = elements[draw(st.integers(0, len(elements) - 1))]
        field = field_at(element, schema)
        if len(element) == 0 and draw(st.booleans()):
            texts = texts_for(field)
            text = draw(st.sampled_from(texts) | st.text("0123456789.+-eE ,中A", max_size=24))
            change = with_text(text)
        else:
            change = draw(st.sampled_from(CHANGES))
        change(element)
    return raw_of(root), schema, name


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize="CEBPORT_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(broken())
def test_many_changes(case: tuple[bytes, str, str]) -> None:
    compare(*case)


@pytest.mark.parametrize("schema", VERSIONS)
@pytest.mark.parametrize("name", MESSAGES)
def test_most_documents_and_lines(name: str, schema: str) -> None:
    shape = MESSAGES[name]
    most, lines = shape.documents_max or 120, shape.lines_max or 120
    for documents, line_count in ((most, 1), (most + 1, 1), (1, lines), (1, lines + 1)):
        root = made(name, full=False, schema=schema, documents=1, lines=line_count)
        for _ in range(documents - 1):
            root.insert(0, copy.deepcopy(root[0]))
        valid = compare(raw_of(root), schema, f"{documents} documents of {line_count} lines")
        too_many = (shape.documents_max and documents > most) or (shape.line and shape.lines_max and line_count > lines)
        assert valid == (not too_many)


@pytest.mark.parametrize("schema", VERSIONS)
@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_subscriptions(schema: str, count: int) -> None:
    root = made("CEB311Message", schema=schema, documents=1)
    subscription = root.find(ceb("BaseSubscribe"))
    for _ in range(count):
        subscription.addnext(copy.deepcopy(subscription))
    root.remove(subscription)
    assert compare(raw_of(root), schema, f"{count} subscriptions") == (count <= 5)


@pytest.mark.parametrize(
    "content", ["", "text", " \n ", "<a/>", "<a/><b/>", "<a>x</a>tail", "<!-- c -->", "<a xmlns='u' b='c'/> "]
)
def test_extension_content(content: str) -> None:
    raw = raw_of(made("CEB311Message", documents=1))
    inside = raw[raw.index(b"<ceb:Message>") + 13 : raw.index(b"</ceb:Message>")]
    for schema in VERSIONS:
        compare(raw.replace(inside, content.encode()), schema, content)


@pytest.mark.parametrize("entity", ["OrderHead", "InventoryList", "BaseTransfer", "MessageReturn"])
def test_an_entity_alone_is_not_a_message(entity: str) -> None:
    parent = etree.Element("parent")
    root = etree.Element(ceb(entity), nsmap={"ceb": NAMESPACE})
    for child in put(parent, entity, full=True):
        root.append(child)
    raw = raw_of(root)
    assert reference_verdict(raw, "2022-05", official=True)
    with pytest.raises(Malformed) as caught:
        wire.parse_tree(raw)
    assert caught.value.faults[0].code == "CEB-XML-020"


SAMPLES = sorted([*SHARED.glob("ceb/samples/*.xml"), *SHARED.glob("ceb/local/samples/CEB*.xml")])


@pytest.mark.parametrize("schema", VERSIONS)
def test_published_samples(schema: str) -> None:
    """Every sample at hand; without the shared folder the made messages stand for them."""
    raws = [(path.name, path.read_bytes()) for path in SAMPLES] or [(n, raw_of(made(n))) for n in MESSAGES]
    for what, raw in raws:
        valid = compare(raw, schema, what)
        assert valid == ("extra_orderNo" not in what), what
        if SAMPLES:
            message, _ = wire.parse(raw, schema=schema)
            assert message is not None and message.documents


def test_versions_differ_only_where_they_do() -> None:
    newest, older = ENTITIES["2022-05"], ENTITIES["2016-08"]
    differing = {
        (entity, new.name)
        for entity in newest
        for new, old in zip(newest[entity], older[entity], strict=True)
        if new != old
    }
    assert differing == {("InventoryList", "itemNo"), ("InventoryList", "tradeCountry")}
