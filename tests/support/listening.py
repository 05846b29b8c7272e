"""Who could be called from elsewhere: the sockets on which a process and its children listen."""

from contextlib import suppress

import psutil


def listening_hosts(process: psutil.Process) -> list[str]:
    """Return the address of every TCP socket on which the process or any of its children listens."""
    hosts: list[str] = []
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ended in the meantime
            for connection in each.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    hosts.append(connection.laddr.ip.removeprefix("::ffff:"))
    return hosts
