#!/usr/bin/env python3
"""migration.py VENDOR - three Apache servers become three zk-agents in place, and Apache servers again.

Each member is moved by migration/migrate.sh as a user would, its leader last, forth, back, and forth
once more. Meanwhile clients (kazoo here, Apache's Java client in tests/clients/java/Holder.java) hold
sessions, ephemerals and chains of one-shot watches, and write. At the end no session, no ephemeral,
no acknowledged write and no watch event may be missing, and all members must have the same tree.

VENDOR is zk39 or zk38. ZK_AGENT_BIN is our server, ZKPEER the directory above zk39/, CLASSES where
Holder is. To be run inside a pid namespace of its own: what it starts ends with it.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, NodeExistsError, SessionExpiredError

HERE = os.path.dirname(os.path.abspath(__file__))
MIGRATE = os.path.join(HERE, "..", "..", "migration", "migrate.sh")
PEER = os.environ.get("ZKPEER", "/opt/zkpeer")
AGENT = os.path.realpath(os.environ["ZK_AGENT_BIN"])
PATIENCE = 60
MEMBERS = 3


def is_mismatch(line):
    """What Apache's servers say of digests while they read or receive a snapshot means nothing."""
    apache = "Digests are not matching" in line and "[CommitProcessor" in line
    return apache or "digest_mismatch" in line


def class_path(vendor):
    debian = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
    return debian if vendor == "zk38" else f"{PEER}/zk39/*"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def ask(port, word):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as probe:
            probe.settimeout(5)
            probe.sendall(word.encode())
            return probe.makefile("rb").read().decode()
    except OSError:
        return ""


def field(text, label):
    found = [line for line in text.splitlines() if line.startswith(label)]
    return found[0][len(label) :].strip() if found else ""


def wait(what, holds):
    deadline = time.time() + PATIENCE
    while not holds():
        if time.time() > deadline:
            raise SystemExit(f"migration: {what}: not within {PATIENCE} s")
        time.sleep(0.05)


class Member:
    """One member: its directory, its ports, and the commands an operator has for it."""

    def __init__(self, home, number, ports, servers, vendor):
        self.home, self.number, self.port = os.path.join(home, str(number)), number, ports[0]
        self.vendor = vendor
        os.makedirs(os.path.join(self.home, "data"))
        with open(os.path.join(self.home, "data", "myid"), "w") as myid:
            myid.write(f"{number}\n")
        self.config = os.path.join(self.home, "zoo.cfg")
        with open(self.config, "w") as config:
            config.write(
                f"tickTime=1000\ninitLimit=20\nsyncLimit=10\ndataDir={self.home}/data\n"
                f"clientPort={self.port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                f"4lw.commands.whitelist=*\nmaxClientCnxns=0\n{servers}"
            )
        apache = (
            f"java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '{class_path(vendor)}' "
            f"org.apache.zookeeper.server.quorum.QuorumPeerMain {self.config}"
        )
        self.starts = {"apache": self.starter(apache), "ours": self.starter(f"{AGENT} --config {self.config}")}
        self.stop = f"kill $(cat {self.home}/pid)"

    def starter(self, command):
        """As a service manager would: in the background, with its pid written down."""
        return f"{command} < /dev/null >> {self.home}/out 2>&1 & echo $! > {self.home}/pid"

    def start(self, program):
        subprocess.run(["bash", "-c", self.starts[program]], check=True)

    def mode(self):
        return field(ask(self.port, "srvr"), "Mode:")

    def output(self):
        with open(os.path.join(self.home, "out"), errors="replace") as out:
            return out.read()


class Holder:
    """A kazoo client that holds what it has and writes. Its twin in Java is Holder.java."""

    def __init__(self, hosts, name):
        self.name, self.written, self.fired, self.version = name, 0, 0, -1
        self.lost, self.failure, self.is_quiet = False, None, False
        self.client = KazooClient(hosts=hosts, timeout=20.0)
        self.client.add_listener(self.on_state)
        self.client.start(timeout=PATIENCE)
        self.event = threading.Event()
        for path in ("/held", f"/held/w-{name}", f"/held/c-{name}"):
            self.make(path)
        self.make(f"/held/e-{name}", ephemeral=True)
        self.czxid = self.persist(lambda: self.client.exists(f"/held/e-{name}")).czxid
        self.session = self.client.client_id[0]
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self.write, self.watch)]
        for thread in self.threads:
            thread.start()

    def on_state(self, state):
        self.lost |= state == KazooState.LOST and not self.is_quiet

    def persist(self, call):
        """Tries until the connection holds. Only for what may be done twice."""
        deadline = time.time() + PATIENCE
        while True:
            try:
                return call()
            except (ConnectionLoss, SessionExpiredError):
                # kazoo says SessionExpired as well when it has no connection at the moment; whether
                # the session was lost is what the listener hears.
                if self.lost or time.time() > deadline:
                    raise
                time.sleep(0.02)

    def make(self, path, **kind):
        def create():
            try:
                self.client.create(path, b"", **kind)
            except NodeExistsError:
                pass

        self.persist(create)

    def write(self):
        try:
            while not self.is_quiet:
                count = self.written + 1
                self.make(f"/held/w-{self.name}/{count}")
                self.persist(lambda: self.client.set(f"/held/c-{self.name}", str(count).encode()))
                self.written = count
                time.sleep(0.002)
        except Exception as error:  # told at the check
            self.failure = error

    def watch(self):
        """A chain of one-shot watches: an event that is lost breaks it for good."""
        try:
            while True:
                self.event.clear()
                stat = self.persist(lambda: self.client.exists(f"/held/c-{self.name}", watch=self.on_event))
                self.version = stat.version
                self.event.wait()
        except Exception as error:
            self.failure = error

    def on_event(self, event):
        # kazoo gives its watches up with the connection and says so by NONE: they are set anew.
        self.fired += event.type != "NONE"
        self.event.set()

    def quiet(self):
        self.is_quiet = True
        self.threads[0].join(PATIENCE)

    def check(self):
        assert self.failure is None, f"{self.name}: {self.failure!r}"
        assert not self.lost, f"{self.name}: the session was lost"
        assert self.client.client_id[0] == self.session, f"{self.name}: another session"
        path = f"/held/c-{self.name}"
        version = self.persist(lambda: self.client.exists(path)).version
        wait(f"{self.name}: events up to version {version}", lambda: self.version >= version)
        children = self.persist(lambda: self.client.get_children(f"/held/w-{self.name}"))
        missing = {str(n) for n in range(1, self.written + 1)} - set(children)
        assert not missing, f"{self.name}: acknowledged and lost: {sorted(missing)[:9]}"
        assert len(children) == self.written, f"{self.name}: {len(children)} of {self.written} are there"
        ephemeral = self.persist(lambda: self.client.exists(f"/held/e-{self.name}"))
        assert ephemeral is not None and ephemeral.czxid == self.czxid, f"{self.name}: {ephemeral}"
        assert ephemeral.owner_session_id == self.session, f"{self.name}: {ephemeral}"
        assert self.fired > 10, f"{self.name}: hardly any event"
        self.client.stop()
        self.client.close()
        return f"{self.name}: kept {self.written} writes, {self.fired} events"


class JavaHolder:
    """Holder.java as a process."""

    def __init__(self, hosts, name):
        self.name = name
        jars = f"{os.environ['CLASSES']}:{class_path('zk39')}"
        self.process = subprocess.Popen(
            ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF", "-cp", jars, "Holder", name],
            env={**os.environ, "ZK_ADDRESS": hosts},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline()
        assert line.startswith(word), f"{self.name}: {line!r}, exit {self.process.poll()}"
        return line

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def quiet(self):
        self.tell("quiet")
        self.expect("quiet")

    def check(self):
        self.tell("check")
        line = self.expect("kept")
        assert self.process.wait(PATIENCE) == 0
        return f"{self.name}: {line.strip()}"


def trees(members):
    """What each member holds, as kazoo reads it."""

    def tree(member):
        client = KazooClient(hosts=f"127.0.0.1:{member.port}", timeout=10.0)
        client.start(timeout=PATIENCE)
        found, todo = {}, ["/held"]
        client.sync("/")
        while todo:
            path = todo.pop()
            data, stat = client.get(path)
            found[path] = (data, tuple(stat))
            todo += [f"{path}/{name}" for name in client.get_children(path)]
        client.stop()
        client.close()
        return found

    return [tree(member) for member in members]


def migrate(members, direction):
    """Every member in turn, the one that leads last."""
    program = "ours" if direction == "to-zk-agent" else "apache"
    left = list(members)
    while left:
        wait("one leader", lambda: sum(m.mode() == "leader" for m in members) == 1)
        followers = [member for member in left if member.mode() != "leader"]
        member = (followers or left)[0]
        others = [f"127.0.0.1:{other.port}" for other in members if other is not member]
        environment = {
            **os.environ,
            "STOP": member.stop,
            "START": member.starts[program],
            "MEMBERS": " ".join([f"127.0.0.1:{member.port}"] + others),
            "ZK_AGENT": AGENT,
            "LEADER_LAST": "" if followers else "1",
        }
        began = time.time()
        done = subprocess.run(
            ["bash", MIGRATE, direction, member.config], env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SystemExit(f"migration: member {member.number}, {direction}: {done.stdout}{done.stderr}")
        version = ask(member.port, "srvr").splitlines()[0]
        assert ("zk-agent" in version) == (program == "ours"), version
        print(f"member {member.number} {direction}: {time.time() - began:.1f} s", flush=True)
        left.remove(member)
        time.sleep(1)  # some load on every mixture


def main():
    vendor = sys.argv[1]
    home = tempfile.mkdtemp(prefix="zk-migration-")
    ports = free_ports(3 * MEMBERS)
    servers = "".join(
        f"server.{n + 1}=127.0.0.1:{ports[3 * n + 1]}:{ports[3 * n + 2]}\n" for n in range(MEMBERS)
    )
    members = [Member(home, n + 1, ports[3 * n :], servers, vendor) for n in range(MEMBERS)]
    hosts = ",".join(f"127.0.0.1:{member.port}" for member in members)
    try:
        for member in members:
            member.start("apache")
        wait("all members serving", lambda: all(member.mode() for member in members))
        holders = [Holder(hosts, "kazoo-1"), Holder(hosts, "kazoo-2"), JavaHolder(hosts, "java")]
        time.sleep(2)
        for direction in ("to-zk-agent", "to-apache", "to-zk-agent"):
            migrate(members, direction)
        for holder in holders:
            holder.quiet()
        for holder in holders:
            print(holder.check(), flush=True)
        wait("equal trees", lambda: (lambda all_: all(t == all_[0] for t in all_))(trees(members)))
        for member in members:
            wrong = [line for line in member.output().splitlines() if is_mismatch(line)]
            assert not wrong, f"member {member.number}: {wrong[0]}"
    except BaseException:
        for member in members:
            print(f"--- member {member.number}\n{member.output()[-4000:]}", file=sys.stderr)
        raise
    finally:
        for member in members:
            try:
                with open(os.path.join(member.home, "pid")) as pid:
                    os.kill(int(pid.read()), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        if not os.environ.get("ZK_TESTS_KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    print("migration: forth, back and forth again: nothing was lost")


if __name__ == "__main__":
    main()
