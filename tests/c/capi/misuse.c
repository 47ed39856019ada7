/* Every pointer NULL, every number that means nothing, every handle that is closed: a code each. */
#include "common.h"

#include <stdint.h>

static int dropped;
static int called;

static void drop(void *data) {
  (void)data;
  __atomic_add_fetch(&dropped, 1, __ATOMIC_SEQ_CST);
}
static void done(const zkc_result_t *result, void *data) {
  (void)result;
  (void)data;
  __atomic_add_fetch(&called, 1, __ATOMIC_SEQ_CST);
}
static void told(const zkc_event_t *event, void *data) {
  (void)event;
  (void)data;
}

static int lines;

static void line(int32_t level, const char *part, const char *text, void *data) {
  CHECK(level >= ZKC_LOG_ERROR && level <= ZKC_LOG_DEBUG && part[0] != 0 && text[0] != 0);
  CHECK(data == &lines);
  __atomic_add_fetch(&lines, 1, __ATOMIC_SEQ_CST);
}

/* Who hears the log, and that it says something of what fails. */
static void logs(void) {
  zkc_client_t *client = NULL;
  zkc_options_t o = options_for("a:0");
  dropped = 0;
  CODE(ZKC_BAD_ARGUMENTS, zkc_set_log(9, line, &lines, drop));
  CHECK(dropped == 1);
  OK(zkc_set_log(ZKC_LOG_DEBUG, line, &lines, drop));
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
  CHECK(lines == 1 && dropped == 1);
  OK(zkc_set_log(ZKC_LOG_OFF, NULL, NULL, NULL));
  CHECK(dropped == 2);
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
  CHECK(lines == 1);
}

/* Each call with a handle that cannot be used. */
static void unusable(zkc_client_t *client, int want) {
  zkc_result_t *result = (zkc_result_t *)1;
  int64_t number;
  int32_t fd;
  char text[64];
  zkc_op_t op;
  zkc_held_t *held = NULL;
  zkc_claim_t *claim = NULL;
  zkc_cache_t *cache = NULL;
  zkc_double_barrier_t *barrier = NULL;
  memset(&op, 0, sizeof op);
  CODE(want, zkc_create(client, "/a", NULL, 0, NULL, 0, 0, 0, NULL, &result));
  CHECK(zkc_result_code(result) == want && zkc_result_message(result)[0] != 0);
  zkc_result_free(result);
  CODE(want, zkc_delete(client, "/a", -1, NULL, NULL));
  CODE(want, zkc_exists(client, "/a", NULL, NULL));
  CODE(want, zkc_get(client, "/a", NULL, NULL));
  CODE(want, zkc_set(client, "/a", NULL, 0, -1, NULL, NULL));
  CODE(want, zkc_children(client, "/a", NULL, NULL));
  CODE(want, zkc_get_acl(client, "/a", NULL, NULL));
  CODE(want, zkc_set_acl(client, "/a", NULL, 0, -1, NULL, NULL));
  CODE(want, zkc_sync(client, "/a", NULL, NULL));
  CODE(want, zkc_ephemerals(client, "/a", NULL, NULL));
  CODE(want, zkc_all_children_number(client, "/a", NULL, NULL));
  CODE(want, zkc_who_am_i(client, NULL, NULL));
  CODE(want, zkc_get_config(client, NULL, NULL));
  CODE(want, zkc_reconfig(client, NULL, NULL, NULL, -1, NULL, NULL));
  CODE(want, zkc_add_auth(client, "digest", "a:b", 3, NULL, NULL));
  CODE(want, zkc_multi(client, &op, 1, NULL, NULL));
  CODE(want, zkc_multi_read(client, &op, 1, NULL, NULL));
  CODE(want, zkc_add_watch(client, "/a", 0, NULL, NULL));
  CODE(want, zkc_remove_watches(client, "/a", 3, NULL, NULL));
  CODE(want, zkc_check_watches(client, "/a", 3, NULL, NULL));
  CODE(want, zkc_cancel(client, 1));
  CODE(want, zkc_close(client));
  CODE(want, zkc_wait_connected(client, 1));
  CODE(want, zkc_session(client, &number, NULL, NULL));
  CODE(want, zkc_server(client, text, sizeof text));
  CODE(want, zkc_set_servers(client, "a:1"));
  CODE(want, zkc_fd(client, &fd));
  CODE(want, zkc_wait_ms(client, &number));
  CODE(want, zkc_process(client, 0));
  CODE(want, zkc_lock(client, "/a", 0, &held));
  CODE(want, zkc_read_lock(client, "/a", 0, &held));
  CODE(want, zkc_write_lock(client, "/a", 0, &held));
  CODE(want, zkc_semaphore(client, "/a", 1, 0, &held));
  CODE(want, zkc_elect(client, "/a", "x", 1, 0, &held));
  CODE(want, zkc_leader(client, "/a", &result));
  CODE(want, zkc_queue_put(client, "/a", "x", 1, 1));
  CODE(want, zkc_queue_take(client, "/a", 0, &result));
  CODE(want, zkc_queue_claim(client, "/a", 0, &claim));
  CODE(want, zkc_counter_add(client, "/a", 1, &number));
  CODE(want, zkc_barrier_set(client, "/a"));
  CODE(want, zkc_barrier_remove(client, "/a"));
  CODE(want, zkc_barrier_wait(client, "/a", 0));
  CODE(want, zkc_double_barrier_enter(client, "/a", 1, 0, &barrier));
  CODE(want, zkc_cache_open(client, "/a", NULL, NULL, drop, &cache));
  CHECK(held == NULL && claim == NULL && cache == NULL && barrier == NULL);
  CHECK(zkc_state(client) == ZKC_STATE_CLOSED && zkc_outstanding(client) == 0);
}

/* Accessors and ends of things that are not there. */
static void nothing(void) {
  size_t length = 7;
  zkc_acl_t acl;
  CODE(ZKC_BAD_ARGUMENTS, zkc_result_code(NULL));
  CHECK(zkc_result_message(NULL) != NULL && zkc_result_path(NULL) == NULL);
  CHECK(zkc_result_data(NULL, &length) == NULL && length == 0 && zkc_result_stat(NULL) == NULL);
  CHECK(zkc_result_count(NULL) == 0 && zkc_result_string(NULL, 0) == NULL);
  CHECK(zkc_result_number(NULL) == 0 && zkc_result_item(NULL, 0) == NULL);
  CHECK(zkc_result_maybe_executed(NULL) == 0);
  CODE(ZKC_BAD_ARGUMENTS, zkc_result_acl(NULL, 0, &acl));
  zkc_result_free(NULL);
  CODE(ZKC_BAD_ARGUMENTS, zkc_release(NULL));
  CHECK(zkc_held_token(NULL) == 0 && zkc_held_state(NULL) == ZKC_LOST);
  CODE(ZKC_BAD_ARGUMENTS, zkc_claim_done(NULL));
  zkc_claim_drop(NULL);
  CHECK(zkc_claim_data(NULL, NULL) == NULL && zkc_claim_token(NULL) == 0);
  CODE(ZKC_BAD_ARGUMENTS, zkc_double_barrier_leave(NULL, 0));
  zkc_double_barrier_free(NULL);
  CODE(ZKC_BAD_ARGUMENTS, zkc_cache_wait(NULL, 0));
  CODE(ZKC_BAD_ARGUMENTS, zkc_cache_get(NULL, "/a", NULL));
  zkc_cache_free(NULL);
  for (int code = -200; code < 200; code++) CHECK(zkc_strerror(code)[0] != 0);
  CHECK(zkc_strerror(INT32_MIN)[0] != 0 && zkc_version()[0] != 0);
}

static void options(const char *servers) {
  zkc_client_t *client = (zkc_client_t *)1;
  zkc_options_t o;
  CODE(ZKC_BAD_ARGUMENTS, zkc_options_init(NULL, sizeof o));
  CODE(ZKC_BAD_ARGUMENTS, zkc_options_init(&o, 3));
  o = options_for(servers);
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, NULL));
  o.size = 0;
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
  CHECK(client == NULL);
  const char *bad[] = {"", "a:0", "a:x", "a:1/b/", ":1", "[::1", "\xff:1"};
  dropped = 0;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    o = options_for(bad[i]);
    o.drop = drop;
    CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
    CHECK(client == NULL && dropped == (int)i + 1);
  }
  o = options_for(servers);
  o.flags = 1u << 30;
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
  o.flags = ZKC_OPEN_LOOP;
  CODE(ZKC_BAD_ARGUMENTS, zkc_connect(&o, &client));
  o = options_for(servers);
  o.session_timeout_ms = 0;
  CODE(ZKC_BAD_ARGUMENTS, zkc_open(&o, &client));
  /* A caller that was built for a library with fewer options. */
  o = options_for(servers);
  o.size = offsetof(zkc_options_t, call_timeout_ms);
  OK(zkc_open(&o, &client));
  OK(zkc_close(client));
}

static void arguments(zkc_client_t *client) {
  zkc_call_t call;
  zkc_acl_t acl[] = {{ZKC_PERM_ALL, NULL, "x"}};
  zkc_op_t op;
  zkc_held_t *held;
  int64_t number;
  CODE(ZKC_BAD_ARGUMENTS, zkc_call_init(NULL, sizeof call));
  const char *paths[] = {NULL, "", "a", "/a/", "//", "/a/./b", "/\x01", "/\xff"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    const char *path = paths[i];
    CODE(ZKC_BAD_ARGUMENTS, zkc_get(client, path, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_delete(client, path, -1, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_exists(client, path, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_children(client, path, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_sync(client, path, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_set(client, path, "x", 1, -1, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, path, "x", 1, NULL, 0, 0, 0, NULL, NULL));
    CODE(ZKC_BAD_ARGUMENTS, zkc_remove_watches(client, path, 3, NULL, NULL));
    memset(&op, 0, sizeof op);
    op.op = ZKC_OP_DELETE;
    op.path = path;
    CODE(ZKC_BAD_ARGUMENTS, zkc_multi(client, &op, 1, NULL, NULL));
    op.op = ZKC_OP_GET;
    CODE(ZKC_BAD_ARGUMENTS, zkc_multi_read(client, &op, 1, NULL, NULL));
  }
  CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", NULL, 5, NULL, 0, 0, 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "x", SIZE_MAX, NULL, 0, 0, 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_set(client, "/a", "x", (size_t)1 << 31, -1, NULL, NULL));
  for (int mode = -3; mode < 12; mode++) {
    int ttl = mode == ZKC_TTL || mode == ZKC_TTL_SEQUENTIAL;
    if (mode < 0 || mode > 6 || ttl) {
      CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "", 0, NULL, 0, mode, 0, NULL, NULL));
    }
    if (!ttl) {
      CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "", 0, NULL, 0, mode, 5, NULL, NULL));
    }
    CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "", 0, NULL, 0, mode, -5, NULL, NULL));
  }
  CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "", 0, acl, 1, 0, 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_create(client, "/a", "", 0, NULL, 2, 0, 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_set_acl(client, "/", acl, 0, 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_multi(client, NULL, 3, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_multi(client, &op, SIZE_MAX, NULL, NULL));
  op.op = 77;
  op.path = "/a";
  CODE(ZKC_BAD_ARGUMENTS, zkc_multi(client, &op, 1, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_add_auth(client, NULL, "x", 1, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_add_watch(client, "/", 0, NULL, NULL)); /* nobody to tell */
  CODE(ZKC_BAD_ARGUMENTS, zkc_remove_watches(client, "/", 9, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_check_watches(client, "/", 0, NULL, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_set_servers(client, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_set_servers(client, "a:1/b"));
  CODE(ZKC_BAD_ARGUMENTS, zkc_server(client, NULL, 64));
  CODE(ZKC_INVALID_STATE, zkc_process(client, 0));
  CODE(ZKC_INVALID_STATE, zkc_wait_ms(client, &number));
  CODE(ZKC_BAD_ARGUMENTS, zkc_lock(client, "/l", 0, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_lock(client, "/l", -2, &held));
  CODE(ZKC_BAD_ARGUMENTS, zkc_lock(client, "l", 0, &held));
  CODE(ZKC_BAD_ARGUMENTS, zkc_semaphore(client, "/l", 0, 0, &held));
  CODE(ZKC_BAD_ARGUMENTS, zkc_queue_put(client, "/l", "x", 1, 1000));
  CODE(ZKC_NOTHING, zkc_cancel(client, 123456));
  OK(zkc_session(client, NULL, NULL, NULL));

  /* What a call takes it drops, also when it fails; and it calls nobody then. */
  OK(zkc_call_init(&call, sizeof call));
  call.completion = done;
  call.drop = drop;
  call.watcher = told;
  call.watcher_drop = drop;
  dropped = called = 0;
  CODE(ZKC_BAD_ARGUMENTS, zkc_get(client, "bad", &call, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_get(NULL, "/", &call, NULL));
  CODE(ZKC_BAD_ARGUMENTS, zkc_delete(client, "/a", -1, &call, NULL)); /* leaves no watch */
  CODE(ZKC_BAD_ARGUMENTS, zkc_add_auth(client, "digest", "x", 1, &call, NULL));
  CHECK(dropped == 8 && called == 0);
  call.size = 1;
  CODE(ZKC_BAD_ARGUMENTS, zkc_get(client, "/", &call, NULL));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  unusable(NULL, ZKC_BAD_ARGUMENTS);
  unusable((zkc_client_t *)(uintptr_t)0x7777, ZKC_CLOSING);
  nothing();
  logs();
  options(argv[1]);
  zkc_client_t *client = connect_to(argv[1]);
  arguments(client);
  OK(zkc_close(client));
  unusable(client, ZKC_CLOSING);
  puts("done");
  return 0;
}
