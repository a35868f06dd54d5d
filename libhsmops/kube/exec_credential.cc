#include "libhsmops/kube/exec_credential.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using nlohmann::json;

namespace {

constexpr const char* kGroup = "client.authentication.k8s.io/";
constexpr const char* kInfoVariable = "KUBERNETES_EXEC_INFO";
constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::milliseconds kEndLook{5};

Result<void> CheckConfig(const ExecConfig& config, bool terminal) {
  if (config.api_version != std::string(kGroup) + "v1" &&
      config.api_version != std::string(kGroup) + "v1beta1") {
    return Error(ErrorCode::kInvalid,
                 fmt::format("exec plugin: apiVersion \"{}\" is not {}v1 or {}v1beta1",
                             base::Printable(config.api_version), kGroup, kGroup));
  }
  if (config.command.empty()) return Error(ErrorCode::kInvalid, "exec plugin: it names no command");
  if (config.interactive == InteractiveMode::kAlways && !terminal) {
    return Error(ErrorCode::kAuthFailed,
                 fmt::format("exec plugin {}: it asks on standard input (interactiveMode Always), "
                             "which is no terminal here",
                             base::Printable(config.command)));
  }
  return {};
}

json ClusterInfo(const Cluster& cluster, const SecretBytes& ca) {
  json info{{"server", cluster.server}};
  if (!cluster.tls_server_name.empty()) info["tls-server-name"] = cluster.tls_server_name;
  if (cluster.insecure_skip_tls_verify) info["insecure-skip-tls-verify"] = true;
  if (!ca.empty()) info["certificate-authority-data"] = base::Base64(ca);
  if (!cluster.proxy_url.empty()) info["proxy-url"] = cluster.proxy_url;
  const json config = json::parse(cluster.exec_extension, nullptr, false);
  if (!config.is_discarded()) info["config"] = config;
  return info;
}

Result<std::string> InfoFor(const ExecConfig& config, const Cluster& cluster, bool interactive) {
  json info{{"apiVersion", config.api_version},
            {"kind", "ExecCredential"},
            {"spec", {{"interactive", interactive}}}};
  if (config.provide_cluster_info) {
    SecretBytes ca;
    if (!cluster.certificate_authority.empty()) {
      HSM_TRY(ca, cluster.certificate_authority.Read("certificate-authority"));
    }
    info["spec"]["cluster"] = ClusterInfo(cluster, ca);
  }
  return info.dump();
}

// Arguments or environment as the system wants them; `texts` must outlive it.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A running plugin, whose standard output is read here. It is ended with this object.
class Plugin {
 public:
  ~Plugin() {
    if (pid_ <= 0) return;
    (void)kill(own_group_ ? -pid_ : pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }

  Result<void> Start(const ExecConfig& config, std::vector<std::string> environment,
                     bool interactive) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::ErrnoError("starting", "an exec plugin", errno);
    out_ = base::Fd(ends[0]);
    const base::Fd write_end(ends[1]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, write_end.get(), STDOUT_FILENO);
    if (!interactive)
      posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A group of its own, so that what it started ends with it; one that asks at the terminal has
    // to be in ours.
    if (!interactive) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> words{config.command};
    words.insert(words.end(), config.args.begin(), config.args.end());
    const int failed = posix_spawnp(&pid_, config.command.c_str(), &files, &attributes,
                                    Pointers(words).data(), Pointers(environment).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    own_group_ = !interactive;
    if (failed == 0) return {};
    pid_ = -1;
    if (failed != ENOENT)
      return base::ErrnoError("starting", base::Printable(config.command), failed);
    return Error(
        ErrorCode::kNotFound,
        fmt::format("exec plugin {}: there is no such program{}{}", base::Printable(config.command),
                    config.install_hint.empty() ? "" : "; ", base::Printable(config.install_hint)));
  }

  // All that it says until it closes its output; kUnavailable at the deadline.
  Result<SecretBytes> ReadAll(base::Clock& clock, base::TimePoint deadline) {
    SecretBytes all;
    std::array<std::uint8_t, 4096> some{};
    for (;;) {
      if (clock.Now() >= deadline) return Error(ErrorCode::kUnavailable, "it did not end in time");
      pollfd waits{out_.get(), POLLIN, 0};
      const int ready = poll(&waits, 1, static_cast<int>(kLook.count()));
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      const ssize_t n = read(out_.get(), some.data(), some.size());
      if (n == 0) return all;
      if (n < 0) return base::ErrnoError("reading", "an exec plugin's output", errno);
      all.Append({some.data(), static_cast<std::size_t>(n)});
      base::Wipe(some.data(), some.size());
      if (all.size() > kMaxExecAnswerBytes)
        return Error(ErrorCode::kAuthFailed, "it says more than any credential");
    }
  }

  Result<void> End(base::Clock& clock, base::TimePoint deadline) {
    int status = 0;
    for (;;) {
      const pid_t ended = waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) break;
      if (ended < 0 && errno != EINTR) return base::ErrnoError("ending", "an exec plugin", errno);
      if (clock.Now() >= deadline) return Error(ErrorCode::kUnavailable, "it did not end in time");
      // As ReadAll: a process takes real time, also where the clock is a test's.
      (void)poll(nullptr, 0, static_cast<int>(kEndLook.count()));
    }
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return Error(ErrorCode::kAuthFailed, WIFEXITED(status)
                                             ? fmt::format("it ended with {}", WEXITSTATUS(status))
                                             : fmt::format("signal {} ended it", WTERMSIG(status)));
  }

 private:
  pid_t pid_ = -1;
  bool own_group_ = false;
  base::Fd out_;
};

std::vector<std::string> EnvironmentFor(const ExecConfig& config, const Environment& ours,
                                        const std::string& info) {
  Environment all = ours;
  for (const auto& [name, value] : config.env) all[name] = value;
  all[kInfoVariable] = info;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace

Result<ExecCredential> RunExec(const ExecConfig& config, const Cluster& cluster, ExecWorld world,
                               base::TimePoint deadline) {
  HSM_RETURN_IF_ERROR(CheckConfig(config, world.terminal));
  const bool interactive = world.terminal && config.interactive != InteractiveMode::kNever;
  HSM_TRY(const std::string info, InfoFor(config, cluster, interactive));
  const std::string what = "exec plugin " + base::Printable(config.command);
  Plugin plugin;
  HSM_RETURN_IF_ERROR(
      plugin.Start(config, EnvironmentFor(config, world.environment, info), interactive));
  HSM_TRY(const SecretBytes answer, plugin.ReadAll(world.clock, deadline).Within(what));
  HSM_RETURN_IF_ERROR(plugin.End(world.clock, deadline).Within(what));
  return ParseExecCredential(answer, config.api_version).Within(what);
}

Result<ExecCredential> ParseExecCredential(base::ByteView text, const std::string& api_version) {
  const json document = json::parse(text.begin(), text.end(), nullptr, false);
  if (!document.is_object() || document.value("kind", json()) != "ExecCredential")
    return Error(ErrorCode::kAuthFailed, "what it says is no ExecCredential in JSON");
  if (document.value("apiVersion", json()) != api_version) {
    return Error(ErrorCode::kAuthFailed,
                 fmt::format("it was asked for {} and answers another version", api_version));
  }
  const json status = document.value("status", json());
  if (!status.is_object()) return Error(ErrorCode::kAuthFailed, "its answer has no status");
  const auto text_of = [&](const char* name) {
    const json field = status.value(name, json());
    return field.is_string() ? field.get<std::string>() : std::string();
  };
  ExecCredential credential;
  credential.token = SecretBytes::FromText(text_of("token"));
  credential.client_certificate = SecretBytes::FromText(text_of("clientCertificateData"));
  credential.client_key = SecretBytes::FromText(text_of("clientKeyData"));
  if (credential.client_certificate.empty() != credential.client_key.empty())
    return Error(ErrorCode::kAuthFailed, "its answer has a certificate or a key, not both");
  if (credential.token.empty() && credential.client_certificate.empty())
    return Error(ErrorCode::kAuthFailed, "its answer has neither token nor certificate");
  if (const std::string expires = text_of("expirationTimestamp"); !expires.empty()) {
    auto when = base::ParseTime(expires);
    if (!when.ok())
      return Error(ErrorCode::kAuthFailed, "its expirationTimestamp is no time of RFC 3339");
    credential.expires = *when;
  }
  return credential;
}

}  // namespace hsmops::kube
