"""SCRFD: crafted outputs give known boxes, planted faces are found, with and without a batch axis."""

import numpy as np
import pytest

import planted
from visavis.detection.brought import brought_card
from visavis.detection.looks import Look
from visavis.detection.onnx_detector import OnnxDetector
from visavis.detection.scrfd import decode_scrfd, scrfd_outputs
from visavis.detection.working_size import WorkingSize
from visavis.errors import ModelError
from visavis.types import Picture

BOX = (10.0, 14.0, 30.0, 40.0)
POINTS = ((1.0, 2.0), (21.0, 2.5), (11.0, 12.0), (3.0, 24.0), (19.0, 24.0))
PLAIN = WorkingSize(looks=(640,), face=0)


def _outputs(height, width, *, batch, anchors=2, strides=(8, 16, 32)):
    cells = [-(-height // stride) * -(-width // stride) * anchors for stride in strides]
    return [np.zeros((batch, count, values), np.float32) for values in (1, 4, 10) for count in cells]


def test_a_crafted_candidate_is_read_at_each_stride():
    height, width, row, column = 96, 160, 1, 3
    for level, stride in enumerate((8, 16, 32)):
        outputs = _outputs(height, width, batch=2)
        cell = (row * (width // stride) + column) * 2 + 1
        outputs[level][1, cell] = 0.9
        outputs[3 + level][1, cell] = (1, 2, 3, 4)
        outputs[6 + level][1, cell] = np.arange(10)
        first, second = decode_scrfd(outputs, height=height, width=width, floor=0.3)
        assert len(first) == 0 and len(second) == 1
        corner = np.array([column, row]) * stride
        expected = [*(corner - np.array([1, 2]) * stride), *(corner + np.array([3, 4]) * stride)]
        assert np.allclose(second.boxes[0], expected)
        assert np.allclose(second.points[0], corner + np.arange(10).reshape(5, 2) * stride)
        assert second.score[0] == np.float32(0.9)


def test_the_order_of_the_outputs_and_the_batch_axis_do_not_matter():
    rng = np.random.default_rng(0)
    outputs = [rng.random(output.shape).astype(np.float32) for output in _outputs(64, 96, batch=1)]
    (expected,) = decode_scrfd(outputs, height=64, width=96, floor=0.5)
    interleaved = [outputs[kind * 3 + level][0] for level in (2, 0, 1) for kind in (2, 0, 1)]
    (found,) = decode_scrfd(interleaved, height=64, width=96, floor=0.5)
    assert len(expected) > 10
    assert np.array_equal(found.boxes, expected.boxes) and np.array_equal(found.points, expected.points)


def test_five_strides_with_one_anchor_are_read():
    outputs = _outputs(128, 128, batch=1, anchors=1, strides=(8, 16, 32, 64, 128))
    outputs[4][0, 0], outputs[9][0, 0] = 1.0, (0, 0, 0.5, 0.5)
    (found,) = decode_scrfd(outputs, height=128, width=128, floor=0.3)
    assert np.allclose(found.boxes, [[0, 0, 64, 64]])


def test_other_networks_are_refused():
    with pytest.raises(ModelError, match="6 outputs"):
        scrfd_outputs(tuple("abcdef"))
    with pytest.raises(ModelError, match="cells"):
        decode_scrfd(_outputs(64, 64, batch=1), height=96, width=96, floor=0.3)
    with pytest.raises(ModelError, match="shape"):
        decode_scrfd([np.zeros((1, 8, 3), np.float32)] * 9, height=64, width=64, floor=0.3)


def _detector(folder, *, batched, size=None):
    path = folder / "det_10g.onnx"
    path.write_bytes(planted.scrfd(box=BOX, points=POINTS, batched=batched, size=size))
    return OnnxDetector(brought_card(path), working_size=PLAIN)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("size", [None, (256, 256)])
def test_planted_faces_are_found_where_they_are(tmp_path, batched, size):
    detector = _detector(tmp_path, batched=batched, size=size)
    faces = detector.find(Picture(planted.picture((5, 4), (20, 12))))
    order = np.argsort(faces.boxes[:, 0])
    for row, corner in zip(order, ((40, 32), (160, 96)), strict=True):
        expected = [corner[0] - BOX[0], corner[1] - BOX[1], corner[0] + BOX[2], corner[1] + BOX[3]]
        assert np.allclose(faces.boxes[row], expected, atol=1e-3)
        assert np.allclose(faces.points[row], np.array(POINTS) + corner, atol=1e-3)


def test_a_blue_square_is_no_face(tmp_path):
    detector = _detector(tmp_path, batched=False)
    assert detector.find(Picture(planted.picture((5, 4), colour=(0, 0, 255)))).status.reasons == ("no-face",)


def test_an_unbatched_network_runs_on_one_picture_after_the_other(tmp_path):
    detector = _detector(tmp_path, batched=False)
    looks = [planted.picture((5, 4)), planted.picture((20, 12)), planted.picture()]
    found = detector._candidates([[Look(pixels, (1.0, 1.0), (0.0, 0.0)) for pixels in looks]])[0]
    assert [len(part) for part in found] == [1, 1, 0]
    assert np.allclose(found[1].boxes[0, :2], [160 - BOX[0], 96 - BOX[1]], atol=1e-3)
