import static org.apache.zookeeper.Watcher.Event.EventType.None;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** A watcher that keeps what it was told, apart from the state of the connection. */
final class Events implements Watcher {
    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();
    private final BlockingQueue<Event.KeeperState> states = new LinkedBlockingQueue<>();

    @Override
    public void process(WatchedEvent event) {
        if (event.getType() == None) {
            states.add(event.getState());
        } else {
            events.add(event.getType() + " " + event.getPath());
        }
    }

    /** The next events must be these, in this order. */
    void expect(String... wanted) throws InterruptedException {
        List<String> got = new ArrayList<>();
        for (int i = 0; i < wanted.length; i++) {
            String event = events.poll(10, TimeUnit.SECONDS);
            if (event == null) {
                break;
            }
            got.add(event);
        }
        Steps.equal(List.of(wanted), got);
    }

    /** Nothing more has come. What is asked after a reply on the same connection is exact. */
    void none() {
        Steps.equal(List.of(), new ArrayList<>(events));
    }

    /** Waits for that state of the connection; others before it are dropped. */
    void expectState(Event.KeeperState wanted) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (System.nanoTime() < end) {
            if (states.poll(100, TimeUnit.MILLISECONDS) == wanted) {
                return;
            }
        }
        throw new AssertionError("the connection never became " + wanted);
    }
}
