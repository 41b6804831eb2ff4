"""Draw the picture of docs/guides/explain.md from two portraits in the public domain."""

from pathlib import Path

from visavis.demonstration import portraits
from visavis.explain.sheet import explanation_sheet
from visavis.io import write
from visavis.pipeline.pair import explain_pair, pair_threshold
from visavis.pipeline.pipeline import Pipeline
from visavis.warps import resize

WIDTH = 900


def main() -> None:
    pipeline = Pipeline()
    found = explain_pair(pipeline, *portraits(), threshold=pair_threshold(pipeline, None))
    page = explanation_sheet(found.explanation, found.left.pixels[0], found.right.pixels[0])
    height = round(page.shape[0] * WIDTH / page.shape[1])
    write(Path(__file__).parents[1] / "docs/guides/explain.jpg", resize(page, WIDTH, height))


if __name__ == "__main__":
    main()
