"""Whether a team trains faster than one thread, found out on the way: the bits are the same.

What more threads gain in a step depends on how far apart their processors are and on who else wants them, which changes. So both
ways are timed and the faster one is gone; the other one is tried again later, or at once where this one has become much slower.
"""

import time

TIMED = 4e-3  # seconds of training by which a way is judged
SOONEST, LATEST = 0.05, 2.0  # seconds until the slower way is tried again: twice as many each time that it was that again
MUCH_SLOWER = 1.5


class Autotune:
    def __init__(self):
        self.by_team = True  # the way to go now,
        self.tries = True  # to see how fast it is, or because it is the faster one
        self.seconds = {}  # that a row takes, by_team or not
        self.rows, self.spent = 0, 0.0  # rows trained on this way that have not been judged yet, and their seconds
        self.patience, self.next_trial = SOONEST, 0.0

    def rows_at_once(self):
        """How many rows to train on before learn is told: in a trial more each time, since the first may show that it is slow."""
        return max(1, 4 * self.rows if self.tries else int(TIMED / self.seconds[self.by_team]))

    def learn(self, rows, seconds):
        """Takes note of how many seconds so many rows took this way."""
        if rows > self.rows:  # a longer run says more than all before, which bore the cost of beginning
            self.rows, self.spent = 0, 0.0
        self.rows, self.spent = self.rows + rows, self.spent + seconds
        if self.spent < TIMED:
            return
        took, other = self.spent / self.rows, self.seconds.get(not self.by_team)
        self.seconds[self.by_team], self.rows, self.spent = took, 0, 0.0
        if other is None:
            self.by_team = not self.by_team
        elif self.tries:
            self.settle(other)
        elif took > MUCH_SLOWER * other or time.perf_counter() > self.next_trial:
            self.by_team, self.tries = not self.by_team, True

    def settle(self, other):
        """Goes the faster way until the next trial; `other` is what a row takes the way that is not tried now."""
        is_faster = self.seconds[self.by_team] < other
        self.patience = SOONEST if is_faster else min(2 * self.patience, LATEST)
        self.by_team, self.tries = self.by_team == is_faster, False
        self.next_trial = time.perf_counter() + self.patience
