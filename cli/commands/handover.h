// Handover: what acts is done by the manager that leads, where one does: asked for by an
// HSMOperation, watched to its true end.
#pragma once

#include <optional>

#include "cli/context.h"

namespace hsmops::cli {

// nullopt: no manager leads this folder, so the command does it itself. Else the exit code: that of
// the operation, or 6 with its id when --timeout comes first.
std::optional<int> HandOver(Context& context, const std::string& device,
                            cluster::HSMOperationSpec spec);

}  // namespace hsmops::cli
