"""What can be reached of the platform and of the network from here. The argument is the address of the database."""

import json
import os
import socket
import sys

FILES = {
    "the trainer's key": "/run/aimass/identity.json",
    "the database's password": "/run/aimass/database-url",
    "the trainer's state": "/var/lib/aimass",
    "the platform's code": "/opt/aimass/package.json",
}


def ways_out(database):
    found = [name for name, path in FILES.items() if os.access(path, os.R_OK)]
    if any(b"services/trainer" in command_line(pid) for pid in os.listdir("/proc") if pid.isdigit()):
        found.append("the trainer's process")
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        found.append("a network")
    try:
        socket.create_connection((database, 5432), timeout=5).close()
        found.append("the database")
    except OSError:
        pass
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    print(json.dumps(ways_out(sys.argv[1])))
