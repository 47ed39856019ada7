import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Each asynchronous call once, and many at a time. */
final class PlainAsync {
    private static final int MANY = 5_000;
    private final ZooKeeper zk;

    /** The result of one call: code, and what came with it. */
    private record Answer(int code, Object value, Stat stat) {}

    private PlainAsync(ZooKeeper zk) {
        this.zk = zk;
    }

    static void run(Steps steps, ZooKeeper zk) {
        PlainAsync async = new PlainAsync(zk);
        steps.step("async writes", async::writes);
        steps.step("async reads", async::reads);
        steps.step("async watches", async::watches);
        steps.step("async in order", async::inOrder);
    }

    private static Answer ok(CompletableFuture<Answer> future) throws Exception {
        Answer answer = future.get(10, TimeUnit.SECONDS);
        Steps.equal(Code.OK, Code.get(answer.code));
        return answer;
    }

    private static AsyncCallback.VoidCallback done(CompletableFuture<Answer> future) {
        return (rc, path, ctx) -> future.complete(new Answer(rc, path, null));
    }

    private static AsyncCallback.StatCallback stat(CompletableFuture<Answer> future) {
        return (rc, path, ctx, stat) -> future.complete(new Answer(rc, ctx, stat));
    }

    private void writes() throws Exception {
        var created = new CompletableFuture<Answer>();
        zk.create("/async", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
                (rc, path, ctx, name) -> created.complete(new Answer(rc, name, null)), null);
        Steps.equal("/async", ok(created).value);
        var created2 = new CompletableFuture<Answer>();
        zk.create("/async/n", "12345".getBytes(), OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL,
                (rc, path, ctx, name, stat) -> created2.complete(new Answer(rc, name, stat)), null,
                3_600_000);
        Steps.equal("/async/n0000000000", ok(created2).value);
        Steps.equal(5, created2.get().stat.getDataLength());
        var set = new CompletableFuture<Answer>();
        zk.setData("/async", "set".getBytes(), 0, stat(set), "context");
        Steps.equal(1, ok(set).stat.getVersion());
        Steps.equal("context", set.get().value);
        var acl = new CompletableFuture<Answer>();
        zk.setACL("/async", OPEN_ACL_UNSAFE, 0, stat(acl), null);
        Steps.equal(1, ok(acl).stat.getAversion());
        var multi = new CompletableFuture<Answer>();
        zk.multi(List.of(Op.check("/async", 1), Op.delete("/async/n0000000000", -1)),
                (rc, path, ctx, results) -> multi.complete(new Answer(rc, results.size(), null)), null);
        Steps.equal(2, ok(multi).value);
        var deleted = new CompletableFuture<Answer>();
        zk.delete("/async/none", -1, done(deleted), null);
        Steps.equal(Code.NONODE.intValue(), deleted.get(10, TimeUnit.SECONDS).code);
    }

    private void reads() throws Exception {
        PlainClient.create(zk, "/async-r");
        PlainClient.create(zk, "/async-r/child");
        zk.create("/async-r/mine", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        var data = new CompletableFuture<Answer>();
        zk.getData("/async-r", false,
                (rc, path, ctx, bytes, stat) -> data.complete(new Answer(rc, bytes, stat)), null);
        Steps.equal("/async-r".getBytes(), ok(data).value);
        var exists = new CompletableFuture<Answer>();
        zk.exists("/async-r", false, stat(exists), null);
        Steps.equal(data.get().stat, ok(exists).stat);
        var names = new CompletableFuture<Answer>();
        zk.getChildren("/async-r", false, (AsyncCallback.ChildrenCallback) (rc, path, ctx, list) ->
                names.complete(new Answer(rc, list.size(), null)), null);
        Steps.equal(2, ok(names).value);
        var names2 = new CompletableFuture<Answer>();
        zk.getChildren("/async-r", false, (AsyncCallback.Children2Callback) (rc, path, ctx, list, stat) ->
                names2.complete(new Answer(rc, list.size(), stat)), null);
        Steps.equal(2, ok(names2).stat.getNumChildren());
        var acl = new CompletableFuture<Answer>();
        zk.getACL("/async-r", new Stat(),
                (rc, path, ctx, list, stat) -> acl.complete(new Answer(rc, list, stat)), null);
        Steps.equal(OPEN_ACL_UNSAFE, ok(acl).value);
        var count = new CompletableFuture<Answer>();
        zk.getAllChildrenNumber("/async-r",
                (rc, path, ctx, number) -> count.complete(new Answer(rc, number, null)), null);
        Steps.equal(2, ok(count).value);
        var mine = new CompletableFuture<Answer>();
        zk.getEphemerals("/async-r",
                (rc, ctx, list) -> mine.complete(new Answer(rc, list, null)), null);
        Steps.equal(List.of("/async-r/mine"), ok(mine).value);
        var sync = new CompletableFuture<Answer>();
        zk.sync("/async-r", done(sync), null);
        Steps.equal("/async-r", ok(sync).value);
        var config = new CompletableFuture<Answer>();
        zk.getConfig(false,
                (rc, path, ctx, bytes, stat) -> config.complete(new Answer(rc, path, stat)), null);
        ok(config);
    }

    private void watches() throws Exception {
        Events events = new Events();
        var added = new CompletableFuture<Answer>();
        zk.addWatch("/async-w", events, AddWatchMode.PERSISTENT, done(added), null);
        ok(added);
        PlainClient.create(zk, "/async-w");
        events.expect("NodeCreated /async-w");
        var removed = new CompletableFuture<Answer>();
        zk.removeWatches("/async-w", events, WatcherType.Any, false, done(removed), null);
        ok(removed);
        events.expect("PersistentWatchRemoved /async-w");
    }

    /** Answers come in the order of the requests, and reads see the writes before them. */
    private void inOrder() throws Exception {
        PlainClient.create(zk, "/order");
        List<Integer> versions = new CopyOnWriteArrayList<>();
        var last = new CompletableFuture<Answer>();
        for (int i = 0; i < MANY; i++) {
            zk.setData("/order", null, i, (rc, path, ctx, stat) -> { }, null);
            AsyncCallback.StatCallback then = (rc, path, ctx, stat) -> {
                if ((Integer) ctx % 50 == 0) {
                    versions.add(stat.getVersion() - (Integer) ctx);
                }
                if ((Integer) ctx == MANY) {
                    last.complete(new Answer(rc, ctx, stat));
                }
            };
            zk.exists("/order", false, then, i + 1);
        }
        Steps.equal(MANY, ok(last).stat.getVersion());
        Steps.equal(List.of(), versions.stream().filter(difference -> difference != 0).toList());
        Steps.equal(MANY / 50, versions.size());
    }
}
