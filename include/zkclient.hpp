/* zkclient.hpp - a thin C++17 layer over zkclient.h: RAII and std::future, nothing else.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Errors of blocking calls are exceptions (zkc::Error). Completions and watchers run where those of
 * the C API run, and must not throw. A Client may be used by any thread; it is closed when the last
 * copy is gone, or by close().
 */
#ifndef ZKCLIENT_HPP
#define ZKCLIENT_HPP

#include "zkclient.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zkc {

/* A call that failed. */
class Error : public std::runtime_error {
 public:
  Error(std::int32_t code, const std::string &what, bool maybe_executed = false)
      : std::runtime_error(what), code_(code), maybe_executed_(maybe_executed) {}
  /* ZKC_NO_NODE or another. */
  std::int32_t code() const noexcept { return code_; }
  /* Whether it may have been executed all the same. */
  bool maybe_executed() const noexcept { return maybe_executed_; }

 private:
  std::int32_t code_;
  bool maybe_executed_;
};

inline void check(std::int32_t code) {
  if (code != ZKC_OK) throw Error(code, zkc_strerror(code));
}

/* What a call has brought, copied out of the C result. */
struct Result {
  std::int32_t code = ZKC_OK;
  std::string message;
  bool maybe_executed = false;
  std::string path;
  std::optional<std::string> data;
  zkc_stat_t stat{};
  std::vector<std::string> strings;
  std::int64_t number = 0;
  std::vector<Result> items;

  static Result of(const zkc_result_t *from) {
    Result to;
    to.code = zkc_result_code(from);
    to.message = zkc_result_message(from);
    to.maybe_executed = zkc_result_maybe_executed(from) != 0;
    if (const char *path = zkc_result_path(from)) to.path = path;
    std::size_t length = 0;
    if (const void *data = zkc_result_data(from, &length)) {
      to.data = std::string(static_cast<const char *>(data), length);
    }
    if (const zkc_stat_t *stat = zkc_result_stat(from)) to.stat = *stat;
    for (std::size_t i = 0; const char *text = zkc_result_string(from, i); ++i) {
      to.strings.emplace_back(text);
    }
    to.number = zkc_result_number(from);
    for (std::size_t i = 0; const zkc_result_t *item = zkc_result_item(from, i); ++i) {
      to.items.push_back(of(item));
    }
    return to;
  }

  /* This result, or an exception when the call failed. */
  Result checked() && {
    if (code != ZKC_OK) throw Error(code, message, maybe_executed);
    return std::move(*this);
  }
};

/* What happened. */
struct Event {
  std::int32_t kind;
  std::int32_t state;
  std::string path;
  std::int64_t zxid;
};

using Watcher = std::function<void(const Event &)>;

/* How a client behaves: the C options, and a watcher of the session's states. */
struct Options {
  std::string servers = "localhost:2181";
  std::chrono::milliseconds session_timeout{30000};
  std::chrono::milliseconds call_timeout{30000};
  std::uint32_t flags = 0;
  Watcher watcher;
};

namespace detail {

inline void told(const zkc_event_t *event, void *data) {
  (*static_cast<Watcher *>(data))(Event{event->kind, event->state, event->path, event->zxid});
}

inline void drop_watcher(void *data) { delete static_cast<Watcher *>(data); }

inline void fulfil(const zkc_result_t *result, void *data) {
  auto *promise = static_cast<std::promise<Result> *>(data);
  try {
    promise->set_value(Result::of(result).checked());
  } catch (...) {
    promise->set_exception(std::current_exception());
  }
}

inline void drop_promise(void *data) { delete static_cast<std::promise<Result> *>(data); }

inline std::int64_t wait_ms(std::optional<std::chrono::milliseconds> wait) {
  return wait ? wait->count() : -1;
}

}  // namespace detail

/* A lock, a permit or the leadership: given back when it goes out of scope. */
class Held {
 public:
  explicit Held(zkc_held_t *held) : held_(held) {}
  /* Larger for every later holder. */
  std::int64_t token() const { return zkc_held_token(held_.get()); }
  /* ZKC_HELD, ZKC_SUSPECT or ZKC_LOST. */
  std::int32_t state() const { return zkc_held_state(held_.get()); }
  /* Gives it back and says whether that worked. */
  void release() { check(zkc_release(held_.release())); }

 private:
  struct Release {
    void operator()(zkc_held_t *held) const { zkc_release(held); }
  };
  std::unique_ptr<zkc_held_t, Release> held_;
};

/* A session. Copies share it. */
class Client {
 public:
  /* Opens a session and waits until it stands. */
  explicit Client(const Options &options) {
    zkc_options_t raw;
    check(zkc_options_init(&raw, sizeof raw));
    raw.servers = options.servers.c_str();
    raw.session_timeout_ms = static_cast<std::int32_t>(options.session_timeout.count());
    raw.call_timeout_ms = static_cast<std::uint64_t>(options.call_timeout.count());
    raw.flags = options.flags;
    std::unique_ptr<Watcher> watcher;
    if (options.watcher) {
      watcher = std::make_unique<Watcher>(options.watcher);
      raw.watcher = detail::told;
      raw.user_data = watcher.get();
      raw.drop = detail::drop_watcher;
    }
    zkc_client_t *client = nullptr;
    check((options.flags & ZKC_OPEN_LOOP) != 0 ? zkc_open(&raw, &client)
                                               : zkc_connect(&raw, &client));
    watcher.release();
    client_ = std::shared_ptr<zkc_client_t>(client, [](zkc_client_t *it) { zkc_close(it); });
  }

  /* The C handle, for what this layer does not have. */
  zkc_client_t *get() const noexcept { return client_.get(); }
  std::int32_t state() const { return zkc_state(get()); }
  /* Ends the session for all copies. */
  void close() { check(zkc_close(get())); }

  /* Blocking calls. */
  std::string create(const std::string &path, std::string_view data = {},
                     std::int32_t mode = ZKC_PERSISTENT, std::int64_t ttl_ms = 0) {
    return run([&](const zkc_call_t *how, zkc_result_t **out) {
             return zkc_create(get(), path.c_str(), bytes(data), data.size(), nullptr, 0, mode,
                               ttl_ms, how, out);
           })
        .path;
  }
  void remove(const std::string &path, std::int32_t version = -1) {
    run([&](const zkc_call_t *how, zkc_result_t **out) {
      return zkc_delete(get(), path.c_str(), version, how, out);
    });
  }
  /* The stat, or nothing when the znode is not there. */
  std::optional<zkc_stat_t> exists(const std::string &path, Watcher watcher = {}) {
    try {
      return run([&](const zkc_call_t *how, zkc_result_t **out) {
               return zkc_exists(get(), path.c_str(), how, out);
             },
                 std::move(watcher))
          .stat;
    } catch (const Error &error) {
      if (error.code() == ZKC_NO_NODE) return std::nullopt;
      throw;
    }
  }
  Result get(const std::string &path, Watcher watcher = {}) {
    return run([&](const zkc_call_t *how,
                   zkc_result_t **out) { return zkc_get(get(), path.c_str(), how, out); },
               std::move(watcher));
  }
  zkc_stat_t set(const std::string &path, std::string_view data, std::int32_t version = -1) {
    return run([&](const zkc_call_t *how, zkc_result_t **out) {
             return zkc_set(get(), path.c_str(), bytes(data), data.size(), version, how, out);
           })
        .stat;
  }
  std::vector<std::string> children(const std::string &path, Watcher watcher = {}) {
    return run([&](const zkc_call_t *how,
                   zkc_result_t **out) { return zkc_children(get(), path.c_str(), how, out); },
               std::move(watcher))
        .strings;
  }
  void sync(const std::string &path) {
    run([&](const zkc_call_t *how, zkc_result_t **out) {
      return zkc_sync(get(), path.c_str(), how, out);
    });
  }
  /* Leaves a watch that stays: ZKC_WATCH_PERSISTENT or ZKC_WATCH_RECURSIVE. */
  void watch(const std::string &path, std::int32_t mode, Watcher watcher) {
    run([&](const zkc_call_t *how, zkc_result_t **out) {
          return zkc_add_watch(get(), path.c_str(), mode, how, out);
        },
        std::move(watcher));
  }

  /* The same with futures; an exception waits in the future. */
  std::future<Result> async_create(const std::string &path, std::string_view data = {},
                                   std::int32_t mode = ZKC_PERSISTENT, std::int64_t ttl_ms = 0) {
    return start([&](const zkc_call_t *how) {
      return zkc_create(get(), path.c_str(), bytes(data), data.size(), nullptr, 0, mode, ttl_ms,
                        how, nullptr);
    });
  }
  std::future<Result> async_remove(const std::string &path, std::int32_t version = -1) {
    return start([&](const zkc_call_t *how) {
      return zkc_delete(get(), path.c_str(), version, how, nullptr);
    });
  }
  std::future<Result> async_get(const std::string &path) {
    return start(
        [&](const zkc_call_t *how) { return zkc_get(get(), path.c_str(), how, nullptr); });
  }
  std::future<Result> async_set(const std::string &path, std::string_view data,
                                std::int32_t version = -1) {
    return start([&](const zkc_call_t *how) {
      return zkc_set(get(), path.c_str(), bytes(data), data.size(), version, how, nullptr);
    });
  }
  std::future<Result> async_children(const std::string &path) {
    return start(
        [&](const zkc_call_t *how) { return zkc_children(get(), path.c_str(), how, nullptr); });
  }

  /* A lock; nothing when the time was over (no time given: waits for as long as it takes). */
  std::optional<Held> lock(const std::string &path,
                           std::optional<std::chrono::milliseconds> wait = std::nullopt) {
    zkc_held_t *held = nullptr;
    return hold(zkc_lock(get(), path.c_str(), detail::wait_ms(wait), &held), held);
  }
  /* The leadership, likewise. */
  std::optional<Held> elect(const std::string &path, std::string_view name,
                            std::optional<std::chrono::milliseconds> wait = std::nullopt) {
    zkc_held_t *held = nullptr;
    return hold(zkc_elect(get(), path.c_str(), bytes(name), name.size(), detail::wait_ms(wait),
                          &held),
                held);
  }

 private:
  /* An empty view is empty data, not null data. */
  static const void *bytes(std::string_view data) { return data.empty() ? "" : data.data(); }

  static std::optional<Held> hold(std::int32_t code, zkc_held_t *held) {
    if (code == ZKC_NOTHING) return std::nullopt;
    check(code);
    return Held(held);
  }

  template <typename Call>
  Result run(Call call, Watcher watcher = {}) {
    zkc_call_t how;
    check(zkc_call_init(&how, sizeof how));
    if (watcher) {
      how.watcher = detail::told;
      how.watcher_data = new Watcher(std::move(watcher));
      how.watcher_drop = detail::drop_watcher;
    }
    zkc_result_t *raw = nullptr;
    const std::int32_t code = call(&how, &raw);
    if (raw == nullptr) throw Error(code, zkc_strerror(code));
    std::unique_ptr<zkc_result_t, void (*)(zkc_result_t *)> owned(raw, zkc_result_free);
    return Result::of(raw).checked();
  }

  template <typename Call>
  std::future<Result> start(Call call) {
    auto promise = std::make_unique<std::promise<Result>>();
    std::future<Result> future = promise->get_future();
    zkc_call_t how;
    check(zkc_call_init(&how, sizeof how));
    how.completion = detail::fulfil;
    how.user_data = promise.get();
    how.drop = detail::drop_promise;
    check(call(&how));
    promise.release();
    return future;
  }

  std::shared_ptr<zkc_client_t> client_;
};

}  // namespace zkc

#endif /* ZKCLIENT_HPP */
