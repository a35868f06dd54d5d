// Credentials: taken whole and matching, or refused with the name of the file.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/unit/net/pool.h"

namespace hsmops::net {
namespace {

using base::ErrorCode;
using std::chrono::hours;
using std::chrono::seconds;

void CheckRefused(const CredentialFiles& files, const std::string& file, const std::string& why) {
  const auto loaded = Credentials::Load(files, TestPool::Wall());
  REQUIRE(loaded.Is(ErrorCode::kInvalid));
  INFO(loaded.error().message());
  CHECK(loaded.error().message().starts_with(file));
  CHECK(loaded.error().message().find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("whole and matching files are taken") {
  const TestPool pool;
  const auto now = TestPool::Wall();
  const auto loaded = Credentials::Load(pool.Files(Role::kManager, "m-0"), now);
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().message());
  CHECK((*loaded)->identity() == pool.Of(Role::kManager, "m-0"));
  CHECK((*loaded)->not_after() > now + std::chrono::minutes(59));
  CHECK((*loaded)->not_after() <= now + hours(1));
}

TEST_CASE("files that do not parse or do not match are refused by name") {
  const TestPool pool;
  const CredentialFiles good = pool.Files(Role::kMember, "worker-1");
  const CredentialFiles other = pool.Files(Role::kMember, "worker-2");
  CredentialFiles files = good;

  files.key = other.key;
  CheckRefused(files, files.key, "not the key of our certificate");
  files = good;
  files.ca = good.key;
  CheckRefused(files, files.ca, "no PEM certificate");
  files.ca = good.cert;
  CheckRefused(files, files.ca, "not one of a CA");
  files = good;
  files.cert = good.ca;
  CheckRefused(files, files.cert, "no identity of ours");
  files = good;
  files.key = good.cert;
  CheckRefused(files, files.key, "no PEM private key");
  files = good;
  test::WriteText(files.cert, test::ReadText(files.cert).substr(0, 300));
  CheckRefused(files, files.cert, "broken certificate");
  test::WriteText(files.cert, "");
  CheckRefused(files, files.cert, "empty");
  files.cert = "/nowhere/tls.crt";
  CHECK(Credentials::Load(files, TestPool::Wall()).Is(ErrorCode::kNotFound));
  files.cert = "/dev/zero";
  CHECK(Credentials::Load(files, TestPool::Wall()).Is(ErrorCode::kInvalid));
}

TEST_CASE("a certificate that our own bundle does not vouch for is refused") {
  const TestPool pool;
  const TestPool stranger;  // of the same name
  const Issued issued = pool.Issue(pool.Of(Role::kMember, "worker-1"), TestPool::Wall());
  CredentialFiles files = pool.Write("a", issued, stranger.ca_pem());
  CheckRefused(files, files.cert, "not vouched for by");
  files = pool.Write("b", issued, stranger.ca_pem() + pool.ca_pem());
  CHECK(Credentials::Load(files, TestPool::Wall()).ok());
}

TEST_CASE("a key that others may read is refused") {
  const TestPool pool;
  const CredentialFiles files = pool.Files(Role::kMember, "worker-1");
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    REQUIRE(chmod(files.key.c_str(), mode) == 0);
    CheckRefused(files, files.key, "chmod 0600");
  }
  REQUIRE(chmod(files.key.c_str(), 0400) == 0);
  CHECK(Credentials::Load(files, TestPool::Wall()).ok());
}

TEST_CASE("what is expired or not yet valid is refused") {
  const TestPool pool;
  const auto now = TestPool::Wall();
  const Identity worker = pool.Of(Role::kMember, "worker-1");
  const CredentialFiles files = pool.Write("w", pool.Issue(worker, now), pool.ca_pem());
  CHECK(Credentials::Load(files, now + std::chrono::minutes(59)).ok());
  CHECK(Credentials::Load(files, now + hours(2)).error().message().find("expired at") !=
        std::string::npos);
  CHECK(Credentials::Load(files, now - std::chrono::minutes(4)).ok());
  CHECK(Credentials::Load(files, now - std::chrono::minutes(6))
            .error()
            .message()
            .find("not valid before") != std::string::npos);
}

TEST_CASE("new files are taken when they are whole; until then the last good ones stay") {
  const TestPool pool;
  SharedClock clock;
  const Identity worker = pool.Of(Role::kMember, "worker-1");
  const CredentialFiles files =
      pool.Write("w", pool.Issue(worker, TestPool::Wall()), pool.ca_pem());
  std::vector<std::string> told;
  auto source = CredentialSource::Open(files, clock,
                                       [&](const std::string& level, const std::string& sentence) {
                                         told.push_back(level + ": " + sentence);
                                       });
  REQUIRE(source.ok());
  const auto first = (*source)->Current();

  const Issued next = pool.Issue(worker, TestPool::Wall() + std::chrono::minutes(5));
  test::WriteText(files.cert, next.certificate);
  CHECK((*source)->Current() == first);  // not looked at again within a second
  CHECK_FALSE((*source)->last_error().has_value());

  clock.Advance(seconds(1));
  CHECK((*source)->Current() == first);
  REQUIRE((*source)->last_error().has_value());
  CHECK((*source)->last_error()->message().find("not the key") != std::string::npos);
  clock.Advance(seconds(1));
  CHECK((*source)->Current() == first);  // tried again, and not told again
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("warning: the certificate files have changed and are not taken: ") == 0);

  test::WriteText(files.key, TextOf(next.key));
  clock.Advance(seconds(1));
  const auto second = (*source)->Current();
  CHECK(second != first);
  CHECK_FALSE((*source)->last_error().has_value());
  REQUIRE(told.size() == 2);
  CHECK(told[1].find("info: " + files.cert + " was read again: valid until ") == 0);
  CHECK((*source)->not_after() == second->not_after());
  CHECK(second->not_after() > first->not_after());

  REQUIRE(unlink(files.key.c_str()) == 0);
  clock.Advance(seconds(1));
  CHECK((*source)->Current() == second);
  CHECK((*source)->last_error()->code() == ErrorCode::kNotFound);
}

TEST_CASE("files that did not change are not read again") {
  const TestPool pool;
  SharedClock clock;
  const auto source = pool.Source(Role::kMember, "worker-1", clock);
  const auto first = source->Current();
  clock.Advance(hours(1));
  CHECK(source->Current() == first);
}

TEST_CASE("there is no start without credentials") {
  const TestPool pool;
  SharedClock clock;
  CredentialFiles files = pool.Files(Role::kMember, "worker-1");
  files.key = files.cert;
  CHECK(CredentialSource::Open(files, clock).Is(ErrorCode::kInvalid));
}

}  // namespace hsmops::net
