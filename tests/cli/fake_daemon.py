"""A daemon that speaks the real protocol on a real socket and says what a test wants it to say."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from gpiomux.control.messages import Failure, Progress, Reply, Request, Result, decode_request, encode_reply
from gpiomux.errors import GpiomuxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpiomux.rundir import RunDir

Answer = dict[str, Any] | GpiomuxError | None
"""None: hang up without an answer."""


def plan(*texts: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """A plan as the daemon tells it, with one operation for each text."""
    operations = [{"sign": text[0], "kind": "interface", "name": "geth0", "text": text} for text in texts]
    return {"operations": operations, "notes": list(notes)}


class FakeDaemon:
    """Answers one request after the other until it is stopped.

    *Threads and processes:* a thread of its own serves; a test reads `requests` when the command has ended.
    """

    def __init__(self, rundir: RunDir) -> None:
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        """By verb, or what finds the answer to a request."""
        self.steps: list[Progress] = []
        """Told before each answer."""
        self.requests: list[Request] = []
        rundir.root.mkdir(parents=True, exist_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(rundir.control_socket))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """End, and close everything."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # stopped
                return
            with client, client.makefile("rb") as lines:
                for line in lines:
                    if not self._answer(client, decode_request(line)):
                        break

    def _answer(self, client: socket.socket, request: Request) -> bool:
        self.requests.append(request)
        found = self.answers[request.verb]
        answer = found(request) if callable(found) else found
        if answer is None:
            return False
        reply: Reply = Failure(answer) if isinstance(answer, GpiomuxError) else Result(answer)
        with contextlib.suppress(BrokenPipeError):  # the client did not wait
            for each in (*self.steps, reply):
                client.sendall(encode_reply(each))
        return True
