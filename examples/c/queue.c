/* A queue: items are claimed, worked on and done; what a dead worker had claimed goes to another.
 *
 *   cc queue.c $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
 */
#include <stdio.h>
#include <string.h>
#include <zkclient.h>

int main(int argc, char **argv) {
  static const char *const jobs[] = {"first", "second", "third"};
  zkc_options_t options;
  zkc_client_t *client = NULL;
  zkc_claim_t *claim = NULL;
  int code;

  zkc_options_init(&options, sizeof options);
  options.servers = argc > 1 ? argv[1] : "localhost:2181";
  if ((code = zkc_connect(&options, &client)) != ZKC_OK) {
    fprintf(stderr, "no session: %s\n", zkc_strerror(code));
    return 1;
  }
  for (size_t i = 0; i < sizeof jobs / sizeof *jobs && code == ZKC_OK; i++) {
    code = zkc_queue_put(client, "/examples/queue", jobs[i], strlen(jobs[i]), 100);
  }
  /* -1 would wait for the next item for ever. */
  while (code == ZKC_OK &&
         (code = zkc_queue_claim(client, "/examples/queue", 100, &claim)) == ZKC_OK) {
    size_t length;
    const char *data = zkc_claim_data(claim, &length);
    printf("working on %.*s, token %lld\n", (int)length, data,
           (long long)zkc_claim_token(claim));
    /* ZKC_NO_NODE: the session had ended, and somebody else has the item. */
    code = zkc_claim_done(claim);
  }
  zkc_close(client);
  if (code != ZKC_NOTHING) {
    fprintf(stderr, "queue: %s\n", zkc_strerror(code));
    return 1;
  }
  puts("done");
  return 0;
}
