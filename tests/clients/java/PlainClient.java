import static org.apache.zookeeper.ZooDefs.Ids.CREATOR_ALL_ACL;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;
import static org.apache.zookeeper.ZooDefs.Ids.READ_ACL_UNSAFE;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Apache's own Java client through its synchronous interface, against the server at ZK_ADDRESS. */
final class PlainClient {
    static final String ADDRESS = System.getenv("ZK_ADDRESS");
    static final int TIMEOUT_MS = 10_000;
    private final ZooKeeper zk = open(ADDRESS, new Events());

    PlainClient() throws Exception {}

    public static void main(String[] args) throws Exception {
        Steps steps = new Steps();
        PlainClient plain = new PlainClient();
        steps.step("create modes", plain::createModes);
        steps.step("stat", plain::stat);
        steps.step("null, empty and large data", plain::data);
        steps.step("errors", plain::errors);
        steps.step("acl", plain::acl);
        steps.step("multi", plain::multi);
        steps.step("multi that fails", plain::multiFails);
        steps.step("multi of reads", plain::multiRead);
        steps.step("ephemerals", plain::ephemerals);
        steps.step("count and recursive delete", plain::recursive);
        steps.step("containers and ttl", plain::reaped);
        steps.step("reattach", plain::reattach);
        steps.step("server list", plain::serverList);
        steps.step("config", plain::config);
        PlainWatches.run(steps, plain.zk);
        PlainAsync.run(steps, plain.zk);
        plain.zk.close();
        System.exit(steps.end());
    }

    static ZooKeeper open(String address, Events events) throws IOException, InterruptedException {
        ZooKeeper zk = new ZooKeeper(address, TIMEOUT_MS, events);
        events.expectState(KeeperState.SyncConnected);
        return zk;
    }

    static String create(ZooKeeper zk, String path) throws Exception {
        return zk.create(path, path.getBytes(), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private void createModes() throws Exception {
        create(zk, "/modes");
        List<String> made = new ArrayList<>();
        for (CreateMode mode : CreateMode.values()) {
            Stat stat = new Stat();
            long ttl = mode.isTTL() ? 3_600_000 : -1;
            String path = "/modes/" + (mode.isSequential() ? "s" : mode.name());
            String got = zk.create(path, mode.name().getBytes(), OPEN_ACL_UNSAFE, mode, stat, ttl);
            made.add(got.substring("/modes/".length()));
            Steps.equal(mode.name().length(), stat.getDataLength());
            Steps.equal(mode.isEphemeral() ? zk.getSessionId() : 0L, stat.getEphemeralOwner());
            Steps.equal(stat, zk.exists(got, false));
        }
        Steps.equal(
                List.of("PERSISTENT", "s0000000001", "EPHEMERAL", "s0000000003", "CONTAINER",
                        "PERSISTENT_WITH_TTL", "s0000000006"),
                made);
        Steps.equal(7, zk.getChildren("/modes", false).size());
    }

    private void stat() throws Exception {
        create(zk, "/stat");
        Stat first = zk.exists("/stat", false);
        Steps.equal(first.getCzxid(), first.getMzxid());
        Steps.equal(first.getCzxid(), first.getPzxid());
        Steps.check(Math.abs(first.getCtime() - System.currentTimeMillis()) < 60_000, "ctime");
        Stat set = zk.setData("/stat", "twelve bytes".getBytes(), 0);
        Steps.equal(1, set.getVersion());
        Steps.equal(12, set.getDataLength());
        Steps.equal(first.getCzxid() + 1, set.getMzxid());
        create(zk, "/stat/child");
        zk.setACL("/stat", OPEN_ACL_UNSAFE, 0);
        Stat last = new Stat();
        Steps.equal("twelve bytes".getBytes(), zk.getData("/stat", false, last));
        Steps.equal(List.of(1, 1, 1, 1),
                List.of(last.getVersion(), last.getCversion(), last.getAversion(), last.getNumChildren()));
        Steps.equal(first.getCzxid() + 2, last.getPzxid());
        Steps.equal(set.getMzxid(), last.getMzxid());
        zk.sync("/stat");
    }

    private void data() throws Exception {
        zk.create("/data", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Steps.equal(null, zk.getData("/data", false, null));
        zk.setData("/data", new byte[0], -1);
        Steps.equal(new byte[0], zk.getData("/data", false, null));
        byte[] large = new byte[1_000_000];
        Arrays.fill(large, (byte) 0xa5);
        zk.setData("/data", large, -1);
        Steps.equal(large, zk.getData("/data", false, null));
        create(zk, "/data/\u00e4\u6f22");
        Steps.equal(List.of("\u00e4\u6f22"), zk.getChildren("/data", false));
    }

    private void errors() throws Exception {
        create(zk, "/errors");
        Steps.refused(Code.NODEEXISTS, () -> create(zk, "/errors"));
        Steps.refused(Code.NONODE, () -> create(zk, "/none/child"));
        Steps.refused(Code.NONODE, () -> zk.delete("/none", -1));
        Steps.refused(Code.NONODE, () -> zk.getData("/none", false, null));
        Steps.equal(null, zk.exists("/none", false));
        Steps.refused(Code.BADVERSION, () -> zk.setData("/errors", null, 7));
        Steps.refused(Code.BADVERSION, () -> zk.delete("/errors", 7));
        Steps.refused(Code.BADVERSION, () -> zk.setACL("/errors", OPEN_ACL_UNSAFE, 7));
        create(zk, "/errors/child");
        Steps.refused(Code.NOTEMPTY, () -> zk.delete("/errors", -1));
        zk.create("/errors/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Steps.refused(Code.NOCHILDRENFOREPHEMERALS, () -> create(zk, "/errors/e/child"));
        List<ACL> bad = Arrays.asList(new ACL(Perms.ALL, new Id("nonsense", "x")));
        Steps.refused(Code.INVALIDACL,
                () -> zk.create("/errors/acl", null, bad, CreateMode.PERSISTENT));
        Steps.refused(Code.BADARGUMENTS, () -> zk.delete("/zookeeper/quota", -1));
        Steps.refused(Code.NOAUTH, () -> zk.setData("/zookeeper/config", null, -1));
    }

    private void acl() throws Exception {
        ZooKeeper ann = open(ADDRESS, new Events());
        ann.addAuthInfo("digest", "ann:secret".getBytes());
        ann.create("/acl", "hers".getBytes(), CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Steps.refused(Code.NOAUTH, () -> zk.getData("/acl", false, null));
        Steps.refused(Code.NOAUTH, () -> zk.getACL("/acl", null));
        Stat stat = new Stat();
        List<ACL> list = ann.getACL("/acl", stat);
        Steps.equal(1, list.size());
        Steps.equal("digest", list.get(0).getId().getScheme());
        Steps.check(list.get(0).getId().getId().startsWith("ann:"), "the id of the creator");
        ann.setACL("/acl", READ_ACL_UNSAFE, stat.getAversion());
        Steps.equal("hers".getBytes(), zk.getData("/acl", false, null));
        Steps.refused(Code.NOAUTH, () -> ann.setData("/acl", null, -1));
        List<ACL> ip = Arrays.asList(new ACL(Perms.ALL, new Id("ip", "127.0.0.0/8")));
        zk.create("/acl-ip", null, ip, CreateMode.PERSISTENT);
        zk.setData("/acl-ip", null, -1);
        List<ACL> away = Arrays.asList(new ACL(Perms.ALL, new Id("ip", "192.0.2.1")));
        zk.setACL("/acl-ip", away, -1);
        Steps.refused(Code.NOAUTH, () -> zk.setData("/acl-ip", null, -1));
        List<String> mine = new ArrayList<>();
        ann.whoAmI().forEach(info -> mine.add(info.getAuthScheme() + " " + info.getUser()));
        mine.sort(null);
        Steps.equal(List.of("digest ann", "ip 127.0.0.1"), mine);
        ann.close();
    }

    private void multi() throws Exception {
        List<OpResult> results = zk.multi(List.of(
                Op.create("/multi", "a".getBytes(), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create("/multi/n", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.create("/multi/t", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 9_000_000),
                Op.create("/multi/c", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                Op.check("/multi", 0),
                Op.setData("/multi", "b".getBytes(), 0),
                Op.delete("/multi/c", -1)));
        Steps.equal(7, results.size());
        Steps.equal("/multi", ((OpResult.CreateResult) results.get(0)).getPath());
        Steps.equal("/multi/n0000000000", ((OpResult.CreateResult) results.get(1)).getPath());
        Steps.equal(1, ((OpResult.SetDataResult) results.get(5)).getStat().getVersion());
        Stat stat = new Stat();
        Steps.equal("b".getBytes(), zk.getData("/multi", false, stat));
        Steps.equal(2, stat.getNumChildren());
        Steps.equal(stat.getCzxid(), stat.getMzxid());
        Steps.equal(stat.getCzxid(), zk.exists("/multi/t", false).getCzxid());
        results = zk.transaction().check("/multi", 1).setData("/multi", null, 1).delete("/multi/t", 0)
                .create("/multi/d", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT).commit();
        Steps.equal(4, results.size());
        Steps.equal(null, zk.exists("/multi/t", false));
        Steps.equal(List.of(), zk.multi(List.of()));
    }

    private void multiFails() throws Exception {
        create(zk, "/fails");
        try {
            zk.multi(List.of(
                    Op.setData("/fails", "x".getBytes(), -1),
                    Op.check("/fails", 5),
                    Op.delete("/fails", -1)));
            throw new AssertionError("a multi with a false check was carried out");
        } catch (KeeperException error) {
            Steps.equal(Code.BADVERSION, error.code());
            List<Integer> codes = new ArrayList<>();
            error.getResults().forEach(r -> codes.add(((OpResult.ErrorResult) r).getErr()));
            Steps.equal(List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()),
                    codes);
        }
        Steps.equal("/fails".getBytes(), zk.getData("/fails", false, null));
    }

    private void multiRead() throws Exception {
        create(zk, "/reads");
        create(zk, "/reads/child");
        List<OpResult> results = zk.multi(List.of(
                Op.getData("/reads"), Op.getChildren("/reads"), Op.getData("/reads/none")));
        Steps.equal("/reads".getBytes(), ((OpResult.GetDataResult) results.get(0)).getData());
        Steps.equal(List.of("child"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
        Steps.equal(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
    }

    private void ephemerals() throws Exception {
        create(zk, "/eph");
        ZooKeeper other = open(ADDRESS, new Events());
        for (String name : List.of("/eph/a", "/eph/ab", "/eph/b")) {
            other.create(name, null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        }
        List<String> all = other.getEphemerals();
        all.sort(null);
        Steps.equal(List.of("/eph/a", "/eph/ab", "/eph/b"), all);
        Steps.equal(2, other.getEphemerals("/eph/a").size());
        Steps.equal(List.of(), zk.getEphemerals("/eph"));
        other.close();
        zk.sync("/eph");
        Steps.equal(List.of(), zk.getChildren("/eph", false));
        Steps.equal(6, zk.exists("/eph", false).getCversion());
    }

    private void recursive() throws Exception {
        create(zk, "/tree");
        for (int i = 0; i < 10; i++) {
            create(zk, "/tree/" + i);
            for (int j = 0; j < 10; j++) {
                create(zk, "/tree/" + i + "/" + j);
            }
        }
        Steps.equal(110, zk.getAllChildrenNumber("/tree"));
        Steps.equal(111, ZKUtil.listSubTreeBFS(zk, "/tree").size());
        Steps.check(ZKUtil.deleteRecursive(zk, "/tree", 50), "deleteRecursive");
        Steps.equal(null, zk.exists("/tree", false));
    }

    private void reaped() throws Exception {
        Stat stat = new Stat();
        zk.create("/reaped-c", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        create(zk, "/reaped-c/child");
        zk.create("/reaped-t", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 200);
        zk.create("/reaped-no", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 3_600_000);
        Events events = new Events();
        Steps.check(zk.exists("/reaped-t", events) != null, "not yet");
        events.expect("NodeDeleted /reaped-t");
        Steps.check(zk.exists("/reaped-c", events) != null, "a container with a child stays");
        zk.delete("/reaped-c/child", -1);
        events.expect("NodeDeleted /reaped-c");
        Steps.check(zk.exists("/reaped-no", false) != null, "its time has not come");
    }

    private void reattach() throws Exception {
        Events events = new Events();
        try (Relay relay = new Relay(ADDRESS)) {
            ZooKeeper first = open(relay.address(), events);
            first.create("/reattach", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            long id = first.getSessionId();
            byte[] password = first.getSessionPasswd();
            relay.cut();
            events.expectState(KeeperState.Disconnected);
            Events wrong = new Events();
            ZooKeeper thief = new ZooKeeper(ADDRESS, TIMEOUT_MS, wrong, id, new byte[16]);
            wrong.expectState(KeeperState.Expired);
            thief.close();
            Events again = new Events();
            ZooKeeper second = new ZooKeeper(ADDRESS, TIMEOUT_MS, again, id, password);
            again.expectState(KeeperState.SyncConnected);
            Steps.equal(id, second.getSessionId());
            Steps.equal(id, second.exists("/reattach", false).getEphemeralOwner());
            second.close();
            Steps.equal(null, zk.exists("/reattach", false));
            relay.mend();
            events.expectState(KeeperState.Expired);
            Steps.refused(Code.SESSIONEXPIRED, () -> first.exists("/", false));
            first.close();
        }
    }

    private void serverList() throws Exception {
        try (Relay relay = new Relay(ADDRESS)) {
            ZooKeeper moving = open(ADDRESS, new Events());
            long id = moving.getSessionId();
            moving.updateServerList(relay.address());
            Steps.await("the client moves", () -> {
                try {
                    moving.exists("/", false);
                    return moving.toString().contains(relay.address().substring(10));
                } catch (KeeperException.ConnectionLossException error) {
                    return false;
                }
            });
            Steps.equal(id, moving.getSessionId());
            moving.close();
        }
    }

    private void config() throws Exception {
        Stat stat = new Stat();
        byte[] config = zk.getConfig(false, stat);
        Steps.equal(0, config == null ? 0 : config.length);
        ZooKeeperAdmin admin = new ZooKeeperAdmin(ADDRESS, TIMEOUT_MS, new Events());
        Steps.refused(Code.RECONFIGDISABLED,
                () -> admin.reconfigure("server.5=127.0.0.1:1:2;3", null, null, -1, stat));
        admin.close();
        Steps.check(zk.getState().isConnected(), "connected");
    }
}
