#include "test/crash/fault.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace hsmops::test {
namespace {

std::uint64_t Number(const std::string& text) {
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0') Broken("not a number in the plan: " + text);
  return number;
}

template <typename Names>
std::size_t IndexOf(const Names& names, const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) Broken("unknown word in the plan: " + name);
  return static_cast<std::size_t>(found - std::begin(names));
}

Fault ParseFault(const std::string& line) {
  Fault fault;
  bool times_given = false;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find('=');
    if (at == std::string::npos) Broken("not name=value in the plan: " + word);
    const std::string name = word.substr(0, at);
    const std::string value = word.substr(at + 1);
    if (name == "call")
      fault.call = Number(value);
    else if (name == "mode")
      fault.mode = static_cast<Mode>(IndexOf(kModeNames, value));
    else if (name == "function")
      fault.function = static_cast<Function>(IndexOf(kFunctionNames, value));
    else if (name == "rv")
      fault.rv = Number(value);
    else if (name == "arg")
      fault.arg = Number(value);
    else if (name == "times")
      fault.times = Number(value), times_given = true;
    else if (name == "attr")
      fault.attribute = Number(value);
    else
      Broken("unknown word in the plan: " + name);
  }
  if (fault.call == 0) Broken("a fault without call=K, K from 1: " + line);
  switch (fault.mode) {
    case Mode::kFull:
      fault.function = Function::C_CreateObject;
      fault.rv = CKR_DEVICE_MEMORY;
      if (!times_given) fault.times = 0;
      break;
    case Mode::kPage:
      fault.function = Function::C_FindObjects;
      break;
    case Mode::kStale:
      if (!fault.function) fault.function = Function::C_GetAttributeValue;
      break;
    case Mode::kTruncate:
    case Mode::kFlip:
    case Mode::kEmpty:
    case Mode::kGrow:
    case Mode::kShrink:
      fault.function = Function::C_GetAttributeValue;
      break;
    default:
      break;
  }
  return fault;
}

}  // namespace

std::vector<Fault> ParsePlan(std::istream& plan) {
  std::vector<Fault> faults;
  for (std::string line; std::getline(plan, line);) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") != std::string::npos) faults.push_back(ParseFault(line));
  }
  return faults;
}

[[noreturn]] void Broken(const std::string& what) {
  std::fprintf(stderr, "khsm_fault: %s\n", what.c_str());
  std::abort();
}

}  // namespace hsmops::test
