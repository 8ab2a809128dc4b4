"""A hijacked connection to a container: the input and output of one exec, or of the first process."""

import contextlib
import select
import socket
import ssl
import struct
import time
from typing import Any

import docker
import docker.errors

from sekft.errors import SandboxError
from sekft.sandbox.backend import engine, pipe

SEND_S = 20.0
_NOT_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_END_S = 1.0  # the engine knows of an exit only after the output has ended


class SocketStream:
    """Implements shell.Stream. Output comes in frames: one byte of channel, three zero bytes, four of length."""

    def __init__(self, client: docker.DockerClient, wrapper: Any, exec_id: str = "") -> None:
        """wrapper: the object that the SDK returned; closing it alone leaves the descriptor open."""
        self._client, self._wrapper, self._exec_id = client, wrapper, exec_id
        self._socket: socket.socket = getattr(wrapper, "_sock", wrapper)
        self._socket.setblocking(False)
        self._frames = b""

    def send(self, data: bytes) -> None:
        end, view = time.monotonic() + SEND_S, memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except _NOT_YET:
                if time.monotonic() > end:
                    raise TimeoutError(f"nothing was read for {SEND_S:.0f} s") from None
                pipe.wait(self._socket.fileno(), select.POLLOUT, 0.5)

    def pump(self, wait_s: float) -> bytes | None:
        decrypted = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not decrypted and not pipe.wait(self._socket.fileno(), select.POLLIN, wait_s):
            return b""
        try:
            data = self._socket.recv(1 << 18)
        except _NOT_YET:
            return b""
        except ConnectionError:
            return None
        if not data:
            return None
        self._frames += data
        return self._unframe()

    def _unframe(self) -> bytes:
        start, parts = 0, []
        while len(self._frames) - start >= 8:
            (length,) = struct.unpack_from(">L", self._frames, start + 4)
            if len(self._frames) - start < 8 + length:
                break
            parts.append(self._frames[start + 8 : start + 8 + length])
            start += 8 + length
        self._frames = self._frames[start:]
        return b"".join(parts)

    def exit_code(self) -> int | None:
        end = time.monotonic() + _END_S
        while True:
            with engine.trouble("the engine has no such exec any more"):
                state = self._client.api.exec_inspect(self._exec_id)
            if not state["Running"]:
                if state["ExitCode"] == 137:
                    self._require_container(state["ContainerID"])
                return int(state["ExitCode"])
            if time.monotonic() > end:
                return None
            time.sleep(0.02)

    def _require_container(self, container: str) -> None:
        """Raises SandboxError if the container has ended: then that killed the shell, not the agent."""
        time.sleep(0.2)  # the end of an exec is known before that of its container
        with engine.trouble("the container has ended"):
            if not self._client.api.inspect_container(container)["State"]["Running"]:
                raise SandboxError("the container has ended")

    def read(self, timeout_s: float, cap_bytes: int, until: bytes | None = None) -> tuple[bytes, bool]:
        """(the first cap_bytes of output, whether its end came in time). until: stop reading when the output ends with it."""
        end, output = time.monotonic() + timeout_s, b""
        while (left := end - time.monotonic()) > 0:
            chunk = self.pump(min(left, 1.0))
            if chunk is None:
                return output, True
            output += chunk[: cap_bytes - len(output)]
            if until and output.endswith(until):
                break
        return output, False

    def line(self, timeout_s: float) -> bytes:
        """The next line, without white space around it. Raises SandboxError if there is none in time."""
        end, output = time.monotonic() + timeout_s, b""
        while not output.endswith(b"\n"):
            left = end - time.monotonic()
            chunk = self.pump(left) if left > 0 else None
            if chunk is None:
                raise SandboxError(f"the container gave no answer within {timeout_s:.0f} s")
            output += chunk
        return output.strip()

    def hang_up(self) -> None:
        """End the connection, from any thread: a read or write under way in another one ends, too."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket before its wrapper: with unread output the engine takes 20 s to remove a container."""
        for close in (lambda: self._socket.shutdown(socket.SHUT_RDWR), self._socket.close, self._wrapper.close):
            with contextlib.suppress(OSError):
                close()


def execute(client: docker.DockerClient, container: str, script: str, user: str) -> SocketStream:
    """Start sh -c script in a running container as user. Raises SandboxError."""
    with engine.trouble("the engine could not start a shell in the container"):
        made = client.api.exec_create(container, ["/bin/sh", "-c", script], stdin=True, user=user, workdir="/")
        # without socket=True the SDK waits for the end, regardless of its time-out
        return SocketStream(client, client.api.exec_start(made["Id"], socket=True), made["Id"])


def attach(client: docker.DockerClient, container: str) -> SocketStream:
    """Connect to input and output of the container's first process. Raises SandboxError."""
    with engine.trouble("the engine could not attach to the container"):
        return SocketStream(client, client.api.attach_socket(container, {"stdin": 1, "stdout": 1, "stream": 1}))
