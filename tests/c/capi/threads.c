/* Sixteen threads on one handle and on handles of their own, with completions and without. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>

enum { THREADS = 16, ROUNDS = 100 };

static zkc_client_t *shared;
static const char *servers;
static int answered, dropped;

static void done(const zkc_result_t *result, void *data) {
  OK(zkc_result_code(result));
  CHECK(*(int *)data >= 0);
  __atomic_add_fetch(&answered, 1, __ATOMIC_SEQ_CST);
}

static void drop(void *data) {
  free(data);
  __atomic_add_fetch(&dropped, 1, __ATOMIC_SEQ_CST);
}

static void *work(void *argument) {
  int number = (int)(long)argument;
  char path[64], text[64];
  zkc_client_t *own = number % 2 ? connect_to(servers) : shared;
  snprintf(path, sizeof path, "/t%d", number);
  OK(zkc_create(own, path, "", 0, NULL, 0, ZKC_PERSISTENT, 0, NULL, NULL));
  for (int round = 0; round < ROUNDS; round++) {
    zkc_call_t call;
    zkc_result_t *result;
    size_t length;
    int *data = malloc(sizeof *data);
    *data = round;
    OK(zkc_call_init(&call, sizeof call));
    call.completion = done;
    call.user_data = data;
    call.drop = drop;
    snprintf(text, sizeof text, "%d-%d", number, round);
    OK(zkc_set(own, path, text, strlen(text), -1, &call, NULL));
    OK(zkc_get(own, path, NULL, &result));
    const void *read = zkc_result_data(result, &length);
    CHECK(length == strlen(text) && memcmp(read, text, length) == 0);
    zkc_result_free(result);
  }
  if (own != shared) OK(zkc_close(own));
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  servers = argv[1];
  shared = connect_to(servers);
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) CHECK(!pthread_create(&threads[i], NULL, work, (void *)i));
  for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
  OK(zkc_close(shared));
  /* A close waits for every callback of its handle. */
  CHECK(answered == THREADS * ROUNDS && dropped == answered);
  puts("done");
  return 0;
}
