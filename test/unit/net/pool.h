// A pool of a test's own: its CA, and certificates in files as an agent or a manager finds them.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <string>

#include "libhsmops/net/certificate_authority.h"
#include "libhsmops/net/credential_source.h"
#include "test/support/temp_folder.h"

namespace hsmops::net {

inline std::string TextOf(const base::SecretBytes& bytes) {
  return {bytes.view().begin(), bytes.view().end()};
}

// A clock that one thread moves while others look at it; its wall time is the host's, because TLS
// looks at that, and what AdvanceWall adds.
class SharedClock : public base::Clock {
 public:
  base::TimePoint Now() const override { return {base::Duration(now_.load())}; }
  base::WallTime Wall() const override {
    return base::SystemClock().Wall() + std::chrono::seconds(wall_.load());
  }
  void SleepFor(base::Duration duration) override { Advance(duration); }
  void Advance(base::Duration duration) { now_ += duration.count(); }
  void AdvanceWall(std::chrono::seconds duration) { wall_ += duration.count(); }

 private:
  std::atomic<std::int64_t> now_{base::Duration(std::chrono::hours(1)).count()};
  std::atomic<std::int64_t> wall_{0};
};

class TestPool {
 public:
  explicit TestPool(std::string name = "payments")
      : name_(std::move(name)), ca_(*CertificateAuthority::Create(name_, Wall())) {}

  static base::WallTime Wall() { return base::SystemClock().Wall(); }
  const std::string& ca_pem() const { return ca_.certificate; }
  const base::SecretBytes& ca_key() const { return ca_.key; }

  Identity Of(Role role, const std::string& name) const { return {name_, role, name}; }

  // Valid from five minutes before `now` until an hour after it.
  Issued Issue(const Identity& identity, base::WallTime now) const {
    const auto authority = CertificateAuthority::Load(base::AsBytes(ca_.certificate), ca_.key);
    REQUIRE(authority.ok());
    auto issued = authority->Issue({identity, {}, {}, std::chrono::hours(1)}, now);
    REQUIRE_MESSAGE(issued.ok(), issued.error().message());
    return *std::move(issued);
  }

  CredentialFiles Write(const std::string& prefix, const Issued& issued,
                        const std::string& ca) const {
    const CredentialFiles files{folder_ / (prefix + ".ca"), folder_ / (prefix + ".crt"),
                                folder_ / (prefix + ".key")};
    test::WriteText(files.ca, ca);
    test::WriteText(files.cert, issued.certificate);
    test::WriteText(files.key, TextOf(issued.key));
    return files;
  }
  CredentialFiles Files(Role role, const std::string& name) const {
    return Write(fmt::format("{}-{}", Name(role), name), Issue(Of(role, name), Wall()), ca_pem());
  }
  std::unique_ptr<CredentialSource> Source(Role role, const std::string& name,
                                           const base::Clock& clock) const {
    auto source = CredentialSource::Open(Files(role, name), clock);
    REQUIRE_MESSAGE(source.ok(), source.error().message());
    return *std::move(source);
  }

 private:
  std::string name_;
  Issued ca_;
  test::TempFolder folder_;
};

}  // namespace hsmops::net
