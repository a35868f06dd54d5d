// The client: whom it talks to, what it says of a call that failed, and what it keeps open.
#include "libhsmops/net/curl_transport.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "test/unit/net/raw_peer.h"
#include "test/unit/net/test_server.h"

namespace hsmops::net {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Caller {
  explicit Caller(const TestPool& pool)
      : files(pool.Files(Role::kManager, "m-0")),
        source(*CredentialSource::Open(files, clock)),
        transport(*source, clock) {}

  Request Make(const std::string& method, const std::string& path, std::string_view body = {}) {
    Request request;
    request.method = method;
    request.path = path;
    request.body = base::SecretBytes::FromText(body);
    request.content_type = body.empty() ? "" : "application/octet-stream";
    request.deadline = clock.Now() + seconds(20);
    request.max_answer_bytes = std::size_t{8} << 20;
    return request;
  }
  base::Result<Answer> Call(const Peer& peer, const std::string& method, const std::string& path,
                            std::string_view body = {}) {
    return transport.Call(peer, Make(method, path, body));
  }

  SharedClock clock;
  CredentialFiles files;
  std::unique_ptr<CredentialSource> source;
  CurlTransport transport;
};

SpiffeId Worker(const TestPool& pool, const std::string& name = "worker-1") {
  return *pool.Of(Role::kMember, name).Id();
}

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("bodies of any size there and back") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536},
                                 std::size_t{1} << 20, std::size_t{5} << 20}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; i += 97) body[i] = static_cast<char>(i);
    const auto answer = caller.Call({server.url(), Worker(pool)}, "POST", "/echo", body);
    REQUIRE_MESSAGE(answer.ok(), answer.error().message());
    CHECK(answer->status == 200);
    CHECK(TextOf(answer->body) == body);
    CHECK(answer->content_type == "application/octet-stream");
  }
}

TEST_CASE("the server knows who calls, and any status is an answer") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  const Peer peer{server.url(), Worker(pool)};
  const auto who = caller.Call(peer, "GET", "/who");
  REQUIRE_MESSAGE(who.ok(), who.error().message());
  CHECK(TextOf(who->body).starts_with("spiffe://payments/manager/m-0 127.0.0.1:"));
  CHECK(caller.Call(peer, "GET", "/nothing")->status == 404);
  const auto head = caller.Call(peer, "HEAD", "/nothing");
  REQUIRE(head.ok());
  CHECK(head->body.empty());
  const auto busy = caller.Call(peer, "PUT", "/busy", "x");
  REQUIRE(busy.ok());
  CHECK(busy->status == 503);
  CHECK(busy->retry_after == base::Duration(seconds(7)));
}

TEST_CASE("a connection is kept, for a while and while the credentials stay") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  const auto who = [&] {
    const auto answer = caller.Call({server.url(), Worker(pool)}, "GET", "/who");
    REQUIRE_MESSAGE(answer.ok(), answer.error().message());
    return TextOf(answer->body);
  };
  const std::string first = who();
  CHECK(who() == first);
  caller.clock.Advance(seconds(31));
  const std::string second = who();
  CHECK(second != first);
  CHECK(who() == second);
  const Issued next = pool.Issue(pool.Of(Role::kManager, "m-0"), TestPool::Wall());
  test::WriteText(caller.files.cert, next.certificate);
  test::WriteText(caller.files.key, TextOf(next.key));
  caller.clock.Advance(seconds(1));
  CHECK(who() != second);
}

TEST_CASE("callers do not wait for each other") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto answer = caller.Call({server.url(), Worker(pool)}, "POST", "/hold");
      if (answer.ok() && answer->status == 200) ++answered;
    });
  }
  for (int i = 0; i < 4; ++i) server.AwaitHeld();  // all four are in there at once
  server.Release(4);
  for (auto& thread : threads) thread.join();
  CHECK(answered == 4);
}

TEST_CASE("nothing is sent to a server that does not prove to be the one that is meant") {
  const TestPool pool;
  const TestPool stranger;  // of the same name
  const TestPool foreign("billing");
  const auto now = TestPool::Wall();
  const auto expired =
      pool.Write("old", pool.Issue(pool.Of(Role::kMember, "worker-1"), now - std::chrono::hours(2)),
                 pool.ca_pem());
  Caller caller(pool);
  const struct {
    CredentialFiles files;
    int version;
    const char* why;
  } cases[] = {
      {pool.Files(Role::kMember, "worker-2"), TLS1_3_VERSION,
       "which is not spiffe://payments/member/worker-1"},
      {pool.Files(Role::kReader, "worker-1"), TLS1_3_VERSION,
       "which is not spiffe://payments/member/worker-1"},
      {stranger.Files(Role::kMember, "worker-1"), TLS1_3_VERSION, "certificate"},
      {foreign.Files(Role::kMember, "worker-1"), TLS1_3_VERSION, "certificate"},
      {expired, TLS1_3_VERSION, "expired"},
      {pool.Files(Role::kMember, "worker-1"), TLS1_2_VERSION, ""},
  };
  for (const auto& c : cases) {
    INFO(c.files.cert, ": ", std::string(c.why));
    std::atomic<bool> told{false};
    {
      RawServer server(
          c.files,
          [&](RawServer::Line& line) {
            if (line.Read().empty()) return;
            told = true;
            line.Write(kOk);
          },
          c.version);
      const auto answer = caller.Call({server.url(), Worker(pool)}, "POST", "/echo", "secret");
      REQUIRE(!answer.ok());
      // The second where it speaks no TLS of ours.
      CHECK((answer.Is(ErrorCode::kAuthFailed) || answer.Is(ErrorCode::kUnavailable)));
      CHECK_MESSAGE(answer.error().message().find(c.why) != std::string::npos,
                    answer.error().message());
    }
    CHECK_FALSE(told);
  }
}

TEST_CASE("a server that refuses our certificate has surely done nothing") {
  const TestPool pool;
  TestServer server(pool);
  const TestPool stranger;
  // It believes the server, and is not believed.
  const auto files =
      stranger.Write("m-0", stranger.Issue(stranger.Of(Role::kManager, "m-0"), TestPool::Wall()),
                     stranger.ca_pem() + pool.ca_pem());
  SharedClock clock;
  const auto source = *CredentialSource::Open(files, clock);
  CurlTransport transport(*source, clock);
  Request request;
  request.method = "POST";
  request.path = "/echo";
  request.deadline = clock.Now() + seconds(20);
  const auto answer = transport.Call({server.url(), Worker(pool)}, std::move(request));
  REQUIRE(answer.Is(ErrorCode::kAuthFailed));
  CHECK_MESSAGE(answer.error().message().find("refused our certificate") != std::string::npos,
                answer.error().message());
  CHECK(server.handled() == 0);
}

TEST_CASE("where nobody listens, and where nobody shakes hands, nothing got there") {
  const TestPool pool;
  Caller caller(pool);
  base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at = Loopback(0);
  socklen_t size = sizeof at;
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size);
  const Peer peer{"https://127.0.0.1:" + std::to_string(ntohs(at.sin_port)), Worker(pool)};
  CHECK(caller.Call(peer, "POST", "/echo").Is(ErrorCode::kUnavailable));
  REQUIRE(listen(listener.get(), 1) == 0);
  Request request = caller.Make("POST", "/echo", "x");
  request.deadline = caller.clock.Now() + milliseconds(100);
  CHECK(caller.transport.Call(peer, std::move(request)).Is(ErrorCode::kUnavailable));
  request = caller.Make("POST", "/echo", "x");
  request.deadline = caller.clock.Now();
  CHECK(caller.transport.Call(peer, std::move(request)).Is(ErrorCode::kUnavailable));
}

TEST_CASE("a lost answer is in doubt, but that of a GET is not") {
  const TestPool pool;
  Caller caller(pool);
  RawServer server(pool.Files(Role::kMember, "worker-1"),
                   [](RawServer::Line& line) { (void)line.Read(); });
  const Peer peer{server.url(), Worker(pool)};
  CHECK(caller.Call(peer, "POST", "/echo").Is(ErrorCode::kInDoubt));
  CHECK(caller.Call(peer, "PUT", "/echo", "x").Is(ErrorCode::kInDoubt));
  CHECK(caller.Call(peer, "GET", "/who").Is(ErrorCode::kUnavailable));
}

TEST_CASE("half an answer is a lost one") {
  const TestPool pool;
  Caller caller(pool);
  RawServer server(pool.Files(Role::kMember, "worker-1"), [](RawServer::Line& line) {
    (void)line.Read();
    line.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  const Peer peer{server.url(), Worker(pool)};
  CHECK(caller.Call(peer, "POST", "/echo").Is(ErrorCode::kInDoubt));
  CHECK(caller.Call(peer, "GET", "/who").Is(ErrorCode::kUnavailable));
}

TEST_CASE("a deadline that passes after the request was sent leaves it in doubt") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  Request request = caller.Make("POST", "/hold");
  request.deadline = caller.clock.Now() + milliseconds(300);
  CHECK(caller.transport.Call({server.url(), Worker(pool)}, std::move(request))
            .Is(ErrorCode::kInDoubt));
}

TEST_CASE("calls end when the transport stops, long before their deadline") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  std::thread asks([&] {
    Request request = caller.Make("POST", "/hold");
    request.deadline = caller.clock.Now() + std::chrono::seconds(60);
    const base::TimePoint begin = caller.clock.Now();
    CHECK(caller.transport.Call({server.url(), Worker(pool)}, std::move(request))
              .Is(ErrorCode::kInDoubt));
    CHECK(caller.clock.Now() - begin < std::chrono::seconds(30));
  });
  server.AwaitHeld();
  caller.transport.Stop();
  asks.join();
  CHECK(caller.Call({server.url(), Worker(pool)}, "POST", "/echo").Is(ErrorCode::kUnavailable));
}

TEST_CASE("what is kept to a peer that did not answer is not used again") {
  const TestPool pool;
  TestServer server(pool);
  Caller caller(pool);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const auto answer = caller.Call({server.url(), Worker(pool)}, "POST", "/hold");
      CHECK(answer.ok());
    });
  }
  for (int i = 0; i < 2; ++i) server.AwaitHeld();
  server.Release(2);
  for (auto& thread : threads) thread.join();
  CHECK(server->connections() == 2);
  Request request = caller.Make("POST", "/hold");
  request.deadline = caller.clock.Now() + milliseconds(300);
  CHECK_FALSE(caller.transport.Call({server.url(), Worker(pool)}, std::move(request)).ok());
  // The server holds the one that it has not answered; the other is closed.
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (server->connections() > 1 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  CHECK(server->connections() == 1);
}

TEST_CASE("on a kept connection that the server closes, only a GET is sent again") {
  const TestPool pool;
  std::atomic<int> requests{0};
  RawServer server(pool.Files(Role::kMember, "worker-1"), [&](RawServer::Line& line) {
    for (int i = 0;; ++i) {
      if (line.Read().empty()) return;
      ++requests;
      if (i == 1) return;
      line.Write(kOk);
    }
  });
  Caller caller(pool);  // closes what it keeps before the server waits for that
  const Peer peer{server.url(), Worker(pool)};
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    requests = 0;
    REQUIRE(caller.Call(peer, method, "/a").ok());
    CHECK(caller.Call(peer, method, "/b").Is(ErrorCode::kInDoubt));
    CHECK(requests == 2);  // and not a third
  }
  requests = 0;
  REQUIRE(caller.Call(peer, "GET", "/a").ok());
  CHECK(caller.Call(peer, "GET", "/b").ok());
  CHECK(requests == 3);
}

TEST_CASE("an answer longer than allowed is refused, said or not") {
  const TestPool pool;
  std::string reply;
  RawServer server(pool.Files(Role::kMember, "worker-1"), [&](RawServer::Line& line) {
    (void)line.Read();
    line.Write(reply);
  });
  Caller caller(pool);
  const Peer peer{server.url(), Worker(pool)};
  const auto ask = [&](std::size_t limit) {
    Request request = caller.Make("GET", "/");
    request.max_answer_bytes = limit;
    return caller.transport.Call(peer, std::move(request));
  };
  reply = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfour";
  CHECK(ask(4).ok());
  CHECK(ask(3).Is(ErrorCode::kLimit));
  reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n";
  CHECK(ask(4).ok());
  CHECK(ask(3).Is(ErrorCode::kLimit));
  reply = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 100; ++i) reply += "X: " + std::string(1000, 'y') + "\r\n";
  reply += "Content-Length: 0\r\n\r\n";
  CHECK(ask(4).Is(ErrorCode::kLimit));
}

TEST_CASE("redirects are answers, and proxies of the environment have no part") {
  const TestPool pool;
  RawServer server(pool.Files(Role::kMember, "worker-1"), [](RawServer::Line& line) {
    (void)line.Read();
    line.Write("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  });
  Caller caller(pool);
  setenv("https_proxy", "http://127.0.0.1:9", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
  const auto answer = caller.Call({server.url(), Worker(pool)}, "GET", "/");
  unsetenv("https_proxy");
  unsetenv("ALL_PROXY");
  REQUIRE_MESSAGE(answer.ok(), answer.error().message());
  CHECK(answer->status == 302);
}

TEST_CASE("what is malformed is refused before anybody is asked") {
  const TestPool pool;
  Caller caller(pool);
  for (const char* url :
       {"", "127.0.0.1:1", "http://127.0.0.1:1", "https://", "https://127.0.0.1:1/",
        "https://127.0.0.1:1/x", "https://u@127.0.0.1:1", "https://127.0.0.1:1?x",
        "https://127.0.0.1:1#x", "https://127.0.0.1:99999", "https://127.0.0.1:1\n", "file:///x"}) {
    CHECK_MESSAGE(caller.Call({url, Worker(pool)}, "GET", "/").Is(ErrorCode::kInvalid), url);
  }
  const Peer peer{"https://127.0.0.1:1", Worker(pool)};
  CHECK(caller.Call(peer, "GET", "relative").Is(ErrorCode::kInvalid));
  CHECK(caller.Call(peer, "GET", "/a b").Is(ErrorCode::kInvalid));
  CHECK(caller.Call(peer, "GET", "/a\r\nX: y").Is(ErrorCode::kInvalid));
  CHECK(caller.Call(peer, "GET /\r\n", "/").Is(ErrorCode::kInvalid));
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"X", "a\r\nY: b"}, {"X Y", "a"}, {"X:", "a"}, {"Content-Length", "7"}, {"host", "x"}}) {
    Request request = caller.Make("GET", "/");
    request.headers[name] = value;
    CHECK_MESSAGE(caller.transport.Call(peer, std::move(request)).Is(ErrorCode::kInvalid), name);
  }
}

}  // namespace hsmops::net
