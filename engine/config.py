"""Config: one engine.yaml becomes one frozen value; what it cannot mean is refused with its place.

Durations and sizes carry units in the file and are integers from here on. Relative paths are
relative to the file. No room reads the file, the command line or the environment again.

Layers, later wins: the defaults below, the file, `--set key=value`, `--data DIR`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.amounts import KIB, MIB, Duration, Size
from engine.calendars import ZONE_DEFAULT, CalendarError, read_zone
from engine.document import Document, Loc, read_document, validate
from engine.endpoints import endpoint_fault, http_fault
from engine.errors import ConfigError
from rules.errors import Fault

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_DAY: Final = 86_400 * NS_PER_S

Detector = Literal["HalfSpaceTrees", "GaussianScorer", "QuantileFilter", "ThresholdFilter"]
Scalar = bool | int | float | str
Parameter = Scalar | dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One online model: which detector, of which sensors, fed with which features."""

    name: str
    detector: Detector
    parameters: dict[str, Parameter]
    types: tuple[str, ...]
    sites: tuple[str, ...]
    features: tuple[str, ...]
    limit: float
    version: str = ""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything an engine is told before its first frame."""

    path: Path
    engine: str
    data: Path
    catalogue: Path
    rules: tuple[Path, ...]
    intake: str
    warnings: str
    replay: str
    http: str
    security: Literal["none"]
    clock: Literal["wall", "event"]
    status: Literal["actual", "exercise", "test"]
    shards: int
    silence_ns: int
    future_max_ns: int
    frame_bytes_max: int
    credit: int
    snapshot_every_ns: int
    commit_bytes: int
    commit_ns: int
    segment_bytes: int
    keep_ns: int
    watch: bool
    reload_tests: bool
    models: tuple[ModelConfig, ...]
    time_zone: str


def _typed(value: object) -> object:
    """Type the parameters of a detector by their look, for only the detector knows them."""
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    detector: Detector
    parameters: Annotated[dict[str, Parameter], BeforeValidator(_typed)] = {}
    types: tuple[str, ...] = Field(min_length=1)
    sites: tuple[str, ...] = ()  # none named: all sites
    features: tuple[str, ...] = Field(min_length=1)
    # A value beyond this is no measurement of anything on this planet, whatever its unit.
    limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e9
    # Rules may ask for it; a model without one satisfies none that does.
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")] | None = None


class _File(BaseModel):
    """The keys of engine.yaml; one without a default must be written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    data: str = "data"
    catalogue: str
    rules: tuple[str, ...] = Field(min_length=1)
    intake: str
    warnings: str
    replay: str
    http: str
    security: Literal["none", "curve"]
    clock: Literal["wall", "event"]
    status: Literal["actual", "exercise", "test"] = "actual"
    shards: Annotated[int, Field(ge=1, le=64)] = 1
    # Three lost reports of a sensor with a period of 3 s; a gateway's restart takes about 5 s.
    silence: Duration = 10 * NS_PER_S
    # A gateway's clock may be 5 s ahead; recorded data (`clock: event`) may be a day off.
    future_max: Duration | None = None
    # 1 048 576 readings of 8 bytes.
    frame_bytes_max: Annotated[Size, Field(ge=1024, le=256 * MIB)] = 8 * MIB
    # 32 frames of 8192 readings: 0.05 s at 5 million readings/s, ten times an fdatasync.
    credit: Annotated[int, Field(ge=1, le=4096)] = 32
    # Half a minute of journal is replayed after a crash.
    snapshot_every: Annotated[Duration, Field(ge=NS_PER_S)] = 30 * NS_PER_S
    # One fdatasync costs 4 to 6 ms whatever its size, so a group waits no longer than that.
    commit_bytes: Annotated[Size, Field(ge=KIB, le=64 * MIB)] = 256 * KIB
    commit_after: Annotated[Duration, Field(le=NS_PER_S)] = 5 * NS_PER_MS
    segment_bytes: Annotated[Size, Field(ge=64 * KIB, le=4096 * MIB)] = 64 * MIB
    keep: Duration = 7 * NS_PER_DAY
    # Rules are loaded by themselves when their files change; some want to ask for it.
    watch: bool = False
    # Rules that break what their own author expects must not judge.
    reload_tests: bool = True
    models: tuple[_Model, ...] = ()
    # Where the sites are: on a server the machine's own zone is often UTC.
    time_zone: str = ZONE_DEFAULT


def load(path: Path, sets: Sequence[str] = (), data: Path | None = None) -> EngineConfig:
    """Return the configuration of an engine.yaml, or raise a ConfigError with every fault."""
    config, faults = examine(path, sets, data)
    errors = [fault for fault in faults if fault.is_error]
    if errors or config is None:
        raise ConfigError(errors)
    return config


def examine(
    path: Path, sets: Sequence[str] = (), data: Path | None = None
) -> tuple[EngineConfig | None, list[Fault]]:
    """Return the configuration, if the file has one, and everything that is wrong with it."""
    document, faults = read_document(path)
    if document is None:
        return None, faults
    for text in sets:
        document.overlay(text)
    written, wrong = validate(document, _File)
    faults += wrong
    if written is None:
        return None, faults
    faults += _meaning_faults(document, written, path.parent)
    return _config(written, path, data), faults


def unconnected(
    catalogue: Path, rules: Sequence[Path], *, clock: Literal["wall", "event"]
) -> EngineConfig:
    """The configuration of an engine that nobody can reach: the defaults, to try rules with."""
    written = _File(
        engine="unconnected",
        catalogue=str(catalogue.absolute()),
        rules=tuple(str(path.absolute()) for path in rules),
        intake="",
        warnings="",
        replay="",
        http="",
        security="none",
        clock=clock,
        status="test",
    )
    return _config(written, Path("(no engine.yaml)"), None)


def _config(written: _File, path: Path, data: Path | None) -> EngineConfig:
    home = path.parent
    default_future_ns = 5 * NS_PER_S if written.clock == "wall" else NS_PER_DAY
    future_max_ns = default_future_ns if written.future_max is None else written.future_max
    return EngineConfig(
        path=path,
        engine=written.engine,
        data=(home / written.data if data is None else data).absolute(),
        catalogue=home / written.catalogue,
        rules=tuple(home / entry for entry in written.rules),
        intake=written.intake,
        warnings=written.warnings,
        replay=written.replay,
        http=written.http,
        security="none",
        clock=written.clock,
        status=written.status,
        shards=written.shards,
        silence_ns=written.silence,
        future_max_ns=future_max_ns,
        frame_bytes_max=written.frame_bytes_max,
        credit=written.credit,
        snapshot_every_ns=written.snapshot_every,
        commit_bytes=written.commit_bytes,
        commit_ns=written.commit_after,
        segment_bytes=written.segment_bytes,
        keep_ns=written.keep,
        watch=written.watch,
        reload_tests=written.reload_tests,
        models=tuple(
            ModelConfig(
                name=model.name,
                detector=model.detector,
                parameters=model.parameters,
                types=model.types,
                sites=model.sites,
                features=model.features,
                limit=model.limit,
                version=model.version or "",
            )
            for model in written.models
        ),
        time_zone=written.time_zone,
    )


def _meaning_faults(document: Document, written: _File, home: Path) -> list[Fault]:
    """What each key says may be well formed, and yet not be possible here."""
    faults: list[Fault] = []

    def say(loc: Loc, code: str, message: str, hint: str) -> None:
        faults.append(Fault(code, document.place(loc), message, hint))

    if written.security == "curve":
        text = "`security: curve` is part of the design, but this version does not build it yet"
        say(("security",), "E900", text, "`security: none`, on loopback or ipc:// only")
    for key in ("intake", "warnings", "replay"):
        wrong = endpoint_fault(getattr(written, key))
        if wrong is not None:
            say((key,), *wrong)
    wrong = http_fault(written.http)
    if wrong is not None:
        say(("http",), *wrong)
    binds = [written.intake, written.warnings, written.replay]
    for index, key in enumerate(("intake", "warnings", "replay")):
        if binds[index] in binds[:index] and not binds[index].endswith((":0", ":*")):
            say((key,), "E612", f"`{binds[index]}` is already used by another key", "")
    if not (home / written.catalogue).is_dir():
        text = f"there is no folder `{written.catalogue}`"
        say(("catalogue",), "E613", text, "paths are relative to this file")
    for index, entry in enumerate(written.rules):
        if not (home / entry).exists():
            text = f"there is no file or folder `{entry}`"
            say(("rules", index), "E613", text, "paths are relative to this file")
    try:
        read_zone(written.time_zone)
    except CalendarError as error:
        say(("time_zone",), "E747", str(error), "")
    names = [model.name for model in written.models]
    for index, name in enumerate(names):
        if name in names[:index]:
            say(("models", index, "name"), "E614", f"a second model is named `{name}`", "")
    if written.segment_bytes < written.frame_bytes_max:
        text = "a segment must hold at least one frame of `frame_bytes_max`"
        say(("segment_bytes",), "E615", text, "")
    return faults
