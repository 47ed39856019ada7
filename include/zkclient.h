/* zkclient.h - the C API of libzkclient, a client of ZooKeeper-compatible servers.
 *
 * Made by cbindgen from libzkclient/src/ffi: do not edit; `cargo xtask header` makes it anew.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Return values are 0 (ZKC_OK) or a negative code; zkc_strerror has words for each. Every pointer
 * may be NULL: what must not be is refused with ZKC_BAD_ARGUMENTS. Strings are UTF-8 and end with
 * a NUL; data are a pointer and a length. What a function is given it copies; what it hands out
 * says how long it lives. Structs that begin with `size` are filled by their init function first.
 *
 * Any function may be called by any thread. Callbacks run on one thread of the library, or inside
 * zkc_process for a handle of ZKC_OPEN_LOOP; those of one handle one at a time, in order. In a
 * callback everything may be called but what blocks, which ZKC_API_ERROR refuses.
 */

#ifndef ZKCLIENT_H
#define ZKCLIENT_H

#include <stddef.h>
#include <stdint.h>

#define ZKC_VERSION_MAJOR 0
#define ZKC_VERSION_MINOR 1
#define ZKC_VERSION_PATCH 0

// Done.
#define ZKC_OK 0

// The operating system or the library itself failed.
#define ZKC_SYSTEM_ERROR -1

// A reply that was none; in a multi: behind the operation that failed.
#define ZKC_RUNTIME_INCONSISTENCY -2

// From a server only.
#define ZKC_DATA_INCONSISTENCY -3

// The connection ended before the answer came.
#define ZKC_CONNECTION_LOSS -4

// A record does not decode.
#define ZKC_MARSHALLING_ERROR -5

// The server does not know the operation.
#define ZKC_UNIMPLEMENTED -6

// No answer in time, or the call was cancelled.
#define ZKC_OPERATION_TIMEOUT -7

// An argument is NULL, too long, unknown or otherwise wrong.
#define ZKC_BAD_ARGUMENTS -8

// The handle cannot do this: it is driven by a loop, or is not.
#define ZKC_INVALID_STATE -9

// No quorum of the new configuration is connected.
#define ZKC_NEW_CONFIG_NO_QUORUM -13

// Another reconfiguration is under way.
#define ZKC_RECONFIG_IN_PROGRESS -14

// A call that this thread (inside a callback) or process (after a fork) may not make.
#define ZKC_API_ERROR -100

// The znode does not exist.
#define ZKC_NO_NODE -101

// The identities of the session do not permit this.
#define ZKC_NO_AUTH -102

// The znode has another version.
#define ZKC_BAD_VERSION -103

// An ephemeral znode cannot have children.
#define ZKC_NO_CHILDREN_FOR_EPHEMERALS -108

// The znode exists already.
#define ZKC_NODE_EXISTS -110

// The znode has children.
#define ZKC_NOT_EMPTY -111

// The session has expired.
#define ZKC_SESSION_EXPIRED -112

// From a server only.
#define ZKC_INVALID_CALLBACK -113

// The ACL is empty or names an id that its scheme refuses.
#define ZKC_INVALID_ACL -114

// The server refused an identity.
#define ZKC_AUTH_FAILED -115

// The handle is closed, or was closed before the answer came.
#define ZKC_CLOSING -116

// There was nothing: a lock that is taken, a queue that is empty.
#define ZKC_NOTHING -117

// The session has moved to another connection.
#define ZKC_SESSION_MOVED -118

// A write was sent to a server that only answers reads.
#define ZKC_NOT_READ_ONLY -119

// A local session cannot have ephemerals.
#define ZKC_EPHEMERAL_ON_LOCAL_SESSION -120

// There is no such watch.
#define ZKC_NO_WATCHER -121

// From a server only.
#define ZKC_REQUEST_TIMEOUT -122

// Reconfiguration is disabled on the server.
#define ZKC_RECONFIG_DISABLED -123

// The server demands an authentication that was not made.
#define ZKC_REQUIRE_SASL_AUTH -124

// A quota would be exceeded.
#define ZKC_QUOTA_EXCEEDED -125

// Too much is under way: in the server, or in this handle (`pending_max`).
#define ZKC_THROTTLED -127

// Read data and list children.
#define ZKC_PERM_READ 1

// Set data.
#define ZKC_PERM_WRITE 2

// Create children.
#define ZKC_PERM_CREATE 4

// Delete children.
#define ZKC_PERM_DELETE 8

// Set the ACL.
#define ZKC_PERM_ADMIN 16

// All of them.
#define ZKC_PERM_ALL 31

// Stays until deleted.
#define ZKC_PERSISTENT 0

// Goes with its session.
#define ZKC_EPHEMERAL 1

// Persistent, with a number behind the name.
#define ZKC_PERSISTENT_SEQUENTIAL 2

// Ephemeral, with a number behind the name.
#define ZKC_EPHEMERAL_SEQUENTIAL 3

// Goes when its last child is deleted.
#define ZKC_CONTAINER 4

// Goes when it was not changed for its TTL and has no children.
#define ZKC_TTL 5

// The same, with a number behind the name.
#define ZKC_TTL_SEQUENTIAL 6

// The session's state has changed; the other numbers are what happened to a znode.
#define ZKC_EVENT_SESSION -1

// The znode was created.
#define ZKC_EVENT_CREATED 1

// The znode was deleted.
#define ZKC_EVENT_DELETED 2

// The znode's data was set.
#define ZKC_EVENT_CHANGED 3

// The znode's children changed.
#define ZKC_EVENT_CHILDREN 4

// Opened, and no server was tried yet.
#define ZKC_STATE_NOT_CONNECTED 999

// Between two attempts to connect.
#define ZKC_STATE_DISCONNECTED 0

// A connection is being made; in an event: the connection was lost.
#define ZKC_STATE_CONNECTING 1

// Connected, and the server has not said yet whether the session stands.
#define ZKC_STATE_ASSOCIATING 2

// The session stands.
#define ZKC_STATE_CONNECTED 3

// The session stands on a server that answers reads only.
#define ZKC_STATE_READ_ONLY 5

// The session is over. The end, unless `ZKC_OPEN_RECREATE` was given.
#define ZKC_STATE_EXPIRED -112

// The server refused an identity. The end.
#define ZKC_STATE_AUTH_FAILED -113

// Closed. The end.
#define ZKC_STATE_CLOSED -116

// A server that has lost the others will do, for reads.
#define ZKC_OPEN_READ_ONLY 1

// A session that has expired is made anew, with its watches and identities but without its
// ephemerals; the watcher is told of both.
#define ZKC_OPEN_RECREATE 2

// The servers are tried in the order in which they are written, not in one by chance.
#define ZKC_OPEN_IN_ORDER 4

// The caller's own loop drives the handle: `zkc_fd`, `zkc_wait_ms`, `zkc_process`. No thread is
// started for it, and blocking calls are refused.
#define ZKC_OPEN_LOOP 8

// Creates: `path`, `data`, `length`, `acl`, `acl_count`, `mode`, `ttl_ms`.
#define ZKC_OP_CREATE 1

// Deletes: `path`, `version`.
#define ZKC_OP_DELETE 2

// Sets: `path`, `data`, `length`, `version`.
#define ZKC_OP_SET 5

// Fails unless the znode is there in this version: `path`, `version`.
#define ZKC_OP_CHECK 13

// Data and stat, in `zkc_multi_read`: `path`.
#define ZKC_OP_GET 4

// Names of the children, in `zkc_multi_read`: `path`.
#define ZKC_OP_CHILDREN 8

// Stays after it fired; data and children of one znode.
#define ZKC_WATCH_PERSISTENT 0

// Stays after it fired; a znode and everything below.
#define ZKC_WATCH_RECURSIVE 1

// Watches left by children.
#define ZKC_WATCHES_CHILDREN 1

// Watches left by get and exists.
#define ZKC_WATCHES_DATA 2

// All watches.
#define ZKC_WATCHES_ANY 3

// Watches of `ZKC_WATCH_PERSISTENT`.
#define ZKC_WATCHES_PERSISTENT 4

// Watches of `ZKC_WATCH_RECURSIVE`.
#define ZKC_WATCHES_RECURSIVE 5

// As far as the client can know, it is held.
#define ZKC_HELD 1

// The connection is lost: it is held until the session expires, which may have happened.
#define ZKC_SUSPECT 2

// It is lost.
#define ZKC_LOST 3

// Nothing.
#define ZKC_LOG_OFF 0

// What has failed and will not mend itself.
#define ZKC_LOG_ERROR 1

// What has failed and is tried again.
#define ZKC_LOG_WARN 2

// What an operator would want to know.
#define ZKC_LOG_INFO 3

// What somebody who looks for a fault would want to know.
#define ZKC_LOG_DEBUG 4

// A copy of a subtree. Any thread may read it.
typedef struct zkc_cache_t zkc_cache_t;

// An item of a queue that was claimed. Given back with `zkc_claim_done` or `zkc_claim_drop`.
typedef struct zkc_claim_t zkc_claim_t;

// A client. Made by `zkc_open` and `zkc_connect`, gone with `zkc_close`; a handle that is gone is
// refused wherever it is given. Any thread may use any handle at any time.
typedef struct zkc_client_t zkc_client_t;

// A double barrier: this one's place in it. Freed with `zkc_double_barrier_free`.
typedef struct zkc_double_barrier_t zkc_double_barrier_t;

// Something that is held: a lock, a permit, the leadership. Belongs to whoever acquired it, and is
// given back with `zkc_release`, or by the end of the session.
typedef struct zkc_held_t zkc_held_t;

// What a call has brought. From a blocking call it is the caller's, to be freed with
// `zkc_result_free`; in a completion it is borrowed and ends with it. Everything that an accessor
// returns lives as long as the result. Accessors take NULL, and then say nothing.
typedef struct zkc_result_t zkc_result_t;

// The stat of a znode. Times are ms since 1970.
typedef struct zkc_stat_t {
  // The zxid that created it.
  int64_t czxid;
  // The zxid that changed its data last.
  int64_t mzxid;
  // When it was created, in ms.
  int64_t ctime_ms;
  // When its data was changed last, in ms.
  int64_t mtime_ms;
  // Changes of its data.
  int32_t version;
  // Changes of its children.
  int32_t cversion;
  // Changes of its ACL.
  int32_t aversion;
  // Bytes of its data.
  int32_t data_length;
  // The session it goes with; 0 for none.
  int64_t ephemeral_owner;
  // The zxid that changed its children last.
  int64_t pzxid;
  // Number of its children.
  int32_t num_children;
  // Always 0.
  int32_t reserved;
} zkc_stat_t;

// An entry of an ACL. Borrowed in both directions.
typedef struct zkc_acl_t {
  // `ZKC_PERM_*`, added.
  int32_t perms;
  // `world`, `auth`, `digest`, `ip` or another scheme.
  const char *scheme;
  // The id in the syntax of the scheme.
  const char *id;
} zkc_acl_t;

// What happened. Borrowed: valid in the callback only.
typedef struct zkc_event_t {
  // Bytes of this struct in the library that runs; later versions add members behind.
  size_t size;
  // `ZKC_EVENT_*`.
  int32_t kind;
  // `ZKC_STATE_*`: of the session.
  int32_t state;
  // The znode, without the chroot; "" for an event of the session. Never NULL.
  const char *path;
  // The zxid of the change; -1 when the server does not say.
  int64_t zxid;
} zkc_event_t;

// Is told of events. Runs on the library's thread for callbacks, one callback of a handle at a
// time, or inside `zkc_process` for a handle that is driven by a loop. May call anything that does
// not block, `zkc_close` included.
typedef void (*zkc_watcher_fn)(const struct zkc_event_t *event, void *user_data);

// Frees user data when no callback can need it any more; called once, on any thread. May be NULL.
typedef void (*zkc_drop_fn)(void *user_data);

// How a handle behaves. Fill it with `zkc_options_init` first. Everything in it is copied.
typedef struct zkc_options_t {
  // `sizeof(zkc_options_t)`, as `zkc_options_init` sets it.
  size_t size;
  // `host[:port][,host[:port]...][/chroot]`; NULL for `localhost:2181`.
  const char *servers;
  // The session timeout to ask for, in ms; at least 1, usually 30000. The server may grant
  // another.
  int32_t session_timeout_ms;
  // `ZKC_OPEN_*`, added.
  uint32_t flags;
  // How long a call waits for its answer, in ms; 0 for as long as it takes. Usually 30000.
  uint64_t call_timeout_ms;
  // Most calls without an answer; more get `ZKC_THROTTLED`. 0 for the usual number (1048576).
  uint64_t pending_max;
  // Most bytes of calls that are not sent yet. 0 for the usual number (256 MiB).
  uint64_t queued_bytes_max;
  // A session to go on with, from `zkc_session`; 0 for a new one.
  int64_t session_id;
  // Its password.
  uint8_t session_password[16];
  // Is told of the session's states; may be NULL.
  zkc_watcher_fn watcher;
  // For the watcher.
  void *user_data;
  // Frees `user_data` when the handle is gone, or at once when opening fails.
  zkc_drop_fn drop;
} zkc_options_t;

// Gets the result of a call, exactly once. The result is borrowed. Runs where watchers run.
typedef void (*zkc_completion_fn)(const struct zkc_result_t *result, void *user_data);

// How a call is made. NULL in its place: blocking, with the handle's time limit, without a watch.
// Fill it with `zkc_call_init` first.
typedef struct zkc_call_t {
  // `sizeof(zkc_call_t)`, as `zkc_call_init` sets it.
  size_t size;
  // How long to wait for the answer, in ms; 0 for the handle's `call_timeout_ms`.
  uint64_t timeout_ms;
  // Who gets the result. NULL makes the call blocking.
  zkc_completion_fn completion;
  // For the completion.
  void *user_data;
  // Frees `user_data` behind the completion, or at once when the call returns an error: whatever
  // happens, it is called once.
  zkc_drop_fn drop;
  // Leaves a watch with this watcher, where the call can: exists, get, children, add_watch.
  zkc_watcher_fn watcher;
  // For the watcher.
  void *watcher_data;
  // Frees `watcher_data` when the watch is gone or was never left: whatever happens, it is called
  // once.
  zkc_drop_fn watcher_drop;
  // Where the number of the call is written for `zkc_cancel`; may be NULL.
  uint64_t *ticket;
} zkc_call_t;

// One operation. Set it to zero first; what an operation does not name is not looked at. Borrowed
// for the call only.
typedef struct zkc_op_t {
  // `ZKC_OP_*`.
  int32_t op;
  // The version that the znode must have; -1 takes any.
  int32_t version;
  // The znode.
  const char *path;
  // The data; NULL with a length of 0 is null data.
  const void *data;
  // Bytes of the data.
  size_t length;
  // The ACL; NULL with a count of 0 is the open one.
  const struct zkc_acl_t *acl;
  // Entries of the ACL.
  size_t acl_count;
  // `ZKC_PERSISTENT` or another.
  int32_t mode;
  // Always 0.
  int32_t reserved;
  // 1 or more for a TTL mode, else 0.
  int64_t ttl_ms;
} zkc_op_t;

// Is told of a change in a cache: `ZKC_EVENT_CHANGED` or `ZKC_EVENT_DELETED` with a path, or
// `ZKC_EVENT_SESSION` with "" when the whole subtree was read. Runs where watchers run.
typedef void (*zkc_cache_fn)(int32_t kind, const char *path, void *user_data);

// Gets a line, without a line end: its level (`ZKC_LOG_*`), the part of the library that says it,
// and the words. Both texts are borrowed. Runs on any thread, and must not call the library. No
// data of znodes and no credentials are in it.
typedef void (*zkc_log_fn)(int32_t level,
                           const char *part,
                           const char *line,
                           void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Words for a code; never NULL, static. Any number may be given.
const char *zkc_strerror(int32_t code);

// The version of the library that runs, as `major.minor.patch`; static.
const char *zkc_version(void);

// Frees a result of a blocking call. NULL is nothing to free. Not for results in a completion.
void zkc_result_free(struct zkc_result_t *result);

// The code: `ZKC_OK`, or why the call failed. `ZKC_BAD_ARGUMENTS` for NULL.
int32_t zkc_result_code(const struct zkc_result_t *result);

// Words for what happened, with the values that matter; never NULL.
const char *zkc_result_message(const struct zkc_result_t *result);

// Whether a call that failed may have been executed all the same: 1 or 0.
int32_t zkc_result_maybe_executed(const struct zkc_result_t *result);

// The path that was created; NULL when nothing was.
const char *zkc_result_path(const struct zkc_result_t *result);

// The data, and into `length` (which may be NULL) how many bytes; no NUL stands behind them. NULL
// when there is none: null data or another call; empty data are not NULL.
const void *zkc_result_data(const struct zkc_result_t *result,
                            size_t *length);

// The stat; NULL when the call brings none.
const struct zkc_stat_t *zkc_result_stat(const struct zkc_result_t *result);

// How many strings, entries of an ACL, identities or results of a multi there are.
size_t zkc_result_count(const struct zkc_result_t *result);

// A string of a list: children, ephemerals. NULL behind the last.
const char *zkc_result_string(const struct zkc_result_t *result, size_t index);

// An entry of an ACL, or an identity (whose perms are 0). `ZKC_BAD_ARGUMENTS` behind the last.
int32_t zkc_result_acl(const struct zkc_result_t *result,
                       size_t index,
                       struct zkc_acl_t *out);

// The number: of all children, the fencing token of a claim or lock, the value of a counter.
int64_t zkc_result_number(const struct zkc_result_t *result);

// The result of one operation of a multi, borrowed from the whole. NULL behind the last.
const struct zkc_result_t *zkc_result_item(const struct zkc_result_t *result,
                                           size_t index);

// Fills a `zkc_options_t` with the usual values. Give `sizeof(zkc_options_t)`.
int32_t zkc_options_init(struct zkc_options_t *options, size_t size);

// Opens a handle without waiting for a server: calls may be made at once. `options` may be NULL.
// Writes the handle to `out`, which must not be NULL; NULL on an error: `ZKC_BAD_ARGUMENTS` for
// options that are wrong, `ZKC_SYSTEM_ERROR` when threads or descriptors are missing.
int32_t zkc_open(const struct zkc_options_t *options,
                 struct zkc_client_t **out);

// As `zkc_open`, and waits until the session stands, for at most the call timeout:
// `ZKC_OPERATION_TIMEOUT` when it does not, `ZKC_SESSION_EXPIRED` when the one to go on with is
// over.
int32_t zkc_connect(const struct zkc_options_t *options,
                    struct zkc_client_t **out);

// Ends the session and the handle: ephemerals and watches go. Calls before it are answered first;
// every completion has run when it returns, unless it is called in a callback, which it does not
// wait for. Waits at most three seconds for the server. A handle that is closed gives
// `ZKC_CLOSING`. In a forked child the parent's session goes on, and `ZKC_API_ERROR` says so.
int32_t zkc_close(struct zkc_client_t *client);

// The state, `ZKC_STATE_*`; `ZKC_STATE_CLOSED` for a handle that is closed or NULL.
int32_t zkc_state(const struct zkc_client_t *client);

// Waits until the session stands, for at most so many ms (0: as long as it takes).
int32_t zkc_wait_connected(struct zkc_client_t *client, uint64_t wait_ms);

// The session: its id (0 before there is one), password and granted timeout in ms, for another
// handle to go on with. Each of the three may be NULL; `password` is 16 bytes.
int32_t zkc_session(const struct zkc_client_t *client,
                    int64_t *id,
                    uint8_t *password,
                    int32_t *timeout_ms);

// Writes the address of the server, as `ip:port` with a NUL, into `buffer` of `size` bytes (64
// are enough); "" when none is connected or being connected.
int32_t zkc_server(const struct zkc_client_t *client,
                   char *buffer,
                   size_t size);

// Takes another list of servers, without a chroot. The handle moves with the probability that
// balances the servers; the session goes on.
int32_t zkc_set_servers(struct zkc_client_t *client,
                        const char *servers);

// Calls without an answer.
uint64_t zkc_outstanding(const struct zkc_client_t *client);

// With `ZKC_OPEN_LOOP`: the descriptor to watch for reading. It stays the same, belongs to the
// handle, and must not be read or closed. `ZKC_INVALID_STATE` for other handles.
int32_t zkc_fd(const struct zkc_client_t *client,
               int32_t *fd);

// With `ZKC_OPEN_LOOP`: in how many ms `zkc_process` is due although the descriptor says nothing;
// -1 for never. Ask again after every `zkc_process`.
int32_t zkc_wait_ms(struct zkc_client_t *client,
                    int64_t *wait_ms);

// With `ZKC_OPEN_LOOP`: does what is due and runs callbacks in this thread. Waits at most
// `wait_ms` for something to do; 0 when the caller's loop has waited. Not inside a callback.
int32_t zkc_process(struct zkc_client_t *client,
                    uint64_t wait_ms);

// Fills a `zkc_call_t` with what NULL would mean. Give `sizeof(zkc_call_t)`, so that a library
// that is newer than the program writes no more than the program has.
int32_t zkc_call_init(struct zkc_call_t *call,
                      size_t size);

// Gives a call up: its completion is called with `ZKC_OPERATION_TIMEOUT`, unless the answer was
// quicker, which `ZKC_NOTHING` says.
int32_t zkc_cancel(struct zkc_client_t *client,
                   uint64_t ticket);

// Creates a znode. `data` NULL with a `length` of 0 is null data; `acl` NULL with a count of 0 is
// the open one. `ttl_ms` is 1 or more for `ZKC_TTL*` and 0 for every other mode. Result: path and
// stat.
int32_t zkc_create(struct zkc_client_t *client,
                   const char *path,
                   const void *data,
                   size_t length,
                   const struct zkc_acl_t *acl,
                   size_t acl_count,
                   int32_t mode,
                   int64_t ttl_ms,
                   const struct zkc_call_t *call,
                   struct zkc_result_t **out);

// Deletes a znode without children. `version` -1 takes any.
int32_t zkc_delete(struct zkc_client_t *client,
                   const char *path,
                   int32_t version,
                   const struct zkc_call_t *call,
                   struct zkc_result_t **out);

// The stat of a znode; `ZKC_NO_NODE` when there is none, and a watch is left all the same.
int32_t zkc_exists(struct zkc_client_t *client,
                   const char *path,
                   const struct zkc_call_t *call,
                   struct zkc_result_t **out);

// Data and stat of a znode.
int32_t zkc_get(struct zkc_client_t *client,
                const char *path,
                const struct zkc_call_t *call,
                struct zkc_result_t **out);

// Sets the data of a znode; `version` -1 takes any. Result: the stat.
int32_t zkc_set(struct zkc_client_t *client,
                const char *path,
                const void *data,
                size_t length,
                int32_t version,
                const struct zkc_call_t *call,
                struct zkc_result_t **out);

// Names of the children, in no order, and the stat.
int32_t zkc_children(struct zkc_client_t *client,
                     const char *path,
                     const struct zkc_call_t *call,
                     struct zkc_result_t **out);

// The ACL and the stat of a znode.
int32_t zkc_get_acl(struct zkc_client_t *client,
                    const char *path,
                    const struct zkc_call_t *call,
                    struct zkc_result_t **out);

// Sets the ACL; `version` is that of the ACL, -1 takes any. Result: the stat.
int32_t zkc_set_acl(struct zkc_client_t *client,
                    const char *path,
                    const struct zkc_acl_t *acl,
                    size_t acl_count,
                    int32_t version,
                    const struct zkc_call_t *call,
                    struct zkc_result_t **out);

// Waits until the server has everything that the leader had when the call came: what is read next
// is no older than that.
int32_t zkc_sync(struct zkc_client_t *client,
                 const char *path,
                 const struct zkc_call_t *call,
                 struct zkc_result_t **out);

// Paths of this session's ephemerals that begin with `prefix`, in no order.
int32_t zkc_ephemerals(struct zkc_client_t *client,
                       const char *prefix,
                       const struct zkc_call_t *call,
                       struct zkc_result_t **out);

// Number of all znodes below a path, as `zkc_result_number`.
int32_t zkc_all_children_number(struct zkc_client_t *client,
                                const char *path,
                                const struct zkc_call_t *call,
                                struct zkc_result_t **out);

// Scheme and id of each identity of the session, as `zkc_result_acl`.
int32_t zkc_who_am_i(struct zkc_client_t *client,
                     const struct zkc_call_t *call,
                     struct zkc_result_t **out);

// The members of the ensemble, as data: `/zookeeper/config`, whatever the chroot.
int32_t zkc_get_config(struct zkc_client_t *client,
                       const struct zkc_call_t *call,
                       struct zkc_result_t **out);

// Changes the members: `joining` (`server.N=...` lines, separated by commas) and `leaving` (ids),
// or `members` as a whole; what is not meant is NULL. `version` is that of the configuration, -1
// takes any. Result: the new configuration as data.
int32_t zkc_reconfig(struct zkc_client_t *client,
                     const char *joining,
                     const char *leaving,
                     const char *members,
                     int64_t version,
                     const struct zkc_call_t *call,
                     struct zkc_result_t **out);

// Adds an identity to the session, for `digest` by `user:password`; it is sent anew on every
// connection. A refusal ends the session (`ZKC_AUTH_FAILED`).
int32_t zkc_add_auth(struct zkc_client_t *client,
                     const char *scheme,
                     const void *auth,
                     size_t length,
                     const struct zkc_call_t *call,
                     struct zkc_result_t **out);

// Does all operations or none. The code is that of the operation that failed; each has a result of
// its own (`zkc_result_item`): `ZKC_OK` before the one that failed, `ZKC_RUNTIME_INCONSISTENCY`
// behind it.
int32_t zkc_multi(struct zkc_client_t *client,
                  const struct zkc_op_t *ops,
                  size_t count,
                  const struct zkc_call_t *call,
                  struct zkc_result_t **out);

// Reads several znodes as they stand at one moment; each has a result of its own.
int32_t zkc_multi_read(struct zkc_client_t *client,
                       const struct zkc_op_t *ops,
                       size_t count,
                       const struct zkc_call_t *call,
                       struct zkc_result_t **out);

// Leaves a watch that stays: `call` must name its watcher. Needs a server of 3.6 or later.
int32_t zkc_add_watch(struct zkc_client_t *client,
                      const char *path,
                      int32_t mode,
                      const struct zkc_call_t *call,
                      struct zkc_result_t **out);

// Removes all watches of a kind (`ZKC_WATCHES_*`) from a path, here and on the server. Their data
// is dropped; no watcher is told. `ZKC_NO_WATCHER` when there is none.
int32_t zkc_remove_watches(struct zkc_client_t *client,
                           const char *path,
                           int32_t kind,
                           const struct zkc_call_t *call,
                           struct zkc_result_t **out);

// Whether the server has a watch of that kind of this session; `ZKC_NO_WATCHER` when not.
int32_t zkc_check_watches(struct zkc_client_t *client,
                          const char *path,
                          int32_t kind,
                          const struct zkc_call_t *call,
                          struct zkc_result_t **out);

// Waits for a lock at a path, first come first served.
int32_t zkc_lock(struct zkc_client_t *client,
                 const char *path,
                 int64_t wait_ms,
                 struct zkc_held_t **out);

// Waits until no writer is before us; any number of readers hold the lock together.
int32_t zkc_read_lock(struct zkc_client_t *client,
                      const char *path,
                      int64_t wait_ms,
                      struct zkc_held_t **out);

// Waits until nobody is before us, reader or writer.
int32_t zkc_write_lock(struct zkc_client_t *client,
                       const char *path,
                       int64_t wait_ms,
                       struct zkc_held_t **out);

// Waits for one of so many permits; all who use a path must give the same number, at least 1.
int32_t zkc_semaphore(struct zkc_client_t *client,
                      const char *path,
                      uint32_t permits,
                      int64_t wait_ms,
                      struct zkc_held_t **out);

// Stands for election under a name, and waits until it is won.
int32_t zkc_elect(struct zkc_client_t *client,
                  const char *path,
                  const void *name,
                  size_t length,
                  int64_t wait_ms,
                  struct zkc_held_t **out);

// Who leads: the name as data and the term as number; `ZKC_NOTHING` when nobody does.
int32_t zkc_leader(struct zkc_client_t *client,
                   const char *path,
                   struct zkc_result_t **out);

// The fencing token: larger for every later holder. 0 for NULL.
int64_t zkc_held_token(const struct zkc_held_t *held);

// `ZKC_HELD`, `ZKC_SUSPECT` or `ZKC_LOST`; `ZKC_LOST` for NULL.
int32_t zkc_held_state(const struct zkc_held_t *held);

// Gives back what is held, and frees it, whatever the code. On an error it may be held until the
// session ends. `ZKC_BAD_ARGUMENTS` for NULL.
int32_t zkc_release(struct zkc_held_t *held);

// Adds an item to a queue; `priority` 0 (leaves first) to 999, usually 100.
int32_t zkc_queue_put(struct zkc_client_t *client,
                      const char *path,
                      const void *data,
                      size_t length,
                      uint32_t priority);

// Takes the first item: it is removed before it is handed out, as data. At most once.
int32_t zkc_queue_take(struct zkc_client_t *client,
                       const char *path,
                       int64_t wait_ms,
                       struct zkc_result_t **out);

// Claims the first item that nobody has claimed: it is removed when it is done. At least once.
int32_t zkc_queue_claim(struct zkc_client_t *client,
                        const char *path,
                        int64_t wait_ms,
                        struct zkc_claim_t **out);

// The item, borrowed from the claim, and into `length` its bytes. NULL for NULL.
const void *zkc_claim_data(const struct zkc_claim_t *claim, size_t *length);

// The fencing token: larger for every later claim. 0 for NULL.
int64_t zkc_claim_token(const struct zkc_claim_t *claim);

// Removes the item and frees the claim, whatever the code. `ZKC_NO_NODE` says that the claim was
// lost with the session, and that somebody else has the item or had it.
int32_t zkc_claim_done(struct zkc_claim_t *claim);

// Gives the item back to the queue and frees the claim. NULL is nothing to give back.
void zkc_claim_drop(struct zkc_claim_t *claim);

// Adds to a counter and writes the new value to `value`, which may be NULL.
int32_t zkc_counter_add(struct zkc_client_t *client,
                        const char *path,
                        int64_t difference,
                        int64_t *value);

// Sets a barrier: everybody waits.
int32_t zkc_barrier_set(struct zkc_client_t *client, const char *path);

// Removes a barrier: everybody goes on.
int32_t zkc_barrier_remove(struct zkc_client_t *client, const char *path);

// Waits until a barrier is not there.
int32_t zkc_barrier_wait(struct zkc_client_t *client, const char *path, int64_t wait_ms);

// Enters a double barrier of `count` participants, at least 1, and waits until all are there. Use
// a new path for each round. On `ZKC_NOTHING` it has left again, and `out` is NULL.
int32_t zkc_double_barrier_enter(struct zkc_client_t *client,
                                 const char *path,
                                 uint32_t count,
                                 int64_t wait_ms,
                                 struct zkc_double_barrier_t **out);

// Leaves a double barrier and waits until all have. After `ZKC_NOTHING` it may be called again.
int32_t zkc_double_barrier_leave(struct zkc_double_barrier_t *barrier,
                                 int64_t wait_ms);

// Frees a place in a double barrier; it is left with the session at the latest. NULL is allowed.
void zkc_double_barrier_free(struct zkc_double_barrier_t *barrier);

// Begins a copy of a subtree. `told` may be NULL; `drop` frees `user_data` when the cache is gone,
// or at once when this returns an error.
int32_t zkc_cache_open(struct zkc_client_t *client,
                       const char *path,
                       zkc_cache_fn told,
                       void *user_data,
                       zkc_drop_fn drop,
                       struct zkc_cache_t **out);

// Waits until the whole subtree was read on this connection.
int32_t zkc_cache_wait(const struct zkc_cache_t *cache, int64_t wait_ms);

// A znode of the copy: data, stat, and the names of its children, sorted. `ZKC_NO_NODE` when it
// holds none at this path. Asks nobody.
int32_t zkc_cache_get(const struct zkc_cache_t *cache,
                      const char *path,
                      struct zkc_result_t **out);

// Frees a cache and removes its watch. NULL is nothing to free.
void zkc_cache_free(struct zkc_cache_t *cache);

// Says who hears the lines of all handles of this process up to a level, in the place of who heard
// them before; NULL for nobody. `drop` frees `user_data` when another takes its place, or at once
// when this fails. `ZKC_INVALID_STATE` in a program of Rust that has a logger of its own.
int32_t zkc_set_log(int32_t level,
                    zkc_log_fn told,
                    void *user_data,
                    zkc_drop_fn drop);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ZKCLIENT_H */
