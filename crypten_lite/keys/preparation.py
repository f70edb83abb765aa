"""Preparing material: the dealer writes what parties will use when it is not there.

The material of one run is a seed for each party, from which it draws its shares, and for the last party the
corrections besides. Each party's is a sealed file of its own. All files of a run appear, or none does. If the
dealer is killed just then, some may: parties never choose a run that not all of them have. Files that end in
``.part`` are what a killed dealer left; nobody reads them.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crypten_lite.errors import ConfigError, MaterialError
from crypten_lite.keys.certificate import Certificate
from crypten_lite.keys.files import make_folder
from crypten_lite.keys.identity import Identity
from crypten_lite.keys.sealed import Writer

SEED = 32  # bytes
FORMAT = 1  # of the header and the contents
ENDING = ".material"


class Preparation:
    """The material of one run, while it is written.

    Attributes:
      id: of the run.
      seeds: of each party, by name.
    """

    def __init__(self, folder: Path, identity: Identity, parties: Sequence[Certificate], plan: str):
        """Fresh seeds, of which nothing is written yet."""
        self.id = secrets.token_hex(16)
        self.seeds = {party.name: secrets.token_bytes(SEED) for party in parties}
        self._folder, self._identity, self._parties, self._plan = folder, identity, parties, plan
        self._writers: list[Writer] = []

    def write(self, data: Any) -> int:
        """Add to the corrections of the last party: anything C-contiguous that has a buffer.

        Returns:
          How many bytes.

        Raises:
          MaterialError: the disk is full, or fails.
        """
        with self._explained():
            return self._writers[-1].write(data)

    def _begin(self) -> None:
        with self._explained():
            for party in self._parties:
                folder = self._folder / party.name
                make_folder(folder)
                path = folder / (self.id + ENDING)
                self._writers.append(Writer(path, self._identity, party, self._header(party)))
                self._writers[-1].write(self.seeds[party.name])

    def _header(self, party: Certificate) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "id": self.id,
            "plan": self._plan,
            "party": party.name,
            "dealer": self._identity.certificate.fingerprint,
            "parties": list(self.seeds),
        }

    def _publish(self) -> None:
        with self._explained():
            for writer in self._writers:
                writer.finish()
            for writer in self._writers:
                writer.publish()

    def _discard(self) -> None:
        for writer in self._writers:
            with suppress(OSError):  # what made this necessary is raised already
                writer.discard()
                writer.path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MaterialError(
                f"no material can be written to {self._folder}: {error.strerror or error}. The run that was "
                f"being prepared is removed; {self._complete()} complete runs are there. Make room, then run "
                "`python -m crypten_lite prepare` for those that are missing."
            ) from error

    def _complete(self) -> int:
        folders = [self._folder / name for name in self.seeds]
        return len(set.intersection(*({path.name for path in f.glob("*" + ENDING)} for f in folders)))


@contextmanager
def prepared(
    folder: str | Path, identity: Identity, parties: Sequence[Certificate], plan: str
) -> Iterator[Preparation]:
    """Prepare the material of one run: ``FOLDER/PARTY/ID.material`` for each party.

    The files appear when the block ends; if it raises, none does.

    Args:
      folder: of all parties' folders; made if it is not there.
      identity: the dealer's.
      parties: the parties' certificates, in order.
      plan: the digest of the program that the material is for.

    Raises:
      MaterialError: the disk is full, or fails; what is complete stays.
      ConfigError: fewer than two parties, or two of one name.
    """
    names = {party.name.lower() for party in parties}  # some disks do not tell Bob from bob
    if len(names) != len(parties) or len(parties) < 2:
        raise ConfigError(
            f"material is for two or more parties of different names, not for {[p.name for p in parties]}."
        )
    preparation = Preparation(Path(folder), identity, parties, plan)
    try:
        preparation._begin()
        yield preparation
        preparation._publish()
    except BaseException:
        preparation._discard()
        raise
