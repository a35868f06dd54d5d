// Pool: one HSMDevice's members and its arbiter, as one manager works with them.
//
// Whoever opens a pool for acting holds the right to (the local default: the cluster folder's
// device lock; later the managers' Lease). Not thread-safe; calls to members go out in parallel
// through the executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/arbiter.h"
#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::manager {

using MemberFactory = std::function<std::unique_ptr<mirror::Member>(
    const std::string& node, const std::string& endpoint, const store::Uid& pool,
    const store::Uid& member)>;

// What a pool needs of the world; all must outlive it.
struct World {
  cluster::ResourceStore& resources;
  base::Clock& clock;
  base::Rng& rng;
  base::Executor& executor;
  MemberFactory make_member;
  // Told of each sync of a whole device that the controller did; may be empty.
  std::function<void(const std::string& device, base::Duration time, bool whole)> synced = {};
  failover::Managers managers = failover::Managers::kNone;
  // The pool of the certificates, where a device without R is to be enrolled by who leads it.
  std::optional<store::Uid> enrols = {};
  // Told of each step of what a controller does, before its turn is over; may be empty.
  std::function<void(const std::string& device, const std::string& sentence)> step = {};
  // This process is asked to end: what waits gives up. May be empty.
  std::function<bool()> ends = {};
};

using store::MemberUid;

class Pool {
 public:
  // kNotFound: no such device. kUnavailable: no arbiter (init makes one). kInvalid: a node without
  // endpoint.
  static base::Result<std::unique_ptr<Pool>> Open(World& world, const std::string& ns,
                                                  const std::string& device);
  // The device as it is now. True: its spec changed, so the pool is to be opened again.
  base::Result<bool> ReloadDevice();
  // The same for who works for long: its members are those of the spec as it is now, by the ways
  // that it names now. No reference to one may be in use. True: something of that changed. Errors
  // as of Open, and nothing changed.
  base::Result<bool> FollowDevice();

  World& world() { return world_; }
  cluster::HSMDevice& device() { return device_; }
  const cluster::HSMDevice& device() const { return device_; }
  const store::Uid& uid() const { return uid_; }
  const std::vector<std::string>& nodes() const { return nodes_; }
  // Another way to the member on this node, of one's own.
  std::unique_ptr<mirror::Member> MakeMember(const std::string& node) const;
  // The member on this node. One that is not OnRecord answers nothing: every request of it is
  // kUnavailable, with the way in. So is one of a node that this pool does not know, such as a
  // Primary that came into the YAML since.
  mirror::Member& At(const std::string& node) {
    if (LeavesAlone(node)) return *left_alone_->refusal;
    const auto found = members_.find(node);
    if (found == members_.end()) return *stranger_;
    return OnRecord(node) ? *found->second.member : *found->second.refusal;
  }
  // From here on this pool asks nothing of that member, which the operation wipes and fills again,
  // as long as it counts for nothing: it answers as one that is not on record. "" for neither: of
  // nobody.
  void LeaveAlone(const std::string& node, const std::string& operation);
  bool LeavesAlone(const std::string& node) const {
    return left_alone_ && left_alone_->node == node && !Counts(node);
  }
  bool LeavesAlone() const { return left_alone_ && LeavesAlone(left_alone_->node); }
  // Something may depend on its answer: it is the Primary or of S, by R or by the term before the
  // promotion that is running, or that promotion's target.
  bool Counts(const std::string& node) const;
  // On record as a member, so that what it holds counts. A node that is not came into the YAML
  // later, or came back after deletions were collected without it: what it holds may have been
  // deleted since.
  bool OnRecord(const std::string& node) const {
    return arbiter_.value.members.contains(UidTextOf(node));
  }
  // The same member, on record or not: for those who make it one.
  mirror::Member& Applicant(const std::string& node) {
    const auto found = members_.find(node);
    return found == members_.end() ? *stranger_ : *found->second.member;
  }
  // Puts an initialised node on record.
  base::Result<void> Admit(const std::string& node);
  // Takes those off the record that are no nodes of the device any more: before anything is
  // forgotten that they would have to be told.
  base::Result<void> ExpelAbsent();
  bool Has(const std::string& node) const { return members_.contains(node); }
  std::string NodeOf(const std::string& member_uid) const;  // "" when it is no member
  std::string UidTextOf(const std::string& node) const {
    return store::UidText(MemberUid(uid_, node));
  }

  const cluster::Arbiter& arbiter() const { return arbiter_.value; }
  base::Result<void> ReloadArbiter();
  // The same, of the store itself: never older than what a member was told before.
  base::Result<void> ReloadLatestArbiter();
  // Compare-and-swap of R; sets renewTime. kConflict: somebody else was faster, re-read and decide
  // again.
  base::Result<void> Swap(cluster::Arbiter next);
  // Reads R again. kConflict: it is not as it was, but for its renewal, which others write all the
  // time; what was judged by it has to be judged anew then. The new one is not taken: every swap
  // fails until ReloadArbiter.
  base::Result<void> FollowRenewal();
  // Swap where it makes no difference that R was renewed in the meantime, with nothing else
  // changed: that is read again and swapped. Not for a change of S, which goes by what the Primary
  // was asked before (protocol.md, 3).
  base::Result<void> SwapDespiteRenewal(const cluster::Arbiter& next);
  const std::string& arbiter_version() const { return arbiter_.version(); }

  // The node that R names; "" for none.
  std::string holder() const;
  store::Epoch epoch() const;
  store::Term term() const { return {epoch(), arbiter_.value.generation}; }
  // R's as it is now, by the store itself; arbiter() stays what it was.
  base::Result<store::Term> TermNow();
  // Whether R as this pool has read it is that of now. False also where that cannot be known.
  bool IsLatest();
  // The term whose acknowledgements count: R's own, or the one before the promotion that is
  // running.
  cluster::PreviousTerm LastTerm() const;
  // The policy and durability of the device's spec as it is now. Who works for long with this pool
  // must not give grants of those before.
  void FollowPolicy();
  // What the Primary is to acknowledge by under this R, and where it finds who must confirm; who
  // has no https endpoint is reached by us alone.
  mirror::SyncRule RuleOf(const cluster::Arbiter& r) const;
  mirror::PeerAddresses PeersOf(const mirror::SyncRule& rule) const;
  // It sends its mirrors what it writes, and proves by itself what a change of S needs.
  bool ReachesMirrors(const std::string& node) const;
  // What every member takes, of those that were ever seen by this object; 0: not known.
  std::uint64_t max_object_bytes() const;
  // The nodes of R's S, and everybody but R's holder; in the order of nodes().
  std::vector<std::string> SyncSetNodes() const;
  std::vector<std::string> Mirrors() const;

  // What is on record, with nobody asked yet.
  failover::ClusterState Recorded() const;
  // The same, and asks every member in parallel. `live` as Member::Status.
  failover::ClusterState Observe(bool live);
  // The same for who only looks: where R was overtaken meanwhile it is read again, and looked
  // again.
  failover::ClusterState ObserveByLatest(bool live);
  // The same for who wants to know how equal they are: while writes go on members are asked again,
  // for two seconds at most, and who was equal once, or is of S and follows, counts as equal.
  failover::ClusterState ObserveAmidWrites();
  // The second part of it alone: `state` was looked at before.
  failover::ClusterState AmidWrites(failover::ClusterState state);

  // Changes the device's status by compare-and-swap, again after a conflict. What cannot be written
  // is an error of the caller's choice: the arbiter is what counts.
  base::Result<void> UpdateStatus(const std::function<void(cluster::HSMDeviceStatus&)>& change);
  // An Event on the device. A failure to write one never stops what it tells of.
  void Tell(cluster::EventType type, const std::string& reason, const std::string& note);

 private:
  Pool(World& world, cluster::HSMDevice device, cluster::Versioned<cluster::Arbiter> arbiter,
       const store::Uid& uid);

  failover::ClusterState ObserveSome(bool live,
                                     const std::function<bool(const std::string& node)>& wanted);
  void Ask(failover::MemberView& view, bool live);
  void AskMember(failover::MemberView& view, bool live);
  bool Overtaken(const failover::ClusterState& state);
  std::string WhyClosed(const failover::MemberView& view) const;

  struct Known {
    std::string endpoint;
    std::unique_ptr<mirror::Member> member;
    std::unique_ptr<mirror::Member> refusal;  // where it is not on record
  };
  static base::Result<void> CheckMembers(const cluster::HSMDevice& device);
  Known Know(const std::string& node) const;
  bool TakeMembers();

  World& world_;
  cluster::HSMDevice device_;
  cluster::Versioned<cluster::Arbiter> arbiter_;
  store::Uid uid_;
  std::vector<std::string> nodes_;
  std::map<std::string, Known> members_;
  std::unique_ptr<mirror::Member> stranger_;  // who is no node of the device
  struct LeftAlone {
    std::string node;
    std::string operation;
    std::unique_ptr<mirror::Member> refusal;
  };
  std::optional<LeftAlone> left_alone_;
  std::map<std::string, std::uint64_t> object_bytes_;  // by node, as last seen
};

cluster::Holder HolderOf(const store::Uid& pool, const std::string& node);
store::Epoch FromArbiter(const cluster::Epoch& epoch);
cluster::Epoch ToArbiter(const store::Epoch& epoch);

// Makes the first arbiter of a device: a new pool, epoch 1, the preferred Primary as holder, an
// empty sync set. kConflict: there is one.
// `pool`: its uid, where agents know it already; `epoch`: the first, where they were told it
// already. Else new ones.
base::Result<void> CreateArbiterFor(World& world, const cluster::HSMDevice& device,
                                    std::optional<store::Uid> pool = {},
                                    std::optional<cluster::Epoch> epoch = {});

// An Event of this device; where it cannot be written it is not told.
void Tell(World& world, const cluster::HSMDevice& device, cluster::EventType type,
          const std::string& reason, const std::string& note);

}  // namespace hsmops::manager
