// Handover: what acts is done by the manager that leads, where one does: asked for by an
// HSMOperation, watched to its true end.
#pragma once

#include <optional>
#include <variant>

#include "cli/context.h"

namespace hsmops::cli {

// What an operation came to; or the exit code, and everything said, where its end was not waited
// for.
using Followed = std::variant<cluster::HSMOperation, int>;

// nullopt: no manager leads this folder, so the command does it itself. Else it is in the leader's
// hands, and its steps are told as they come: to its end, to 6 with its id when --timeout comes
// first, or spec.notBefore is later than that, and to 130 when Ctrl-C detaches from it.
std::optional<Followed> Follow(Context& context, const std::string& device,
                               cluster::HSMOperationSpec spec);

// Handed over, or carried out here by what the leader has for it. Steps, end and exit code are the
// same.
Followed Act(Context& context, const std::string& verb, const std::string& device,
             const cluster::HSMOperationSpec& spec);

// Prints how it ended: its message, or the object with -o. The exit code.
int PrintEnd(Context& context, const Followed& followed);

// The exit code of an operation that has ended.
int CodeOf(const cluster::HSMOperation& operation);

// Its phase; InDoubt where it has ended so, which is no failure.
std::string PhaseOf(const cluster::HSMOperation& operation);

// Of one that has not finished: "still running" or "not begun yet".
const char* HowFar(const cluster::HSMOperation& operation);

}  // namespace hsmops::cli
