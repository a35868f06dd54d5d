#include "test/net/relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "test/support/socket.h"

namespace hsmops::test {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kPollMs = 20;

// What came from one end and is due at the other.
class OneWay {
 public:
  OneWay(int from, int to) : from_(from), to_(to) {}

  bool open() const { return open_; }
  int from() const { return from_; }

  // After poll said that there is something.
  void Take(SteadyTime due) {
    char buffer[16384];
    const ssize_t count = recv(from_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0) return;
    pieces_.push_back({due, std::string(buffer, static_cast<std::size_t>(count))});
    if (count == 0) reads_ = false;
  }
  bool reads() const { return reads_; }

  void PassOn(SteadyTime now) {
    for (; open_ && !pieces_.empty() && pieces_.front().due <= now; pieces_.pop_front()) {
      const std::string& bytes = pieces_.front().bytes;
      const bool passed = !bytes.empty() && send(to_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                                                static_cast<ssize_t>(bytes.size());
      if (passed) continue;
      (void)shutdown(to_, SHUT_WR);
      open_ = false;
    }
  }

 private:
  struct Piece {
    SteadyTime due;
    std::string bytes;  // empty: the end
  };
  const int from_;
  const int to_;
  std::deque<Piece> pieces_;
  bool reads_ = true;
  bool open_ = true;
};

}  // namespace

Relay::Relay(const Network& network, const std::string& node, std::string target)
    : target_(std::move(target)) {
  const Network::Visit visit(network, node);
  listener_ = Listen(network.AddressOf(node), address_);
  accepts_ = std::thread([this, &network, node] { Accept(network, node); });
}

Relay::~Relay() {
  stop_ = true;
  accepts_.join();
  close(listener_);
}

void Relay::Accept(const Network& network, const std::string& node) {
  const Network::Visit visit(network, node);
  std::vector<std::thread> passers;
  while (!stop_) {
    pollfd waits{listener_, POLLIN, 0};
    if (poll(&waits, 1, kPollMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) passers.emplace_back([this, client] { Pass(client); });
  }
  for (std::thread& passer : passers) passer.join();
}

// The thread is in the network of the one that started it.
void Relay::Pass(int client) const {
  const int server = Connect(target_);
  OneWay ways[] = {{client, server}, {server, client}};
  while (server >= 0 && !stop_ && (ways[0].open() || ways[1].open())) {
    pollfd waits[2];
    for (int i = 0; i < 2; ++i) waits[i] = {ways[i].reads() ? ways[i].from() : -1, POLLIN, 0};
    const bool some = poll(waits, 2, delay_.load().count() == 0 ? kPollMs : 1) > 0;
    const SteadyTime now = std::chrono::steady_clock::now();
    for (int i = 0; i < 2; ++i) {
      if (some && waits[i].revents != 0) ways[i].Take(now + delay_.load());
      ways[i].PassOn(now);
    }
  }
  close(client);
  if (server >= 0) close(server);
}

}  // namespace hsmops::test
