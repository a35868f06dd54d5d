// On a real API server: what the command line costs beside kubectl and curl, what a delivery costs
// beside plain writes, and what a manager asks for that has nothing to do.
#pragma once

namespace hsmops::bench {

// Needs root, for network namespaces, and the programs in $HSMOPS_SERVERS.
void OnKubernetes(bool quick);

}  // namespace hsmops::bench
