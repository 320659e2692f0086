"""What is raised where the configuration cannot be used."""


class SettingsError(Exception):
    """The configuration cannot be used. The message is one sentence that names the key."""
