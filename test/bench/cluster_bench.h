// Agents and managers as processes over loopback: what failing over, writing and reading cost.
#pragma once

namespace hsmops::bench {

// `secrets`: how many a new mirror is filled with.
void ClusterSuite(int secrets);

}  // namespace hsmops::bench
