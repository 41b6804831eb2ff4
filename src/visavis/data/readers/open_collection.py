"""From what a user types to a labelled collection."""

from __future__ import annotations

from pathlib import Path

from visavis.data.readers.collection import Collection
from visavis.data.readers.csv_list import CsvList
from visavis.data.readers.hugging_face import is_saved, open_saved
from visavis.data.readers.labelled_folder import LabelledFolder
from visavis.data.readers.record_file import RecordFile
from visavis.data.readers.tar_shards import TarShards, has_labels
from visavis.errors import UsageError
from visavis.io.files import is_file, is_folder


def open_collection(
    path: str | Path,
    *,
    images: str | Path | None = None,
    set_name: str | None = None,
    split: str | None = None,
) -> Collection:
    """The labelled pictures at a path.

    ============================================  =====================================================
    ``list.csv``                                  `CsvList`
    ``train.rec``, or the folder it lies in       `RecordFile`
    ``shard-{000..003}.tar``, or one such shard   `TarShards`
    folder that ``save_to_disk`` wrote            `HuggingFaceSet`
    another folder or archive                     `LabelledFolder`: one folder a person
    ============================================  =====================================================

    Args:
        path: As above.
        images: Folder or archive that the paths of a CSV list are names in.
        set_name: The data set in the people ledger; guessed when None.
        split: Of a data set that has several.

    Raises:
        InputError: The collection cannot be read.
        UsageError: An option that the collection has no use for, or a ``.bin`` file.
    """
    text = str(path)
    lower = text.lower()
    kind = _kind(text, lower)
    if images is not None and kind != "csv":
        raise UsageError(f"--images goes with a CSV list; {text} brings its pictures itself")
    if split is not None and kind != "saved":
        raise UsageError(f"--split goes with a data set of Hugging Face; {text} has no splits")
    if kind == "csv":
        return CsvList(path, images=images)
    if kind == "record":
        return RecordFile(path)
    if kind == "saved":
        return open_saved(path, split=split)
    return TarShards(path) if kind == "shards" else LabelledFolder(path, set_name=set_name)


def _kind(text: str, lower: str) -> str:
    if lower.endswith(".bin"):
        raise UsageError(f"{text} is a verification file: it has pairs and no identities; read it with BinFile")
    if lower.endswith(".csv"):
        return "csv"
    if lower.endswith(".rec") or is_file(Path(text) / "train.rec"):
        return "record"
    if is_folder(text):
        return "saved" if is_saved(text) else "labelled"
    if "{" in text or (is_file(text) and has_labels(text)):
        return "shards"
    return "labelled"
