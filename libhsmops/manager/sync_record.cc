#include "libhsmops/manager/sync_record.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/printable.h"
#include "libhsmops/manager/report.h"

namespace hsmops::manager {

bool RecordSync(Pool& pool, const SyncReport& report) {
  const auto state = pool.Observe(false);
  const base::WallTime now = pool.world().clock.Wall();
  (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) {
    Show(pool.device(), state, now, status);
    status.mirroring->sync_errors.clear();
    for (const mirror::StepError& failed : report.applied.failed) {
      if (status.mirroring->sync_errors.size() < 10)
        status.mirroring->sync_errors.push_back(
            base::Printable(failed.step.node + ": " + failed.error.message()));
    }
    if (report.AllEqual()) status.mirroring->last_sync_time = now;
  });
  // An Event names what happened in our own words: text from a driver stays in the status.
  if (!report.applied.failed.empty()) {
    pool.Tell(
        cluster::EventType::kWarning, "SyncFailed",
        fmt::format("{} of {} steps failed, the first at {}: {}", report.applied.failed.size(),
                    report.plan.steps.size(), report.applied.failed.front().step.node,
                    base::Name(report.applied.failed.front().error.code())));
  }
  if (!report.applied.alarms.empty()) {
    pool.Tell(
        cluster::EventType::kWarning, "ChecksumMismatch",
        fmt::format(
            "{} secrets need a person: one version with two contents, or damage nobody can repair",
            report.applied.alarms.size()));
  }
  if (report.applied.quarantined > 0) {
    pool.Tell(cluster::EventType::kWarning, "Divergence",
              fmt::format("{} versions that the current epoch does not have were set aside",
                          report.applied.quarantined));
  }
  return std::none_of(state.members.begin(), state.members.end(),
                      [](const failover::MemberView& member) {
                        return member.reachable() && member.status->damaged > 0;
                      });
}

}  // namespace hsmops::manager
