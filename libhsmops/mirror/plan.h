// Plan: what makes the members equal, as a value. Pure: inventories in, steps out.
//
// The source is the Primary, or the target of a promotion. An inventory that could not be read is
// Unknown and nothing is planned for it. Nothing newer is ever overwritten by something older: what
// a member has beyond the source is set aside when its epoch is over, or restored to the source
// when the epoch still runs (then the source has lost it). Deletion travels only as a tombstone.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/base/result.h"
#include "libhsmops/store/inventory.h"

namespace hsmops::mirror {

struct MemberInventory {
  std::string node;
  base::Result<store::Inventory> inventory;  // an error: Unknown
};

struct Step {
  enum class Kind : std::uint8_t {
    kCopy,        // the source's record to `node`
    kRestore,     // `node`'s record to the source
    kQuarantine,  // `version` on `node`
    kAlarm,       // one version with two contents, or damage that nobody can repair: for a person
  };
  Kind kind = Kind::kCopy;
  std::string node;
  store::Id id{};
  std::string name;  // empty when not known
  store::Version version;
  std::uint64_t bytes = 0;
  std::uint64_t era = 0;  // of who takes the record, for Member::Apply
  std::string reason;
};

struct SyncPlan {
  std::vector<Step> steps;             // by id, restores first
  std::vector<std::string> unknown;    // nodes that nothing is planned for
  std::vector<store::IdVersion> dead;  // tombstones that every member has
  bool Equal() const { return steps.empty() && unknown.empty(); }
};

// The last lsn of an epoch that is over, as its promotion recorded it.
struct EpochCut {
  store::Epoch epoch;
  std::uint64_t lsn = 0;
};

// Of an epoch that is over, and none of what it had acknowledged when it ended.
bool BeyondCut(const store::Version& version, const std::vector<EpochCut>& cuts);

// `epoch`: R's, the one in which the source writes. `every_member`: the mirrors are all the members
// of the device, so a tombstone that all of them have may be collected. `cuts`: what a mirror has
// of an epoch beyond its cut, and the source has not, is set aside even where the source has
// something newer under the name (protocol.md, 4).
SyncPlan Plan(const store::Inventory& source, const std::vector<MemberInventory>& mirrors,
              const store::Epoch& epoch, bool every_member, const std::vector<EpochCut>& cuts = {});

}  // namespace hsmops::mirror
