/* One handle in the caller's own poll loop: no thread of the library, callbacks in this one. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>

enum { CALLS = 200 };

static pthread_t own;
static int answered, events;

static void done(const zkc_result_t *result, void *data) {
  (void)data;
  OK(zkc_result_code(result));
  CHECK(pthread_equal(pthread_self(), own));
  answered++;
}

static void told(const zkc_event_t *event, void *data) {
  CHECK(pthread_equal(pthread_self(), own));
  if (event->kind == ZKC_EVENT_CREATED) {
    CODE(ZKC_API_ERROR, zkc_process(*(zkc_client_t **)data, 0));
    events++;
  }
}

static int threads(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  while (readdir(dir)) count++;
  closedir(dir);
  return count - 2;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  own = pthread_self();
  zkc_options_t options = options_for(argv[1]);
  options.flags = ZKC_OPEN_LOOP;
  zkc_client_t *client = NULL;
  int32_t fd = -1;
  int64_t wait_ms = 0;
  OK(zkc_open(&options, &client));
  OK(zkc_fd(client, &fd));
  CODE(ZKC_API_ERROR, zkc_sync(client, "/", NULL, NULL)); /* nobody would turn the loop */
  zkc_call_t call;
  OK(zkc_call_init(&call, sizeof call));
  call.completion = done;
  call.watcher = told;
  call.watcher_data = &client;
  OK(zkc_add_watch(client, "/", ZKC_WATCH_RECURSIVE, &call, NULL));
  call.watcher = NULL;
  for (int i = 0; i < CALLS; i++) {
    char path[32];
    snprintf(path, sizeof path, "/loop%d", i);
    OK(zkc_create(client, path, "x", 1, NULL, 0, ZKC_EPHEMERAL, 0, &call, NULL));
  }
  while (answered < CALLS + 1 || events < CALLS) {
    OK(zkc_wait_ms(client, &wait_ms));
    struct pollfd waiting = {fd, POLLIN, 0};
    CHECK(poll(&waiting, 1, wait_ms > 20000 || wait_ms < 0 ? 20000 : (int)wait_ms) >= 0);
    OK(zkc_process(client, 0));
  }
  CHECK(threads() == 1);
  OK(zkc_close(client));
  CODE(ZKC_CLOSING, zkc_process(client, 0));
  puts("done");
  return 0;
}
