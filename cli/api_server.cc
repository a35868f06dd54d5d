#include "cli/api_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/kube/kube_resource_store.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// kubectl's "0" is for ever; a command has its own --timeout beside it.
constexpr std::chrono::hours kForEver{24};

// A plain number is seconds, as with kubectl.
Result<base::Duration> RequestTimeout(const std::string& text,
                                      const std::optional<base::Duration>& at_most) {
  constexpr base::Duration usual = kube::kRequestTimeout;
  if (text.empty()) return std::min(usual, at_most.value_or(usual));
  const bool plain = text.find_first_not_of("0123456789") == std::string::npos;
  HSM_TRY(const base::Duration timeout,
          base::ParseDuration(plain ? text + "s" : text).Within("--request-timeout"));
  return timeout == base::Duration(0) ? base::Duration(kForEver) : timeout;
}

// What is wrong with a kubeconfig says nothing of any object, and is no wrong usage of ours.
Error Unusable(const Error& error) { return {ErrorCode::kUnavailable, error.message()}; }

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::Open(KubectlWords words, bool terminal,
                                                   base::Clock& clock,
                                                   kube::RestClient::Trace trace) {
  HSM_TRY(const base::Duration timeout, RequestTimeout(words.request_timeout, words.at_most));
  words.overrides.token = base::SecretBytes::FromText(words.token);
  auto config = kube::ClientConfig::Find(std::move(words.overrides), kube::ProcessEnvironment());
  if (!config.ok()) return Unusable(config.error());
  config->for_others = words.for_others;
  auto client = kube::RestClient::Open(*std::move(config), kube::ProcessEnvironment(), terminal,
                                       clock, std::move(trace));
  if (!client.ok()) return Unusable(client.error());
  return std::unique_ptr<ApiServer>(new ApiServer(*std::move(client), timeout, clock));
}

std::unique_ptr<cluster::ResourceStore> ApiServer::Resources() {
  return std::make_unique<kube::KubeResourceStore>(client_, clock_, timeout_);
}

}  // namespace hsmops::cli
