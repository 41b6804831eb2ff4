"""Names resolve, suggest and refuse; cards survive JSON and keep their promises; errors know their exit code."""

import json
from dataclasses import replace

import pytest

from visavis import registry
from visavis.cards import (
    HubFile,
    InputContract,
    LocalFile,
    PackageFile,
    SystemCard,
    UrlFile,
    WeightCard,
    check_policy,
)
from visavis.errors import (
    DependencyError,
    InputError,
    InternalError,
    ModelError,
    NoFaceError,
    SpaceError,
    UnreadableError,
    UsageError,
    VisavisError,
)
from visavis.pipeline.models import model_card

SFACE = "embedder/sface.2021dec"
SOURCE = PackageFile("p", "a.onnx", "p==1")


class _Point:
    """An installed entry point, as `importlib.metadata` hands it over."""

    value = "elsewhere:ENTRIES"

    def __init__(self, table):
        self.load = lambda: table


@pytest.fixture
def installed(monkeypatch):
    """Call it with tables that other packages bring."""

    def install(*tables):
        def points(*, group):
            return [_Point(table) for table in tables] if group == "visavis.registry" else []

        monkeypatch.setattr("visavis.registry.entry_points", points)
        registry._table.cache_clear()

    yield install
    monkeypatch.undo()
    registry._table.cache_clear()


def built(*, size=1, colour="rgb"):
    return (size, colour)


def needs(size):
    return size


TABLE = {
    "painter/oil.v1": ("test_registry_cards:built", "", "paints"),
    "painter/oil.v2": ("test_registry_cards:built", "", "paints better"),
    "painter/water.v1": ("test_registry_cards:built", "", "paints with water"),
    "sculptor/oil-clay.v1": ("test_registry_cards:needs", "", "models"),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(SFACE, None), (SFACE, "embedder"), ("embedder/sface", None), ("sface", None), ("sface", "embedder"),
     ("sface.2021dec", "embedder")],
)  # fmt: skip
def test_short_names_become_the_full_one(name, kind):
    assert registry.resolve(name, kind=kind) == SFACE
    assert registry.describe(SFACE).kind == "embedder"


def test_every_name_and_every_unique_short_name_resolves_to_itself():
    names = registry.names()
    for name in names:
        assert registry.resolve(name) == name
        kind, _, rest = name.partition("/")
        assert registry.resolve(rest, kind=kind) == name
        begin = name.partition(".")[0]
        if [other for other in names if other == begin or other.startswith(f"{begin}.")] == [name]:
            assert registry.resolve(begin) == name


def test_names_are_sorted_and_match_a_glob():
    names = registry.names()
    assert names == sorted(set(names)) and {"embedder/sface.2021dec", "detector/yunet.2023mar"} <= set(names)
    assert registry.names("embedder/*") == [name for name in names if name.startswith("embedder/")]
    assert registry.names("painter/*") == []


@pytest.mark.parametrize("name", ["embedder/sfase", "sface.2021", "embedder/sface.2021", "SFACE.2021dec"])
def test_an_unknown_name_comes_with_a_suggestion(name):
    with pytest.raises(ModelError, match=rf"{name!r}.*did you mean .*{SFACE}") as caught:
        registry.resolve(name, kind=None if "/" in name else "embedder")
    assert caught.value.reason == "model.unknown"


def test_a_name_like_no_other_lists_what_is_known():
    with pytest.raises(ModelError, match="known: ") as caught:
        registry.load("zzzzzzzzzz")
    assert all(name in str(caught.value) for name in registry.names())


@pytest.mark.parametrize(("name", "kind"), [("painter/oil", None), ("oil", "painter"), ("oil", None)])
def test_an_ambiguous_name_offers_its_spellings(installed, name, kind):
    installed(TABLE)
    with pytest.raises(ModelError, match=r"painter/oil\.v1 or painter/oil\.v2"):
        registry.resolve(name, kind=kind)


def test_other_packages_add_entries(installed):
    before = registry.names()
    installed({name: TABLE[name] for name in list(TABLE)[:2]}, {name: TABLE[name] for name in list(TABLE)[2:]})
    assert registry.names() == sorted([*before, *TABLE])
    assert registry.create("water", colour="blue") == (1, "blue")
    assert registry.describe("painter/water").line == "paints with water"


def test_a_name_is_given_once(installed):
    installed({SFACE: TABLE["painter/oil.v1"]})
    with pytest.raises(UsageError, match=rf"{SFACE}.*elsewhere:ENTRIES.*taken"):
        registry.names()
    installed(TABLE, TABLE)
    with pytest.raises(UsageError, match="taken"):
        registry.names()


def test_an_option_that_is_not_taken_is_a_wrong_call(installed):
    installed(TABLE)
    with pytest.raises(UsageError, match=r"painter/water.*flavour"):
        registry.create("painter/water", flavour="salt")
    with pytest.raises(UsageError, match="aligner/five-point"):
        registry.create("aligner/five-point", points=5)


@pytest.mark.parametrize(("name", "kind"), [("detector/yunet.2023mar", "embedder"), (SFACE, "detector")])
def test_a_registered_model_of_the_other_kind_is_refused(name, kind):
    with pytest.raises(ModelError, match=kind):
        model_card(name, kind=kind)


CARDS = [name for name in registry.names() if isinstance(registry.load(name), WeightCard)]


@pytest.mark.parametrize("name", CARDS)
def test_a_registered_card_survives_json(name):
    card = registry.load(name)
    assert card.name == name
    assert WeightCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card


@pytest.mark.parametrize(
    "source", [SOURCE, HubFile("o/n", "a.onnx", "v1"), UrlFile("https://h/a"), LocalFile("~/a.onnx")]
)
def test_every_source_and_contract_survives_json(source):
    contract = InputContract("bgr", mean=(1, 2, 3), scale=(0.1, 0.2, 0.3), size=(96, 112), multiple=8, batch=False)
    card = _card(
        sources=(source, LocalFile("b")), contract=contract, alternatives=("x", "y"), notes=("n",), use="research"
    )
    assert WeightCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card


def _card(**changes):
    values = {"name": "mine", "kind": "embedder", "loader": "visavis.a:B", "sources": (SOURCE,), "sha256": "0" * 64}
    return WeightCard(**{**values, "licence": "MIT", "contract": InputContract("rgb"), "dimension": 8, **changes})


@pytest.mark.parametrize("source", [SOURCE, UrlFile("https://h/a"), HubFile("o/n", "a")])
def test_weights_from_elsewhere_need_a_hash(source):
    with pytest.raises(UsageError, match="no sha256"):
        _card(sources=(source,), sha256="")
    with pytest.raises(UsageError, match="no sha256"):
        _card(sources=(LocalFile("a"), source), sha256="")
    assert _card(sources=(LocalFile("a"),), sha256="").sha256 == ""


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"sources": ()}, "no source"),
        ({"dimension": 0}, "dimension"),
        ({"use": "non-commercial"}, "use"),
        ({"kind": "painter"}, "kind"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(changes, word):
    with pytest.raises(UsageError, match=word):
        _card(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "rgb"},
        {"contract": {"colour": "rgb", "gamma": 2}},
        {"contract": 5},
        {"sources": [{"type": "Tape", "path": "a"}]},
        {"sources": [{"path": "a"}]},
        {"sources": [{"type": "LocalFile", "folder": "a"}]},
        {"sources": ["a.onnx"]},
        {"sha256": "", "sources": [{"type": "UrlFile", "url": "https://h/a"}]},
    ],
)
def test_a_record_that_is_no_card_is_refused(changes):
    with pytest.raises(UsageError, match="not a weight card"):
        WeightCard.from_dict({**_card().to_dict(), **changes})


@pytest.mark.parametrize("loader", ["os:system", "visavisual.a:B", "visavis:B", "subprocess:run", ""])
def test_a_record_names_no_code_of_others(loader):
    with pytest.raises(UsageError, match="loader"):
        WeightCard.from_dict({**_card().to_dict(), "loader": loader})


@pytest.mark.parametrize("field", ["name", "kind", "loader", "sources", "sha256", "licence", "contract"])
def test_a_record_without_a_field_is_no_card(field):
    record = _card().to_dict()
    del record[field]
    with pytest.raises(UsageError, match=f"not a weight card: .*{field}"):
        WeightCard.from_dict(record)


def test_the_policy_refuses_what_is_for_research():
    free, research = _card(use="any"), _card(use="research", licence="CC-BY-NC-4.0")
    for card in (free, research):
        assert check_policy(card, "research") is None
    assert check_policy(free, "commercial") is None
    with pytest.raises(ModelError, match=r"CC-BY-NC-4\.0.*VISAVIS_POLICY") as caught:
        check_policy(research, "commercial")
    assert caught.value.reason == "model.licence"
    with pytest.raises(UsageError, match="research or commercial"):
        check_policy(free, "anything")


def test_a_file_takes_the_contract_and_drops_what_was_said_of_the_weights():
    card = _card(use="research", alternatives=("x",), int8="p:r.npz", calibration="c", rewrites=("free-axes",))
    mine = card.with_file("/there/own.onnx")
    assert (mine.name, mine.sources, mine.sha256) == ("/there/own.onnx", (LocalFile("/there/own.onnx"),), "")
    assert (mine.alternatives, mine.int8, mine.calibration) == ((), "", "")
    assert replace(mine, name=card.name, sources=card.sources, sha256=card.sha256) == replace(
        card, alternatives=(), int8="", calibration=""
    )


def test_calling_a_card_calls_its_loader_with_it():
    card = _card(loader="test_registry_cards:loaded")
    assert card(flip=True) == (card, {"flip": True})


def loaded(card, **options):
    return card, options


def test_a_system_is_named_system():
    SystemCard("system/a", "t", "p", (), {}, "MIT")
    with pytest.raises(UsageError, match="system/"):
        SystemCard("a", "t", "p", (), {}, "MIT")


@pytest.mark.parametrize(
    ("kind", "parent", "code", "reason"),
    [
        (VisavisError, Exception, 5, "error"),
        (UsageError, ValueError, 2, "usage"),
        (InputError, VisavisError, 3, "input"),
        (UnreadableError, InputError, 3, "unreadable"),
        (NoFaceError, InputError, 3, "no-face"),
        (ModelError, VisavisError, 4, "model"),
        (SpaceError, ModelError, 4, "space"),
        (DependencyError, ImportError, 4, "dependency"),
        (DependencyError, ModelError, 4, "dependency"),
        (InternalError, VisavisError, 5, "internal"),
    ],
)
def test_the_class_of_an_error_decides_the_exit_code(kind, parent, code, reason):
    error = kind("what happened")
    assert isinstance(error, VisavisError) and isinstance(error, parent)
    assert (error.exit_code, error.reason, error.message, str(error)) == (
        code,
        reason,
        "what happened",
        "what happened",
    )
    assert kind("x", reason="other.slug").reason == "other.slug"
