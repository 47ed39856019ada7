/* Two threads write one number and nobody orders them: what a race looks like to the tool that looks
   for them. It ends badly, or the tool sees nothing. */
#include "common.h"

#include <pthread.h>

static int number;

static void *add(void *unused) {
    int round;
    for (round = 0; round < 1000; round++) number++;
    return unused;
}

int main(void) {
    pthread_t one, other;
    CHECK(pthread_create(&one, NULL, add, NULL) == 0);
    CHECK(pthread_create(&other, NULL, add, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    puts("done");
    return zkc_version() == 0;
}
