"""Check: what would be refused at the start, found without starting, and what it will cost.

A path is an engine.yaml (with its catalogue, its rules, and the links between them), a catalogue
folder, a rule pack, or a folder of any of these.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from engine import config as configuration
from engine import registry
from engine.amounts import day_of
from engine.calendars import ZONE_DEFAULT, CalendarError, read_zone
from engine.config import EngineConfig
from engine.errors import EXIT_FINDINGS, EXIT_OK, ConfigError, UsageError
from engine.links import link_faults, read_model_feature
from engine.pages import PAGES
from engine.point_links import point_notes
from engine.registry import Catalogue
from engine.sorts import sorts_of
from engine.titles_zh import TITLES as ENGINE_TITLES
from rules import book as rule_book
from rules.bill import bill
from rules.errors import Faults, Place
from rules.expression import Feature
from rules.pack import Book
from rules.phrases import Language
from rules.plan import Plan, make_plan
from rules.reports import Format, report
from rules.titles_zh import TITLES
from rules.yaml_text import MapNode, read_file

NS_PER_S: Final = 1_000_000_000
NS_PER_DAY: Final = 86_400 * NS_PER_S
EXIT_WARNINGS: Final = 3
# What `--notes` says beside faults.
LIVE_NOTES: Final = frozenset({"N501", "N504"})

# A points reading: sensor 4, time 4, value 8; and 1 for the header that it shares with the
# other readings of its frame (a record of about 250 bytes over 256 readings).
POINT_BYTES: Final = 17
# A waveform sample has its value only; sensors and times stand once in a frame.
SAMPLE_BYTES: Final = 8


PACK_LINE: Final = re.compile(rb"^tocsin:", re.MULTILINE)
HEAD_BYTES: Final = 16 * 1024


@dataclass(slots=True)
class Found:
    """What there is to check: engine.yamls, and what none of them covers."""

    configs: list[Path] = field(default_factory=list)
    catalogues: list[Path] = field(default_factory=list)
    packs: list[Path] = field(default_factory=list)


def check(
    paths: Sequence[Path],
    sets: Sequence[str] = (),
    *,
    deny_warnings: bool,
    form: Format,
    language: Language,
    notes: bool = False,
) -> int:
    """Check everything that the paths name; returns 0, 1 with errors, 3 with denied warnings.

    notes  say also what is no fault, and worth a look: N501, N504; they deny nothing
    """
    began_s = time.perf_counter()
    found = Found()
    for path in paths:
        if not path.exists():
            message = f"there is no file or folder `{path}`"
            raise UsageError(message)
        _discover(path, found, is_named=True)
    faults, bills = _examine(found, sets, time.time_ns(), notes=notes)
    errors = faults.errors()
    warnings = [fault for fault in faults.warnings() if fault.code not in LIVE_NOTES]
    titles = {**TITLES, **ENGINE_TITLES} if language == "zh" else None
    causes = {code: page.title for code, page in PAGES.items()}
    text = report(faults, form, titles, causes)
    if form != "text":
        click.echo(text)
    else:
        for part in (text, *bills):
            if part:
                click.echo(part)
                click.echo()
        click.echo(_verdict(len(errors), len(warnings), found, time.perf_counter() - began_s))
    if errors:
        return EXIT_FINDINGS
    return EXIT_WARNINGS if warnings and deny_warnings else EXIT_OK


def packs_in(paths: Sequence[Path]) -> list[Path]:
    """Return the rule packs that paths name: packs, folders of them, and those of engine.yamls."""
    found = Found()
    for path in paths:
        _discover(path, found, is_named=True)
    packs = dict.fromkeys(found.packs)
    for path in found.configs:
        config, faults = configuration.examine(path)
        if config is None:
            raise ConfigError(faults)
        known = {pack.resolve() for pack in packs}
        for entry in config.rules:
            files = sorted(entry.rglob("*.y*ml")) if entry.is_dir() else [entry]
            packs |= {file: None for file in files if file.resolve() not in known}
    if not packs:
        message = f"no rule packs in {', '.join(map(str, paths))}"
        raise UsageError(message)
    return list(packs)


def _discover(path: Path, found: Found, *, is_named: bool) -> None:
    """Sort a path into what it is; folders that are neither are searched."""
    if path.is_file():
        if is_named or path.suffix in (".yaml", ".yml"):
            is_config = _is_config(path)
            (found.configs if is_config else found.packs).append(path)
        return
    if any((path / name).exists() for name in registry.FILES):
        found.catalogues.append(path)
        return
    for child in sorted(path.iterdir()):
        if not child.name.startswith("."):
            _discover(child, found, is_named=False)


def _is_config(path: Path) -> bool:
    """An engine.yaml has no `tocsin:` key; its name settles it when it cannot be read."""
    if path.name == "engine.yaml":
        return True
    with path.open("rb") as stream:
        # A pack says so in its first lines, and need not be read twice.
        if PACK_LINE.search(stream.read(HEAD_BYTES)):
            return False
    root = read_file(path, Faults())
    return isinstance(root, MapNode) and root.get("tocsin") is None and root.get("rules") is None


def _examine(
    found: Found, sets: Sequence[str], now_ns: int, *, notes: bool
) -> tuple[Faults, list[str]]:
    """Look at everything once; what an engine.yaml names is not looked at a second time."""
    faults = Faults()
    bills: list[str] = []
    covered: set[Path] = set()
    for path in found.configs:
        config, wrong = configuration.examine(path, sets)
        faults.extend(wrong)
        if config is None:
            continue
        today = _today(now_ns, config.time_zone)
        covered.add(config.catalogue.resolve())
        covered.update(entry.resolve() for entry in config.rules)
        catalogue, wrong = registry.examine(config.catalogue)
        faults.extend(wrong)
        book = rule_book.load([e for e in config.rules if e.exists()], today=today)
        faults.extend(book.faults)
        if catalogue is None:
            continue
        links = link_faults(config, catalogue, book)
        faults.extend(links)
        if notes:
            faults.extend(point_notes(book, catalogue))
        if not any(fault.is_error for fault in [*links, *book.faults]):
            bills.append(bill_text(config, catalogue, book))
    for path in found.catalogues:
        if path.resolve() not in covered:
            faults.extend(registry.examine(path)[1])
    loose = [path for path in found.packs if covered.isdisjoint([path.resolve(), *_above(path)])]
    if loose:
        faults.extend(rule_book.load(loose, today=_today(now_ns, ZONE_DEFAULT)).faults)
    return faults, bills


def _today(now_ns: int, time_zone: str) -> str:
    """The day in a zone; in the usual one where the zone is none, which is said elsewhere."""
    try:
        return day_of(now_ns, read_zone(time_zone))
    except CalendarError:
        return day_of(now_ns, read_zone(ZONE_DEFAULT))


def _above(path: Path) -> list[Path]:
    return list(path.resolve().parents)


def plan_of(config: EngineConfig, catalogue: Catalogue, book: Book) -> Plan:
    """Return the plan that an engine with this configuration would make."""
    nowhere = Place(str(config.path), 0, 0)
    asked: list[tuple[str, Feature]] = [
        (name, read_model_feature(text, nowhere))
        for model in config.models
        for name in model.types
        for text in model.features
    ]
    return make_plan(
        book,
        sorts_of(catalogue),
        silence_ns=config.silence_ns,
        tick_ns=NS_PER_S if config.clock == "wall" else None,
        model_features=asked,
    )


def bill_text(config: EngineConfig, catalogue: Catalogue, book: Book) -> str:
    """Return what a configuration costs: memory by sensor type, journal, longest wait."""
    plan = plan_of(config, catalogue, book)
    lines = bill(plan)
    counts = (
        f"{_count(len(catalogue.sensors.name), 'sensor')} of {_count(len(lines), 'type')}, "
        f"{_count(len(catalogue.sites.name), 'site')}, "
        f"{_count(len(catalogue.gateways.name), 'gateway')}, "
        f"{_count(len(plan.rules), 'rule')} in {_count(len(book.packs), 'pack')}"
    )
    heading = f"{'type':<24}{'sensors':>10}{'rules':>7}{'pane':>9}{'decides in':>12}"
    text = [f"{config.path}: {counts}", f"  {heading}{'bytes/sensor':>14}{'memory':>12}"]
    wait_ns = {bank.sort.name: bank.pane_ns + bank.sort.lateness_ns for bank in plan.banks}
    for line in lines:
        row = f"{line.sensor_type:<24}{line.sensor_count:>10}{line.rule_count:>7}"
        row += f"{_seconds(line.pane_ns):>9}{_seconds(wait_ns[line.sensor_type]):>12}"
        text.append(f"  {row}{line.bytes_per_sensor:>14}{_bytes(line.total_bytes):>12}")
    total_bytes = sum(line.total_bytes for line in lines)
    sensors = sum(line.sensor_count for line in lines)
    mean = total_bytes // max(1, sensors)
    text.append(f"  {'total':<24}{sensors:>10}{'':>28}{mean:>14}{_bytes(total_bytes):>12}")
    return "\n".join([*text, _journal_text(config, catalogue)])


def _journal_text(config: EngineConfig, catalogue: Catalogue) -> str:
    """Return the journal per day: each sensor once a period, as bytes of the frames it comes in."""
    day_bytes = 0.0
    bare_count = 0
    for number, sensor_type in enumerate(catalogue.types):
        mine = catalogue.sensors.period_ns[catalogue.sensors.type == number]
        known = mine[mine > 0]
        bare_count += mine.size - known.size
        per_reading = SAMPLE_BYTES if sensor_type.kind == "waveform" else POINT_BYTES
        day_bytes += per_reading * float((NS_PER_DAY / known).sum())
    kept = day_bytes * config.keep_ns / NS_PER_DAY
    text = f"  journal: {_bytes(day_bytes)} a day, {_bytes(kept)} kept for "
    text += _seconds(config.keep_ns)
    return f"{text} (without {bare_count} sensors that have no period)" if bare_count else text


def _verdict(error_count: int, warning_count: int, found: Found, took_s: float) -> str:
    what = [
        _count(len(entries), word)
        for entries, word in (
            (found.configs, "configuration"),
            (found.catalogues, "catalogue"),
            (found.packs, "rule pack"),
        )
        if entries
    ]
    errors, warnings = _count(error_count, "error"), _count(warning_count, "warning")
    return f"{errors}, {warnings} in {', '.join(what) or 'nothing'} ({took_s:.2f} s)"


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _bytes(amount: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _seconds(amount_ns: int) -> str:
    for factor_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if amount_ns >= factor_s * NS_PER_S and amount_ns % (factor_s * NS_PER_S) == 0:
            return f"{amount_ns // (factor_s * NS_PER_S)} {unit}"
    return f"{amount_ns / NS_PER_S:g} s"
