#include "libhsmops/kube/client_config.h"

#include <fmt/format.h>

#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

namespace {

constexpr std::size_t kMaxNamespaceBytes = 256;

template <typename T>
Result<const T*> Named(const std::map<std::string, T>& all, const char* what,
                       const std::string& name) {
  static const T nothing;
  if (name.empty()) return &nothing;
  const auto found = all.find(name);
  if (found != all.end()) return &found->second;
  std::string known;
  for (const auto& [other, value] : all)
    known += (known.empty() ? "" : ", ") + base::Printable(other);
  return Error(ErrorCode::kNotFound,
               fmt::format("{} \"{}\" does not exist; {}", what, base::Printable(name),
                           known.empty() ? "the kubeconfig has none" : "there is " + known));
}

void Replace(std::string& value, std::string& with) {
  if (!with.empty()) value = std::move(with);
}

void ReplaceFile(Material& value, std::string& with) {
  if (with.empty()) return;
  value = {std::move(with), {}};
}

Material CloneOf(const Material& material) { return {material.file, material.data.Clone()}; }

Cluster CloneOf(const Cluster& cluster) {
  return {cluster.server,
          CloneOf(cluster.certificate_authority),
          cluster.insecure_skip_tls_verify,
          cluster.tls_server_name,
          cluster.proxy_url,
          cluster.exec_extension};
}

User CloneOf(const User& user) {
  return {CloneOf(user.client_certificate),
          CloneOf(user.client_key),
          user.token.Clone(),
          user.token_file,
          user.username,
          user.password.Clone(),
          user.as,
          user.as_uid,
          user.as_groups,
          user.as_user_extra,
          user.exec,
          user.auth_provider};
}

// A token on the command line is the whole of who one is, as with kubectl.
void Apply(Overrides& overrides, ClientConfig& config) {
  if (!overrides.token.empty()) {
    config.user.token = std::move(overrides.token);
    config.user.token_file.clear();
    config.user.exec.reset();
    config.user.username.clear();
    config.user.password = {};
  }
  Replace(config.user.as, overrides.as);
  Replace(config.user.as_uid, overrides.as_uid);
  if (!overrides.as_groups.empty()) config.user.as_groups = std::move(overrides.as_groups);
  ReplaceFile(config.user.client_certificate, overrides.client_certificate);
  ReplaceFile(config.user.client_key, overrides.client_key);
  Replace(config.cluster.server, overrides.server);
  Replace(config.cluster.tls_server_name, overrides.tls_server_name);
  if (overrides.insecure_skip_tls_verify) {
    config.cluster.insecure_skip_tls_verify = true;
    config.cluster.certificate_authority = {};
  }
  if (!overrides.certificate_authority.empty()) {
    ReplaceFile(config.cluster.certificate_authority, overrides.certificate_authority);
    config.cluster.insecure_skip_tls_verify = overrides.insecure_skip_tls_verify;
  }
}

std::string Variable(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// False: this is no pod that may ask its API server.
Result<bool> TakePod(const Environment& environment, const std::string& folder,
                     ClientConfig& config) {
  const std::string host = Variable(environment, "KUBERNETES_SERVICE_HOST");
  const std::string port = Variable(environment, "KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) return false;
  const auto token = base::ReadFile(folder + "/token", std::size_t{1} << 16);
  if (token.Is(ErrorCode::kNotFound)) return false;
  if (!token.ok()) return token.error().Within("the pod's service account");
  const bool v6 = host.find(':') != std::string::npos;
  config.cluster.server =
      fmt::format(fmt::runtime(v6 ? "https://[{}]:{}" : "https://{}:{}"), host, port);
  config.cluster.certificate_authority = {folder + "/ca.crt", {}};
  config.user.token_file = folder + "/token";
  const auto ns = base::ReadFile(folder + "/namespace", kMaxNamespaceBytes);
  if (config.ns.empty() && ns.ok()) config.ns.assign(ns->view().begin(), ns->view().end());
  return true;
}

Result<void> CheckServer(std::string& server) {
  const bool scheme = server.find("://") != std::string::npos;
  if (!scheme) server = "https://" + server;  // as kubectl does
  while (server.ends_with('/')) server.pop_back();
  const std::size_t host = server.find("://") + 3;
  const bool known = server.starts_with("https://") || server.starts_with("http://");
  if (known && host < server.size() &&
      server.find_first_of(" \t\r\n?#@", host) == std::string::npos)
    return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("server {} is not https://HOST[:PORT]", base::Printable(server)));
}

Result<void> CheckUser(const User& user) {
  if (!user.auth_provider.empty()) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("the auth-provider {} is no longer a part of Kubernetes' clients; use "
                             "an exec credential plugin",
                             base::Printable(user.auth_provider)));
  }
  const bool basic = !user.username.empty() || !user.password.empty();
  const bool token = !user.token.empty() || !user.token_file.empty();
  if (basic && token)
    return Error(ErrorCode::kInvalid, "the user has a token and a username; it can be one alone");
  if (user.client_certificate.empty() != user.client_key.empty())
    return Error(ErrorCode::kInvalid, user.client_key.empty()
                                          ? "the user has a client certificate and no client key"
                                          : "the user has a client key and no client certificate");
  if (user.as.empty() &&
      (!user.as_uid.empty() || !user.as_groups.empty() || !user.as_user_extra.empty()))
    return Error(ErrorCode::kInvalid, "--as-group and --as-uid go with --as");
  return {};
}

Result<void> CheckTls(const Cluster& cluster) {
  if (cluster.insecure_skip_tls_verify && !cluster.certificate_authority.empty())
    return Error(ErrorCode::kInvalid,
                 "a certificate authority and insecure-skip-tls-verify exclude each other");
  return {};
}

}  // namespace

Result<ClientConfig> ClientConfig::Resolve(Kubeconfig kubeconfig, Overrides overrides,
                                           const Environment& environment,
                                           const std::string& service_account) {
  ClientConfig config;
  config.context = overrides.context.empty() ? kubeconfig.current_context : overrides.context;
  HSM_TRY(const Context* context, Named(kubeconfig.contexts, "context", config.context));
  HSM_TRY(const Cluster* cluster,
          Named(kubeconfig.clusters, "cluster",
                overrides.cluster.empty() ? context->cluster : overrides.cluster));
  HSM_TRY(const User* user,
          Named(kubeconfig.users, "user", overrides.user.empty() ? context->user : overrides.user));
  config.cluster = CloneOf(*cluster);
  config.user = CloneOf(*user);
  config.ns = overrides.ns.empty() ? context->ns : overrides.ns;
  Apply(overrides, config);
  if (config.cluster.server.empty()) {
    HSM_TRY(const bool pod, kubeconfig.empty() ? TakePod(environment, service_account, config)
                                               : Result<bool>(false));
    if (!pod) {
      return Error(
          ErrorCode::kNotFound,
          kubeconfig.empty()
              ? "no cluster is known: there is no kubeconfig ($KUBECONFIG, ~/.kube/config) "
                "and this is no pod; name one with --kubeconfig or --server, or a cluster "
                "folder with --local"
              : "the kubeconfig names no cluster to use: choose a context with --context, "
                "or kubectl config use-context");
    }
  }
  HSM_RETURN_IF_ERROR(CheckServer(config.cluster.server));
  HSM_RETURN_IF_ERROR(CheckUser(config.user));
  HSM_RETURN_IF_ERROR(CheckTls(config.cluster));
  config.server = config.cluster.server;
  if (config.ns.empty()) config.ns = "default";
  return config;
}

Result<ClientConfig> ClientConfig::Find(Overrides overrides, const Environment& environment) {
  HSM_TRY(Kubeconfig kubeconfig, Kubeconfig::Load(overrides.kubeconfig, environment));
  return Resolve(std::move(kubeconfig), std::move(overrides), environment);
}

}  // namespace hsmops::kube
