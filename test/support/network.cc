#include "test/support/network.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "test/support/process.h"

namespace hsmops::test {
namespace {

constexpr const char* kOwnSpace = "/proc/thread-self/ns/net";

int OpenSpace() {
  const int space = open(kOwnSpace, O_RDONLY | O_CLOEXEC);
  REQUIRE(space >= 0);
  return space;
}

int NewSpace() {
  int space = -1;
  int error = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      error = errno;
    } else {
      space = open(kOwnSpace, O_RDONLY | O_CLOEXEC);
    }
  }).join();
  REQUIRE_MESSAGE(space >= 0,
                  "this tier makes network namespaces, which were refused (run it as root): ",
                  std::strerror(error));
  return space;
}

void Command(std::vector<std::string> argv, const std::string& input) {
  const std::string program = argv.front();
  const Ended ended = Run(std::move(argv), {.env = {}, .folder = {}, .input = input});
  REQUIRE_MESSAGE(ended.code == 0, program, " refused: ", ended.err, input);
}

std::string PathOf(int space) { return fmt::format("/proc/{}/fd/{}", getpid(), space); }

}  // namespace

Network::Visit::Visit(const Network& network, const std::string& node)
    : Visit(network.nodes_.at(node).space) {}

Network::Visit::Visit(int space) : home_(OpenSpace()) { REQUIRE(setns(space, CLONE_NEWNET) == 0); }

Network::Visit::~Visit() {
  (void)setns(home_, CLONE_NEWNET);  // it was there before
  close(home_);
}

Network::Network(const std::vector<std::string>& nodes) : hub_(NewSpace()) {
  std::string links = "link add bridge type bridge\nlink set bridge up\n";
  for (const std::string& node : nodes) {
    Node& made = nodes_[node];
    made.space = NewSpace();
    made.address = fmt::format("10.77.0.{}", nodes_.size() + 10);
    links += fmt::format("link add name {0} type veth peer name eth0 netns {1}\n", node,
                         PathOf(made.space));
    links += fmt::format("link set dev {0} master bridge\nlink set dev {0} up\n", node);
  }
  {
    const Visit hub(hub_);
    Command({"ip", "-batch", "-"}, links);
  }
  for (const auto& [name, node] : nodes_) {
    const Visit visit(node.space);
    Command({"ip", "-batch", "-"},
            fmt::format("link set lo up\nlink set eth0 up\naddress add {}/24 dev eth0\n",
                        node.address));
  }
}

Network::~Network() {
  for (const auto& [name, node] : nodes_) close(node.space);
  close(hub_);
}

void Network::Lose(const std::string& from, const std::string& to, int percent) {
  verdicts_[{from, to}] =
      percent < 100 ? fmt::format("numgen random mod 100 < {} drop", percent) : "drop";
  Apply(to);
}

void Network::Cut(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  CutOneWay(one, other);
  CutOneWay(other, one);
}

void Network::CutOneWay(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  for (const std::string& receiver : to) {
    for (const std::string& sender : from) verdicts_[{sender, receiver}] = "drop";
    Apply(receiver);
  }
}

void Network::Refuse(const std::string& from, const std::string& to) {
  verdicts_[{from, to}] = "meta l4proto tcp reject with tcp reset";
  Apply(to);
}

void Network::Heal() {
  verdicts_.clear();
  for (const auto& [name, node] : nodes_) Apply(name);
}

void Network::Apply(const std::string& node) const {
  std::string rules;
  for (const auto& [way, verdict] : verdicts_) {
    if (way.second == node)
      rules += fmt::format("    ip saddr {} {}\n", AddressOf(way.first), verdict);
  }
  const Visit visit(*this, node);
  Command({"nft", "-f", "-"},
          fmt::format("flush ruleset\ntable inet faults {{\n  chain in {{\n    type filter hook "
                      "input priority 0;\n{}  }}\n}}\n",
                      rules));
}

}  // namespace hsmops::test
