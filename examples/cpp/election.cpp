// Leader election: the first candidate leads until it goes out of scope or dies.
//
//   c++ -std=c++17 election.cpp $(pkg-config --cflags --libs zkclient) && ./a.out localhost:2181
#include <iostream>
#include <zkclient.hpp>

int main(int argc, char **argv) try {
  zkc::Options options;
  if (argc > 1) options.servers = argv[1];
  zkc::Client client(options);
  auto leadership = client.elect("/examples/election", "one");
  if (leadership && leadership->state() == ZKC_HELD) {
    std::cout << "leads in term " << leadership->token() << "\n";
  }
  std::cout << "done" << std::endl;
} catch (const zkc::Error &error) {
  std::cerr << "election: " << error.what() << std::endl;
  return 1;
}
