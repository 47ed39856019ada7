"""Connects to a server again and again and says what became of it.

usage: connects.py ADDRESS PORT LOG, until SIGTERM. Each connection asks a four-letter word. The last
line of LOG counts: refused is ECONNREFUSED, answered had an answer, the rest was cut off before one.
"""

import signal
import socket
import sys
import time

address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
counts = {"refused": 0, "answered": 0, "cut": 0}
signal.signal(signal.SIGTERM, lambda *_: stop())
log = open(path, "w", buffering=1)


def stop():
    log.write("refused=%(refused)d answered=%(answered)d cut=%(cut)d\n" % counts)
    sys.exit(0)


while True:
    try:
        with socket.create_connection((address, port), timeout=20) as connection:
            if not sum(counts.values()):
                log.write("connected\n")
            connection.sendall(b"srvr")
            counts["answered" if connection.recv(4096) else "cut"] += 1
    except ConnectionRefusedError:
        counts["refused"] += 1
    except OSError:
        counts["cut"] += 1
    time.sleep(0.002)
