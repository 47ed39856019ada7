/* A lock with its fencing token: run it twice at once and see one wait for the other.
 *
 *   cc lock.c $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
 */
#include <stdio.h>
#include <zkclient.h>

int main(int argc, char **argv) {
  zkc_options_t options;
  zkc_client_t *client = NULL;
  zkc_held_t *held = NULL;
  int code;

  zkc_options_init(&options, sizeof options);
  options.servers = argc > 1 ? argv[1] : "localhost:2181";
  if ((code = zkc_connect(&options, &client)) != ZKC_OK) {
    fprintf(stderr, "no session: %s\n", zkc_strerror(code));
    return 1;
  }
  code = zkc_lock(client, "/examples/lock", 30000, &held);
  if (code == ZKC_OK) {
    /* Give the token to the resource with each request: it refuses a smaller one. */
    printf("held, token %lld\n", (long long)zkc_held_token(held));
    if (zkc_held_state(held) == ZKC_HELD) printf("working\n");
    code = zkc_release(held);
  } else {
    fprintf(stderr, "no lock: %s\n", zkc_strerror(code));
  }
  zkc_close(client);
  if (code == ZKC_OK) puts("done");
  return code != ZKC_OK;
}
