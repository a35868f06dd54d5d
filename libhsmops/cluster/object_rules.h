// What becomes of an object that is created or updated: the rules that an API server has, for the
// stores that are not one; and the errors that every store has.
//
// For stores alone. Pure: documents in, a document out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libhsmops/base/clock.h"
#include "libhsmops/cluster/object.h"

namespace hsmops::cluster {

// A new object as it is stored: uid, creationTimestamp and generation 1 are set, the status dropped
// where the kind has a status subresource.
nlohmann::json Created(const Object& object, std::string_view uid, base::WallTime now);

// `current` with everything of `proposed` but what the store owns: uid, creationTimestamp,
// generation (one more when the spec changed), resourceVersion, and the status.
nlohmann::json Updated(const nlohmann::json& current, const Object& proposed);

// `current` with the status of `proposed`.
nlohmann::json WithStatus(const nlohmann::json& current, const Object& proposed);

void SetVersion(nlohmann::json& document, std::string_view version);

// Refuses an Update or UpdateStatus that names no version, or a status of a kind that has none.
base::Result<void> CheckUpdate(const Object& object, std::string_view expected, bool status);

base::Error NoSuchObject(const ObjectKey& key);
base::Error AlreadyExists(const ObjectKey& key);
base::Error Moved(const ObjectKey& key, std::string_view expected, std::string_view found);

}  // namespace hsmops::cluster
