// Writing: what put, delete and rename-key share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/context.h"
#include "libhsmops/manager/writer.h"

namespace hsmops::cli {

// Sets the expected version of the first write and the operation id of all: `op_id` for a single
// one, else new ones.
base::Result<void> SetWriteWords(Context& context, const std::string& expect,
                                 const std::string& op_id, std::vector<store::Write>& writes);

// What it means that a secret which is to be deleted is not there.
enum class Absent : std::uint8_t { kIsAnError, kIsDone };

// Opens the cluster, writes, collects what is superseded for a moment, and prints one line a secret
// or, with -o, its MirroredSecret. kDone, kPartial, kAccepted when a write is in doubt, or the code
// of the only error.
int WriteAndPrint(Context& context, const std::string& verb, std::vector<store::Write> writes,
                  Absent absent = Absent::kIsAnError);
int WriteAndPrint(Context& context, LocalCluster& cluster, const std::string& verb,
                  std::vector<store::Write> writes, Absent absent = Absent::kIsAnError);

// W9 on every member, for a moment; what is left is for the next command.
void CollectGarbage(manager::Pool& pool);

}  // namespace hsmops::cli
