// YAML resources: whatever a file of a cluster folder holds, and what the written form says again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "libhsmops/cluster/manifest.h"
#include "libhsmops/cluster/resources.h"
#include "libhsmops/cluster/yaml.h"

using namespace hsmops::cluster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto value = ParseYaml(text); value.ok()) {
    if (const auto emitted = EmitYaml(*value); emitted.ok()) {
      const auto again = ParseYaml(*emitted);
      if (!again.ok() || *again != *value) std::abort();
    }
    (void)HSMDevice::FromJson(*value);
    (void)HSMSecret::FromJson(*value);
    (void)HSMOperation::FromJson(*value);
  }
  (void)Manifest::Parse(text, Kind::kHsmDevice);
  return 0;
}
