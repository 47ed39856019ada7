/* A configuration that is always at hand: a cache of a subtree, told of every change.
 *
 *   cc config.c $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
 */
#include <stdio.h>
#include <string.h>
#include <zkclient.h>

static void told(int32_t kind, const char *path, void *data) {
  (void)data;
  if (kind == ZKC_EVENT_CHANGED) printf("changed: %s\n", path);
  if (kind == ZKC_EVENT_DELETED) printf("gone: %s\n", path);
}

static int put(zkc_client_t *client, const char *path, const char *text) {
  int code = zkc_create(client, path, text, strlen(text), NULL, 0, ZKC_PERSISTENT, 0, NULL, NULL);
  if (code == ZKC_NODE_EXISTS) code = zkc_set(client, path, text, strlen(text), -1, NULL, NULL);
  return code;
}

int main(int argc, char **argv) {
  zkc_options_t options;
  zkc_client_t *client = NULL;
  zkc_cache_t *cache = NULL;
  zkc_result_t *color = NULL;
  int code;

  zkc_options_init(&options, sizeof options);
  options.servers = argc > 1 ? argv[1] : "localhost:2181";
  if ((code = zkc_connect(&options, &client)) != ZKC_OK) {
    fprintf(stderr, "no session: %s\n", zkc_strerror(code));
    return 1;
  }
  if ((code = put(client, "/examples-config", "")) == ZKC_OK &&
      (code = put(client, "/examples-config/color", "blue")) == ZKC_OK &&
      (code = zkc_cache_open(client, "/examples-config", told, NULL, NULL, &cache)) == ZKC_OK &&
      (code = zkc_cache_wait(cache, 10000)) == ZKC_OK &&
      (code = zkc_cache_get(cache, "/examples-config/color", &color)) == ZKC_OK) {
    size_t length;
    const char *text = zkc_result_data(color, &length);
    printf("the color is %.*s\n", (int)length, text);
    zkc_result_free(color);
  }
  zkc_cache_free(cache);
  zkc_close(client);
  if (code != ZKC_OK) {
    fprintf(stderr, "config: %s\n", zkc_strerror(code));
    return 1;
  }
  puts("done");
  return 0;
}
