/* What the C tests share: a check that says where, and the address of the server. */
#ifndef COMMON_H
#define COMMON_H

#include "zkclient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
      exit(1);                                                          \
    }                                                                   \
  } while (0)

#define CODE(want, call)                                                              \
  do {                                                                                \
    int code_ = (call);                                                               \
    if (code_ != (want)) {                                                            \
      fprintf(stderr, "%s:%d: %s: %d (%s), not %d\n", __FILE__, __LINE__, #call, code_, \
              zkc_strerror(code_), (want));                                           \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

#define OK(call) CODE(ZKC_OK, call)

static inline zkc_options_t options_for(const char *servers) {
  zkc_options_t options;
  OK(zkc_options_init(&options, sizeof options));
  options.servers = servers;
  return options;
}

static inline zkc_client_t *connect_to(const char *servers) {
  zkc_options_t options = options_for(servers);
  zkc_client_t *client = NULL;
  OK(zkc_connect(&options, &client));
  CHECK(client != NULL);
  return client;
}

#endif
