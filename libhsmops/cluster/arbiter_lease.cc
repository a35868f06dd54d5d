// The Arbiter as a Lease: field by field, and nothing guessed on the way back.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/arbiter.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

constexpr std::string_view kPrefix = "hsm.j5t.io/";
constexpr std::string_view kPoolUid = "pool-uid";
constexpr std::string_view kHolder = "holder";
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kPhase = "phase";
constexpr std::string_view kMembers = "members";
constexpr std::string_view kTarget = "target";
constexpr std::string_view kSyncSet = "sync-set";
constexpr std::string_view kMinSyncMirrors = "min-sync-mirrors";
constexpr std::string_view kOldGrant = "old-grant-duration";
constexpr std::string_view kGrantReplacedAt = "grant-replaced-at";
constexpr std::string_view kGeneration = "generation";
constexpr std::string_view kPrevious = "previous";
constexpr std::string_view kTargetDigest = "target-digest";
constexpr std::string_view kLsnCuts = "lsn-cuts";
constexpr std::string_view kOperation = "operation";

std::string Annotation(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

std::string Joined(const std::set<std::string>& uids) {
  return fmt::format("{}", fmt::join(uids, ","));
}

json HolderJson(const std::optional<Holder>& holder) {
  if (!holder) return nullptr;
  return {{"memberUid", holder->member_uid},
          {"nodeName", holder->node_name},
          {"certificateUri", holder->certificate_uri}};
}

json PreviousJson(const std::optional<PreviousTerm>& previous) {
  if (!previous) return nullptr;
  return {{"holder", HolderJson(previous->holder)},
          {"syncSet", Joined(previous->sync_set)},
          {"k", previous->k},
          {"grantDuration", previous->grant_duration.count()},
          {"epoch", Text(previous->epoch)}};
}

// An lsn is text, so that no JSON reader rounds it.
json CutsJson(const std::vector<LsnCut>& cuts) {
  json list = json::array();
  for (const LsnCut& cut : cuts)
    list.push_back({{"epoch", Text(cut.epoch)}, {"lsn", std::to_string(cut.lsn)}});
  return list;
}

// Reads the fields of one Lease; after the first that is missing or wrong, error() says which and
// the rest read as nothing.
class LeaseReader {
 public:
  explicit LeaseReader(const Lease& lease) : lease_(lease) {}

  const std::optional<Error>& error() const { return error_; }

  void Fail(std::string_view field, std::string_view what) {
    if (!error_) error_ = Error(ErrorCode::kCorrupt, fmt::format("{}: {}", field, what));
  }

  std::string Text(std::string_view name) {
    const auto found = lease_.metadata.annotations.find(Annotation(name));
    if (found != lease_.metadata.annotations.end()) return found->second;
    Fail(name, "the annotation is missing");
    return {};
  }

  template <typename T>
  T Required(std::string_view field, const std::optional<T>& value) {
    if (!value) Fail(field, "is missing");
    return value.value_or(T{});
  }

  std::uint64_t Whole(std::string_view name, std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > most ||
        std::to_string(value) != text) {
      Fail(name, "is not a whole number in its range");
      return 0;
    }
    return value;
  }

  Epoch EpochOf(std::string_view name, std::string_view text) {
    auto epoch = ParseEpoch(text);
    if (epoch.ok()) return *epoch;
    Fail(name, epoch.error().message());
    return {};
  }

  std::set<std::string> UidsOf(std::string_view name, std::string_view text) {
    std::set<std::string> uids;
    while (!text.empty() && !error_) {
      const std::size_t comma = text.find(',');
      if (!uids.emplace(text.substr(0, comma)).second) Fail(name, "names a member twice");
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
      if (text.empty()) Fail(name, "ends with a comma");
    }
    return uids;
  }

  json Json(std::string_view name) {
    json value = json::parse(Text(name), nullptr, false);
    if (value.is_discarded()) Fail(name, "is not JSON");
    return value;
  }

  // The member of a JSON object, of the wanted kind.
  std::string Member(std::string_view field, const json& object, const char* name) {
    if (object.is_object() && object.contains(name) && object.at(name).is_string())
      return object.at(name).get<std::string>();
    Fail(field, fmt::format("{} is missing", name));
    return {};
  }
  std::uint64_t Number(std::string_view field, const json& object, const char* name) {
    if (object.is_object() && object.contains(name) && object.at(name).is_number_unsigned() &&
        object.at(name) <= INT32_MAX) {
      return object.at(name).get<std::uint64_t>();
    }
    Fail(field, fmt::format("{} is missing or no number", name));
    return 0;
  }

  std::optional<Holder> HolderOf(std::string_view field, const json& value) {
    if (value.is_null() || error_) return std::nullopt;
    return Holder{Member(field, value, "memberUid"), Member(field, value, "nodeName"),
                  Member(field, value, "certificateUri")};
  }

  std::optional<PreviousTerm> Previous() {
    const json value = Json(kPrevious);
    if (value.is_null() || error_) return std::nullopt;
    if (!value.is_object() || !value.contains("holder")) {
      Fail(kPrevious, "lacks its holder");
      return std::nullopt;
    }
    PreviousTerm previous;
    previous.holder = HolderOf(kPrevious, value.at("holder"));
    previous.sync_set = UidsOf(kPrevious, Member(kPrevious, value, "syncSet"));
    previous.k = static_cast<int>(Number(kPrevious, value, "k"));
    previous.grant_duration = std::chrono::seconds(Number(kPrevious, value, "grantDuration"));
    previous.epoch = EpochOf(kPrevious, Member(kPrevious, value, "epoch"));
    return previous;
  }

  std::vector<LsnCut> Cuts() {
    const json list = Json(kLsnCuts);
    std::vector<LsnCut> cuts;
    if (!list.is_array()) Fail(kLsnCuts, "is not a list");
    for (const json& item : list) {
      if (error_) return {};
      const Epoch epoch = EpochOf(kLsnCuts, Member(kLsnCuts, item, "epoch"));
      cuts.push_back({epoch, Whole(kLsnCuts, Member(kLsnCuts, item, "lsn"), UINT64_MAX)});
    }
    return cuts;
  }

  std::optional<base::WallTime> ReplacedAt() {
    const std::string text = Text(kGrantReplacedAt);
    if (text.empty()) return std::nullopt;
    auto time = base::ParseTime(text);
    if (time.ok()) return *time;
    Fail(kGrantReplacedAt, time.error().message());
    return std::nullopt;
  }

  ArbiterPhase Phase() {
    auto phase = FromName<ArbiterPhase>(Text(kPhase));
    if (phase.ok()) return *phase;
    Fail(kPhase, phase.error().message());
    return ArbiterPhase::kNormal;
  }

 private:
  const Lease& lease_;
  std::optional<Error> error_;
};

}  // namespace

Lease Encode(const Arbiter& arbiter, ObjectMeta metadata) {
  Lease lease;
  lease.metadata = std::move(metadata);
  lease.spec.holder_identity = arbiter.holder ? arbiter.holder->node_name : "";
  lease.spec.lease_duration_seconds = static_cast<int>(arbiter.grant_duration.count());
  lease.spec.lease_transitions = static_cast<int>(arbiter.epoch.counter);
  lease.spec.renew_time = arbiter.renew_time;
  const auto set = [&](std::string_view name, std::string value) {
    lease.metadata.annotations[Annotation(name)] = std::move(value);
  };
  set(kPoolUid, arbiter.pool_uid);
  set(kHolder, HolderJson(arbiter.holder).dump());
  set(kEpoch, Text(arbiter.epoch));
  set(kPhase, std::string(Name(arbiter.phase)));
  set(kMembers, Joined(arbiter.members));
  set(kTarget, arbiter.target);
  set(kSyncSet, Joined(arbiter.sync_set));
  set(kMinSyncMirrors, std::to_string(arbiter.k));
  set(kOldGrant, std::to_string(arbiter.old_grant_duration.count()));
  set(kGrantReplacedAt,
      arbiter.grant_replaced_at ? base::FormatMicroTime(*arbiter.grant_replaced_at) : "");
  set(kGeneration, std::to_string(arbiter.generation));
  set(kPrevious, PreviousJson(arbiter.previous).dump());
  set(kTargetDigest, arbiter.target_digest);
  set(kLsnCuts, CutsJson(arbiter.lsn_cuts).dump());
  set(kOperation, arbiter.operation_id);
  return lease;
}

Result<Arbiter> Decode(const Lease& lease) {
  LeaseReader read(lease);
  Arbiter arbiter;
  arbiter.pool_uid = read.Text(kPoolUid);
  arbiter.holder = read.HolderOf(kHolder, read.Json(kHolder));
  arbiter.epoch = read.EpochOf(kEpoch, read.Text(kEpoch));
  arbiter.phase = read.Phase();
  arbiter.members = read.UidsOf(kMembers, read.Text(kMembers));
  arbiter.target = read.Text(kTarget);
  arbiter.sync_set = read.UidsOf(kSyncSet, read.Text(kSyncSet));
  arbiter.k =
      static_cast<int>(read.Whole(kMinSyncMirrors, read.Text(kMinSyncMirrors), kMaxSyncSet));
  arbiter.grant_duration = std::chrono::seconds(
      read.Required("leaseDurationSeconds", lease.spec.lease_duration_seconds));
  arbiter.old_grant_duration =
      std::chrono::seconds(read.Whole(kOldGrant, read.Text(kOldGrant), INT32_MAX));
  arbiter.grant_replaced_at = read.ReplacedAt();
  arbiter.generation = read.Whole(kGeneration, read.Text(kGeneration), UINT64_MAX);
  arbiter.previous = read.Previous();
  arbiter.target_digest = read.Text(kTargetDigest);
  arbiter.lsn_cuts = read.Cuts();
  arbiter.operation_id = read.Text(kOperation);
  arbiter.renew_time = read.Required("renewTime", lease.spec.renew_time);
  // Two fields say a thing twice, for people and for other tools; a hand edit of one is no change
  // of R.
  const int transitions = read.Required("leaseTransitions", lease.spec.lease_transitions);
  if (transitions < 0 || static_cast<std::uint64_t>(transitions) != arbiter.epoch.counter) {
    read.Fail("leaseTransitions", "is not the epoch's counter");
  }
  const std::string identity = read.Required("holderIdentity", lease.spec.holder_identity);
  if (identity != (arbiter.holder ? arbiter.holder->node_name : ""))
    read.Fail("holderIdentity", "is not the holder's node");
  if (read.error()) return *read.error();
  if (auto fits = arbiter.Validate(); !fits.ok())
    return Error(ErrorCode::kCorrupt, fits.error().message());
  return arbiter;
}

}  // namespace hsmops::cluster
