#include "test/support/fault_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/crash/pkcs11_functions.h"
#include "test/support/process.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {
namespace {

std::uint64_t CountAt(const std::string& plan, std::size_t index) {
  if (!std::filesystem::exists(plan + ".count")) return 0;  // no call yet
  const std::string bytes = ReadText(plan + ".count");
  std::uint64_t count = 0;
  REQUIRE(bytes.size() >= (index + 1) * sizeof count);
  std::memcpy(&count, bytes.data() + index * sizeof count, sizeof count);
  return count;
}

}  // namespace

std::string FaultModulePath() { return ProgramPath("libkhsm_fault.so"); }

void FaultPlan::Set(const std::string& faults) {
  WriteText(path_, faults + "\n");
  Reset();
}

void FaultPlan::Reset() {
  std::filesystem::remove(path_ + ".count");
  std::filesystem::remove(path_ + ".fired");
}

std::uint64_t FaultPlan::calls() const { return CountAt(path_, 0); }
std::uint64_t FaultPlan::value_reads() const { return CountAt(path_, 1); }

std::uint64_t FaultPlan::calls(const std::string& function) const {
  const auto* const found =
      std::find(std::begin(kFunctionNames), std::end(kFunctionNames), function);
  REQUIRE_MESSAGE(found != std::end(kFunctionNames), "no such function: ", function);
  return CountAt(path_, 2 + static_cast<std::size_t>(found - std::begin(kFunctionNames)));
}

std::vector<std::string> FaultPlan::fired(bool with_effect_only) const {
  std::vector<std::string> lines;
  if (!std::filesystem::exists(path_ + ".fired")) return lines;
  std::istringstream text(ReadText(path_ + ".fired"));
  for (std::string line; std::getline(text, line);) {
    if (with_effect_only && line.ends_with(" effect=none")) continue;
    lines.push_back(line);
  }
  return lines;
}

}  // namespace hsmops::test
