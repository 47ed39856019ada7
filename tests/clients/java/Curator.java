import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.imps.CuratorFrameworkState;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.utils.ZKPaths;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Apache Curator's framework, caches and recipes against the server at ZK_ADDRESS. */
final class Curator {
    static final String ADDRESS = System.getenv("ZK_ADDRESS");
    private final CuratorFramework client = client(ADDRESS);

    public static void main(String[] args) throws Exception {
        Steps steps = new Steps();
        Curator basics = new Curator();
        steps.step("framework", basics::framework);
        steps.step("protection, parents, versions", basics::helpers);
        steps.step("transactions", basics::transactions);
        steps.step("background", basics::background);
        steps.step("namespace, authorization", basics::namespace);
        steps.step("watches", basics::watches);
        steps.step("connection states", basics::states);
        CuratorCaches.run(steps, basics.client);
        CuratorLocks.run(steps, basics.client);
        CuratorRecipes.run(steps, basics.client);
        basics.client.close();
        System.exit(steps.end());
    }

    /** A started client. */
    static CuratorFramework client(String address) {
        CuratorFramework client = CuratorFrameworkFactory.builder().connectString(address)
                .sessionTimeoutMs(10_000).connectionTimeoutMs(10_000)
                .retryPolicy(new RetryNTimes(50, 100)).build();
        client.start();
        return client;
    }

    /** Ends a client's session behind its back, as its expiry would. */
    static void kill(CuratorFramework victim) throws Exception {
        ZooKeeper theirs = victim.getZookeeperClient().getZooKeeper();
        Events events = new Events();
        ZooKeeper double_ = new ZooKeeper(ADDRESS, 10_000, events, theirs.getSessionId(),
                theirs.getSessionPasswd());
        events.expectState(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
        double_.close();
    }

    private void framework() throws Exception {
        Steps.equal("/basic", client.create().forPath("/basic", "one".getBytes(UTF_8)));
        Stat stat = new Stat();
        Steps.equal("one".getBytes(UTF_8), client.getData().storingStatIn(stat).forPath("/basic"));
        Steps.equal(0, stat.getVersion());
        Steps.equal(1, client.setData().withVersion(0).forPath("/basic", new byte[3]).getVersion());
        Steps.refused(Code.BADVERSION,
                () -> client.setData().withVersion(0).forPath("/basic", new byte[3]));
        client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/basic/e-");
        Steps.equal(List.of("e-0000000000"), client.getChildren().forPath("/basic"));
        Steps.equal(ZooDefs.Ids.OPEN_ACL_UNSAFE, client.getACL().forPath("/basic"));
        client.setACL().withACL(ZooDefs.Ids.READ_ACL_UNSAFE).forPath("/basic");
        Steps.refused(Code.NOAUTH, () -> client.setData().forPath("/basic", new byte[0]));
        Steps.equal(1, client.checkExists().forPath("/basic").getAversion());
        Steps.equal(null, client.checkExists().forPath("/basic-not"));
        Steps.equal(CuratorFrameworkState.STARTED, client.getState());
        client.sync().forPath("/basic");
    }

    private void helpers() throws Exception {
        String path = client.create().creatingParentContainersIfNeeded().withProtection()
                .withMode(CreateMode.EPHEMERAL).forPath("/made/by/need/x", new byte[0]);
        Steps.check(path.startsWith("/made/by/need/_c_"), path);
        Steps.equal(0L, client.checkExists().forPath("/made/by").getEphemeralOwner());
        Stat stat = new Stat();
        client.create().orSetData().storingStatIn(stat).creatingParentsIfNeeded().forPath("/set/me");
        client.create().orSetData().storingStatIn(stat).forPath("/set/me", new byte[7]);
        Steps.equal(1, stat.getVersion());
        client.create().withTtl(300).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/ttl");
        client.delete().quietly().forPath("/none");
        client.delete().guaranteed().deletingChildrenIfNeeded().forPath("/made");
        Steps.equal(null, client.checkExists().forPath("/made"));
        client.createContainers("/containers/of/curator");
        client.create().forPath("/containers/of/curator/child");
        client.delete().forPath("/containers/of/curator/child");
        Steps.await("containers and TTLs go", () -> client.checkExists().forPath("/containers") == null
                && client.checkExists().forPath("/ttl") == null);
        ZKPaths.mkdirs(client.getZookeeperClient().getZooKeeper(), "/by/zkpaths");
        Steps.check(client.checkExists().forPath("/by/zkpaths") != null, "mkdirs");
    }

    private void transactions() throws Exception {
        List<CuratorTransactionResult> results = client.transaction().forOperations(
                client.transactionOp().create().forPath("/tx", new byte[1]),
                client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL)
                        .forPath("/tx/n", new byte[0]),
                client.transactionOp().check().withVersion(0).forPath("/tx"),
                client.transactionOp().setData().withVersion(0).forPath("/tx", new byte[2]),
                client.transactionOp().delete().forPath("/tx/n0000000000"));
        Steps.equal("/tx/n0000000000", results.get(1).getResultPath());
        Steps.equal(1, results.get(3).getResultStat().getVersion());
        Steps.refused(Code.BADVERSION, () -> client.transaction().forOperations(
                client.transactionOp().delete().forPath("/tx"),
                client.transactionOp().check().withVersion(9).forPath("/basic")));
        Steps.equal(1, client.checkExists().forPath("/tx").getVersion());
    }

    private void background() throws Exception {
        var done = new CompletableFuture<String>();
        client.create().inBackground((c, event) -> done.complete(
                event.getType() + " " + event.getResultCode() + " " + event.getName())).forPath("/back");
        Steps.equal("CREATE 0 /back", done.get(10, TimeUnit.SECONDS));
        List<Integer> versions = new CopyOnWriteArrayList<>();
        for (int i = 0; i < 500; i++) {
            client.setData().inBackground((c, event) -> versions.add(event.getStat().getVersion()))
                    .forPath("/back", new byte[i]);
        }
        Steps.await("500 answers", () -> versions.size() == 500);
        Steps.equal(new ArrayList<>(versions.stream().sorted().toList()), new ArrayList<>(versions));
        Steps.equal(500, versions.get(499));
    }

    private void namespace() throws Exception {
        CuratorFramework inside = CuratorFrameworkFactory.builder().connectString(ADDRESS)
                .namespace("inside").authorization("digest", "ann:pw".getBytes(UTF_8))
                .retryPolicy(new RetryNTimes(50, 100)).build();
        inside.start();
        inside.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/mine", new byte[1]);
        Steps.equal(new byte[1], inside.getData().forPath("/mine"));
        Steps.refused(Code.NOAUTH, () -> client.getData().forPath("/inside/mine"));
        inside.close();
    }

    private void watches() throws Exception {
        BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
        client.checkExists().usingWatcher((org.apache.zookeeper.Watcher) events::add).forPath("/w");
        client.create().forPath("/w");
        Steps.equal("/w", events.poll(10, TimeUnit.SECONDS).getPath());
        client.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE)
                .usingWatcher((org.apache.zookeeper.Watcher) events::add).forPath("/w");
        client.create().creatingParentsIfNeeded().forPath("/w/x/y");
        Steps.equal("/w/x", events.poll(10, TimeUnit.SECONDS).getPath());
        Steps.equal("/w/x/y", events.poll(10, TimeUnit.SECONDS).getPath());
        org.apache.zookeeper.Watcher child = events::add;
        client.getChildren().usingWatcher(child).forPath("/w/x");
        client.watchers().remove(child).ofType(org.apache.zookeeper.Watcher.WatcherType.Children)
                .forPath("/w/x");
        Steps.equal("ChildWatchRemoved", events.poll(10, TimeUnit.SECONDS).getType().name());
    }

    /** What a client is told through a cut of the connection and the end of its session. */
    private void states() throws Exception {
        List<ConnectionState> states = new CopyOnWriteArrayList<>();
        try (Relay relay = new Relay(ADDRESS); CuratorFramework cut = client(relay.address())) {
            cut.getConnectionStateListenable().addListener((c, state) -> states.add(state));
            cut.create().withMode(CreateMode.EPHEMERAL).forPath("/states");
            relay.cut();
            Steps.await("suspended", () -> states.contains(ConnectionState.SUSPENDED));
            relay.mend();
            Steps.await("reconnected", () -> states.contains(ConnectionState.RECONNECTED));
            Steps.check(cut.checkExists().forPath("/states") != null, "the session went on");
            kill(cut);
            Steps.await("lost", () -> states.contains(ConnectionState.LOST));
            Steps.equal(null, cut.checkExists().forPath("/states"));
        }
        Steps.equal(List.of("CONNECTED", "SUSPENDED", "RECONNECTED", "SUSPENDED", "LOST", "RECONNECTED"),
                states.stream().map(Enum::name).limit(6).toList());
    }
}
