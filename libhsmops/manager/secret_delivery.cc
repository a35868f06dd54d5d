#include "libhsmops/manager/secret_delivery.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/secret_type.h"
#include "libhsmops/manager/refused_secret.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::HSMDevice;
using cluster::HSMSecret;
using cluster::Kind;
using cluster::Object;

namespace {

constexpr std::chrono::seconds kLookAtDevices{1};
constexpr std::chrono::milliseconds kNow{20};
constexpr std::chrono::seconds kShortestPause{1};
constexpr std::chrono::seconds kAwaited{10};  // what a watch is given to tell of what we wrote
constexpr int kQuietTries = 3;
constexpr std::chrono::seconds kFirstList{5};
constexpr std::chrono::seconds kFirstSecrets{2};
constexpr const char* kController = "hsm.j5t.io/manager";

base::Duration PauseAfter(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 6);
  return std::min<base::Duration>(kShortestPause * (1 << doublings), kLongestPause);
}

// Where HSMSecrets are looked for: everywhere, unless that is not allowed.
std::string WhereToLook(World& world, const std::string& ns, const SecretDelivery::Log& log) {
  const auto all = world.resources.List(Kind::kHsmSecret, "");
  if (!all.Is(ErrorCode::kAuthFailed)) return "";
  log("warning", fmt::format("HSMSecrets are delivered in namespace {} alone: {}", ns,
                             base::Printable(all.error().message())));
  return ns;
}

// Which devices there are, and of which spec.
std::set<std::string> SpecsOf(const std::vector<HSMDevice>& devices) {
  std::set<std::string> specs;
  for (const HSMDevice& device : devices)
    specs.insert(fmt::format("{} {}", device.metadata.name, device.metadata.generation));
  return specs;
}

// What the API server would refuse.
Result<void> CheckContent(const HSMSecret& secret, const store::Keys& keys) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : keys) bytes += value.size();
  if (bytes > kube::kMaxKubeSecretBytes) {
    return Error(ErrorCode::kLimit, fmt::format("its values have {} bytes, and a Secret at most {}",
                                                bytes, kube::kMaxKubeSecretBytes));
  }
  const auto missing = kube::MissingKeys(secret.spec.secret_type, keys);
  if (missing.empty()) return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("a Secret of type {} wants {}, which {} has not: put it there, or name "
                           "another spec.secretType",
                           secret.spec.secret_type, fmt::join(missing, " and "), secret.HsmName()));
}

// What others said stays in the status (protocol.md, 5).
std::string NoteOf(const std::string& event) {
  if (event == "Synced") return "the Secret holds what the device does";
  if (event == "Stale")
    return "the Secret keeps its last value, which may be old; status.lastError says why";
  if (event == "Conflict")
    return "a Secret of that name is there and not ours; status.lastError says whose, and what to "
           "do";
  return "the device does not allow this namespace; status.lastError says what would have to name "
         "it";
}

cluster::OwnerReference OwnerOf(const HSMSecret& secret) {
  return {std::string(cluster::kGroupVersion),
          std::string(cluster::Name(Kind::kHsmSecret)),
          secret.metadata.name,
          secret.metadata.uid,
          true,
          false};
}

}  // namespace

SecretDelivery::SecretDelivery(World& world, Fronts& fronts, kube::SecretWriter& writer,
                               std::string ns, Log log)
    : world_(world),
      fronts_(fronts),
      writer_(writer),
      ns_(std::move(ns)),
      log_(std::move(log)),
      events_(
          world.resources, world.clock, world.rng, kController, ns_,
          [this] { log_("warning", "Events of HSMSecrets are lost: more come than can be told"); }),
      devices_seen_(world.resources, world.clock, Kind::kHsmDevice, ns_,
                    [this](const Name&) { Hurry(); }),
      asked_(world.resources, world.clock, Kind::kHsmSecret, WhereToLook(world, ns_, log_),
             [this](const Name& name) { Mark(name); }) {
  const base::TimePoint until = world_.clock.Now() + kFirstList;
  (void)devices_seen_.WaitKnown(until);
  (void)asked_.WaitKnown(until);
}

void SecretDelivery::Hurry() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
}

void SecretDelivery::Mark(const Name& name) {
  const std::lock_guard lock(mutex_);
  due_.insert(name);
  wake_.notify_all();
}

void SecretDelivery::Moved(const Name& secret) {
  const std::lock_guard lock(mutex_);
  moved_.insert(secret);
  wake_.notify_all();
}

std::set<SecretDelivery::Name> SecretDelivery::TakeDue() {
  const base::TimePoint now = world_.clock.Now();
  std::set<Name> due;
  std::set<Name> moved;
  {
    const std::lock_guard lock(mutex_);
    due.swap(due_);
    moved.swap(moved_);
  }
  for (auto& [name, entry] : entries_) {
    if ((entry->retry_at && *entry->retry_at <= now) || moved.contains({name.first, entry->target}))
      due.insert(name);
  }
  return due;
}

// Secrets are watched where they may be delivered to, and nowhere else.
void SecretDelivery::FollowNamespaces() {
  std::set<std::string> wanted{ns_};
  for (const HSMDevice& device : devices_) {
    for (const std::string& ns : device.spec.allowed_namespaces) wanted.insert(ns == "*" ? "" : ns);
  }
  if (wanted.contains("")) wanted = {""};
  std::erase_if(secrets_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  std::vector<const cluster::WatchedKind*> begun;
  for (const std::string& ns : wanted) {
    auto& watched = secrets_[ns];
    if (watched) continue;
    watched = std::make_unique<cluster::WatchedKind>(world_.resources, world_.clock, Kind::kSecret,
                                                     ns, [this](const Name& name) { Moved(name); });
    begun.push_back(watched.get());
  }
  // Else the first of what is due there would be tried in vain, and again a pause later. Some may
  // never tell, for want of a role: all of them together are not waited for longer than one.
  const base::TimePoint until = world_.clock.Now() + kFirstSecrets;
  for (const cluster::WatchedKind* watched : begun) (void)watched->WaitKnown(until);
}

const cluster::WatchedKind* SecretDelivery::SecretsOf(const std::string& ns) const {
  const auto found = secrets_.contains("") ? secrets_.find("") : secrets_.find(ns);
  return found == secrets_.end() ? nullptr : found->second.get();
}

// `now`: somebody is to be judged by what they hold.
void SecretDelivery::RefreshDevices(bool now) {
  // That one cannot look says nothing of who is there: those of before.
  bool others = false;
  if (const auto listed = devices_seen_.List(); listed.ok()) {
    std::vector<HSMDevice> devices;
    for (const Object& object : *listed) {
      auto device = HSMDevice::FromJson(object.document());
      if (device.ok()) devices.push_back(*std::move(device));
    }
    others = !devices_known_ || SpecsOf(devices) != SpecsOf(devices_);
    devices_ = std::move(devices);
    devices_known_ = true;
  }
  FollowNamespaces();
  // All at once: one that hangs keeps no other waiting longer than itself.
  std::map<std::string, DeviceVersions::Changes> changes;
  std::vector<base::Executor::Task> tasks;
  for (const HSMDevice& device : devices_) {
    const std::string& name = device.metadata.name;
    auto& versions = versions_.try_emplace(name, world_, ns_, name).first->second;
    const base::Duration age = world_.clock.Now() - versions.refreshed();
    if (entries_.empty() || age < (now ? kNow : kLookAtDevices)) continue;
    tasks.push_back([&versions, &its = changes[name]] { its = versions.Refresh(); });
  }
  world_.executor.RunAll(std::move(tasks));
  for (const auto& [key, entry] : entries_) {
    const auto its = changes.find(entry->device);
    if (its == changes.end()) continue;
    if (its->second.all || its->second.names.contains(entry->source)) Mark(key);
  }
  if (!others) return;
  for (const auto& [key, entry] : entries_) {
    entry->settled.clear();
    Mark(key);
  }
}

void SecretDelivery::Step(base::Duration longest) {
  const std::set<Name> names = TakeDue();
  for (const Name& name : names) {
    auto& entry = entries_[name];
    if (!entry) entry = std::make_unique<Entry>();
  }
  RefreshDevices(!names.empty());
  std::vector<base::Executor::Task> tasks;
  for (const Name& name : names)
    tasks.push_back([this, name, &entry = *entries_.at(name)] { Work(name, entry); });
  world_.executor.RunAll(std::move(tasks));
  std::erase_if(entries_, [&](const auto& entry) {
    const auto asked = asked_.Find(entry.first.first, entry.first.second);
    return asked.ok() && !*asked;
  });
  if (!names.empty()) return;
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::nanoseconds(std::min<base::Duration>(longest, kLookAtDevices)),
                 [&] { return hurry_ || !due_.empty() || !moved_.empty(); });
  hurry_ = false;
}

TargetSecret SecretDelivery::TargetOf(const HSMSecret& secret, Entry& entry) {
  TargetSecret target;
  const cluster::WatchedKind* watched = SecretsOf(secret.metadata.ns);
  if (watched == nullptr) {
    target.why = "Secrets of this namespace are not watched yet";
    return target;
  }
  const auto found = watched->Find(secret.metadata.ns, secret.SecretName());
  if (!found.ok()) {
    target.why = found.error().message();
    if (found.Is(ErrorCode::kAuthFailed))
      target.why = fmt::format(
          "managers may not see the Secrets of namespace {}: bind the ClusterRole "
          "hsm-manager-delivery to their account there ({})",
          secret.metadata.ns, target.why);
    return target;
  }
  target.known = true;
  if (!entry.awaited_secret.empty()) {
    const bool told = *found && (*found)->version() == entry.awaited_secret;
    if (told || world_.clock.Now() - entry.awaited_since >= kAwaited) {
      entry.awaited_secret.clear();
    } else {
      target.exists = target.ours = true;
      target.version = entry.awaited_secret;
      return target;
    }
  }
  if (!*found) return target;
  target.exists = true;
  target.version = (*found)->version();
  const auto& document = (*found)->document();
  const auto owners = document.at("metadata").find("ownerReferences");
  if (owners == document.at("metadata").end()) return target;
  for (const auto& owner : *owners) {
    if (owner.value("uid", "") == secret.metadata.uid) {
      target.ours = true;
    } else if (owner.value("controller", false)) {
      target.controller = owner.value("kind", "") + " " + owner.value("name", "");
    }
  }
  return target;
}

void SecretDelivery::Failed(Entry& entry) {
  ++entry.failures;
  entry.retry_at = world_.clock.Now() + PauseAfter(entry.failures);
}

// Who writes the same again soon after has somebody against him, and goes slower each time.
void SecretDelivery::NoteWritten(Entry& entry, const std::string& written,
                                 const store::Version& version) {
  const base::TimePoint now = world_.clock.Now();
  const bool again = entry.memory.delivered == version && entry.memory.written != written &&
                     now - entry.awaited_since < 2 * kLongestPause;
  entry.rewrites = again ? entry.rewrites + 1 : 0;
  if (entry.rewrites > kQuietTries)
    entry.rest_until = now + PauseAfter(entry.rewrites - kQuietTries);
  entry.memory = {written, version};
  entry.awaited_secret = written;
  entry.awaited_since = now;
}

// The watch is about to tell of what we wrote; where it does not, that was undone (etcd put back
// from a backup has the version of then).
bool SecretDelivery::IsOvertaken(const std::string& version, const Entry& entry) const {
  return version == entry.overtaken && world_.clock.Now() < entry.overtaken_since + kAwaited;
}

// Of each delivery its watches tell twice, and most of what a manager computed for it was to find
// that all is as it wrote it.
bool SecretDelivery::IsSettled(const Object& asked, const Entry& entry) const {
  if (entry.settled.empty() || asked.version() != entry.settled) return false;
  const auto versions = versions_.find(entry.device);
  if (versions == versions_.end()) return false;
  const HeldVersion held = versions->second.Of(entry.source);
  const cluster::WatchedKind* watched = SecretsOf(asked.key().ns);
  if (watched == nullptr) return false;
  const auto target = watched->Find(asked.key().ns, entry.target);
  return held.state == HeldVersion::State::kPresent && held.by_primary &&
         held.version == entry.memory.delivered && target.ok() && *target &&
         (*target)->version() == entry.memory.written;
}

void SecretDelivery::Work(const Name& name, Entry& entry) {
  const auto asked = asked_.Find(name.first, name.second);
  // Whoever returns here without another time is looked at again when something is told of it.
  entry.retry_at.reset();
  if (!asked.ok()) entry.retry_at = world_.clock.Now() + kShortestPause;
  if (!asked.ok() || !*asked) return;
  if (IsOvertaken((*asked)->version(), entry)) {
    entry.retry_at = entry.overtaken_since + kAwaited;
    return;
  }
  if (IsSettled(**asked, entry)) {
    entry.awaited_secret.clear();
    return;
  }
  const auto secret = HSMSecret::FromJson((*asked)->document());
  if (!secret.ok()) {
    log_("warning", fmt::format("HSMSecret {}/{}: {}", name.first, name.second,
                                base::Printable(secret.error().message())));
    ShowRefusedSecret(world_.resources, **asked, secret.error(), world_.clock.Wall());
    return;
  }
  if (secret->metadata.deletion_timestamp) return;  // and its Secret goes with it
  entry.settled.clear();
  if (entry.target != secret->SecretName()) {
    entry.rewrites = 0;
    entry.rest_until = {};
  }
  entry.target = secret->SecretName();
  Settle(*secret, entry);
}

void SecretDelivery::Settle(const HSMSecret& secret, Entry& entry) {
  if (!devices_known_) return Failed(entry);
  const auto chosen = ChooseDevice(secret, devices_, ns_);
  if (!chosen) return;
  entry.device = chosen->device == nullptr ? "" : chosen->device->metadata.name;
  entry.source = secret.HsmName();
  Outcome outcome{chosen->none, {}, {}};
  if (chosen->device != nullptr) outcome = Try(secret, *chosen->device, entry);
  // The watch is about to tell what it is that is there.
  if (outcome.moved && entry.failures < kQuietTries) return Failed(entry);
  base::Failpoint("deliver.status");
  const auto now =
      std::chrono::floor<std::chrono::seconds>(world_.clock.Wall());  // as it is stored
  const auto written = Write(
      secret,
      StatusAfter(secret, entry.device, outcome.verdict, outcome.delivered, outcome.failure, now),
      entry);
  if (outcome.failure || !written || outcome.verdict.reason == "TargetUnknown")
    return Failed(entry);
  entry.failures = 0;
  if (outcome.delivered || outcome.verdict.reason == "InSync") entry.settled = *written;
  if (outcome.verdict.reason == "Contended") entry.retry_at = entry.rest_until;
  // Made and removed again before anybody looked, it is told of by nobody.
  if (!entry.awaited_secret.empty()) entry.retry_at = entry.awaited_since + kAwaited;
}

SecretDelivery::Outcome SecretDelivery::Try(const HSMSecret& secret, const HSMDevice& device,
                                            Entry& entry) {
  if (auto not_at_all = WhyNotAtAll(secret, device)) return {*std::move(not_at_all), {}, {}};
  const TargetSecret target = TargetOf(secret, entry);
  entry.memory.contended = world_.clock.Now() < entry.rest_until;
  Outcome outcome{
      Judge(secret, versions_.at(entry.device).Of(entry.source), target, entry.memory), {}, {}};
  if (outcome.verdict.action == DeliveryAction::kRemove) {
    if (const auto gone = Remove(secret, device, target); !gone.ok())
      outcome.failure = DeliveryFailure{"NotRemoved", gone.error().message()};
  } else if (outcome.verdict.reason == "SecretNotFound") {
    if (const auto sure = CheckAbsent(secret, device); !sure.ok())
      outcome.failure = DeliveryFailure{"DeviceUnavailable", sure.error().message()};
  } else if (outcome.verdict.action == DeliveryAction::kDeliver) {
    auto done = Deliver(secret, device, target, entry);
    outcome.moved = done.Is(ErrorCode::kConflict);
    if (done.ok()) {
      outcome.delivered = *std::move(done);
    } else {
      outcome.failure = DeliveryFailure{
          done.Is(ErrorCode::kLimit) ? "SecretTooLarge" : "NotDelivered", done.error().message()};
    }
  }
  return outcome;
}

Result<Delivered> SecretDelivery::Deliver(const HSMSecret& secret, const HSMDevice& device,
                                          const TargetSecret& target, Entry& entry) {
  HSM_TRY(const auto name, store::SecretName::Parse(secret.HsmName()));
  Fronts::Taken front = fronts_.Take(ns_, device.metadata.name);
  HSM_TRY(Served served, front->Get(name));
  HSM_RETURN_IF_ERROR(CheckServed(name, served));
  HSM_RETURN_IF_ERROR(CheckContent(secret, served.secret->keys));
  const store::Version version = served.secret->version;
  // A mirror that is behind must not undo what was delivered.
  if (!served.by_primary && version < LastDelivered(secret, entry.memory))
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} holds an older version than was delivered", served.node));
  const kube::SecretContent content{secret.metadata.ns,
                                    secret.SecretName(),
                                    secret.spec.secret_type,
                                    OwnerOf(secret),
                                    {{"app.kubernetes.io/managed-by", "kubectl-hsm"}},
                                    {{"hsm.j5t.io/device", ns_ + "/" + device.metadata.name},
                                     {"hsm.j5t.io/name", name.text()},
                                     {"hsm.j5t.io/version", version.Full()}},
                                    std::move(served.secret->keys)};
  base::Failpoint("deliver.write");
  const auto written =
      target.exists ? writer_.Replace(content, target.version) : writer_.Create(content);
  base::Failpoint("deliver.written");
  if (!written.ok()) return written.error().Within("writing the Secret");
  NoteWritten(entry, *written, version);
  return Delivered{version, served.node, target.exists && *written == target.version};
}

// Only the Primary says so, which has its grant: a watch may be late to tell who that is.
Result<void> SecretDelivery::CheckAbsent(const HSMSecret& secret, const HSMDevice& device) {
  HSM_TRY(const auto name, store::SecretName::Parse(secret.HsmName()));
  Fronts::Taken front = fronts_.Take(ns_, device.metadata.name);
  HSM_TRY(const Served served, front->Get(name));
  if (!served.secret && served.certain && served.by_primary) return {};
  return Error(ErrorCode::kUnavailable,
               "that the device has no such secret is not confirmed by its Primary");
}

// Only if who asked for it still asks for that: a watch may not have told of it.
Result<void> SecretDelivery::Remove(const HSMSecret& secret, const HSMDevice& device,
                                    const TargetSecret& target) {
  base::Failpoint("deliver.remove");
  HSM_RETURN_IF_ERROR(CheckAbsent(secret, device));
  const cluster::ObjectMeta& asking = secret.metadata;
  HSM_TRY(const Object now, world_.resources.Get(Kind::kHsmSecret, asking.ns, asking.name));
  if (now.version() != asking.resource_version)
    return Error(ErrorCode::kConflict, "the HSMSecret has changed; it is looked at again");
  auto gone = writer_.Remove(secret.metadata.ns, secret.SecretName(), target.version);
  if (gone.Is(ErrorCode::kNotFound)) return {};
  return gone;
}

// Only where it says something else. The HSMSecret's resourceVersion since, empty where others have
// changed it; nullopt: it has to be tried again.
std::optional<std::string> SecretDelivery::Write(const HSMSecret& secret,
                                                 cluster::HSMSecretStatus status, Entry& entry) {
  if (status == secret.status) return secret.metadata.resource_version;
  const std::string event = EventBetween(secret.status, status);
  HSMSecret changed = secret;
  changed.status = std::move(status);
  const auto saved = cluster::SaveStatus(world_.resources, changed);
  // Who was faster has changed it, and the watch tells of that; what is gone has no status.
  if (saved.Is(ErrorCode::kConflict) || saved.Is(ErrorCode::kNotFound)) return std::string();
  if (!saved.ok()) {
    log_("warning", saved.error().message());
    return std::nullopt;
  }
  // What is the same as stored makes no new version, and the watch has nothing to tell.
  if (saved->metadata.resource_version != secret.metadata.resource_version) {
    entry.overtaken = secret.metadata.resource_version;
    entry.overtaken_since = world_.clock.Now();
  }
  if (event.empty()) return saved->metadata.resource_version;
  const bool good = event == "Synced";
  events_.Tell(cluster::SubjectOf(secret),
               {good ? cluster::EventType::kNormal : cluster::EventType::kWarning, event, "",
                NoteOf(event)});
  return saved->metadata.resource_version;
}

}  // namespace hsmops::manager
