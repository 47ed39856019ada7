/*
 * One session on several servers: moving when the list changes, and reading from a server that has no
 * leader. argv[1] says which, argv[2..4] are three servers. Where the test must do something in
 * between, it is told by a line that begins with "ready" and answers with one.
 */
#include "common.h"

static zhandle_t *zh;
static char **at;

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle;
    (void)context;
    note("event: type %d state %d path \"%s\"", type, state, path);
    step();
}

/* Which of the three servers the handle is connected to. */
static int place(void) {
    const char *current = zoo_get_current_server(zh);

    for (int i = 0; i < 3; i++)
        if (strcmp(current, at[i]) == 0) return i + 1;
    return 0;
}

static void list(char *out, size_t size, int first, int last) {
    size_t length = 0;

    for (int i = first; i <= last; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i == first ? "" : ",", at[i - 1]);
}

static void until(int state) {
    for (int i = 0; i < 3000 && zoo_state(zh) != state; i++) usleep(10000);
    say("state %d", zoo_state(zh));
}

static void go_on(const char *what) {
    char line[16];

    say("ready: %s", what);
    if (!fgets(line, sizeof line, stdin)) _exit(4);
}

static void moving(void) {
    char servers[128], buffer[32];
    int length = sizeof buffer;
    struct Stat stat;

    zoo_deterministic_conn_order(1);
    list(servers, sizeof servers, 1, 3);
    zh = zookeeper_init(servers, watcher, 20000, NULL, NULL, 0);
    await(1);
    until(ZOO_CONNECTED_STATE);
    say("at %d", place());
    say("create: %d", zoo_create(zh, "/roam", "here", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    /* The current server is not in the new list. */
    list(servers, sizeof servers, 2, 2);
    say("set servers: %d", zoo_set_servers(zh, servers));
    /* A call has the library look at its new list. */
    say("get: %d", zoo_get(zh, "/roam", 0, buffer, &length, &stat));
    await(1);
    say("owned: %d at %d", stat.ephemeralOwner == zoo_client_id(zh)->client_id, place());
    /* The same list again is no reason to move. */
    say("set servers: %d", zoo_set_servers(zh, servers));
    say("exists: %d at %d", zoo_exists(zh, "/roam", 0, &stat), place());
    list(servers, sizeof servers, 3, 3);
    say("set servers: %d", zoo_set_servers(zh, servers));
    say("exists: %d", zoo_exists(zh, "/roam", 0, &stat));
    await(1);
    say("at %d", place());
    say("no list: %d", zoo_set_servers(zh, NULL));
    say("exists: %d at %d", zoo_exists(zh, "/roam", 0, &stat), place());
    go_on("stop 3");
    await(1);
    list(servers, sizeof servers, 2, 2);
    say("set servers: %d", zoo_set_servers(zh, servers));
    await(1);
    until(ZOO_CONNECTED_STATE);
    say("at %d", place());
    length = sizeof buffer;
    say("get: %d", zoo_get(zh, "/roam", 0, buffer, &length, &stat));
    say("owned: %d", stat.ephemeralOwner == zoo_client_id(zh)->client_id);
    say("close: %d", zookeeper_close(zh));
}

static void reading(void) {
    char servers[128], buffer[32];
    int length = sizeof buffer;
    struct Stat stat;

    list(servers, sizeof servers, 1, 3);
    zh = zookeeper_init(servers, watcher, 20000, NULL, NULL, ZOO_READONLY);
    await(1);
    until(ZOO_READONLY_STATE);
    say("at %d", place());
    say("get: %d \"%.*s\"", zoo_get(zh, "/seen", 0, buffer, &length, &stat), length, buffer);
    say("set: %d", zoo_set(zh, "/seen", "x", 1, -1));
    say("create: %d", zoo_create(zh, "/more", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    say("delete: %d", zoo_delete(zh, "/seen", -1));
    say("unrecoverable: %d", is_unrecoverable(zh));
    go_on("start the others");
    /* It looks for a server that writes, leaves this one, and is told of both. */
    await(2);
    until(ZOO_CONNECTED_STATE);
    say("set: %d", zoo_set(zh, "/seen", "x", 1, -1));
    say("close: %d", zookeeper_close(zh));
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    at = argv + 2;
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    if (strcmp(argv[1], "moving") == 0)
        moving();
    else
        reading();
    return 0;
}
