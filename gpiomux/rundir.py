"""Where gpiomux keeps what lives until the next boot: sockets, state, simulated wires.

The directory is /run/gpiomux, or what the environment variable GPIOMUX_RUN_DIR names. Link and wire names are
validated before they come here (no slash, no leading dot), so that none can leave its directory.
"""

from __future__ import annotations

import os

from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without, as it can without pathlib's
if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = "/run/gpiomux"
VARIABLE = "GPIOMUX_RUN_DIR"
_CONTROL_SOCKET = "gpiomuxd.sock"


def control_socket() -> str:
    """Where the gpiomuxd that this process shall use answers."""
    return os.path.join(os.environ.get(VARIABLE) or DEFAULT, _CONTROL_SOCKET)


class RunDir(Frozen):
    """The paths below one run directory."""

    root: Path

    @staticmethod
    def from_environment() -> RunDir:
        """The directory this process shall use."""
        from pathlib import Path

        return RunDir(Path(os.environ.get(VARIABLE) or DEFAULT))

    @property
    def owner(self) -> str:
        """What tells tags of this run directory from those of others: its path, and nothing for the usual one."""
        path = os.path.realpath(self.root)
        return "" if path == DEFAULT else path

    @property
    def control_socket(self) -> Path:
        """Where gpiomuxd answers."""
        return self.root / _CONTROL_SOCKET

    @property
    def lock(self) -> Path:
        """Held (flock) by the one daemon."""
        return self.root / "gpiomuxd.lock"

    @property
    def log(self) -> Path:
        """Log of a daemon that `gpiomux apply` started."""
        return self.root / "gpiomuxd.log"

    @property
    def state(self) -> Path:
        """The running configuration, for the next daemon."""
        return self.root / "state.json"

    @property
    def intent(self) -> Path:
        """There while a change is under way: where it may have left something."""
        return self.root / "intent.json"

    @property
    def history(self) -> Path:
        """Directory of what was applied before."""
        return self.root / "history"

    @property
    def links(self) -> Path:
        """Directory of the datapaths' control sockets."""
        return self.root / "links"

    def datapath_socket(self, link: str) -> Path:
        """Where the datapath of a link listens for the daemon."""
        return self.links / f"{link}.sock"

    @property
    def chips(self) -> Path:
        """Directory of the records of chips that the kernel cannot label."""
        return self.root / "chips"

    @property
    def channels(self) -> Path:
        """Directory of the records of SHMStream channels."""
        return self.root / "channels"

    @property
    def xdp(self) -> Path:
        """Directory of the records of XDP programs."""
        return self.root / "xdp"

    @property
    def wires(self) -> Path:
        """Directory of the simulated wires."""
        return self.root / "wires"

    def wire(self, name: str) -> Path:
        """Directory of one simulated wire."""
        return self.wires / name
