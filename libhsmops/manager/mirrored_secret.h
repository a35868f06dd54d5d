// MirroredSecret: one secret as the live API live.hsm.j5t.io shows it, and as list, get and put
// print it: names, versions and who holds it, and values only where somebody asked for them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/manager/coverage.h"
#include "libhsmops/manager/reader.h"

namespace hsmops::manager {

inline constexpr std::string_view kLiveGroup = "live.hsm.j5t.io";
inline constexpr std::string_view kLiveVersion = "v1alpha1";
inline constexpr std::string_view kDeviceLabel = "hsm.j5t.io/device";

// metadata.name is "<device>:<segment>:<segment>", since a path segment cannot hold "/";
// metadata.resourceVersion the secret's version.
nlohmann::json MirroredSecretOf(const cluster::HSMDevice& device, const SecretCoverage& secret);
// As served by get, without its values.
nlohmann::json MirroredSecretOf(const cluster::HSMDevice& device, const std::string& name,
                                const Served& served);
// As written: by whom it is held now.
nlohmann::json MirroredSecretOf(const cluster::HSMDevice& device, const std::string& name,
                                const mirror::Acknowledged& written);

// What two members hold differently, as a v1 List of {name, difference, <node>: version};
// metadata.secrets: how many the left one holds.
nlohmann::json DiffOf(const std::string& left_node, const store::Inventory& left,
                      const std::string& right_node, const store::Inventory& right);

// "payments:app:db" of device payments and secret app/db, and back. kInvalid: it is none.
std::string MirroredName(const std::string& device, const std::string& secret);
struct DeviceAndSecret {
  std::string device;
  store::SecretName secret;
};
base::Result<DeviceAndSecret> ParseMirroredName(const std::string& name);

}  // namespace hsmops::manager
