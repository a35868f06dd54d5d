// TestServer: an HttpServer of a test's pool with a few routes, and a way to hold its work.
#pragma once

#include <fmt/format.h>

#include <future>
#include <mutex>
#include <semaphore>
#include <vector>

#include "libhsmops/net/http_server.h"
#include "test/unit/net/pool.h"

namespace hsmops::net {

// POST /echo: the body. GET /who: identity and remote address. Any /hold: waits for Release.
// POST /small: takes 1000 bytes. /busy: 503 with Retry-After. All on lane 0.
class TestServer {
 public:
  explicit TestServer(const TestPool& pool, ServerConfig config = {})
      : source_(pool.Source(Role::kMember, "worker-1", clock_)) {
    Start(std::move(config));
  }
  TestServer(const CredentialFiles& files, ServerConfig config = {})
      : source_(*CredentialSource::Open(files, clock_)) {
    Start(std::move(config));
  }
  ~TestServer() {
    Release(1000);
    server_.reset();
  }

  HttpServer& operator*() { return *server_; }
  HttpServer* operator->() { return server_.get(); }
  SharedClock& clock() { return clock_; }
  std::string address() const { return server_->address(); }
  std::string url() const { return "https://" + address(); }
  std::uint64_t refused(Refusal kind) const { return server_->refusals().count(kind); }
  // Whether so many are refused in the end: a peer may see it before the server has counted it.
  bool Refuses(Refusal kind, std::uint64_t count) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (refused(kind) < count && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    return refused(kind) == count;
  }
  int handled() const { return handled_; }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // Until a request is held; and lets `count` of them go.
  void AwaitHeld() { held_.acquire(); }
  void Release(int count = 1) { release_.release(count); }

 private:
  void Start(ServerConfig config) {
    if (config.listen.empty()) config.listen = "127.0.0.1:0";
    if (config.lanes.empty()) config.lanes = {{"work", 4, 16}};
    auto started = HttpServer::Start(
        std::move(config), *source_, clock_, [this](const Received& head) { return RouteOf(head); },
        [this](const std::string& line) {
          const std::lock_guard lock(mutex_);
          lines_.push_back(line);
        });
    REQUIRE_MESSAGE(started.ok(), started.error().message());
    server_ = *std::move(started);
  }

  std::variant<Route, Reply> RouteOf(const Received& head) {
    if (head.target == "/busy") return PlainReply(503, "busy", std::chrono::seconds(7));
    const auto work = [this](std::function<Reply(Received&&)> handle, std::size_t max_body) {
      return Route{0, max_body, [this, handle = std::move(handle)](Received&& request) {
                     ++handled_;
                     return handle(std::move(request));
                   }};
    };
    if (head.target == "/echo") {
      return work(
          [](Received&& request) {
            return Reply{200, "application/octet-stream", std::move(request.body), {}, {}};
          },
          std::size_t{8} << 20);
    }
    if (head.target == "/small")
      return work([](Received&&) { return PlainReply(200, "ok"); }, 1000);
    if (head.target == "/who") {
      return work(
          [](Received&& request) {
            return PlainReply(200, request.identity.text() + " " + request.remote);
          },
          0);
    }
    if (head.target == "/hold") {
      return work(
          [this](Received&&) {
            held_.release();
            release_.acquire();
            return PlainReply(200, "held");
          },
          1000);
    }
    return PlainReply(404, "no such thing");
  }

  SharedClock clock_;
  std::unique_ptr<CredentialSource> source_;
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::atomic<int> handled_{0};
  std::counting_semaphore<> held_{0};
  std::counting_semaphore<> release_{0};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace hsmops::net
