/* Every call once, blocking, and what its result says. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <time.h>

static void on_event(const zkc_event_t *event, void *data) {
  int *count = data;
  CHECK(event->size >= sizeof *event);
  if (event->kind != ZKC_EVENT_SESSION) {
    CHECK(event->path[0] == '/');
    __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
  }
}

static void wait_for(int *count, int want) {
  const struct timespec pause = {0, 1000000};
  for (int i = 0; i < 20000 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < want; i++) {
    nanosleep(&pause, NULL);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  zkc_client_t *client = connect_to(argv[1]);
  zkc_result_t *result = NULL;
  size_t length = 99;

  OK(zkc_create(client, "/c", "data", 4, NULL, 0, ZKC_PERSISTENT, 0, NULL, &result));
  CHECK(strcmp(zkc_result_path(result), "/c") == 0);
  CHECK(zkc_result_stat(result)->data_length == 4);
  zkc_result_free(result);
  OK(zkc_create(client, "/c/s-", NULL, 0, NULL, 0, ZKC_EPHEMERAL_SEQUENTIAL, 0, NULL, &result));
  CHECK(strcmp(zkc_result_path(result), "/c/s-0000000000") == 0);
  zkc_result_free(result);
  OK(zkc_create(client, "/c/ttl", "", 0, NULL, 0, ZKC_TTL, 60000, NULL, NULL));
  OK(zkc_create(client, "/c/box", "", 0, NULL, 0, ZKC_CONTAINER, 0, NULL, NULL));

  OK(zkc_get(client, "/c", NULL, &result));
  CHECK(memcmp(zkc_result_data(result, &length), "data", 4) == 0 && length == 4);
  zkc_result_free(result);
  OK(zkc_get(client, "/c/s-0000000000", NULL, &result));
  CHECK(zkc_result_data(result, &length) == NULL && length == 0); /* null data */
  zkc_result_free(result);
  OK(zkc_get(client, "/c/ttl", NULL, &result));
  CHECK(zkc_result_data(result, &length) != NULL && length == 0); /* empty data */
  zkc_result_free(result);

  CODE(ZKC_NO_NODE, zkc_get(client, "/none", NULL, &result));
  CHECK(zkc_result_code(result) == ZKC_NO_NODE && zkc_result_stat(result) == NULL);
  CHECK(strstr(zkc_result_message(result), "NONODE") != NULL);
  CHECK(zkc_result_maybe_executed(result) == 0);
  zkc_result_free(result);

  OK(zkc_set(client, "/c", "new", 3, 0, NULL, &result));
  CHECK(zkc_result_stat(result)->version == 1);
  zkc_result_free(result);
  CODE(ZKC_BAD_VERSION, zkc_set(client, "/c", "new", 3, 0, NULL, NULL));
  OK(zkc_exists(client, "/c", NULL, NULL));

  OK(zkc_children(client, "/c", NULL, &result));
  CHECK(zkc_result_count(result) == 3 && zkc_result_string(result, 3) == NULL);
  zkc_result_free(result);
  OK(zkc_ephemerals(client, "/", NULL, &result));
  CHECK(strcmp(zkc_result_string(result, 0), "/c/s-0000000000") == 0);
  zkc_result_free(result);
  OK(zkc_all_children_number(client, "/c", NULL, &result));
  CHECK(zkc_result_number(result) == 3);
  zkc_result_free(result);

  OK(zkc_add_auth(client, "digest", "ann:pw", 6, NULL, NULL));
  OK(zkc_who_am_i(client, NULL, &result));
  CHECK(zkc_result_count(result) == 2);
  zkc_result_free(result);
  zkc_acl_t acl[] = {{ZKC_PERM_ALL, "auth", ""}};
  OK(zkc_set_acl(client, "/c/box", acl, 1, 0, NULL, NULL));
  OK(zkc_get_acl(client, "/c/box", NULL, &result));
  zkc_acl_t entry;
  OK(zkc_result_acl(result, 0, &entry));
  CHECK(entry.perms == ZKC_PERM_ALL && strcmp(entry.scheme, "digest") == 0);
  CODE(ZKC_BAD_ARGUMENTS, zkc_result_acl(result, 1, &entry));
  zkc_result_free(result);

  zkc_op_t ops[3];
  memset(ops, 0, sizeof ops);
  ops[0].op = ZKC_OP_CREATE;
  ops[0].path = "/m";
  ops[1].op = ZKC_OP_SET;
  ops[1].path = "/m";
  ops[1].data = "x";
  ops[1].length = 1;
  ops[2].op = ZKC_OP_CHECK;
  ops[2].path = "/m";
  ops[2].version = 1;
  OK(zkc_multi(client, ops, 3, NULL, &result));
  CHECK(strcmp(zkc_result_path(zkc_result_item(result, 0)), "/m") == 0);
  CHECK(zkc_result_stat(zkc_result_item(result, 1))->version == 1);
  CHECK(zkc_result_item(result, 3) == NULL);
  zkc_result_free(result);
  CODE(ZKC_NODE_EXISTS, zkc_multi(client, ops, 3, NULL, &result));
  CHECK(zkc_result_code(zkc_result_item(result, 1)) == ZKC_RUNTIME_INCONSISTENCY);
  zkc_result_free(result);
  OK(zkc_multi(client, NULL, 0, NULL, NULL));
  ops[0].op = ZKC_OP_GET;
  ops[1].op = ZKC_OP_CHILDREN;
  OK(zkc_multi_read(client, ops, 2, NULL, &result));
  CHECK(memcmp(zkc_result_data(zkc_result_item(result, 0), &length), "x", 1) == 0);
  zkc_result_free(result);

  int events = 0;
  zkc_call_t call;
  OK(zkc_call_init(&call, sizeof call));
  call.watcher = on_event;
  call.watcher_data = &events;
  OK(zkc_add_watch(client, "/m", ZKC_WATCH_RECURSIVE, &call, NULL));
  OK(zkc_check_watches(client, "/m", ZKC_WATCHES_RECURSIVE, NULL, NULL));
  OK(zkc_set(client, "/m", "y", 1, -1, NULL, NULL));
  OK(zkc_sync(client, "/m", NULL, NULL));
  OK(zkc_create(client, "/m/n", NULL, 0, NULL, 0, ZKC_PERSISTENT, 0, NULL, NULL));
  wait_for(&events, 2);
  CHECK(__atomic_load_n(&events, __ATOMIC_SEQ_CST) == 2);
  OK(zkc_remove_watches(client, "/m", ZKC_WATCHES_RECURSIVE, NULL, NULL));
  CODE(ZKC_NO_WATCHER, zkc_remove_watches(client, "/m", ZKC_WATCHES_ANY, NULL, NULL));
  OK(zkc_delete(client, "/m/n", 0, NULL, NULL));

  int64_t id = 0, value = 0;
  unsigned char password[16];
  int32_t timeout_ms = 0;
  char server[64];
  OK(zkc_session(client, &id, password, &timeout_ms));
  CHECK(id != 0 && timeout_ms == 30000 && zkc_state(client) == ZKC_STATE_CONNECTED);
  OK(zkc_server(client, server, sizeof server));
  CHECK(strcmp(server, argv[1]) == 0 && zkc_outstanding(client) == 0);
  OK(zkc_set_servers(client, argv[1]));

  zkc_held_t *held = NULL, *second = NULL;
  OK(zkc_lock(client, "/locks/a", -1, &held));
  CODE(ZKC_NOTHING, zkc_lock(client, "/locks/a", 0, &second));
  CHECK(second == NULL && zkc_held_token(held) > 0 && zkc_held_state(held) == ZKC_HELD);
  OK(zkc_release(held));
  OK(zkc_read_lock(client, "/locks/rw", 0, &held));
  OK(zkc_read_lock(client, "/locks/rw", 0, &second));
  OK(zkc_release(held));
  OK(zkc_release(second));
  OK(zkc_write_lock(client, "/locks/rw", 1000, &held));
  OK(zkc_release(held));
  OK(zkc_semaphore(client, "/locks/s", 1, 0, &held));
  OK(zkc_release(held));
  OK(zkc_elect(client, "/locks/e", "me", 2, 0, &held));
  OK(zkc_leader(client, "/locks/e", &result));
  CHECK(memcmp(zkc_result_data(result, &length), "me", 2) == 0 && length == 2);
  zkc_result_free(result);
  OK(zkc_release(held));
  OK(zkc_queue_put(client, "/q", "item", 4, 100));
  OK(zkc_queue_put(client, "/q", "late", 4, 900));
  OK(zkc_queue_take(client, "/q", 0, &result));
  CHECK(memcmp(zkc_result_data(result, &length), "item", 4) == 0);
  zkc_result_free(result);
  zkc_claim_t *claim = NULL;
  OK(zkc_queue_claim(client, "/q", 0, &claim));
  CHECK(memcmp(zkc_claim_data(claim, &length), "late", 4) == 0 && zkc_claim_token(claim) > 0);
  OK(zkc_claim_done(claim));
  CODE(ZKC_NOTHING, zkc_queue_take(client, "/q", 0, &result));
  OK(zkc_counter_add(client, "/n", 5, &value));
  OK(zkc_counter_add(client, "/n", 0, &value));
  CHECK(value == 5);
  OK(zkc_barrier_set(client, "/b"));
  CODE(ZKC_NOTHING, zkc_barrier_wait(client, "/b", 0));
  OK(zkc_barrier_remove(client, "/b"));
  OK(zkc_barrier_wait(client, "/b", -1));
  zkc_double_barrier_t *barrier = NULL;
  OK(zkc_double_barrier_enter(client, "/db", 1, 1000, &barrier));
  OK(zkc_double_barrier_leave(barrier, 1000));
  zkc_double_barrier_free(barrier);
  zkc_cache_t *cache = NULL;
  OK(zkc_cache_open(client, "/c", NULL, NULL, NULL, &cache));
  OK(zkc_cache_wait(cache, 10000));
  OK(zkc_cache_get(cache, "/c", &result));
  CHECK(zkc_result_count(result) == 3);
  zkc_result_free(result);
  CODE(ZKC_NO_NODE, zkc_cache_get(cache, "/none", &result));
  zkc_cache_free(cache);

  OK(zkc_close(client));
  CODE(ZKC_CLOSING, zkc_close(client));
  puts("done");
  return 0;
}
