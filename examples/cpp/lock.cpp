// A lock with its fencing token, given back when it goes out of scope.
//
//   c++ -std=c++17 lock.cpp $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
#include <iostream>
#include <zkclient.hpp>

int main(int argc, char **argv) try {
  zkc::Options options;
  if (argc > 1) options.servers = argv[1];
  zkc::Client client(options);
  if (auto held = client.lock("/examples/lock", std::chrono::seconds(30))) {
    std::cout << "held, token " << held->token() << "\n";
  }
  std::cout << "done" << std::endl;
} catch (const zkc::Error &error) {
  std::cerr << "lock: " << error.what() << std::endl;
  return 1;
}
