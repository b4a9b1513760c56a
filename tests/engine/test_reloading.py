"""Loading rules beside the flow: one at a time, whole or not at all, and nobody waits for ever."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine import segments
from engine.activations import Activations, digest_in
from engine.assembly import assemble
from engine.config import EngineConfig, load
from engine.disk import PosixDisk
from engine.errors import JournalError
from engine.journal import Journal, JournalFull, JournalSettings
from engine.meters import Meters
from engine.orders import Orders
from engine.reloading import Busy, Reloader
from engine.rule_sets import RuleSets
from engine.status import Reception
from engine.watching import Watcher, look
from tests.engine.plants import MINE


class Loading:
    """A reloader whose journal is a list, and whose only shard swaps at once."""

    def __init__(self, folder: Path, overrides: str = "") -> None:
        shutil.copytree(MINE.parent, folder / "mine")
        self.config = folder / "mine" / "engine.yaml"
        self.pack = folder / "mine" / "packs" / "coal-gas.yaml"
        text = self.pack.read_text(encoding="utf-8")
        at = text.index("    ladder:")
        self.pack.write_text(text[:at] + overrides + text[at:], encoding="utf-8")
        # Of no day: all overrides hold, whenever this runs.
        today = assemble(self.read())
        self.sets = RuleSets(Activations(folder / "activations", 0), today)
        self.sets.activations.keep(today.manifest, today.texts, today.config.catalogue)
        self.sets.judges(0, today.digest)
        self.meters = Meters(["methane"])
        self.written: list[str | None] = []
        self.has_written = threading.Event()
        self.error: JournalError | None = None
        self.reloader = Reloader(self.sets, self.meters, read_config=self.read, write=self.write)

    def read(self) -> EngineConfig:
        return replace(load(self.config), reload_tests=False)

    def write(self, kind: int, header: bytes, body: bytes) -> int:
        assert kind == segments.RULES
        if self.error is not None:
            raise self.error
        digest = digest_in(header)
        assert digest is not None
        assert self.sets.activations.has(digest), "named before it was kept"
        self.written.append(digest)
        self.has_written.set()
        offset = 100 * len(self.written)
        self.sets.activated(offset, self.sets.assembly(digest))
        self.sets.judges(0, digest)
        return offset

    def edit(self, old: str, new: str) -> None:
        text = self.pack.read_text(encoding="utf-8")
        assert old in text
        self.pack.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    return Loading(tmp_path)


def test_nothing_changed_writes_nothing(loading):
    """A timer that reloads each minute must not fill the journal."""
    assert loading.reloader.reload("test").ending == "unchanged"
    assert loading.written == []


def test_a_good_set_is_kept_named_and_judges(loading):
    before = loading.sets.active
    loading.edit("red: 1.5}", "red: 1.4}")
    outcome = loading.reloader.reload("test")
    assert (outcome.ending, outcome.is_judging) == ("activated", True)
    assert loading.written == [outcome.digest]
    assert loading.sets.active.digest == outcome.digest != before.digest
    # The catalogue has not been touched, so nothing of it is read or numbered again.
    assert loading.sets.active.catalogue is before.catalogue
    assert loading.sets.active.layouts is before.layouts
    assert loading.sets.activations.last == outcome.digest
    assert loading.reloader.reload("test").ending == "unchanged"


def test_a_fault_writes_nothing_and_the_next_try_may_succeed(loading):
    loading.edit("red: 1.5}", "red: 0.1}")
    outcome = loading.reloader.reload("test")
    assert outcome.ending == "refused"
    assert [fault.code for fault in outcome.faults] == ["E301"]
    assert loading.written == []
    loading.edit("red: 0.1}", "red: 1.4}")
    assert loading.reloader.reload("test").ending == "activated"
    assert loading.meters.reloads == {"activated": 1, "unchanged": 0, "refused": 1, "failed": 0}


def test_a_full_disk_keeps_the_rules_that_judge(loading):
    """The record could not be written, so nothing has changed, and the next try tells more."""
    before = loading.sets.active.digest
    loading.edit("red: 1.5}", "red: 1.4}")
    loading.error = JournalFull("there is no room for the journal")
    outcome = loading.reloader.reload("test")
    assert (outcome.ending, outcome.digest) == ("failed", before)
    assert "no room" in outcome.reason
    loading.error = None
    assert loading.reloader.reload("test").ending == "activated"


def test_a_second_reload_is_told_that_one_runs(loading):
    """Two at once would race for which of them judges."""
    inside, go_on = threading.Event(), threading.Event()
    read = loading.reloader.read_config

    def slow() -> EngineConfig:
        inside.set()
        assert go_on.wait(20)
        return read()

    loading.reloader.read_config = slow
    loading.edit("red: 1.5}", "red: 1.4}")
    first = threading.Thread(target=loading.reloader.reload, args=("first",))
    first.start()
    assert inside.wait(20)
    with pytest.raises(Busy):
        loading.reloader.reload("second")
    reception = Reception(
        "mine", loading.sets, loading.reloader, write=loading.write, now_ns=lambda: 0
    )
    assert reception.reload()[0] == 409
    assert '"is_running": true' in reception.status()[1]
    go_on.set()
    first.join()
    assert reception.reload()[0] == 200
    assert loading.reloader.last.ending == "unchanged"


def test_a_file_is_loaded_once_it_has_settled(loading):
    """An editor writes in several goes; half a pack would be refused, and alarm somebody."""
    watcher = Watcher(loading.reloader, lambda: 0)
    watcher.look_again(look(loading.read()))
    assert loading.reloader.last is None
    loading.edit("red: 1.5}", "red: 1.45}")
    watcher.look_again(look(loading.read()))
    assert loading.reloader.last is None
    loading.edit("red: 1.45}", "red: 1.425}")
    watcher.look_again(look(loading.read()))
    assert loading.reloader.last is None
    watcher.look_again(look(loading.read()))
    assert loading.reloader.last.ending == "activated"
    assert len(loading.written) == 1
    # What is refused is not tried again each second.
    loading.edit("red: 1.425}", "red: 0.1}")
    for _ in range(5):
        watcher.look_again(look(loading.read()))
    assert loading.meters.reloads["refused"] == 1


def test_an_order_is_answered_when_it_is_durable_or_has_failed(tmp_path):
    """Who is told that rules judge must not find out after a power cut that they never did."""
    journal = Journal.open(tmp_path / "journal", JournalSettings(1 << 20, 0), PosixDisk())
    orders = Orders(journal, lambda: None)
    ends: list[int | str] = []

    def order() -> None:
        try:
            ends.append(orders.write(segments.RULES, b"activation x", b"", lambda: True))
        except JournalFull as error:
            ends.append(str(error))

    for fails in (False, True):
        waiting = threading.Thread(target=order)
        waiting.start()
        while journal.pending_bytes == 0:
            orders.take(1)
        assert len(ends) == fails
        if fails:
            journal.rollback()
            orders.settle(JournalFull("full"))
        else:
            journal.commit()
            orders.settle(None)
        waiting.join(20)
        assert not waiting.is_alive()
    assert ends == [journal.durable_offset, "full"]
    with pytest.raises(JournalError, match="does not run"):
        orders.write(segments.RULES, b"", b"", lambda: False)
    journal.close()


ENDING = """    overrides:
      - {match: {site: s0}, set: {ladder.above: {blue: 0.45}}, reason: a fan, until: 2026-11-30}
      - {match: {site: s1}, set: {ladder.above: {blue: 0.44}}, reason: a fan, until: 2026-12-05}
"""
DAY_NS = 86_400 * 1_000_000_000
# 2026-12-01 00:00 in China, where the demo mine is.
MIDNIGHT_NS = 1_796_054_400 * 1_000_000_000


@pytest.fixture
def ending(tmp_path: Path) -> Loading:
    """A set with two overrides, which the start has kept."""
    return Loading(tmp_path, ENDING)


def override_count(loading: Loading) -> int:
    return len(loading.sets.active.book.rules[0].overrides)


def test_an_override_ends_at_the_midnight_after_its_last_day(ending):
    """Whoever raised a threshold until today counts on it being back tomorrow."""
    assert ending.reloader.end_overrides(MIDNIGHT_NS - 1) is None
    assert override_count(ending) == 2
    outcome = ending.reloader.end_overrides(MIDNIGHT_NS)
    assert (outcome.ending, outcome.asked_by, outcome.is_judging) == ("activated", "midnight", True)
    assert override_count(ending) == 1
    # Once, and no record on days on which nothing ends.
    for later_ns in (1, DAY_NS, 5 * DAY_NS - 1):
        assert ending.reloader.end_overrides(MIDNIGHT_NS + later_ns) is None
    assert ending.reloader.end_overrides(MIDNIGHT_NS + 5 * DAY_NS).ending == "activated"
    assert override_count(ending) == 0
    assert len(ending.written) == 2


def test_a_running_engine_looks_at_the_calendar_by_itself(ending):
    """Nobody is there at midnight."""
    assert not ending.reloader.config.watch
    watcher = Watcher(ending.reloader, lambda: MIDNIGHT_NS)
    watcher.start()
    assert ending.has_written.wait(30.0)
    watcher.stop()
    assert override_count(ending) == 1
    assert ending.reloader.last is not None
    assert ending.reloader.last.asked_by == "midnight"


def test_what_ends_at_midnight_is_what_a_restart_and_a_replay_have(ending, tmp_path):
    """Killed a second before or after midnight, and played again next year: the same rules."""
    outcome = ending.reloader.end_overrides(MIDNIGHT_NS)
    restarted = assemble(ending.read(), today="2026-12-01")
    assert restarted.digest == outcome.digest == ending.sets.active.digest
    assert restarted.plan.digest == ending.sets.active.plan.digest
    assert ending.sets.active.catalogue is ending.sets.today.catalogue
    again = RuleSets(Activations(tmp_path / "activations", 10**9), ending.sets.today)
    replayed = again.assembly(outcome.digest)
    assert replayed.plan.digest == restarted.plan.digest
    assert ending.reloader.sets.activations.last == outcome.digest


def test_midnight_does_not_load_what_nobody_has_asked_for(ending):
    """An editor leaves half a file for the night; the override still ends, and nothing else."""
    ending.edit("red: 1.5}", "red: 0.1}")
    assert ending.reloader.end_overrides(MIDNIGHT_NS).ending == "activated"
    assert override_count(ending) == 1
    assert ending.sets.active.book.rules[0].overrides[0].until == "2026-12-05"
    assert ending.reloader.reload("test").ending == "refused"
    ending.edit("red: 0.1}", "red: 1.5}")


def test_a_full_disk_at_midnight_is_tried_again_in_a_minute(ending):
    ending.error = JournalFull("there is no room for the journal")
    assert ending.reloader.end_overrides(MIDNIGHT_NS).ending == "failed"
    assert override_count(ending) == 2
    ending.error = None
    minute_ns = 60 * 1_000_000_000
    assert ending.reloader.end_overrides(MIDNIGHT_NS + minute_ns - 1) is None
    assert ending.reloader.end_overrides(MIDNIGHT_NS + minute_ns).ending == "activated"
    assert override_count(ending) == 1
