"""Prepared material in a party's folder: each run's is used once.

A mask that is used twice reveals differences of secrets. So material is marked as spent before anything of it
is used, in a folder beside it that outlasts the process. The mark is by the id inside the sealed file: a copy
under another name is the same material.
"""

import os
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from crypten_lite.errors import MaterialError
from crypten_lite.keys.certificate import Certificate
from crypten_lite.keys.files import make_folder, new_file, sync_folder
from crypten_lite.keys.identity import Identity
from crypten_lite.keys.preparation import ENDING, FORMAT, SEED
from crypten_lite.keys.preparation import prepared as prepared
from crypten_lite.keys.sealed import Reader

_ID = re.compile("[0-9a-f]{32}")


class Taken:
    """The material of one run: it is marked as spent, and nobody else has it.

    Attributes:
      id: of the run.
      seed: this party's, 32 bytes; a secret.
      parties: all parties' names, in order.
      size: bytes of corrections.
    """

    def __init__(self, path: Path, reader: Reader):
        """Material whose seed is read."""
        self._path, self._reader = path, reader
        self.id, self.parties = reader.header["id"], tuple(reader.header["parties"])
        seed = bytearray(SEED)
        reader.readinto(seed)
        self.seed, self.size = bytes(seed), reader.size - SEED

    def readinto(self, target: Any) -> None:
        """Fill a writable C-contiguous buffer, so an array too, with the corrections that come next.

        Raises:
          MaterialError: there are not so many, or the file is damaged.
        """
        self._reader.readinto(target)

    def close(self) -> None:
        """Close the file and delete it: nobody may use it again."""
        self._reader.close()
        with suppress(OSError):  # one that stays is spent all the same
            self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class _Seen:
    """What lies in a store: unspent ids of one plan, how many files of other plans, and what is wrong."""

    ids: set[str] = field(default_factory=set)
    others: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Store:
    """A party's folder of prepared material.

    Keep one, and bring none back from a backup: a copy of the folder does not know what was spent since.

    Attributes:
      folder: with this party's files; ``spent`` in it holds the marks.
      identity: this party's.
      dealer: who must have prepared the files.
    """

    folder: Path
    identity: Identity
    dealer: Certificate

    def unspent(self, plan: str) -> list[str]:
        """The ids of what is left for a program, sorted. Files that cannot be read are left out.

        Raises:
          MaterialError: there is no such folder.
        """
        return sorted(self._look(plan).ids)

    def require_unspent(self, plan: str) -> list[str]:
        """The ids of what is left for a program, sorted: one or more.

        Raises:
          MaterialError: there is none; it says what is there instead.
        """
        seen = self._look(plan)
        if not seen.ids:
            raise MaterialError(self._nothing(seen))
        return sorted(seen.ids)

    def take(self, id: str, plan: str) -> Taken:
        """Take material for its only use: it is marked as spent first, for good.

        Args:
          id: of the run.
          plan: the digest of the program.

        Raises:
          MaterialError: it was spent, is not there, is for another program, is damaged, or cannot be marked.
        """
        if not isinstance(id, str) or not _ID.fullmatch(id):  # it is a file's name, and comes from others
            raise MaterialError("what was asked for is no id of material: 32 hexadecimal digits.")
        with ExitStack() as undo:
            path, reader = self._opened(id)
            undo.callback(reader.close)
            if reader.header["plan"] != plan:
                raise MaterialError(f"the material {id} is for another program.")
            self._mark(id)
            taken = Taken(path, reader)
            undo.pop_all()
        return taken

    def _opened(self, id: str) -> tuple[Path, Reader]:
        """The file with an id inside: most likely, but not surely, the one of that name."""
        self._refuse_spent(id)
        named, wrong = self.folder / (id + ENDING), list[str]()
        for path in sorted(self._files(), key=lambda path: path != named):
            try:
                reader = self._reader(path)
            except MaterialError as error:
                wrong.append(str(error))
                continue
            if reader.header["id"] == id:
                return path, reader
            reader.close()
            if path == named:
                self._refuse_spent(reader.header["id"])
        raise MaterialError(" ".join([f"there is no material {id} here.", *wrong[:3]]))

    def _look(self, plan: str) -> _Seen:
        seen = _Seen()
        for path in self._files():
            try:
                with self._reader(path) as reader:
                    header = reader.header
            except MaterialError as error:
                seen.wrong.append(str(error))
                continue
            if self._is_spent(header["id"]) or header["id"] in seen.ids:
                continue
            if header["plan"] == plan:
                seen.ids.add(header["id"])
            else:
                seen.others += 1
        return seen

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            raise MaterialError(
                f"there is no folder {self.folder}: it must hold the material that the dealer prepared for "
                f"{self.identity.certificate.name}."
            )
        return sorted(self.folder.glob("*" + ENDING))

    def _reader(self, path: Path) -> Reader:
        reader = Reader(path, self.identity, self.dealer)
        if not self._is_mine(reader.header):
            reader.close()
            me = self.identity.certificate.name
            raise MaterialError(f"{path.name} holds no material of format {FORMAT} for {me}.")
        return reader

    def _is_mine(self, header: dict[str, Any]) -> bool:
        expected = {
            "format": FORMAT,
            "party": self.identity.certificate.name,
            "dealer": self.dealer.fingerprint,
        }
        known = all(header.get(key) == value for key, value in expected.items())
        return known and {"plan", "parties"} <= set(header) and bool(_ID.fullmatch(str(header.get("id"))))

    def _is_spent(self, id: str) -> bool:
        return os.path.lexists(self.folder / "spent" / id)

    def _refuse_spent(self, id: str) -> None:
        if self._is_spent(id):
            raise _spent(id)

    def _mark(self, id: str) -> None:
        marks = self.folder / "spent"
        try:
            make_folder(marks)
            with new_file(marks / id) as mark:
                os.fsync(mark.fileno())
            sync_folder(marks)
            sync_folder(self.folder)  # another process may have made the folder of marks just now
        except OSError as error:
            if isinstance(error, FileExistsError) and marks.is_dir():  # another process took it just now
                raise _spent(id) from error
            raise MaterialError(
                f"the material {id} cannot be marked as spent, so it is not used: {error.strerror or error}."
            ) from error

    def _nothing(self, seen: _Seen) -> str:
        marks = sum(1 for _ in (self.folder / "spent").glob("*"))
        here = f"here {seen.others} for other programs, {marks} spent, {len(seen.wrong)} not readable"
        wrong = "".join(f" {text}" for text in seen.wrong[:3])
        me = self.identity.certificate.name
        deeper = f" Or is it the folder {me} in here?" if (self.folder / me).is_dir() else ""
        return (
            f"no unspent material for this program: {here}. Let the dealer run `python -m crypten_lite "
            f"prepare` for this program, and bring the new files of {me} here.{deeper}{wrong}"
        )


def _spent(id: str) -> MaterialError:
    return MaterialError(f"the material {id} was spent: each is used once. Take another one.")
