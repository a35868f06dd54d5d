#include "libhsmops/mirror/member.h"

#include <fmt/format.h>

namespace hsmops::mirror {

std::string MemberStatus::WhyUnhealthy() const {
  for (const ProbeStep& step : probe) {
    if (step.outcome == ProbeStep::Outcome::kFailed)
      return fmt::format("{}: {}", step.name, step.message);
  }
  if (standing == store::Standing::kUnknown) return "its store could not be opened";
  if (standing != store::Standing::kMember)
    return standing_reason.empty() ? "it is no member of the pool" : standing_reason;
  return digest ? "" : "its content is unknown";
}

}  // namespace hsmops::mirror
