// Client: a mirror::Member at the other end of a channel; Serve: the Member's own end.
#pragma once

#include <functional>
#include <memory>

#include "libhsmops/mirror/member.h"

namespace hsmops::agent {

// Carries one request to the member and its answer back. kUnavailable: it did not get there.
// kInDoubt: it may have, and the answer was lost. Thread-safe.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual base::Result<base::SecretBytes> Call(base::SecretBytes request) = 0;
};

// Whether this is Member::Told, whose answer stands beside the token: it may be asked of a member
// whose token hangs or cannot be opened.
bool AsksTold(base::ByteView request);

// Answers one request; a request that does not parse is answered with kInvalid.
base::SecretBytes Serve(mirror::Member& member, base::ByteView request);

// A lost answer of Stage, Put, DiscardQuarantined and Initialize is kInDoubt, of the others
// kUnavailable.
class Client : public mirror::Member {
 public:
  explicit Client(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

  base::Result<mirror::MemberStatus> Status(bool live) override;
  base::Result<store::Term> Told() override;
  base::Result<mirror::Pulse> TakePulse() override;
  base::Result<std::uint64_t> Era() override;
  base::Result<void> Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers) override;
  base::Result<void> OpenGate(const mirror::Grant& grant) override;
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

 private:
  template <typename T, typename Verb, typename... Args>
  base::Result<T> Ask(Verb verb, const Args&... args);

  std::unique_ptr<Channel> channel_;
};

}  // namespace hsmops::agent
