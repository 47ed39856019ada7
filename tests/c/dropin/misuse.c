/*
 * What crashes, hangs or loses completions in Apache's library, and wrong arguments of every kind.
 * Ours answers; run under valgrind. argv[1] is the server.
 */
#include "common.h"

static zhandle_t *zh;
static int failures, told;

static void expect(const char *what, int got, int wanted) {
    if (got == wanted) return;
    say("%s: %d instead of %d", what, got, wanted);
    failures++;
}

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle, (void)state, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT) step();
}

static void on_void(int rc, const void *data) {
    expect(data, rc, ZOK);
    step();
}

static void on_stat(int rc, const struct Stat *stat, const void *data) {
    (void)stat, (void)data;
    if (rc != ZOK && rc != ZCLOSING) expect("pending", rc, ZOK);
    pthread_mutex_lock(&lock);
    told++;
    pthread_mutex_unlock(&lock);
}

/* In Apache's library this waits for ever: the completion runs on the thread that it waits for. */
static void auth_then_call(int rc, const void *data) {
    expect("auth", rc, ZOK);
    expect("call inside of it", zoo_exists(zh, "/", 0, NULL), ZOK);
    (void)data;
    step();
}

static void nulls(void) {
    struct Stat stat;
    char buffer[4];
    int length = 4;
    struct String_vector strings;
    struct ACL_vector acl;
    zoo_op_result_t result;

    expect("exists", zoo_exists(NULL, "/", 1, &stat), ZBADARGUMENTS);
    expect("get", zoo_get(NULL, "/", 1, buffer, &length, &stat), ZBADARGUMENTS);
    expect("get length", zoo_get(zh, "/", 0, buffer, NULL, &stat), ZBADARGUMENTS);
    expect("get buffer", zoo_get(zh, "/", 0, NULL, &length, &stat), ZOK);
    expect("children", zoo_get_children(NULL, "/", 1, &strings), ZBADARGUMENTS);
    expect("children into nothing", zoo_get_children2(zh, "/", 0, NULL, NULL), ZOK);
    expect("acl", zoo_get_acl(NULL, "/", &acl, NULL), ZBADARGUMENTS);
    expect("acl into nothing", zoo_get_acl(zh, "/", NULL, NULL), ZOK);
    expect("set acl", zoo_set_acl(zh, "/", -1, NULL), ZINVALIDACL);
    expect("servers", zoo_set_servers(NULL, "a:1"), ZBADARGUMENTS);
    expect("bad servers", zoo_set_servers(zh, "a:b"), ZBADARGUMENTS);
    expect("still there", zoo_exists(zh, "/", 0, NULL), ZOK);
    expect("recoverable", is_unrecoverable(NULL), ZBADARGUMENTS);
    expect("timeout", zoo_recv_timeout(NULL), ZBADARGUMENTS);
    expect("watcher", zoo_set_watcher(NULL, watcher) == NULL, 1);
    expect("context", zoo_get_context(NULL) == NULL, 1);
    expect("id", zoo_client_id(NULL) == NULL, 1);
    zoo_set_context(NULL, buffer);
    zoo_cycle_next_server(NULL);
    zoo_set_log_callback(NULL, NULL);
    expect("log", zoo_get_log_callback(NULL) == NULL, 1);
    expect("server", strcmp(zoo_get_current_server(NULL), ":0"), 0);
    expect("completion", zoo_aget(zh, "/", 0, NULL, NULL), ZBADARGUMENTS);
    expect("multi", zoo_multi(NULL, 1, NULL, &result), ZBADARGUMENTS);
    expect("ops", zoo_multi(zh, 1, NULL, &result), ZBADARGUMENTS);
    expect("count", zoo_multi(zh, -1, NULL, &result), ZBADARGUMENTS);
    expect("host", zookeeper_init(NULL, watcher, 1, NULL, NULL, 0) == NULL && errno == EINVAL, 1);
    expect("unknown host",
           zookeeper_init("no-such-name.invalid:1", watcher, 1, NULL, NULL, 0) == NULL &&
               errno == ENOENT, 1);
}

static void multis(void) {
    zoo_op_t op, unknown;
    zoo_op_result_t result;
    char path[8];

    zoo_delete_op_init(&op, "bad", -1);
    expect("bad path", zoo_multi(zh, 1, &op, &result), ZBADARGUMENTS);
    zoo_delete_op_init(&op, NULL, -1);
    expect("no path", zoo_multi(zh, 1, &op, &result), ZBADARGUMENTS);
    memset(&unknown, 0, sizeof unknown);
    unknown.type = 4711;
    expect("unknown", zoo_multi(zh, 1, &unknown, &result), ZUNIMPLEMENTED);
    zoo_create_op_init(&op, "/misuse", "", 0, NULL, 0, path, sizeof path);
    expect("no acl", zoo_multi(zh, 1, &op, &result), ZINVALIDACL);
    zoo_create_op_init(&op, "/misuse", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    expect("no buffer", zoo_multi(zh, 1, &op, &result), ZOK);
    zoo_create_op_init(&op, "/misuse/k", "", 0, &ZOO_OPEN_ACL_UNSAFE, 4, path, sizeof path);
    expect("container", zoo_multi(zh, 1, &op, &result), ZOK);
    expect("cut", strcmp(path, "/misuse"), 0);
    zoo_set_op_init(&op, "/misuse", "", 0, -1, NULL);
    expect("no stat", zoo_multi(zh, 1, &op, &result), ZOK);
    expect("delete", zoo_delete(zh, "/misuse/k", -1) + zoo_delete(zh, "/misuse", -1), ZOK);
}

static void watches(void) {
    expect("exists", zoo_wexists(zh, "/", watcher, NULL, NULL), ZOK);
    expect("local", zoo_aremove_watches(zh, "/", ZWATCHTYPE_ANY, watcher, NULL, 1,
                                        (void_completion_t *)on_void, "local"), ZOK);
    await(1);
    expect("kind", zoo_remove_watches(zh, "/", (ZooWatcherType)9, watcher, NULL, 0), ZBADARGUMENTS);
    expect("auth", zoo_add_auth(zh, "digest", "a:b", 3, auth_then_call, NULL), ZOK);
    await(1);
}

/* Whatever is pending when a handle is closed is told, each completion once. */
static void pending_at_close(const char *server) {
    enum { COUNT = 500 };

    for (int round = 0; round < 5; round++) {
        zhandle_t *handle = zookeeper_init(server, watcher, 10000, NULL, NULL, 0);

        await(1);
        told = 0;
        for (int i = 0; i < COUNT; i++) {
            expect("sent", zoo_aexists(handle, "/", 0, on_stat, NULL), ZOK);
        }
        expect("close", zookeeper_close(handle), ZOK);
        expect("told", told, COUNT);
    }
    /* Nobody listens there; what waits fails. */
    zhandle_t *nowhere = zookeeper_init("127.0.0.1:1", watcher, 10000, NULL, NULL, 0);
    expect("nowhere", zoo_exists(nowhere, "/", 0, NULL), ZCONNECTIONLOSS);
    expect("close nowhere", zookeeper_close(nowhere), ZOK);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    zh = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    await(1);
    nulls();
    multis();
    watches();
    expect("close", zookeeper_close(zh), ZOK);
    pending_at_close(argv[1]);
    say("%d failures", failures);
    return failures != 0;
}
