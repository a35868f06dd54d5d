// Arbiter: R of protocol.md section 3, the one record per pool that says who may write.
//
// It is kept in a Lease named `<device>-primary`: holderIdentity is the holder's node ("" for
// none), leaseTransitions the epoch's counter, leaseDurationSeconds D, renewTime the last renewal;
// the rest are annotations `hsm.j5t.io/…`. Every field is always written, and a Lease that lacks
// one or holds one that does not parse is kCorrupt: nothing here is ever defaulted.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"
#include "libhsmops/cluster/hsm_device.h"
#include "libhsmops/cluster/lease.h"
#include "libhsmops/cluster/resource_store.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxSyncSet = 64;
inline constexpr std::size_t kMaxOnRecord = 2 * kMaxSyncSet;  // members, absent ones among them
inline constexpr std::size_t kMaxLsnCuts = 256;
inline constexpr std::size_t kMaxMemberUidBytes = 128;
inline constexpr std::size_t kMaxCertificateUriBytes = 512;
inline constexpr std::uint64_t kMaxEpochCounter = 0x7FFF'FFFF;  // leaseTransitions is an int32

// Epochs of one pool are ordered by counter; two with one counter and different nonces are a fault.
struct Epoch {
  std::uint64_t counter = 0;
  std::uint64_t nonce = 0;
  auto operator<=>(const Epoch&) const = default;
};
// "7.00000000deadbeef": counter, and nonce as 16 hex digits.
std::string Text(const Epoch& epoch);
base::Result<Epoch> ParseEpoch(std::string_view text);  // kInvalid

enum class ArbiterPhase : std::uint8_t { kNormal, kPromoting };
std::span<const Named<ArbiterPhase>> NamesOf(ArbiterPhase);

struct Holder {
  std::string member_uid;
  std::string node_name;
  std::string certificate_uri;
  bool operator==(const Holder&) const = default;
};

// What held before P2 of the promotion that is running.
struct PreviousTerm {
  std::optional<Holder> holder;
  std::set<std::string> sync_set;
  int k = 0;
  std::chrono::seconds grant_duration{0};
  Epoch epoch;
  bool operator==(const PreviousTerm&) const = default;
};

// The greatest lsn that belongs to an epoch.
struct LsnCut {
  Epoch epoch;
  std::uint64_t lsn = 0;
  bool operator==(const LsnCut&) const = default;
};

struct Arbiter {
  std::string pool_uid;
  std::optional<Holder> holder;
  Epoch epoch;
  ArbiterPhase phase = ArbiterPhase::kNormal;
  std::set<std::string> members;           // whose content counts: member uids
  std::string target;                      // a member uid; "" outside promotions
  std::set<std::string> sync_set;          // S: member uids
  int k = 0;                               // minSyncMirrors
  std::chrono::seconds grant_duration{0};  // D
  std::chrono::seconds old_grant_duration{
      0};  // what D was before; equal to D when it never changed
  std::optional<base::WallTime> grant_replaced_at;  // when it was replaced; none: never
  std::uint64_t generation = 0;
  std::optional<PreviousTerm> previous;
  std::string target_digest;     // hex; "" before there is one
  std::vector<LsnCut> lsn_cuts;  // by epoch, oldest first
  std::string operation_id;
  base::WallTime renew_time;
  bool operator==(const Arbiter&) const = default;

  // Do all fields fit together? kInvalid names the first that does not. Phase Promoting has a
  // target, a previous term and no holder; Normal has no previous term.
  base::Result<void> Validate() const;
};

// The Arbiter as a Lease and back. Decode: kCorrupt names the field.
Lease Encode(const Arbiter& arbiter, ObjectMeta metadata);
base::Result<Arbiter> Decode(const Lease& lease);

// A value with where it was read: what a compare-and-swap needs.
template <typename T>
struct Versioned {
  T value;
  ObjectMeta metadata;
  const std::string& version() const { return metadata.resource_version; }
};

std::string ArbiterName(std::string_view device);  // "<device>-primary"

// kNotFound: there is none; kCorrupt: there is one, but it is not what was written.
base::Result<Versioned<Arbiter>> ReadArbiter(ResourceStore& store, std::string_view ns,
                                             std::string_view device);
// The same by ResourceStore::GetLatest.
base::Result<Versioned<Arbiter>> ReadLatestArbiter(ResourceStore& store, std::string_view ns,
                                                   std::string_view device);

// The first one of a pool. kConflict: there is one.
base::Result<Versioned<Arbiter>> CreateArbiter(ResourceStore& store, std::string_view ns,
                                               std::string_view device, const Arbiter& arbiter);

// May `next` follow `current`? The epoch never decreases, one counter has one nonce, one holder and
// one target; the pool stays; the generation goes up with every change of holder, epoch, S, k, D,
// phase or target, and by one where somebody wants one of their own. kInternal otherwise, and says
// which.
base::Result<void> CheckStep(const Arbiter& current, const Arbiter& next);

// Replaces `current` by `next` if nobody was faster, after CheckStep. kConflict: re-read, decide
// again. kInDoubt: it may or may not have taken effect. Other labels, annotations and owners of the
// Lease stay.
base::Result<Versioned<Arbiter>> CompareAndSwap(ResourceStore& store,
                                                const Versioned<Arbiter>& current,
                                                const Arbiter& next);

}  // namespace hsmops::cluster
