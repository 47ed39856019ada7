/* Many handles: two threads in all, and little memory for each. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <dirent.h>
#include <unistd.h>

static int threads(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  while (readdir(dir)) count++;
  closedir(dir);
  return count - 2; /* . and .. */
}

static long resident_kb(void) {
  long pages = 0, unused = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%ld %ld", &unused, &pages) == 2);
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void told(const zkc_event_t *event, void *data) {
  if (event->kind == ZKC_EVENT_CHANGED) __atomic_add_fetch((int *)data, 1, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  int count = atoi(argv[2]), events = 0;
  zkc_client_t **clients = calloc((size_t)count, sizeof *clients);
  zkc_client_t *first = connect_to(argv[1]);
  OK(zkc_create(first, "/h", NULL, 0, NULL, 0, ZKC_PERSISTENT, 0, NULL, NULL));
  long before = resident_kb();
  zkc_options_t options = options_for(argv[1]);
  for (int i = 0; i < count; i++) OK(zkc_open(&options, &clients[i]));
  for (int i = 0; i < count; i++) OK(zkc_wait_connected(clients[i], 60000));
  for (int i = 0; i < count; i++) {
    zkc_call_t call;
    OK(zkc_call_init(&call, sizeof call));
    call.watcher = told;
    call.watcher_data = &events;
    OK(zkc_get(clients[i], "/h", &call, NULL));
  }
  long each = (resident_kb() - before) / count;
  OK(zkc_set(first, "/h", "x", 1, -1, NULL, NULL));
  for (int i = 0; i < count; i++) OK(zkc_sync(clients[i], "/", NULL, NULL));
  int all = threads();
  for (int i = 0; i < count; i++) OK(zkc_close(clients[i]));
  OK(zkc_close(first));
  CHECK(__atomic_load_n(&events, __ATOMIC_SEQ_CST) == count);
  CHECK(all <= 3); /* the caller's and two of the library */
  CHECK(each <= 64);
  printf("done: %d handles, %d threads, %ld KiB each\n", count, all, each);
  free(clients);
  return 0;
}
