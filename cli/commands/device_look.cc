#include "cli/commands/device_look.h"

#include <fmt/format.h>

namespace hsmops::cli {

std::optional<base::Error> WhyNobodyWasAsked(const failover::ClusterState& state) {
  std::string why;
  for (const failover::MemberView& member : state.members) {
    if (!member.status.Is(base::ErrorCode::kAuthFailed)) return std::nullopt;
    why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", member.node,
                       member.status.error().message());
  }
  if (why.empty()) return std::nullopt;
  return base::Error(base::ErrorCode::kAuthFailed,
                     "no member could be asked with this certificate: " + why);
}

}  // namespace hsmops::cli
