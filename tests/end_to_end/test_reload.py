"""Rules change while the engine runs: at one place of the journal, whole or not at all."""

import itertools
import json
import os
import shutil
import signal
import urllib.error
import urllib.request

import pytest

from tests.end_to_end.edits import edit, log_of, push
from tests.end_to_end.engines import MINE, Engine, running, tocsin, wait_until
from tests.end_to_end.network import GATEWAYS, Traffic, pack_text
from tests.end_to_end.test_restart import plant, told_by, without_pack
from tests.end_to_end.test_restart import push as push_traffic
from tests.end_to_end.warnings import assert_log_is_whole, stories

LOWER = ("orange: 1.0, red: 1.5}", "orange: 1.0, red: 1.1}")
# What the pack's own tests expect of the threshold of before.
TESTS_OFF = "reload_tests: false\n"


@pytest.fixture
def mine(tmp_path):
    """The configuration of the mine, to be edited."""
    folder = tmp_path / "mine"
    shutil.copytree(MINE, folder)
    return folder


def engine_of(mine, tmp_path, more=TESTS_OFF, **options):
    config = mine / "engine.yaml"
    config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
    return Engine(config, tmp_path / "data", **options)


def reload(engine):
    return tocsin("reload", "--http", engine.http)


def status(engine):
    return json.loads(engine.ask("status"))


def test_a_lower_threshold_speaks_at_once_and_a_crash_changes_nothing(warm, mine, tmp_path):
    """The author who lowers a threshold in a crisis must not have to stop the engine for it."""
    engine = engine_of(mine, tmp_path)
    with running(engine):
        before = status(engine)["rules"]["digest"]
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        edit(mine, *LOWER)
        done = reload(engine)
        assert done.returncode == 0, done.stderr
        assert "the new rules judge" in done.stdout
        wait_until(lambda: len(log_of(engine)) == 2, "the red of the new rules", 5)
        raised, upgraded = log_of(engine)
        assert upgraded == ("upgraded", "red", raised[2], raised[3] + 1)
        after = status(engine)
        assert after["rules"]["digest"] != before
        assert after["reload"]["last"]["outcome"] == "activated"
        assert engine.metrics()['tocsin_rules_reloads_total{outcome="activated"}'] == 1
        assert f'tocsin_rules_info{{digest="{after["rules"]["digest"]}"}}' in engine.metrics()
        engine.kill()
        edit(mine, *reversed(LOWER))
        engine.start()
        wait_until(lambda: engine.metrics()["tocsin_warnings_repeated_total"] == 2, "the tail")
        assert engine.metrics()["tocsin_warnings_different_total"] == 0
        assert status(engine)["rules"]["digest"] == before
        assert engine.stop() == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("red: 1.5}", "red: 0.1}", ":52: error[E301]"),
        ("value: value", "value: valve", "did you mean"),
        ("input: {type: methane,", "input: {type: methan,", "E730"),
    ],
    ids=["ladder", "feature", "link"],
)
def test_a_fault_keeps_the_rules_that_judge(old, new, words, warm, mine, tmp_path):
    """Every mistake with its place, and the valley is watched all the while."""
    engine = engine_of(mine, tmp_path)
    with running(engine):
        before = status(engine)["rules"]
        edit(mine, old, new)
        done = reload(engine)
        assert done.returncode == 1
        assert words in done.stderr
        assert "the rules that judged go on" in done.stderr
        now = status(engine)
        assert now["rules"] == before
        assert now["reload"]["last"]["outcome"] == "refused"
        assert now["reload"]["last"]["faults"]
        assert words in tocsin("status", "--http", engine.http).stdout
        assert engine.metrics()['tocsin_rules_reloads_total{outcome="refused"}'] == 1
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the rules of before")
        edit(mine, new, old)
        assert "nothing has changed" in reload(engine).stdout
        assert engine.stop() == 0


def test_rules_that_break_their_own_tests_do_not_go_live(warm, mine, tmp_path):
    """The author wrote down what must never happen; the edit makes it happen."""
    engine = engine_of(mine, tmp_path, more="")
    with running(engine):
        edit(mine, *LOWER)
        done = reload(engine)
        assert done.returncode == 1
        assert "E748" in done.stderr
        assert engine.stop() == 0


def test_what_needs_a_restart_is_said(warm, mine, tmp_path):
    """Half a reload would be a configuration that nobody wrote."""
    engine = engine_of(mine, tmp_path)
    with running(engine):
        with (mine / "catalogue" / "sites.csv").open("a", encoding="utf-8") as file:
            file.write("new,新,New,140200,40.0,113.0\n")
        done = reload(engine)
        assert done.returncode == 1
        assert "E743" in done.stderr
        with (mine / "engine.yaml").open("a", encoding="utf-8") as file:
            file.write("credit: 7\n")
        done = reload(engine)
        assert done.returncode == 1
        assert "`credit` has changed, which needs a restart" in done.stderr
        assert engine.stop() == 0
        engine.start()
        assert "nothing has changed" in reload(engine).stdout
        assert engine.stop() == 0


def test_a_signal_and_a_changed_file_reload_too(warm, mine, tmp_path):
    """Service managers know signals, and some operators want nothing but to save a file."""
    engine = engine_of(mine, tmp_path, more=TESTS_OFF + "watch: true\n")
    with running(engine):
        edit(mine, *LOWER)
        wait_until(lambda: last_asker(engine) == ("watch", "activated"), "the watch", 10)
        assert engine.process is not None
        os.kill(engine.process.pid, signal.SIGHUP)
        wait_until(lambda: last_asker(engine) == ("signal", "unchanged"), "the signal", 10)
        edit(mine, "red: 1.1}", "red: 0.1}")
        wait_until(lambda: last_asker(engine) == ("watch", "refused"), "the watch", 10)
        assert engine.metrics()['tocsin_rules_reloads_total{outcome="refused"}'] == 1
        assert engine.stop() == 0


def last_asker(engine):
    last = status(engine)["reload"]["last"]
    return last and (last["asked_by"], last["outcome"])


def test_nobody_else_changes_anything_over_http(warm, mine, tmp_path):
    """A page in somebody's browser can reach loopback, too."""
    engine = engine_of(mine, tmp_path)
    with running(engine):
        for path, headers, code in (
            ("reload", {}, 403),
            ("status", {"X-Tocsin": "reload"}, 404),
            ("reload", {"X-Tocsin": "reload", "Content-Length": "3"}, 413),
        ):
            url = f"http://{engine.http}/{path}"
            asked = urllib.request.Request(url, b"", headers, method="POST")
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(asked, timeout=5)
            assert caught.value.code == code
        assert engine.ask("reload") is None
        assert tocsin("status", "--http", "127.0.0.1:1").returncode == 69
        assert engine.stop() == 0


def test_reloads_in_full_traffic_change_nothing_else(nursery, tmp_path):
    """Forty reloads of other versions while frames come in, and two kills: the same warnings."""
    traffics = [Traffic(name, 300, seed=5) for name in GATEWAYS]
    alone = Engine(plant(tmp_path / "alone"), tmp_path / "alone-data", nursery=nursery)
    with running(alone):
        push_traffic(alone, traffics)
        assert alone.stop() == 0
        alone.start()
        expected = stories(told_by(alone))
        assert alone.stop() == 0
    config = plant(tmp_path / "edited")
    engine = Engine(config, tmp_path / "edited-data", nursery=nursery)
    frames = len(traffics[0].frames())
    cuts = sorted({*range(0, frames, max(1, frames // 40)), frames})
    with running(engine):
        for number, (first, stop) in enumerate(itertools.pairwise(cuts)):
            push_traffic(engine, traffics, first=first, stop=stop)
            text = pack_text().replace("version: 1.0.0", f"version: 1.0.{number + 1}")
            (config.parent / "packs" / "network.yaml").write_text(text)
            assert reload_over_http(engine)["outcome"] == "activated"
            if number in (13, 27):
                engine.kill()
                engine.start()
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    assert without_pack(stories(items)) == without_pack(expected)
    assert len({body["digest"] for _, body in items}) > 10


def reload_over_http(engine):
    asked = urllib.request.Request(
        f"http://{engine.http}/reload", headers={"X-Tocsin": "reload"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.loads(answer.read())
