"""A full disk is said, but not five times a second."""

from structlog.testing import capture_logs

from engine.fullness import NS_PER_S, REMIND_EVERY_NS, Fullness
from engine.meters import Meters


def test_a_full_disk_is_said_once_then_each_minute_and_when_it_is_over():
    """A log that fills with one line hides all others, and may itself be on the full disk."""
    meters = Meters(["methane"])
    fullness = Fullness("egress", meters)
    fullness.has_room(0)
    with capture_logs() as said:
        # Five minutes and a half, five times a second.
        for step in range(5 * 330):
            fullness.is_full("no room", step * NS_PER_S // 5)
            assert fullness.reason == "no room"
            assert meters.disk_full == {"egress": 1}
        fullness.has_room(330 * NS_PER_S)
        fullness.has_room(331 * NS_PER_S)

    assert [(line["event"], line["full_for_s"]) for line in said] == [
        *(("egress_full", 60 * minute) for minute in range(6)),
        ("egress_has_room", 330),
    ]
    assert fullness.reason == ""
    assert meters.disk_full == {"egress": 0}
    assert REMIND_EVERY_NS == 60 * NS_PER_S
