#!/usr/bin/env python3
"""recipes.py HOST:PORT,HOST:PORT.. [SEED] - what applications do with kazoo, until SIGTERM, and
whether it kept its promises.

Bank, counter, queue, lock with fencing, ephemerals that come and go, a mirror of a tree kept by
watches, and sync followed by a read across servers; in `walls.py` ACLs and quotas that change,
values up to the limit, and clients with a root of their own. Every failure of a connection is taken
as what it is: what was asked may have been done or not. Prints `sessions ID..`, those it had, and
`recipes {..}` with what it did; ends with 1 and the reasons when a promise was broken.
"""
import json
import signal
import sys
import threading
import time
import uuid

from kazoo.exceptions import KazooException, NoNodeError
from kazoo.recipe.cache import TreeCache

from walls import Curtain, Giants, Tenants, Walls
from workload import LOST, ROOT, SETTLE_S, Broken, Run, Workload, committed, make


class Bank(Workload):
    """Transfers between accounts. Together they never hold more or less."""
    COUNT, SUM = 6, 600

    def path(self, number):
        return f"{ROOT}/bank/{number}"

    def prepare(self):
        for number in range(self.COUNT):
            make(self.all, self.client, self.path(number), b"%d" % (self.SUM // self.COUNT))

    def turn(self):
        if self.random.random() < 0.2:
            return self.look()
        one, other = self.random.sample(range(self.COUNT), 2)
        (a, a_stat), (b, b_stat) = (self.client.get(self.path(n)) for n in (one, other))
        amount = self.random.randint(1, 20)
        multi = self.client.transaction()
        multi.set_data(self.path(one), b"%d" % (int(a) - amount), version=a_stat.version)
        multi.set_data(self.path(other), b"%d" % (int(b) + amount), version=b_stat.version)
        self.all.count("transfers" if committed(multi.commit()) else "transfers refused")

    def look(self):
        """All balances; that they stood there at one moment is what the multi says."""
        seen = [self.client.get(self.path(number)) for number in range(self.COUNT)]
        multi = self.client.transaction()
        for number, (_, stat) in enumerate(seen):
            multi.check(self.path(number), stat.version)
        if committed(multi.commit()):
            self.all.count("balances")
            total = sum(int(data) for data, _ in seen)
            if total != self.SUM:
                raise Broken(f"{total} in the bank instead of {self.SUM}: {seen}")

    def check(self):
        self.all.insist("bank", self.look)


class Counter(Workload):
    """Several znodes at once, or none of them."""
    EACH, PATH = 4, f"{ROOT}/counter"

    def prepare(self):
        self.done = self.unknown = 0
        make(self.all, self.client, self.PATH, b"")

    def turn(self):
        multi = self.client.transaction()
        for _ in range(self.EACH):
            multi.create(f"{self.PATH}/n-", b"", sequence=True)
        try:
            if not committed(multi.commit()):
                raise Broken("a multi of creates was refused")
        except LOST:
            self.unknown += 1
            raise
        self.done += 1
        self.all.count("counted")
        time.sleep(0.02)

    def check(self):
        names = self.all.insist("counter", lambda: self.client.get_children(self.PATH))
        least, most = self.done * self.EACH, (self.done + self.unknown) * self.EACH
        if len(names) % self.EACH or not least <= len(names) <= most:
            raise Broken(f"{len(names)} znodes, not {least} to {most} in steps of {self.EACH}")


class Queue(Workload):
    """Each item is taken once, and none is lost."""
    PATH = f"{ROOT}/queue"

    def prepare(self):
        make(self.all, self.client, self.PATH, b"")
        self.put, self.maybe_put, self.taken, self.maybe_taken = {}, set(), {}, set()
        self.number, self.newest = 0, -1
        self.consumers = [threading.Thread(target=self.consume, daemon=True) for _ in range(2)]
        for consumer in self.consumers:
            consumer.start()

    def turn(self):
        self.number += 1
        item = b"%d" % self.number
        self.maybe_put.add(item)
        path = self.client.create(f"{self.PATH}/item-", item, sequence=True)
        at = int(path[-10:])
        if at <= self.newest:
            raise Broken(f"item {at} was put behind {self.newest}")
        self.newest = at
        self.put[item] = path
        self.all.count("put")

    def consume(self):
        try:
            client = self.all.client()
            while not self.all.stop.is_set():
                try:
                    self.take(client)
                except LOST:
                    pass
                time.sleep(0.01)
        except BaseException:
            self.all.failed("consumer")

    def take(self, client):
        for name in sorted(client.get_children(self.PATH))[:3]:
            path = f"{self.PATH}/{name}"
            try:
                item, _ = client.get(path)
            except NoNodeError:
                continue
            try:
                client.delete(path)
            except NoNodeError:
                continue
            except LOST:
                self.maybe_taken.add(item)
                raise
            with self.all.lock:
                if item in self.taken:
                    raise Broken(f"{item} was taken twice, {self.taken[item]} and {path}")
                self.taken[item] = path
            self.all.count("taken")

    def check(self):
        for consumer in self.consumers:
            consumer.join(SETTLE_S)
        left = self.all.insist("queue", lambda: self.client.get_children(self.PATH))
        rest = {self.all.insist("queue", lambda: self.client.get(f"{self.PATH}/{name}"))[0]
                for name in left}
        both, lost = rest & self.taken.keys(), self.put.keys() - rest - self.taken.keys()
        nowhere = (rest | self.taken.keys()) - self.maybe_put
        if both or lost - self.maybe_taken or nowhere:
            raise Broken(f"taken and there: {both}, lost: {lost - self.maybe_taken}, "
                         f"never put: {nowhere}")


class Locker(Workload):
    """A lock whose holders write to a ledger, fenced by the number of their turn.

    A holder writes in one multi with the check that its turn still stands. So whoever still has its
    turn must not find one in the ledger that comes later: somebody else was let in before.
    """
    PATH, LEDGER = f"{ROOT}/lock", f"{ROOT}/ledger"

    def prepare(self):
        make(self.all, self.client, self.PATH, b"")
        make(self.all, self.client, self.LEDGER, b"-1 0")
        self.written = self.unknown = 0
        self.others = [threading.Thread(target=self.other, daemon=True) for _ in range(2)]
        for other in self.others:
            other.start()

    def other(self):
        try:
            client = self.all.client()
            while not self.all.stop.is_set():
                try:
                    self.hold(client)
                except LOST:
                    pass
                time.sleep(0.01)
        except BaseException:
            self.all.failed("locker")

    def turn(self):
        self.hold(self.client)

    def hold(self, client):
        name = uuid.uuid4().bytes
        try:
            mine = client.create(f"{self.PATH}/turn-", name, ephemeral=True, sequence=True)
            if self.wait(client, mine):
                self.write(client, mine)
        finally:
            # A turn that was made and not told of would stand as long as its session.
            self.all.insist("locker", lambda: self.leave(client, name))

    def leave(self, client, name):
        client.sync(self.PATH)
        for turn in client.get_children(self.PATH):
            try:
                if client.get(f"{self.PATH}/{turn}")[0] == name:
                    client.delete(f"{self.PATH}/{turn}")
            except NoNodeError:
                pass

    def wait(self, client, mine):
        """Until no turn stands before this one."""
        name = mine.rsplit("/", 1)[1]
        while not self.all.stop.is_set():
            before = [other for other in client.get_children(self.PATH) if other < name]
            if not before:
                return True
            gone = threading.Event()
            if client.exists(f"{self.PATH}/{max(before)}", watch=lambda _event: gone.set()):
                gone.wait(2.0)
        return False

    def write(self, client, mine):
        number = int(mine[-10:])
        data, stat = client.get(self.LEDGER)
        last, count = (int(field) for field in data.split())
        multi = client.transaction()
        multi.check(mine, 0)
        if last >= number:
            if committed(multi.commit()):
                raise Broken(f"turn {number} has the lock, and turn {last} has written")
            return
        multi.set_data(self.LEDGER, b"%d %d" % (number, count + 1), version=stat.version)
        try:
            done = committed(multi.commit())
        except LOST:
            with self.all.lock:
                self.unknown += 1
            raise
        if done:
            with self.all.lock:
                self.written += 1
            self.all.count("held")
        else:
            self.all.count("fenced")

    def check(self):
        for other in self.others:
            other.join(SETTLE_S)
        data, _ = self.all.insist("ledger", lambda: self.client.get(self.LEDGER))
        count = int(data.split()[1])
        if not self.written <= count <= self.written + self.unknown:
            raise Broken(f"{count} lines in the ledger, {self.written} written and "
                         f"{self.unknown} that may be")


class Visitors(Workload):
    """Sessions come, leave an ephemeral, and go, by a word or without one. So do the ephemerals."""
    PATH = f"{ROOT}/visitors"

    def prepare(self):
        make(self.all, self.client, self.PATH, b"")
        self.number = 0

    def turn(self):
        self.number += 1
        path = f"{self.PATH}/{self.number}"
        visitor = self.all.client()
        try:
            visitor.create(path, b"", ephemeral=True)
            self.all.count("visits")
            owner = self.client.exists(path)
            if owner and owner.ephemeralOwner not in self.all.sessions:
                raise Broken(f"{path} is of {owner.ephemeralOwner:#x}")
        finally:
            visitor.stop()
            visitor.close()
        time.sleep(self.random.uniform(0, 0.5))

    def check(self):
        end = time.monotonic() + SETTLE_S
        while True:
            left = self.all.insist("visitors", lambda: self.client.get_children(self.PATH))
            if not left:
                return
            if time.monotonic() > end:
                raise Broken(f"of visitors that have gone there are {left}")
            time.sleep(0.2)


class Mirror(Workload):
    """A tree, and what watches tell of it to somebody else."""
    PATH = f"{ROOT}/mirror"
    NAMES = ["a", "b", "a/x", "a/y", "b/x", "a/x/z"]

    def prepare(self):
        make(self.all, self.client, self.PATH, b"")
        self.viewer = self.all.client()
        self.cache = TreeCache(self.viewer, self.PATH)
        self.cache.start()
        self.number = 0

    def turn(self):
        self.number += 1
        path = f"{self.PATH}/{self.random.choice(self.NAMES)}"
        data = b"%d" % self.number
        try:
            kind = self.random.random()
            if kind < 0.3:
                self.client.create(path, data)
            elif kind < 0.5:
                self.client.delete(path)
            else:
                self.client.set(path, data)
            self.all.count("mirrored")
        except LOST:
            raise
        except KazooException:
            # It is there, or isn't, or has children.
            pass

    def real(self, path):
        data, _ = self.client.get(path)
        found = {path: data}
        for name in self.client.get_children(path):
            found.update(self.real(f"{path}/{name}"))
        return found

    def shown(self, path):
        node = self.cache.get_data(path)
        found = {path: node.data if node else None}
        for name in self.cache.get_children(path) or ():
            found.update(self.shown(f"{path}/{name}"))
        return found

    def check(self):
        real = self.all.insist("mirror", lambda: self.real(self.PATH))
        end = time.monotonic() + SETTLE_S
        while self.shown(self.PATH) != real:
            if time.monotonic() > end:
                raise Broken(f"the mirror shows {self.shown(self.PATH)} instead of {real}")
            time.sleep(0.2)
        self.cache.close()


class Pair(Workload):
    """What one was told is done, another sees elsewhere after a sync."""
    PATH = f"{ROOT}/pair"

    def prepare(self):
        make(self.all, self.client, self.PATH, b"")
        self.readers = [self.all.client(host) for host in self.all.hosts]

    def turn(self):
        version = self.client.set(self.PATH, b"").version
        reader = self.random.choice(self.readers)
        if not reader.connected:
            return
        # A reader whose server is gone shall not keep the others.
        sync = reader.sync_async(self.PATH)
        sync.get(timeout=3)
        seen = reader.get_async(self.PATH).get(timeout=3)[1].version
        if seen < version:
            raise Broken(f"version {version} was there, and {seen} is seen after a sync")
        self.all.count("pairs")


WORKLOADS = [Bank, Counter, Queue, Locker, Visitors, Mirror, Pair]
WORKLOADS += [Curtain, Walls, Giants, Tenants]


def main():
    hosts, seed = sys.argv[1].split(","), sys.argv[2] if len(sys.argv) > 2 else "0"
    run = Run(hosts)
    signal.signal(signal.SIGTERM, lambda *_: run.stop.set())
    workloads = [kind(run, seed) for kind in WORKLOADS]
    for workload in workloads:
        workload.start()
    while not run.stop.wait(0.2):
        pass
    for workload in workloads:
        workload.join(SETTLE_S)
        if workload.is_alive():
            run.broken.append(f"{workload.name} does not end")
    for workload in [] if run.broken else workloads:
        try:
            run.insist("sync", lambda: workload.client.sync(ROOT))
            workload.check()
        except BaseException:
            run.failed(workload.name)
    for client in run.clients:
        client.stop()
    print("sessions", *run.sessions, flush=True)
    print("recipes", json.dumps(run.counts, sort_keys=True), flush=True)
    if run.broken:
        print("\n".join(run.broken), flush=True)
        sys.exit(1)


main()
