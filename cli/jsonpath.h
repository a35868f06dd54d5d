// JsonPath: kubectl's -o jsonpath= in the parts that people use: text, {.a.b}, {.items[*].name},
// [0], [-1], ['key'], {"\n"}, and {range …}{end}. Recursive descent, unions, slices and filters are
// refused.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::cli {

// kInvalid names the place. A path that leads nowhere prints nothing, as in kubectl.
base::Result<std::string> EvaluateJsonPath(std::string_view expression,
                                           const nlohmann::json& document);

}  // namespace hsmops::cli
