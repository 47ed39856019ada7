/*
 * Every call of the library with threads, and what it answers. argv[1] is the server.
 */
#include "common.h"

static zhandle_t *zh;

static const char *client_path(const char *path) {
    return path ? path : "(null)";
}

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    note("watcher %s: type %d state %d path \"%s\" own %d", (const char *)context, type, state,
        client_path(path), handle == zh);
    step();
}

static void first(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle;
    note("first %s: type %d state %d path \"%s\"", (const char *)context, type, state,
        client_path(path));
    step();
}

static void second(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle;
    note("second %s: type %d state %d path \"%s\"", (const char *)context, type, state,
        client_path(path));
    step();
}

static void on_void(int rc, const void *data) {
    note("void %s: %d", (const char *)data, rc);
    step();
}

static void on_stat(int rc, const struct Stat *stat, const void *data) {
    note("stat %s: %d", (const char *)data, rc);
    if (rc == 0) note_stat("  stat", stat);
    step();
}

static void on_data(int rc, const char *value, int length, const struct Stat *stat,
                    const void *data) {
    note("data %s: %d length %d null %d \"%.*s\"", (const char *)data, rc, length, value == NULL,
        length > 0 ? length : 0, value ? value : "");
    note_stat("  stat", stat);
    step();
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell_strings(void (*tell)(const char *, ...), const char *what,
                         const struct String_vector *strings) {
    char *names[64];
    int count = strings->count < 64 ? strings->count : 64;

    for (int i = 0; i < count; i++) names[i] = strings->data[i];
    qsort(names, (size_t)count, sizeof names[0], by_name);
    tell("%s: %d strings, array %d", what, strings->count, strings->data != NULL);
    for (int i = 0; i < count; i++) tell("  %s", names[i]);
}

static void say_strings(const char *what, const struct String_vector *strings) {
    tell_strings(say, what, strings);
}

static void on_strings(int rc, const struct String_vector *strings, const void *data) {
    note("strings %s: %d null %d", (const char *)data, rc, strings == NULL);
    if (strings) tell_strings(note, "  strings", strings);
    step();
}

static void on_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat,
                            const void *data) {
    on_strings(rc, strings, data);
    note_stat("  stat", stat);
}

static void on_string(int rc, const char *value, const void *data) {
    note("string %s: %d \"%s\"", (const char *)data, rc, client_path(value));
    step();
}

static void on_string_stat(int rc, const char *value, const struct Stat *stat, const void *data) {
    note("string %s: %d \"%s\"", (const char *)data, rc, client_path(value));
    note_stat("  stat", stat);
    step();
}

static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) {
    note("acl %s: %d null %d", (const char *)data, rc, acl == NULL);
    if (acl && acl->count > 0) {
        note("  %d: %d %s:%s", acl->count, acl->data[0].perms, acl->data[0].id.scheme,
            acl->data[0].id.id);
    }
    note_stat("  stat", stat);
    step();
}

static void creations(void) {
    char path[64];
    struct Stat stat;

    say("# creations");
    strcpy(path, "untouched");
    say("create: %d %s", zoo_create(zh, "/t", "v", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, 64), path);
    strcpy(path, "untouched");
    say("again: %d %s", zoo_create(zh, "/t", "v", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, 64), path);
    say("no room: %d %s", zoo_create(zh, "/t/abc", "v", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, 5), path);
    say("no buffer: %d", zoo_create(zh, "/t/b", 0, -1, &ZOO_OPEN_ACL_UNSAFE, 0, 0, 0));
    say("no acl: %d", zoo_create(zh, "/t/c", "", 0, 0, 0, 0, 0));
    say("bad mode: %d", zoo_create(zh, "/t/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 99, 0, 0));
    say("no parent: %d", zoo_create(zh, "/none/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, 0, 0));
    say("sequence: %d %s",
        zoo_create(zh, "/t/s-", "", 0, &ZOO_READ_ACL_UNSAFE, ZOO_SEQUENCE, path, 64), path);
    say("ephemeral: %d %s",
        zoo_create(zh, "/t/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, path, 64), path);
    say("below it: %d", zoo_create(zh, "/t/e/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, 0, 0));
    say("container: %d %s",
        zoo_create(zh, "/t/k", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, path, 64), path);
    say("ttl: %d %s",
        zoo_create_ttl(zh, "/t/ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL,
                       100000, path, 64), path);
    say("ttl 0: %d", zoo_create_ttl(zh, "/t/x", "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                    ZOO_PERSISTENT_WITH_TTL, 0, path, 64));
    say("ttl of none: %d",
        zoo_create_ttl(zh, "/t/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, 5, path, 64));
    say("ttl too long: %d", zoo_create_ttl(zh, "/t/x", "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                           ZOO_PERSISTENT_WITH_TTL, 0x10000000000, path, 64));
    memset(&stat, 0, sizeof stat);
    say("create2: %d %s",
        zoo_create2(zh, "/t/two", "12", 2, &ZOO_OPEN_ACL_UNSAFE, 0, path, 64, &stat), path);
    say_stat("stat", &stat);
    say("create2 ttl: %d %s",
        zoo_create2_ttl(zh, "/t/two-ttl", "12", 2, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL,
                        9999, path, 64, &stat), path);
    say_stat("stat", &stat);
}

static void reads(void) {
    char buffer[16];
    struct Stat stat;
    struct String_vector strings = {7, NULL};
    struct ACL_vector acl = {7, NULL};
    int length;

    say("# reads");
    memset(&stat, 0, sizeof stat);
    length = sizeof buffer;
    say("get: %d", zoo_get(zh, "/t/two", 0, buffer, &length, &stat));
    say("length %d \"%.2s\"", length, buffer);
    say_stat("stat", &stat);
    length = 1;
    memset(buffer, '?', sizeof buffer);
    say("get little: %d", zoo_get(zh, "/t/two", 0, buffer, &length, NULL));
    say("length %d \"%.2s\"", length, buffer);
    length = 3;
    say("get nothing: %d", zoo_get(zh, "/t/b", 0, buffer, &length, &stat));
    say("length %d", length);
    length = 3;
    say("get none: %d", zoo_get(zh, "/none", 0, buffer, &length, &stat));
    say("length %d", length);
    say("get without length: %d", zoo_wget(zh, "/t", NULL, NULL, buffer, NULL, &stat));
    say("exists: %d none: %d", zoo_exists(zh, "/t", 0, &stat), zoo_exists(zh, "/none", 0, &stat));
    say("set: %d version: %d", zoo_set(zh, "/t/two", "x", 1, -1), zoo_set(zh, "/t/two", "x", 1, 9));
    say("set nothing: %d", zoo_set2(zh, "/t/two", NULL, -1, 1, &stat));
    say_stat("stat", &stat);
    say("children: %d", zoo_get_children(zh, "/t", 0, &strings));
    say_strings("strings", &strings);
    say("deallocate: %d", deallocate_String_vector(&strings));
    say("count %d data %d", strings.count, strings.data != NULL);
    say("children of a leaf: %d", zoo_get_children2(zh, "/t/b", 0, &strings, &stat));
    say_strings("strings", &strings);
    deallocate_String_vector(&strings);
    strings.count = 7;
    say("children of none: %d count %d", zoo_get_children(zh, "/none", 0, &strings), strings.count);
    say("acl: %d", zoo_get_acl(zh, "/t/s-0000000000", &acl, &stat));
    say("count %d", acl.count);
    deallocate_ACL_vector(&acl);
    acl.count = 7;
    say("acl: %d", zoo_get_acl(zh, "/t", &acl, &stat));
    if (acl.count == 1) {
        say("%d %s:%s", acl.data[0].perms, acl.data[0].id.scheme, acl.data[0].id.id);
    }
    say("set acl: %d", zoo_set_acl(zh, "/t/b", -1, &acl));
    say("set acl version: %d", zoo_set_acl(zh, "/t/b", 7, &acl));
    deallocate_ACL_vector(&acl);
    say("auth acl: %d", zoo_set_acl(zh, "/t/b", -1, &ZOO_CREATOR_ALL_ACL));
    say("delete: %d %d %d %d", zoo_delete(zh, "/t/none", -1), zoo_delete(zh, "/t", -1),
        zoo_delete(zh, "/t/two", 99), zoo_delete(zh, "/t/two", -1));
    length = sizeof buffer;
    say("config: %d", zoo_getconfig(zh, 0, buffer, &length, &stat));
    say("reconfig: %d", zoo_reconfig(zh, NULL, "9", NULL, -1, buffer, &length, &stat));
}

static void arguments(void) {
    const char *bad[] = {"", "t", "//", "/t/", "/t//u", "/.", "/t/..", "/t\x01", "/t\x1e"};

    say("# arguments");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        say("path %zu: %d", i, zoo_exists(zh, bad[i], 0, NULL));
    }
    say("NULL path: %d %d", zoo_exists(zh, NULL, 0, NULL), zoo_delete(zh, NULL, -1));
    say("NULL handle: %d %d %d", zoo_delete(NULL, "/t", -1), zoo_state(NULL),
        zookeeper_close(NULL));
    say("allowed: %d %d", zoo_exists(zh, "/t\x1f", 0, NULL), zoo_exists(zh, "/t/.b", 0, NULL));
    say("auth: %d", zoo_add_auth(zh, NULL, "a", 1, on_void, "auth"));
    say("texts: %s, %s, %s, %s", zerror(0), zerror(-4), zerror(-110), zerror(-9999));
    say("strerror: %s", zerror(2));
    for (int code = 0; code > -130; code--) say("%d %s", code, zerror(code));
}

static void asynchronous(void) {
    say("# asynchronous");
    say("sent %d", zoo_acreate(zh, "/a", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, "create"));
    say("sent %d", zoo_acreate2(zh, "/a/b", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string_stat, "two"));
    say("sent %d", zoo_acreate_ttl(zh, "/a/t", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 5, 77777, on_string,
                                   "ttl"));
    say("sent %d", zoo_acreate2_ttl(zh, "/a/t2", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 5, 77777,
                                    on_string_stat, "ttl two"));
    say("sent %d", zoo_acreate(zh, "/a", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, "again"));
    await(5);
    say("sent %d", zoo_aexists(zh, "/a", 0, on_stat, "exists"));
    say("sent %d", zoo_aexists(zh, "/none", 0, on_stat, "exists none"));
    say("sent %d", zoo_aget(zh, "/a", 0, on_data, "get"));
    say("sent %d", zoo_aget(zh, "/none", 0, on_data, "get none"));
    say("sent %d", zoo_aset(zh, "/a", NULL, -1, -1, on_stat, "set"));
    say("sent %d", zoo_aget(zh, "/a", 0, on_data, "get nothing"));
    await(6);
    say("sent %d", zoo_aget_children(zh, "/a", 0, on_strings, "children"));
    say("sent %d", zoo_aget_children(zh, "/none", 0, on_strings, "children none"));
    say("sent %d", zoo_aget_children2(zh, "/a", 0, on_strings_stat, "children2"));
    say("sent %d", zoo_async(zh, "/a", on_string, "sync"));
    say("sent %d", zoo_aget_acl(zh, "/a", on_acl, "acl"));
    say("sent %d", zoo_aget_acl(zh, "/none", on_acl, "acl none"));
    say("sent %d", zoo_aset_acl(zh, "/a", -1, &ZOO_OPEN_ACL_UNSAFE, on_void, "set acl"));
    await(7);
    say("sent %d", zoo_adelete(zh, "/a/b", -1, on_void, "delete"));
    say("sent %d", zoo_adelete(zh, "/a/b", -1, on_void, "delete again"));
    say("sent %d", zoo_adelete(zh, "bad", -1, on_void, "bad"));
    await(2);
    say("sent %d", zoo_add_auth(zh, "digest", "u:p", 3, on_void, "auth"));
    await(1);
    say("sent %d", zoo_add_auth(zh, "digest", "u:p", 3, NULL, NULL));
    say("auth acl: %d",
        zoo_create(zh, "/a/mine", "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0));
}

static void watches(void) {
    struct Stat stat;
    char buffer[8];
    int length = sizeof buffer;
    struct String_vector strings;

    say("# watches");
    say("default: %d", zoo_exists(zh, "/w", 1, &stat));
    say("first: %d", zoo_wexists(zh, "/w", first, "one", &stat));
    say("first again: %d", zoo_wexists(zh, "/w", first, "one", &stat));
    say("second: %d", zoo_wexists(zh, "/w", second, "two", &stat));
    say("create: %d", zoo_create(zh, "/w", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    await(3);
    say("data and children: %d %d %d", zoo_wget(zh, "/w", first, "data", buffer, &length, &stat),
        zoo_wget_children(zh, "/w", second, "children", &strings),
        zoo_wget_children2(zh, "/w", first, "children", &strings, &stat));
    say("child: %d", zoo_create(zh, "/w/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    await(2);
    say("set: %d", zoo_set(zh, "/w", "x", 1, -1));
    await(1);
    say("all kinds: %d %d %d", zoo_wexists(zh, "/w/c", first, "exists", &stat),
        zoo_wget_children(zh, "/w/c", second, "children", &strings),
        zoo_get(zh, "/w/c", 1, buffer, &length, &stat));
    say("delete: %d", zoo_delete(zh, "/w/c", -1));
    await(3);
    say("none stands: %d", zoo_set(zh, "/w", "y", 1, -1));
    say("removal: %d", zoo_wexists(zh, "/w", first, "gone", &stat));
    say("other: %d", zoo_remove_watches(zh, "/w", ZWATCHTYPE_DATA, second, "gone", 0));
    say("kind: %d", zoo_remove_watches(zh, "/w", ZWATCHTYPE_CHILD, first, "gone", 0));
    say("it: %d", zoo_remove_watches(zh, "/w", ZWATCHTYPE_DATA, first, "gone", 0));
    say("again: %d", zoo_remove_watches(zh, "/w", ZWATCHTYPE_DATA, first, "gone", 0));
    say("local: %d", zoo_wexists(zh, "/w", first, "local", &stat));
    say("it: %d", zoo_remove_watches(zh, "/w", ZWATCHTYPE_ANY, first, "local", 1));
    say("all: %d %d", zoo_wexists(zh, "/w", first, "all", &stat),
        zoo_wexists(zh, "/w", second, "all", &stat));
    say("them: %d", zoo_remove_all_watches(zh, "/w", ZWATCHTYPE_ANY, 0));
    say("again: %d", zoo_remove_all_watches(zh, "/w", ZWATCHTYPE_ANY, 0));
    say("async: %d", zoo_awexists(zh, "/w", first, "async", on_stat, "async"));
    await(1);
    say("it: %d", zoo_aremove_watches(zh, "/w", ZWATCHTYPE_DATA, first, "async", 0,
                                      (void_completion_t *)on_void, "removed"));
    await(1);
    say("silence: %d", zoo_set(zh, "/w", "z", 1, -1));
}

static void multis(void) {
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    struct Stat stat;
    char one[32] = "untouched", two[8] = "";

    say("# multi");
    zoo_create_op_init(&ops[0], "/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, one, sizeof one);
    zoo_create_op_init(&ops[1], "/m/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, two, sizeof two);
    zoo_set_op_init(&ops[2], "/m", "22", 2, 0, &stat);
    zoo_check_op_init(&ops[3], "/m", 1);
    zoo_delete_op_init(&ops[4], "/m/s-0000000000", -1);
    memset(&stat, 0, sizeof stat);
    memset(results, 0x55, sizeof results);
    say("good: %d", zoo_multi(zh, 5, ops, results));
    say("paths \"%s\" \"%s\"", one, two);
    say_stat("stat", &stat);
    for (int i = 0; i < 5; i++) say("%d: err %d", i, results[i].err);
    say("values %d %d lengths %d %d stat %d", results[0].value == one, results[1].value == two,
        results[0].valuelen, results[1].valuelen, results[2].stat == &stat);
    zoo_check_op_init(&ops[0], "/m", -1);
    zoo_set_op_init(&ops[1], "/m", "3", 1, 77, &stat);
    zoo_delete_op_init(&ops[2], "/m", -1);
    memset(results, 0, sizeof results);
    say("bad: %d", zoo_multi(zh, 3, ops, results));
    for (int i = 0; i < 3; i++) say("%d: err %d", i, results[i].err);
    say("value %d stat %d", results[1].value != NULL, results[1].stat != NULL);
    say("empty: %d", zoo_multi(zh, 0, NULL, NULL));
    zoo_create_op_init(&ops[0], "/m/k", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, one, sizeof one);
    say("again: %d %s", zoo_multi(zh, 1, ops, results), one);
    zoo_delete_op_init(&ops[0], "/m/k", -1);
    zoo_delete_op_init(&ops[1], "/m", -1);
    say("sent %d", zoo_amulti(zh, 2, ops, results, on_void, "multi"));
    await(1);
    say("%d %d", results[0].err, results[1].err);
}

static void chrooted(const char *server) {
    char host[128], path[64];
    struct Stat stat;
    zhandle_t *main_handle = zh;
    zoo_op_t op;
    zoo_op_result_t result;

    say("# chroot");
    say("root: %d", zoo_create(zh, "/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    snprintf(host, sizeof host, "%s/c", server);
    zh = zookeeper_init(host, watcher, 10000, NULL, (void *)"chroot", ZOO_NO_LOG_CLIENTENV);
    await(1);
    say("create: %d %s", zoo_create(zh, "/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, 64), path);
    say("exists: %d %d", zoo_exists(zh, "/x", 1, &stat), zoo_exists(zh, "/", 0, &stat));
    zoo_create_op_init(&op, "/y", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, 64);
    say("multi: %d %s", zoo_multi(zh, 1, &op, &result), path);
    say("sync: %d", zoo_async(zh, "/x", on_string, "sync"));
    await(1);
    say("delete: %d", zoo_delete(zh, "/x", -1));
    await(1);
    say("delete: %d", zoo_delete(zh, "/y", -1));
    say("close: %d", zookeeper_close(zh));
    zh = main_handle;
    say("root: %d", zoo_delete(zh, "/c", -1));
}

static void connected(const char *server) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    say("server: %d", strcmp(zoo_get_current_server(zh), server));
    memset(&address, 0, sizeof address);
    say("connected: %d",
        zookeeper_get_connected_host(zh, (struct sockaddr *)&address, &length) != NULL);
    say("family %d length %d", address.ss_family, (int)length);
}

static void refused(const char *what, const char *host) {
    errno = 0;
    zh = zookeeper_init(host, watcher, 10000, NULL, NULL, 0);
    say("%s: %d errno %d", what, zh == NULL, errno);
}

static void clean(const char *path) {
    struct String_vector strings;
    char below[256];

    if (zoo_get_children(zh, path, 0, &strings) == 0) {
        for (int i = 0; i < strings.count; i++) {
            snprintf(below, sizeof below, "%s/%s", path, strings.data[i]);
            clean(below);
        }
        deallocate_String_vector(&strings);
        zoo_delete(zh, path, -1);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    refused("bad hosts", "nothing");
    refused("no hosts", "");
    refused("bad port", "127.0.0.1:x");
    refused("bad chroot", "127.0.0.1:1/x/");
    refused("unknown", "no-such-name.invalid:1");
    zh = zookeeper_init(argv[1], watcher, 10000, NULL, (void *)"default", 0);
    say("handle: %d", zh != NULL);
    await(1);
    say("state %d timeout %d context %s id %d unrecoverable %d", zoo_state(zh), zoo_recv_timeout(zh),
        (const char *)zoo_get_context(zh), zoo_client_id(zh)->client_id != 0, is_unrecoverable(zh));
    connected(argv[1]);
    clean("/t"), clean("/a"), clean("/w"), clean("/m"), clean("/c");
    creations();
    reads();
    arguments();
    asynchronous();
    watches();
    multis();
    chrooted(argv[1]);
    say("old watcher: %d", zoo_set_watcher(zh, first) == watcher);
    zoo_set_context(zh, (void *)"other");
    say("exists: %d", zoo_exists(zh, "/w", 1, NULL));
    clean("/w");
    await(1);
    clean("/t"), clean("/a");
    say("servers: %d %d %d", zoo_set_servers(zh, argv[1]), zoo_set_servers(zh, NULL),
        zoo_set_servers_resolution_delay(zh, -2));
    say("close: %d", zookeeper_close(zh));
    return 0;
}
