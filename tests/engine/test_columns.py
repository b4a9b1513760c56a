"""What was sent is one kind of column, however it came: nothing waits for the compiler twice."""

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, Readings, Series


def journal_view(count: int) -> NDArray[np.float32]:
    """Values as the reader of the journal gives them."""
    return np.frombuffer(bytes(4 * count), dtype=np.float32)


def test_columns_of_a_test_are_like_those_of_the_journal():
    """The warm-up compiles for its own columns; a first frame must find those kernels ready."""
    sensor, time_ns = np.zeros(3, np.int32), np.zeros(3, np.int64)
    own = np.zeros(3, dtype=np.float32)

    made = Readings(sensor, time_ns, own, np.zeros(3, np.uint8), 0)
    sent = Readings(sensor, time_ns, journal_view(3), np.zeros(0, np.uint8), 0)
    block = Series(sensor, 0, 1, own.reshape(3, 1), np.zeros((0, 0), np.uint8), 0)

    assert not made.value.flags.writeable
    assert not sent.value.flags.writeable
    assert not made.quality.flags.writeable
    assert not block.value.flags.writeable
    assert own.flags.writeable, "the one who made the column may go on using it"


def test_chosen_readings_are_as_they_were_sent():
    """Taking a frame apart copies, and a copy would be a column of another kind."""
    count = 4
    admitted = Admitted(
        *(np.zeros(count, np.int32), np.zeros(count, np.int64), journal_view(count)),
        *(np.zeros(count, np.uint8), np.zeros(count, np.int64), np.zeros(count, np.uint32)),
        *(np.zeros(count, np.int64), True),
    )
    assert not admitted.only(np.array([2, 0])).value.flags.writeable
