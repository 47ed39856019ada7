/*
 * What happens when the process may not have more descriptors or threads: an error, and no more. It
 * goes on when it may again. argv[1] is the server.
 */
#include "common.h"

#include <sys/resource.h>
#include <sys/wait.h>

static int failures;

#define CHECK(what)                                              \
    do {                                                         \
        if (!(what)) {                                           \
            say("line %d: not so: %s (errno %d)", __LINE__, #what, errno); \
            failures++;                                          \
        }                                                        \
    } while (0)

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) step();
}

/* No descriptor is free any more; those that are open stay. */
static struct rlimit no_descriptors(void) {
    struct rlimit before, now;
    int next = dup(0);

    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    now = before;
    now.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &now);
    return before;
}

/* Threads of a user who may not have any: root may always. */
static void no_threads(const char *server) {
    struct rlimit none = {0, 0};
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        zhandle_t *zh;

        if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(2);
        errno = 0;
        zh = zookeeper_init(server, watcher, 10000, NULL, NULL, 0);
        _exit(zh == NULL && errno == EAGAIN ? 0 : 1);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
    struct rlimit before;
    zhandle_t *first, *second;
    struct Stat stat;

    if (argc != 2) return 2;
    zoo_set_debug_level(0);
    no_threads(argv[1]);
    before = no_descriptors();
    errno = 0;
    first = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    CHECK(first == NULL && errno == EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    first = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    CHECK(first != NULL);
    await(1);
    CHECK(zoo_exists(first, "/", 0, &stat) == ZOK);
    /* A second handle needs one more: it waits for it, and the first one goes on. */
    before = no_descriptors();
    second = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    CHECK(second != NULL);
    usleep(700000);
    CHECK(zoo_state(second) != ZOO_CONNECTED_STATE);
    CHECK(zoo_exists(first, "/", 0, &stat) == ZOK);
    setrlimit(RLIMIT_NOFILE, &before);
    await(1);
    CHECK(zoo_exists(second, "/", 0, &stat) == ZOK);
    CHECK(zookeeper_close(second) == ZOK);
    CHECK(zookeeper_close(first) == ZOK);
    say("%d failures", failures);
    return failures != 0;
}
