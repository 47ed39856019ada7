import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;

/** Runs a program's steps one by one, says which held, and counts those that did not. */
final class Steps {
    interface Body {
        void run() throws Exception;
    }

    private static final long PATIENCE_MS = 20_000;
    private final String only = System.getenv("ONLY");
    private int passed;
    private int failed;

    /** Runs a step; its failure is printed and the next one goes on. */
    void step(String name, Body body) {
        if (only != null && !name.contains(only)) {
            return;
        }
        long start = System.nanoTime();
        try {
            body.run();
            passed++;
            System.out.printf("ok      %s (%d ms)%n", name, since(start));
        } catch (Throwable error) {
            failed++;
            System.out.printf("FAILED  %s (%d ms): %s%n", name, since(start), error);
            error.printStackTrace(System.out);
        }
    }

    /** Prints the counts; the exit code of the program. A program without a step has failed. */
    int end() {
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object want, Object got) {
        if (!Objects.deepEquals(want, got)) {
            throw new AssertionError("expected " + text(want) + ", got " + text(got));
        }
    }

    /** The call must fail with this code. */
    static void refused(KeeperException.Code code, Body body) throws Exception {
        try {
            body.run();
        } catch (KeeperException error) {
            equal(code, error.code());
            return;
        }
        throw new AssertionError("expected " + code + ", and it was carried out");
    }

    /** Waits until something holds. */
    static void await(String what, Callable<Boolean> holds) throws Exception {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        while (!holds.call()) {
            check(System.nanoTime() < end, "not within " + PATIENCE_MS + " ms: " + what);
            Thread.sleep(5);
        }
    }

    private static long since(long start) {
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
    }

    private static String text(Object value) {
        return value instanceof byte[] bytes ? Arrays.toString(bytes) : String.valueOf(value);
    }
}
