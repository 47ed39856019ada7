/* A fork with an open handle: the child is refused and may open its own, the parent goes on. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  CHECK(argc == 2);
  zkc_client_t *client = connect_to(argv[1]);
  OK(zkc_create(client, "/parent", NULL, 0, NULL, 0, ZKC_EPHEMERAL, 0, NULL, NULL));
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CODE(ZKC_API_ERROR, zkc_sync(client, "/", NULL, NULL));
    CODE(ZKC_API_ERROR, zkc_close(client));
    zkc_client_t *own = connect_to(argv[1]);
    OK(zkc_exists(own, "/parent", NULL, NULL));
    OK(zkc_close(own));
    _exit(0);
  }
  int status = 1;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  OK(zkc_exists(client, "/parent", NULL, NULL));
  OK(zkc_close(client));
  puts("done");
  return 0;
}
