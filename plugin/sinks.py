"""The sinks that a configuration names, on the gateway's one socket. Giving them checkpoints is up to `deliveries`."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from fhir_adapters.interface import Deadline, FeedError
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import HttpUpstream
from plugin.ledger.clock import ahead_of_date
from plugin.ledger.errors import KeyInvalid, SinkFailed
from plugin.ledger.key import VerifierKey, WitnessKey
from plugin.ledger.sink import ANSWER_SECONDS, MAX_ANSWER, Answer, Sink
from plugin.ledger.sink_file import FileSink
from plugin.ledger.sink_https import HttpsSink
from plugin.ledger.sink_syslog import SyslogSink
from plugin.ledger.sink_witness import WitnessSink
from plugin.ledger.syslog import Transport
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import FileSinkSettings, HttpsSinkSettings, SinkSettings, SyslogSinkSettings
from plugin.settings.values import pair

Heard = Callable[[str, float], None]
"""Told the host of a sink, and by how many seconds our clock is ahead of the time that it answered with."""


class UpstreamPoster:
    """`ledger.sink.Poster` for one host."""

    def __init__(self, url: str, heard: Heard = lambda _host, _ahead: None) -> None:
        """Raises ValueError if `url` could be read in two ways. Opens nothing."""
        self._host = urlsplit(url).hostname or ""
        self._heard = heard
        self._reach = Reach.of(url)
        self._upstream = HttpUpstream("a sink", self._reach, max_body=MAX_ANSWER)

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """See `Poster`."""
        deadline = Deadline.after(ANSWER_SECONDS)
        try:
            answer = self._upstream.post(self._reach.judge(url), body, content_type, deadline=deadline)
        except FeedError as error:
            raise SinkFailed(str(error)) from error
        ahead = ahead_of_date(answer.headers.get("date", ""), time.time())
        if ahead is not None:
            self._heard(self._host, ahead)
        return Answer(answer.status, answer.headers.get("content-type", ""), answer.body)


def sinks_of(
    settings: Sequence[SinkSettings], key: VerifierKey, heard: Heard = lambda _host, _ahead: None
) -> list[Sink]:
    """The configured sinks of the ledger whose key is `key`. Raises SettingsError; opens nothing."""
    return [_sink(each, key, f"ledger.sinks.{number}", heard) for number, each in enumerate(settings)]


def _sink(settings: SinkSettings, key: VerifierKey, place: str, heard: Heard) -> Sink:
    match settings:
        case FileSinkSettings():
            return _file(settings.path, key, f"{place}.path")
        case HttpsSinkSettings():
            return HttpsSink(settings.url, UpstreamPoster(settings.url, heard))
        case SyslogSinkSettings():
            return SyslogSink(*pair(settings.address), Transport(settings.transport))
        case _:
            try:
                witness = WitnessKey.parse(settings.vkey)
            except KeyInvalid as error:
                raise SettingsError(f"{place}.vkey: {error}") from error
            return WitnessSink(settings.url, witness, UpstreamPoster(settings.url, heard))


def _file(path: Path, key: VerifierKey, place: str) -> Sink:
    """One that is not there may come with a mount; a folder there will never be a file."""
    is_folder = False
    with suppress(OSError):
        is_folder = path.is_dir()
    if is_folder:
        raise SettingsError(f"{place}: {path} is a folder, not a file")
    return FileSink(path, key)
