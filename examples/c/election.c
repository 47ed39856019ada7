/* Leader election: the first candidate leads until it resigns or dies.
 *
 *   cc election.c $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181 my-name
 */
#include <stdio.h>
#include <string.h>
#include <zkclient.h>

int main(int argc, char **argv) {
  const char *name = argc > 2 ? argv[2] : "one";
  zkc_options_t options;
  zkc_client_t *client = NULL;
  zkc_held_t *leadership = NULL;
  zkc_result_t *leader = NULL;
  int code;

  zkc_options_init(&options, sizeof options);
  options.servers = argc > 1 ? argv[1] : "localhost:2181";
  if ((code = zkc_connect(&options, &client)) != ZKC_OK) {
    fprintf(stderr, "no session: %s\n", zkc_strerror(code));
    return 1;
  }
  code = zkc_elect(client, "/examples/election", name, strlen(name), -1, &leadership);
  if (code == ZKC_OK && (code = zkc_leader(client, "/examples/election", &leader)) == ZKC_OK) {
    size_t length;
    const char *who = zkc_result_data(leader, &length);
    printf("%.*s leads in term %lld\n", (int)length, who,
           (long long)zkc_result_number(leader));
    zkc_result_free(leader);
  }
  /* While it leads, it looks now and then whether it still does. */
  if (leadership != NULL) {
    if (zkc_held_state(leadership) != ZKC_HELD) printf("not any more\n");
    zkc_release(leadership);
  }
  zkc_close(client);
  if (code != ZKC_OK) {
    fprintf(stderr, "election: %s\n", zkc_strerror(code));
    return 1;
  }
  puts("done");
  return 0;
}
