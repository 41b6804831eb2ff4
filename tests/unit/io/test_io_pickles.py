import codecs
import collections
import contextlib
import os
import pickle
import sys

import pytest

from visavis.errors import InputError
from visavis.io.pickles import restricted_load

PLAIN = [1, -(2**70), 1.5, "ä", b"\x00\xff", None, True, (1, (2, [])), {"a": {"b": [3]}}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back_in_every_protocol(protocol):
    allow = {("_codecs", "encode"): codecs.encode}
    assert restricted_load(pickle.dumps(PLAIN, protocol), allow) == PLAIN


def test_only_allowed_names_are_used():
    data = pickle.dumps(collections.OrderedDict(a=1))
    assert restricted_load(data, {("collections", "OrderedDict"): dict}) == {"a": 1}
    with pytest.raises(InputError, match=r"collections\.OrderedDict") as caught:
        restricted_load(data, {("collections", "deque"): collections.deque})
    assert caught.value.reason == "pickle.refused"


class _Runs:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [(os.system, "true"), (eval, "1"), (getattr, "a", "join"), (exec, "pass"), (__import__, "os"), (open, os.devnull)],
    ids=lambda call: call[0].__name__,
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_calls_are_refused_and_not_made(call, protocol):
    with pytest.raises(InputError) as caught:
        restricted_load(pickle.dumps(_Runs(*call), protocol), {})
    assert caught.value.reason == "pickle.refused"


def test_dotted_names_do_not_reach_into_an_allowed_object():
    data = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93."
    with pytest.raises(InputError, match=r"OrderedDict\.__init__"):
        restricted_load(data, {("collections", "OrderedDict"): dict})


def test_extension_codes_and_outside_objects_are_refused():
    for data in (b"\x80\x02\x82\x01.", b"P1\n.", b"\x80\x02K\x01Q."):
        with pytest.raises(InputError):
            restricted_load(data, {})


class Holder:
    pass


def twice(value, factor=2):
    return factor * value


def test_a_pickle_cannot_change_what_it_was_lent():
    """BUILD with a state of two parts sets attributes of whatever lies on the stack, classes and functions too."""
    allow = {("m", "Holder"): Holder, ("m", "twice"): twice}
    for name, attribute, value in (("Holder", "evil", 1), ("twice", "__defaults__", (5,))):
        state = pickle.dumps((None, {attribute: value}), 2)[2:-1]
        data = b"\x80\x02cm\n" + name.encode() + b"\n" + state + b"b."
        with contextlib.suppress(InputError):
            restricted_load(data, allow)
    assert not hasattr(Holder, "evil") and twice(3) == 6


@pytest.mark.parametrize("opcode", [b"r\xff\xff\xff\x7f", b"p2000000000\n", b"p-1\n"])
def test_a_memo_that_would_fill_the_memory_is_refused(opcode):
    with pytest.raises(InputError) as caught:
        restricted_load(b"\x80\x02N" + opcode + b".", {})
    assert caught.value.reason == "pickle.damaged"


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b".", b"\x80\x02", b"(((", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
     b"\x80\x03B\xff\xff\xff\x7fab.", b"\x80\x02}]s.", b"I" + b"9" * 5000 + b"\n.", b"\x80\x63N."],
)  # fmt: skip
def test_broken_pickles_are_damaged_and_nothing_else(data):
    with pytest.raises(InputError) as caught:
        restricted_load(data, {})
    assert caught.value.reason == "pickle.damaged"


def test_every_cut_of_a_pickle_is_damaged():
    data = pickle.dumps(PLAIN, 4)
    for end in range(len(data)):
        with pytest.raises(InputError):
            restricted_load(data[:end], {})


def test_strings_of_python_2_may_stay_bytes():
    assert restricted_load(b"\x80\x02U\x03\xff\xd8\x00q\x00.", {}, encoding="bytes") == b"\xff\xd8\x00"


def test_deep_nests_do_not_break_the_interpreter():
    depth = sys.getrecursionlimit() * 20
    found = restricted_load(b"\x80\x02" + b"(" * depth + b"t" * depth + b".", {})
    assert isinstance(found, tuple)
