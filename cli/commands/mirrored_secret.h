// MirroredSecret: the live API's view of one secret, as list, get and put print it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libhsmops/manager/coverage.h"
#include "libhsmops/manager/reader.h"

namespace hsmops::cli {

// metadata.name is "<device>:<segment>:<segment>", since a path segment cannot hold "/".
nlohmann::json MirroredSecretOf(const manager::Pool& pool, const manager::SecretCoverage& secret);
// As served by get; `reveal` adds `data` in base64.
nlohmann::json MirroredSecretOf(const manager::Pool& pool, const std::string& name,
                                const manager::Served& served, bool reveal);

}  // namespace hsmops::cli
