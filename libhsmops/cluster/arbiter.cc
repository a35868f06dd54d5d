#include "libhsmops/cluster/arbiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr Named<ArbiterPhase> kPhaseNames[] = {{ArbiterPhase::kNormal, "Normal"},
                                               {ArbiterPhase::kPromoting, "Promoting"}};
constexpr std::size_t kNonceDigits = 16;

Error Wrong(std::string_view field, std::string_view what) {
  return {ErrorCode::kInvalid, fmt::format("{}: {}", field, what)};
}

// Uids are joined by commas in the Lease, so they hold none.
bool IsUid(std::string_view uid) {
  return !uid.empty() && uid.size() <= kMaxMemberUidBytes && std::ranges::all_of(uid, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':';
  });
}

Result<void> CheckHolder(std::string_view field, const Holder& holder) {
  if (!IsUid(holder.member_uid)) return Wrong(field, "its member uid is missing or malformed");
  if (auto fits = CheckName(holder.node_name); !fits.ok()) return fits.error().Within(field);
  const std::string& uri = holder.certificate_uri;
  const bool fits = !uri.empty() && uri.size() <= kMaxCertificateUriBytes &&
                    std::ranges::all_of(uri, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!fits) return Wrong(field, "its certificate URI is missing or malformed");
  return {};
}

Result<void> CheckTerm(const std::set<std::string>& sync_set, int k, std::chrono::seconds grant,
                       const Epoch& epoch) {
  if (sync_set.size() > kMaxSyncSet)
    return Wrong("syncSet",
                 fmt::format("{} members are more than {}", sync_set.size(), kMaxSyncSet));
  if (!std::ranges::all_of(sync_set, IsUid)) return Wrong("syncSet", "a member uid is malformed");
  if (k < 0 || k > static_cast<int>(kMaxSyncSet))
    return Wrong("k", fmt::format("{} is not within 0 to {}", k, kMaxSyncSet));
  if (grant < kMinGrantDuration || grant > kMaxGrantDuration) {
    return Wrong("grantDuration",
                 fmt::format("{} is not within {} to {} seconds", grant.count(),
                             kMinGrantDuration.count(), kMaxGrantDuration.count()));
  }
  if (epoch.counter > kMaxEpochCounter)
    return Wrong("epoch",
                 fmt::format("counter {} is more than {}", epoch.counter, kMaxEpochCounter));
  return {};
}

Result<void> CheckMembers(const Arbiter& r) {
  if (r.members.empty() || r.members.size() > kMaxOnRecord)
    return Wrong("members", fmt::format("{} are not 1 to {}", r.members.size(), kMaxOnRecord));
  if (!std::ranges::all_of(r.members, IsUid)) return Wrong("members", "a member uid is malformed");
  if (!std::ranges::includes(r.members, r.sync_set))
    return Wrong("syncSet", "one of them is no member");
  if (r.holder && !r.members.contains(r.holder->member_uid)) return Wrong("holder", "is no member");
  return {};
}

Result<void> CheckPrevious(const PreviousTerm& previous, const Epoch& epoch) {
  if (previous.holder) HSM_RETURN_IF_ERROR(CheckHolder("previous.holder", *previous.holder));
  HSM_RETURN_IF_ERROR(
      CheckTerm(previous.sync_set, previous.k, previous.grant_duration, previous.epoch)
          .Within("previous"));
  if (previous.epoch.counter >= epoch.counter)
    return Wrong("previous.epoch", "is not below the epoch");
  return {};
}

Result<void> CheckCuts(const std::vector<LsnCut>& cuts) {
  if (cuts.size() > kMaxLsnCuts)
    return Wrong("lsnCuts", fmt::format("{} are more than {}", cuts.size(), kMaxLsnCuts));
  for (std::size_t i = 1; i < cuts.size(); ++i) {
    if (cuts[i - 1].epoch.counter >= cuts[i].epoch.counter)
      return Wrong("lsnCuts", "are not in the order of their epochs");
  }
  return {};
}

bool SameTerm(const Arbiter& a, const Arbiter& b) {
  return a.holder == b.holder && a.epoch == b.epoch && a.phase == b.phase && a.target == b.target &&
         a.members == b.members && a.sync_set == b.sync_set && a.k == b.k &&
         a.grant_duration == b.grant_duration;
}

Result<Versioned<Arbiter>> FromLease(const Lease& lease) {
  HSM_TRY(Arbiter arbiter, Decode(lease));
  return Versioned<Arbiter>{std::move(arbiter), lease.metadata};
}

}  // namespace

std::span<const Named<ArbiterPhase>> NamesOf(ArbiterPhase) { return kPhaseNames; }

std::string Text(const Epoch& epoch) {
  return fmt::format("{}.{:016x}", epoch.counter, epoch.nonce);
}

Result<Epoch> ParseEpoch(std::string_view text) {
  Epoch epoch;
  const std::size_t dot = text.find('.');
  const auto whole = [](std::string_view part, std::uint64_t& value, int radix) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, radix);
    return error == std::errc() && end == part.data() + part.size();
  };
  if (dot == std::string_view::npos || text.size() - dot - 1 != kNonceDigits ||
      !whole(text.substr(0, dot), epoch.counter, 10) ||
      !whole(text.substr(dot + 1), epoch.nonce, 16) || Text(epoch) != text) {
    return Error(ErrorCode::kInvalid, fmt::format("\"{}\" is not an epoch (counter.nonce)",
                                                  base::Printable(text.substr(0, 64))));
  }
  return epoch;
}

Result<void> Arbiter::Validate() const {
  if (!IsUid(pool_uid)) return Wrong("poolUid", "is missing or malformed");
  if (holder) HSM_RETURN_IF_ERROR(CheckHolder("holder", *holder));
  HSM_RETURN_IF_ERROR(CheckTerm(sync_set, k, grant_duration, epoch));
  HSM_RETURN_IF_ERROR(CheckMembers(*this));
  if (old_grant_duration < kMinGrantDuration || old_grant_duration > kMaxGrantDuration) {
    return Wrong("oldGrantDuration",
                 fmt::format("{} is not a grant duration", old_grant_duration.count()));
  }
  if (!grant_replaced_at && old_grant_duration != grant_duration)
    return Wrong("grantReplacedAt", "is missing");
  if (!target.empty() && !IsUid(target)) return Wrong("target", "is malformed");
  if (!base::FromHex(target_digest).ok()) return Wrong("targetDigest", "is not lower-case hex");
  HSM_RETURN_IF_ERROR(CheckCuts(lsn_cuts));
  if (phase == ArbiterPhase::kNormal) {
    if (previous) return Wrong("previous", "is there, though no promotion runs");
    return {};
  }
  if (!previous) return Wrong("previous", "is missing, though a promotion runs");
  if (target.empty()) return Wrong("target", "is missing, though a promotion runs");
  if (holder) return Wrong("holder", "is there, though a promotion runs");
  return CheckPrevious(*previous, epoch);
}

std::string ArbiterName(std::string_view device) { return fmt::format("{}-primary", device); }

namespace {

using Getter = Result<Object> (ResourceStore::*)(Kind, std::string_view, std::string_view);

Result<Versioned<Arbiter>> ReadArbiterBy(Getter get, ResourceStore& store, std::string_view ns,
                                         std::string_view device) {
  const ObjectKey key{Kind::kLease, std::string(ns), ArbiterName(device)};
  auto object = (store.*get)(key.kind, key.ns, key.name).Within("reading " + Describe(key));
  if (!object.ok()) return object.error();
  const auto lease = Lease::FromJson(object->document());
  if (!lease.ok())
    return Error(ErrorCode::kCorrupt,
                 fmt::format("reading {}: {}", Describe(key), lease.error().message()));
  return FromLease(*lease).Within("reading " + Describe(key));
}

}  // namespace

Result<Versioned<Arbiter>> ReadArbiter(ResourceStore& store, std::string_view ns,
                                       std::string_view device) {
  return ReadArbiterBy(&ResourceStore::Get, store, ns, device);
}

Result<Versioned<Arbiter>> ReadLatestArbiter(ResourceStore& store, std::string_view ns,
                                             std::string_view device) {
  return ReadArbiterBy(&ResourceStore::GetLatest, store, ns, device);
}

Result<Versioned<Arbiter>> CreateArbiter(ResourceStore& store, std::string_view ns,
                                         std::string_view device, const Arbiter& arbiter) {
  HSM_RETURN_IF_ERROR(arbiter.Validate().Within("a first arbiter"));
  ObjectMeta metadata;
  metadata.name = ArbiterName(device);
  metadata.ns = ns;
  HSM_TRY(const Lease lease, CreateNew(store, Encode(arbiter, std::move(metadata))));
  return FromLease(lease);
}

Result<void> CheckStep(const Arbiter& current, const Arbiter& next) {
  const auto refuse = [](std::string what) {
    return Error(ErrorCode::kInternal, "the arbiter's next step is not allowed: " + what);
  };
  if (auto fits = next.Validate(); !fits.ok()) return refuse(fits.error().message());
  if (next.pool_uid != current.pool_uid) return refuse("the pool would change");
  if (next.epoch.counter < current.epoch.counter)
    return refuse(fmt::format("the epoch would go from {} back to {}", Text(current.epoch),
                              Text(next.epoch)));
  if (next.epoch.counter == current.epoch.counter) {
    if (next.epoch.nonce != current.epoch.nonce)
      return refuse("the epoch's nonce would change without its counter");
    if (current.holder && next.holder != current.holder)
      return refuse("the holder would change within an epoch");
    if (!next.target.empty() && next.target != current.target &&
        !base::On(base::Mutant::kTwoTargets))
      return refuse("the target would change within an epoch");
    if (current.phase == ArbiterPhase::kNormal && next.phase == ArbiterPhase::kPromoting)
      return refuse("a promotion would begin without a new epoch");
    if (current.phase == ArbiterPhase::kPromoting && next.phase == ArbiterPhase::kPromoting &&
        next.previous != current.previous) {
      return refuse("the previous term would change during a promotion");
    }
  }
  if (next.holder && !current.holder && current.phase == ArbiterPhase::kPromoting &&
      next.epoch == current.epoch && next.holder->member_uid != current.target) {
    return refuse("the holder would not be the target");
  }
  if (SameTerm(current, next)) {
    if (next.generation != current.generation && next.generation != current.generation + 1)
      return refuse("the generation would change by more than one though nothing else does");
  } else if (next.generation <= current.generation) {
    return refuse("the generation would not go up with the change");
  }
  return {};
}

Result<Versioned<Arbiter>> CompareAndSwap(ResourceStore& store, const Versioned<Arbiter>& current,
                                          const Arbiter& next) {
  HSM_RETURN_IF_ERROR(CheckStep(current.value, next));
  HSM_TRY(const Lease lease, Save(store, Encode(next, current.metadata)));
  base::Failpoint("after-swap");
  return FromLease(lease);
}

}  // namespace hsmops::cluster
