import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;

/** Curator's caches, old and new, which follow a tree by watches of every kind. */
@SuppressWarnings("deprecation")
final class CuratorCaches {
    private final CuratorFramework writer;

    private CuratorCaches(CuratorFramework writer) {
        this.writer = writer;
    }

    static void run(Steps steps, CuratorFramework writer) {
        CuratorCaches caches = new CuratorCaches(writer);
        steps.step("CuratorCache", caches::curatorCache);
        steps.step("CuratorCache through a cut", caches::curatorCacheThroughACut);
        steps.step("NodeCache", caches::nodeCache);
        steps.step("PathChildrenCache", caches::pathChildrenCache);
        steps.step("TreeCache", caches::treeCache);
        steps.step("PersistentWatcher", caches::persistentWatcher);
    }

    private static byte[] bytes(String text) {
        return text.getBytes();
    }

    private static boolean holds(CuratorCache cache, String path, String data) {
        ChildData found = cache.get(path).orElse(null);
        return found != null && data.equals(new String(found.getData()));
    }

    private void curatorCache() throws Exception {
        writer.create().creatingParentsIfNeeded().forPath("/cc/before", bytes("0"));
        List<String> seen = new CopyOnWriteArrayList<>();
        AtomicBoolean initialized = new AtomicBoolean();
        try (CuratorCache cache = CuratorCache.build(writer, "/cc")) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> seen.add("+" + node.getPath()))
                    .forChanges((old, node) -> seen.add("*" + node.getPath()))
                    .forDeletes(node -> seen.add("-" + node.getPath()))
                    .forInitialized(() -> initialized.set(true)).build());
            cache.start();
            Steps.await("initialized", initialized::get);
            Steps.check(holds(cache, "/cc/before", "0"), "what was there before");
            seen.clear();
            writer.create().creatingParentsIfNeeded().forPath("/cc/a/b/c", bytes("1"));
            Steps.await("created", () -> holds(cache, "/cc/a/b/c", "1"));
            writer.setData().forPath("/cc/a/b/c", bytes("2"));
            Steps.await("changed", () -> holds(cache, "/cc/a/b/c", "2"));
            writer.delete().forPath("/cc/a/b/c");
            Steps.await("deleted", () -> cache.get("/cc/a/b/c").isEmpty());
            Steps.await("five events", () -> seen.size() >= 5);
            Steps.equal(new TreeSet<>(List.of("+/cc/a", "+/cc/a/b", "+/cc/a/b/c", "*/cc/a/b/c",
                    "-/cc/a/b/c")), new TreeSet<>(seen));
            Steps.equal(4, cache.size());
        }
    }

    private void curatorCacheThroughACut() throws Exception {
        writer.create().creatingParentsIfNeeded().forPath("/ccc/old");
        try (Relay relay = new Relay(Curator.ADDRESS);
                CuratorFramework reader = Curator.client(relay.address());
                CuratorCache cache = CuratorCache.build(reader, "/ccc")) {
            cache.start();
            Steps.await("filled", () -> cache.size() == 2);
            relay.cut();
            for (int i = 0; i < 50; i++) {
                writer.create().forPath("/ccc/n" + i, bytes("cut"));
            }
            writer.delete().forPath("/ccc/old");
            relay.mend();
            Steps.await("caught up", () -> cache.size() == 51 && holds(cache, "/ccc/n49", "cut"));
            writer.setData().forPath("/ccc/n7", bytes("later"));
            Steps.await("goes on", () -> holds(cache, "/ccc/n7", "later"));
            Curator.kill(reader);
            writer.setData().forPath("/ccc/n8", bytes("after the session"));
            Steps.await("a new session", () -> holds(cache, "/ccc/n8", "after the session"));
        }
    }

    private void nodeCache() throws Exception {
        try (NodeCache cache = new NodeCache(writer, "/nc")) {
            cache.start(true);
            Steps.equal(null, cache.getCurrentData());
            for (String data : List.of("1", "2")) {
                writer.create().orSetData().forPath("/nc", bytes(data));
                Steps.await("data " + data, () -> cache.getCurrentData() != null
                        && data.equals(new String(cache.getCurrentData().getData())));
            }
            writer.delete().forPath("/nc");
            Steps.await("gone", () -> cache.getCurrentData() == null);
        }
    }

    private void pathChildrenCache() throws Exception {
        writer.create().forPath("/pcc");
        List<String> seen = new CopyOnWriteArrayList<>();
        try (PathChildrenCache cache = new PathChildrenCache(writer, "/pcc", true)) {
            cache.getListenable().addListener((c, event) -> seen.add(event.getType().name()));
            cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
            Steps.await("initialized", () -> seen.contains("INITIALIZED"));
            writer.create().forPath("/pcc/x", bytes("1"));
            Steps.await("added", () -> seen.contains("CHILD_ADDED"));
            writer.setData().forPath("/pcc/x", bytes("2"));
            Steps.await("updated", () -> seen.contains("CHILD_UPDATED"));
            Steps.equal("2", new String(cache.getCurrentData("/pcc/x").getData()));
            writer.delete().forPath("/pcc/x");
            Steps.await("removed", () -> seen.contains("CHILD_REMOVED"));
            Steps.equal(List.of(), cache.getCurrentData());
        }
    }

    private void treeCache() throws Exception {
        writer.create().creatingParentsIfNeeded().forPath("/tc/a/b", bytes("1"));
        List<String> seen = new CopyOnWriteArrayList<>();
        try (TreeCache cache = new TreeCache(writer, "/tc")) {
            cache.getListenable().addListener((c, event) -> seen.add(event.getType().name()));
            cache.start();
            Steps.await("initialized", () -> seen.contains("INITIALIZED"));
            Steps.equal("1", new String(cache.getCurrentData("/tc/a/b").getData()));
            writer.create().forPath("/tc/a/b/c", bytes("2"));
            Steps.await("added", () -> cache.getCurrentData("/tc/a/b/c") != null);
            writer.delete().deletingChildrenIfNeeded().forPath("/tc/a");
            Steps.await("removed", () -> cache.getCurrentChildren("/tc").isEmpty());
        }
    }

    private void persistentWatcher() throws Exception {
        List<String> seen = new CopyOnWriteArrayList<>();
        try (Relay relay = new Relay(Curator.ADDRESS);
                CuratorFramework reader = Curator.client(relay.address());
                PersistentWatcher watcher = new PersistentWatcher(reader, "/pw", true)) {
            AtomicBoolean set = new AtomicBoolean();
            watcher.getResetListenable().addListener(() -> set.set(true));
            watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
            watcher.start();
            Steps.await("set", set::get);
            writer.create().creatingParentsIfNeeded().forPath("/pw/x");
            Steps.await("both", () -> seen.contains("NodeCreated /pw") && seen.contains("NodeCreated /pw/x"));
            set.set(false);
            relay.cut();
            relay.mend();
            Steps.await("set again", set::get);
            writer.delete().forPath("/pw/x");
            Steps.await("goes on", () -> seen.contains("NodeDeleted /pw/x"));
        }
    }
}
