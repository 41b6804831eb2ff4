"""Frontality, the halves, and their distance."""

import math

import pytest
import torch
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112
from visavis.losses.symface import SymmetryLoss, frontality, split_faces, symmetry_loss

MODES = ["mirror", "mask", "resize"]


def points(*rows):
    """Landmarks of faces given as x of left eye, right eye and nose, level."""
    faces = [[(left, 40), (right, 40), (nose, 60), (left, 80), (right, 80)] for left, right, nose in rows]
    return torch.tensor(faces, dtype=torch.float64)


def faces(width=24, rows=3):
    return torch.rand(rows, 3, 10, width, generator=torch.Generator().manual_seed(0))


def symmetric(width=24):
    images = faces(width)
    return (images + images.flip(3)) / 2


def test_frontality_of_known_faces():
    template = torch.tensor([ARCFACE_112.points], dtype=torch.float64)
    assert float(frontality(template)) == pytest.approx(0.99364, abs=1e-5)
    given = points((30, 70, 50), (30, 70, 60), (30, 70, 75), (50, 50, 50))
    assert frontality(given).tolist() == [1.0, 0.5, 0.0, 0.0]


def test_frontality_does_not_change_with_position_size_eye_order_or_reflection():
    given = points((30, 70, 56), (20, 90, 47))
    rho = frontality(given)
    swapped = given[:, [1, 0, 2, 4, 3]]
    mirrored = given.clone()
    mirrored[..., 0] = 111 - mirrored[..., 0]
    for other in (given * 3.7 + 11, swapped, mirrored[:, [1, 0, 2, 4, 3]]):
        assert torch.allclose(frontality(other), rho)


def test_frontality_of_a_tilted_face_after_levelling():
    given = points((30, 70, 56))
    turn = math.radians(25)
    matrix = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=torch.float64)
    tilted = given @ matrix.T
    assert float(frontality(tilted, level_eyes=True)) == pytest.approx(float(frontality(given)))
    assert abs(float(frontality(tilted) - frontality(given))) > 0.05


def test_the_mouth_can_speak_for_the_axis():
    given = points((30, 70, 60))
    assert float(frontality(given, with_mouth=True)) == pytest.approx(0.75)


@pytest.mark.parametrize("width", [24, 25])
def test_mirrored_halves_are_symmetric_and_give_the_picture_back(width):
    images = faces(width)
    left, right = split_faces(images)
    for half in (left, right):
        assert half.shape == images.shape and torch.equal(half, half.flip(3))
    middle = (width + 1) // 2
    assert torch.equal(torch.cat([left[..., :middle], right[..., width - width // 2 :]], 3), images)


@pytest.mark.parametrize("width", [24, 25])
def test_the_flipped_picture_exchanges_the_halves(width):
    images = faces(width)
    left, right = split_faces(images)
    other_left, other_right = split_faces(images.flip(3))
    assert torch.equal(other_left, right.flip(3)) and torch.equal(other_right, left.flip(3))


@pytest.mark.parametrize("width", [24, 25])
def test_the_flip_moves_the_cut_with_the_landmarks(width):
    images, given = faces(width), points((5, 14, 9.3), (6, 20, 13.1), (4, 10, 8.0))
    mirrored = given.clone()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    left, right = split_faces(images, landmarks=given)
    other_left, other_right = split_faces(images.flip(3), landmarks=mirrored)
    assert torch.equal(other_left, right) and torch.equal(other_right, left)


@pytest.mark.parametrize("mode", MODES)
def test_a_symmetric_face_has_equal_halves(mode):
    images = symmetric()
    left, right = split_faces(images, mode=mode)
    assert torch.allclose(left, right, atol=1e-7)
    if mode == "mirror":
        assert torch.allclose(left, images)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 10 * 24, 8)).eval()
    assert symmetry_loss(network(left), network(right), torch.ones(3)) <= 1e-7


def test_a_cut_beside_the_middle_moves_the_halves_and_repeats_the_edge():
    row = torch.arange(16.0).expand(1, 1, 2, 16)
    left, right = split_faces(row, landmarks=points((2, 9, 5.5)))
    assert left[0, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0, 0, 0]
    assert right[0, 0, 0].tolist() == [13, 12, 11, 10, 9, 8, 7, 6, 6, 7, 8, 9, 10, 11, 12, 13]
    left, right = split_faces(row + 100, landmarks=points((2, 9, 5.5)), mode="mask")
    assert left[0, 0, 0].tolist() == [0, 0, 100, 101, 102, 103, 104, 105] + [0] * 8
    assert right[0, 0, 0].tolist() == [113, 112, 111, 110, 109, 108, 107, 106] + [0] * 8


@pytest.mark.parametrize(("width", "nose", "kept"), [(24, None, (12, 12)), (25, None, (13, 13)), (24, 8.5, (9, 15))])
def test_stretched_halves_equal_torch_interpolation(width, nose, kept):
    images = faces(width)
    landmarks = None if nose is None else points(*[(3, 14, nose)] * 3)
    left, right = split_faces(images, landmarks=landmarks, mode="resize")
    for half, part in ((left, images[..., : kept[0]]), (right, images.flip(3)[..., : kept[1]])):
        slow = F.interpolate(part, size=(10, width), mode="bilinear", align_corners=False)
        assert torch.allclose(half, slow, atol=1e-6)


def test_whole_numbers_stay_whole():
    pixels = (faces() * 255).to(torch.uint8)
    for mode in ("mirror", "mask"):
        assert all(half.dtype == torch.uint8 for half in split_faces(pixels, mode=mode))
    with pytest.raises(UsageError, match="float"):
        split_faces(pixels, mode="resize")


def test_the_distance_of_known_halves():
    left = torch.tensor([[1.0, 0.0]])
    one, half = torch.ones(1), torch.tensor([0.5])
    assert float(symmetry_loss(left, torch.tensor([[0.0, 1.0]]), one)) == pytest.approx(2)
    near = torch.tensor([[1.2, 1.6]])
    assert float(symmetry_loss(left, near, one)) == pytest.approx(0.8)
    assert float(symmetry_loss(left, near, half, threshold=0.0)) == pytest.approx(0.4)
    assert float(symmetry_loss(left, near, half, threshold=0.0, weighted=False)) == pytest.approx(0.8)


def test_faces_from_the_side_contribute_nothing_and_both_halves_get_a_gradient():
    left, right = (torch.randn(4, 5, requires_grad=True) for _ in range(2))
    rho = torch.tensor([0.9, 0.79, 1.0, 0.1])
    loss = SymmetryLoss()
    found = loss(left, right, rho)
    found.backward()
    seen = rho >= 0.8
    assert found.item() == pytest.approx(symmetry_loss(left[seen], right[seen], rho[seen]).item())
    for half in (left, right):
        assert half.grad[seen].abs().sum(1).min() > 0 and not half.grad[~seen].any()
    cosine = F.cosine_similarity(left[seen], right[seen]).mean().detach()
    assert loss.measures() == pytest.approx({"symmetric": 2, "half_cosine": float(cosine)})
    left.grad = None
    nothing = loss(left, right, torch.zeros(4))
    nothing.backward()
    assert nothing.item() == 0 and not left.grad.any()
    assert loss.measures() == {"symmetric": 0}


def test_what_cannot_be_split_is_refused():
    images, given = faces(), points(*[(5, 14, 9)] * 3)
    bad = given.clone()
    bad[0, 0, 0] = math.nan
    for call, words in (
        (lambda: split_faces(images[..., :15]), "16"),
        (lambda: split_faces(images, mode="half"), "mirror, mask, resize"),
        (lambda: split_faces(images, landmarks=given[:2]), "one face a picture"),
        (lambda: split_faces(images, landmarks=given + 50), "within 0..23"),
        (lambda: split_faces(images, landmarks=bad), "not finite"),
        (lambda: frontality(bad), "not finite"),
        (lambda: frontality(given[:, :3]), r"\(B, 5, 2\)"),
        (lambda: SymmetryLoss(weight=-1), "0 or more"),
        (lambda: SymmetryLoss()(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 1)), "one number a face"),
    ):
        with pytest.raises(UsageError, match=words):
            call()
