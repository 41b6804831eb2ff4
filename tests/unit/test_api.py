import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

import visavis
from visavis import FMR, Pipeline
from visavis.errors import NoFaceError, SpaceError, UnreadableError, UsageError
from visavis.io import Source, encode, read_batch
from visavis.types import Templates

AT = FMR(1e-3)


@pytest.fixture(scope="module")
def pixels(astronaut, officer):
    """The astronaut as her PNG holds her, and the officer cut to her size: one array of two pictures."""
    with Image.open(astronaut) as one, Image.open(officer) as two:
        return np.stack([np.asarray(one.convert("RGB")), np.asarray(two.convert("RGB"))[:512, :512]])


@pytest.fixture(scope="module")
def files(tmp_path_factory, pixels):
    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in zip(("a.png", "b.png"), pixels, strict=True):
        Image.fromarray(picture).save(folder / name)
    return [folder / "a.png", folder / "b.png"]


FORMS = {
    "paths": lambda files, pixels: list(files),
    "texts": lambda files, pixels: tuple(map(str, files)),
    "bytes": lambda files, pixels: [path.read_bytes() for path in files],
    "memory": lambda files, pixels: [memoryview(path.read_bytes()) for path in files],
    "arrays": lambda files, pixels: list(pixels),
    "one array": lambda files, pixels: pixels,
    "pillow": lambda files, pixels: [Image.fromarray(picture) for picture in pixels],
    "sources": lambda files, pixels: [Source.of_file(path) for path in files],
    "pictures": lambda files, pixels: [visavis.read(path) for path in files],
    "batch": lambda files, pixels: read_batch(files),
    "generator": lambda files, pixels: (path for path in files),
    "mixed": lambda files, pixels: [files[0], pixels[1]],
}


@pytest.fixture(scope="module")
def plain(files):
    return visavis.detect(files), visavis.align(files), visavis.embed(files)


def same_faces(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("boxes", "score", "points", "picture")
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_batch_gives_the_same_bits(files, pixels, plain, form):
    faces, crops, analysis = plain
    make = FORMS[form]
    assert len(faces) == 2 and faces.ok.all() and faces.picture.tolist() == [0, 1]
    assert same_faces(visavis.detect(make(files, pixels)), faces)
    assert np.array_equal(visavis.align(make(files, pixels)).pixels, crops.pixels)
    assert np.array_equal(visavis.embed(make(files, pixels)).templates.vectors, analysis.templates.vectors)


SINGLE = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "array": lambda path: np.asarray(Image.open(path)),
    "batch of one": lambda path: np.asarray(Image.open(path))[None],
    "pillow": Image.open,
    "source": Source.of_file,
    "picture": visavis.read,
}


@pytest.mark.parametrize("form", SINGLE)
def test_one_picture_is_a_batch_of_one(files, plain, form):
    one = SINGLE[form](files[0])
    assert same_faces(visavis.detect(one), plain[0][0])
    assert np.array_equal(visavis.align(one).pixels, plain[1].pixels[:1])
    assert np.array_equal(visavis.embed(one).templates.vectors, plain[2].templates.vectors[:1])
    decision = visavis.verify(one, files[1], at=AT)
    assert decision.similarity == visavis.verify(files[0], files[1], at=AT).similarity


def test_verify_takes_arrays_as_it_takes_the_files_they_come_from(files, pixels):
    by_file, by_array = visavis.verify(*files, at=AT), visavis.verify(*pixels, at=AT)
    assert by_file == by_array
    assert visavis.verify(files[0], files[0], at=AT).similarity == pytest.approx(1, abs=1e-6)
    several = visavis.verify(list(pixels[:1]) * 2, files[1:], at=AT)
    assert several.similarity == pytest.approx(by_file.similarity, abs=1e-6)  # the mean of two equal templates


def test_similarity_is_the_table_of_cosines(plain):
    templates = plain[2].templates
    table = visavis.similarity(templates, templates[[1, 0, 1]])
    slow = [[float(a @ b) for b in templates.vectors[[1, 0, 1]]] for a in templates.vectors]
    assert table.shape == (2, 3) and table.dtype == np.float32 and np.allclose(table, slow, atol=1e-6)
    assert np.allclose(np.linalg.norm(templates.vectors, axis=1), 1, atol=1e-6)
    assert visavis.verify(*plain[2].sources, at=AT).similarity == pytest.approx(table[0, 0], abs=1e-6)


def test_templates_of_two_spaces_are_not_compared(plain, files):
    templates = plain[2].templates
    flipped = Pipeline(flip=True).embed(files).templates
    with pytest.raises(SpaceError, match="differ in flip"):
        visavis.similarity(templates, flipped)
    with pytest.raises(SpaceError):
        Templates.concat([templates, flipped])
    with pytest.raises(SpaceError, match="this pipeline's"):
        Pipeline().compare(flipped[0], flipped[1], at=AT)


def test_failed_rows_stay_in_their_place_and_compare_as_nan(files, tmp_path):
    given = [tmp_path / "missing.png", files[0], np.zeros((60, 60, 3), np.uint8), files[1]]
    analysis = visavis.embed(given)
    assert analysis.templates.ok.tolist() == [False, True, False, True]
    assert analysis.templates.status.reasons == ("unreadable.missing", "", "no-face", "")
    assert analysis.faces.picture.tolist() == [0, 1, 2, 3] and len(visavis.detect(given)) == 4
    crops = visavis.align(given)
    assert crops.ok.tolist() == [False, True, False, True] and not crops.pixels[[0, 2]].any()
    table = visavis.similarity(analysis.templates, analysis.templates)
    assert np.isnan(table[[0, 2]]).all() and np.isnan(table[:, [0, 2]]).all()
    assert np.isfinite(table[1:4:2, 1:4:2]).all()
    again = visavis.embed(read_batch(given))  # a batch that was read before, its failures with it
    assert again.templates.status == analysis.templates.status
    assert np.array_equal(again.templates.vectors, analysis.templates.vectors, equal_nan=True)


def test_a_failed_row_brings_no_warning_of_numpy(files, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        visavis.embed([tmp_path / "missing.png", files[0], tmp_path / "missing.png"])
        visavis.align(tmp_path / "missing.png")


def test_verify_cannot_answer_without_a_face(files, tmp_path):
    with pytest.raises(UnreadableError, match=r"missing\.png"):
        visavis.verify(files[0], tmp_path / "missing.png", at=AT)
    with pytest.raises(NoFaceError, match="no face"):
        visavis.verify(np.zeros((60, 60, 3), np.uint8), files[0], at=AT)
    for nothing in ([], np.empty((0, 8, 8, 3), np.uint8)):
        with pytest.raises(UsageError):
            visavis.verify(nothing, files[0], at=AT)


@pytest.mark.parametrize("wrong", [3, None, [None], object(), [["a.png"]]])
def test_what_is_never_a_picture_is_refused(wrong):
    for verb in (visavis.detect, visavis.align, visavis.embed):
        with pytest.raises((UsageError, TypeError)):
            verb(wrong)


def test_nothing_gives_no_faces_and_no_templates_to_speak_of():
    assert len(visavis.detect([])) == len(visavis.align([])) == 0
    with pytest.raises(UsageError, match="no picture"):
        visavis.embed([])


@pytest.mark.parametrize("which", ["largest", "central", "all"])
def test_which_is_the_same_in_every_verb(pixels, which):
    both = np.concatenate([pixels[0], pixels[1]], axis=1)
    faces, crops, analysis = (verb(both, which=which) for verb in (visavis.detect, visavis.align, visavis.embed))
    assert len(faces) == len(crops) == len(analysis) == (2 if which == "all" else 1)
    assert same_faces(faces, analysis.faces)
    with pytest.raises(UsageError, match="nearest"):
        visavis.detect(both, which="nearest")


def test_a_picture_far_larger_than_needed_gives_points_of_the_stored_picture(pixels, tmp_path):
    large = np.asarray(Image.fromarray(pixels[0]).resize((5120, 5120), Image.Resampling.BILINEAR))
    (tmp_path / "large.jpg").write_bytes(encode.to_bytes(large, suffix=".jpg"))
    small, found = visavis.detect(pixels[0]), visavis.detect(tmp_path / "large.jpg")  # the surest face comes first
    assert np.allclose((found.points[0] + 0.5) / 10 - 0.5, small.points[0], atol=1.5)


@pytest.mark.parametrize("times", [0.5, 2, 4])
def test_a_portrait_in_another_size_is_the_same_person(pixels, times):
    side = round(512 * times)
    for portrait in pixels:
        resized = np.asarray(Image.fromarray(portrait).resize((side, side), Image.Resampling.BILINEAR))
        assert visavis.verify(resized, portrait, at=AT).answer == "same"


def test_eight_threads_on_one_pipeline_agree_bitwise_with_one(pixels):
    pipeline = Pipeline()
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(8):  # each thread has pictures of its own, in batches of several sizes
        tops = rng.integers(0, 60, (int(rng.integers(1, 6)), 2))
        batches.append([pixels[rng.integers(2)][top : top + 440, left : left + 440] for top, left in tops.tolist()])
    serial = [pipeline.embed(batch) for batch in batches]
    decisions = [pipeline.verify(batch[:1], [pixels[0]], at=AT) for batch in batches]
    barrier = Barrier(8)

    def hammer(number):
        barrier.wait(30)
        found = [pipeline.embed(batches[(number + turn) % 8]) for turn in range(3)]
        return found, pipeline.verify(batches[number][:1], [pixels[0]], at=AT)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(hammer, range(8)))
    for number, (found, decision) in enumerate(results):
        assert decision == decisions[number]
        for turn, analysis in enumerate(found):
            expected = serial[(number + turn) % 8]
            assert np.array_equal(analysis.templates.vectors, expected.templates.vectors)
            assert same_faces(analysis.faces, expected.faces)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_grouping_and_number_of_workers_gives_the_same_bits(pixels, threads):
    pictures = [pixels[row % 2][row : row + 400, row * 3 : row * 3 + 400] for row in range(9)]
    one = [visavis.embed(picture) for picture in pictures]
    pipeline = Pipeline(engine=visavis.EngineOptions(threads=threads))
    together = pipeline.embed(pictures)
    parts = [part for start, end in ((0, 2), (2, 7), (7, 9)) for part in pipeline.stream(pictures[start:end])]
    vectors = np.concatenate([row.templates.vectors for row in one])
    assert np.array_equal(together.templates.vectors, vectors)
    assert np.array_equal(np.concatenate([part.templates.vectors for part in parts]), vectors)
    assert together.faces.picture.tolist() == list(range(9))
