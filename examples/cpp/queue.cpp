// A pipeline of writes and reads by futures: all are under way at once.
//
//   c++ -std=c++17 queue.cpp $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
#include <algorithm>
#include <iostream>
#include <vector>
#include <zkclient.hpp>

int main(int argc, char **argv) try {
  zkc::Options options;
  if (argc > 1) options.servers = argv[1];
  zkc::Client client(options);
  if (!client.exists("/examples-queue")) client.create("/examples-queue");
  std::vector<std::future<zkc::Result>> puts;
  for (int i = 0; i < 100; i++) {
    puts.push_back(client.async_create("/examples-queue/item-", std::to_string(i),
                                       ZKC_PERSISTENT_SEQUENTIAL));
  }
  for (auto &put : puts) put.get();
  auto items = client.children("/examples-queue");
  std::sort(items.begin(), items.end());
  for (const auto &item : items) {
    const std::string path = "/examples-queue/" + item;
    auto data = client.async_get(path).get().data;
    client.remove(path);
    if (!data) return 1;
  }
  std::cout << items.size() << " items\ndone" << std::endl;
} catch (const zkc::Error &error) {
  std::cerr << "queue: " << error.what() << std::endl;
  return 1;
}
