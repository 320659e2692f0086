"""What is raised where the configuration cannot be used."""


class SettingsError(Exception):
    """The configuration cannot be used. The message is one sentence that names the key."""


class WrongBelow(ValueError):
    """Raised by what validates a table: the value at `key`, a place below that table, is wrong."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key
