"""What the workloads of recipes.py share: clients, threads, and what a lost answer means."""
import random
import threading
import time
import traceback

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError, ConnectionClosedError, ConnectionLoss, KazooException, NoNodeError,
    OperationTimeoutError, RolledBackError, RuntimeInconsistency, SessionExpiredError,
    SystemZookeeperError,
)
from kazoo.handlers.threading import KazooTimeoutError

ROOT = "/kazoo"
# The answer is not known; or it is that the disk is full, for now.
LOST = (ConnectionLoss, SessionExpiredError, ConnectionClosedError, OperationTimeoutError,
        KazooTimeoutError, SystemZookeeperError)
TIMEOUT_S = 6.0
# How long what must come by itself may take once nothing is wrong any more.
SETTLE_S = 60.0


class Broken(Exception):
    """A promise that was not kept."""


class Run:
    """What all workloads share."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.stop = threading.Event()
        self.counts = {}
        self.broken = []
        self.lock = threading.Lock()
        self.clients = []
        self.sessions = set()

    def client(self, hosts=None):
        retry = {"max_tries": -1, "delay": 0.05, "backoff": 2, "max_delay": 0.5}
        client = KazooClient(hosts=hosts or ",".join(self.hosts), timeout=TIMEOUT_S,
                             connection_retry=retry)

        def listen(_state):
            # The id of a session that is over stands there until there is a new one.
            if client.client_id and client.client_id[0]:
                with self.lock:
                    self.sessions.add(client.client_id[0])

        client.add_listener(listen)
        with self.lock:
            self.clients.append(client)
        try:
            client.start(timeout=SETTLE_S)
        except BaseException:
            client.stop()
            raise
        return client

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    def failed(self, name):
        with self.lock:
            self.broken.append(f"{name}:\n{traceback.format_exc()}")

    def insist(self, name, call):
        """Repeats what may be repeated until it is answered."""
        end = time.monotonic() + SETTLE_S
        while True:
            try:
                return call()
            except LOST:
                if time.monotonic() > end:
                    raise Broken(f"{name}: no answer in {SETTLE_S} s")
                time.sleep(0.1)


class Workload(threading.Thread):
    """A thread that does `turn` until the end; `check` says afterwards whether all is well."""

    def __init__(self, run, seed):
        super().__init__(daemon=True, name=type(self).__name__.lower())
        self.all = run
        self.random = random.Random(f"{self.name} {seed}")

    def prepare(self):
        pass

    def turn(self):
        raise NotImplementedError

    def check(self):
        pass

    def run(self):
        try:
            self.client = self.all.client()
            self.prepare()
            while not self.all.stop.is_set():
                try:
                    self.turn()
                except LOST:
                    self.all.count(f"{self.name} unknown")
                time.sleep(self.random.uniform(0, 0.02))
        except BaseException:
            self.all.failed(self.name)


def committed(results):
    """Whether a multi was done: kazoo gives the reasons instead of raising them."""
    for result in results:
        if isinstance(result, Exception):
            if isinstance(result, LOST):
                raise result
            expected = (BadVersionError, NoNodeError, RolledBackError, RuntimeInconsistency)
            if not isinstance(result, expected):
                raise Broken(f"a multi was answered {results}")
            return False
    return True


def make(run, client, path, data):
    """A znode, whoever has made it."""
    def attempt():
        if client.exists(path) is None:
            try:
                client.create(path, data, makepath=True)
            except KazooException as error:
                if isinstance(error, LOST):
                    raise
    run.insist(path, attempt)
