"""A saved state is whole, or it is not there; damage is named, and nothing in it is run."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.errors import StoreError
from engine.store import MAGIC, Store

RECORD = np.dtype([("a", "i8"), ("b", "f4")])
COLUMNS: Mapping[str, np.ndarray] = {
    "clock/time_ns": np.arange(5, dtype=np.int64),
    "bank/ring": np.arange(24, dtype=np.float64).reshape(2, 3, 4),
    "latch/line": np.ones(3, dtype=RECORD),
    "nobody": np.zeros((0, 4)),
    "flag": np.array([True, False]),
}
columns = st.dictionaries(
    st.text(min_size=1, max_size=20),
    hnp.arrays(
        st.sampled_from([np.int64, np.float32, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
    ),
    max_size=5,
)


def saved(folder: Path, number: int = 1) -> Store:
    store = Store(folder, "shard-000")
    store.save(number, {"note": "kept", "count": number}, COLUMNS)
    return store


@given(columns=columns)
def test_what_is_saved_is_loaded(columns, tmp_path_factory):
    """Bit for bit, NaN included: the shard goes on from it."""
    store = Store(tmp_path_factory.mktemp("state"), "shard-000")
    size_bytes = store.save(7, {"rules": ["a"]}, columns)
    snapshot = store.load(7)
    assert snapshot.facts == {"rules": ["a"]}
    assert list(snapshot.columns) == list(columns)
    for name, column in columns.items():
        assert snapshot.columns[name].dtype == column.dtype
        assert snapshot.columns[name].shape == column.shape
        assert snapshot.columns[name].tobytes() == column.tobytes()
    [path] = store.folder.glob("*.state")
    assert path.stat().st_size == size_bytes


def test_records_come_back_as_bytes_of_the_same_size(tmp_path):
    """Whoever restores them knows their fields; nothing in the file decides how they are read."""
    snapshot = saved(tmp_path).load(1)
    np.testing.assert_array_equal(
        snapshot.columns["latch/line"].view(RECORD), COLUMNS["latch/line"]
    )


def test_damage_anywhere_is_named(tmp_path):
    """A disk that rots must not turn into warnings, or into none."""
    store = saved(tmp_path)
    path = store.folder / "shard-000-000000000001.state"
    whole = path.read_bytes()
    regions = [0, len(MAGIC), len(MAGIC) + 4, len(MAGIC) + 12, 200, len(whole) // 2]
    regions += [len(whole) - 5, len(whole) - 4, len(whole) - 1]
    for at in [*regions, *range(0, len(whole), 37)]:
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x40
        path.write_bytes(spoilt)
        with pytest.raises(StoreError, match=path.name):
            store.load(1)
    path.write_bytes(whole)
    assert store.load(1).facts["note"] == "kept"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_is_named(share, tmp_path):
    store = saved(tmp_path)
    path = store.folder / "shard-000-000000000001.state"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StoreError, match=path.name):
        store.load(1)


def test_a_snapshot_that_is_not_there_says_which_are(tmp_path):
    store = saved(tmp_path, 4)
    with pytest.raises(StoreError, match=r"snapshot 9 is not there \(there: 4\)"):
        store.load(9)


def test_another_format_is_refused_by_its_number(tmp_path):
    store = saved(tmp_path)
    path = store.folder / "shard-000-000000000001.state"
    body = bytearray(path.read_bytes()[:-4])
    body[len(MAGIC)] = 2
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little"))
    with pytest.raises(StoreError, match="format version 2, this engine reads 1"):
        store.load(1)


def test_the_two_last_are_kept_of_each_shard(tmp_path):
    """Bytewax has committed one, and may be committing the other just now."""
    store, other = Store(tmp_path, "shard-000"), Store(tmp_path, "shard-001")
    other.save(1, {}, COLUMNS)
    for number in range(1, 6):
        store.save(number, {}, COLUMNS)
    assert store.numbers() == [4, 5]
    assert other.numbers() == [1]


def test_going_back_keeps_what_was_gone_back_to(tmp_path):
    """After a crash the engine starts from the committed state and writes the newer one again."""
    store = Store(tmp_path, "shard-000")
    for number in (3, 4, 5):
        store.save(number, {"life": 1}, COLUMNS)
    store.save(5, {"life": 2}, COLUMNS)
    assert store.numbers() == [4, 5]
    assert store.load(5).facts == {"life": 2}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_crash_before_the_rename_leaves_the_old_snapshots(share, tmp_path):
    """A half-written state must never be taken for a whole one; nor a whole one without a name."""
    store = saved(tmp_path, 1)
    whole = (store.folder / "shard-000-000000000001.state").read_bytes()
    draft = store.folder / "shard-000-000000000002.draft"
    draft.write_bytes(whole[: int(len(whole) * share)])

    again = Store(tmp_path, "shard-000")
    assert again.numbers() == [1]
    assert again.load(1).facts["note"] == "kept"
    again.save(2, {"life": 2}, COLUMNS)
    assert again.load(2).facts == {"life": 2}
    assert not list(tmp_path.glob("*.draft"))


def test_nothing_in_a_snapshot_is_run(tmp_path):
    """A column may not be of Python objects: that would be a pickle."""
    store = saved(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        store.save(2, {}, {"evil": np.array([object()], dtype=object)})
    assert store.numbers() == [1]
