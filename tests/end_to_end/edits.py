"""What an operator does to the engine of one mine: send a few readings, edit its pack, look."""

from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, points

START_NS = 1_767_225_600_000_000_000
STEP_US = 30_000_000
METHANE = 0  # MM31's place in the manifest of G-MINE


def push(engine, session, values, first_row=0):
    """Send one methane head's readings, 30 s apart, and wait until they are durable."""
    rows = range(first_row, first_row + len(values))
    readings = [
        (METHANE, (row - first_row) * STEP_US, value)
        for row, value in zip(rows, values, strict=True)
    ]
    with Gateway(engine.intake, "G-MINE", session) as gateway:
        gateway.hello()
        gateway.send(*points(session, 1, readings, t0=START_NS + first_row * STEP_US * 1000))
        gateway.wait_durable(1)


def edit(mine, old, new):
    """Change one place of the pack."""
    pack = mine / "packs" / "coal-gas.yaml"
    text = pack.read_text(encoding="utf-8")
    assert old in text
    pack.write_text(text.replace(old, new), encoding="utf-8")


def log_of(engine):
    """Everything the engine has sent: (event, grade, id, revision)."""
    with Consumer(engine.warnings, engine.replay) as consumer:
        return [
            (body["event"], body["grade"], body["id"], body["revision"])
            for _, body in consumer.everything()
        ]
