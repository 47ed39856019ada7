"""Workloads of recipes.py about what clients may not do: read what an ACL hides, write more than a
quota or the protocol allows, leave the subtree that is their root."""
import hashlib
import random
import re
import threading
import time

from kazoo.exceptions import NoAuthError, NodeExistsError, NoNodeError, QuotaExceededError
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl

from workload import LOST, ROOT, SETTLE_S, Broken, Workload, make


def seen(run, name, look):
    """What each server shows once it has everything."""
    for host in run.hosts:
        client = run.client(host)

        def attempt():
            client.sync(ROOT)
            return look(client)

        yield host, run.insist(name, attempt)


class Curtain(Workload):
    """One of two may read, in turns. What is written for one of them is never shown to the other.

    The data is for nobody while the ACL changes, so no reader needs to know when that was.
    """
    PATH, NAMES = f"{ROOT}/curtain", ["ann", "bob"]

    def acl(self, name):
        owner = make_digest_acl("owner", "secret", all=True)
        return [owner, make_digest_acl(name, "secret", read=True)]

    def known_as(self, name, hosts=None):
        client = self.all.client(hosts)
        self.all.insist("curtain", lambda: client.add_auth("digest", f"{name}:secret"))
        return client

    def prepare(self):
        self.done = self.unknown = self.number = 0
        self.client.stop()
        self.client = self.known_as("owner")
        make(self.all, self.client, self.PATH, b"nobody 0")
        self.all.insist("curtain", lambda: self.set_acl("ann"))
        self.readers = {name: [self.known_as(name, host) for host in self.all.hosts]
                        for name in self.NAMES}

    def set_acl(self, name):
        try:
            self.client.set_acls(self.PATH, self.acl(name))
            self.done += 1
        except LOST:
            self.unknown += 1
            raise

    def turn(self):
        if self.random.random() < 0.5:
            return self.peep()
        self.number += 1
        self.client.set(self.PATH, b"nobody %d" % self.number)
        name = self.random.choice(self.NAMES)
        self.set_acl(name)
        self.client.set(self.PATH, b"%s %d" % (name.encode(), self.number))
        self.all.count("curtains")
        self.show(name)

    def read(self, name, sync):
        reader = self.random.choice(self.readers[name])
        if not reader.connected:
            return None
        if sync:
            reader.sync_async(self.PATH).get(timeout=3)
        return reader.get_async(self.PATH).get(timeout=3)[0]

    def peep(self):
        name = self.random.choice(self.NAMES)
        try:
            data = self.read(name, False)
        except NoAuthError:
            return self.all.count("hidden")
        if data and data.split()[0] not in (b"nobody", name.encode()):
            raise Broken(f"{name} reads {data}")

    def show(self, name):
        """Who may read does, on any server, after a sync."""
        try:
            data = self.read(name, True)
        except NoAuthError:
            raise Broken(f"{name} may read {self.number} and is refused after a sync")
        if data and data != b"%s %d" % (name.encode(), self.number):
            raise Broken(f"{name} reads {data} instead of {self.number} after a sync")

    def check(self):
        self.all.insist("curtain", lambda: self.set_acl("bob"))

        def look(client):
            client.add_auth("digest", "owner:secret")
            return client.get_acls(self.PATH)
        for host, (acl, stat) in seen(self.all, "curtain", look):
            if not self.done <= stat.aversion <= self.done + self.unknown:
                raise Broken(f"{host}: {stat.aversion} ACLs were set, {self.done} for sure and "
                             f"{self.unknown} perhaps")
            if sorted(acl) != sorted(self.acl("bob")):
                raise Broken(f"{host}: the last ACL is {acl}")
        # Whoever compares the servers in the end reads everything.
        self.all.insist("curtain", lambda: self.client.set_acls(self.PATH, OPEN_ACL_UNSAFE))


class Walls(Workload):
    """A hard quota that several run against, and one that comes and goes.

    A leader judges by what is applied, as Apache's do: each of the three writers may go over it by
    what it has under way, which is one request, and one more after an answer that was lost. A leader
    whose own disk lags behind its quorum lets more through, and none once it has applied that
    (quota_tests.rs of the core): nobody makes another one where there have been too many for long.
    """
    WALL, CHURN, ROOM, OVER, OVER_S = f"{ROOT}/walls", f"{ROOT}/churn", 8, 6, 20

    def prepare(self):
        for path in (self.WALL, self.CHURN):
            make(self.all, self.client, path, b"")
            make(self.all, self.client, f"/zookeeper/quota{path}", b"")
        # The znode itself counts as well.
        self.limit(self.WALL, b"count=-1,bytes=-1;byteHardLimit=-1;countHardLimit=%d"
                   % (self.ROOM + 1))
        self.others = [threading.Thread(target=self.other, daemon=True) for _ in range(2)]
        for other in self.others:
            other.start()

    # When a writer first saw too many, and nobody has seen fewer since.
    over_since = None

    def limit(self, path, text):
        quota = f"/zookeeper/quota{path}"
        make(self.all, self.client, f"{quota}/zookeeper_limits", text)
        make(self.all, self.client, f"{quota}/zookeeper_stats", b"count=0,bytes=0")

    def other(self):
        try:
            client, chance = self.all.client(), random.Random(str(self.random.random()))
            while not self.all.stop.is_set():
                try:
                    self.push(client, chance)
                except LOST:
                    pass
                time.sleep(0.01)
        except BaseException:
            self.all.failed("walls")

    def push(self, client, chance):
        """Makes a znode where there may be no room, or makes room."""
        names = client.get_children(self.WALL)
        if len(names) <= self.ROOM + self.OVER:
            self.over_since = None
        elif self.over_since is None:
            self.over_since = time.monotonic()
            self.all.count("over the wall")
        since = self.over_since
        if chance.random() < 0.6:
            try:
                client.create(f"{self.WALL}/n-", b"x" * chance.randrange(100), sequence=True)
                self.all.count("within the quota")
                if since is not None and time.monotonic() - since > self.OVER_S:
                    raise Broken(f"another one to {len(names)} znodes where {self.ROOM} have room, "
                                 f"after {self.OVER_S} s: {names}")
            except QuotaExceededError:
                self.all.count("against the quota")
        elif names:
            try:
                client.delete(f"{self.WALL}/{chance.choice(names)}")
            except NoNodeError:
                pass

    def turn(self):
        self.push(self.client, self.random)
        chance, path = self.random.random(), f"{self.CHURN}/{self.random.randrange(6)}"
        try:
            if chance < 0.1:
                self.limit(self.CHURN, b"count=100,bytes=-1")
            elif chance < 0.2:
                # The usage is counted anew when its znode is made: it must not outlive the limits.
                for name in ("zookeeper_stats", "zookeeper_limits"):
                    self.client.delete(f"/zookeeper/quota{self.CHURN}/{name}")
                self.all.count("quotas gone")
            elif chance < 0.5:
                self.client.create(path, b"y" * self.random.randrange(1000))
            elif chance < 0.7:
                self.client.delete(path)
            else:
                self.client.set(path, b"z" * self.random.randrange(1000))
        except (NodeExistsError, NoNodeError):
            pass

    def usage(self, client, path):
        """What there is, and what the server's own count says, with nobody writing."""
        stats, _ = client.get(f"/zookeeper/quota{path}/zookeeper_stats")
        told = re.match(rb"count=(-?\d+),bytes=(-?\d+)", stats)
        names = client.get_children(path)
        data = [client.get(f"{path}/{name}")[0] for name in names] + [client.get(path)[0]]
        return (len(data), sum(map(len, data))), told and tuple(int(n) for n in told.groups())

    def check(self):
        for other in self.others:
            other.join(SETTLE_S)
        self.limit(self.CHURN, b"count=100,bytes=-1")
        for path in (self.WALL, self.CHURN):
            usages = seen(self.all, "walls", lambda client: self.usage(client, path))
            for host, (real, told) in usages:
                if real != told:
                    raise Broken(f"{host}: {path} has {real}, and its quota says {told}")


class Giants(Workload):
    """Values up to the limit arrive whole, and what is above it is refused and leaves no trace."""
    PATH, LIMIT = f"{ROOT}/giant", 0xfffff

    def prepare(self):
        make(self.all, self.client, self.PATH, self.value(0, 0))
        self.readers = [self.all.client(host) for host in self.all.hosts]
        self.number = 0

    @staticmethod
    def value(number, size):
        text = random.Random(number).randbytes(size)
        return b"%d %s " % (number, hashlib.sha256(text).hexdigest().encode()) + text

    def turn(self):
        time.sleep(self.random.uniform(0, 0.5))
        self.number += 1
        if self.random.random() < 0.05:
            return self.too_big()
        size = self.random.choice([10, 1_000, 100_000, 500_000, self.LIMIT - 500])
        self.client.set(self.PATH, self.value(self.number, size))
        self.all.count("giants")
        reader = self.random.choice(self.readers)
        if reader.connected:
            reader.sync_async(self.PATH).get(timeout=3)
            self.look(reader.get_async(self.PATH).get(timeout=6)[0], self.number)

    def too_big(self):
        try:
            self.client.set(self.PATH, self.value(self.number, self.LIMIT + 10_000))
        except LOST:
            return self.all.count("too big")
        raise Broken("a value above the limit was taken")

    def look(self, data, least):
        number, digest, text = data.split(b" ", 2)
        if hashlib.sha256(text).hexdigest().encode() != digest or len(data) > self.LIMIT:
            raise Broken(f"value {number}, {len(data)} bytes, is not what was written")
        if int(number) < least:
            raise Broken(f"value {least} was there, and {number} is read after a sync")

    def check(self):
        for _, data in seen(self.all, "giants", lambda client: client.get(self.PATH)[0]):
            self.look(data, 0)


class Tenants(Workload):
    """A client with a root of its own sees its part of the tree, under the names of its own."""
    HOME = f"{ROOT}/tenants/home"

    def prepare(self):
        make(self.all, self.client, self.HOME, b"")
        self.tenant = self.all.client(",".join(self.all.hosts) + self.HOME)
        self.fired = []

    def turn(self):
        path = self.tenant.create("/n-", b"", sequence=True)
        self.own(path, "n")
        self.client.sync(self.HOME)
        if self.client.exists(self.HOME + path) is None:
            raise Broken(f"{path} of the tenant is not below {self.HOME}")
        try:
            self.tenant.get(path, watch=lambda event: event.path and self.fired.append(event.path))
        except NoNodeError:
            # It has another session by now, on a server that does not have it yet.
            return
        self.client.set(self.HOME + path, b"seen")
        multi = self.tenant.transaction()
        multi.delete(path)
        multi.create("/m-", b"", sequence=True)
        results = multi.commit()
        if isinstance(results[1], str):
            self.own(results[1], "m")
            self.all.count("tenants")
        if self.random.random() < 0.3:
            for name in self.tenant.get_children("/"):
                self.tenant.delete(f"/{name}")
        while self.fired:
            self.own(self.fired.pop(), "n")
            self.all.count("tenant's events")

    def own(self, path, letter):
        if not re.fullmatch(rf"/{letter}-\d{{10}}", path):
            raise Broken(f"the tenant is told of {path}")

    def check(self):
        inside = self.all.insist("tenants", lambda: self.tenant.get_children("/"))
        shown = seen(self.all, "tenants", lambda client: client.get_children(self.HOME))
        for host, outside in shown:
            if sorted(inside) != sorted(outside):
                raise Broken(f"{host}: the tenant has {inside}, and there is {outside}")
