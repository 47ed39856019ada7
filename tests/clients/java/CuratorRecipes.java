import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;

/** Barriers, queues, counters and nodes that stay. */
final class CuratorRecipes {
    private final CuratorFramework client;

    private CuratorRecipes(CuratorFramework client) {
        this.client = client;
    }

    static void run(Steps steps, CuratorFramework client) {
        CuratorRecipes recipes = new CuratorRecipes(client);
        steps.step("barrier", recipes::barrier);
        steps.step("double barrier", recipes::doubleBarrier);
        steps.step("queue", recipes::queue);
        steps.step("priority and delay queues", recipes::orderedQueues);
        steps.step("simple queue", recipes::simpleQueue);
        steps.step("SharedCount", recipes::sharedCount);
        steps.step("DistributedAtomicLong", recipes::atomic);
        steps.step("PersistentNode", recipes::persistentNode);
        steps.step("PersistentTtlNode", recipes::ttlNode);
        steps.step("GroupMember", recipes::groupMember);
    }

    private interface Body {
        void run() throws Exception;
    }

    private static CompletableFuture<Void> go(Body body) {
        return CompletableFuture.runAsync(() -> {
            try {
                body.run();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
    }

    private void barrier() throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(client, "/barrier");
        barrier.setBarrier();
        Steps.check(!barrier.waitOnBarrier(100, TimeUnit.MILLISECONDS), "it stands");
        CuratorFramework other = Curator.client(Curator.ADDRESS);
        var passed = go(() -> new DistributedBarrier(other, "/barrier").waitOnBarrier());
        Thread.sleep(200);
        Steps.check(!passed.isDone(), "it still stands");
        barrier.removeBarrier();
        passed.get(10, TimeUnit.SECONDS);
        other.close();
    }

    private void doubleBarrier() throws Exception {
        List<CuratorFramework> clients = new ArrayList<>();
        List<CompletableFuture<Void>> members = new ArrayList<>();
        List<String> order = new CopyOnWriteArrayList<>();
        for (int i = 0; i < 3; i++) {
            CuratorFramework mine = Curator.client(Curator.ADDRESS);
            clients.add(mine);
            int late = i;
            members.add(go(() -> {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(mine, "/double", 3);
                Thread.sleep(30L * late);
                order.add("arrive");
                Steps.check(barrier.enter(20, TimeUnit.SECONDS), "enter");
                order.add("enter");
                Steps.check(barrier.leave(20, TimeUnit.SECONDS), "leave");
                order.add("leave");
            }));
        }
        for (var member : members) {
            member.get(40, TimeUnit.SECONDS);
        }
        Steps.equal(List.of("arrive", "arrive", "arrive"), order.subList(0, 3));
        Steps.equal(9, order.size());
        Steps.check(order.lastIndexOf("enter") < order.lastIndexOf("leave"), "nobody leaves first");
        clients.forEach(CuratorFramework::close);
    }

    private static final class Text implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes();
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes);
        }
    }

    private static final class Taker implements QueueConsumer<String> {
        final List<String> taken = new CopyOnWriteArrayList<>();

        @Override
        public void consumeMessage(String message) {
            taken.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework mine, ConnectionState state) {
            // The consumer has nothing to do about it.
        }
    }

    private void queue() throws Exception {
        Taker taker = new Taker();
        try (DistributedQueue<String> queue = QueueBuilder.builder(client, taker, new Text(), "/queue")
                .lockPath("/queue-locks").buildQueue()) {
            queue.start();
            List<String> wanted = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                queue.put("item " + i);
                wanted.add("item " + i);
            }
            Steps.await("100 items", () -> taker.taken.size() == 100);
            taker.taken.sort(null);
            wanted.sort(null);
            Steps.equal(wanted, List.copyOf(taker.taken));
        }
    }

    private void orderedQueues() throws Exception {
        Taker taker = new Taker();
        try (DistributedPriorityQueue<String> fill = QueueBuilder.builder(client, null, new Text(),
                "/priority").buildPriorityQueue(0)) {
            fill.start();
            fill.put("third", 30);
            fill.put("first", 1);
            fill.put("second", 2);
        }
        try (DistributedPriorityQueue<String> queue = QueueBuilder.builder(client, taker, new Text(),
                "/priority").executor(Runnable::run).buildPriorityQueue(0)) {
            queue.start();
            Steps.await("three items", () -> taker.taken.size() == 3);
            Steps.equal(List.of("first", "second", "third"), List.copyOf(taker.taken));
        }
        Taker later = new Taker();
        try (DistributedDelayQueue<String> queue = QueueBuilder.builder(client, later, new Text(),
                "/delay").buildDelayQueue()) {
            queue.start();
            long now = System.currentTimeMillis();
            queue.put("later", now + 400);
            queue.put("sooner", now + 100);
            Steps.await("two items", () -> later.taken.size() == 2);
            Steps.equal(List.of("sooner", "later"), List.copyOf(later.taken));
            Steps.check(System.currentTimeMillis() >= now + 400, "not before its time");
        }
    }

    @SuppressWarnings("deprecation")
    private void simpleQueue() throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client, "/simple");
        Steps.equal(null, queue.poll());
        var taken = CompletableFuture.supplyAsync(() -> {
            try {
                return queue.take();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        queue.offer("one".getBytes());
        Steps.equal("one".getBytes(), taken.get(10, TimeUnit.SECONDS));
        queue.offer("two".getBytes());
        queue.offer("three".getBytes());
        Steps.equal("two".getBytes(), queue.peek());
        Steps.equal("two".getBytes(), queue.remove());
        Steps.equal("three".getBytes(), queue.poll(5, TimeUnit.SECONDS));
    }

    private void sharedCount() throws Exception {
        CuratorFramework other = Curator.client(Curator.ADDRESS);
        List<Integer> seen = new CopyOnWriteArrayList<>();
        try (SharedCount mine = new SharedCount(client, "/shared", 7);
                SharedCount theirs = new SharedCount(other, "/shared", 7)) {
            theirs.addListener(new SharedCountListener() {
                @Override
                public void countHasChanged(SharedCountReader reader, int count) {
                    seen.add(count);
                }

                @Override
                public void stateChanged(CuratorFramework framework, ConnectionState state) {
                    // Only the count is looked at.
                }
            });
            mine.start();
            theirs.start();
            Steps.equal(7, theirs.getCount());
            VersionedValue<Integer> before = theirs.getVersionedValue();
            mine.setCount(8);
            Steps.await("told", () -> seen.contains(8) && theirs.getCount() == 8);
            Steps.check(!theirs.trySetCount(before, 100), "an old version");
            Steps.check(theirs.trySetCount(theirs.getVersionedValue(), 9), "the new one");
            Steps.await("told in turn", () -> mine.getCount() == 9);
        }
        other.close();
    }

    private void atomic() throws Exception {
        List<CompletableFuture<Void>> adders = new ArrayList<>();
        List<CuratorFramework> clients = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            CuratorFramework mine = Curator.client(Curator.ADDRESS);
            clients.add(mine);
            adders.add(go(() -> {
                var number = new DistributedAtomicLong(mine, "/atomic", new RetryNTimes(1000, 1));
                for (int j = 0; j < 25; j++) {
                    Steps.check(number.increment().succeeded(), "increment");
                }
            }));
        }
        for (var adder : adders) {
            adder.get(40, TimeUnit.SECONDS);
        }
        var number = new DistributedAtomicLong(client, "/atomic", new RetryNTimes(10, 10));
        Steps.equal(100L, number.get().postValue());
        Steps.check(!number.compareAndSet(5L, 6L).succeeded(), "a wrong guess");
        AtomicValue<Long> swapped = number.compareAndSet(100L, 42L);
        Steps.equal(List.of(100L, 42L), List.of(swapped.preValue(), swapped.postValue()));
        var small = new DistributedAtomicInteger(client, "/atomic-i", new RetryNTimes(10, 10));
        Steps.check(small.initialize(3) && !small.initialize(4), "only once");
        Steps.equal(1, small.subtract(2).postValue());
        clients.forEach(CuratorFramework::close);
    }

    private void persistentNode() throws Exception {
        CuratorFramework owner = Curator.client(Curator.ADDRESS);
        try (PersistentNode node = new PersistentNode(owner, CreateMode.EPHEMERAL, false, "/stays",
                "data".getBytes())) {
            node.start();
            Steps.check(node.waitForInitialCreate(10, TimeUnit.SECONDS), "created");
            long first = client.checkExists().forPath("/stays").getEphemeralOwner();
            client.delete().forPath("/stays");
            Steps.await("made again", () -> client.checkExists().forPath("/stays") != null);
            Curator.kill(owner);
            Steps.await("made by the next session", () -> {
                var stat = client.checkExists().forPath("/stays");
                return stat != null && stat.getEphemeralOwner() != first;
            });
            Steps.equal("data".getBytes(), client.getData().forPath("/stays"));
        }
        Steps.equal(null, client.checkExists().forPath("/stays"));
        owner.close();
    }

    private void ttlNode() throws Exception {
        try (PersistentTtlNode node = new PersistentTtlNode(client, "/ttl-node", 1_500, new byte[2])) {
            node.start();
            Steps.check(node.waitForInitialCreate(10, TimeUnit.SECONDS), "created");
            Steps.await("touched", () -> client.checkExists().forPath("/ttl-node/touch") != null);
            Thread.sleep(2_500);
            Steps.check(client.checkExists().forPath("/ttl-node") != null, "kept by touching");
        }
        Steps.await("gone once nobody touches it",
                () -> client.checkExists().forPath("/ttl-node") == null);
    }

    private void groupMember() throws Exception {
        CuratorFramework other = Curator.client(Curator.ADDRESS);
        try (GroupMember mine = new GroupMember(client, "/group", "me");
                GroupMember theirs = new GroupMember(other, "/group", "they", new byte[5])) {
            mine.start();
            theirs.start();
            Steps.await("both", () -> mine.getCurrentMembers().size() == 2);
            Steps.equal(5, mine.getCurrentMembers().get("they").length);
            Curator.kill(other);
            Steps.await("a new session", () -> mine.getCurrentMembers().size() == 2);
        }
        other.close();
    }
}
