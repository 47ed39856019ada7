/*
 * Data objects that the executable holds copies of: both sides see the same ones. Linked as a program
 * at a fixed address, so that there are COPY relocations. argv[1] is the server.
 */
#include "common.h"

static int lines;

static int exists_told, close_told;

/* What the tests of Apache's own bindings look for. */
static void look(const char *message) {
    const char *level = strstr(message, "ZOO_");

    if (level && strstr(level, "exists")) exists_told = 1;
    if (level && strstr(level, "close")) close_told = 1;
}

static void count(const char *message) {
    if (strlen(message) > 0 && !strchr(message, '\n')) lines++;
}

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) step();
}

int main(int argc, char **argv) {
    zhandle_t *zh;
    struct ACL_vector acl;
    struct ACL all[1];

    if (argc < 2) return 2;
    say("level %d", (int)logLevel);
    zoo_set_debug_level(ZOO_LOG_LEVEL_DEBUG);
    say("the library changes it: %d", (int)logLevel);
    zoo_set_debug_level((ZooLogLevel)9);
    say("too high: %d", (int)logLevel);
    logLevel = (ZooLogLevel)0;
    zh = zookeeper_init2(argv[1], watcher, 10000, NULL, NULL, 0, count);
    await(1);
    say("the program changes it: %d lines", lines);
    logLevel = ZOO_LOG_LEVEL_INFO;
    LOG_INFO(LOGCALLBACK(zh), "a %s of %d", "line", 1);
    LOG_DEBUG(LOGCALLBACK(zh), "not this one");
    say("lines %d", lines);
    logLevel = (ZooLogLevel)0;
    say("%d %d %d %d", ZOO_EPHEMERAL, ZOO_SEQUENCE, ZOO_PERM_ALL, ZOO_EXPIRED_SESSION_STATE);
    zoo_delete(zh, "/copies", -1);
    /* The library reads the ACL through the program's own copy. */
    all[0].perms = ZOO_PERM_READ | ZOO_PERM_DELETE;
    all[0].id = ZOO_ANYONE_ID_UNSAFE;
    acl = ZOO_OPEN_ACL_UNSAFE;
    ZOO_OPEN_ACL_UNSAFE.data = all;
    say("create: %d", zoo_create(zh, "/copies", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    ZOO_OPEN_ACL_UNSAFE = acl;
    say("read: %d", zoo_get_acl(zh, "/copies", &acl, NULL));
    say("perms %d", acl.data[0].perms);
    deallocate_ACL_vector(&acl);
    say("delete: %d close: %d", zoo_delete(zh, "/copies", -1), 0);
    zoo_set_log_callback(zh, look);
    zoo_set_debug_level(ZOO_LOG_LEVEL_DEBUG);
    say("exists: %d", zoo_exists(zh, "/", 0, NULL));
    say("close: %d", zookeeper_close(zh));
    say("told: %d %d", exists_told, close_told);
    return 0;
}
