"""What a consumer compares when it holds two tellings of the same story against each other."""

# What the egress log gives; a replay of the journal may change these, and nothing else.
GIVEN_BY_THE_LOG = ("seq", "decided_time")


def contents(items):
    """(topic, body) pairs without what the egress log gave them."""
    return [
        (topic, {key: value for key, value in body.items() if key not in GIVEN_BY_THE_LOG})
        for topic, body in items
    ]


def stories(items):
    """The warnings of each rule on each subject, in the order in which they were sent.

    Frames and ticks decide when a warning can be known, so the warnings of two rules may come in
    another order; those of one rule on one subject may not.
    """
    found = {}
    for topic, body in contents(items):
        found.setdefault((body["pack"], body["rule"], body["subject"]), []).append((topic, body))
    return found


def assert_log_is_whole(items):
    """The egress log has no holes, and says nothing twice."""
    assert [body["seq"] for _, body in items] == list(range(1, len(items) + 1))
    said = [(body["id"], body["revision"]) for _, body in items]
    assert len(set(said)) == len(said), "the log repeats itself"
