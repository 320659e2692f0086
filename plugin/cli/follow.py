"""How a worker comes to decide by another set of rules: it looks at what is in force, and swaps between requests."""

import time

import structlog

from plugin.errors import StateUnavailable
from plugin.recorder import Recorder
from plugin.state.rules_in_force import AcceptedRules, RulesInForce
from policies.rulebook import Rulebook

LOOK_SECONDS = 0.2
"""Between two looks at one small file: with reading the set, a change is everywhere within a second."""

RETRY_SECONDS = 10.0
"""After a look that failed: reading a set that cannot be used costs what reading one costs."""

log = structlog.get_logger()


class Follower:
    """Keeps one process at the accepted set."""

    def __init__(self, accepted: AcceptedRules, in_use: RulesInForce, recorder: Recorder) -> None:
        self._accepted, self._in_use, self._recorder = accepted, in_use, recorder
        self._failing = False

    def run(self) -> None:
        """Look again and again."""
        while True:
            time.sleep(LOOK_SECONDS if self.look() else RETRY_SECONDS)

    def look(self) -> bool:
        """Swap if another set is in force. False if it cannot be read: told once, and this process stays as it is."""
        try:
            digest = self._accepted.digest()
            if digest is not None and digest != self._in_use.now().digest:
                self._swap(self._accepted.load())
        except StateUnavailable:
            if not self._failing:
                log.critical("the rules in force cannot be read, this worker goes on with those before")
            self._failing = True
            return False
        self._failing = False
        return True

    def _swap(self, rules: Rulebook) -> None:
        self._in_use.replace(rules)
        self._recorder.decide_by(rules.digest)
        log.info("this worker decides by another set of rules", digest=rules.digest)
