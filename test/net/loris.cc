#include "test/net/loris.h"

#include <chrono>
#include <memory>

#include "test/unit/net/raw_peer.h"

namespace hsmops::test {
namespace {

constexpr std::chrono::milliseconds kByteEvery{300};
// The beginning of a TLS record of a handshake.
constexpr std::string_view kHalfHello{"\x16\x03\x01", 3};

struct Crawler {
  base::Fd socket{-1};                 // of a handshake that never ends; or
  std::unique_ptr<net::RawPeer> peer;  // one that has ended
};

// False: it was thrown out.
bool SayByte(Crawler& crawler) {
  if (crawler.peer) return crawler.peer->Send("a") == 1;
  return send(crawler.socket.get(), "\x01", 1, MSG_NOSIGNAL) == 1;
}

Crawler Begin(const std::string& address, const net::CredentialFiles& files, int kind) {
  Crawler crawler;
  if (kind == 0) {
    crawler.socket = net::Dial(address);
    (void)send(crawler.socket.get(), kHalfHello.data(), kHalfHello.size(), MSG_NOSIGNAL);
    return crawler;
  }
  crawler.peer = std::make_unique<net::RawPeer>(address, &files);
  crawler.peer->Send(kind == 1 ? "POST /v1/mem"
                               : "POST /v1/member/read HTTP/1.1\r\nHost: a\r\nContent-Type: "
                                 "application/vnd.khsm.member\r\nContent-Length: 1000\r\n\r\n");
  return crawler;
}

}  // namespace

Loris::Loris(const Network& network, std::string node, std::vector<std::string> addresses,
             net::CredentialFiles files, int of_each)
    : network_(network), node_(std::move(node)), files_(std::move(files)) {
  for (const std::string& address : addresses)
    threads_.emplace_back([this, address, of_each] { Crawl(address, of_each); });
}

Loris::~Loris() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void Loris::Crawl(const std::string& address, int of_each) {
  const Network::Visit visit(network_, node_);
  std::vector<Crawler> crawlers;
  for (int i = 0; i < 3 * of_each && !stop_; ++i) crawlers.push_back(Begin(address, files_, i % 3));
  while (!stop_) {
    for (std::size_t i = 0; i < crawlers.size() && !stop_; ++i) {
      if (SayByte(crawlers[i])) continue;
      ++thrown_out_;
      crawlers[i] = Begin(address, files_, static_cast<int>(i % 3));
    }
    base::SystemClock().SleepFor(kByteEvery);
  }
}

}  // namespace hsmops::test
