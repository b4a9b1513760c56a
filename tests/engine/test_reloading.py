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

    def __init__(self, folder: Path) -> None:
        shutil.copytree(MINE.parent, folder / "mine")
        self.config = folder / "mine" / "engine.yaml"
        self.pack = folder / "mine" / "packs" / "coal-gas.yaml"
        today = assemble(self.read())
        self.sets = RuleSets(Activations(folder / "activations", 0), today)
        self.sets.judges(0, today.digest)
        self.meters = Meters(["methane"])
        self.written: list[str | None] = []
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
    watcher = Watcher(loading.reloader)
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
