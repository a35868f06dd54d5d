// One agent and peers that want too much, say too little or are nobody: refused, told once in its
// log, and nothing else happens.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/agent/http_channel.h"
#include "libhsmops/base/file.h"
#include "libhsmops/net/certificate_authority.h"
#include "libhsmops/net/curl_transport.h"
#include "test/net/net_cluster.h"
#include "test/unit/net/raw_peer.h"

namespace hsmops::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMiB = std::size_t{1} << 20;

// One agent that holds a secret, and a good client of it.
class LoneAgent {
 public:
  LoneAgent() : cluster_({"a"}, 0) {
    cluster_.Must({"put", "app", "--from-literal", "k=1"});
    credentials_ = *net::CredentialSource::Open(FilesOf("manager", "good"), clock_);
    transport_ = std::make_unique<net::CurlTransport>(*credentials_, clock_);
    member_ = agent::ReachMember(*transport_, pool(), "a", "https://" + address(), clock_);
    digest_ = Digest();
  }

  // The agent runs, holds what it held and answers; and says this once of the peer that was
  // refused.
  void IsAsBefore(const std::string& refusal) {
    CHECK(Digest() == digest_);
    Process& agent = cluster_.Agent("a");
    CHECK_MESSAGE(agent.WaitFor(refusal), refusal, ", but: ", agent.err());
    CHECK_FALSE(agent.WaitFor("it says nothing else", milliseconds(300)));  // reads what there is
    const std::string& said = agent.err();
    const std::size_t first = said.find(refusal);
    CHECK_MESSAGE(said.find(refusal, first + 1) == std::string::npos, said);
  }
  std::size_t LinesSaid() {
    CHECK_FALSE(cluster_.Agent("a").WaitFor("it says nothing else", milliseconds(300)));
    return static_cast<std::size_t>(std::ranges::count(cluster_.Agent("a").err(), '\n'));
  }

  net::CredentialFiles FilesOf(const std::string& role, const std::string& name) {
    const std::string certs = cluster_.Issue(role, name);
    return {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"};
  }
  // As if the CA of this certificate and key had issued it so long ago, for an hour.
  net::CredentialFiles Make(const std::string& ca, const std::string& key, base::Duration ago) {
    const auto authority = *net::CertificateAuthority::Load(
        base::AsBytes(ca), base::SecretBytes::FromText(key).view());
    const auto issued = *authority.Issue(
        {{authority.pool(), net::Role::kManager, "odd"}, {}, {}, std::chrono::hours(1)},
        clock_.Wall() - std::chrono::duration_cast<std::chrono::microseconds>(ago));
    const base::ByteView bytes = issued.key.view();
    WriteText(odd_ / "crt", issued.certificate);
    WriteText(odd_ / "key", {bytes.begin(), bytes.end()});
    WriteText(odd_ / "ca", ca);
    return {odd_ / "ca", odd_ / "crt", odd_ / "key"};
  }

  // Of the middle one of so many questions, and of the slowest.
  std::pair<base::Duration, base::Duration> Ask(int times) {
    std::vector<base::Duration> took;
    for (int i = 0; i < times; ++i) {
      const base::TimePoint begin = clock_.Now();
      REQUIRE(member_->Read(*store::SecretName::Parse("app"), false).ok());
      took.push_back(clock_.Now() - begin);
    }
    std::ranges::sort(took);
    return {took[took.size() / 2], took.back()};
  }

  NetCluster& cluster() { return cluster_; }
  std::string address() const { return cluster_.AddressOf("a"); }
  std::string pool() const { return credentials_->Current()->identity().pool; }

 private:
  base::Digest Digest() {
    const auto digest = member_->Digest();
    REQUIRE(digest.ok());
    return digest->root;
  }

  base::SystemClock clock_;
  NetCluster cluster_;
  TempFolder odd_;
  std::unique_ptr<net::CredentialSource> credentials_;
  std::unique_ptr<net::CurlTransport> transport_;
  std::unique_ptr<mirror::Member> member_;
  base::Digest digest_{};
};

std::string HeaderOf(const std::string& verb, std::size_t length) {
  return fmt::format(
      "POST /v1/member/{} HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.khsm.member\r\n"
      "Content-Length: {}\r\n\r\n",
      verb, length);
}

// Until it is not taken any more; how much was.
std::size_t Offer(net::RawPeer& peer, std::size_t bytes) {
  const std::string piece(kMiB, 'a');
  std::size_t taken = 0;
  while (taken < bytes) {
    const std::size_t now = peer.Send(piece);
    taken += now;
    if (now < piece.size()) break;
  }
  return taken;
}

}  // namespace

TEST_CASE("500 idle peers do not delay a good client of an agent") {
  LoneAgent agent;
  const auto [middle, slowest] = agent.Ask(100);
  std::vector<std::unique_ptr<net::RawPeer>> idle;
  for (int i = 0; i < 10; ++i) {
    const auto files = agent.FilesOf("reader", fmt::format("idle-{}", i));
    for (int j = 0; j < 50; ++j) {
      idle.push_back(std::make_unique<net::RawPeer>(agent.address(), &files));
      REQUIRE(idle.back()->shaken());
      // One question each, so that they may stay for the idle time.
      idle.back()->Send(HeaderOf("no-such", 0));
      REQUIRE(idle.back()->Read("no such request").find("404") != std::string::npos);
    }
  }
  const auto [busy_middle, busy_slowest] = agent.Ask(100);
  MESSAGE("middle ", middle.count() / 1000, " and ", busy_middle.count() / 1000, " us, slowest ",
          slowest.count() / 1000, " and ", busy_slowest.count() / 1000, " us");
  CHECK(busy_middle < 3 * middle + milliseconds(2));
  CHECK(busy_slowest < slowest + milliseconds(500));
  // They were there all the time.
  idle.back()->Send(HeaderOf("no-such", 0));
  CHECK(idle.back()->Read("no such request").find("404") != std::string::npos);
}

TEST_CASE("a header of 10 MB and a body of 1 GB are refused, told once and not taken") {
  LoneAgent agent;
  const auto reader = agent.FilesOf("reader", "much");
  const auto manager = agent.FilesOf("manager", "much");
  for (int times = 0; times < 2; ++times) {
    net::RawPeer header(agent.address(), &reader);
    header.Send("POST /v1/member/read HTTP/1.1\r\nx: ");
    CHECK(Offer(header, 10 * kMiB) < 10 * kMiB);
    net::RawPeer body(agent.address(), &manager);
    body.Send(HeaderOf("stage", 1024 * kMiB));
    CHECK(body.Read("longer than").find("413") != std::string::npos);
    CHECK(Offer(body, 1024 * kMiB) < 64 * kMiB);
  }
  agent.IsAsBefore(agent.pool() + "/reader/much: header_size");
  agent.IsAsBefore(agent.pool() + "/manager/much: body_size");
}

TEST_CASE("a handshake that does not end is ended by the agent and told once") {
  LoneAgent agent;
  std::vector<base::Fd> half;
  for (int i = 0; i < 20; ++i) {
    half.push_back(net::Dial(agent.address()));
    CHECK(send(half.back().get(), "\x16\x03\x01\x02", 4, MSG_NOSIGNAL) == 4);
  }
  for (const base::Fd& socket : half) {
    char byte = 0;
    CHECK(recv(socket.get(), &byte, 1, 0) <= 0);
    CHECK(errno != EAGAIN);  // closed, not waited for in vain
  }
  agent.IsAsBefore("handshake_time");
}

TEST_CASE("an expired, a foreign and a wrong role's certificate are refused and told once") {
  LoneAgent agent;
  const std::string certs = agent.cluster().folder() + "/certs";
  REQUIRE(agent.cluster().Agent("a").WaitFor("the token is usable"));  // it looks each second
  const std::size_t lines = agent.LinesSaid();
  SUBCASE("expired") {
    const auto files =
        agent.Make(ReadText(certs + "/ca.crt"), ReadText(certs + "/ca.key"), std::chrono::hours(3));
    for (int times = 0; times < 3; ++times)
      CHECK(net::RawPeer(agent.address(), &files).Ask(HeaderOf("told", 0)).empty());
    agent.IsAsBefore("expired");
  }
  SUBCASE("foreign") {
    const auto ca = *net::CertificateAuthority::Create(agent.pool(), base::SystemClock().Wall());
    const base::ByteView key = ca.key.view();
    const auto files = agent.Make(ca.certificate, {key.begin(), key.end()}, std::chrono::hours(0));
    for (int times = 0; times < 3; ++times)
      CHECK(net::RawPeer(agent.address(), &files).Ask(HeaderOf("told", 0)).empty());
    agent.IsAsBefore(": handshake:");
  }
  SUBCASE("none") {
    for (int times = 0; times < 3; ++times)
      CHECK(net::RawPeer(agent.address()).Ask(HeaderOf("told", 0)).empty());
    agent.IsAsBefore(": handshake:");
  }
  SUBCASE("of another role") {
    const auto files = agent.FilesOf("reader", "app");
    for (int times = 0; times < 3; ++times) {
      net::RawPeer peer(agent.address(), &files);
      peer.Send(HeaderOf("inventory", 0));
      CHECK(peer.Read("may not ask").find("403") != std::string::npos);
    }
    agent.IsAsBefore("/reader/app: role");
  }
  CHECK_MESSAGE(agent.LinesSaid() == lines + 1, agent.cluster().Agent("a").err());
}

}  // namespace hsmops::test
