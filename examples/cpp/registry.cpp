// A service registry: each instance is an ephemeral znode.
//
//   c++ -std=c++17 registry.cpp $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
#include <iostream>
#include <zkclient.hpp>

int main(int argc, char **argv) try {
  zkc::Options options;
  if (argc > 1) options.servers = argv[1];
  options.watcher = [](const zkc::Event &event) {
    // The instance is listed again by itself when the connection comes back in time.
    if (event.state == ZKC_STATE_EXPIRED) std::cerr << "the session is over\n";
  };
  zkc::Client client(options);
  if (!client.exists("/examples-services")) client.create("/examples-services");
  client.create("/examples-services/web-", "127.0.0.1:8080", ZKC_EPHEMERAL_SEQUENTIAL);
  for (const auto &name : client.children("/examples-services")) {
    std::cout << name << " at " << client.get("/examples-services/" + name).data.value_or("?")
              << "\n";
  }
  std::cout << "done" << std::endl;
} catch (const zkc::Error &error) {
  std::cerr << "registry: " << error.what() << std::endl;
  return 1;
}
