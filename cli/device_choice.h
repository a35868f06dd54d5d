// DeviceChoice: the devices that a verb shows when it can show several: those named, or all of the
// namespace, or with -A of every namespace, of these the ones that -l matches.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/verb.h"
#include "libhsmops/cluster/hsm_device.h"

namespace hsmops::cli {

struct DeviceChoice {
  std::vector<std::string> names;
  bool all_namespaces = false;
  std::string selector;

  void Declare(Words& words);
  // By namespace and name, at least one. kNotFound: there is none such; kInvalid: the words exclude
  // each other, the selector does not parse, or a document is no HSMDevice.
  base::Result<std::vector<cluster::HSMDevice>> Choose(Context& context) const;
};

}  // namespace hsmops::cli
