import numpy as np
import pytest
from PIL import Image

from patterns import PatternEmbedder, pattern, pattern_pipeline, picture, png, unit
from visavis.errors import InputError, UsageError
from visavis.geometry import ARCFACE_112, TEMPLATES, similarity_transform
from visavis.protocols.given_points import (
    given_space,
    picture_calibration,
    picture_space,
    picture_templates,
    raw_vectors,
    recogniser_of,
    require_one,
    stream_templates,
)
from visavis.types import Status, Templates
from visavis.warps import warp


def joined(parts):
    return Templates.concat(list(parts))


def test_ready_crops_are_not_resampled():
    rng = np.random.default_rng(0)
    cells = [pattern(rng) for _ in range(70)]
    seen = []
    found = joined(
        stream_templates(pattern_pipeline(), [png(one) for one in cells], progress=lambda *n: seen.append(n))
    )
    assert np.allclose(raw_vectors(found), [one.astype(float).ravel() - 128 for one in cells], atol=1e-4)
    assert np.allclose(found.vectors, [unit(one) for one in cells], atol=1e-6) and seen[-1] == (70, 70)
    assert found.space == given_space(pattern_pipeline()) and found.space.detector == "given"


def test_mirrored_crops():
    cells = pattern(np.random.default_rng(1))
    found = joined(stream_templates(pattern_pipeline(), [png(cells)], mirror=True))
    assert np.allclose(found.vectors[0], unit(cells[:, ::-1]), atol=1e-6)


def test_larger_aligned_crops_are_brought_to_size():
    cells = pattern(np.random.default_rng(2))
    large = np.asarray(Image.fromarray(picture(cells)).resize((224, 224), Image.Resampling.NEAREST))
    found = joined(stream_templates(pattern_pipeline(), [large]))
    assert np.allclose(found.vectors[0], unit(cells), atol=0.02)


def test_a_recogniser_of_another_template_gets_the_same_face(monkeypatch):
    """Points of the ArcFace template go to those of the recogniser's own template."""
    seen = []

    class Other(PatternEmbedder):
        def space(self, detector):
            return super().space(detector).__class__(detector, "five-point", "facenet-160", "0" * 64, 16)

        def embed(self, crops):
            seen.append(crops)
            return super().embed(crops.__class__(np.zeros((1, 112, 112, 3), np.uint8) + 9, crops.matrices,
                                                 crops.template, crops.status, crops.detector))  # fmt: skip

    pipeline = pattern_pipeline()
    monkeypatch.setattr(pipeline, "embedder", Other())
    monkeypatch.setattr(pipeline, "space", Other().space("given"))
    pixels = picture(pattern(np.random.default_rng(3)))
    joined(stream_templates(pipeline, [pixels]))
    matrix = similarity_transform(ARCFACE_112.array(), TEMPLATES["facenet-160"].array())
    assert seen[0].template == "facenet-160" and np.array_equal(seen[0].pixels[0], warp(pixels, matrix, 160, 160))


def test_what_cannot_be_used_is_a_failed_row():
    rng = np.random.default_rng(4)
    oblong, broken = np.zeros((112, 100, 3), np.uint8), png(pattern(rng))[:50]
    found = joined(stream_templates(pattern_pipeline(), [png(pattern(rng)), oblong, broken]))
    assert found.status.reasons[:2] == ("", "crop-size") and found.status.reasons[2].startswith("unreadable.")
    points = np.tile(ARCFACE_112.array().astype(np.float32), (2, 1, 1))
    points[1, 0, 0] = np.nan
    found = joined(stream_templates(pattern_pipeline(), [picture(pattern(rng))] * 2, points=points))
    assert found.status.reasons == ("", "landmarks")
    with pytest.raises(UsageError):
        joined(stream_templates(pattern_pipeline(), [oblong], points=points))
    with pytest.raises(InputError, match="none of the 1 pictures"):
        require_one(Status(found.status.failures[1:]))
    with pytest.raises(InputError, match="there are none"):
        require_one(Status(()))


def test_spaces_and_calibrations_belong_together():
    pipeline = pattern_pipeline()
    assert picture_space(pipeline, aligned=False) == pipeline.space != picture_space(pipeline, aligned=True)
    assert picture_calibration(pipeline, aligned=True) is picture_calibration(pipeline, aligned=False) is None
    told = recogniser_of(pipeline, pipeline.space)
    assert (told.model, told.notes, told.made_by["engine"]) == ("embedder/pattern", (), "numpy")


def test_pictures_that_are_not_aligned_are_detected():
    found = joined(picture_templates(pattern_pipeline(), [picture(pattern(np.random.default_rng(5)))], aligned=False))
    assert found.status.reasons == ("no-face",)
