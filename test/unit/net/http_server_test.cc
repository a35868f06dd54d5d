// The server: who is let in, what each limit does, and that those who misbehave cost others
// nothing.
#include "libhsmops/net/http_server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/resource.h>

#include "libhsmops/net/curl_transport.h"
#include "test/unit/net/raw_peer.h"
#include "test/unit/net/test_server.h"

namespace hsmops::net {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kWho = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kWhoAndClose =
    "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

struct World {
  TestPool pool;
  CredentialFiles files = pool.Files(Role::kManager, "m-0");
};

std::string Post(const std::string& target, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", target,
                     body.size(), body);
}

// Refused: the handshake fails, or what was sent after it is not answered.
bool IsRefused(const TestServer& server, const CredentialFiles* files,
               int version = TLS1_3_VERSION) {
  RawPeer peer(server.address(), files, version);
  return !peer.shaken() || peer.Ask(kWhoAndClose).empty();
}

// A limit of time is passed when the other end has closed; how long that took.
template <typename Wait>
milliseconds Measure(Wait wait) {
  const auto began = std::chrono::steady_clock::now();
  wait();
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
}

// Only the limit that a test is about is small: on a busy machine anything may take 200 ms.
ServerConfig With(base::Duration ServerLimits::* limit) {
  ServerConfig config;
  config.limits.*limit = milliseconds(200);
  return config;
}

// What a limit of 200 ms may take on a busy machine; the tests' own patience is 20 s.
constexpr milliseconds kPrompt{8000};

}  // namespace

TEST_CASE("one of the pool is served, and sees whom it asked") {
  World world;
  TestServer server(world.pool);
  RawPeer peer(server.address(), &world.files);
  REQUIRE(peer.shaken());
  CHECK(peer.ServerUri() == "spiffe://payments/member/worker-1");
  const std::string answer = peer.Ask(kWhoAndClose);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("spiffe://payments/manager/m-0") != std::string::npos);
  CHECK(answer.find("Connection: close") != std::string::npos);
}

TEST_CASE("nobody else gets through the handshake") {
  World world;
  TestServer server(world.pool);
  const TestPool stranger;  // of the same name
  const TestPool foreign("billing");
  const auto old = world.pool.Write("old",
                                    world.pool.Issue(world.pool.Of(Role::kManager, "m-0"),
                                                     TestPool::Wall() - std::chrono::hours(2)),
                                    world.pool.ca_pem());
  const CredentialFiles of_stranger = stranger.Files(Role::kManager, "m-0");
  const CredentialFiles of_foreign = foreign.Files(Role::kManager, "m-0");

  CHECK(IsRefused(server, nullptr));
  CHECK(IsRefused(server, &of_stranger));
  CHECK(IsRefused(server, &of_foreign));
  CHECK(IsRefused(server, &old));
  CHECK(server.Refuses(Refusal::kHandshake, 4));
  CHECK(IsRefused(server, &world.files, TLS1_2_VERSION));
  CHECK(server.Refuses(Refusal::kHandshake, 5));
  CHECK_FALSE(IsRefused(server, &world.files));
  CHECK(server.handled() == 1);
  // Five from one address, two of them for the same reason: each reason is told once.
  REQUIRE(server.lines().size() == 4);
  for (const std::string& line : server.lines())
    CHECK(line.starts_with("refused 127.0.0.1: handshake: "));
}

TEST_CASE("a bundle with two pools lets neither speak for the other, nor a CA for itself") {
  World world;
  const TestPool foreign("billing");
  const Issued own = world.pool.Issue(world.pool.Of(Role::kMember, "worker-1"), TestPool::Wall());
  TestServer server(world.pool.Write("both", own, world.pool.ca_pem() + foreign.ca_pem()));
  const CredentialFiles of_foreign = foreign.Files(Role::kManager, "m-0");
  CHECK(IsRefused(server, &of_foreign));  // vouched for, but of another pool
  const CredentialFiles ca =
      foreign.Write("ca", {foreign.ca_pem(), foreign.ca_key().Clone()}, foreign.ca_pem());
  CHECK(IsRefused(server, &ca));
  CHECK_FALSE(IsRefused(server, &world.files));
}

TEST_CASE("the CA of another pool cannot vouch for one of this pool") {
  World world;
  const TestPool foreign("billing");
  // A certificate of ours, signed again by them.
  const Identity manager = world.pool.Of(Role::kManager, "m-0");
  Issued forged = world.pool.Issue(manager, TestPool::Wall());
  auto leaf = ParseCertificates(base::AsBytes(forged.certificate), 1);
  const auto authority = ParseCertificates(base::AsBytes(foreign.ca_pem()), 1);
  const auto key = ParsePrivateKey(foreign.ca_key());
  X509* raw = leaf->front().get();
  REQUIRE(X509_set_issuer_name(raw, X509_get_subject_name(authority->front().get())) == 1);
  X509_EXTENSION_free(
      X509_delete_ext(raw, X509_get_ext_by_NID(raw, NID_authority_key_identifier, -1)));
  REQUIRE(X509_sign(raw, key->get(), EVP_sha256()) > 0);
  BIO* pem = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_X509(pem, raw) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(pem, &data);
  forged.certificate.assign(data, static_cast<std::size_t>(size));
  BIO_free(pem);

  TestServer server(world.pool.Write(
      "both", world.pool.Issue(world.pool.Of(Role::kMember, "worker-1"), TestPool::Wall()),
      world.pool.ca_pem() + foreign.ca_pem()));
  const CredentialFiles files = world.pool.Write("forged", forged, foreign.ca_pem());
  CHECK(IsRefused(server, &files));
  CHECK(server.handled() == 0);
}

TEST_CASE("a header that is too long is answered with 431, however long it goes on") {
  World world;
  TestServer server(world.pool);
  RawPeer peer(server.address(), &world.files);
  std::string header = "GET /who HTTP/1.1\r\n";
  while (header.size() < (std::size_t{10} << 20)) header += "X: " + std::string(1000, 'y') + "\r\n";
  CHECK(peer.Send(header) < header.size());
  CHECK(server.Refuses(Refusal::kHeaderSize, 1));
  CHECK(server.handled() == 0);
  RawPeer shorter(server.address(), &world.files);
  shorter.Send(header.substr(0, 40'000));
  CHECK(shorter.Read().starts_with("HTTP/1.1 431 "));
}

TEST_CASE("a body longer than the route allows is answered with 413 and not read") {
  World world;
  TestServer server(world.pool);
  RawPeer announced(server.address(), &world.files);
  // Not one byte of the body is sent, and the answer is there.
  CHECK(announced.Ask("POST /small HTTP/1.1\r\nContent-Length: 1001\r\n\r\n")
            .starts_with("HTTP/1.1 413 "));
  RawPeer chunked(server.address(), &world.files);
  CHECK(chunked
            .Ask("POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                 std::string(1001, 'x'))
            .starts_with("HTTP/1.1 413 "));
  RawPeer sent(server.address(), &world.files);
  CHECK(sent.Ask(Post("/small", std::string(100'000, 'x'))).starts_with("HTTP/1.1 413 "));
  CHECK(server.handled() == 0);
  CHECK(server.Refuses(Refusal::kBodySize, 3));
  RawPeer fits(server.address(), &world.files);
  fits.Send(Post("/small", std::string(1000, 'x')));
  CHECK(fits.Read("ok\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("chunked bodies, requests in one piece and a body that waits for 100-continue") {
  World world;
  TestServer server(world.pool);
  RawPeer chunked(server.address(), &world.files);
  chunked.Send(
      "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(chunked.Read("\r\n\r\nabcde").starts_with("HTTP/1.1 200 "));
  RawPeer both(server.address(), &world.files);
  const std::string answers = both.Ask(std::string(kWho) + std::string(kWhoAndClose));
  CHECK(answers.find("keep-alive") < answers.find("Connection: close"));
  RawPeer patient(server.address(), &world.files);
  patient.Send("POST /echo HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(patient.Read("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  patient.Send("abc");
  CHECK(patient.Read("\r\n\r\nabc").starts_with("HTTP/1.1 200 "));
  RawPeer odd(server.address(), &world.files);
  CHECK(odd.Ask("POST /echo HTTP/1.1\r\nContent-Length: 3\r\nExpect: miracles\r\n\r\n")
            .starts_with("HTTP/1.1 417 "));
}

TEST_CASE("what is not HTTP is answered with 400") {
  World world;
  TestServer server(world.pool);
  for (const char* bad :
       {"hello\r\n\r\n", "GET /who HTTP/9.9\r\n\r\n", "GET /who HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    RawPeer peer(server.address(), &world.files);
    CHECK_MESSAGE(peer.Ask(bad).starts_with("HTTP/1.1 400 "), bad);
  }
  CHECK(server.handled() == 0);
}

TEST_CASE("a full lane is answered with 503 at once") {
  World world;
  ServerConfig config;
  config.lanes = {{"work", 1, 0}};
  TestServer server(world.pool, config);
  RawPeer working(server.address(), &world.files);
  working.Send(Post("/hold", ""));
  server.AwaitHeld();
  RawPeer refused(server.address(), &world.files);
  refused.Send(Post("/hold", ""));
  const std::string answer = refused.Read("busy: work\n");
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.find("Retry-After: 1\r\n") != std::string::npos);
  CHECK(answer.find("keep-alive") != std::string::npos);
  CHECK(server.Refuses(Refusal::kBusy, 1));
  server.Release();
  CHECK(working.Read("held").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("bodies together may take only so much memory") {
  World world;
  ServerConfig config;
  config.limits.admission.body_bytes = 1500;
  TestServer server(world.pool, config);
  RawPeer holding(server.address(), &world.files);
  holding.Send(Post("/hold", std::string(1000, 'x')));
  server.AwaitHeld();
  RawPeer refused(server.address(), &world.files);
  CHECK(refused.Ask("POST /small HTTP/1.1\r\nContent-Length: 501\r\n\r\n")
            .starts_with("HTTP/1.1 503 "));
  server.Release();
  CHECK(holding.Read("held").starts_with("HTTP/1.1 200 "));
  RawPeer later(server.address(), &world.files);
  later.Send(Post("/small", std::string(501, 'x')));
  CHECK(later.Read("ok\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a connection does not outlive the certificate that opened it") {
  World world;
  const auto files = world.pool.Write("old",
                                      world.pool.Issue(world.pool.Of(Role::kManager, "m-0"),
                                                       TestPool::Wall() - std::chrono::minutes(30)),
                                      world.pool.ca_pem());
  TestServer server(world.pool);
  RawPeer peer(server.address(), &files);
  REQUIRE(peer.shaken());
  peer.Send(kWho);
  REQUIRE(peer.Read("\n").starts_with("HTTP/1.1 200 "));
  server.clock().AdvanceWall(std::chrono::minutes(40));
  CHECK(peer.Ask(kWho).find("HTTP/1.1 401 ") != std::string::npos);
  CHECK(server.Refuses(Refusal::kPeerExpired, 1));
}

TEST_CASE("who asks too often is answered with 429, and others are not") {
  World world;
  ServerConfig config;
  config.limits.admission.requests_per_identity = {1, 2};
  TestServer server(world.pool, config);
  RawPeer peer(server.address(), &world.files);
  const auto ask = [&](RawPeer& who) {
    who.Send(kWho);
    const std::string head = who.Read("\r\n\r\n");
    if (head.find("\n\n") == std::string::npos && head.ends_with("\r\n\r\n")) (void)who.Read("\n");
    return head;
  };
  CHECK(ask(peer).starts_with("HTTP/1.1 200 "));
  CHECK(ask(peer).starts_with("HTTP/1.1 200 "));
  const std::string refused = ask(peer);
  CHECK(refused.starts_with("HTTP/1.1 429 "));
  CHECK(refused.find("Retry-After: 1\r\n") != std::string::npos);
  CHECK(refused.find("keep-alive") != std::string::npos);
  const CredentialFiles files = world.pool.Files(Role::kManager, "m-1");
  RawPeer other(server.address(), &files);
  CHECK(ask(other).starts_with("HTTP/1.1 200 "));
  server.clock().Advance(seconds(1));
  CHECK(ask(peer).starts_with("HTTP/1.1 200 "));
  CHECK(server.Refuses(Refusal::kRate, 1));
}

TEST_CASE("one identity has only so many connections") {
  World world;
  ServerConfig config;
  config.limits.admission.connections_per_identity = 2;
  TestServer server(world.pool, config);
  {
    RawPeer first(server.address(), &world.files);
    RawPeer second(server.address(), &world.files);
    first.Send(kWho);
    second.Send(kWho);
    CHECK(first.Read("\n").starts_with("HTTP/1.1 200 "));
    CHECK(second.Read("\n").starts_with("HTTP/1.1 200 "));
    RawPeer third(server.address(), &world.files);
    CHECK(third.Ask(kWho).starts_with("HTTP/1.1 429 "));
    CHECK(server.Refuses(Refusal::kPeerConnections, 1));
  }
}

TEST_CASE("there are only so many connections at all") {
  World world;
  ServerConfig config;
  config.limits.admission.connections = 2;
  TestServer server(world.pool, config);
  RawPeer first(server.address(), &world.files);
  RawPeer second(server.address(), &world.files);
  REQUIRE(second.shaken());
  RawPeer third(server.address(), &world.files);
  CHECK_FALSE(third.shaken());
  CHECK(server.Refuses(Refusal::kConnections, 1));
}

TEST_CASE("who is silent or slow is let go when its time is over") {
  World world;
  SUBCASE("in the handshake") {
    TestServer server(world.pool, With(&ServerLimits::handshake_time));
    const base::Fd socket = Dial(server.address());
    char byte = 0;
    CHECK(Measure([&] { CHECK(recv(socket.get(), &byte, 1, 0) <= 0); }) < kPrompt);
    CHECK(server.Refuses(Refusal::kHandshakeTime, 1));
  }
  SUBCASE("before its first request") {
    TestServer server(world.pool, With(&ServerLimits::header_time));
    RawPeer peer(server.address(), &world.files);
    CHECK(Measure([&] { CHECK(peer.Read().empty()); }) < kPrompt);
  }
  SUBCASE("in a header") {
    TestServer server(world.pool, With(&ServerLimits::header_time));
    RawPeer peer(server.address(), &world.files);
    peer.Send("GET /who HTTP/1.1\r\nX: ");
    CHECK(Measure([&] { CHECK(peer.Read().empty()); }) < kPrompt);
    CHECK(server.handled() == 0);
  }
  SUBCASE("in a body") {
    TestServer server(world.pool, With(&ServerLimits::body_pause));
    RawPeer peer(server.address(), &world.files);
    peer.Send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    CHECK(Measure([&] { CHECK(peer.Read().empty()); }) < kPrompt);
    CHECK(server.Refuses(Refusal::kBodyTime, 1));
    CHECK(server.handled() == 0);
  }
  SUBCASE("between two requests") {
    TestServer server(world.pool, With(&ServerLimits::idle_time));
    RawPeer peer(server.address(), &world.files);
    peer.Send(kWho);
    CHECK(peer.Read("\n").starts_with("HTTP/1.1 200 "));
    CHECK(Measure([&] { (void)peer.Read(); }) < kPrompt);
  }
}

TEST_CASE("a byte now and then does not stretch the time for a header or a body") {
  World world;
  // Each piece is a TLS record of its own, so each is a read of the server's. True: it was cut off.
  const auto drip = [&](const TestServer& server, std::string_view begin) {
    RawPeer peer(server.address(), &world.files);
    peer.Send(begin);
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < kPrompt) {
      if (peer.Send("x") != 1) return true;
      std::this_thread::sleep_for(milliseconds(10));  // the point: slowly, and never silent
    }
    return false;
  };
  SUBCASE("header") {
    TestServer server(world.pool, With(&ServerLimits::header_time));
    CHECK(drip(server, "GET /who HTTP/1.1\r\nX: "));
  }
  SUBCASE("body") {
    TestServer server(world.pool, With(&ServerLimits::body_time));
    CHECK(drip(server, "POST /echo HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"));
    CHECK(server.Refuses(Refusal::kBodyTime, 1));
  }
}

TEST_CASE("hundreds of silent peers, shaken hands or not, do not delay one that asks") {
  World world;
  TestServer server(world.pool);
  std::vector<CredentialFiles> many;
  for (int i = 0; i < 4; ++i)
    many.push_back(world.pool.Files(Role::kReader, fmt::format("r-{}", i)));
  std::vector<std::unique_ptr<RawPeer>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<RawPeer>(server.address(), &many[i % 4]));
    REQUIRE(idle.back()->shaken());
  }
  std::vector<base::Fd> half_open;
  for (int i = 0; i < 300; ++i) half_open.push_back(Dial(server.address()));
  RawPeer slow_header(server.address(), &world.files);
  slow_header.Send("GET /who HTTP/1.1\r\nX: ");
  const auto took = Measure([&] {
    RawPeer peer(server.address(), &world.files);
    CHECK(peer.Ask(kWhoAndClose).starts_with("HTTP/1.1 200 "));
  });
  MESSAGE("with 501 silent peers a new one was answered in ", took.count(), " ms");
  CHECK(took < milliseconds(2000));
}

TEST_CASE("a lane that is held up does not hold up another") {
  World world;
  SharedClock clock;
  const auto source = world.pool.Source(Role::kMember, "worker-1", clock);
  std::binary_semaphore held{0};
  std::binary_semaphore release{0};
  const auto server = HttpServer::Start(
      {"127.0.0.1:0", 1, {{"token", 1, 4}, {"status", 1, 4}}, {}}, *source, clock,
      [&](const Received& head) -> std::variant<Route, Reply> {
        if (head.target == "/status")
          return Route{1, 0, [](Received&&) { return PlainReply(200, "fine"); }};
        return Route{0, 0, [&](Received&&) {
                       held.release();
                       release.acquire();
                       return PlainReply(200, "done");
                     }};
      },
      nullptr);
  REQUIRE(server.ok());
  RawPeer slow((*server)->address(), &world.files);
  slow.Send("GET /slow HTTP/1.1\r\n\r\n");
  held.acquire();
  RawPeer quick((*server)->address(), &world.files);
  quick.Send("GET /status HTTP/1.1\r\n\r\n");
  CHECK(quick.Read("fine").starts_with("HTTP/1.1 200 "));
  release.release();
  CHECK(slow.Read("done").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("Stop lets a request in flight be answered, and takes no other") {
  World world;
  TestServer server(world.pool);
  RawPeer idle(server.address(), &world.files);
  RawPeer peer(server.address(), &world.files);
  peer.Send(Post("/hold", ""));
  server.AwaitHeld();
  std::thread stopping([&] { server->Stop(server.clock().Now() + seconds(20)); });
  CHECK(idle.Read().empty());  // closed: it is stopping
  server.Release();
  const std::string answer = peer.Read();
  stopping.join();
  CHECK(answer.starts_with("HTTP/1.1 200 "));
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(server->connections() == 0);
  base::Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = Loopback(PortOf(server.address()));
  CHECK(connect(late.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0);
}

TEST_CASE("Stop closes what is not done at the deadline") {
  World world;
  TestServer server(world.pool);
  RawPeer peer(server.address(), &world.files);
  peer.Send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  RawPeer held(server.address(), &world.files);
  held.Send(Post("/hold", ""));
  server.AwaitHeld();
  std::thread stopping([&] { server->Stop(server.clock().Now() + milliseconds(50)); });
  CHECK(peer.Read().empty());
  CHECK(held.Read().empty());
  server.Release();  // what runs on a lane is waited for
  stopping.join();
}

TEST_CASE("new connections see new credentials, and old ones end with their next answer") {
  World world;
  SharedClock clock;
  const Identity worker = world.pool.Of(Role::kMember, "worker-1");
  const CredentialFiles files =
      world.pool.Write("w", world.pool.Issue(worker, TestPool::Wall()), world.pool.ca_pem());
  const auto source = *CredentialSource::Open(files, clock);
  const auto server = HttpServer::Start(
      {"127.0.0.1:0", 1, {{"work", 1, 4}}, {}}, *source, clock,
      [](const Received&) { return PlainReply(200, "fine"); }, nullptr);
  REQUIRE(server.ok());
  RawPeer before((*server)->address(), &world.files);
  before.Send(kWho);
  CHECK(before.Read("fine").find("keep-alive") != std::string::npos);

  // Another CA too: who was vouched for by the old one only is a stranger now.
  const TestPool next;
  const Issued issued = next.Issue(worker, TestPool::Wall());
  test::WriteText(files.ca, next.ca_pem());
  test::WriteText(files.cert, issued.certificate);
  test::WriteText(files.key, TextOf(issued.key));
  clock.Advance(seconds(1));

  before.Send(kWho);
  CHECK(before.Read().find("Connection: close") != std::string::npos);
  const CredentialFiles of_next = next.Files(Role::kManager, "m-0");
  RawPeer after((*server)->address(), &of_next);
  CHECK(after.Ask(kWhoAndClose).starts_with("HTTP/1.1 200 "));
  CHECK(after.ServerSerial() != before.ServerSerial());
  RawPeer stranger((*server)->address(), &world.files);
  CHECK(stranger.Ask(kWhoAndClose).empty());
}

TEST_CASE("where to listen") {
  World world;
  for (const char* good : {"127.0.0.1:0", "[::1]:0", ":0", "0.0.0.0:0"}) {
    ServerConfig config;
    config.listen = good;
    TestServer server(world.pool, config);
    CHECK_MESSAGE(PortOf(server.address()) > 0, good);
    if (std::string_view(good) != "[::1]:0") CHECK_FALSE(IsRefused(server, &world.files));
  }
  TestServer taken(world.pool);
  SharedClock clock;
  const auto source = world.pool.Source(Role::kMember, "worker-2", clock);
  const auto start = [&](const std::string& listen) {
    return HttpServer::Start(
        {listen, 1, {{"work", 1, 1}}, {}}, *source, clock,
        [](const Received&) { return PlainReply(200, ""); }, nullptr);
  };
  for (const char* bad : {"localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:1x",
                          "127.0.0.1:65536", "::1:1", "[127.0.0.1]:1", "127.0.0.1:-1"}) {
    CHECK_MESSAGE(start(bad).Is(ErrorCode::kInvalid), bad);
  }
  CHECK(start(taken.address()).Is(ErrorCode::kUnavailable));
}

TEST_CASE("without descriptors for new connections it waits, and then goes on") {
  World world;
  ServerConfig config;
  config.limits.accept_pause = milliseconds(20);
  TestServer server(world.pool, config);
  base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  LimitWaiting(socket.get());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 512;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::vector<base::Fd> fill;
  for (;;) {
    base::Fd one(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!one) break;
    fill.push_back(std::move(one));
  }
  const sockaddr_in to = Loopback(PortOf(server.address()));
  CHECK(connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  const auto began = std::chrono::steady_clock::now();
  while (server.refused(Refusal::kAccept) < 3 &&
         std::chrono::steady_clock::now() - began < seconds(20)) {
    std::this_thread::yield();
  }
  const auto took = std::chrono::steady_clock::now() - began;
  const auto failures = server.refused(Refusal::kAccept);
  fill.clear();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(failures >= 3);
  CHECK(took >= milliseconds(40));  // it did not spin
  CHECK_FALSE(IsRefused(server, &world.files));
}

}  // namespace hsmops::net
