// ReplicatedBatch: writes that go from W0 to W8 of protocol.md, 1, together; staged on the Primary,
// sent to mirrors by whoever holds it, and settled when enough have confirmed.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "libhsmops/mirror/member.h"

namespace hsmops::mirror {

// What one mirror said of the records of a batch, in their order.
struct MirrorAnswer {
  std::string node;
  store::Uid uid{};
  base::Result<std::vector<base::Result<store::Applied>>> applied =
      base::Error(base::ErrorCode::kInternal, "not asked");
};

// Not thread-safe, but for Records, which nothing changes after Stage.
class ReplicatedBatch {
 public:
  // W0 to W6.
  static ReplicatedBatch Stage(std::string primary_node, Member& primary,
                               std::uint64_t max_object_bytes, std::vector<store::Write> writes);

  // No write waits for a confirmation any more.
  bool settled() const { return open_ == 0; }
  // Of the writes that were staged, for the mirrors, byte for byte.
  std::vector<store::Record> Records() const;
  std::size_t size() const { return gathered_.size(); }
  std::size_t bytes() const;
  const std::set<store::Id>& ids() const { return ids_; }

  void Take(const MirrorAnswer& answer);
  // Of the writes that are not settled, for Member::Acknowledge.
  std::vector<Confirmation> Confirmations() const;
  // W8, by what the Primary said to Confirmations: what it acknowledged is settled.
  void Settle(const base::Result<std::vector<base::Result<void>>>& acknowledged);

  // One a write. kInDoubt: durable on the Primary and not acknowledged, or the answer was lost; the
  // same opId again settles it. Other errors are Stage's: nothing was acknowledged and the older
  // version stands.
  std::vector<base::Result<Acknowledged>> TakeResults();

 private:
  // What each staged write gathered.
  struct Gathered {
    std::size_t place = 0;
    store::Staged staged;
    std::vector<std::string> nodes;
    std::set<store::Uid> confirmed;
    std::string missing;  // why each mirror that answered did not confirm
    bool settled = false;
  };

  std::string primary_node_;
  std::vector<base::Result<Acknowledged>> results_;
  std::vector<Gathered> gathered_;
  std::set<store::Id> ids_;
  std::size_t open_ = 0;
};

}  // namespace hsmops::mirror
