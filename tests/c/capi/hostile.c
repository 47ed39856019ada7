/* Calls to a server that may do anything: each gets one answer, in its time, and nothing crashes. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

static int answered, dropped;

static void done(const zkc_result_t *result, void *data) {
  (void)data;
  (void)zkc_result_code(result);
  CHECK(zkc_result_message(result) != NULL);
  __atomic_add_fetch(&answered, 1, __ATOMIC_SEQ_CST);
}

static void drop(void *data) {
  free(data);
  __atomic_add_fetch(&dropped, 1, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  int rounds = atoi(argv[2]), asked = 0;
  zkc_options_t options = options_for(argv[1]);
  options.session_timeout_ms = 400;
  options.call_timeout_ms = 300;
  options.flags = ZKC_OPEN_RECREATE;
  for (int round = 0; round < rounds; round++) {
    zkc_client_t *client = NULL;
    zkc_result_t *result = NULL;
    OK(zkc_open(&options, &client));
    for (int i = 0; i < 20; i++) {
      zkc_call_t call;
      OK(zkc_call_init(&call, sizeof call));
      call.completion = done;
      call.user_data = malloc(8);
      call.drop = drop;
      asked += zkc_get(client, "/a", &call, NULL) == ZKC_OK;
    }
    (void)zkc_children(client, "/a", NULL, &result);
    CHECK(result != NULL);
    zkc_result_free(result);
    int code = zkc_close(client);
    CHECK(code == ZKC_OK || code == ZKC_CLOSING);
  }
  CHECK(__atomic_load_n(&answered, __ATOMIC_SEQ_CST) == asked);
  CHECK(__atomic_load_n(&dropped, __ATOMIC_SEQ_CST) == rounds * 20);
  puts("done");
  return 0;
}
