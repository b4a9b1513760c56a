"""A learnt model as bytes: its scores go on exactly, and its bytes can run nothing."""

import os
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.anomaly import looks_at_one_value, make_detector
from engine.model_state import UntrustedState, decode, encode

MODELS = {
    "trees": ("HalfSpaceTrees", {"n_trees": 5, "height": 4, "window_size": 15, "seed": 7}),
    "limited trees": (
        "HalfSpaceTrees",
        {"n_trees": 3, "height": 3, "window_size": 10, "seed": 1, "limits": {"x0": (-5.0, 5.0)}},
    ),
    "scorer": ("GaussianScorer", {"window_size": 20, "grace_period": 5}),
    "endless scorer": ("GaussianScorer", {"window_size": None, "grace_period": 5}),
    "quantile": (
        "QuantileFilter",
        {
            "q": 0.9,
            "anomaly_detector": {
                "detector": "HalfSpaceTrees",
                "parameters": {"n_trees": 3, "height": 3, "window_size": 10, "seed": 2},
            },
        },
    ),
    "threshold": (
        "ThresholdFilter",
        {
            "threshold": 0.97,
            "anomaly_detector": {
                "detector": "GaussianScorer",
                "parameters": {"window_size": 30, "grace_period": 4},
            },
        },
    ),
}
values = st.lists(st.floats(-10, 10), min_size=1, max_size=60)


def step(name: str, model: object, value: float) -> float:
    """Score a value, then learn it, as the anomaly room does."""
    detector, parameters = MODELS[name]
    single = looks_at_one_value(detector, parameters)
    arguments = (None, value) if single else ({"x0": value},)
    score = float(model.score_one(*arguments))
    model.learn_one(*arguments)
    return score


@pytest.mark.parametrize("name", MODELS)
@given(values=values, at=st.integers(0, 60))
def test_a_model_read_from_its_bytes_goes_on_exactly(name, values, at):
    """A restart must not change what is unusual."""
    detector, parameters = MODELS[name]
    model = make_detector(detector, parameters)
    for value in values[:at]:
        step(name, model, value)
    again = decode(encode(model))
    expected = [step(name, model, value) for value in values[at:]]
    assert [step(name, again, value) for value in values[at:]] == expected


def cells(*cells: list[object]) -> bytes:
    return msgpack.packb([1, 0, list(cells)], use_bin_type=True)


FOREIGN = [
    "os:system",
    "posix:system",
    "builtins:eval",
    "builtins:exec",
    "builtins:getattr",
    "builtins:__import__",
    "subprocess:Popen",
    "pathlib:Path",
    # Through a module that a trusted one has imported.
    "random:_os.system",
    "collections:_sys.exit",
    "river.base:base.inspect.os.system",
    "numpy.random:mtrand.np.load",
    "river.anomaly.hst:collections.abc.sys.exit",
    "functools:partial.__new__",
    "river.no_such_module:Thing",
    "river.anomaly:NoSuchClass",
    "random:Random.__init__.__globals__",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_bytes_that_name_a_foreign_thing_are_refused(name, tmp_path):
    """Whoever can write the folder can spoil a model, but cannot have the engine run anything."""
    mark = tmp_path / "was-here"
    command = ["=", f"touch {mark}"]
    for root in (["c", name], ["o", name, 1, 3, None, None]):
        with pytest.raises(UntrustedState):
            decode(cells(root, ["t", [2]], command, ["=", None]))
    assert not mark.exists()


@pytest.mark.parametrize("function", ["river.stream:iter_csv", "river.datasets:ImageSegments.path"])
def test_functions_of_trusted_packages_are_not_called(function, tmp_path):
    """Only classes are built: a package has many functions that read and write files."""
    with pytest.raises(UntrustedState):
        decode(cells(["o", function, 1, 3, None, None], ["t", [2]], ["=", "x"], ["=", None]))


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x00",
        b"not msgpack at all",
        msgpack.packb([2, 0, []]),
        msgpack.packb([1, 0, []]),
        msgpack.packb([1, 5, [["=", 1]]]),
        msgpack.packb([1, 0, [["?", 1]]]),
        msgpack.packb({"a": 1}),
        cells(["l", [7]]),
        cells(["t", [0]]),
        cells(["n", "O", [1], b"12345678", True]),
        cells(["n", "<f8", [9], b"1234", True]),
        cells(["o", "random:Random", 1, 1, None, None], ["=", 3]),
    ],
)
def test_spoilt_bytes_are_refused_with_one_kind_of_error(packed):
    """Whatever is wrong with them: the caller has one thing to catch, and a model to begin anew."""
    with pytest.raises(UntrustedState):
        decode(packed)


def test_what_has_no_state_of_its_own_cannot_be_written(tmp_path: Path):
    with (tmp_path / "x").open("w") as file, pytest.raises((TypeError, UntrustedState)):
        encode({"file": file})
    with pytest.raises(UntrustedState):
        encode({"function": os.system})
