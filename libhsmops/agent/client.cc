#include "libhsmops/agent/client.h"

#include "libhsmops/agent/message.h"
#include "libhsmops/agent/verb.h"

namespace hsmops::agent {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// Whether the call may simply be made again, so that a lost answer is as good as no call. What the
// others did, if anything, is not there to be asked for twice.
constexpr bool MayBeRepeated(Verb verb) {
  return verb != Verb::kStage && verb != Verb::kPut && verb != Verb::kDiscardQuarantined &&
         verb != Verb::kInitialize;
}

template <typename T>
base::SecretBytes Answer(const Result<T>& result) {
  Out out;
  out(result);
  return std::move(out).Take();
}

// Reads the arguments, makes the call if they are whole, and encodes what came of it.
template <typename... Args, typename Call>
base::SecretBytes Take(In& in, Call call) {
  // Braces: the arguments are read from left to right.
  std::tuple<Args...> args{in.Make<Args>()...};
  if (auto whole = in.reader().Finish("request"); !whole.ok()) {
    return Answer(Result<bool>(Error(ErrorCode::kInvalid, whole.error().message())));
  }
  return Answer(std::apply(call, std::move(args)));
}

}  // namespace

bool AsksTold(base::ByteView request) {
  return request.size() == 1 && request[0] == static_cast<std::uint8_t>(Verb::kTold);
}

base::SecretBytes Serve(mirror::Member& member, base::ByteView request) {
  using std::vector;
  In in(request);
  Verb verb{};
  {
    const std::uint8_t raw = in.Make<std::uint8_t>();
    if (!in.reader().ok() || raw > static_cast<std::uint8_t>(LastOf(verb))) {
      return Answer(Result<bool>(Error(ErrorCode::kInvalid, "unknown request")));
    }
    verb = static_cast<Verb>(raw);
  }
  switch (verb) {
    case Verb::kStatus:
      return Take<bool>(in, [&](bool live) { return member.Status(live); });
    case Verb::kOpenGate:
      return Take<mirror::Grant>(in, [&](const mirror::Grant& g) { return member.OpenGate(g); });
    case Verb::kFence:
      return Take<store::Term>(in, [&](const store::Term& t) { return member.Fence(t); });
    case Verb::kQuiesce:
      return Take<base::Duration>(in, [&](base::Duration limit) { return member.Quiesce(limit); });
    case Verb::kFreeze:
      return Take<store::Epoch>(in, [&](const store::Epoch& e) { return member.Freeze(e); });
    case Verb::kDigest:
      return Take<>(in, [&] { return member.Digest(); });
    case Verb::kReadInventory:
      return Take<std::bitset<store::kBuckets>>(
          in, [&](const auto& buckets) { return member.ReadInventory(buckets); });
    case Verb::kRead:
      return Take<store::SecretName, bool>(
          in, [&](const auto& name, bool primary) { return member.Read(name, primary); });
    case Verb::kReadRecords:
      return Take<vector<store::Id>>(in, [&](const auto& ids) { return member.ReadRecords(ids); });
    case Verb::kReadLegacy:
      return Take<std::string>(in, [&](const auto& name) { return member.ReadLegacy(name); });
    case Verb::kStage:
      return Take<vector<store::Write>, std::uint64_t>(
          in, [&](auto writes, std::uint64_t max) { return member.Stage(std::move(writes), max); });
    case Verb::kApply:
      return Take<store::Term, std::uint64_t, vector<store::Record>>(
          in, [&](const auto& t, std::uint64_t era, auto records) {
            return member.Apply(t, era, std::move(records));
          });
    case Verb::kAcknowledge:
      return Take<vector<mirror::Confirmation>>(
          in, [&](const auto& v) { return member.Acknowledge(v); });
    case Verb::kVerify:
      return Take<>(in, [&] { return member.Verify(); });
    case Verb::kQuarantine:
      return Take<store::Term, vector<store::IdVersion>>(
          in, [&](const auto& t, const auto& v) { return member.Quarantine(t, v); });
    case Verb::kReadQuarantined:
      return Take<store::IdVersion>(in, [&](const auto& v) { return member.ReadQuarantined(v); });
    case Verb::kDiscardQuarantined:
      return Take<store::IdVersion>(in,
                                    [&](const auto& v) { return member.DiscardQuarantined(v); });
    case Verb::kCollect:
      return Take<base::Duration>(in,
                                  [&](base::Duration budget) { return member.Collect(budget); });
    case Verb::kCollectTombstones:
      return Take<store::Term, vector<store::IdVersion>>(
          in, [&](const auto& t, const auto& v) { return member.CollectTombstones(t, v); });
    case Verb::kInitialize:
      return Take<store::Term, bool>(
          in, [&](const auto& t, bool wipe) { return member.Initialize(t, wipe); });
    case Verb::kTold:
      return Take<>(in, [&] { return member.Told(); });
    case Verb::kTakePulse:
      return Take<>(in, [&] { return member.TakePulse(); });
    case Verb::kPrepare:
      return Take<store::Term, mirror::SyncRule, mirror::PeerAddresses>(
          in, [&](const auto& t, const auto& rule, const auto& peers) {
            return member.Prepare(t, rule, peers);
          });
    case Verb::kPut:
      return Take<mirror::Stamp, vector<store::Write>>(
          in, [&](const auto& stamp, auto writes) { return member.Put(stamp, std::move(writes)); });
    case Verb::kEra:
      return Take<>(in, [&] { return member.Era(); });
  }
  return Answer(Result<bool>(Error(ErrorCode::kInvalid, "unknown request")));
}

template <typename T, typename VerbType, typename... Args>
Result<T> Client::Ask(VerbType verb, const Args&... args) {
  Out out;
  out(static_cast<std::uint8_t>(verb));
  out(args...);
  auto answer = channel_->Call(std::move(out).Take());
  if (answer.Is(ErrorCode::kInDoubt) && MayBeRepeated(static_cast<Verb>(verb))) {
    return Error(ErrorCode::kUnavailable, answer.error().message());
  }
  if (!answer.ok()) return answer.error();
  In in(answer->view());
  auto result = in.Make<Result<T>>();
  HSM_RETURN_IF_ERROR(in.reader().Finish("answer"));
  return result;
}

Result<mirror::MemberStatus> Client::Status(bool live) {
  return Ask<mirror::MemberStatus>(Verb::kStatus, live);
}
Result<store::Term> Client::Told() { return Ask<store::Term>(Verb::kTold); }
Result<mirror::Pulse> Client::TakePulse() { return Ask<mirror::Pulse>(Verb::kTakePulse); }
Result<std::uint64_t> Client::Era() { return Ask<std::uint64_t>(Verb::kEra); }
Result<void> Client::Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers) {
  return Ask<void>(Verb::kPrepare, term, rule, peers);
}
Result<void> Client::OpenGate(const mirror::Grant& grant) {
  return Ask<void>(Verb::kOpenGate, grant);
}
Result<mirror::FenceAnswer> Client::Fence(const store::Term& term) {
  return Ask<mirror::FenceAnswer>(Verb::kFence, term);
}
Result<void> Client::Quiesce(base::Duration limit) { return Ask<void>(Verb::kQuiesce, limit); }
Result<base::Digest> Client::Freeze(const store::Epoch& epoch) {
  return Ask<base::Digest>(Verb::kFreeze, epoch);
}
Result<store::InventoryDigest> Client::Digest() {
  return Ask<store::InventoryDigest>(Verb::kDigest);
}
Result<store::Inventory> Client::ReadInventory(const std::bitset<store::kBuckets>& buckets) {
  return Ask<store::Inventory>(Verb::kReadInventory, buckets);
}
Result<mirror::ReadResult> Client::Read(const store::SecretName& name, bool as_primary) {
  return Ask<mirror::ReadResult>(Verb::kRead, name, as_primary);
}
Result<std::vector<Result<store::Record>>> Client::ReadRecords(const std::vector<store::Id>& ids) {
  return Ask<std::vector<Result<store::Record>>>(Verb::kReadRecords, ids);
}
Result<store::Keys> Client::ReadLegacy(const std::string& name) {
  return Ask<store::Keys>(Verb::kReadLegacy, name);
}
Result<std::vector<Result<store::Staged>>> Client::Stage(std::vector<store::Write> writes,
                                                         std::uint64_t max_object_bytes) {
  return Ask<std::vector<Result<store::Staged>>>(Verb::kStage, writes, max_object_bytes);
}
Result<std::vector<Result<store::Applied>>> Client::Apply(const store::Term& sender,
                                                          std::uint64_t era,
                                                          std::vector<store::Record> records) {
  return Ask<std::vector<Result<store::Applied>>>(Verb::kApply, sender, era, records);
}
Result<std::vector<Result<void>>> Client::Acknowledge(
    const std::vector<mirror::Confirmation>& confirmations) {
  return Ask<std::vector<Result<void>>>(Verb::kAcknowledge, confirmations);
}
Result<std::vector<Result<mirror::Acknowledged>>> Client::Put(const mirror::Stamp& stamp,
                                                              std::vector<store::Write> writes) {
  return Ask<std::vector<Result<mirror::Acknowledged>>>(Verb::kPut, stamp, writes);
}
Result<store::VerifyReport> Client::Verify() { return Ask<store::VerifyReport>(Verb::kVerify); }
Result<void> Client::Quarantine(const store::Term& sender,
                                const std::vector<store::IdVersion>& versions) {
  return Ask<void>(Verb::kQuarantine, sender, versions);
}
Result<store::Secret> Client::ReadQuarantined(const store::IdVersion& version) {
  return Ask<store::Secret>(Verb::kReadQuarantined, version);
}
Result<void> Client::DiscardQuarantined(const store::IdVersion& version) {
  return Ask<void>(Verb::kDiscardQuarantined, version);
}
Result<store::CollectReport> Client::Collect(base::Duration budget) {
  return Ask<store::CollectReport>(Verb::kCollect, budget);
}
Result<std::uint64_t> Client::CollectTombstones(const store::Term& sender,
                                                const std::vector<store::IdVersion>& tombstones) {
  return Ask<std::uint64_t>(Verb::kCollectTombstones, sender, tombstones);
}
Result<void> Client::Initialize(const store::Term& term, bool wipe) {
  return Ask<void>(Verb::kInitialize, term, wipe);
}

}  // namespace hsmops::agent
