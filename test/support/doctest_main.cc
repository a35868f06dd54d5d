// The main of every doctest binary here. A peer that goes away must be an error that a test can
// see, not a signal that ends it: p11-kit's client module writes to a socket without MSG_NOSIGNAL.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  doctest::Context context(argc, argv);
  return context.run();
}
