"""The page, the sheet and the axis show what the record holds, escaped, and need nothing else."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from cases import GROUPS, a_calibration, a_case, a_side, an_assessment, an_explanation
from visavis.errors import UsageError
from visavis.report import case_html, case_pictures, case_png, case_record, check_case_path, shown_rows, write_case
from visavis.report.axis import axis_svg, lanes, marks
from visavis.types import FMR

NASTY = '<script>alert("x")</script>&\'".jpg'


def _page(case, explanation=None):
    return case_html(case_record(case, explanation), case_pictures(case, explanation))


class _Reader(HTMLParser):
    """Tags in order, the text, and whether every tag is closed."""

    VOID = ("meta", "img", "br", "rect", "circle", "path", "line")

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self.attributes, self.open = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page():
    case = a_case(0.62, second=0.7, warnings=("a.jpg shows 2 faces",))
    return _page(case, an_explanation())


def test_the_page_is_whole_html_that_fetches_and_runs_nothing(page):
    read = _Reader(page)
    assert not read.open and "script" not in read.tags and "link" not in read.tags
    assert not re.search(r"https?:|url\(|@import|javascript:", page)
    for name, value in read.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value.startswith("data:image/")
    assert "default-src 'none'" in page


def test_the_page_can_be_heard(page):
    read = _Reader(page)
    assert '<html lang="en">' in page and page.count("<h1>") == 1
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 6 and all(re.search(r'alt="[^"]{10,}"', image) for image in images)
    assert all('role="img"' in svg and "aria-label" in svg for svg in re.findall(r"<svg [^>]*>", page))
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_says_all_that_a_reader_needs(page):
    text = _Reader(page).text
    for words in (
        "Same person",
        "random impostors, planted people",
        "95 % confidence",
        "ENFSI 2015",
        "hiding the eyes in one face takes 0.11 off",
        "Second opinion",
        "a.jpg shows 2 faces",
        "women, green, 30-39 (worst)",
        "Children under 13, apart",
        "planted people are no people",
        "planted others",
        "Apache-2.0",
        "What this report does not prove",
        "visavis verify a.jpg b.jpg --at fmr=0.001",
        a_side().inputs[0].sha256,
    ):
        assert words in text, words
    assert text.index("Same person") < text.index("Parts of the face") < text.index("Calibration, and where")


def test_small_groups_are_grey_and_the_worst_one_is_marked(page):
    rows = re.findall(r"<tr( class=\"\w+\")?><th scope=\"row\">([^<]*)</th>", page)
    kinds = {name: kind for kind, name in rows}
    assert 'class="small"' in kinds["men, green, 90-99"] and 'class="worst"' in kinds["women, green, 30-39 (worst)"]
    assert kinds["men, blue, 20-29"] == ""


def test_an_inconclusive_page_gives_its_reasons_before_the_numbers():
    case = a_case(
        0.4001, unfit=["b.jpg: the face is blurred"], right=a_side(("b.jpg",), unfit=(("the face is blurred",),))
    )
    text = _Reader(_page(case)).text
    assert "Inconclusive" in text and "the thresholds of the two ends" in text
    assert text.index("the face is blurred") < text.index("Where the similarity stands")
    assert "refused" in text and "The quality policy default asks for size 18 or better." in text
    # A ratio that was fitted on other pictures supports nothing.
    assert "does not hold" in text and "ENFSI" not in text and " support for " not in text


def test_names_and_texts_are_escaped_everywhere():
    case = a_case(
        left=a_side((NASTY,)), right=a_side((NASTY,), seed=1, unfit=((NASTY,),)), unfit=[NASTY], warnings=(NASTY,)
    )
    table = replace(case.calibration, name=NASTY, population=NASTY, provenance={NASTY: {NASTY: [NASTY]}},
                    groups=replace(GROUPS, population=NASTY, rule=NASTY))  # fmt: skip
    decision = replace(case.decision, population=NASTY, calibration=NASTY)
    explanation = replace(an_explanation(), sentence=NASTY, method=NASTY)
    page = _page(replace(case, decision=decision, calibration=table), explanation)
    assert "<script" not in page and "alert(" in page
    read = _Reader(page)
    assert not read.open and not [name for name, _ in read.attributes if name.startswith("on")]
    assert NASTY in read.text.replace("  ", " ")


def test_without_groups_intervals_quality_and_evidence_the_page_still_stands():
    bare = a_calibration(groups=None, intervals=False, llr=False)
    case = a_case(left=a_side(assessed=False), right=a_side(("b.jpg",), assessed=False), calibration=bare)
    text = _Reader(_page(case)).text
    assert "Annex" not in text and "Quality of the pictures" not in text and "no interval" in text


# pictures


def test_the_pictures_are_the_crops_the_maps_and_the_whole_with_a_box():
    case, explanation = a_case(), an_explanation()
    shown = case_pictures(case, explanation)
    small = np.asarray(Image.fromarray(shown.faces[0]).resize((112, 112), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - case.left.crops.pixels[0]).mean() < 40
    red, _, blue = np.moveaxis(shown.maps[0].astype(int), 2, 0)
    # Coordinates of the enlarged map: the planted eyes are red, the planted mouth is blue.
    assert (red - blue)[100, 80] > 60 and (blue - red)[180, 112] > 60
    assert shown.maps[1].shape == shown.faces[1].shape and shown.scale > 0
    picture = case.left.pictures.items[0].pixels
    box = shown.whole[0][0]
    assert box.shape == picture.shape and tuple(box[30, 10]) == (255, 210, 0)
    assert (box[30, 30] == picture[30, 30]).all()


def test_a_large_picture_is_shown_small_with_the_box_in_its_place():
    pixels = [np.full((1000, 2000, 3), 90, np.uint8)]
    shown = case_pictures(a_case(left=a_side(pixels=pixels, boxes=[[400, 200, 800, 600]]))).whole[0][0]
    assert (
        shown.shape == (240, 480, 3) and tuple(shown[100, 96]) == (255, 210, 0) and tuple(shown[20, 20]) == (90, 90, 90)
    )


def test_the_best_picture_of_a_side_is_shown_and_others_are_refused():
    side = a_side(("a.jpg", "a2.jpg", "a3.jpg"))
    case = a_case(left=replace(side, assessment=an_assessment(3)), right=a_side(assessed=False))
    assert shown_rows(case) == (2, 0)
    with pytest.raises(UsageError, match="0 to 2"):
        case_pictures(case, an_explanation(), explained=(3, 0))


# the axis


def test_marks_stand_where_the_rate_passes_its_decades():
    # A straight line over the logarithm: 10 % at 0.2, 0.01 % at 0.5.
    at = [(0.2, 0.1), (0.5, 1e-4)]
    assert [(round(s, 6), rate) for s, rate in marks(at)] == [(0.2, 0.1), (0.3, 0.01), (0.4, 1e-3), (0.5, 1e-4)]
    assert marks([(0.2, 0.0)]) == () and marks([(0.3, 0.5), (0.4, 0.2)]) == ((0.3, 0.5), (0.4, 0.2))
    assert [rate for _, rate in marks([(0.2, 0.6), (0.5, 0.015)])] == [0.6, 0.1, 0.015]


def test_the_axis_shows_the_worst_group_and_children_beside_random_impostors():
    tracks = lanes(case_record(a_case()))
    assert [lane.name for lane in tracks] == [
        "random impostors",
        "worst group: women, green, 30-39",
        "children under 13",
    ]
    at = [dict((rate, s) for s, rate in lane.marks)[0.1] for lane in tracks]
    assert at[0] == pytest.approx(0.2) and at[0] < at[1] < at[2]


def test_the_axis_shows_what_the_groups_need_when_they_set_the_threshold():
    track = lanes(case_record(a_case(0.7, at=FMR(1e-3, worst_group=True))))[1]
    assert track.name == "the groups that set this threshold" and dict((r, s) for s, r in track.marks)[1e-3] == 0.45


def test_several_pictures_are_told_apart_from_the_two_that_are_explained():
    case = a_case(left=a_side(("a.jpg", "a2.jpg")))
    assert "pooled templates of all, whose similarity is 0.620" in _Reader(_page(case, an_explanation())).text
    assert "pooled templates of all" not in _Reader(_page(a_case(), an_explanation())).text


@pytest.mark.parametrize("similarity", [-0.95, -0.3, 0.0, 0.4001, 0.62, 1.0])
@pytest.mark.parametrize("width", [340, 720])
def test_everything_on_the_axis_lies_inside_of_it(similarity, width):
    svg = axis_svg(case_record(a_case(similarity)), width=width)
    at = [float(x) for x in re.findall(r'\b(?:x|x1|x2|cx)="([-\d.]+)"', svg)]
    assert min(at) >= 0 and max(at) <= width
    assert f"similarity {similarity:.3f}" in svg


# the sheet


@pytest.mark.parametrize("maps", [True, False])
def test_the_sheet_is_one_picture_with_the_faces_and_the_colour_of_the_answer(maps):
    case, explanation = a_case(0.1), an_explanation(0.1) if maps else None
    record, shown = case_record(case, explanation), case_pictures(case, explanation)
    sheet = case_png(record, shown)
    assert sheet.dtype == np.uint8 and sheet.shape[1:] == (1240, 3) and 700 < sheet.shape[0] < 2000
    assert tuple(sheet[5, 600]) == (179, 71, 0)
    # Red of the maps is on the sheet only when there are maps.
    red = int((np.abs(sheet.astype(int) - [178, 24, 43]).sum(axis=2) < 8).sum())
    assert (red > 100) is maps


def test_a_long_name_and_other_scripts_fit_on_the_sheet():
    case = a_case(left=a_side(("x" * 500 + ".jpg",)), right=a_side(("лицо\u202e\n.jpg",)), unfit=["w" * 400] * 40)
    sheet = case_png(case_record(case), case_pictures(case))
    assert (sheet[:, -40:] == 255).sum() / sheet[:, -40:].size > 0.9
    assert sheet.shape[0] > 2000 and (sheet[-20:] == 255).all()


# writing


def test_a_report_is_written_as_its_name_ends(tmp_path):
    case, explanation = a_case(), an_explanation()
    for name in ("why.html", "why.PNG", "why.json"):
        assert write_case(tmp_path / name, case, explanation) == tmp_path / name
    assert (tmp_path / "why.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with Image.open(tmp_path / "why.PNG") as sheet:
        assert sheet.format == "PNG"
    assert json.loads((tmp_path / "why.json").read_text(encoding="utf-8"))["decision"]["answer"] == "same"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["why.pdf", "why", "missing/why.html", "folder.html"])
def test_a_report_that_could_not_be_written_is_refused_before_any_work(tmp_path, name):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UsageError):
        check_case_path(tmp_path / name)
    with pytest.raises(UsageError):
        write_case(tmp_path / name, None)


def test_a_name_that_is_no_text_does_not_stop_the_report(tmp_path):
    case = a_case(left=a_side(("\udcff.jpg",)))
    for name in ("why.html", "why.png", "why.json"):
        assert write_case(tmp_path / name, case).stat().st_size > 1000
