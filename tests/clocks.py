"""A clock for tests: it is over after a number of looks at it, whatever the machine does meanwhile."""

from benign.clock import Clock

MANY = 1e5


class Looks(Clock):
    """A budget of so many looks; its parts are the clock itself."""

    def __init__(self, most: int) -> None:
        super().__init__(MANY)
        self.most, self.looks = most, 0

    @property
    def late(self) -> bool:
        self.looks += 1
        return self.looks > self.most

    @property
    def left(self) -> float:
        return MANY if self.looks <= self.most else 0.0

    def part(self, share: float) -> "Looks":
        return self

    def capped(self, seconds: float) -> "Looks":
        return self
