#include "libhsmops/manager/enrolment.h"

#include <fmt/format.h>

#include <optional>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/agent_endpoints.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

struct Applicant {
  std::string node;
  std::unique_ptr<mirror::Member> member;
  Result<mirror::MemberStatus> status{Error(ErrorCode::kUnavailable, "not asked yet")};
};

std::vector<Applicant> AskAll(World& world, const cluster::HSMDevice& device,
                              const store::Uid& pool) {
  std::vector<Applicant> applicants;
  for (const std::string& node : device.MemberNodes()) {
    const auto& endpoints = device.spec.mirroring->endpoints;
    const auto endpoint = endpoints.find(node);
    Applicant applicant{.node = node, .member = {}};
    if (endpoint != endpoints.end() && !IsNowhere(endpoint->second))
      applicant.member = world.make_member(node, endpoint->second, pool, MemberUid(pool, node));
    applicants.push_back(std::move(applicant));
  }
  std::vector<base::Executor::Task> tasks;
  for (Applicant& applicant : applicants) {
    if (applicant.member)
      tasks.push_back([&applicant] { applicant.status = applicant.member->Status(true); });
  }
  world.executor.RunAll(std::move(tasks));
  return applicants;
}

// Of an enrolment that was cut short: a member of the first epoch that never held anything.
bool Begun(const mirror::MemberStatus& status) {
  return status.standing == store::Standing::kMember && status.epoch.counter == 1 &&
         status.lsn == 0 && status.secrets == 0 && status.damaged == 0;
}

Result<void> MayEnrol(const std::string& device, const Applicant& applicant) {
  if (!applicant.member) return Error(ErrorCode::kUnavailable, WhyNowhere(device, applicant.node));
  if (!applicant.status.ok())
    return applicant.status.error().Within("waiting for " + applicant.node);
  const mirror::MemberStatus& status = *applicant.status;
  if (status.standing == store::Standing::kUnknown)
    return Error(ErrorCode::kUnavailable,
                 fmt::format("waiting for {}: {}", applicant.node, status.standing_reason));
  if (status.standing == store::Standing::kBlank || Begun(status)) return {};
  return Error(
      ErrorCode::kReadOnly,
      status.standing_reason.empty()
          ? fmt::format("{} is no blank token: it is a member already, and this device has no "
                        "record of who may write. If another HSMDevice has that token, take its "
                        "endpoint out of this one; else restore the Lease from a backup",
                        applicant.node)
          : fmt::format("{} is no blank token ({}), and there is no record of who may write: "
                        "restore that Lease from a backup, or, where nobody needs what it holds, "
                        "have the token initialised by its maker's tool",
                        applicant.node, status.standing_reason));
}

// Two nodes that lead to one token would be two copies that are one.
Result<void> CheckDifferent(const std::vector<Applicant>& applicants) {
  std::map<std::string, std::string> seen;  // what a token says of itself, and its node
  for (const Applicant& applicant : applicants) {
    const token::Identity& self = applicant.status->identity;
    const auto [other, is_new] =
        seen.emplace(fmt::format("{}, {}, serial {}", self.manufacturer, self.model, self.serial),
                     applicant.node);
    if (is_new) continue;
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} and {} have one token: both say {}", other->second, applicant.node,
                             base::Printable(other->first)));
  }
  return {};
}

// That of who is a member already; else a new one.
Result<store::Epoch> FirstEpoch(const std::vector<Applicant>& applicants, base::Rng& rng) {
  std::optional<store::Epoch> first;
  for (const Applicant& applicant : applicants) {
    if (applicant.status->standing != store::Standing::kMember) continue;
    if (first && *first != applicant.status->epoch)
      return Error(
          ErrorCode::kReadOnly,
          fmt::format("{} was initialised by another enrolment: have its token initialised "
                      "by its maker's tool",
                      applicant.node));
    first = applicant.status->epoch;
  }
  return first ? *first : store::Epoch{1, rng.U64()};
}

}  // namespace

Result<void> Enrol(World& world, const cluster::HSMDevice& device, const store::Uid& pool) {
  if (device.status.epoch || device.status.epoch_floor > 0)
    return Error(
        ErrorCode::kReadOnly,
        fmt::format("the record of who may write (the Lease {}) is gone, and device {} had "
                    "one: restore it from a backup",
                    cluster::ArbiterName(device.metadata.name), device.metadata.name));
  const std::vector<Applicant> applicants = AskAll(world, device, pool);
  if (applicants.empty())
    return Error(ErrorCode::kUnavailable, "no endpoint of any node is known yet: " +
                                              WhyNowhere(device.metadata.name, "any node"));
  for (const Applicant& applicant : applicants)
    HSM_RETURN_IF_ERROR(MayEnrol(device.metadata.name, applicant));
  HSM_RETURN_IF_ERROR(CheckDifferent(applicants));
  HSM_TRY(const store::Epoch epoch, FirstEpoch(applicants, world.rng));
  for (const Applicant& applicant : applicants) {
    if (applicant.status->standing == store::Standing::kBlank)
      HSM_RETURN_IF_ERROR(applicant.member->Initialize({epoch, 1}, false).Within(applicant.node));
  }
  return CreateArbiterFor(world, device, pool, ToArbiter(epoch));
}

void ShowNotEnrolled(World& world, cluster::HSMDevice device, const Error& why) {
  const cluster::HSMDeviceStatus before = device.status;
  const bool waits = why.code() == ErrorCode::kUnavailable;
  device.status.phase = cluster::DevicePhase::kUnavailable;
  device.status.findings = {
      {cluster::Severity::kCritical, device.metadata.name, "NotEnrolled", why.message(),
       waits ? "start or mend what the message names; it is tried again by itself"
             : "see docs/adr/0024: what a token holds, and a lost record, are left to a person"}};
  cluster::SetCondition(device.status.conditions,
                        {"Ready", cluster::ConditionStatus::kFalse, "NotEnrolled", why.message(),
                         device.metadata.generation},
                        world.clock.Wall());
  if (device.status == before || !cluster::SaveStatus(world.resources, device).ok()) return;
  // What others said stays in the status (protocol.md, 5).
  Tell(world, device, cluster::EventType::kWarning, "NotEnrolled",
       fmt::format("it is not enrolled; kubectl hsm health {} says why", device.metadata.name));
}

}  // namespace hsmops::manager
