import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Holds a session, an ephemeral and watches while the servers behind ZK_ADDRESS change, and writes
 * without pause. Told "quiet" it stops writing and says how much it has written; told "check" it says
 * whether anything was lost, and ends. Beside it runs the same in Python (tests/clients/migration.py).
 */
final class Holder implements Watcher {
    private static final int TIMEOUT_MS = 20_000;
    private static final long PATIENCE_MS = 60_000;
    private final String name;
    private final ZooKeeper zk;
    private final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
    private volatile boolean expired;
    private volatile boolean quiet;
    private volatile int written;
    private volatile int watchedVersion = -1;
    private volatile int fired;
    private volatile Throwable failure;

    private Holder(String name) throws Exception {
        this.name = name;
        this.zk = new ZooKeeper(System.getenv("ZK_ADDRESS"), TIMEOUT_MS, this);
    }

    @Override
    public void process(WatchedEvent event) {
        if (event.getState() == Event.KeeperState.Expired) {
            expired = true;
        }
        if (event.getType() != Event.EventType.None) {
            events.add(event);
        }
    }

    private interface Call<T> {
        T run() throws Exception;
    }

    /** Tries until the connection holds. Only for what may be done twice. */
    private static <T> T persist(Call<T> call) throws Exception {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        while (true) {
            try {
                return call.run();
            } catch (KeeperException.ConnectionLossException lost) {
                if (System.currentTimeMillis() > end) {
                    throw lost;
                }
                Thread.sleep(20);
            }
        }
    }

    /** Creates; after a lost connection it looks whether the first attempt was done. */
    private void make(String path, CreateMode mode) throws Exception {
        persist(() -> {
            try {
                return zk.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, mode);
            } catch (KeeperException.NodeExistsException there) {
                return path;
            }
        });
    }

    private void write() {
        try {
            while (!quiet) {
                int next = written + 1;
                make("/held/w-" + name + "/" + next, CreateMode.PERSISTENT);
                // Its version counts the writes that were done, acknowledged or not.
                persist(() -> zk.setData("/held/c-" + name, String.valueOf(next).getBytes(), -1));
                written = next;
                Thread.sleep(2);
            }
        } catch (Exception error) {
            failure = error;
        }
    }

    /** A chain of one-shot watches on one's own counter: an event that is lost breaks it for good. */
    private void watch() {
        try {
            while (true) {
                Stat stat = persist(() -> zk.exists("/held/c-" + name, true));
                watchedVersion = stat.getVersion();
                // The deadline of the whole run is the caller's.
                events.take();
                fired++;
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        } catch (Exception error) {
            failure = error;
        }
    }

    private void check(Stat ephemeral) throws Exception {
        if (failure != null) {
            throw new AssertionError(failure);
        }
        Steps.check(!expired, "the session expired");
        int version = persist(() -> zk.exists("/held/c-" + name, false)).getVersion();
        Steps.await("events up to version " + version + ", at " + watchedVersion, () -> watchedVersion >= version);
        int children = persist(() -> zk.getChildren("/held/w-" + name, false)).size();
        Steps.equal(written, children);
        Stat now = persist(() -> zk.exists("/held/e-" + name, false));
        Steps.check(now != null, "the ephemeral is gone");
        Steps.equal(ephemeral.getCzxid(), now.getCzxid());
        Steps.equal(zk.getSessionId(), now.getEphemeralOwner());
        Steps.check(fired > 10, "hardly any event: " + fired);
    }

    public static void main(String[] args) throws Exception {
        Holder holder = new Holder(args[0]);
        holder.make("/held", CreateMode.PERSISTENT);
        holder.make("/held/w-" + args[0], CreateMode.PERSISTENT);
        holder.make("/held/c-" + args[0], CreateMode.PERSISTENT);
        holder.make("/held/e-" + args[0], CreateMode.EPHEMERAL);
        Stat ephemeral = persist(() -> holder.zk.exists("/held/e-" + args[0], false));
        Thread writer = new Thread(holder::write);
        Thread watcher = new Thread(holder::watch);
        writer.start();
        watcher.setDaemon(true);
        watcher.start();
        System.out.println("ready");
        BufferedReader told = new BufferedReader(new InputStreamReader(System.in));
        String line;
        while ((line = told.readLine()) != null) {
            if (line.equals("quiet")) {
                holder.quiet = true;
                writer.join(TimeUnit.MILLISECONDS.toMillis(PATIENCE_MS));
                System.out.println("quiet " + holder.written);
            } else if (line.equals("check")) {
                holder.check(ephemeral);
                System.out.println("kept " + holder.written + " writes, " + holder.fired + " events");
                holder.zk.close();
                System.exit(0);
            }
        }
        System.exit(1);
    }
}
