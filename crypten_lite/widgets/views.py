"""What the privacy explorer draws: shares as they are, and a program's way through its layers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from crypten_lite.cost import Cost
from crypten_lite.timeline import Stretch
from namedtensor.widgets import View, source

_JS = Path(__file__).parent / "js"
_STYLE = source("core.css", _JS / "privacy.css")
MOST_BYTES = 64 * 2**20  # what a browser takes in at once without a pause that one notices


class SharesView(View):
    """An image, the share of each party, and the first few of these put together, in the browser.

    The browser gets the shares with all of their bits, and adds them up modulo ``2 ** 64`` as parties would.

    Traits:
      together: how many shares are put together, from the first on; all of them are the image.
    """

    _esm = source("core.js", _JS / "shares.js")
    _css = _STYLE
    label = traitlets.Unicode("the image and its shares").tag(sync=True)
    shares = traitlets.Bytes().tag(sync=True)
    image = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    channels = traitlets.Int(1).tag(sync=True)
    fraction = traitlets.Int().tag(sync=True)
    together = traitlets.Int(1, min=1).tag(sync=True)

    def put(self, image: Any, shares: np.ndarray, names: Sequence[str], fraction: int) -> None:
        """Show others.

        Args:
          image: ``[height, width]`` or ``[height, width, channel]``.
          shares: ``[party, *image.shape]`` elements of the ring of 64 bits.
          names: of the parties.
          fraction: binary places of what they share.

        Raises:
          ValueError: more bytes than a browser should be sent.
        """
        if shares.nbytes > MOST_BYTES:
            raise ValueError(
                f"the shares are {shares.nbytes / 2**20:.0f} MiB, and {MOST_BYTES / 2**20:.0f} are sent to a "
                "browser at most: share a smaller image, or between fewer parties."
            )
        height, width, *channels = image.shape
        with self.hold_sync():
            self.height, self.width, self.channels = height, width, channels[0] if channels else 1
            self.fraction, self.together = fraction, max(1, min(self.together, len(names)))
            self.image = np.ascontiguousarray(image, "<f4").tobytes()
            self.names = list(names)
            self.shares = np.ascontiguousarray(shares, "<u8").tobytes()

    def clear(self) -> None:
        """Show nothing."""
        with self.hold_sync():
            self.names, self.shares, self.image = [], b"", b""


class TimelineView(View):
    """Which layer runs when, what it sends, and how long a network takes for that.

    Traits:
      along: what runs along: "rounds", or "seconds" of the network.
      delay: of the network, one way, in milliseconds.
      bandwidth: of a party's connection, in millions of bits a second.
    """

    _esm = source("core.js", _JS / "timeline.js")
    _css = _STYLE
    label = traitlets.Unicode("rounds and bytes by layer").tag(sync=True)
    stretches = traitlets.List(traitlets.Dict()).tag(sync=True)
    sharing = traitlets.Int().tag(sync=True)
    along = traitlets.Enum(["rounds", "seconds"], "rounds").tag(sync=True)
    delay = traitlets.Float(10.0, min=0).tag(sync=True)
    bandwidth = traitlets.Float(100.0, min=1e-3).tag(sync=True)

    def put(self, stretches: Sequence[Stretch], cost: Cost) -> None:
        """Show another program."""
        with self.hold_sync():
            self.sharing = cost.sharing_bytes
            self.stretches = [
                {
                    "layer": s.layer,
                    "start": s.start,
                    "rounds": s.rounds,
                    "bytes": s.bytes_per_party,
                    "dealt": s.dealer_bytes,
                }
                for s in stretches
            ]

    def clear(self) -> None:
        """Show nothing."""
        self.stretches = []
