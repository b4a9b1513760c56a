"""The truth about a story in steps: lived through tick by tick, every step asked anew at each."""


class Story:
    """One instance; a tick is the unit of all times. `steps` as in rules/pack.py, in ticks."""

    def __init__(self, within, steps):
        self.within, self.steps = within, steps
        self.now = 0
        self.reached = {}
        self.held = dict.fromkeys([s.name for s in steps], 0)
        self.void = set()
        self.truth = dict.fromkeys([s.name for s in steps])

    def tick(self, truths, reset):
        """One more tick: what has passed counts, then what is known from now on."""
        if self.now:
            for step in self.steps:
                self.count(step)
        self.reach()
        if self.within is not None and self.reached and self.age() >= self.within:
            self.forget()
        for step in self.steps:
            truth = truths[step.name]
            if step.is_absent and truth is True and self.follows(step):
                self.void.add(step.name)
            if not step.is_absent and truth is False:
                self.held[step.name] = 0
            self.truth[step.name] = truth
        self.reach()
        if reset:
            self.forget()
        found = {step.name: self.said(step) for step in self.steps}
        self.now += 1
        return found

    def age(self):
        return self.now - min(self.reached.values())

    def count(self, step):
        truth = self.truth[step.name]
        if step.is_absent:
            counts = truth is False and self.follows(step) and step.name not in self.void
        else:
            counts = truth is True
        self.held[step.name] += counts

    def follows(self, step):
        return step.after is None or step.after in self.reached

    def reach(self):
        for _ in self.steps:
            for step in self.steps:
                if step.name in self.reached or not self.follows(step):
                    continue
                if step.is_absent:
                    if self.truth[step.name] is True:
                        self.void.add(step.name)
                    is_due = step.name not in self.void and self.held[step.name] >= step.within_ns
                else:
                    is_due = self.truth[step.name] is True
                    is_due = is_due and self.held[step.name] >= step.for_ns
                    is_due = is_due and not self.is_late(step)
                if is_due:
                    self.reached[step.name] = self.now

    def is_late(self, step):
        if step.after is None or step.within_ns is None:
            return False
        return self.now > self.reached[step.after] + step.within_ns

    def forget(self):
        self.reached.clear()
        self.void.clear()
        for step in self.steps:
            if step.is_absent:
                self.held[step.name] = 0

    def said(self, step):
        """True, False, or None where it is not known whether the step is reached."""
        if step.name in self.reached:
            return True
        possible = self.follows(step) and step.name not in self.void
        if not step.is_absent:
            possible = possible and not (step.after and self.is_late(step))
        return None if possible and self.truth[step.name] is None else False
