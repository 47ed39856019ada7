/*
 * The library without threads: its event loop, and callbacks inside of it. argv[1] is the server.
 */
#undef THREADED
#include "common.h"

#include <sys/select.h>

static zhandle_t *zh;
static int done, loops_closed;

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    say("watcher %s: type %d state %d path \"%s\" own %d", (const char *)context, type, state, path,
        handle == zh);
    done++;
}

static void on_string(int rc, const char *value, const void *data) {
    say("string %s: %d \"%s\"", (const char *)data, rc, value ? value : "(null)");
    done++;
}

static void on_stat(int rc, const struct Stat *stat, const void *data) {
    say("stat %s: %d", (const char *)data, rc);
    if (rc == 0) say_stat("  stat", stat);
    done++;
}

static void on_void(int rc, const void *data) {
    say("void %s: %d", (const char *)data, rc);
    done++;
}

static void on_data(int rc, const char *value, int length, const struct Stat *stat,
                    const void *data) {
    say("data %s: %d \"%.*s\"", (const char *)data, rc, length > 0 ? length : 0, value ? value : "");
    if (rc == 0) say_stat("  stat", stat);
    done++;
}

/* A callback may call again. */
static void chained(int rc, const struct Stat *stat, const void *data) {
    on_stat(rc, stat, data);
    say("from inside: %d", zoo_aget(zh, "/st", 0, on_data, "inner"));
}

static void closing(int rc, const struct Stat *stat, const void *data) {
    (void)stat;
    say("closing %s: %d", (const char *)data, rc);
    say("close: %d", zookeeper_close(zh));
    loops_closed = 1;
    done++;
}

/* Turns the handle until so many callbacks were called. */
static void turn(int count) {
    for (int rounds = 0; done < count; rounds++) {
        fd_set reads, writes;
        int fd = -1, interest = 0, events = 0;
        struct timeval wait = {0, 0};

        zookeeper_interest(zh, &fd, &interest, &wait);
        if (done >= count || loops_closed) break;
        if (rounds > 5000) {
            say("gave up");
            exit(3);
        }
        FD_ZERO(&reads);
        FD_ZERO(&writes);
        if (fd >= 0 && interest & ZOOKEEPER_READ) FD_SET(fd, &reads);
        if (fd >= 0 && interest & ZOOKEEPER_WRITE) FD_SET(fd, &writes);
        if (wait.tv_sec > 1) wait.tv_sec = 1;
        select(fd + 1, &reads, &writes, NULL, &wait);
        if (fd >= 0 && FD_ISSET(fd, &reads)) events |= ZOOKEEPER_READ;
        if (fd >= 0 && FD_ISSET(fd, &writes)) events |= ZOOKEEPER_WRITE;
        zookeeper_process(zh, events);
    }
    done -= count;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    zh = zookeeper_init(argv[1], watcher, 10000, NULL, (void *)"default", 0);
    say("state %d", zoo_state(zh));
    turn(1);
    say("state %d id %d", zoo_state(zh), zoo_client_id(zh)->client_id != 0);
    zoo_adelete(zh, "/st", -1, on_void, "old");
    turn(1);
    say("sent %d", zoo_acreate(zh, "/st", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, "create"));
    say("sent %d", zoo_aexists(zh, "/st", 1, on_stat, "exists"));
    turn(2);
    say("sent %d", zoo_aset(zh, "/st", "22", 2, -1, on_stat, "set"));
    turn(2);
    say("sent %d", zoo_aexists(zh, "/st", 0, chained, "outer"));
    turn(2);
    say("sent %d", zoo_add_auth(zh, "digest", "u:p", 3, on_void, "auth"));
    turn(1);
    say("local: %d", zoo_awexists(zh, "/st", watcher, (void *)"local", on_stat, "local"));
    turn(1);
    say("removed: %d", zoo_aremove_watches(zh, "/st", ZWATCHTYPE_DATA, watcher, (void *)"local", 0,
                                           (void_completion_t *)on_void, "removed"));
    turn(1);
    say("sent %d", zoo_adelete(zh, "/st", -1, on_void, "delete"));
    turn(1);
    say("sent %d", zoo_aexists(zh, "/", 0, closing, "inside"));
    turn(1);
    say("end");
    return 0;
}
