"""A wire between a client and a server, as a process: stopped it is silent, killed it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys


class Relay:
    """Carries what comes to `port` to another one of this machine."""

    def __init__(self, target: int) -> None:
        self._process = subprocess.Popen([sys.executable, __file__, str(target)], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def fall_silent(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def cut(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


async def serve(target: int) -> None:
    """Until killed; says its port first."""

    async def relay(near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(carry(near, far_out), carry(far, near_out))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One direction, to its end."""
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
