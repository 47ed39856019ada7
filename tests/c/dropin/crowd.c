/*
 * Many threads on few handles, and many handles in one process: every call is answered, callbacks of
 * a handle never overlap, and everything ends. argv[1] is the server, argv[2] a number of handles.
 */
#include "common.h"

enum { THREADS = 16, ROUNDS = 200 };

static zhandle_t *shared;
static int failures, answers;
static int inside;

static void fail(const char *what, int rc) {
    say("%s: %d", what, rc);
    __sync_fetch_and_add(&failures, 1);
}

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) step();
}

static void on_stat(int rc, const struct Stat *stat, const void *data) {
    char room[1 << 20];

    (void)stat, (void)data;
    /* Callbacks have put large arrays on their stack for years. */
    memset(room, rc, sizeof room);
    if (__sync_fetch_and_add(&inside, 1) != 0) fail("overlap", room[7]);
    if (rc != ZOK) fail("completion", rc);
    __sync_fetch_and_add(&answers, 1);
    __sync_fetch_and_sub(&inside, 1);
}

static void *work(void *number) {
    char path[64], buffer[64];
    int rc;

    snprintf(path, sizeof path, "/crowd/%d", (int)(intptr_t)number);
    rc = zoo_create(shared, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
    if (rc != ZOK) fail("create", rc);
    for (int i = 0; i < ROUNDS; i++) {
        int length = sizeof buffer, wanted = snprintf(buffer, sizeof buffer, "%s %d", path, i);

        if ((rc = zoo_set(shared, path, buffer, wanted, i)) != ZOK) fail("set", rc);
        memset(buffer, 0, sizeof buffer);
        if ((rc = zoo_get(shared, path, 0, buffer, &length, NULL)) != ZOK) fail("get", rc);
        if (length != wanted || strncmp(buffer, path, strlen(path)) != 0) fail("data", length);
        if ((rc = zoo_aexists(shared, path, 0, on_stat, NULL)) != ZOK) fail("exists", rc);
    }
    return NULL;
}

/* A figure of /proc/self/status. */
static long status_of(const char *name) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) value = atol(line + strlen(name) + 1);
    }
    if (file) fclose(file);
    return value;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    zhandle_t **handles;
    int count = argc > 2 ? atoi(argv[2]) : 50;
    long before;

    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    shared = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    await(1);
    zoo_create(shared, "/crowd", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    before = status_of("VmRSS");
    handles = calloc((size_t)count, sizeof *handles);
    for (int i = 0; i < count; i++) {
        handles[i] = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, ZOO_NO_LOG_CLIENTENV);
    }
    await(count);
    fprintf(stderr, "%d handles: %ld threads, %ld KiB each\n", count, status_of("Threads"),
            (status_of("VmRSS") - before) / count);
    for (int i = 0; i < count; i++) {
        int rc = zoo_exists(handles[i], "/", 0, NULL);

        if (rc != ZOK) fail("exists", rc);
    }
    for (int i = 0; i < count; i++) zookeeper_close(handles[i]);
    free(handles);
    if (zookeeper_close(shared) != ZOK) fail("close", 0);
    if (answers != THREADS * ROUNDS) fail("answers", answers);
    say("%d failures", failures);
    return failures != 0;
}
