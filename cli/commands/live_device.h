// LiveDevice: a device as the managers' live API serves it: how get, put, delete and rename-key
// reach it where managers run.
#pragma once

#include <memory>

#include "cli/context.h"
#include "libhsmops/manager/live_service.h"

namespace hsmops::cli {

class LiveDevice {
 public:
  // Of what is on record; none of its members is talked to from here.
  manager::Pool& pool() { return cluster_->pool(); }
  manager::LiveService& service() { return *service_; }

 private:
  friend base::Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context);
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<manager::LiveService> service_;
};

// nullptr: no manager says where it listens, or the device has tokens that managers do not reach
// (pkcs11:), so the command works with its members itself. An error: it is not known which.
base::Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context);

}  // namespace hsmops::cli
