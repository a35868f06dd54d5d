// Writing: what put, delete and rename-key share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/commands/live_device.h"
#include "cli/context.h"
#include "libhsmops/manager/writer.h"

namespace hsmops::cli {

// Sets the expected version of the first write and the operation id of all: `op_id` for a single
// one, else new ones.
base::Result<void> SetWriteWords(Context& context, const std::string& expect,
                                 const std::string& op_id, std::vector<store::Write>& writes);

// What it means that a secret which is to be deleted is not there.
enum class Absent : std::uint8_t { kIsAnError, kIsDone };

// Where writes go: to a manager's live API, or through the members of a cluster that is ours.
class Desk {
 public:
  // By a manager where one says where it listens; else it opens the cluster.
  static base::Result<Desk> Open(Context& context, const std::string& verb);
  base::Result<manager::Served> Read(const store::SecretName& name);
  const cluster::HSMDevice& device() const {
    return live_ ? live_->device() : cluster_->pool().device();
  }
  LiveDevice* live() { return live_.get(); }
  // nullptr: its members are others' to talk to.
  manager::Pool* pool() { return live_ ? nullptr : &cluster_->pool(); }

 private:
  std::unique_ptr<LiveDevice> live_;  // one of the two
  std::unique_ptr<LocalCluster> cluster_;
};

// Writes, collects what is superseded for a moment where nobody else does, and prints one line a
// secret or, with -o, its MirroredSecret. kDone, kPartial, kAccepted when a write is in doubt, or
// the code of the only error.
int WriteAndPrint(Context& context, const std::string& verb, std::vector<store::Write> writes,
                  Absent absent = Absent::kIsAnError);
int WriteAndPrint(Context& context, Desk& desk, const std::string& verb,
                  std::vector<store::Write> writes, Absent absent = Absent::kIsAnError);

// W9 on every member, for a moment; what is left is for the next command.
void CollectGarbage(manager::Pool& pool);

}  // namespace hsmops::cli
