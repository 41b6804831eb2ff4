"""Lists as CSV: what a reader of CSV finds again, byte for byte where a name is not UTF-8."""

import csv
import os

from visavis.io.csv_rows import csv_rows

HEADER = ("path", "number", "note")


def test_a_reader_finds_the_rows_again():
    rows = [("a, b.png", 1, None), ('say "so".png', 2, "two\nlines"), ("Zoë.png", 3, "")]
    data = csv_rows(HEADER, iter(rows))
    found = list(csv.reader(data.decode().splitlines(keepends=True)))
    assert found == [list(HEADER), *(["" if one is None else str(one) for one in row] for row in rows)]
    assert data.startswith(b"path,number,note\n") and b"\r" not in data


def test_a_name_that_is_not_utf8_is_the_bytes_of_the_file():
    name = os.fsdecode(b"caf\xe9.jpg")
    assert csv_rows(HEADER, [(name, 1, "")]) == b"path,number,note\ncaf\xe9.jpg,1,\n"


def test_every_character_that_ends_a_line_is_quoted():
    import csv
    import io

    rows = [["a\rb", "c\nd", "\r\n", "\r"]]
    text = csv_rows(["w", "x", "y", "z"], rows).decode()
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == rows
