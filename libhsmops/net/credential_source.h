// CredentialSource: the credentials of now, read again when their files change.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/net/credentials.h"

namespace hsmops::net {

// The files are looked at no oftener.
inline constexpr std::chrono::seconds kCredentialLook{1};

// Thread-safe. Files that are not whole and matching change nothing: the last good credentials
// stay, and the reason is told. `clock` must outlive it.
class CredentialSource {
 public:
  // `level`: "info" or "warning". Called with a lock held: it must not ask this source anything.
  using Log = std::function<void(const std::string& level, const std::string& sentence)>;

  // Errors: those of Credentials::Load, for there is nothing to fall back on yet. `log` is told,
  // once each, what was taken later and what was not; it may be empty.
  static base::Result<std::unique_ptr<CredentialSource>> Open(CredentialFiles files,
                                                              const base::Clock& clock,
                                                              Log log = {});

  // Never null. Another pointer than last time: other credentials.
  std::shared_ptr<const Credentials> Current();

  // Why the files as they are were not taken; nullopt: what they hold is what Current gives.
  std::optional<base::Error> last_error() const;
  // Of what Current gave last, for a metric.
  base::WallTime not_after() const;

 private:
  // What tells one version of a file from the next, for the three files.
  struct Stamp {
    ino_t inode = 0;
    off_t size = -1;  // there is none
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;

  CredentialSource(CredentialFiles files, const base::Clock& clock, Log log)
      : files_(std::move(files)), clock_(clock), log_(std::move(log)) {}
  Stamps Look() const;
  void Take(std::shared_ptr<const Credentials> next);
  void Refuse(const base::Error& why);

  const CredentialFiles files_;
  const base::Clock& clock_;
  const Log log_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Credentials> current_;
  Stamps seen_;
  base::TimePoint looked_;
  std::optional<base::Error> last_error_;
};

}  // namespace hsmops::net
