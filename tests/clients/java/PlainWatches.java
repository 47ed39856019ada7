import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;

/** Watches of each kind, through cuts of the connection and the end of a session. */
final class PlainWatches {
    private final ZooKeeper zk;
    private final ZooKeeper other = PlainClient.open(PlainClient.ADDRESS, new Events());

    private PlainWatches(ZooKeeper zk) throws Exception {
        this.zk = zk;
    }

    static void run(Steps steps, ZooKeeper zk) throws Exception {
        PlainWatches watches = new PlainWatches(zk);
        steps.step("one-shot watches", watches::oneShot);
        steps.step("persistent watch", watches::persistent);
        steps.step("persistent recursive watch", watches::recursive);
        steps.step("remove watches", watches::remove);
        steps.step("watches catch up", watches::catchUp);
        steps.step("session expires", watches::expires);
        watches.other.close();
    }

    private void oneShot() throws Exception {
        PlainClient.create(other, "/once");
        Events data = new Events();
        Events children = new Events();
        Events exists = new Events();
        zk.getData("/once", data, null);
        zk.getChildren("/once", children);
        zk.exists("/once/new", exists);
        PlainClient.create(other, "/once/new");
        exists.expect("NodeCreated /once/new");
        children.expect("NodeChildrenChanged /once");
        other.setData("/once", null, -1);
        data.expect("NodeDataChanged /once");
        zk.getData("/once/new", data, null);
        zk.getChildren("/once", children);
        other.delete("/once/new", -1);
        data.expect("NodeDeleted /once/new");
        children.expect("NodeChildrenChanged /once");
        other.delete("/once", -1);
        zk.sync("/");
        data.none();
        children.none();
        exists.none();
    }

    private void persistent() throws Exception {
        Events events = new Events();
        zk.addWatch("/persist", events, AddWatchMode.PERSISTENT);
        PlainClient.create(other, "/persist");
        other.setData("/persist", null, -1);
        other.setData("/persist", null, -1);
        PlainClient.create(other, "/persist/child");
        other.setData("/persist/child", null, -1);
        other.delete("/persist/child", -1);
        other.delete("/persist", -1);
        PlainClient.create(other, "/persist");
        events.expect("NodeCreated /persist", "NodeDataChanged /persist", "NodeDataChanged /persist",
                "NodeChildrenChanged /persist", "NodeChildrenChanged /persist",
                "NodeDeleted /persist", "NodeCreated /persist");
        zk.sync("/");
        events.none();
    }

    private void recursive() throws Exception {
        Events events = new Events();
        zk.addWatch("/recurse", events, AddWatchMode.PERSISTENT_RECURSIVE);
        for (String path : new String[] {"/recurse", "/recurse/a", "/recurse/a/b"}) {
            PlainClient.create(other, path);
        }
        other.setData("/recurse/a/b", null, -1);
        other.delete("/recurse/a/b", -1);
        PlainClient.create(other, "/recurse-not");
        events.expect("NodeCreated /recurse", "NodeCreated /recurse/a", "NodeCreated /recurse/a/b",
                "NodeDataChanged /recurse/a/b", "NodeDeleted /recurse/a/b");
        zk.sync("/");
        events.none();
    }

    private void remove() throws Exception {
        PlainClient.create(other, "/remove");
        Events events = new Events();
        zk.getData("/remove", events, null);
        zk.getChildren("/remove", events);
        zk.removeWatches("/remove", events, WatcherType.Data, false);
        events.expect("DataWatchRemoved /remove");
        Steps.refused(Code.NOWATCHER,
                () -> zk.removeWatches("/remove", events, WatcherType.Data, false));
        zk.removeAllWatches("/remove", WatcherType.Children, false);
        events.expect("ChildWatchRemoved /remove");
        zk.addWatch("/remove", events, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.removeWatches("/remove", events, WatcherType.PersistentRecursive, false);
        events.expect("PersistentWatchRemoved /remove");
        zk.addWatch("/remove", events, AddWatchMode.PERSISTENT);
        zk.removeAllWatches("/remove", WatcherType.Any, false);
        events.expect("PersistentWatchRemoved /remove");
        other.setData("/remove", null, -1);
        PlainClient.create(other, "/remove/child");
        zk.sync("/");
        events.none();
    }

    /** What happened while the connection was cut is told after it, by setWatches2. */
    private void catchUp() throws Exception {
        Events state = new Events();
        try (Relay relay = new Relay(PlainClient.ADDRESS)) {
            ZooKeeper cut = PlainClient.open(relay.address(), state);
            for (String path : new String[] {"/cut", "/cut/gone", "/cut/same", "/cut/tree"}) {
                PlainClient.create(other, path);
            }
            other.sync("/");
            Events data = new Events();
            Events gone = new Events();
            Events made = new Events();
            Events children = new Events();
            Events same = new Events();
            Events tree = new Events();
            cut.sync("/");
            cut.getData("/cut", data, null);
            cut.getData("/cut/gone", gone, null);
            cut.exists("/cut/made", made);
            cut.getChildren("/cut", children);
            cut.getData("/cut/same", same, null);
            cut.addWatch("/cut/tree", tree, AddWatchMode.PERSISTENT_RECURSIVE);
            relay.cut();
            state.expectState(KeeperState.Disconnected);
            other.setData("/cut", null, -1);
            other.delete("/cut/gone", -1);
            PlainClient.create(other, "/cut/made");
            relay.mend();
            state.expectState(KeeperState.SyncConnected);
            data.expect("NodeDataChanged /cut");
            gone.expect("NodeDeleted /cut/gone");
            made.expect("NodeCreated /cut/made");
            children.expect("NodeChildrenChanged /cut");
            PlainClient.create(other, "/cut/tree/later");
            tree.expect("NodeCreated /cut/tree/later");
            other.setData("/cut/same", null, -1);
            same.expect("NodeDataChanged /cut/same");
            cut.close();
        }
    }

    private void expires() throws Exception {
        Events state = new Events();
        try (Relay relay = new Relay(PlainClient.ADDRESS)) {
            ZooKeeper silent = new ZooKeeper(relay.address(), 1_000, state);
            state.expectState(KeeperState.SyncConnected);
            Steps.equal(1_000, silent.getSessionTimeout());
            silent.create("/silent", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Events gone = new Events();
            zk.sync("/");
            Steps.check(zk.exists("/silent", gone) != null, "its ephemeral");
            long start = System.nanoTime();
            relay.cut();
            gone.expect("NodeDeleted /silent");
            long tookMs = (System.nanoTime() - start) / 1_000_000;
            Steps.check(tookMs >= 400 && tookMs < 6_000, "expired after " + tookMs + " ms");
            relay.mend();
            state.expectState(KeeperState.Expired);
            silent.close();
        }
    }
}
