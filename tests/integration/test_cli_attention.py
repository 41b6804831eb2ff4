"""The measure attention as a user meets it: of the recogniser, of a network by name, and fitted anew."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from commands import call
from portraits import save_two_people
from visavis.quality.attention_calibration import shipped_calibration

VIT = "embedder/visavis-vit-t"


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    """Two people, each as it is, much blurred, and in twelve kinds of light."""
    folder = tmp_path_factory.mktemp("people")
    for place, picture in save_two_people(folder, astronaut, officer):
        picture.filter(ImageFilter.GaussianBlur(6)).save(place / "blurred.png")
        for number in range(12):
            ImageEnhance.Brightness(picture).enhance(0.6 + number / 20).save(place / f"light{number}.png")
    Image.new("RGB", (300, 200), (90, 120, 150)).save(folder / "b/nobody.png")
    return folder


def rows(found):
    return [row["measures"].get("attention") for row in found.json["rows"]]


def test_the_recogniser_tells_its_attention_and_a_network_by_name_tells_the_same(capfd, people):
    pictures = (people / "a/0.png", people / "a/blurred.png", people / "b/nobody.png")
    own = call(capfd, "assess", *pictures, "--model", VIT, "--json")
    beside = call(capfd, "assess", *pictures, "--attention", VIT, "--json")
    assert (own.code, beside.code) == (0, 0)
    sharp, blurred, nobody = rows(own)
    assert sharp["score"] > blurred["score"] + 20 and nobody["score"] is None
    for one, other in zip(rows(own), rows(beside), strict=True):
        assert one == other
    assert beside.json["rows"][0]["measures"]["norm"] and "norm" not in own.json["rows"][0]["measures"]
    assert rows(call(capfd, "assess", people / "a/0.png", "--json")) == [None]


def test_a_calibration_is_fitted_and_points_the_way_of_the_shipped_one(capfd, people, tmp_path):
    out = tmp_path / "new.json"
    ran = call(capfd, "calibrate-attention", people, "--population", "two people", "--out", out, "--json")
    assert (
        ran.code == 0
        and ran.json["written"] == str(out)
        and "two people: 30 pictures of 2 people" in ran.json["source"]
    )
    shipped = shipped_calibration(VIT)
    assert ran.json["rising"] is shipped.rising and ran.json["sha256"] == shipped.sha256
    assert np.sign(ran.json["correlation"]) == np.sign(shipped.correlation) and out.is_file()
    said = call(capfd, "calibrate-attention", people, "--population", "two people", "--out", out)
    assert "lower raw scores are better" in said.out.replace("\n", " ")


def test_wrong_calls_say_what_to_do(capfd, people, tmp_path):
    fit = ("calibrate-attention", people, "--population", "x", "--out")
    assert "NAME.onnx.attention.json" in call(capfd, *fit, tmp_path / "a.txt").refused(2)
    assert "no softmax of it" in call(capfd, *fit, tmp_path / "a.json", "--model", "embedder/sface.2021dec").refused(4)
    assert "20 faces or more" in call(capfd, *fit, tmp_path / "a.json", "--faces", 5).refused(2)
    assert "no softmax of it" in call(capfd, "assess", people, "--attention", "embedder/visavis-s").refused(4)
    few = ("evaluate", "quality", tmp_path / "none.csv", "--images", people, "--measure", "attention")
    assert call(capfd, *few).code in (2, 3)
