// HealthPage: how a long-running process tells whoever watches it how it is: kubelet, a load
// balancer, a person with curl.
//
// /livez   its loops turn; the loss of a device or a standby never fails it
// /readyz  it can serve its role
// /health  every part of it, and /health/PART one of them
// /primary it takes writes now; 404 where that is no question
// Each answers 200 or 503 and JSON that says why. No secret and no text of foreign origin is in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/net/http_message.h"

namespace hsmops::net {

struct HealthPart {
  std::string name;  // "token", "device/worker-1"
  bool ok = false;
  std::string message;  // one sentence, whether or not it is ok; may be empty
};

struct HealthReport {
  HealthPart live{"live", false, ""};
  HealthPart ready{"ready", false, ""};
  std::optional<HealthPart> primary;
  std::vector<HealthPart> parts;
};

// 404: no such page or part.
Reply HealthPage(std::string_view path, const HealthReport& report);

// "/metrics?x=1" is "/metrics".
std::string_view PathOf(std::string_view target);

}  // namespace hsmops::net
