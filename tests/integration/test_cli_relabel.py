"""visavis relabel: words and JSON, and what it refuses."""

import csv

import pytest
from recogniser_task import patterns

from commands import call
from visavis.data.pack import Pack

RECIPE = """
backbone: {name: backbone/mobilefacenet-tiny, options: {size: 32, dimension: 16}}
loss: {name: normface, options: {scale: 8.0}}
training:
  steps: 30
  optimisers: {"*": {kind: sgd, rate: 3e-2, schedule: {kind: cosine}}}
  tensorboard: false
  checkpoint_every: 100
  threads: 1
batch: 8
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relabel")
    pixels, names = patterns(3, 8, seed=3)
    people = sorted(set(names))
    for row in range(0, len(names), 6):
        names[row] = people[(people.index(names[row]) + 1) % 3]
    Pack.write(folder / "noisy.pack", pixels, names)
    (folder / "mine.yaml").write_text(RECIPE)
    return folder


def test_it_tells_what_became_of_every_crop(folder, tmp_path, capfd):
    words = ["relabel", folder / "noisy.pack", "--recipe", folder / "mine.yaml", "--out", tmp_path / "out"]
    words += ["--rounds", 1, "--tau", 0.4]
    ran = call(capfd, *words, "--json")
    assert ran.code == 0 and len(ran.err.splitlines()) == 1
    assert ran.err.startswith("each network learns a person from 4.0 pictures on average (24 crops of 3 identities, 2")
    assert "--folds 1" in ran.err
    (only,) = ran.json["rounds"]
    assert ran.json["crops"] == 24 == only["kept"] + only["relabelled"] + only["dropped"]
    assert ran.json["left"]["crops"] == len(Pack.open(tmp_path / "out/cleaned.pack"))
    with (tmp_path / "out/labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 24
    said = call(capfd, *words)
    assert said.code == 0 and f"{only['kept']} " in said.out and "cleaned.pack" in said.out.replace("\n", "")
    assert "another cleaning" in call(capfd, *words[:-1], 0.5).refused(2)


def test_a_round_that_leaves_few_crops_is_told(folder, tmp_path, capfd):
    words = ["relabel", folder / "noisy.pack", "--recipe", folder / "mine.yaml", "--steps", 10, "--json"]
    words += ["--folds", 1, "--rounds", 1, "--min-images", 1]
    assert call(capfd, *words, "--tau", 0, "--out", tmp_path / "all").json["left"]["crops"] == 24
    with (tmp_path / "all/labels.csv").open(newline="") as file:
        sure = sorted(float(row["confidence"]) for row in csv.DictReader(file))
    ran = call(capfd, *words, "--tau", (sure[17] + sure[18]) / 2, "--out", tmp_path / "few")
    assert ran.json["left"]["crops"] == 6
    assert ran.err.startswith("round 1 left only 6 of 24 crops") and "lower --tau" in ran.err


def test_it_refuses_in_one_line(folder, tmp_path, capfd):
    words = ["relabel", folder / "noisy.pack", "--recipe", folder / "mine.yaml", "--out", tmp_path / "no"]
    assert "hard or soft; got 'both'" in call(capfd, *words, "--mode", "both").refused(2)
    assert "0 to 1" in call(capfd, *words, "--tau", 2).refused(2)
    assert "not in both" in call(capfd, *words, "--epochs", 1, "--steps", 1).refused(2)
    assert "not a sound pack" in call(capfd, "relabel", tmp_path, *words[2:]).refused(3)
    assert "no entry" in call(capfd, *words[:3], "no-such", *words[4:]).refused(4)
    assert not (tmp_path / "no").exists()
