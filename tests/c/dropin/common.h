/*
 * What the programs of this folder share: waiting with a deadline, and printing without anything
 * that differs from run to run. They are compiled against Apache's header or ours, run with Apache's
 * library and with ours, and print the same.
 */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper.h>
#include <zookeeper_log.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int steps;

/* One line, whole, even when two threads speak. */
static inline void say(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    flockfile(stdout);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    va_end(arguments);
}

/* One line of a callback; await prints it, because callbacks run beside the calls. */
static char noted[1 << 16];
static size_t noted_length;

static inline void note(const char *format, ...) {
    va_list arguments;
    int length;

    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    length = vsnprintf(noted + noted_length, sizeof noted - noted_length - 1, format, arguments);
    noted_length += (size_t)length;
    noted[noted_length++] = '\n';
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

/* One step has happened. */
static inline void step(void) {
    pthread_mutex_lock(&lock);
    steps++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits until so many steps have happened since the last wait; ends the program after 20 s. */
static inline void await(int count) {
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&lock);
    while (steps < count) {
        if (pthread_cond_timedwait(&changed, &lock, &until) != 0) {
            say("gave up: %d of %d steps", steps, count);
            _exit(3);
        }
    }
    steps -= count;
    fwrite(noted, 1, noted_length, stdout);
    fflush(stdout);
    noted_length = 0;
    pthread_mutex_unlock(&lock);
}

static inline void tell_stat(void (*tell)(const char *, ...), const char *what,
                             const struct Stat *stat) {
    if (!stat) {
        tell("%s: no stat", what);
        return;
    }
    tell("%s: version %d cversion %d aversion %d length %d children %d ephemeral %d", what,
         stat->version, stat->cversion, stat->aversion, stat->dataLength, stat->numChildren,
         stat->ephemeralOwner != 0);
}

static inline void say_stat(const char *what, const struct Stat *stat) {
    tell_stat(say, what, stat);
}

static inline void note_stat(const char *what, const struct Stat *stat) {
    tell_stat(note, what, stat);
}

#endif
