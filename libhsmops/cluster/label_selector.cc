#include "libhsmops/cluster/label_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "libhsmops/base/printable.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kMaxRequirements = 64;
constexpr std::size_t kMaxPart = 63;     // of a label's name and of its value
constexpr std::size_t kMaxPrefix = 253;  // of a label's name, before the slash

std::string_view Trimmed(std::string_view text) {
  const auto blank = " \t";
  const std::size_t start = text.find_first_not_of(blank);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(blank) - start + 1);
}

bool IsPart(std::string_view text, std::size_t longest) {
  const auto outer = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !text.empty() && text.size() <= longest && outer(text.front()) && outer(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return outer(c) || c == '-' || c == '_' || c == '.'; });
}

bool IsKey(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return IsPart(text, kMaxPart);
  return IsPart(text.substr(0, slash), kMaxPrefix) && IsPart(text.substr(slash + 1), kMaxPart);
}

Error Refused(std::string_view requirement, std::string_view why) {
  return {ErrorCode::kInvalid,
          fmt::format("selector \"{}\": {}; write key=value, key!=value, key in (a,b), "
                      "key notin (a,b), key or !key",
                      base::Printable(requirement.substr(0, 200)), why)};
}

// Cuts at the commas that stand outside parentheses.
std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '(') ++depth;
    if (i < text.size() && text[i] == ')') --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(Trimmed(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  return parts;
}

Result<std::vector<std::string>> Values(std::string_view set, std::string_view whole) {
  if (set.size() < 2 || set.front() != '(' || set.back() != ')')
    return Refused(whole, "a set stands in parentheses");
  std::vector<std::string> values;
  for (const std::string_view value : Split(set.substr(1, set.size() - 2))) {
    if (!value.empty() && !IsPart(value, kMaxPart))
      return Refused(whole, fmt::format("\"{}\" is no label value", base::Printable(value)));
    values.emplace_back(value);
  }
  return values;
}

}  // namespace

Result<LabelSelector::Requirement> LabelSelector::ParseOne(std::string_view text) {
  Requirement requirement;
  std::string_view key = text;
  std::optional<std::string> set;
  const std::size_t space = text.find_first_of(" \t");
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : Trimmed(text.substr(space));
  if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
    const bool negated = equals > 0 && text[equals - 1] == '!';
    const bool twice = equals + 1 < text.size() && text[equals + 1] == '=';
    key = text.substr(0, equals - (negated ? 1 : 0));
    requirement.op = negated ? Operator::kNotIn : Operator::kIn;
    set = fmt::format("({})", Trimmed(text.substr(equals + (twice && !negated ? 2 : 1))));
  } else if (rest.starts_with("in") || rest.starts_with("notin")) {
    const bool in = rest.starts_with("in");
    key = text.substr(0, space);
    requirement.op = in ? Operator::kIn : Operator::kNotIn;
    set = Trimmed(rest.substr(in ? 2 : 5));
  } else if (text.starts_with('!')) {
    key = text.substr(1);
    requirement.op = Operator::kAbsent;
  }
  requirement.key = Trimmed(key);
  if (!IsKey(requirement.key)) return Refused(text, "no label's name stands in front");
  if (set) {
    HSM_TRY(requirement.values, Values(*set, text));
  }
  return requirement;
}

Result<LabelSelector> LabelSelector::Parse(std::string_view text) {
  LabelSelector selector;
  if (Trimmed(text).empty()) return selector;
  for (const std::string_view part : Split(text)) {
    if (selector.requirements_.size() == kMaxRequirements)
      return Error(ErrorCode::kInvalid,
                   fmt::format("a selector has at most {} requirements", kMaxRequirements));
    HSM_TRY(Requirement requirement, ParseOne(part));
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

bool LabelSelector::Holds(const Requirement& requirement,
                          const std::map<std::string, std::string>& labels) {
  const auto found = labels.find(requirement.key);
  const bool there = found != labels.end();
  const bool among = there && std::find(requirement.values.begin(), requirement.values.end(),
                                        found->second) != requirement.values.end();
  switch (requirement.op) {
    case Operator::kIn:
      return among;
    case Operator::kNotIn:
      return !among;
    case Operator::kExists:
      return there;
    case Operator::kAbsent:
      return !there;
  }
  return false;
}

bool LabelSelector::Matches(const std::map<std::string, std::string>& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const Requirement& one) { return Holds(one, labels); });
}

}  // namespace hsmops::cluster
