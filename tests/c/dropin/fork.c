/*
 * A process that forks while it has a handle. Not under valgrind: what the parent's threads held is
 * lost in the child. argv[1] is the server.
 */
#include "common.h"

#include <sys/wait.h>

static zhandle_t *zh;
static int failures;

static void expect(const char *what, int got, int wanted) {
    if (got == wanted) return;
    say("%s: %d instead of %d", what, got, wanted);
    failures++;
}

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle, (void)state, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT) step();
}

/* A child of a fork can neither use nor hurt its parent's handle, and may have its own. */
static void forks(const char *server) {
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        zhandle_t *own;

        expect("inherited", zoo_exists(zh, "/", 0, NULL), ZINVALIDSTATE);
        expect("close inherited", zookeeper_close(zh), ZOK);
        steps = 0;
        own = zookeeper_init(server, watcher, 10000, NULL, NULL, 0);
        await(1);
        expect("own", zoo_exists(own, "/", 0, NULL), ZOK);
        expect("close own", zookeeper_close(own), ZOK);
        _exit(failures != 0);
    }
    expect("child", waitpid(child, &status, 0) == child && status == 0, 1);
    expect("parent", zoo_exists(zh, "/", 0, NULL), ZOK);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    zoo_set_debug_level((ZooLogLevel)0);
    zh = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    await(1);
    for (int i = 0; i < 5; i++) forks(argv[1]);
    expect("close", zookeeper_close(zh), ZOK);
    say("%d failures", failures);
    return failures != 0;
}
