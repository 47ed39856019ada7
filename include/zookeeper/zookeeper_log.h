/* Log lines in the form of the library's own, for programs that use it. Licence: Apache-2.0. */
#ifndef ZK_LOG_H_
#define ZK_LOG_H_

#include <zookeeper.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is logged, 0 for nothing; zoo_set_debug_level changes it. */
extern ZOOAPI ZooLogLevel logLevel;

/* Where the lines of a handle go: its callback, or NULL for the stream of the process. */
#define LOGCALLBACK(_zh) zoo_get_log_callback(_zh)
#define LOGSTREAM NULL

#define LOG_ERROR(_cb, ...) \
    if (logLevel >= ZOO_LOG_LEVEL_ERROR) \
        log_message(_cb, ZOO_LOG_LEVEL_ERROR, __LINE__, __func__, __VA_ARGS__)
#define LOG_WARN(_cb, ...) \
    if (logLevel >= ZOO_LOG_LEVEL_WARN) \
        log_message(_cb, ZOO_LOG_LEVEL_WARN, __LINE__, __func__, __VA_ARGS__)
#define LOG_INFO(_cb, ...) \
    if (logLevel >= ZOO_LOG_LEVEL_INFO) \
        log_message(_cb, ZOO_LOG_LEVEL_INFO, __LINE__, __func__, __VA_ARGS__)
#define LOG_DEBUG(_cb, ...) \
    if (logLevel == ZOO_LOG_LEVEL_DEBUG) \
        log_message(_cb, ZOO_LOG_LEVEL_DEBUG, __LINE__, __func__, __VA_ARGS__)

/*
 * One line: to callback unless it is NULL, else to the stream of the process with time, process and
 * thread before it. format is printf's; lines are cut at 4 KiB.
 */
ZOOAPI void log_message(log_callback_fn callback, ZooLogLevel curLevel, int line,
                        const char *funcName, const char *format, ...);

/* The stream that zoo_set_log_stream set, or stderr. */
FILE *zoo_get_log_stream(void);

#ifdef __cplusplus
}
#endif

#endif
