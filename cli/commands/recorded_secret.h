// RecordedSecret: secrets as the record shows them where the live API does not answer: those that
// HSMSecrets have delivered, as they were when that was done.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/context.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cli {

struct VisibleSecrets {
  std::vector<cluster::HSMSecret> items;
  bool all = true;  // else some could not be read
};

// The HSMSecrets of where these devices may deliver to; where they cannot be read is said.
VisibleSecrets VisibleHsmSecrets(Context& context, const std::vector<cluster::HSMDevice>& devices);

// Whether it asks for a secret of this device, may have it, and has had one.
bool WasDelivered(const cluster::HSMSecret& secret, const cluster::HSMDevice& device);

// By a secret's name on the device: of several that had it from there, the one that had it last.
// Into `secrets`.
std::map<std::string, const cluster::HSMSecret*> LastDeliveries(
    const std::vector<cluster::HSMSecret>& secrets, const cluster::HSMDevice& device);

// A MirroredSecret for each secret of this device that one of `secrets` delivered: its name, the
// version that was delivered last and when. Who holds it is not on record: its coverage is unknown,
// and it has no keys. Says how old the record is.
std::vector<nlohmann::json> RecordedSecrets(Context& context, const cluster::HSMDevice& device,
                                            const std::vector<cluster::HSMSecret>& secrets);

}  // namespace hsmops::cli
