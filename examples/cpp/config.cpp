// A configuration watcher: a watch that stays tells of every change below a znode.
//
//   c++ -std=c++17 config.cpp $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
#include <future>
#include <iostream>
#include <memory>
#include <zkclient.hpp>

int main(int argc, char **argv) try {
  zkc::Options options;
  if (argc > 1) options.servers = argv[1];
  zkc::Client client(options);
  if (!client.exists("/examples-config")) client.create("/examples-config", "v1");
  auto changed = std::make_shared<std::promise<std::string>>();
  auto seen = changed->get_future();
  client.watch("/examples-config", ZKC_WATCH_PERSISTENT, [changed](const zkc::Event &event) {
    if (event.kind == ZKC_EVENT_CHANGED) changed->set_value(event.path);
  });
  client.set("/examples-config", "v2");
  std::cout << "changed: " << seen.get() << "\n";
  std::cout << "now " << client.get("/examples-config").data.value_or("") << "\n";
  std::cout << "done" << std::endl;
} catch (const zkc::Error &error) {
  std::cerr << "config: " << error.what() << std::endl;
  return 1;
}
