// SetAside: versions in quarantine, which a returning member had and nobody else: found, and
// discarded for good. The same for the manager that leads and for a command.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/manager/promotion.h"

namespace hsmops::manager {

// Empty fields are any.
struct SetAsideFilter {
  std::string name;
  std::string node;
  std::string version;  // as people see it, or whole
};

struct SetAside {
  std::string node;
  store::QuarantineItem item;
};

struct SetAsideSearch {
  std::vector<SetAside> found;                               // by name, node, version
  std::vector<std::pair<std::string, base::Error>> unknown;  // nodes that could not be asked
};

// kNotFound: the filter's node is no member.
base::Result<SetAsideSearch> FindSetAside(Pool& pool, const SetAsideFilter& filter);

// kInvalid: no name, or several versions fit. kNotFound: everybody was asked, and there is none.
// kUnavailable: there may be one on who could not be asked.
base::Result<SetAside> OneSetAside(const SetAsideSearch& search, const SetAsideFilter& filter);

// As the live API tells of it: a QuarantinedSecret, without values; and a v1 List of them, with who
// could not be asked under metadata.unknown.
nlohmann::json QuarantinedSecretOf(const SetAside& aside);
nlohmann::json ListOf(const SetAsideSearch& search);
// kCorrupt: that is none.
base::Result<SetAsideSearch> ParseSetAside(const nlohmann::json& list);

// The step that is noted before anything is discarded; its message says which one.
inline constexpr const char* kDiscardStep = "discard";

// Finds the one and discards it; what came of it as a sentence. `begun`: empty, or the message of
// that step where it was noted before and the end was not told: one that is gone was discarded
// then. Errors as above, and kInDoubt: the list settles it.
base::Result<std::string> DiscardSetAside(Pool& pool, const SetAsideFilter& filter,
                                          const std::string& begun, const StepNote& note);

}  // namespace hsmops::manager
