#!/usr/bin/env python3
"""powercut.py [--cuts N] [--seed N] - the power goes at random moments under write load.

An ext4 filesystem in a file on a loop device holds the data of our server ($ZK_AGENT_BIN). Several
connections write; at a random moment the filesystem is shut down without flushing its journal
(FS_IOC_SHUTDOWN), which loses everything that was not synced, as a power cut does. Then it is
mounted again and the server started on it. What is there must be what some prefix of each
connection's writes leaves, and that prefix must hold every acknowledged write.

Needs root, a loop device, mkfs.ext4, unshare. Everything that it makes is removed again.
"""
import argparse
import fcntl
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
WINDOW = 20  # children that a connection leaves behind it
IN_FLIGHT = 64
CONNECTIONS = 4
CREATE, DELETE, GET_DATA, SET_DATA, GET_CHILDREN = 1, 2, 4, 5, 8
OPEN_ACL = struct.pack(">ii", 1, 31) + b"\0\0\0\5world\0\0\0\6anyone"


def text(value):
    return struct.pack(">i", len(value)) + value


class Client:
    """One connection with its own session."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.send(struct.pack(">iqiq", 0, 0, 30000, 0) + text(b"\0" * 16))
        self.frame()

    def send(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def frame(self):
        while True:
            if len(self.buffer) >= 4:
                (length,) = struct.unpack(">i", self.buffer[:4])
                if len(self.buffer) >= 4 + length:
                    frame = self.buffer[4 : 4 + length]
                    self.buffer = self.buffer[4 + length :]
                    return frame
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more

    def call(self, op, record):
        self.send(struct.pack(">ii", 1, op) + record)
        frame = self.frame()
        _, zxid, code = struct.unpack(">iqi", frame[:16])
        return code, frame[16:], zxid


def payload(index):
    """The data of the znode that write `index` makes: its number, then up to 4 KiB."""
    return struct.pack(">q", index) + bytes([index & 0xFF]) * ((index * 2654435761) % 4096)


def write_of(root, index):
    """Write `index` of a connection, as operation and record."""
    number, odd = divmod(index, 2)
    if not odd:
        name = b"%s/n%d" % (root, number)
        return CREATE, text(name) + text(payload(index)) + OPEN_ACL + struct.pack(">i", 0)
    if number >= WINDOW:
        return DELETE, text(b"%s/n%d" % (root, number - WINDOW)) + struct.pack(">i", -1)
    return SET_DATA, text(root) + text(struct.pack(">q", index)) + struct.pack(">i", -1)


def state_after(count):
    """Children and data of the root after so many writes."""
    created, deleted = (count + 1) // 2, max(0, count // 2 - WINDOW)
    sets = [i for i in range(1, min(count, 2 * WINDOW), 2)]
    data = struct.pack(">q", sets[-1]) if sets else b""
    return {b"n%d" % n for n in range(deleted, created)}, data


class Writer(threading.Thread):
    """Writes below its root until the connection ends."""

    def __init__(self, port, root):
        super().__init__(daemon=True)
        self.client, self.root = Client(port), root
        code, _, _ = self.client.call(CREATE, text(root) + text(b"") + OPEN_ACL + struct.pack(">i", 0))
        if code != 0:
            raise SystemExit(f"create {root!r}: {code}")
        self.sent, self.acknowledged, self.zxid, self.refused = 0, 0, 0, None

    def run(self):
        try:
            while True:
                while self.sent - self.acknowledged < IN_FLIGHT:
                    op, record = write_of(self.root, self.sent)
                    self.sent += 1
                    self.client.send(struct.pack(">ii", self.sent, op) + record)
                xid, zxid, code = struct.unpack(">iqi", self.client.frame()[:16])
                if code != 0 or xid != self.acknowledged + 1:
                    self.refused = f"xid {xid} code {code}"
                    return
                self.acknowledged, self.zxid = xid, zxid
        except OSError:
            pass


class Machine:
    """The filesystem and the server on it."""

    def __init__(self, binary):
        self.home = tempfile.mkdtemp(prefix="zk-power-")
        self.image = os.path.join(self.home, "image")
        self.mount_point = os.path.join(self.home, "disk")
        self.binary, self.loop, self.process, self.mounted = binary, None, None, False
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as image:
            image.truncate(768 << 20)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.loop = run("losetup", "--find", "--show", self.image).strip()
        run("blockdev", "--setrw", self.loop)
        self.mount()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = os.path.join(self.home, "zoo.cfg")
        with open(self.config, "w") as config:
            config.write(
                f"dataDir={self.mount_point}/data\nclientPort={self.port}\n"
                "clientPortAddress=127.0.0.1\nsnapCount=3000\n4lw.commands.whitelist=*\n"
            )

    def mount(self):
        run("mount", self.loop, self.mount_point)
        self.mounted = True

    def start(self):
        self.log = open(os.path.join(self.home, "log"), "ab")
        self.process = subprocess.Popen(
            [self.binary, "--config", self.config], stdout=self.log, stderr=self.log
        )
        deadline = time.time() + 30
        while time.time() < deadline:
            if self.process.poll() is not None:
                self.fail(f"the server did not start: exit {self.process.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"srvr")
                    if b"Mode:" in probe.makefile("rb").read():
                        return
            except OSError:
                pass
            time.sleep(0.01)
        self.fail("the server did not serve within 30 s")

    def cut(self):
        fd = os.open(self.mount_point, os.O_RDONLY)
        fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)

    def end(self):
        """What became of the server: its exit code, or that it had to be ended."""
        try:
            code = self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "ended by us"
        self.log.close()
        run("umount", self.mount_point)
        self.mounted = False
        return code

    def fail(self, why):
        with open(os.path.join(self.home, "log"), errors="replace") as log:
            tail = "".join(log.readlines()[-30:])
        raise SystemExit(f"powercut: {why}\n{tail}")

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.mounted:
            subprocess.run(["umount", self.mount_point], check=False)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], check=False)
        shutil.rmtree(self.home, ignore_errors=True)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_state(client, root):
    code, record, _ = client.call(GET_CHILDREN, text(root) + b"\0")
    if code != 0:
        return None
    (count,) = struct.unpack(">i", record[:4])
    at, names = 4, set()
    for _ in range(count):
        (length,) = struct.unpack(">i", record[at : at + 4])
        names.add(record[at + 4 : at + 4 + length])
        at += 4 + length
    return names, read_data(client, root)


def read_data(client, path):
    code, record, _ = client.call(GET_DATA, text(path) + b"\0")
    if code != 0:
        return None
    (length,) = struct.unpack(">i", record[:4])
    return record[4 : 4 + length]


def check(client, writer):
    """The number of writes that are there; an error when it is no such number."""
    state = read_state(client, writer.root)
    for count in range(writer.acknowledged, writer.sent + 1):
        if state == state_after(count):
            break
    else:
        held = None if state is None else sorted(state[0])
        return None, (
            f"{writer.root!r}: {writer.acknowledged} of {writer.sent} writes acknowledged, and no "
            f"prefix that holds them leaves {held}"
        )
    for name in state[0]:
        if read_data(client, writer.root + b"/" + name) != payload(int(name[1:]) * 2):
            return None, f"{writer.root!r}/{name!r}: wrong data"
    return count, None


def round_of(machine, number, rng, settled, totals):
    machine.start()
    writers = [Writer(machine.port, b"/r%d-%d" % (number, c)) for c in range(CONNECTIONS)]
    for writer in writers:
        writer.start()
    time.sleep(rng.uniform(0.02, 0.6))
    machine.cut()
    code = machine.end()
    for writer in writers:
        writer.join(10)
        if writer.refused:
            totals["refused"] += 1
    totals["exits"][code] = totals["exits"].get(code, 0) + 1
    machine.mount()
    machine.start()
    client = Client(machine.port)
    _, _, zxid = client.call(GET_CHILDREN, text(b"/") + b"\0")
    for writer in writers:
        if zxid < writer.zxid:
            machine.fail(f"cut {number}: zxid {writer.zxid} acknowledged, {zxid} there")
        count, fault = check(client, writer)
        if fault:
            machine.fail(f"cut {number}: {fault}")
        totals["acknowledged"] += writer.acknowledged
        totals["survived"] += count
        settled[writer.root] = count
    machine.process.send_signal(signal.SIGKILL)
    machine.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    binary = os.path.realpath(os.environ["ZK_AGENT_BIN"])
    print(f"powercut: seed {options.seed}", flush=True)
    rng, settled = random.Random(options.seed), {}
    totals = {"acknowledged": 0, "survived": 0, "refused": 0, "exits": {}}
    machine = Machine(binary)
    try:
        for number in range(options.cuts):
            round_of(machine, number, rng, settled, totals)
        machine.start()
        client = Client(machine.port)
        for root, count in settled.items():
            if read_state(client, root) != state_after(count):
                machine.fail(f"{root!r} changed after a later cut")
    finally:
        machine.close()
    if totals["acknowledged"] < options.cuts * CONNECTIONS:
        raise SystemExit(f"powercut: too few writes to show anything: {totals}")
    print(
        f"powercut: {options.cuts} cuts, {totals['acknowledged']} acknowledged writes, "
        f"{totals['survived']} survived, none of the acknowledged was lost; "
        f"exit codes {totals['exits']}, connections refused at the end {totals['refused']}"
    )


if __name__ == "__main__":
    # In mounts of its own: a container that somebody starts meanwhile would have a copy of ours, and
    # what is unmounted here would live on in there, still without power.
    if os.environ.pop("ZK_POWER_MOUNTS", None) is None:
        os.environ["ZK_POWER_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    sys.exit(main())
