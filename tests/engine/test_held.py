"""A gateway far behind holds its site back; somebody must be able to find out which."""

from structlog.testing import capture_logs

from engine.held import Held
from engine.meters import render
from tests.engine.plants import Plant, S, Sensor, book_of, catalogue_of, kind, rule_text, tick

RULE = rule_text("ladder: {value: mean(5s), above: {blue: 5}, deadband: 1}")
PLANT = Plant(
    catalogue_of(
        [kind(lateness_ns=S)],
        [
            Sensor("fast", gateway="new"),
            Sensor("slow", gateway="old"),
            Sensor("alone", site="b", gateway="other"),
        ],
    ),
    book_of(RULE),
    silence_ns=20 * S,
    tick_ns=None,
)


def test_one_old_time_is_said_with_site_and_gateway_until_it_is_over():
    """Windows that are not judged look like windows in which nothing happens."""
    shard = PLANT.shard()
    held = Held(PLANT.silence_ns)
    shard.advance([PLANT.points([("slow", 1, 1.0)]), PLANT.points([("alone", 500, 1.0)])])
    said = []
    with capture_logs() as logs:
        for second in range(1, 60):
            shard.advance([PLANT.points([("fast", second, 9.0)])])
            held.look([shard], shard.meters)
            said.append(shard.meters.sites_held)
            if shard.meters.sites_held:
                assert shard.meters.held_ns_max > PLANT.silence_ns
    # It is held by more than the silence, then the ring pulls it: for ever behind, not for long.
    assert 1 in said
    assert max(said) == 1
    [begun] = [line for line in logs if line["event"] == "site_held"][:1]
    assert (begun["site"], begun["gateway"]) == ("a", "old")
    assert begun["behind_s"] > 20
    assert [line["event"] for line in logs].count("site_held") == 1
    assert b"tocsin_sites_held 1.0" in render(shard.meters)

    with capture_logs() as logs:
        shard.advance([PLANT.points([("slow", 59, 1.0)])])
        held.look([shard], shard.meters)
    assert [(line["event"], line["site"], line["gateway"]) for line in logs] == [
        ("site_moves_again", "a", "old")
    ]
    assert (shard.meters.sites_held, shard.meters.held_ns_max) == (0, 0)


def test_a_tick_lets_a_silent_gateway_go():
    """With ticks nobody is held for longer than `silence`."""
    shard = PLANT.shard()
    held = Held(PLANT.silence_ns)
    shard.advance([PLANT.points([("slow", 1, 1.0)], received_ns=tick(1).now_ns)])
    with capture_logs() as logs:
        for second in range(1, 60):
            shard.advance([PLANT.points([("fast", second, 9.0)]), tick(second)])
            held.look([shard], shard.meters)
    assert logs == []
    assert shard.meters.sites_held == 0
