/*
 * What the drop-in cannot say in Rust: a variadic function, the public data objects, and whether
 * this is the library with threads (ZKD_THREADED is 1) or the one without (0).
 *
 * The data objects are copied into the executables of programs (COPY relocations), so their sizes
 * are part of the ABI. Nothing here knows a connection; what is decided is decided in Rust.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <stdarg.h>
#include <string.h>

#include "zookeeper.h"

#define INT(name, value) const int name = value;
INT(ZOOKEEPER_WRITE, 1)
INT(ZOOKEEPER_READ, 2)
INT(ZOO_PERSISTENT, 0)
INT(ZOO_EPHEMERAL, 1)
INT(ZOO_PERSISTENT_SEQUENTIAL, 2)
INT(ZOO_EPHEMERAL_SEQUENTIAL, 3)
INT(ZOO_CONTAINER, 4)
INT(ZOO_PERSISTENT_WITH_TTL, 5)
INT(ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 6)
INT(ZOO_SEQUENCE, 2)
INT(ZOO_EXPIRED_SESSION_STATE, ZSESSIONEXPIRED)
INT(ZOO_AUTH_FAILED_STATE, -113)
INT(ZOO_CONNECTING_STATE, 1)
INT(ZOO_ASSOCIATING_STATE, 2)
INT(ZOO_CONNECTED_STATE, 3)
INT(ZOO_READONLY_STATE, 5)
/* In no header, and exported all the same. */
extern const int ZOO_SSL_CONNECTING_STATE;
INT(ZOO_SSL_CONNECTING_STATE, 7)
INT(ZOO_NOTCONNECTED_STATE, 999)
INT(ZOO_CREATED_EVENT, 1)
INT(ZOO_DELETED_EVENT, 2)
INT(ZOO_CHANGED_EVENT, 3)
INT(ZOO_CHILD_EVENT, 4)
INT(ZOO_SESSION_EVENT, -1)
INT(ZOO_NOTWATCHING_EVENT, -2)
INT(ZOO_PERM_READ, 1)
INT(ZOO_PERM_WRITE, 2)
INT(ZOO_PERM_CREATE, 4)
INT(ZOO_PERM_DELETE, 8)
INT(ZOO_PERM_ADMIN, 16)
INT(ZOO_PERM_ALL, 31)

struct Id ZOO_ANYONE_ID_UNSAFE = {(char *)"world", (char *)"anyone"};
struct Id ZOO_AUTH_IDS = {(char *)"auth", (char *)""};

static struct ACL open_acl[] = {{31, {(char *)"world", (char *)"anyone"}}};
static struct ACL read_acl[] = {{1, {(char *)"world", (char *)"anyone"}}};
static struct ACL creator_acl[] = {{31, {(char *)"auth", (char *)""}}};
struct ACL_vector ZOO_OPEN_ACL_UNSAFE = {1, open_acl};
struct ACL_vector ZOO_READ_ACL_UNSAFE = {1, read_acl};
struct ACL_vector ZOO_CREATOR_ALL_ACL = {1, creator_acl};

/* The other side, in Rust. */
zhandle_t *zkd_init(int threaded, const char *host, watcher_fn fn, int recv_timeout,
                    const clientid_t *clientid, void *context, int flags,
                    log_callback_fn log_callback);
void zkd_log(int threaded, log_callback_fn callback, int level, int line, const char *function,
             const char *text);

zhandle_t *zookeeper_init(const char *host, watcher_fn fn, int recv_timeout,
                          const clientid_t *clientid, void *context, int flags) {
    return zkd_init(ZKD_THREADED, host, fn, recv_timeout, clientid, context, flags, NULL);
}

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout,
                           const clientid_t *clientid, void *context, int flags,
                           log_callback_fn log_callback) {
    return zkd_init(ZKD_THREADED, host, fn, recv_timeout, clientid, context, flags, log_callback);
}

void log_message(log_callback_fn callback, ZooLogLevel curLevel, int line, const char *funcName,
                 const char *format, ...);

void log_message(log_callback_fn callback, ZooLogLevel curLevel, int line, const char *funcName,
                 const char *format, ...) {
    char text[4096];
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format ? format : "", arguments) < 0) text[0] = '\0';
    va_end(arguments);
    zkd_log(ZKD_THREADED, callback, (int)curLevel, line, funcName, text);
}

const char *zoo_version_str(void) {
    return ZOO_VERSION;
}

int64_t zoo_htonll(int64_t v) {
    return (int64_t)htobe64((uint64_t)v);
}

/* The operation number follows the mode, as in zoo_create. */
static void create_op(zoo_op_t *op, int type, const char *path, const char *value, int valuelen,
                      const struct ACL_vector *acl, int mode, char *path_buffer,
                      int path_buffer_len) {
    memset(op, 0, sizeof *op);
    op->type = type;
    op->create_op.path = path;
    op->create_op.data = value;
    op->create_op.datalen = valuelen;
    op->create_op.acl = acl;
    op->create_op.flags = mode;
    op->create_op.buf = path_buffer;
    op->create_op.buflen = path_buffer_len;
}

void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                        const struct ACL_vector *acl, int mode, char *path_buffer,
                        int path_buffer_len) {
    int type = ZOO_CREATE_OP;

    if (mode == 4) type = ZOO_CREATE_CONTAINER_OP;
    if (mode == 5 || mode == 6) type = ZOO_CREATE_TTL_OP;
    create_op(op, type, path, value, valuelen, acl, mode, path_buffer, path_buffer_len);
}

/* In no header, and exported all the same; zoo_multi answers such an op with ZUNIMPLEMENTED. */
void zoo_create2_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                         const struct ACL_vector *acl, int mode, char *path_buffer,
                         int path_buffer_len);

void zoo_create2_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                         const struct ACL_vector *acl, int mode, char *path_buffer,
                         int path_buffer_len) {
    create_op(op, ZOO_CREATE2_OP, path, value, valuelen, acl, mode, path_buffer, path_buffer_len);
}

void zoo_delete_op_init(zoo_op_t *op, const char *path, int version) {
    memset(op, 0, sizeof *op);
    op->type = ZOO_DELETE_OP;
    op->delete_op.path = path;
    op->delete_op.version = version;
}

void zoo_set_op_init(zoo_op_t *op, const char *path, const char *buffer, int buflen, int version,
                     struct Stat *stat) {
    memset(op, 0, sizeof *op);
    op->type = ZOO_SETDATA_OP;
    op->set_op.path = path;
    op->set_op.data = buffer;
    op->set_op.datalen = buflen;
    op->set_op.version = version;
    op->set_op.stat = stat;
}

void zoo_check_op_init(zoo_op_t *op, const char *path, int version) {
    memset(op, 0, sizeof *op);
    op->type = ZOO_CHECK_OP;
    op->check_op.path = path;
    op->check_op.version = version;
}

/* Locks of Apache's that leaked into its symbols, without a use from outside. */
int zoo_lock_auth(zhandle_t *zh);
int zoo_unlock_auth(zhandle_t *zh);

int zoo_lock_auth(zhandle_t *zh) {
    (void)zh;
    return 0;
}

int zoo_unlock_auth(zhandle_t *zh) {
    (void)zh;
    return 0;
}
