"""Whatever is registered as a published system: card, experiment, stored record and page."""

import importlib
import importlib.util
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from commands import call
from small_people import tar_of_people
from visavis import registry
from visavis.cards import SystemCard
from visavis.errors import InternalError, UsageError
from visavis.systems import _miniature, _noisy_labels, _simulated_quality, records

ROOT = Path(__file__).parents[2]
NAMES = registry.names("system/*")
KEYS = ["name", "value", "baseline", "threshold", "passed", "seconds", "seeds", "checks"]


def _publisher():
    spec = importlib.util.spec_from_file_location("publish_systems", ROOT / "benchmarks/publish_systems.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / "benchmarks"))  # where a script that is run finds its neighbours
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with a made-up stand-in for ORL."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "orl").mkdir()
    tar_of_people(folder / "orl/orl.tar")
    return folder


@pytest.fixture
def short(monkeypatch):
    """Miniatures of a few steps, two repetitions."""
    monkeypatch.setattr(_miniature, "ORL", replace(_miniature.ORL, steps=6, people=4, pictures=2))
    monkeypatch.setattr(_noisy_labels, "QUICK", replace(_noisy_labels.QUICK, steps=3, batch=8))
    monkeypatch.setattr(_simulated_quality, "QUICK", _simulated_quality.Heads(train=60, test=40, trees=2))
    if importlib.util.find_spec("torch"):
        toy = importlib.import_module("visavis.systems._attention_toy")
        monkeypatch.setattr(toy, "QUICK", replace(toy.QUICK, steps=3, batch=8, views=1))
        toy = importlib.import_module("visavis.systems._recognizability_toy")
        monkeypatch.setattr(toy, "QUICK", replace(toy.QUICK, steps=3, more=3, batch=8, views=1))
        toy = importlib.import_module("visavis.systems._adapter_toy")
        monkeypatch.setattr(toy, "QUICK", replace(toy.QUICK, steps=3, more=2, batch=8, views=1))
    for name in NAMES:
        module = importlib.import_module(registry.load(name).experiment.partition(":")[0])
        monkeypatch.setattr(module, "EXPERIMENT", replace(module.EXPERIMENT, repetitions={"quick": 2, "full": 2}))


def _resolves(name):
    """Whether a name of the registry, or ``module:attribute``, leads somewhere."""
    module, colon, attribute = name.partition(":")
    return hasattr(importlib.import_module(module), attribute) if colon else registry.load(name) is not None


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_complete_and_what_it_names_is_there(name):
    pytest.importorskip("torch")
    card = registry.load(name)
    assert isinstance(card, SystemCard) and card.name == name
    assert all((card.title, card.paper, card.implemented, card.paper_numbers, card.licence, card.code, card.expects))
    assert "https://" in card.paper and card.deviations
    assert all(math.isfinite(value) for value in card.paper_numbers.values())
    assert all(_resolves(part) for part in (*card.implemented, *card.loaders, card.experiment))
    assert [budget for budget, _ in card.files] == ["quick", "full"]
    assert json.loads(json.dumps(card.to_dict()))["files"]["full"]


@pytest.mark.parametrize("name", NAMES)
def test_the_experiment_runs_on_made_up_people_and_gives_the_same_again(name, data, short):
    pytest.importorskip("torch")
    card, steps = registry.load(name), []
    result = card.reproduce(data, seed=5, progress=lambda *step: steps.append(step))
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert list(record)[: len(KEYS)] == KEYS
    assert record["name"] == name and record["seeds"] == list(range(5, 5 + len(record["seeds"])))
    assert record["passed"] is all(check["passed"] for check in record["checks"])
    assert all(list(check) == ["name", "value", "op", "threshold", "passed"] for check in record["checks"])
    assert len({check["name"] for check in record["checks"]}) == len(record["checks"])
    assert record["roles"] and all(len(role["ledger"]) == 64 for role in record["roles"])
    assert steps[-1] == (len(record["seeds"]), len(record["seeds"]))
    again = card.reproduce(data, seed=5).to_dict()
    assert {**again, "seconds": 0} == {**result.to_dict(), "seconds": 0}


@pytest.mark.parametrize("name", NAMES)
def test_wrong_calls_say_what_to_do(name, data, tmp_path):
    card = registry.load(name)
    with pytest.raises(UsageError, match=r"quick and full; got 'long'"):
        card.reproduce(data, budget="long")
    with pytest.raises(UsageError, match="from 0; got -1"):
        card.reproduce(data, seed=-1)
    budget, files = next((budget, files) for budget, files in card.files if files)
    with pytest.raises(Exception, match=rf"{re.escape(files[0])}.* in the data folder .* --data") as error:
        card.reproduce(tmp_path, budget=budget)
    assert (error.value.reason, error.value.exit_code) == ("unreadable.missing", 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_record_is_of_this_card_and_counts_right(name):
    card = registry.load(name)
    record = records.stored(card.short)
    assert record is not None, "run benchmarks/publish_systems.py"
    assert record["name"] == name and record["commit"] and record["date"]
    assert [run["seeds"][0] for run in record["runs"]] == [0, 1, 2]
    assert [run["seeds"][0] for run in record["further"]] == list(range(3, 13))
    rate = record["pass_rate"]
    assert (rate["passed"], rate["runs"]) == (sum(run["passed"] for run in record["further"]), 10)
    assert rate["passed"] >= 9, "the check is badly posed"
    for run in (*record["runs"], *record["further"], record["full"]):
        for check in run["checks"]:
            value, threshold = check["value"], check["threshold"]
            holds = {">=": value >= threshold, "<=": value <= threshold, "==": value == threshold}[check["op"]]
            assert check["passed"] is holds
        assert run["passed"] is all(check["passed"] for check in run["checks"])
    assert (record["full"]["budget"], record["runs"][0]["budget"]) == ("full", "quick")
    assert all(run["passed"] for run in record["runs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_the_card_and_the_record_say(name):
    card = registry.load(name)
    page = ROOT / "docs/results/systems" / f"{card.short}.md"
    written = page.read_text(encoding="utf-8")
    assert written == _publisher().page(records.stored(card.short)), (
        "run benchmarks/publish_systems.py DATA --only pages"
    )


def test_the_list_needs_no_torch_and_no_data():
    code = (
        "import sys\nfrom visavis.cli.app import main\n"
        "try:\n    main(['systems', '--json'])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'cv2', 'onnxruntime'} & set(sys.modules), 'heavy'"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [row["name"] for row in json.loads(ran.stdout)["systems"]] == NAMES


def test_the_commands_answer_in_json_and_in_words(data, short, tmp_path, capfd):
    pytest.importorskip("torch")
    out = tmp_path / "result.json"
    words = ["reproduce", "symface", "--data", data, "--seed", 3, "--budget", "quick", "--out", out]
    ran = call(capfd, *words, "--json")
    assert (ran.code, ran.err) == (0, "") and ran.json == json.loads(out.read_text())
    assert ran.json["seeds"][0] == 3
    said = call(capfd, *words)
    assert said.code == 0 and "system/symface" in said.out and str(out) in said.out.replace("\n", "")
    listed = call(capfd, "systems")
    assert listed.code == 0 and all(name in listed.out for name in NAMES)
    card = call(capfd, "systems", "symface", "--json").json
    assert card["name"] == "system/symface" and "stored" in card
    assert "loss/symface" in call(capfd, "systems", "symface").out


def test_the_commands_refuse_in_one_line(data, tmp_path, capfd):
    assert "no-such" in call(capfd, "reproduce", "no-such", "--data", data).refused(4)
    assert "orl/orl.tar" in call(capfd, "reproduce", "unpg", "--data", tmp_path / "none").refused(3)
    assert "got 'long'" in call(capfd, "reproduce", "unpg", "--data", data, "--budget", "long").refused(2)
    assert "--out NAME.json" in call(capfd, "reproduce", "unpg", "--data", data, "--out", "a.txt").refused(2)
    assert "no folder" in call(capfd, "reproduce", "unpg", "--data", data, "--out", tmp_path / "x/a.json").refused(2)
    assert "symface" in call(capfd, "systems", "symfac").refused(4)


def test_without_torch_the_extra_is_named(data, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'visavis[torch]'" in call(capfd, "reproduce", "unpg", "--data", data).refused(4)


def test_a_damaged_record_is_a_defect(monkeypatch, tmp_path):
    (tmp_path / "a.json").write_text("{")
    monkeypatch.setattr(records, "_CHECKOUT", tmp_path)
    with pytest.raises(InternalError, match=r"a\.json is damaged"):
        records.stored("a")
    assert records.stored("b") is None
