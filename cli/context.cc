#include "cli/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/exit_code.h"
#include "libhsmops/agent/child.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/election.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr base::Duration kReadTimeout = std::chrono::seconds(10);
constexpr base::Duration kActTimeout = std::chrono::seconds(60);
// A child's answer may take longer than a person wants to wait for a lock: a first sync is one
// request after another.
constexpr base::Duration kAnswerLimit = std::chrono::seconds(120);
// Of one PKCS#11 call: well within --timeout, so that a command can still say that the token hangs.
constexpr base::Duration kLongestCall = std::chrono::seconds(15);
constexpr base::Duration kShortestCall = std::chrono::milliseconds(200);
constexpr std::string_view kProgram = "kubectl hsm";
constexpr int kTraceLevel = 6;  // of -v, as with kubectl: each request, without its body

// For a shell to read as one word.
std::string ShellWord(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : base::Printable(text)) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string DeviceLockPath(const std::string& folder, const std::string& ns,
                           const std::string& device) {
  return fmt::format("{}/.locks/{}.{}", folder, ns, device);
}

bool Context::ColorOn(bool on_terminal) const {
  if (globals_.color == "always") return true;
  return globals_.color != "never" && on_terminal && std::getenv("NO_COLOR") == nullptr;
}

Result<base::Duration> Context::Timeout() const {
  if (globals_.timeout.empty()) return acts_ ? kActTimeout : kReadTimeout;
  return base::ParseDuration(globals_.timeout).Within("--timeout");
}

std::string Context::PrefixOf(const Globals& globals) {
  std::string prefix(kProgram);
  const auto add = [&prefix](const char* flag, const std::string& value) {
    if (!value.empty()) prefix += fmt::format(" {} {}", flag, ShellWord(value));
  };
  add("--local", globals.local);
  add("--kubeconfig", globals.kubectl.overrides.kubeconfig);
  add("--context", globals.kubectl.overrides.context);
  if (globals.ns != kDefaultNamespace) add("-n", globals.ns);
  add("--device", globals.device);
  return prefix;
}

std::string Context::WithCluster(std::string text) const {
  std::string prefix = CommandPrefix();
  // Where the text names the device itself it is not named twice.
  const std::string device = " --device " + ShellWord(globals_.device);
  if (!globals_.device.empty() && prefix.ends_with(device) &&
      text.find(" --device ") != std::string::npos)
    prefix.resize(prefix.size() - device.size());
  for (std::size_t at = text.find(kProgram); at != std::string::npos;
       at = text.find(kProgram, at + prefix.size()))
    text.replace(at, kProgram.size(), prefix);
  return text;
}

const std::string& Context::ns() {
  if (!globals_.ns.empty()) return globals_.ns;
  const auto api = OnKubernetes() ? OpenApi() : Result<ApiServer*>(nullptr);
  // Where it cannot be opened, whoever wants its resources says why.
  globals_.ns = api.ok() && *api != nullptr ? (*api)->ns() : kDefaultNamespace;
  return globals_.ns;
}

Result<ApiServer*> Context::OpenApi() {
  if (!api_) {
    kube::Overrides& overrides = globals_.kubectl.overrides;
    overrides.ns = globals_.ns;
    overrides.certificate_authority = globals_.wire.ca;
    overrides.client_certificate = globals_.wire.cert;
    overrides.client_key = globals_.wire.key;
    if (!globals_.timeout.empty()) {
      HSM_TRY(globals_.kubectl.at_most, Timeout());
    }
    const auto trace = [this](const std::string& line) {
      if (globals_.verbosity >= kTraceLevel) err() << line << "\n";
    };
    HSM_TRY(api_,
            ApiServer::Open(std::move(globals_.kubectl), streams_.in_is_terminal, clock_, trace));
  }
  return api_.get();
}

Result<std::unique_ptr<cluster::ResourceStore>> Context::OpenResources() {
  if (OnKubernetes()) {
    HSM_TRY(ApiServer * api, OpenApi());
    return api->Resources();
  }
  HSM_TRY(auto store, cluster::DirectoryResourceStore::Open(globals_.local, clock_, rng_));
  return std::unique_ptr<cluster::ResourceStore>(std::move(store));
}

const char* Context::HowToMakeOne() const {
  return OnKubernetes() ? "kubectl apply one (manifests/samples has the forms), or name another "
                          "namespace with -n"
                        : "run kubectl hsm init --nodes …";
}

Result<std::string> Context::DeviceName(cluster::ResourceStore& resources,
                                        const std::string& named) {
  if (!named.empty() && !globals_.device.empty() && named != globals_.device) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("two devices named: {} and {}", base::Printable(named),
                             base::Printable(globals_.device)));
  }
  if (!named.empty()) return named;
  if (!globals_.device.empty()) return globals_.device;
  HSM_TRY(const auto devices, resources.List(cluster::Kind::kHsmDevice, ns()));
  if (devices.items.size() == 1) return devices.items.front().key().name;
  if (devices.items.empty()) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("no HSMDevice in namespace {}; {}", ns(), HowToMakeOne()));
  }
  std::string names;
  for (const cluster::Object& device : devices.items) names += " " + device.key().name;
  return Error(ErrorCode::kInvalid,
               fmt::format("several devices, name one with --device:{}", names));
}

Result<base::FileLock> Context::LockDevice(const std::string& verb, const std::string& ns,
                                           const std::string& device) {
  HSM_TRY(const base::Duration timeout, Timeout());
  return base::FileLock::Take(DeviceLockPath(globals_.local, ns, device), "kubectl-hsm " + verb,
                              clock_, clock_.Now() + timeout)
      .Within(fmt::format("device {}", device));
}

// On Kubernetes a command talks to the API server alone, and to no member.
Result<void> Context::NeedFolder(const std::string& verb) const {
  if (!OnKubernetes()) return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("{} works with a cluster folder (--local DIR) alone so far", verb));
}

Result<std::unique_ptr<LocalCluster>> Context::OpenCluster(const std::string& verb,
                                                           const std::string& device,
                                                           const base::FileLock* held) {
  HSM_TRY(auto cluster, OpenUnlocked(verb));
  HSM_TRY(const std::string name, DeviceName(*cluster->resources_, device));
  HSM_RETURN_IF_ERROR(cluster::CheckName(name).Within("--device"));
  if (held == nullptr) {
    HSM_TRY(cluster->lock_, LockDevice(verb, ns(), name));
  }
  HSM_RETURN_IF_ERROR(OpenPool(*cluster, ns(), name));
  return cluster;
}

Result<std::unique_ptr<LocalCluster>> Context::OpenLook(const std::string& verb,
                                                        const std::string& device,
                                                        const std::string& in_namespace) {
  const std::string ns = in_namespace.empty() ? this->ns() : in_namespace;
  HSM_TRY(auto cluster, OpenUnlocked(verb));
  HSM_TRY(const std::string name, DeviceName(*cluster->resources_, device));
  HSM_RETURN_IF_ERROR(cluster::CheckName(name).Within("--device"));
  HSM_TRY(const auto there, cluster::Load<cluster::HSMDevice>(*cluster->resources_, ns, name));
  if (!there.IsBehindAgents()) {
    HSM_TRY(cluster->lock_, LockDevice(verb, ns, name));
  }
  HSM_RETURN_IF_ERROR(OpenPool(*cluster, ns, name));
  return cluster;
}

Result<std::unique_ptr<LocalCluster>> Context::OpenUnlocked(const std::string& verb) {
  HSM_RETURN_IF_ERROR(NeedFolder(verb));
  auto cluster = std::make_unique<LocalCluster>();
  HSM_TRY(cluster->resources_, OpenResources());
  HSM_RETURN_IF_ERROR(cluster::CheckNamespace(ns()).Within("--namespace"));
  HSM_RETURN_IF_ERROR(base::MakeFolders(globals_.local + "/.locks", 0750));
  return cluster;
}

Result<void> Context::OpenPool(LocalCluster& cluster, const std::string& ns,
                               const std::string& name) {
  HSM_TRY(const base::Duration timeout, Timeout());
  const std::string states = globals_.local + "/.members";
  auto make_member = [this, states, ns, name, timeout](
                         const std::string& node, const std::string& endpoint,
                         const store::Uid& pool,
                         const store::Uid& member) -> std::unique_ptr<mirror::Member> {
    agent::ChildConfig config;
    config.uri = endpoint;
    config.pool = pool;
    config.member = member;
    config.state_folder = fmt::format("{}/{}.{}/{}", states, ns, name, node);
    config.lock_wait = timeout;
    config.call_limit = std::clamp(timeout * 3 / 4, kShortestCall, kLongestCall);
    return Reach(node, endpoint, config);
  };
  HSM_TRY(const failover::Managers managers,
          manager::LookForManagers(*cluster.resources_, clock_, ns));
  cluster.world_ = std::make_unique<manager::World>(
      manager::World{*cluster.resources_, clock_, rng_, executor_, make_member, {}, managers});
  HSM_TRY(cluster.pool_, manager::Pool::Open(*cluster.world_, ns, name));
  WarnIfPaused(cluster.pool_->device());
  return {};
}

Result<Wire*> Context::OpenWire() {
  if (!wire_) {
    HSM_TRY(wire_, Wire::Open(FilesFor(globals_.wire, globals_.local), clock_));
  }
  return wire_.get();
}

std::unique_ptr<mirror::Member> Context::Reach(const std::string& node, const std::string& endpoint,
                                               const agent::ChildConfig& config) {
  if (endpoint.starts_with("https:")) {
    const auto wire = OpenWire();
    if (wire.ok()) return (*wire)->Reach(node, endpoint);
    return Unreachable({base::ErrorCode::kAuthFailed, wire.error().message()});
  }
  const auto limit = Timeout();
  return std::make_unique<agent::Client>(agent::MakeChildChannel(
      program_, config, std::max(limit.ok() ? *limit : kActTimeout, kAnswerLimit), clock_));
}

// Of an API server that could not be asked: what says where it is and whom to trust; of a device
// that is not there: what is.
std::string Context::NextStepOnKubernetes(const Error& error) const {
  if (!api_) return {};
  if (error.code() == base::ErrorCode::kNotFound &&
      error.message().starts_with("reading HSMDevice "))
    return "; kubectl get hsmdevices -A lists those that there are";
  if (error.code() != base::ErrorCode::kUnavailable) return {};
  if (error.message().find(api_->client().config().server + ": ") == std::string::npos) return {};
  return "; kubectl config view --minify shows what names it and whom to trust, and kubectl "
         "version "
         "whether kubectl reaches it";
}

int Context::Fail(const Error& error) {
  err() << (ColorOn(streams_.err_is_terminal) ? "\x1b[31merror:\x1b[0m " : "error: ")
        << WithCluster(base::Printable(error.message())) << NextStepOnKubernetes(error) << "\n";
  return ExitCodeFor(error.code());
}

void Context::Warn(const std::string& message) {
  err() << "warning: " << WithCluster(message) << "\n";
}

void Context::WarnIfPaused(const cluster::HSMDevice& device) {
  const auto until = device.status.PausedUntil(clock_.Wall());
  const std::string name = device.metadata.ns + "/" + device.metadata.name;
  if (!until || !told_paused_.insert(name).second) return;
  const cluster::PausedStatus& paused = *device.status.paused;
  Warn(fmt::format("paused by {} until {}: {}", base::Printable(paused.by),
                   base::FormatTime(*until), base::Printable(paused.reason)));
}

Result<void> Context::Confirm(const std::string& question, bool yes) {
  if (yes) return {};
  if (!streams_.in_is_terminal)
    return Error(ErrorCode::kReadOnly, question + " Add --yes to go on without a terminal");
  err() << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(in(), answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Error(ErrorCode::kReadOnly, "not confirmed; nothing was changed");
}

}  // namespace hsmops::cli
