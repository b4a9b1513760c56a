"""Where each sensor lies: whole sites, one range for each type and site, nobody twice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.layout import Layout, lay_out, shard_of_sites
from engine.registry import Catalogue
from tests.engine.plants import Sensor, catalogue_of, kind

TYPES = [kind("gas"), kind("flow"), kind("unused"), kind("wave")]
places = st.tuples(st.sampled_from(["gas", "flow", "wave"]), st.integers(0, 5), st.integers(0, 3))
catalogues = st.lists(places, min_size=1, max_size=40).map(
    lambda rows: catalogue_of(
        TYPES,
        [Sensor(f"s{n}", t, f"site {s}", f"gateway {g}") for n, (t, s, g) in enumerate(rows)],
    )
)
shards = st.integers(1, 4)


def layouts(catalogue: Catalogue, count: int) -> list[Layout]:
    return [lay_out(catalogue, number, count) for number in range(count)]


@given(catalogue=catalogues, count=shards)
def test_every_sensor_lies_in_one_shard_with_its_whole_site(catalogue, count):
    """Rules about one site never need a second shard."""
    owner = np.full(len(catalogue.sensors.name), -1)
    for number, layout in enumerate(layouts(catalogue, count)):
        mine = np.flatnonzero(layout.dense >= 0)
        assert np.all(owner[mine] == -1)
        owner[mine] = number
        np.testing.assert_array_equal(np.sort(layout.dense[mine]), np.arange(mine.size))
        np.testing.assert_array_equal(layout.sensor[layout.dense[mine]], mine)
    np.testing.assert_array_equal(owner, shard_of_sites(catalogue, count)[catalogue.sensors.site])


@given(catalogue=catalogues, count=shards)
def test_types_and_sites_are_ranges_of_rows(catalogue, count):
    """A sweep over the sites that are ready is a sweep over a few ranges."""
    sensors = catalogue.sensors
    for layout in layouts(catalogue, count):
        np.testing.assert_array_equal(layout.site[layout.site_of], sensors.site[layout.sensor])
        for bank, number in enumerate(layout.bank_type):
            rows = np.arange(layout.bank_start[bank], layout.bank_start[bank + 1])
            assert rows.size > 0
            assert np.all(sensors.type[layout.sensor[rows]] == number)
            assert layout.site_rows[bank, 0] == 0
            assert layout.site_rows[bank, -1] == rows.size
            for site in range(layout.site.size):
                low, high = layout.site_rows[bank, site : site + 2]
                assert np.all(layout.site_of[rows[low:high]] == site)
            # In the order of the catalogue within a site.
            for site in range(layout.site.size):
                low, high = layout.site_rows[bank, site : site + 2]
                assert np.all(np.diff(layout.sensor[rows[low:high]]) > 0)
        assert layout.bank_start[-1] == layout.sensor.size


@given(catalogue=catalogues, count=shards)
def test_links_are_the_gateways_of_each_site(catalogue, count):
    """A gateway that serves two sites holds back each by what it sends from there."""
    sensors = catalogue.sensors
    for layout in layouts(catalogue, count):
        for row, sensor in enumerate(layout.sensor):
            link = layout.link_of[row]
            assert layout.link_site[link] == layout.site_of[row]
            assert layout.link_gateway[link] == sensors.gateway[sensor]
        for site in range(layout.site.size):
            low, high = layout.site_links[site : site + 2]
            assert np.all(layout.link_site[low:high] == site)
            here = sensors.gateway[sensors.site == layout.site[site]]
            assert set(layout.link_gateway[low:high].tolist()) == set(here.tolist())


def test_new_sites_move_no_old_one():
    """The shard follows from the site's name alone."""
    names = [f"site {n}" for n in range(50)]
    few = catalogue_of(TYPES, [Sensor(n, site=n) for n in names[:20]])
    many = catalogue_of(TYPES, [Sensor(n, site=n) for n in reversed(names)])
    before = dict(zip(few.sites.name, shard_of_sites(few, 4).tolist(), strict=True))
    after = dict(zip(many.sites.name, shard_of_sites(many, 4).tolist(), strict=True))
    assert before == {name: after[name] for name in before}
    assert len(set(after.values())) == 4


def test_a_saved_state_of_another_numbering_is_told_apart():
    one = catalogue_of(TYPES, [Sensor("a"), Sensor("b", "flow")])
    other = catalogue_of(TYPES, [Sensor("b", "flow"), Sensor("a")])
    third = catalogue_of(TYPES, [Sensor("a"), Sensor("b", "flow"), Sensor("c")])
    digests = {lay_out(catalogue, 0, 1).digest for catalogue in (one, other, third)}
    assert len(digests) == 3
    assert lay_out(one, 0, 1).digest == lay_out(one, 0, 1).digest


def test_a_shard_without_sites_is_empty_and_harmless():
    catalogue = catalogue_of(TYPES, [Sensor("a", site="a")])
    owner = int(shard_of_sites(catalogue, 2)[0])
    empty = lay_out(catalogue, 1 - owner, 2)
    assert empty.sensor.size == 0
    assert empty.bank_type == ()
    assert np.all(empty.dense == -1)
