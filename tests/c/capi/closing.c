/* Closing inside completions and watchers, with calls under way, and by several threads at once. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <time.h>

static int answered, closed_inside, dropped;

static void pause_ms(long ms) {
  const struct timespec time = {0, ms * 1000000};
  nanosleep(&time, NULL);
}

static void drop(void *data) {
  (void)data;
  __atomic_add_fetch(&dropped, 1, __ATOMIC_SEQ_CST);
}

static void done(const zkc_result_t *result, void *data) {
  (void)data;
  int code = zkc_result_code(result);
  CHECK(code == ZKC_OK || code == ZKC_CLOSING || code == ZKC_CONNECTION_LOSS);
  __atomic_add_fetch(&answered, 1, __ATOMIC_SEQ_CST);
}

static void close_it(const zkc_result_t *result, void *data) {
  OK(zkc_result_code(result));
  CODE(ZKC_API_ERROR, zkc_sync(data, "/", NULL, NULL)); /* it would hold up all others */
  OK(zkc_close(data));
  CODE(ZKC_CLOSING, zkc_close(data));
  __atomic_add_fetch(&closed_inside, 1, __ATOMIC_SEQ_CST);
}

static void close_on_event(const zkc_event_t *event, void *data) {
  if (event->kind == ZKC_EVENT_CREATED) {
    OK(zkc_close(data));
    __atomic_add_fetch(&closed_inside, 1, __ATOMIC_SEQ_CST);
  }
}

static void *close_too(void *client) {
  int code = zkc_close(client);
  CHECK(code == ZKC_OK || code == ZKC_CLOSING);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  zkc_call_t call;
  OK(zkc_call_init(&call, sizeof call));

  /* Inside a completion. */
  zkc_client_t *client = connect_to(argv[1]);
  call.completion = close_it;
  call.user_data = client;
  call.drop = drop;
  OK(zkc_sync(client, "/", &call, NULL));
  for (int i = 0; i < 20000 && zkc_state(client) != ZKC_STATE_CLOSED; i++) pause_ms(1);
  for (int i = 0; i < 20000 && __atomic_load_n(&dropped, __ATOMIC_SEQ_CST) < 1; i++) pause_ms(1);
  CHECK(__atomic_load_n(&closed_inside, __ATOMIC_SEQ_CST) == 1 && dropped == 1);

  /* Inside a watcher, while another handle goes on. */
  client = connect_to(argv[1]);
  zkc_client_t *other = connect_to(argv[1]);
  OK(zkc_call_init(&call, sizeof call));
  call.watcher = close_on_event;
  call.watcher_data = client;
  call.watcher_drop = drop;
  CODE(ZKC_NO_NODE, zkc_exists(client, "/closing", &call, NULL));
  OK(zkc_create(other, "/closing", NULL, 0, NULL, 0, ZKC_EPHEMERAL, 0, NULL, NULL));
  for (int i = 0; i < 20000 && __atomic_load_n(&dropped, __ATOMIC_SEQ_CST) < 2; i++) pause_ms(1);
  CHECK(__atomic_load_n(&closed_inside, __ATOMIC_SEQ_CST) == 2 && dropped == 2);
  OK(zkc_sync(other, "/", NULL, NULL));

  /* With a thousand calls under way: each is answered, before the close returns. */
  OK(zkc_call_init(&call, sizeof call));
  call.completion = done;
  call.drop = drop;
  for (int round = 0; round < 10; round++) {
    zkc_options_t options = options_for(argv[1]);
    if (round % 2) OK(zkc_connect(&options, &client));
    else OK(zkc_open(&options, &client)); /* not even connected */
    answered = dropped = 0;
    for (int i = 0; i < 1000; i++) OK(zkc_exists(client, "/", &call, NULL));
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, close_too, client));
    int code = zkc_close(client);
    CHECK(code == ZKC_OK || code == ZKC_CLOSING);
    CHECK(!pthread_join(thread, NULL));
    CHECK(__atomic_load_n(&answered, __ATOMIC_SEQ_CST) == 1000);
    CHECK(__atomic_load_n(&dropped, __ATOMIC_SEQ_CST) == 1000);
  }
  OK(zkc_close(other));
  puts("done");
  return 0;
}
