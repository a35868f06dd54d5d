// LivePath: what of the live API live.hsm.j5t.io/v1alpha1 a request is about, by its target alone.
// Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::manager {

struct LivePath {
  enum class What : std::uint8_t {
    kGroups,     // /apis
    kGroup,      // /apis/live.hsm.j5t.io
    kResources,  // /apis/live.hsm.j5t.io/v1alpha1
    kObjects,    // and what is below it
  };
  What what = What::kGroups;
  std::string resource;  // "mirroredsecrets", "devicehealths"
  std::string ns;        // empty: all
  std::string name;      // empty: the collection
  std::string subresource;
  std::map<std::string, std::string> query;  // decoded; of one name the last

  std::string At(const std::string& option) const {
    const auto found = query.find(option);
    return found == query.end() ? std::string() : found->second;
  }
};

// kNotFound: nothing of this API; kInvalid: an escape that is none, or an option twice.
base::Result<LivePath> ParseLivePath(std::string_view target);

}  // namespace hsmops::manager
