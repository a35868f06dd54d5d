// Agent: serves one token's store, and keeps the gate that says whether it may write now.
//
// The production handler behind every transport: a child process's pipe, HTTPS, the simulator.
// Calls that touch the token are served one at a time; a pulse and a grant that only renews are
// not among them. What has to outlive the process is in the ledger and the EPOCH
// object; a grant never does (protocol.md, 3).
#pragma once

#include <atomic>
#include <memory>

#include "libhsmops/agent/gatekeeper.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/monitor.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/store/ledger.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::agent {

// The highest term that this member of this pool was told, as its ledger has it. kNotFound: the
// ledger is of none, or of another.
base::Result<store::Term> ToldOf(const store::LedgerState& state, const store::Uid& pool,
                                 const store::Uid& member);

class Agent : public mirror::Member {
 public:
  // All must outlive it. `rng` is asked by every thread that calls.
  Agent(const store::Uid& pool, const store::Uid& member, token::Token& token,
        store::Ledger& ledger, base::Clock& clock, base::Rng& rng,
        std::unique_ptr<base::Monitor> monitor = std::make_unique<base::ThreadMonitor>());

  base::Result<mirror::MemberStatus> Status(bool live) override;
  base::Result<store::Term> Told() override;
  base::Result<mirror::Pulse> TakePulse() override;
  base::Result<std::uint64_t> Era() override;
  base::Result<void> OpenGate(const mirror::Grant& grant) override;
  base::Result<void> Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers) override;
  base::Result<mirror::FenceAnswer> Fence(const store::Term& term) override;
  base::Result<void> Quiesce(base::Duration limit) override;
  base::Result<base::Digest> Freeze(const store::Epoch& epoch) override;
  base::Result<store::InventoryDigest> Digest() override;
  base::Result<store::Inventory> ReadInventory(
      const std::bitset<store::kBuckets>& buckets) override;
  base::Result<mirror::ReadResult> Read(const store::SecretName& name, bool as_primary) override;
  base::Result<std::vector<base::Result<store::Record>>> ReadRecords(
      const std::vector<store::Id>& ids) override;
  base::Result<store::Keys> ReadLegacy(const std::string& name) override;
  base::Result<std::vector<base::Result<store::Staged>>> Stage(
      std::vector<store::Write> writes, std::uint64_t max_object_bytes) override;
  base::Result<std::vector<base::Result<store::Applied>>> Apply(
      const store::Term& sender, std::uint64_t era, std::vector<store::Record> records) override;
  base::Result<std::vector<base::Result<void>>> Acknowledge(
      const std::vector<mirror::Confirmation>& confirmations) override;
  base::Result<std::vector<base::Result<mirror::Acknowledged>>> Put(
      const mirror::Stamp& stamp, std::vector<store::Write> writes) override;
  base::Result<store::VerifyReport> Verify() override;
  base::Result<void> Quarantine(const store::Term& sender,
                                const std::vector<store::IdVersion>& versions) override;
  base::Result<store::Secret> ReadQuarantined(const store::IdVersion& version) override;
  base::Result<void> DiscardQuarantined(const store::IdVersion& version) override;
  base::Result<store::CollectReport> Collect(base::Duration budget) override;
  base::Result<std::uint64_t> CollectTombstones(
      const store::Term& sender, const std::vector<store::IdVersion>& tombstones) override;
  base::Result<void> Initialize(const store::Term& term, bool wipe) override;

  bool GateOpen() const { return Gate().ok(); }

  // Between requests, where there is no other thread: a token that went away closes the gate now
  // and not at the next request; one that came back is read again. False: it is not there.
  bool Watch();

 protected:
  Gatekeeper& gatekeeper() { return gatekeeper_; }
  // The newest version of this name, if it is written and not acknowledged.
  base::Result<std::optional<store::Version>> Unpromised(const store::SecretName& name);
  // The newest whole version of this name.
  base::Result<std::optional<store::Version>> Newest(const store::SecretName& name);
  // The newest version of this name remembers this opId.
  base::Result<bool> Remembers(const store::SecretName& name, const store::OpId& op_id);
  base::Result<void> Gate() const { return gatekeeper_.Gate(clock_.Now()); }
  const store::Uid& pool() const { return pool_; }
  const base::Clock& clock() const { return clock_; }
  base::TimePoint Now() const { return clock_.Now(); }
  // Tells this process from those before it.
  std::uint64_t run() const { return run_; }

 private:
  base::Result<void> EnsureOpen();
  // Persists, and the gate follows; closes it first where a new epoch or the loss of the role does.
  base::Result<void> SetState(const store::LedgerState& state);
  // kStaleEpoch unless a sender of this epoch may be obeyed; adopts a higher one, and a higher
  // generation of the same, which changes nothing else.
  base::Result<void> Obey(const store::Term& sender);
  base::Result<void> CheckEpoch(const store::Epoch& epoch) const;
  void CountInto(mirror::MemberStatus& status);
  base::Result<store::Verification> BeginVerify();
  base::Result<bool> VerifyMore(store::Verification& verification);  // one piece

  const std::unique_ptr<base::Monitor> monitor_;
  store::Uid pool_;
  store::Uid member_;
  token::Token& token_;
  store::Ledger& ledger_;
  base::Clock& clock_;
  base::Rng& rng_;
  store::SecretStore store_;
  Gatekeeper gatekeeper_;
  std::uint64_t run_ = 0;
  std::atomic<std::uint64_t> era_{0};  // of deletions
  bool open_ = false;
};

}  // namespace hsmops::agent
