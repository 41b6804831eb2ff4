"""visavis explain, as a user meets it."""

import numpy as np
import pytest
from PIL import Image

import visavis
from commands import call
from visavis import FMR, InputError, ModelError, UsageError
from visavis.io import read

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    path = tmp_path_factory.mktemp("nobody") / "nobody.png"
    Image.new("RGB", (300, 200), (90, 120, 150)).save(path)
    return path


def test_it_says_what_spoke_for_and_against_and_draws_it(capfd, astronaut, officer, tmp_path):
    out = tmp_path / "maps.png"
    ran = call(capfd, "explain", astronaut, officer, "--budget", "90", "--out", out)
    assert ran.code == 0 and "is below the threshold of 0.36" in ran.out and "nose" in ran.out
    assert "explainer/evidence, 90 passes" in ran.out
    pixels = read(out).pixels
    assert pixels.shape[1] == 4 * 336 + 5 * 16
    coloured = np.ptp(pixels[20:340, 370:700].astype(int), axis=2)
    assert (coloured > 60).any() and (coloured < 10).any()


def test_json_is_one_document_with_both_maps(capfd, astronaut, officer):
    found = call(capfd, "explain", astronaut, officer, "--budget", "90", "--at", "fmr=1e-4", "--json").json
    assert found["method"] == "explainer/evidence" and found["passes"] == 90 and found["complete"] is False
    assert found["threshold"] == pytest.approx(0.419, abs=0.02) and found["similarity"] == pytest.approx(0.19, abs=0.02)
    assert [effect["name"] for effect in found["regions"]][:3] == ["eyes", "brows", "nose"]
    for side in ("left", "right"):
        assert np.array(found["maps"][side]).shape == (112, 112)
    assert str(found["sentence"]).startswith("The similarity of")


@pytest.mark.parametrize("method", ["occlusion", "explainer/random-masks"])
def test_another_explainer_by_its_short_or_full_name(capfd, method, astronaut, officer):
    ran = call(capfd, "explain", astronaut, officer, "--method", method, "--budget", "90")
    assert ran.code == 0 and f"explainer/{method.rpartition('/')[2]}" in ran.out


def test_gradients_come_from_the_twin(capfd, astronaut, officer):
    pytest.importorskip("torch")
    found = call(capfd, "explain", astronaut, officer, "--method", "pair-cam", "--json").json
    plain = call(capfd, "explain", astronaut, officer, "--method", "regions", "--budget", "16", "--json").json
    assert found["similarity"] == pytest.approx(plain["similarity"], abs=1e-3)


def test_what_it_cannot_do_is_said_in_one_line(capfd, astronaut, officer, nobody, tmp_path):
    pair = (astronaut, officer)
    assert "two pictures; got 1" in call(capfd, "explain", astronaut).refused(2)
    assert "two pictures; got 3" in call(capfd, "explain", *pair, officer).refused(2)
    assert "at least 90" in call(capfd, "explain", *pair, "--budget", "5").refused(2)
    assert "no folder" in call(capfd, "explain", *pair, "--out", tmp_path / "no" / "maps.png").refused(2)
    assert "pictures are written as" in call(capfd, "explain", *pair, "--out", tmp_path / "maps.txt").refused(2)
    assert "fmr=RATE" in call(capfd, "explain", *pair, "--at", "0.4").refused(2)
    assert "no face" in call(capfd, "explain", astronaut, nobody).refused(3)
    assert "did you mean" in call(capfd, "explain", *pair, "--method", "occlusionn").refused(4)
    assert "fmr=1e-09" in call(capfd, "explain", *pair, "--at", "fmr=1e-9").refused(4)
    assert "gradients" in call(capfd, "explain", *pair, "--method", "gradient", "--flip").refused(4)


def test_the_verb_gives_what_the_command_prints(astronaut, officer, nobody):
    found = visavis.explain_pair(astronaut, officer, at=FMR(1e-4), budget=90)
    assert found.threshold == pytest.approx(0.419, abs=0.02) and found.explanation.passes == 90
    assert found.left.pixels.shape == (1, 112, 112, 3) and "threshold of 0.4" in found.explanation.sentence
    with pytest.raises(UsageError, match="one picture a side"):
        visavis.explain_pair([astronaut, astronaut], officer)
    with pytest.raises(InputError):
        visavis.explain_pair(astronaut, nobody, budget=90)
    with pytest.raises(ModelError, match="no entry"):
        visavis.explain_pair(astronaut, officer, method="explainer/tea-leaves")
