"""Held: sites whose clock waits for a gateway that is far behind the others of its site.

A site waits for its slowest gateway.  One that sends a single old time and then nothing holds its
site back until it has been silent for `silence`, and where no tick moves the clock (`clock:
event`), until the ring of panes is full and pulls it (decision 0006).  Meanwhile windows there are
judged late, which looks like calm; so it is counted, and said once with the names of both.
"""

from collections.abc import Iterable

import structlog

from engine.meters import Meters
from engine.shard import Shard

NS_PER_S = 1_000_000_000

log = structlog.get_logger()


class Held:
    """What the last look has said, by site."""

    __slots__ = ("said", "silence_ns")

    def __init__(self, silence_ns: int) -> None:
        self.silence_ns = silence_ns
        self.said: dict[str, str] = {}

    def look(self, shards: Iterable[Shard], meters: Meters) -> None:
        """Count sites that are held back by more than `silence`; say which are new, which over."""
        held: dict[str, tuple[str, int]] = {}
        longest_ns = 0
        for shard in shards:
            sites, gateways = shard.catalogue.sites.name, shard.catalogue.gateways.name
            for site_number, gateway_number, held_ns in shard.clock.held():
                longest_ns = max(longest_ns, held_ns)
                if held_ns > self.silence_ns:
                    held[sites[site_number]] = (gateways[gateway_number], held_ns)
        meters.sites_held = len(held)
        meters.held_ns_max = longest_ns
        for name, (gateway, held_ns) in held.items():
            if self.said.get(name) != gateway:
                log.warning("site_held", site=name, gateway=gateway, behind_s=held_ns / NS_PER_S)
        for name in self.said.keys() - held.keys():
            log.info("site_moves_again", site=name, gateway=self.said[name])
        self.said = {name: gateway for name, (gateway, _) in held.items()}
