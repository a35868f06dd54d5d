// LabelSelector: which objects a person means by `-l app=payments,tier!=test`.
//
// The grammar of kubectl's -l (Kubernetes documentation, "Labels and Selectors"): `key=value`,
// `key==value`, `key!=value`, `key in (a, b)`, `key notin (a, b)`, `key`, `!key`, joined by commas,
// all of which must hold. As there, `!=` and `notin` hold for an object without the label.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/result.h"

namespace hsmops::cluster {

class LabelSelector {
 public:
  // Empty text matches everything. kInvalid: outside the grammar, or more than 64 requirements.
  static base::Result<LabelSelector> Parse(std::string_view text);

  bool Matches(const std::map<std::string, std::string>& labels) const;

 private:
  enum class Operator : std::uint8_t { kIn, kNotIn, kExists, kAbsent };
  struct Requirement {
    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;
  };
  static base::Result<Requirement> ParseOne(std::string_view text);
  static bool Holds(const Requirement& requirement,
                    const std::map<std::string, std::string>& labels);

  std::vector<Requirement> requirements_;
};

}  // namespace hsmops::cluster
