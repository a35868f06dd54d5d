// DeviceChoice: the devices that a verb shows when it can show several: those named, or all of the
// namespace, or with -A of every namespace, of these the ones that -l matches.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/verb.h"
#include "libhsmops/cluster/hsm_device.h"

namespace hsmops::cli {

// What was chosen, and what could not be read.
struct Chosen {
  std::vector<cluster::HSMDevice> devices;  // by namespace and name, at least one
  std::vector<base::Error> refused;         // documents that are no HSMDevice, each named
};

struct DeviceChoice {
  std::vector<std::string> names;
  bool all_namespaces = false;
  std::string selector;

  void Declare(Words& words);
  // Warns of those that cannot be read, unless devices are named. kNotFound: there is none such;
  // kInvalid: the words exclude each other, or the selector does not parse; kCorrupt: what is
  // named, or all there is, is no HSMDevice.
  base::Result<Chosen> Choose(Context& context) const;
};

}  // namespace hsmops::cli
