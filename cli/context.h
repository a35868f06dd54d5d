// Context: what a verb has of the world: streams, the words that every verb takes, time, chance,
// and the cluster that --local names.
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cli/api_server.h"
#include "cli/wire.h"
#include "libhsmops/agent/child.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/manager/pool.h"

namespace hsmops::cli {

inline constexpr const char* kDefaultNamespace = "default";

struct Streams {
  std::ostream& out;
  std::ostream& err;
  std::istream& in;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool in_is_terminal = false;
};

// Words of every verb.
struct Globals {
  std::string local;  // the cluster folder; empty: a Kubernetes cluster
  std::string ns;     // empty: that of the context, or "default"
  std::string device;
  std::string output;  // "" is table
  bool no_headers = false;
  int verbosity = 0;
  std::string color = "auto";
  std::string timeout;
  WireFiles wire;        // to agents, where the cluster is a folder; else to the API server
  KubectlWords kubectl;  // without what `wire` and `ns` are
};

// The file of a device's lock in a cluster folder.
std::string DeviceLockPath(const std::string& folder, const std::string& ns,
                           const std::string& device);

// An open pool and what keeps it ours.
class LocalCluster {
 public:
  manager::Pool& pool() { return *pool_; }
  cluster::ResourceStore& resources() { return *resources_; }

 private:
  friend class Context;
  std::unique_ptr<cluster::ResourceStore> resources_;
  std::optional<base::FileLock> lock_;  // of the device, unless the caller has it
  std::unique_ptr<manager::World> world_;
  std::unique_ptr<manager::Pool> pool_;
};

class Context {
 public:
  Context(Streams streams, Globals globals, std::string program, bool acts)
      : streams_(streams),
        globals_(std::move(globals)),
        prefix_(PrefixOf(globals_)),
        program_(std::move(program)),
        acts_(acts) {}

  std::ostream& out() { return streams_.out; }
  std::ostream& err() { return streams_.err; }
  std::istream& in() { return streams_.in; }
  const Streams& streams() const { return streams_; }
  const Globals& globals() const { return globals_; }
  const std::string& program() const { return program_; }
  base::Clock& clock() { return clock_; }
  base::Rng& rng() { return rng_; }
  base::Executor& executor() { return executor_; }
  bool ColorOn(bool on_terminal) const;
  base::Result<base::Duration> Timeout() const;

  // Whether the cluster is a Kubernetes one: no folder is named.
  bool OnKubernetes() const { return globals_.local.empty(); }
  // The device's namespace: of -n, else of the kubeconfig's context, else "default".
  const std::string& ns();

  // The words of this command line that name the cluster, for a next step: "kubectl hsm --local
  // DIR".
  const std::string& CommandPrefix() const { return prefix_; }
  // The same before every command that this text tells to run, so that it can be copied.
  std::string WithCluster(std::string text) const;

  // The next step where there is no device.
  const char* HowToMakeOne() const;

  base::Result<std::unique_ptr<cluster::ResourceStore>> OpenResources();
  // The API server of a Kubernetes cluster, opened once.
  base::Result<ApiServer*> OpenApi();
  // The device that --device names, else `named`, else the only one there is. kNotFound, kInvalid:
  // several.
  base::Result<std::string> DeviceName(cluster::ResourceStore& resources, const std::string& named);
  // The device's lock, by which a command has it to itself: waits up to --timeout for others.
  // kNotFound: the folder of the locks is not there.
  base::Result<base::FileLock> LockDevice(const std::string& verb, const std::string& ns,
                                          const std::string& device);
  // `held`: the device's lock, where the caller has it already and keeps it as long.
  base::Result<std::unique_ptr<LocalCluster>> OpenCluster(const std::string& verb,
                                                          const std::string& device = {},
                                                          const base::FileLock* held = nullptr);
  // For who only looks. Takes no turn where agents serve the tokens: those have many ask them at
  // once. `ns`: the device's namespace, by default that of --namespace.
  base::Result<std::unique_ptr<LocalCluster>> OpenLook(const std::string& verb,
                                                       const std::string& device = {},
                                                       const std::string& ns = {});

  // Whether something may have been done by now that the exit code has to admit: the verb acts, and
  // this was neither a dry run of it nor one of its words that only look.
  bool MayHaveActed() const { return acts_ && !only_looks_; }
  void NoteOnlyLooks() { only_looks_ = true; }
  // What it says of the API server is read by others than its user. Before anything is opened.
  void NoteServesOthers() { globals_.kubectl.for_others = true; }

  // The way to agents over HTTPS, opened once. Its errors say what to do.
  base::Result<Wire*> OpenWire();
  // A member behind any endpoint of a device.
  std::unique_ptr<mirror::Member> Reach(const std::string& node, const std::string& endpoint,
                                        const agent::ChildConfig& config);

  // Prints "error: …" with the next step where one is known, and gives the exit code of its kind.
  int Fail(const base::Error& error);
  void Warn(const std::string& message);
  // By whom, until when and why, where it is.
  void WarnIfPaused(const cluster::HSMDevice& device);
  // Asks on a terminal; off it `yes` must be given. kReadOnly with what to add otherwise.
  base::Result<void> Confirm(const std::string& question, bool yes);

 private:
  std::string NextStepOnKubernetes(const base::Error& error) const;
  base::Result<std::unique_ptr<LocalCluster>> OpenUnlocked(const std::string& verb);
  base::Result<void> NeedFolder(const std::string& verb) const;
  base::Result<void> OpenPool(LocalCluster& cluster, const std::string& ns,
                              const std::string& device);

  Streams streams_;
  static std::string PrefixOf(const Globals& globals);

  Globals globals_;
  const std::string prefix_;
  std::string program_;
  bool acts_;
  std::set<std::string> told_paused_;  // devices whose pause this command has warned of
  bool only_looks_ = false;
  base::SystemClock clock_;
  base::SystemRng rng_;
  base::ThreadExecutor executor_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<ApiServer> api_;
};

}  // namespace hsmops::cli
