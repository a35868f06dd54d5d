// SecretDelivery: makes the Secrets that HSMSecrets ask for, as the manager that leads.
//
// Works off what changed: HSMSecrets, Secrets and devices are watched, and what a device holds is
// compared by its digest once a second, so that nothing is asked of the API server while nothing
// happens. What fails is tried again after a pause of at most kLongestPause, and at once when the
// device answers again.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/cluster/event_queue.h"
#include "libhsmops/cluster/watched_kind.h"
#include "libhsmops/kube/secret_writer.h"
#include "libhsmops/manager/delivery_plan.h"
#include "libhsmops/manager/device_versions.h"
#include "libhsmops/manager/fronts.h"

namespace hsmops::manager {

inline constexpr std::chrono::seconds kLongestPause{60};

class SecretDelivery {
 public:
  // `level`: "info" or "warning".
  using Log = std::function<void(const std::string& level, const std::string& sentence)>;

  // Begins to watch. All must outlive it. `ns`: of the devices.
  SecretDelivery(World& world, Fronts& fronts, kube::SecretWriter& writer, std::string ns, Log log);

  // Does what is due; then waits until something is, or for `longest`. Returns soon after Hurry.
  void Step(base::Duration longest);
  void Hurry();

 private:
  using Name = cluster::WatchedKind::Name;
  struct Entry {
    std::string source;  // the device and the name there, as it was judged last
    std::string device;
    std::string target;  // the Secret's name
    DeliveryMemory memory;
    // What the watches have not told of yet: the Secret as we wrote it, and when; the HSMSecret as
    // it was before its status was written.
    std::string awaited_secret;
    base::TimePoint awaited_since{};
    std::string overtaken;
    base::TimePoint overtaken_since{};
    // The HSMSecret's resourceVersion since it is settled: until another thing than our own writes
    // changes there is nothing to do. Empty: it is not.
    std::string settled;
    // How often in a row the same was written again, and until when it is not: somebody else
    // changes it back.
    int rewrites = 0;
    base::TimePoint rest_until{};
    int failures = 0;
    std::optional<base::TimePoint> retry_at;
  };

  // What came of one HSMSecret, before it is written down.
  struct Outcome {
    DeliveryVerdict verdict;
    std::optional<Delivered> delivered;
    std::optional<DeliveryFailure> failure;
    bool moved = false;  // the Secret is not as it was seen
  };

  void Mark(const Name& name);
  void Moved(const Name& secret);
  std::set<Name> TakeDue();
  void FollowNamespaces();
  void RefreshDevices(bool now);
  void Work(const Name& name, Entry& entry);
  // nullptr: Secrets of that namespace are not watched.
  const cluster::WatchedKind* SecretsOf(const std::string& ns) const;
  bool IsOvertaken(const std::string& version, const Entry& entry) const;
  bool IsSettled(const cluster::Object& asked, const Entry& entry) const;
  void Settle(const cluster::HSMSecret& secret, Entry& entry);
  Outcome Try(const cluster::HSMSecret& secret, const cluster::HSMDevice& device, Entry& entry);
  TargetSecret TargetOf(const cluster::HSMSecret& secret, Entry& entry);
  base::Result<Delivered> Deliver(const cluster::HSMSecret& secret,
                                  const cluster::HSMDevice& device, const TargetSecret& target,
                                  Entry& entry);
  base::Result<void> CheckAbsent(const cluster::HSMSecret& secret,
                                 const cluster::HSMDevice& device);
  base::Result<void> Remove(const cluster::HSMSecret& secret, const cluster::HSMDevice& device,
                            const TargetSecret& target);
  std::optional<std::string> Write(const cluster::HSMSecret& secret,
                                   cluster::HSMSecretStatus status, Entry& entry);
  void Failed(Entry& entry);
  void NoteWritten(Entry& entry, const std::string& written, const store::Version& version);

  World& world_;
  Fronts& fronts_;
  kube::SecretWriter& writer_;
  const std::string ns_;
  const Log log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::set<Name> due_;
  std::set<Name> moved_;  // Secrets, most of them nobody's of ours
  bool hurry_ = false;
  std::map<Name, std::unique_ptr<Entry>> entries_;
  std::vector<cluster::HSMDevice> devices_;  // as of this step
  bool devices_known_ = false;               // they were listed once
  std::map<std::string, DeviceVersions> versions_;
  cluster::EventQueue events_;
  cluster::WatchedKind devices_seen_;
  cluster::WatchedKind asked_;                                            // HSMSecrets
  std::map<std::string, std::unique_ptr<cluster::WatchedKind>> secrets_;  // by namespace
};

}  // namespace hsmops::manager
