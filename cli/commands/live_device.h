// LiveDevice: a device as the managers' live API serves it: how get, put, delete and rename-key
// reach it where managers run. In a cluster folder that is at the managers themselves, on
// Kubernetes behind the API server's aggregation layer.
#pragma once

#include <memory>
#include <optional>

#include "cli/context.h"
#include "libhsmops/manager/aggregated_client.h"
#include "libhsmops/manager/live_service.h"

namespace hsmops::cli {

class LiveDevice {
 public:
  // As on record. None of its members is talked to from here.
  const cluster::HSMDevice& device() const { return device_; }

  // kNotFound: there surely is none, where it is behind the aggregation layer; else as
  // manager::LiveService.
  base::Result<manager::Served> Get(const store::SecretName& name);
  std::vector<base::Result<mirror::Acknowledged>> Put(std::vector<store::Write> writes,
                                                      const mirror::Progress& progress);
  // Whether a write would be taken now.
  base::Result<void> Probe();

 private:
  friend base::Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context);
  cluster::HSMDevice device_;
  std::unique_ptr<manager::LiveService> service_;  // one of the two
  std::optional<manager::AggregatedClient> aggregated_;
};

// nullptr: no manager says where it listens, or the device has tokens that managers do not reach
// (pkcs11:), so the command works with its members itself. An error: it is not known which.
base::Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context);

// The live API of a namespace behind the aggregation layer. The context must outlive it.
base::Result<manager::AggregatedClient> OpenAggregated(Context& context, const std::string& ns);

}  // namespace hsmops::cli
