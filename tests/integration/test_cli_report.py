"""`visavis verify --report`: one comparison, written for a case file."""

from __future__ import annotations

import hashlib
import json
import shlex

import pytest
from jsonschema import Draft202012Validator
from PIL import Image, ImageFilter

from commands import call
from visavis.report import case_schema

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, astronaut, officer):
    """A portrait twice, the second blurred until nothing is left to go by, and somebody else."""
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(astronaut) as one, Image.open(officer) as two:
        one.convert("RGB").save(folder / "a b.png")
        one.convert("RGB").filter(ImageFilter.GaussianBlur(8)).save(folder / "blurred.png")
        two.convert("RGB").save(folder / "b.png")
    return folder


def test_the_record_is_that_of_the_answer_and_follows_the_schema(pictures, tmp_path, capfd):
    out = tmp_path / "why.json"
    told = call(
        capfd, "verify", pictures / "a b.png", pictures / "b.png", "--at", "fmr=1e-4", "--report", out, "--json"
    )
    record = json.loads(out.read_text(encoding="utf-8"))
    Draft202012Validator(case_schema()).validate(record)
    for name in ("answer", "similarity", "threshold", "band", "fmr", "llr", "population", "warnings"):
        assert record["decision"][name] == told.json[name], name
    for key, name in (("left", "a b.png"), ("right", "b.png")):
        (entry,) = record[key]["pictures"]
        assert entry["sha256"] == hashlib.sha256((pictures / name).read_bytes()).hexdigest()
        assert entry["quality"]["quality"] > 50 and not entry["unfit"]
    assert record["evidence"]["passes"] > 0 and record["evidence"]["regions"]
    assert record["recogniser"]["card"]["licence"] and record["detector"]["card"]["licence"]
    words = shlex.split(record["reproduce"])
    assert words[:4] == ["visavis", "verify", str(pictures / "a b.png"), str(pictures / "b.png")]
    assert float(words[words.index("--at") + 1].removeprefix("fmr=")) == 1e-4


def test_a_picture_that_is_too_poor_gets_a_report_without_an_answer(pictures, tmp_path, capfd):
    out = tmp_path / "why.html"
    call(capfd, "verify", pictures / "a b.png", pictures / "blurred.png", "--report", out)
    page = out.read_text(encoding="utf-8")
    assert "<h1>Inconclusive</h1>" in page and "Why there is no answer" in page and "does not hold" in page
    assert page.count("<img") == 6


def test_a_sheet_is_written_for_several_pictures_a_side(pictures, tmp_path, capfd):
    out = tmp_path / "why.png"
    call(capfd, "verify", pictures / "a b.png", pictures / "a b.png", "--", pictures / "b.png", "--report", out)
    with Image.open(out) as sheet:
        assert sheet.format == "PNG" and sheet.width == 1240


@pytest.mark.parametrize("name", ["why.pdf", "why", "missing/why.html"])
def test_a_report_that_could_not_be_written_is_refused_before_any_work(tmp_path, capfd, name):
    # That nothing was done shows in the code: the pictures are missing, which would be 3.
    call(capfd, "verify", "none.jpg", "none.jpg", "--report", tmp_path / name).refused(2)
    assert not list(tmp_path.iterdir())
