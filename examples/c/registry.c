/* A service registry: each instance is an ephemeral znode, and whoever looks is told of changes.
 *
 *   cc registry.c $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181 10.0.0.7:80
 */
#include <stdio.h>
#include <string.h>
#include <zkclient.h>

static void changed(const zkc_event_t *event, void *data) {
  (void)data;
  if (event->kind == ZKC_EVENT_CHILDREN) printf("instances have changed\n");
}

int main(int argc, char **argv) {
  const char *address = argc > 2 ? argv[2] : "127.0.0.1:8080";
  zkc_options_t options;
  zkc_call_t call;
  zkc_client_t *client = NULL;
  zkc_result_t *instances = NULL;
  int code;

  zkc_options_init(&options, sizeof options);
  options.servers = argc > 1 ? argv[1] : "localhost:2181";
  if ((code = zkc_connect(&options, &client)) != ZKC_OK) {
    fprintf(stderr, "no session: %s\n", zkc_strerror(code));
    return 1;
  }
  zkc_call_init(&call, sizeof call);
  call.watcher = changed;
  code = zkc_create(client, "/examples-services", NULL, 0, NULL, 0, ZKC_PERSISTENT, 0, NULL, NULL);
  if (code == ZKC_NODE_EXISTS) code = ZKC_OK;
  if (code == ZKC_OK) code = zkc_children(client, "/examples-services", &call, NULL);
  if (code == ZKC_OK) {
    /* It is gone when this process is. */
    code = zkc_create(client, "/examples-services/web-", address, strlen(address), NULL, 0,
                      ZKC_EPHEMERAL_SEQUENTIAL, 0, NULL, NULL);
  }
  if (code == ZKC_OK &&
      (code = zkc_children(client, "/examples-services", NULL, &instances)) == ZKC_OK) {
    for (size_t i = 0; i < zkc_result_count(instances); i++) {
      printf("instance %s\n", zkc_result_string(instances, i));
    }
    zkc_result_free(instances);
  }
  zkc_close(client);
  if (code != ZKC_OK) {
    fprintf(stderr, "registry: %s\n", zkc_strerror(code));
    return 1;
  }
  puts("done");
  return 0;
}
