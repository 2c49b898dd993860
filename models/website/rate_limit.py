"""How often something may be done, kept in the memory of one process."""

import threading
import time
from collections import OrderedDict


class RateLimit:
    """A bucket of tokens for each key: ``burst`` at once, then ``rate`` a second.

    Only the ``max_keys`` used last are kept. One that is pushed out comes back with a
    full bucket, so that a limit on all keys together has to stand behind this one.

    >>> now = 0.0
    >>> limit = RateLimit(rate=1, burst=2, max_keys=9, clock=lambda: now)
    >>> [limit.allows("a") for _ in range(3)], limit.allows("b")
    ([True, True, False], True)
    >>> now = 1.0
    >>> [limit.allows("a") for _ in range(2)]
    [True, False]
    """

    def __init__(self, rate, burst, max_keys=1, clock=time.monotonic):
        self.rate = rate
        self.burst = burst
        self._max_keys = max_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets = OrderedDict()

    def allows(self, key=None):
        """Take a token of ``key`` and tell whether there was one."""
        with self._lock:
            now = self._clock()
            tokens, filled_at = self._buckets.pop(key, (self.burst, now))
            tokens = min(self.burst, tokens + (now - filled_at) * self.rate)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - allowed, now)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
            return allowed

    def clear(self):
        with self._lock:
            self._buckets.clear()
