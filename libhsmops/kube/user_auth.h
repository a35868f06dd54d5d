// UserAuth: how a kubeconfig's user proves who it is, now: tokens and certificates from files are
// read again when they may have changed, a plugin's are kept until they expire.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "libhsmops/base/clock.h"
#include "libhsmops/kube/client_config.h"
#include "libhsmops/kube/exec_credential.h"

namespace hsmops::kube {

// Files are read no oftener, as client-go does.
inline constexpr std::chrono::seconds kAuthFilePeriod{60};

struct Proof {
  base::SecretBytes authorization;  // the header's value; empty: none is sent
  base::SecretBytes certificate;    // PEM; empty: none
  base::SecretBytes key;
};

// Thread-safe. `config` and `clock` must outlive it.
class UserAuth {
 public:
  // `terminal`: standard input is one, for plugins that ask.
  UserAuth(const ClientConfig& config, Environment environment, bool terminal, base::Clock& clock)
      : user_(config.user),
        cluster_(config.cluster),
        environment_(std::move(environment)),
        terminal_(terminal),
        clock_(clock) {}

  // Never null. Another pointer than last time: another proof. kUnavailable: it could not be had in
  // time; kAuthFailed: the plugin or the files that the user names give none.
  base::Result<std::shared_ptr<const Proof>> Current(base::TimePoint deadline);

  // The server answered 401 to it. True: another may be had, so asking once more makes sense.
  bool Refused(const std::shared_ptr<const Proof>& proof);

 private:
  base::Result<Proof> Make(base::TimePoint deadline);
  base::Result<Proof> FromPlugin(base::TimePoint deadline);
  bool Stale() const;

  const User& user_;
  const Cluster& cluster_;
  const Environment environment_;
  const bool terminal_;
  base::Clock& clock_;
  std::mutex mutex_;  // one plugin at a time
  std::shared_ptr<const Proof> proof_;
  base::TimePoint made_{};
  std::optional<base::WallTime> expires_;
};

}  // namespace hsmops::kube
