/*
 * The life of a session in the library with threads: what is lost, expired and closed, and in which
 * order that is told. argv[1] is the port of a server on loopback; a proxy in this program cuts the
 * connection.
 */
#include "common.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

static int server_port, listener;
static volatile int cut, hold;
static zhandle_t *zh, *other;

static int dial(int port) {
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? fd : -1;
}

static int pump(int from, int to) {
    char bytes[4096];
    ssize_t count = read(from, bytes, sizeof bytes);

    return count > 0 && write(to, bytes, (size_t)count) == count;
}

/* One connection after the other, until `cut` ends it; with `hold` the server's bytes wait. */
static void *proxy(void *unused) {
    (void)unused;
    for (;;) {
        int near = accept(listener, NULL, NULL);
        int far = dial(server_port);

        while (!cut) {
            struct pollfd fds[2] = {{near, POLLIN, 0}, {hold ? -1 : far, POLLIN, 0}};

            poll(fds, 2, 5);
            if (fds[0].revents && !pump(near, far)) break;
            if (!hold && fds[1].revents && !pump(far, near)) break;
        }
        cut = 0;
        close(near);
        close(far);
    }
    return NULL;
}

static int open_proxy(void) {
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&at, sizeof at);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&at, &length);
    pthread_create(&thread, NULL, proxy, NULL);
    return ntohs(at.sin_port);
}

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle;
    note("%s: type %d state %d path \"%s\"", (const char *)context, type, state, path);
    step();
}

static void on_void(int rc, const void *data) {
    note("void %s: %d", (const char *)data, rc);
    step();
}

static void on_stat(int rc, const struct Stat *stat, const void *data) {
    note("stat %s: %d %d", (const char *)data, rc, stat != NULL);
    step();
}

static void on_data(int rc, const char *value, int length, const struct Stat *stat,
                    const void *data) {
    note("data %s: %d %d %d %d", (const char *)data, rc, value != NULL, length, stat != NULL);
    step();
}

static void on_strings(int rc, const struct String_vector *strings, const void *data) {
    note("strings %s: %d %d", (const char *)data, rc, strings != NULL);
    step();
}

static zhandle_t *open_at(int port, const char *name, const clientid_t *id) {
    char host[64];

    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    return zookeeper_init(host, watcher, 10000, id, (void *)(uintptr_t)name, 0);
}

/* Waits until the handle has that state. */
static void until(zhandle_t *handle, int state) {
    for (int i = 0; i < 2000 && zoo_state(handle) != state; i++) usleep(10000);
    say("state %d", zoo_state(handle));
}

/* A completion that calls the library and waits for it. */
static void nested(int rc, const struct Stat *stat, const void *data) {
    struct Stat again;

    (void)stat;
    note("nested %s: %d then %d", (const char *)data, rc, zoo_exists(zh, "/", 0, &again));
    step();
}

static void closing(int rc, const struct Stat *stat, const void *data) {
    (void)stat;
    note("closing %s: %d", (const char *)data, rc);
    note("close: %d", zookeeper_close(other));
    step();
}

static void losses(int port) {
    struct Stat stat;
    char buffer[8];
    int length = sizeof buffer;
    struct String_vector strings;
    zoo_op_t op;
    zoo_op_result_t result;

    say("# losses");
    zh = open_at(port, "main", NULL);
    await(1);
    until(zh, ZOO_CONNECTED_STATE);
    zoo_delete(zh, "/session", -1);
    say("create: %d", zoo_create(zh, "/session", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    say("watches: %d %d %d", zoo_wexists(zh, "/session/e", watcher, (void *)"exist", &stat),
        zoo_wget(zh, "/session", watcher, (void *)"node", buffer, &length, &stat),
        zoo_wget_children(zh, "/session", watcher, (void *)"child", &strings));
    hold = 1;
    zoo_aexists(zh, "/session", 0, on_stat, "held");
    zoo_aget(zh, "/session", 0, on_data, "held");
    zoo_aget_children(zh, "/session", 0, on_strings, "held");
    zoo_adelete(zh, "/session/none", -1, on_void, "held");
    zoo_check_op_init(&op, "/session", -1);
    zoo_amulti(zh, 1, &op, &result, on_void, "multi");
    usleep(50000);
    hold = 0;
    cut = 1;
    /* Four watchers learn of the loss, five completions fail, four learn of the return. */
    await(13);
    say("multi: %d", result.err);
    until(zh, ZOO_CONNECTED_STATE);
    say("set: %d", zoo_set(zh, "/session", "x", 1, -1));
    await(1);
    say("create: %d", zoo_create(zh, "/session/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    await(2);
    say("delete: %d", zoo_delete(zh, "/session/e", -1));
    say("nested: %d", zoo_aexists(zh, "/", 0, nested, "call"));
    await(1);
}

static void ends(int port) {
    clientid_t id;

    say("# ends");
    other = open_at(port, "other", NULL);
    await(1);
    say("closing: %d", zoo_aexists(other, "/", 0, closing, "inside"));
    await(1);
    other = open_at(server_port, "twin", NULL);
    await(1);
    until(other, ZOO_CONNECTED_STATE);
    id = *zoo_client_id(other);
    say("twin's session: %d", id.client_id != 0);
    id.client_id ^= 0x55;
    say("close: %d", zookeeper_close(other));
    other = open_at(server_port, "stranger", &id);
    await(1);
    until(other, ZOO_EXPIRED_SESSION_STATE);
    say("expired: %d unrecoverable %d", zoo_exists(other, "/", 0, NULL), is_unrecoverable(other));
    say("async: %d", zoo_aexists(other, "/", 0, on_stat, "never"));
    say("auth: %d", zoo_add_auth(other, "digest", "a:b", 3, on_void, "never"));
    say("close: %d", zookeeper_close(other));
    other = open_at(server_port, "bad auth", NULL);
    await(1);
    say("auth: %d", zoo_add_auth(other, "nonsense", "a:b", 3, on_void, "auth"));
    await(2);
    until(other, ZOO_AUTH_FAILED_STATE);
    say("after: %d", zoo_exists(other, "/", 0, NULL));
    say("close: %d", zookeeper_close(other));
}

int main(int argc, char **argv) {
    int port;

    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    server_port = atoi(argv[1]);
    port = open_proxy();
    losses(port);
    ends(server_port);
    say("close: %d", zookeeper_close(zh));
    return 0;
}
