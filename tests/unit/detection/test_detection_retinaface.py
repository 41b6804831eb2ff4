"""RetinaFace: crafted outputs against the slow, obvious loop over priors; planted faces are found."""

import math

import numpy as np
import pytest

import planted
from visavis.detection.brought import brought_card
from visavis.detection.onnx_detector import OnnxDetector
from visavis.detection.retinaface import decode_retinaface, retinaface_outputs
from visavis.detection.working_size import WorkingSize
from visavis.errors import ModelError
from visavis.types import Picture


def _slow_priors(height, width):
    priors = []
    for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                priors += [((column + 0.5) * stride, (row + 0.5) * stride, size) for size in sizes]
    return priors


def test_equals_the_loop_over_priors():
    height, width = 72, 104
    priors = _slow_priors(height, width)
    rng = np.random.default_rng(0)
    boxes = rng.normal(size=(2, len(priors), 4)).astype(np.float32)
    classes = rng.random((2, len(priors), 2)).astype(np.float32)
    points = rng.normal(size=(2, len(priors), 10)).astype(np.float32)
    found = decode_retinaface([points, boxes, classes], height=height, width=width, floor=0.8)
    for picture, candidates in enumerate(found):
        rows = [row for row in range(len(priors)) if classes[picture, row, 1] >= 0.8]
        assert len(candidates) == len(rows) > 10
        for place, row in enumerate(rows):
            x, y, side = priors[row]
            dx, dy, dw, dh = boxes[picture, row]
            cx, cy, w, h = (
                x + 0.1 * dx * side,
                y + 0.1 * dy * side,
                side * math.exp(0.2 * dw),
                side * math.exp(0.2 * dh),
            )
            assert np.allclose(candidates.boxes[place], [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], atol=1e-2)
            expected = points[picture, row].reshape(5, 2) * 0.1 * side + (x, y)
            assert np.allclose(candidates.points[place], expected, atol=1e-2)
            assert candidates.score[place] == classes[picture, row, 1]


def test_other_networks_are_refused():
    with pytest.raises(ModelError, match="9 outputs"):
        retinaface_outputs(tuple("abcdefghi"))
    outputs = [np.zeros((1, 10, values), np.float32) for values in (4, 2, 10)]
    with pytest.raises(ModelError, match="expected"):
        decode_retinaface(outputs, height=64, width=64, floor=0.3)


def test_a_planted_face_is_found_and_a_blue_square_is_not(tmp_path):
    path = tmp_path / "retinaface_mnet025.onnx"
    points = np.array([[-2.5, -2.0], [2.5, -2.0], [0.0, 0.0], [-2.0, 2.5], [2.0, 2.5]])
    path.write_bytes(planted.retinaface(box=(0.0, 0.0, 0.0, 0.0), points=points))
    detector = OnnxDetector(brought_card(path), working_size=WorkingSize(looks=(640,), face=0))
    assert detector.card.contract.batch
    faces = detector.find(Picture(planted.picture((5, 4))))
    assert np.allclose(faces.boxes, [[44 - 16, 36 - 16, 44 + 16, 36 + 16]], atol=1e-3)
    assert np.allclose(faces.points[0], points * 3.2 + (44, 36), atol=1e-3)
    assert detector.find(Picture(planted.picture((5, 4), colour=(0, 0, 255)))).status.reasons == ("no-face",)
