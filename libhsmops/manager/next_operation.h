// NextOperation: which of those that somebody asked for is to be begun now.
#pragma once

#include <optional>
#include <string>

#include "libhsmops/manager/operation_log.h"

namespace hsmops::manager {

// The operation to be done next, Running from here on: the oldest that is pending and whose time
// has come, or nullopt. One of which the store refuses every status (its spec is older than a rule
// that it breaks, somebody forbids it) is passed over. kUnavailable: the store does not answer;
// kInDoubt: one may be Running, and nobody carries it.
enum class Wanted : std::uint8_t {
  kAny,
  kNotReading,     // none that ReadsAllAgain
  kShort,          // none that TakesLong, and no planned promotion
  kUrgent,         // what says who is to be the Primary, or whether a failover may be made
  kOtherFailover,  // than the promotion that is under way: with acceptLoss, or to another target
};
// `refused`, where given: why one of them cannot be taken up at all, since its document says what
// no operation may; empty: none is so. `in_hand`: for whose end those wait that kShort passes over;
// each of them says so, one more in every call.
base::Result<std::optional<OperationLog>> BeginNext(Pool& pool, Wanted wanted = Wanted::kAny,
                                                    std::string* refused = nullptr,
                                                    const std::string& in_hand = {});

}  // namespace hsmops::manager
