import java.io.File;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** Locks and elections among threads, clients and processes, also when a holder's session ends. */
final class CuratorLocks {
    private static final int ROUNDS = 20;
    private final CuratorFramework client;

    private CuratorLocks(CuratorFramework client) {
        this.client = client;
    }

    static void run(Steps steps, CuratorFramework client) {
        CuratorLocks locks = new CuratorLocks(client);
        steps.step("mutex among clients and threads", locks::mutex);
        steps.step("mutex among processes", locks::mutexOfProcesses);
        steps.step("mutex whose holder's session ends", locks::mutexLost);
        steps.step("read-write lock", locks::readWrite);
        steps.step("semaphore", locks::semaphore);
        steps.step("multi lock", locks::multiLock);
        steps.step("LeaderLatch", locks::leaderLatch);
        steps.step("LeaderSelector", locks::leaderSelector);
    }

    /** Reads a number and writes the next one, which goes wrong unless it happens under a lock. */
    static void count(CuratorFramework client, String path) throws Exception {
        int number = Integer.parseInt(new String(client.getData().forPath(path)));
        client.setData().forPath(path, Integer.toString(number + 1).getBytes());
    }

    private void counter(String path) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(path, "0".getBytes());
    }

    private int counted(String path) throws Exception {
        return Integer.parseInt(new String(client.getData().forPath(path)));
    }

    private static void all(List<Callable<Void>> tasks) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(tasks.size());
        for (Future<Void> future : pool.invokeAll(tasks, 60, TimeUnit.SECONDS)) {
            future.get();
        }
        pool.shutdown();
    }

    private void mutex() throws Exception {
        counter("/counted");
        List<Callable<Void>> tasks = new ArrayList<>();
        List<CuratorFramework> clients = List.of(Curator.client(Curator.ADDRESS),
                Curator.client(Curator.ADDRESS));
        AtomicInteger inside = new AtomicInteger();
        for (int task = 0; task < 6; task++) {
            CuratorFramework mine = clients.get(task % 2);
            tasks.add(() -> {
                InterProcessMutex mutex = new InterProcessMutex(mine, "/mutex");
                for (int i = 0; i < ROUNDS; i++) {
                    Steps.check(mutex.acquire(30, TimeUnit.SECONDS), "acquired");
                    mutex.acquire();
                    Steps.equal(1, inside.incrementAndGet());
                    count(mine, "/counted");
                    inside.decrementAndGet();
                    mutex.release();
                    mutex.release();
                }
                return null;
            });
        }
        all(tasks);
        Steps.equal(6 * ROUNDS, counted("/counted"));
        clients.forEach(CuratorFramework::close);
    }

    /** Each process counts under the same lock; the first is killed while it holds it. */
    private void mutexOfProcesses() throws Exception {
        counter("/counted-p");
        Process holder = process("hold");
        Steps.await("the holder holds", () -> client.checkExists().forPath("/holding") != null);
        List<Process> others = List.of(process("count"), process("count"));
        InterProcessMutex mutex = new InterProcessMutex(client, "/mutex-p");
        Steps.check(!mutex.acquire(200, TimeUnit.MILLISECONDS), "it is held");
        holder.destroyForcibly().waitFor();
        for (int i = 0; i < ROUNDS; i++) {
            mutex.acquire();
            count(client, "/counted-p");
            mutex.release();
        }
        for (Process other : others) {
            Steps.check(other.waitFor(60, TimeUnit.SECONDS), "it ends");
            Steps.equal(0, other.exitValue());
        }
        Steps.equal(3 * ROUNDS, counted("/counted-p"));
    }

    private static Process process(String what) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
                "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF",
                "-cp", System.getProperty("java.class.path"), "CuratorLocks", what);
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.INHERIT);
        Process process = builder.start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        return process;
    }

    /** The body of such a process. */
    public static void main(String[] args) throws Exception {
        CuratorFramework mine = org.apache.curator.framework.CuratorFrameworkFactory.newClient(
                Curator.ADDRESS, 1_500, 10_000, new org.apache.curator.retry.RetryNTimes(50, 100));
        mine.start();
        InterProcessMutex mutex = new InterProcessMutex(mine, "/mutex-p");
        if (args[0].equals("hold")) {
            mutex.acquire();
            mine.create().forPath("/holding");
            Thread.sleep(60_000);
            System.exit(1);
        }
        for (int i = 0; i < ROUNDS; i++) {
            mutex.acquire();
            count(mine, "/counted-p");
            mutex.release();
        }
        mine.close();
        System.exit(0);
    }

    private void mutexLost() throws Exception {
        CuratorFramework victim = Curator.client(Curator.ADDRESS);
        InterProcessMutex theirs = new InterProcessMutex(victim, "/mutex-l");
        theirs.acquire();
        InterProcessMutex mine = new InterProcessMutex(client, "/mutex-l");
        Steps.check(!mine.acquire(100, TimeUnit.MILLISECONDS), "it is held");
        Steps.equal(1, mine.getParticipantNodes().size());
        Curator.kill(victim);
        Steps.check(mine.acquire(10, TimeUnit.SECONDS), "it went with the session");
        mine.release();
        victim.close();
    }

    private void readWrite() throws Exception {
        CuratorFramework other = Curator.client(Curator.ADDRESS);
        InterProcessReadWriteLock mine = new InterProcessReadWriteLock(client, "/rw");
        InterProcessReadWriteLock theirs = new InterProcessReadWriteLock(other, "/rw");
        mine.readLock().acquire();
        Steps.check(theirs.readLock().acquire(5, TimeUnit.SECONDS), "readers share");
        theirs.readLock().release();
        Steps.check(!theirs.writeLock().acquire(100, TimeUnit.MILLISECONDS), "a writer waits");
        mine.readLock().release();
        Steps.check(theirs.writeLock().acquire(5, TimeUnit.SECONDS), "then it writes");
        Steps.check(!mine.readLock().acquire(100, TimeUnit.MILLISECONDS), "a reader waits");
        Steps.check(theirs.readLock().acquire(5, TimeUnit.SECONDS), "a writer may read");
        theirs.writeLock().release();
        Steps.check(mine.readLock().acquire(5, TimeUnit.SECONDS), "downgraded");
        mine.readLock().release();
        theirs.readLock().release();
        other.close();
    }

    private void semaphore() throws Exception {
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, "/sem", 3);
        Collection<Lease> two = semaphore.acquire(2);
        Lease third = semaphore.acquire(5, TimeUnit.SECONDS);
        Steps.check(third != null, "the third");
        Steps.equal(null, semaphore.acquire(100, TimeUnit.MILLISECONDS));
        semaphore.returnLease(third);
        Lease again = semaphore.acquire(5, TimeUnit.SECONDS);
        Steps.check(again != null, "returned");
        semaphore.returnAll(two);
        again.close();
        InterProcessSemaphoreMutex mutex = new InterProcessSemaphoreMutex(client, "/sem-m");
        mutex.acquire();
        Steps.check(!mutex.acquire(100, TimeUnit.MILLISECONDS), "not reentrant");
        mutex.release();
    }

    private void multiLock() throws Exception {
        InterProcessMultiLock both = new InterProcessMultiLock(client, List.of("/multi-a", "/multi-b"));
        CuratorFramework other = Curator.client(Curator.ADDRESS);
        InterProcessMutex one = new InterProcessMutex(other, "/multi-b");
        one.acquire();
        Steps.check(!both.acquire(300, TimeUnit.MILLISECONDS), "one of them is held");
        one.release();
        Steps.check(both.acquire(5, TimeUnit.SECONDS), "both");
        Steps.check(!one.acquire(100, TimeUnit.MILLISECONDS), "held in turn");
        both.release();
        other.close();
    }

    private void leaderLatch() throws Exception {
        List<CuratorFramework> clients = new ArrayList<>();
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            clients.add(Curator.client(Curator.ADDRESS));
            latches.add(new LeaderLatch(clients.get(i), "/latch", "latch-" + i));
            latches.get(i).start();
            int count = i + 1;
            Steps.await("it takes part", () -> latches.get(0).getParticipants().size() == count);
        }
        Steps.check(latches.get(0).await(10, TimeUnit.SECONDS), "the first leads");
        Steps.check(!latches.get(1).hasLeadership() && !latches.get(2).hasLeadership(), "one leads");
        Curator.kill(clients.get(0));
        Steps.check(latches.get(1).await(20, TimeUnit.SECONDS), "the second follows it");
        Steps.await("the first knows", () -> !latches.get(0).hasLeadership());
        Steps.equal("latch-1", latches.get(2).getLeader().getId());
        latches.get(1).close();
        Steps.check(latches.get(2).await(20, TimeUnit.SECONDS), "then the third");
        latches.get(2).close();
        Steps.check(latches.get(0).await(20, TimeUnit.SECONDS), "the first stood again");
        latches.get(0).close();
        clients.forEach(CuratorFramework::close);
    }

    private void leaderSelector() throws Exception {
        List<CuratorFramework> clients = List.of(Curator.client(Curator.ADDRESS),
                Curator.client(Curator.ADDRESS));
        List<LeaderSelector> selectors = new ArrayList<>();
        List<CountDownLatch> over = List.of(new CountDownLatch(1), new CountDownLatch(1));
        List<CountDownLatch> terms = List.of(new CountDownLatch(1), new CountDownLatch(1));
        List<CountDownLatch> ends = List.of(new CountDownLatch(1), new CountDownLatch(1));
        for (int i = 0; i < 2; i++) {
            int me = i;
            selectors.add(new LeaderSelector(clients.get(i), "/selector",
                    new LeaderSelectorListenerAdapter() {
                        @Override
                        public void takeLeadership(CuratorFramework mine) throws Exception {
                            terms.get(me).countDown();
                            try {
                                ends.get(me).await();
                            } finally {
                                over.get(me).countDown();
                            }
                        }
                    }));
        }
        selectors.get(0).start();
        Steps.check(terms.get(0).await(10, TimeUnit.SECONDS), "the first leads");
        selectors.get(1).start();
        Steps.await("both stand", () -> selectors.get(1).getParticipants().size() == 2);
        Steps.check(selectors.get(0).hasLeadership() && !selectors.get(1).hasLeadership(), "one leads");
        Curator.kill(clients.get(0));
        Steps.check(terms.get(1).await(20, TimeUnit.SECONDS), "the second takes over");
        Steps.check(over.get(0).await(20, TimeUnit.SECONDS), "the first is told to stop");
        ends.forEach(CountDownLatch::countDown);
        selectors.forEach(LeaderSelector::close);
        clients.forEach(CuratorFramework::close);
    }
}
