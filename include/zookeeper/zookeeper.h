/*
 * The interface of Apache's C client, release 3.10, for libzookeeper_mt.so.2 and
 * libzookeeper_st.so.2 of zk-agent. Licence: Apache-2.0.
 *
 * Written anew from the interface: programs made for Apache's header compile with this one and run
 * with either library. Compile with -DTHREADED and link -lzookeeper_mt, or without it and link
 * -lzookeeper_st; what each of them lacks is not declared.
 *
 * Strings end with NUL and are UTF-8. The library copies every argument before a call returns,
 * unless it is said otherwise. In the mt library all calls may be made from any thread, callbacks
 * included; callbacks of a handle run one at a time, on a thread of the library. In the st library
 * a handle belongs to one thread, and callbacks run inside zookeeper_interest, zookeeper_process
 * and zookeeper_close.
 */
#ifndef ZOOKEEPER_H_
#define ZOOKEEPER_H_

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifdef HAVE_OPENSSL_H
#include <openssl/ssl.h>
#endif
#ifdef HAVE_CYRUS_SASL_H
#include <sasl/sasl.h>
#endif

#include "proto.h"
#include "recordio.h"
#include "zookeeper.jute.h"
#include "zookeeper_version.h"

#ifndef ZOOAPI
#define ZOOAPI
#endif

/* Results of calls and of completions. Text for each: zerror. */
enum ZOO_ERRORS {
    ZOK = 0,

    /* Of the system, the connection and the library. -1 to -15 */
    ZSYSTEMERROR = -1,            /* a call of the system failed; errno says which way */
    ZRUNTIMEINCONSISTENCY = -2,   /* a reply out of order; in a multi: not tried */
    ZDATAINCONSISTENCY = -3,      /* the server's data contradict themselves */
    ZCONNECTIONLOSS = -4,         /* the connection broke; the request may have been executed */
    ZMARSHALLINGERROR = -5,       /* the handle is being closed, or a record does not decode */
    ZUNIMPLEMENTED = -6,          /* not known to this server, or not allowed in a multi */
    ZOPERATIONTIMEOUT = -7,       /* the server was silent for too long */
    ZBADARGUMENTS = -8,           /* an argument is wrong */
    ZINVALIDSTATE = -9,           /* the session has expired or its authentication failed */
    ZNEWCONFIGNOQUORUM = -13,     /* reconfig: too few of the new servers are in step */
    ZRECONFIGINPROGRESS = -14,    /* reconfig: another one is under way */
    ZSSLCONNECTIONERROR = -15,    /* the TLS handshake failed */

    /* Of the server. -100 and below */
    ZAPIERROR = -100,
    ZNONODE = -101,
    ZNOAUTH = -102,               /* the ACL does not allow it */
    ZBADVERSION = -103,           /* the version is not the one that was given */
    ZNOCHILDRENFOREPHEMERALS = -108,
    ZNODEEXISTS = -110,
    ZNOTEMPTY = -111,             /* the znode has children */
    ZSESSIONEXPIRED = -112,
    ZINVALIDCALLBACK = -113,
    ZINVALIDACL = -114,
    ZAUTHFAILED = -115,
    ZCLOSING = -116,              /* the handle was closed before the answer came */
    ZNOTHING = -117,              /* no error: zookeeper_process found nothing to process */
    ZSESSIONMOVED = -118,         /* the session is at another server now */
    ZNOTREADONLY = -119,          /* a write at a read-only server */
    ZEPHEMERALONLOCALSESSION = -120,
    ZNOWATCHER = -121,            /* no such watch */
    ZRECONFIGDISABLED = -123,
    ZSESSIONCLOSEDREQUIRESASLAUTH = -124,
    ZTHROTTLEDOP = -127           /* the server is overloaded */
};

#ifdef __cplusplus
extern "C" {
#endif

/* 0, which has no name, is silence. */
typedef enum {
    ZOO_LOG_LEVEL_ERROR = 1,
    ZOO_LOG_LEVEL_WARN = 2,
    ZOO_LOG_LEVEL_INFO = 3,
    ZOO_LOG_LEVEL_DEBUG = 4
} ZooLogLevel;

/* Permissions of an ACL entry. */
extern ZOOAPI const int ZOO_PERM_READ;
extern ZOOAPI const int ZOO_PERM_WRITE;
extern ZOOAPI const int ZOO_PERM_CREATE;
extern ZOOAPI const int ZOO_PERM_DELETE;
extern ZOOAPI const int ZOO_PERM_ADMIN;
extern ZOOAPI const int ZOO_PERM_ALL;

/* Where the ensemble keeps its configuration. */
#define ZOO_CONFIG_NODE "/zookeeper/config"

/* Flags of zookeeper_init: a read-only server will do; do not log host and user. */
#define ZOO_READONLY 1
#define ZOO_NO_LOG_CLIENTENV 2

/* Everybody; and whoever a session is authenticated as. */
extern ZOOAPI struct Id ZOO_ANYONE_ID_UNSAFE;
extern ZOOAPI struct Id ZOO_AUTH_IDS;

/* Ready-made ACLs: all to all, reading to all, all to whoever creates. */
extern ZOOAPI struct ACL_vector ZOO_OPEN_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_READ_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_CREATOR_ALL_ACL;

/* What zookeeper_interest asks for and zookeeper_process is told. */
extern ZOOAPI const int ZOOKEEPER_WRITE;
extern ZOOAPI const int ZOOKEEPER_READ;

/* Modes of creation. ZOO_SEQUENCE is the bit that older programs combine with ZOO_EPHEMERAL. */
extern ZOOAPI const int ZOO_PERSISTENT;
extern ZOOAPI const int ZOO_EPHEMERAL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL;
extern ZOOAPI const int ZOO_EPHEMERAL_SEQUENTIAL;
extern ZOOAPI const int ZOO_CONTAINER;
extern ZOOAPI const int ZOO_PERSISTENT_WITH_TTL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
extern ZOOAPI const int ZOO_SEQUENCE;

/* States of a handle. Below 0: for ever. 0, which has no name: between two connections. */
extern ZOOAPI const int ZOO_EXPIRED_SESSION_STATE;
extern ZOOAPI const int ZOO_AUTH_FAILED_STATE;
extern ZOOAPI const int ZOO_CONNECTING_STATE;
extern ZOOAPI const int ZOO_ASSOCIATING_STATE;
extern ZOOAPI const int ZOO_CONNECTED_STATE;
extern ZOOAPI const int ZOO_READONLY_STATE;
extern ZOOAPI const int ZOO_NOTCONNECTED_STATE;

/* Types of events. */
extern ZOOAPI const int ZOO_CREATED_EVENT;
extern ZOOAPI const int ZOO_DELETED_EVENT;
extern ZOOAPI const int ZOO_CHANGED_EVENT;
extern ZOOAPI const int ZOO_CHILD_EVENT;
extern ZOOAPI const int ZOO_SESSION_EVENT;
extern ZOOAPI const int ZOO_NOTWATCHING_EVENT;

/* A session and what keeps it alive. Made by zookeeper_init, ended by zookeeper_close. */
typedef struct _zhandle zhandle_t;

/* Names of the files for TLS, as zookeeper_init_ssl's argument lists them. */
typedef struct _zcert {
    char *certstr;
    char *ca;
    char *cert;
    char *key;
    char *passwd;
} zcert_t;

/* A connection; here for programs that name the type. */
typedef struct _zsock {
    int sock;
    zcert_t *cert;
#ifdef HAVE_OPENSSL_H
    SSL *ssl_sock;
    SSL_CTX *ssl_ctx;
#endif
} zsock_t;

/* What takes a session over. passwd is 16 bytes, not text. */
typedef struct {
    int64_t client_id;
    char passwd[16];
} clientid_t;

/* One operation of a multi; fill it with zoo_*_op_init. */
typedef struct zoo_op {
    int type;
#ifdef __GNUC__
    __extension__
#endif
    union {
        struct {
            const char *path;
            const char *data;
            int datalen;
            char *buf;
            int buflen;
            const struct ACL_vector *acl;
            int flags;
            int64_t ttl;
        } create_op;
        struct {
            const char *path;
            int version;
        } delete_op;
        struct {
            const char *path;
            const char *data;
            int datalen;
            int version;
            struct Stat *stat;
        } set_op;
        struct {
            const char *path;
            int version;
        } check_op;
    };
} zoo_op_t;

/*
 * What became of one operation of a multi: err, and for a create value (the path buffer of its op,
 * valuelen its size), for a set stat (that of its op). NULL where the multi failed.
 */
typedef struct zoo_op_result {
    int err;
    char *value;
    int valuelen;
    struct Stat *stat;
} zoo_op_result_t;

/*
 * Operations of a multi. Arguments are as those of zoo_create, zoo_delete and zoo_set. Nothing is
 * copied here; zoo_multi and zoo_amulti copy paths, data and ACLs. path_buffer and stat must live
 * until the multi is done.
 */
ZOOAPI void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                               const struct ACL_vector *acl, int mode, char *path_buffer,
                               int path_buffer_len);
ZOOAPI void zoo_delete_op_init(zoo_op_t *op, const char *path, int version);
ZOOAPI void zoo_set_op_init(zoo_op_t *op, const char *path, const char *buffer, int buflen,
                            int version, struct Stat *stat);
ZOOAPI void zoo_check_op_init(zoo_op_t *op, const char *path, int version);

/*
 * Told of an event: type and state as above, the path of the znode, or "" for an event of the
 * session. path is valid during the call. A watch fires once; events of the session leave it.
 */
typedef void (*watcher_fn)(zhandle_t *zh, int type, int state, const char *path, void *watcherCtx);

/* Told of a line of the log, without its end. May be called from any thread. */
typedef void (*log_callback_fn)(const char *message);

/* ---- Handles ------------------------------------------------------------------------------- */

/*
 * Makes a handle and returns at once; fn is told when it is connected. host is
 * "host:port[,host:port...][/chroot]"; recv_timeout the session timeout to ask for, in ms;
 * clientid a session to take over, or NULL; context what watchers are given, see zoo_set_context;
 * flags 0 or a sum of ZOO_READONLY and ZOO_NO_LOG_CLIENTENV. Returns NULL and sets errno on
 * failure: EINVAL for host, ENOENT when none of the names is known, ENOMEM, EAGAIN, EMFILE.
 */
ZOOAPI zhandle_t *zookeeper_init(const char *host, watcher_fn fn, int recv_timeout,
                                 const clientid_t *clientid, void *context, int flags);

/* The same with a log callback for this handle, from its first line on. */
ZOOAPI zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout,
                                  const clientid_t *clientid, void *context, int flags,
                                  log_callback_fn log_callback);

#ifdef HAVE_OPENSSL_H
/* Over TLS. Not in this build: as in Debian's, the symbol is not there. */
ZOOAPI zhandle_t *zookeeper_init_ssl(const char *host, const char *cert, watcher_fn fn,
                                     int recv_timeout, const clientid_t *clientid, void *context,
                                     int flags);
#endif

/* Declared for old programs; no library has it. */
ZOOAPI void close_zsock(zsock_t *zsock);

#ifdef HAVE_CYRUS_SASL_H
/* SASL. Not in this build: as in Debian's, the symbols are not there. */
typedef struct zoo_sasl_params {
    const char *service;
    const char *host;
    const char *mechlist;
    const sasl_callback_t *callbacks;
} zoo_sasl_params_t;

typedef int (*zoo_sasl_password_callback_t)(const char *content, size_t content_len, void *context,
                                            char *buf, size_t buf_len, size_t *passwd_len);

typedef struct zoo_sasl_password {
    const char *password_file;
    void *context;
    zoo_sasl_password_callback_t callback;
} zoo_sasl_password_t;

ZOOAPI zhandle_t *zookeeper_init_sasl(const char *host, watcher_fn fn, int recv_timeout,
                                      const clientid_t *clientid, void *context, int flags,
                                      log_callback_fn log_callback,
                                      zoo_sasl_params_t *sasl_params);
ZOOAPI sasl_callback_t *zoo_sasl_make_basic_callbacks(const char *user, const char *realm,
                                                      const char *password_file);
ZOOAPI sasl_callback_t *zoo_sasl_make_password_callbacks(const char *user, const char *realm,
                                                         zoo_sasl_password_t *password);
#endif

/* The release whose interface this is: ZOO_VERSION of the library. */
ZOOAPI const char *zoo_version_str(void);

/*
 * Ends the session and releases the handle. Completions that are due are called with ZCLOSING
 * first. From a callback of the handle it returns at once, and the handle ends behind the callback;
 * from elsewhere it waits for a callback that runs.
 */
ZOOAPI int zookeeper_close(zhandle_t *zh);

/*
 * A new list of servers, without chroot. The handle moves to one of them when its own is not among
 * them, or by chance when that spreads clients evenly. ZBADARGUMENTS leaves the old list.
 */
ZOOAPI int zoo_set_servers(zhandle_t *zh, const char *hosts);

/* The least time between two resolutions of the names, in ms; 0: as needed; -1: never. */
ZOOAPI int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms);

/* The next connection goes to the server behind the next one. */
ZOOAPI void zoo_cycle_next_server(zhandle_t *zh);

/* "address:port" of the server in use; valid until this thread asks again. */
ZOOAPI const char *zoo_get_current_server(zhandle_t *zh);

/*
 * What takes this session over; valid as long as the handle. client_id is 0 before it is
 * connected.
 */
ZOOAPI const clientid_t *zoo_client_id(zhandle_t *zh);

/* The session timeout that the server granted, in ms; before that the one that was asked for. */
ZOOAPI int zoo_recv_timeout(zhandle_t *zh);

/*
 * What the default watcher is given, for watches set from now on. The library never looks inside.
 */
ZOOAPI const void *zoo_get_context(zhandle_t *zh);
ZOOAPI void zoo_set_context(zhandle_t *zh, void *context);

/* Another default watcher, or none (NULL). Returns the one before. */
ZOOAPI watcher_fn zoo_set_watcher(zhandle_t *zh, watcher_fn newFn);

/* The server's address into addr; NULL unless connected or when *addr_len is too small. */
ZOOAPI struct sockaddr *zookeeper_get_connected_host(zhandle_t *zh, struct sockaddr *addr,
                                                     socklen_t *addr_len);

/* The state of the handle. */
ZOOAPI int zoo_state(zhandle_t *zh);

/* ZINVALIDSTATE when the handle can only be closed, else ZOK. */
ZOOAPI int is_unrecoverable(zhandle_t *zh);

#ifndef THREADED
/*
 * The event loop of the st library. zookeeper_interest says what to wait for: *fd (-1: nothing) and
 * *interest, for at most *tv; zookeeper_process is told what came. Both go on after errors other
 * than ZINVALIDSTATE.
 */
ZOOAPI int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);
ZOOAPI int zookeeper_process(zhandle_t *zh, int events);
#endif

/* ---- Asynchronous calls -------------------------------------------------------------------- */

/*
 * Completions: rc is the result; what comes with it is NULL unless rc is ZOK, valid during the
 * call, and the library's. data is the pointer that was given with the call.
 */
typedef void (*void_completion_t)(int rc, const void *data);
typedef void (*stat_completion_t)(int rc, const struct Stat *stat, const void *data);
/* value_len is -1 for a znode without data; value has no NUL behind it. */
typedef void (*data_completion_t)(int rc, const char *value, int value_len,
                                  const struct Stat *stat, const void *data);
typedef void (*strings_completion_t)(int rc, const struct String_vector *strings,
                                     const void *data);
typedef void (*strings_stat_completion_t)(int rc, const struct String_vector *strings,
                                          const struct Stat *stat, const void *data);
typedef void (*string_completion_t)(int rc, const char *value, const void *data);
typedef void (*string_stat_completion_t)(int rc, const char *string, const struct Stat *stat,
                                         const void *data);
typedef void (*acl_completion_t)(int rc, struct ACL_vector *acl, struct Stat *stat,
                                 const void *data);

/*
 * Each call returns ZOK when the request is queued, and its completion is called exactly once; or
 * ZBADARGUMENTS, ZINVALIDSTATE, ZMARSHALLINGERROR, and it never is. value NULL with length -1 is no
 * data; version -1 is any version. watch other than 0 leaves the default watcher as a watch, the
 * zoo_aw calls the watcher that is given (NULL: none).
 */
ZOOAPI int zoo_acreate(zhandle_t *zh, const char *path, const char *value, int valuelen,
                       const struct ACL_vector *acl, int mode, string_completion_t completion,
                       const void *data);
/* ttl in ms, 1 to 0xffffffffff, for the modes with TTL; -1 for the others. */
ZOOAPI int zoo_acreate_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl,
                           string_completion_t completion, const void *data);
ZOOAPI int zoo_acreate2(zhandle_t *zh, const char *path, const char *value, int valuelen,
                        const struct ACL_vector *acl, int mode,
                        string_stat_completion_t completion, const void *data);
ZOOAPI int zoo_acreate2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                            const struct ACL_vector *acl, int mode, int64_t ttl,
                            string_stat_completion_t completion, const void *data);
ZOOAPI int zoo_adelete(zhandle_t *zh, const char *path, int version, void_completion_t completion,
                       const void *data);
/* The watch is set when there is no such znode, too. */
ZOOAPI int zoo_aexists(zhandle_t *zh, const char *path, int watch, stat_completion_t completion,
                       const void *data);
ZOOAPI int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                        stat_completion_t completion, const void *data);
ZOOAPI int zoo_aget(zhandle_t *zh, const char *path, int watch, data_completion_t completion,
                    const void *data);
ZOOAPI int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                     data_completion_t completion, const void *data);
/* The configuration of the ensemble. */
ZOOAPI int zoo_agetconfig(zhandle_t *zh, int watch, data_completion_t completion,
                          const void *data);
ZOOAPI int zoo_awgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx,
                           data_completion_t completion, const void *data);
/* joining and leaving, or members; NULL for what is not given. version -1: any. */
ZOOAPI int zoo_areconfig(zhandle_t *zh, const char *joining, const char *leaving,
                         const char *members, int64_t version, data_completion_t dc,
                         const void *data);
ZOOAPI int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version,
                    stat_completion_t completion, const void *data);
ZOOAPI int zoo_aget_children(zhandle_t *zh, const char *path, int watch,
                             strings_completion_t completion, const void *data);
ZOOAPI int zoo_awget_children(zhandle_t *zh, const char *path, watcher_fn watcher,
                              void *watcherCtx, strings_completion_t completion,
                              const void *data);
ZOOAPI int zoo_aget_children2(zhandle_t *zh, const char *path, int watch,
                              strings_stat_completion_t completion, const void *data);
ZOOAPI int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher,
                               void *watcherCtx, strings_stat_completion_t completion,
                               const void *data);
/* Brings the server up to date with the leader. */
ZOOAPI int zoo_async(zhandle_t *zh, const char *path, string_completion_t completion,
                     const void *data);
ZOOAPI int zoo_aget_acl(zhandle_t *zh, const char *path, acl_completion_t completion,
                        const void *data);
ZOOAPI int zoo_aset_acl(zhandle_t *zh, const char *path, int version, struct ACL_vector *acl,
                        void_completion_t completion, const void *data);
/* results is an array of count that must live until the completion is called. */
ZOOAPI int zoo_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results,
                      void_completion_t completion, const void *data);
/* Adds an identity for the life of the handle. completion may be NULL. */
ZOOAPI int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int certLen,
                        void_completion_t completion, const void *data);

/* Kinds of watches. */
typedef enum { ZWATCHTYPE_CHILD = 1, ZWATCHTYPE_DATA = 2, ZWATCHTYPE_ANY = 3 } ZooWatcherType;

/*
 * Removes one watch, or all of a path; with local also when the server cannot be reached.
 * completion is a void_completion_t that is cast: Apache's header has the type wrong, and programs
 * rely on it.
 */
ZOOAPI int zoo_aremove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                               watcher_fn watcher, void *watcherCtx, int local,
                               void_completion_t *completion, const void *data);
ZOOAPI int zoo_aremove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                                   int local, void_completion_t *completion, const void *data);
/* Waits; in the mt library only. */
ZOOAPI int zoo_remove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                                  int local);

/* ---- The process --------------------------------------------------------------------------- */

/* Text for a result. Never NULL; for a number above 0 that of strerror. */
ZOOAPI const char *zerror(int c);

/* What is logged, 0 for nothing; and where to (NULL: stderr). */
ZOOAPI void zoo_set_debug_level(ZooLogLevel logLevel);
ZOOAPI void zoo_set_log_stream(FILE *logStream);

/* The log callback of a handle, which goes before the stream. */
ZOOAPI log_callback_fn zoo_get_log_callback(const zhandle_t *zh);
ZOOAPI void zoo_set_log_callback(zhandle_t *zh, log_callback_fn callback);

/* Other than 0: handles made from now on try their servers in the order of the list. */
ZOOAPI void zoo_deterministic_conn_order(int yesOrNo);

#ifdef THREADED
/* ---- Calls that wait ----------------------------------------------------------------------- */

/*
 * They return the result, and write to what the caller gave only with ZOK. path_buffer gets the
 * path that was created, cut to path_buffer_len - 1 bytes and a NUL. stat, strings and acl may be
 * NULL. strings is released with deallocate_String_vector, acl with deallocate_ACL_vector.
 */
ZOOAPI int zoo_create(zhandle_t *zh, const char *path, const char *value, int valuelen,
                      const struct ACL_vector *acl, int mode, char *path_buffer,
                      int path_buffer_len);
ZOOAPI int zoo_create_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                          const struct ACL_vector *acl, int mode, int64_t ttl, char *path_buffer,
                          int path_buffer_len);
ZOOAPI int zoo_create2(zhandle_t *zh, const char *path, const char *value, int valuelen,
                       const struct ACL_vector *acl, int mode, char *path_buffer,
                       int path_buffer_len, struct Stat *stat);
ZOOAPI int zoo_create2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl,
                           char *path_buffer, int path_buffer_len, struct Stat *stat);
ZOOAPI int zoo_delete(zhandle_t *zh, const char *path, int version);
ZOOAPI int zoo_exists(zhandle_t *zh, const char *path, int watch, struct Stat *stat);
ZOOAPI int zoo_wexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                       struct Stat *stat);
/*
 * *buffer_len is the size of buffer, and after ZOK how many bytes were put there, -1 for a znode
 * without data. What does not fit is left out: compare with stat->dataLength.
 */
ZOOAPI int zoo_get(zhandle_t *zh, const char *path, int watch, char *buffer, int *buffer_len,
                   struct Stat *stat);
ZOOAPI int zoo_wget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                    char *buffer, int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_getconfig(zhandle_t *zh, int watch, char *buffer, int *buffer_len,
                         struct Stat *stat);
ZOOAPI int zoo_wgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, char *buffer,
                          int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_reconfig(zhandle_t *zh, const char *joining, const char *leaving,
                        const char *members, int64_t version, char *buffer, int *buffer_len,
                        struct Stat *stat);
ZOOAPI int zoo_set(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version);
ZOOAPI int zoo_set2(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version,
                    struct Stat *stat);
ZOOAPI int zoo_get_children(zhandle_t *zh, const char *path, int watch,
                            struct String_vector *strings);
ZOOAPI int zoo_wget_children(zhandle_t *zh, const char *path, watcher_fn watcher,
                             void *watcherCtx, struct String_vector *strings);
ZOOAPI int zoo_get_children2(zhandle_t *zh, const char *path, int watch,
                             struct String_vector *strings, struct Stat *stat);
ZOOAPI int zoo_wget_children2(zhandle_t *zh, const char *path, watcher_fn watcher,
                              void *watcherCtx, struct String_vector *strings,
                              struct Stat *stat);
ZOOAPI int zoo_get_acl(zhandle_t *zh, const char *path, struct ACL_vector *acl,
                       struct Stat *stat);
ZOOAPI int zoo_set_acl(zhandle_t *zh, const char *path, int version,
                       const struct ACL_vector *acl);
/* The first error of an operation, or ZOK; results is an array of count. */
ZOOAPI int zoo_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results);
ZOOAPI int zoo_remove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                              watcher_fn watcher, void *watcherCtx, int local);
#endif

#ifdef __cplusplus
}
#endif

#endif
