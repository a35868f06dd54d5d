// ExecCredential: a credential that a program of the kubeconfig gives (client-go credential
// plugins, client.authentication.k8s.io/v1 and v1beta1).
#pragma once

#include <optional>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/kube/kubeconfig.h"

namespace hsmops::kube {

inline constexpr std::size_t kMaxExecAnswerBytes = std::size_t{1} << 20;

struct ExecCredential {
  base::SecretBytes token;               // empty: none
  base::SecretBytes client_certificate;  // PEM; empty: none
  base::SecretBytes client_key;
  std::optional<base::WallTime> expires;  // unset: it holds as long as this process lives
};

// What the program gets of the world.
struct ExecWorld {
  const Environment& environment;  // of ours; the plugin's own variables are added
  bool terminal = false;           // standard input is one
  base::Clock& clock;
};

// Runs it and reads what it says on standard output; its standard error is ours. It is ended at
// `deadline`. kInvalid: the configuration is none; kNotFound: there is no such program, with the
// install hint; kAuthFailed: it failed, or said something that is no ExecCredential; kUnavailable:
// it did not end in time. What it said is in no message: it may be a secret.
base::Result<ExecCredential> RunExec(const ExecConfig& config, const Cluster& cluster,
                                     ExecWorld world, base::TimePoint deadline);

// The JSON that a plugin answers with, of this apiVersion. kAuthFailed: it is none.
base::Result<ExecCredential> ParseExecCredential(base::ByteView text,
                                                 const std::string& api_version);

}  // namespace hsmops::kube
