"""Holds one thread of a process still, as a disk that hangs would: hang.py PID THREAD

Says "held" once it stands still, and ends when the thread is gone or on SIGTERM, which lets it go on.
Needs root. The other threads of the process go on.
"""

import ctypes
import os
import signal
import sys
import time

PTRACE_ATTACH, PTRACE_DETACH, WALL = 16, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def thread_of(pid, name):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as comm:
            if comm.read().strip() == name:
                return int(task)
    sys.exit(f"hang: process {pid} has no thread {name}")


def ptrace(what, thread):
    if libc.ptrace(what, thread, None, None) != 0:
        sys.exit(f"hang: {os.strerror(ctypes.get_errno())}")


thread = thread_of(int(sys.argv[1]), sys.argv[2])
ptrace(PTRACE_ATTACH, thread)
os.waitpid(thread, WALL)
going = []
signal.signal(signal.SIGTERM, lambda *_: going.append(True))
print("held", flush=True)
while not going:
    # Whoever traces a thread has to bury it.
    try:
        found, status = os.waitpid(thread, WALL | os.WNOHANG)
    except ChildProcessError:
        sys.exit(0)
    if found and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        sys.exit(0)
    time.sleep(0.05)
ptrace(PTRACE_DETACH, thread)
