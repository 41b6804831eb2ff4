"""An embedder with a known answer: it sees the mean brightness of two patches of a crop, and nothing else."""

import numpy as np

from visavis.types import Crops, Failure, Provenance, Status, Templates, TemplateSpace

FOR = (slice(56, 70), slice(49, 63))
AGAINST = (slice(84, 98), slice(49, 63))
CORNER = (slice(0, 24), slice(0, 24))
MIDDLE = 127.5
SPACE = TemplateSpace("given", "five-point", "arcface-112", "two-patches", 2)
MADE_BY = Provenance("two-patches", "numpy", "fp64", "1", "1")


def crop(first, second, seed=0):
    """A crop of noise whose patches have these brightnesses; uint8 (112, 112, 3)."""
    pixels = np.random.default_rng(seed).integers(60, 200, (112, 112, 3), dtype=np.uint8)
    pixels[FOR], pixels[AGAINST] = first, second
    return pixels


def crops(*pixels, template="arcface-112"):
    return Crops(np.stack(pixels), np.zeros((len(pixels), 2, 3)), template, Status.good(len(pixels)))


def pair():
    """Both crops bright in the first patch, of opposite sign in the second: cosine 0.468."""
    return crops(crop(228, 188, 1)), crops(crop(228, 67, 2))


def cosine(one, two):
    return float(np.dot(one, two) / np.linalg.norm(one) / np.linalg.norm(two))


class TwoPatches:
    """Embedding: brightness of both patches less middle grey. Counts the crops it was given."""

    def __init__(self):
        self.seen = 0

    def embed(self, crops):
        self.seen += len(crops)
        raw = np.stack([crops.pixels[:, *at].mean(axis=(1, 2, 3)) - MIDDLE for at in (FOR, AGAINST)], axis=1)
        norms = np.linalg.norm(raw, axis=1)
        empty = Failure("embedding", "both patches are middle grey")
        status = Status(tuple(empty if norm < 1e-9 else None for norm in norms))
        vectors = raw / np.where(norms > 0, norms, 1)[:, None]
        return Templates(vectors, norms, status, np.full(len(raw), np.nan), SPACE, MADE_BY)


class TwoPatchesTorch:
    """The same in torch, with a tap of 16 x 16 places of 7 pixels."""

    taps = {"places": (1, 16, 16), "embedding": (2,)}  # noqa: RUF012

    def __init__(self):
        self.seen = 0

    def embed_tensor(self, pixels):
        return self.features(pixels)["embedding"]

    def features(self, pixels, *, taps=()):
        import torch

        self.seen += len(pixels)
        places = torch.nn.functional.avg_pool2d(pixels.mean(dim=1, keepdim=True) - MIDDLE, 7)
        means = [places[:, 0, 8:10, 7:9], places[:, 0, 12:14, 7:9]]
        return {"places": places, "embedding": torch.stack([mean.mean(dim=(1, 2)) for mean in means], dim=1)}


def effects(one, two):
    """Similarity lost when a patch of the first crop becomes middle grey, for both patches: the closed form."""
    whole = cosine(one, two)
    return whole - cosine([0, one[1]], two), whole - cosine([one[0], 0], two)
