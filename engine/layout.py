"""Layout: where each sensor's state lies in a shard.

A shard owns whole sites.  Its sensors are numbered densely, by sensor type first (all sensors of
a type form a *bank*, and share a pane length, a lateness and a kind of line), then by site, then
in the order of the catalogue.  So a bank is one range of rows, a site within a bank is one range
of rows, and a sweep over the sites that are ready is a sweep over a few ranges.

A *link* is a gateway as seen by one site.  The clock of a site follows its links.
"""

import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.registry import Catalogue

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """The numbering of one shard.

    dense       int32[catalogue sensors]  row in this shard, -1 where another shard owns it
    sensor      int32[s]                  number in the catalogue of each row
    site_of     int32[s]                  site (numbered within the shard) of each row
    link_of     int32[s]                  link of each row
    site        int32[k]                  number in the catalogue of each site
    link_site   int32[l]                  site of each link; links of a site are neighbours
    link_gateway int32[l]                 number in the catalogue of the link's gateway
    site_links  int64[k + 1]              links of site k are site_links[k] : site_links[k + 1]
    bank_type   tuple                     sensor type of each bank (number in the catalogue)
    bank_start  int64[b + 1]              rows of bank b are bank_start[b] : bank_start[b + 1]
    site_rows   int64[b, k + 1]           rows of site k in bank b, counted from the bank's start
    """

    dense: Int32
    sensor: Int32
    site_of: Int32
    link_of: Int32
    site: Int32
    link_site: Int32
    link_gateway: Int32
    site_links: Int64
    bank_type: tuple[int, ...]
    bank_start: Int64
    site_rows: Int64

    @property
    def digest(self) -> str:
        """Tells two numberings apart; a saved state fits only the numbering it was saved under."""
        sums = hashlib.sha256()
        for column in (self.sensor, self.site_of, self.link_of, self.bank_start):
            sums.update(column.tobytes())
        return sums.hexdigest()


def shard_of_sites(catalogue: Catalogue, shard_count: int) -> Int32:
    """The shard that owns each site: int32[sites], by the site's name, so edits move nothing."""
    owner = [shard_of_name(name, shard_count) for name in catalogue.sites.name]
    return np.array(owner, dtype=np.int32)


def shard_of_name(site: str, shard_count: int) -> int:
    """The shard that owns a site, by the site's name alone."""
    return zlib.crc32(site.encode()) % shard_count


def lay_out(catalogue: Catalogue, shard: int, shard_count: int) -> Layout:
    """Number the sensors, sites and links that `shard` of `shard_count` owns."""
    return lay_out_sites(catalogue, shard_of_sites(catalogue, shard_count) == shard)


def lay_out_sites(catalogue: Catalogue, is_mine: NDArray[np.bool_]) -> Layout:
    """Number the sensors, sites and links of some sites.

    is_mine  bool[sites]
    """
    sensors = catalogue.sensors
    mine = np.flatnonzero(is_mine[sensors.site])
    order = np.lexsort((mine, sensors.site[mine], sensors.type[mine]))
    sensor = mine[order].astype(np.int32)
    dense = np.full(len(sensors.name), -1, dtype=np.int32)
    dense[sensor] = np.arange(sensor.size, dtype=np.int32)

    site, site_of = np.unique(sensors.site[sensor], return_inverse=True)
    pairs = site_of.astype(np.int64) << 32 | sensors.gateway[sensor]
    links, link_of = np.unique(pairs, return_inverse=True)
    link_site = (links >> 32).astype(np.int32)

    types, start = np.unique(sensors.type[sensor], return_index=True)
    bank_start = np.append(start, sensor.size).astype(np.int64)
    site_rows = np.zeros((types.size, site.size + 1), dtype=np.int64)
    for bank in range(types.size):
        rows_site = site_of[bank_start[bank] : bank_start[bank + 1]]
        site_rows[bank] = np.searchsorted(rows_site, np.arange(site.size + 1))
    return Layout(
        dense=dense,
        sensor=sensor,
        site_of=site_of.astype(np.int32),
        link_of=link_of.astype(np.int32),
        site=site.astype(np.int32),
        link_site=link_site,
        link_gateway=(links & 0xFFFFFFFF).astype(np.int32),
        site_links=np.searchsorted(link_site, np.arange(site.size + 1)).astype(np.int64),
        bank_type=tuple(int(t) for t in types),
        bank_start=bank_start,
        site_rows=site_rows,
    )
